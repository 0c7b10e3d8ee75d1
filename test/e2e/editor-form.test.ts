/** The form of the OPC UA server in a real editor: what it shows, what it keeps, and what it refuses. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Browser, Page } from 'puppeteer-core';
import { type BootedGateway, bootGateway } from '../support/boot-gateway';
import { openEditor } from '../support/editor';

const TYPE = 'opcua-gateway-server';
/** What runs in the page is text: it knows the editor's globals, which these sources do not. */
const NODE = `RED.nodes.filterNodes({ type: '${TYPE}' })[0]`;

describe('the form of the OPC UA server', { timeout: 180_000 }, () => {
  let gateway: BootedGateway;
  let browser: Browser;
  let page: Page;

  before(async () => {
    gateway = await bootGateway({});
    ({ browser, page } = await openEditor(gateway, TYPE));
  });
  after(async () => {
    await browser?.close();
    await gateway?.stop();
  });

  const open = async (): Promise<void> => {
    await page.evaluate(`RED.editor.edit(${NODE})`);
    await page.waitForSelector('#opcua-gateway-server-endpoints [data-endpoint]');
  };
  const close = async (): Promise<void> => {
    await page.evaluate(`document.querySelector('#node-dialog-ok').click()`);
    await page.waitForFunction(`$('#node-input-endpoints').length === 0`);
  };
  const properties = async (): Promise<unknown> =>
    page.evaluate(`(({ endpoints, trustAllClients, allowAnonymous, port }) =>
      [endpoints, trustAllClients, allowAnonymous, port])(${NODE})`);
  const isShown = async (selector: string): Promise<unknown> => page.evaluate(`$('${selector}').is(':visible')`);

  test('keeps what comes from the environment, and warns of nothing', async () => {
    const before = await properties();
    assert.deepEqual(before, ['${OPCUA_SECURITY}', '${OPCUA_TRUST_ALL_CLIENTS}', false, '${OPCUA_PORT}']);
    await open();
    assert.equal(await isShown('#node-input-endpoints'), true);
    assert.equal(await isShown('#opcua-gateway-server-endpoints'), false);
    assert.equal(await isShown('#opcua-gateway-server-insecure'), false);
    await close();
    assert.deepEqual(await properties(), before);
  });

  test('lets endpoints be ticked, warns of those that do not protect, and shows what is wrong', async () => {
    await open();
    await page.evaluate(`$('#node-input-endpoints').next('button').trigger('click')`);
    assert.equal(await isShown('#opcua-gateway-server-endpoints'), true);
    assert.equal(await page.evaluate(`$('#node-input-endpoints').val()`), '');
    await page.evaluate(`document.querySelector('[data-endpoint="None"]').click()`);
    assert.equal(await isShown('#opcua-gateway-server-insecure'), true);
    await page.evaluate(`$('#node-input-maxSessions').val('1,5').trigger('change')`);
    assert.equal(await page.evaluate(`$('#node-input-maxSessions').hasClass('input-error')`), true);
    await page.evaluate(`$('#node-input-maxSessions').val('50').trigger('change')`);
    assert.equal(await page.evaluate(`$('#node-input-maxSessions').hasClass('input-error')`), false);
    await page.evaluate(`for (const box of document.querySelectorAll('[data-endpoint]')) if (box.checked) box.click()`);
    assert.equal(await page.evaluate(`document.querySelectorAll('[data-endpoint]:checked').length`), 1, 'one stays');
    await close();
    assert.deepEqual(await properties(), ['None', '${OPCUA_TRUST_ALL_CLIENTS}', false, '${OPCUA_PORT}']);
  });
});
