/** The form of the command queue in a real editor: definitions by hand, from presets, as JSON, and what is wrong with them. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Browser, Page } from 'puppeteer-core';
import { COMMAND_PRESETS } from '../../lib/commands';
import { type BootedGateway, bootGateway } from '../support/boot-gateway';
import { openEditor } from '../support/editor';

/** What runs in the page is text: it knows the editor's globals, which these sources do not. */
const NODE = `RED.nodes.filterNodes({ type: 'command-queue' })[0]`;
const LIST = '#node-input-definitions-container';
const DEVICE = '0102030405060708';

describe('the form of the command queue', { timeout: 180_000 }, () => {
  let gateway: BootedGateway;
  let browser: Browser;
  let page: Page;

  before(async () => {
    gateway = await bootGateway({});
    ({ browser, page } = await openEditor(gateway, 'command-queue'));
  });
  after(async () => {
    await browser?.close();
    await gateway?.stop();
  });

  const open = async (): Promise<void> => {
    await page.evaluate(`RED.editor.edit(${NODE})`);
    await page.waitForSelector(`${LIST} textarea`);
  };
  const close = async (): Promise<void> => {
    await page.evaluate(`document.querySelector('#node-dialog-ok').click()`);
    await page.waitForFunction(`$('${LIST}').length === 0`);
  };
  const definitions = async (): Promise<Record<string, unknown>[]> =>
    JSON.parse(String(await page.evaluate(`JSON.stringify(${NODE}.definitions)`))) as Record<string, unknown>[];
  const row = (index: number, field: string): string => `$('${LIST} [data-field=${field}]').eq(${index})`;
  const enter = (index: number, field: string, value: string): Promise<unknown> =>
    page.evaluate(`void ${row(index, field)}.val(${JSON.stringify(value)}).trigger('change')`);
  const faultOf = async (index: number): Promise<string> =>
    String(await page.evaluate(`${row(index, 'fault')}.text()`));
  const waitForFault = (index: number, text: string): Promise<unknown> =>
    page.waitForFunction(`${row(index, 'fault')}.text().includes(${JSON.stringify(text)})`);

  test('shows the commands of the reference flow, and keeps them as they are', async () => {
    const before = await definitions();
    assert.deepEqual(
      before.map(({ name }) => name),
      ['position', 'open'],
    );
    await open();
    assert.equal(await page.evaluate(`${row(0, 'name')}.val()`), 'position');
    assert.equal(await page.evaluate(`${row(0, 'fPort')}.val()`), '20');
    assert.equal(await page.evaluate(`${row(0, 'confirmed')}.prop('checked')`), true);
    await close();
    assert.deepEqual(await definitions(), before);
    assert.equal(await page.evaluate(`${NODE}.valid`), true);
  });

  test('adds one from a preset, and says what the gateway would', async () => {
    await open();
    assert.deepEqual(
      await page.evaluate(`[...document.querySelectorAll('#command-queue-presets option')].map(({ value }) => value)`),
      [...COMMAND_PRESETS],
    );
    await page.evaluate(`void $('#command-queue-presets select').val('relay-pulse')`);
    await page.focus('#command-queue-presets button');
    await page.keyboard.press('Enter');
    await page.waitForFunction(`$('${LIST}').editableList('items').length === 3`);
    await waitForFault(2, 'Give either profileId or devEui.');
    await enter(2, 'devEui', 'valve');
    await waitForFault(2, 'definitions[2].devEui is "valve"');
    await enter(2, 'devEui', DEVICE);
    await enter(2, 'fPort', '300');
    await waitForFault(2, 'definitions[2].fPort is 300');
    assert.equal(await page.evaluate(`${row(2, 'json')}.hasClass('input-error')`), true);
    await enter(2, 'fPort', '8');
    await page.waitForFunction(`${row(2, 'fault')}.text() === '' && !${row(2, 'json')}.hasClass('input-error')`);
    await enter(2, 'name', 'horn');
    await close();
    const added = (await definitions())[2];
    assert.equal(added?.name, 'horn');
    assert.equal(added?.devEui, DEVICE);
    assert.equal(added?.fPort, 8);
    assert.equal(added?.deadline, 60);
    assert.equal(await page.evaluate(`${NODE}.valid`), true);
  });

  test('keeps JSON that is not finished, and marks it', async () => {
    await open();
    await enter(2, 'json', '{"name": "horn", ');
    assert.notEqual(await faultOf(2), '');
    assert.equal(await page.evaluate(`${row(2, 'name')}.prop('disabled')`), true);
    await close();
    assert.equal((await definitions())[2], '{"name": "horn", ');
    assert.equal(await page.evaluate(`${NODE}.valid`), false);
    await open();
    await enter(2, 'json', JSON.stringify({ devEui: DEVICE, preset: 'valve', fPort: 9 }));
    assert.equal(await page.evaluate(`${row(2, 'fPort')}.val()`), '9');
    await page.evaluate(`${row(2, 'json')}.closest('li').find('.red-ui-button').get(0).click()`);
    await page.waitForSelector('.red-ui-editor-type-json, #node-input-json', { timeout: 20_000 });
    await page.evaluate(`document.querySelector('#node-dialog-cancel').click()`);
  });
});
