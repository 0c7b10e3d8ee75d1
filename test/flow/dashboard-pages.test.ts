/** Administering the real program by its pages: a real browser clicks, real OPC UA clients feel it. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Browser, Page } from 'puppeteer-core';
import { type BootedGateway, basicAuthorization, bootGateway } from '../support/boot-gateway';
import { keepPicture, launchBrowser, newPage } from '../support/browser';
import { faintTexts, namelessControls, overflowOf, Wire } from '../support/dashboard-page';
import { DashboardSocket } from '../support/dashboard-socket';
import { eventually } from '../support/eventually';
import { TestClient } from '../support/opcua-client';

const PAGES = ['overview', 'health', 'clients', 'users', 'audit'] as const;
type PageName = (typeof PAGES)[number];
const SECRET = 'a quiet phrase for the night shift';
const DIALOG = '[data-testid=confirmation][open]';
const FORM = '[data-testid=form][open]';

describe('administering by the dashboard', () => {
  let gateway: BootedGateway;
  let browser: Browser;
  const pkiFolder = mkdtempSync(join(tmpdir(), 'lorua-dashboard-'));
  before(async () => {
    [gateway, browser] = await Promise.all([
      bootGateway({ environment: { SIMULATOR_PERIOD_SECONDS: '2' } }),
      launchBrowser(),
    ]);
  });
  after(async () => {
    await Promise.all([browser?.close(), gateway?.stop()]);
    rmSync(pkiFolder, { recursive: true, force: true });
  });

  async function open(name: PageName, use = browser): Promise<{ page: Page; troubles: string[] }> {
    const opened = await newPage(use, { username: gateway.user, password: gateway.password });
    await opened.page.setViewport({ width: 1280, height: 900 });
    await show(opened.page, name);
    return opened;
  }

  async function show(page: Page, name: PageName): Promise<void> {
    await page.goto(`${gateway.web}/dashboard/${name}`);
    await page.waitForSelector('.lorua');
    await page.waitForFunction(
      () =>
        document.querySelector('.lorua table[aria-busy=true], .lorua-unknown') === null &&
        document.querySelector('.lorua table, .lorua-tile') !== null,
    );
  }

  const connect = (user = gateway.user, password = gateway.password): Promise<TestClient> =>
    TestClient.connect({ url: gateway.endpointUrl, user, password, pkiFolder });

  /** A program that is logged in, and a page in whose name it asks. */
  async function asProgram(): Promise<[socket: DashboardSocket, node: string]> {
    const { page } = await open('users');
    const label = await page.$eval('[data-testid=form]', (form) => form.getAttribute('aria-labelledby') ?? '');
    await page.close();
    const socket = await DashboardSocket.open(gateway.web, basicAuthorization(gateway.user, gateway.password));
    return [socket, label.replace('-form', '')];
  }

  const text = (page: Page, selector: string): Promise<string> =>
    page.$eval(selector, (element) => (element as HTMLElement).innerText.replace(/\s+/g, ' ').trim());

  async function click(page: Page, selector: string): Promise<void> {
    await (await page.waitForSelector(selector, { visible: true }))?.click();
  }

  async function agree(page: Page): Promise<void> {
    await click(page, `${DIALOG} [data-testid=confirm]`);
    await page.waitForFunction((dialog) => document.querySelector(dialog) === null, {}, DIALOG);
  }

  async function fill(page: Page, selector: string, value: string): Promise<void> {
    await page.locator(selector).fill(value);
  }

  it('shows a client that was refused, and lets it in by two clicks', async () => {
    const { page, troubles } = await open('clients');
    await assert.rejects(connect(), /BadSecurityChecksFailed/);
    const card = '[data-group=rejected] li[data-thumbprint]';
    await page.waitForSelector(card);
    const thumbprint = await page.$eval(card, (element) => element.getAttribute('data-thumbprint') ?? '');
    assert.match(thumbprint, /^[0-9a-f]{40}$/);
    assert.match(await text(page, card), /Lorua test client/);
    // When, from where and why comes from the audit journal.
    await page.waitForFunction(
      (selector) =>
        /Last refused.*127\.0\.0\.1.*not trusted yet/s.test(
          document.querySelector<HTMLElement>(selector)?.innerText ?? '',
        ),
      {},
      card,
    );
    await keepPicture(page, 'clients-refused');

    await click(page, `${card} [data-act="certificates.trust"]`);
    await page.waitForSelector(DIALOG);
    const shown = (await text(page, DIALOG)).replaceAll(/[^0-9A-F]/g, '');
    assert.ok(shown.includes(thumbprint.toUpperCase()), 'the thumbprint to compare');
    await keepPicture(page, 'clients-trust');
    await agree(page);
    await page.waitForSelector(`[data-group=trusted] tr[data-thumbprint="${thumbprint}"]`);
    assert.equal(await page.$(card), null);
    assert.match(await text(page, '[data-testid=notice]'), /is trusted/);

    const client = await connect();
    await client.close();
    assert.deepEqual(troubles, []);
    await page.close();
  });

  it('does nothing when the question is answered by no', async () => {
    const { page } = await open('clients');
    const row = '[data-group=trusted] tr[data-thumbprint]';
    await click(page, `${row} [data-act="certificates.reject"]`);
    await page.waitForSelector(DIALOG);
    await page.keyboard.press('Escape');
    await page.waitForFunction((dialog) => document.querySelector(dialog) === null, {}, DIALOG);
    assert.equal(
      await page.evaluate(() => document.activeElement?.getAttribute('data-act')),
      'certificates.reject',
      'the focus is back where it was',
    );
    assert.notEqual(await page.$(row), null);
    await (await connect()).close();
    await page.close();
  });

  it('shows who is connected, and ends a session by two clicks', async () => {
    const { page } = await open('clients');
    const client = await connect();
    await client.subscribe(['i=2258'], () => undefined);
    const row = 'tr[data-session]';
    await page.waitForFunction(
      (selector) => /^1$/.test(document.querySelector(selector)?.textContent?.trim() ?? ''),
      {},
      `${row} td:nth-child(7)`,
    );
    const shown = await text(page, row);
    assert.match(shown, /Lorua test client.* admin .*127\.0\.0\.1.* Basic256Sha256, SignAndEncrypt/);
    const id = await page.$eval(row, (element) => element.getAttribute('data-session') ?? '');
    await click(page, `tr[data-session="${id}"] button`);
    await page.waitForSelector(DIALOG);
    await agree(page);
    await page.waitForFunction((gone) => document.querySelector(`tr[data-session="${gone}"]`) === null, {}, id);
    assert.match(await text(page, '[data-testid=notice]'), /has ended/);
    await client.close();
    await page.close();
  });

  it('adds a user by a form, with each fault at its field, and the user can log in', async () => {
    const { page, troubles } = await open('users');
    const wire = await Wire.tap(page);
    await click(page, '[data-testid=add]');
    await page.waitForSelector(FORM);
    await click(page, `${FORM} [data-role=Observer]`);
    await fill(page, `${FORM} [name=password]`, 'short');
    await click(page, `${FORM} [data-testid=save]`);
    for (const field of ['name', 'roles', 'password'])
      await page.waitForSelector(`${FORM} [data-field=${field}] .lorua-fault`);
    assert.match(await text(page, `${FORM} [data-field=password]`), /8 to 256 characters/);
    assert.match(await text(page, `${FORM} [data-field=name]`), /name/i);
    assert.equal(
      await page.evaluate(() => document.activeElement?.getAttribute('name')),
      'name',
      'the first fault has the focus',
    );
    assert.deepEqual(await faintTexts(page), []);
    await keepPicture(page, 'users-faults');

    await fill(page, `${FORM} [name=name]`, 'night shift');
    await click(page, `${FORM} [data-role=Operator]`);
    await fill(page, `${FORM} [name=password]`, SECRET);
    await click(page, `${FORM} [data-testid=save]`);
    await page.waitForSelector('tr[data-user="night shift"]');
    assert.equal(await page.$(FORM), null);
    assert.match(await text(page, 'tr[data-user="night shift"]'), /Operator with password ● enabled/);

    const client = await connect('night shift', SECRET);
    await client.close();
    // It goes out once, and never comes back: not in an answer, not in what the page keeps.
    assert.equal(wire.sent.filter((frame) => frame.includes(SECRET)).length, 1);
    assert.ok(wire.received.length > 0);
    assert.ok(!wire.received.some((frame) => frame.includes(SECRET)));
    assert.ok(!(await page.content()).includes(SECRET));
    await click(page, 'tr[data-user="night shift"] [data-act=edit]');
    await page.waitForSelector(FORM);
    await click(page, `${FORM} [name=login][value=new]`);
    assert.equal(await page.$eval(`${FORM} [name=password]`, (input) => (input as HTMLInputElement).value), '');
    await wire.close();
    assert.deepEqual(troubles, []);
    await page.close();
  });

  it('does not take an addition for a change of somebody who is there', async () => {
    const { page } = await open('users');
    await click(page, '[data-testid=add]');
    await fill(page, `${FORM} [name=name]`, 'night shift');
    await fill(page, `${FORM} [name=password]`, 'another quiet phrase');
    await click(page, `${FORM} [data-testid=save]`);
    await page.waitForSelector(`${FORM} [data-field=name] .lorua-fault`);
    await (await connect('night shift', SECRET)).close();
    await page.close();
  });

  it('disables a user, whose session ends, and removes the user', async () => {
    const { page } = await open('users');
    const client = await connect('night shift', SECRET);
    await click(page, 'tr[data-user="night shift"] [data-act=switch]');
    await agree(page);
    await page.waitForFunction(() =>
      /disabled/.test(document.querySelector('tr[data-user="night shift"]')?.textContent ?? ''),
    );
    const { page: clients } = await open('clients');
    await clients.waitForFunction(() => document.querySelector('tr[data-session]') === null);
    await clients.close();
    await client.close();
    await assert.rejects(connect('night shift', SECRET));
    await click(page, 'tr[data-user="night shift"] [data-act=remove]');
    await agree(page);
    await page.waitForFunction(() => document.querySelector('tr[data-user="night shift"]') === null);
    await page.close();
  });

  it('is used by keyboard alone', async () => {
    const { page } = await open('users');
    const focused = (): Promise<string> =>
      page.evaluate(() => {
        const element = document.activeElement;
        const name = ['data-testid', 'data-role', 'data-act', 'name', 'value'].find((key) =>
          element?.hasAttribute(key),
        );
        return name === undefined ? '' : (element?.getAttribute(name) ?? '');
      });
    const tabTo = async (wanted: string): Promise<void> => {
      for (let presses = 0; presses < 40; presses++) {
        if ((await focused()) === wanted) return;
        await page.keyboard.press('Tab');
      }
      assert.fail(`Tab does not come to ${wanted}`);
    };
    await tabTo('add');
    await page.keyboard.press('Enter');
    await page.waitForSelector(FORM);
    assert.equal(await focused(), 'name', 'the form begins at its first field');
    await page.keyboard.type('keyboard');
    await tabTo('Operator');
    await page.keyboard.press('Space');
    await tabTo('password');
    await page.keyboard.type(SECRET);
    await page.keyboard.press('Enter');
    await page.waitForSelector('tr[data-user=keyboard]');
    await page.waitForFunction(() => document.activeElement?.getAttribute('data-testid') === 'add');
    await tabTo('remove');
    await page.keyboard.press('Enter');
    await page.waitForSelector(DIALOG);
    assert.equal(await focused(), 'cancel', 'a key pressed by mistake does nothing');
    await tabTo('confirm');
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.querySelector('tr[data-user=keyboard]') === null);
    await page.close();
  });

  it('has it all in the audit journal, by the name of who did it', async () => {
    const { page, troubles } = await open('audit');
    const types = (): Promise<string[]> =>
      page.$$eval('tr[data-sequence]', (rows) => rows.map((row) => row.getAttribute('data-type') ?? ''));
    await page.select('[data-testid=kind]', 'users');
    await page.waitForFunction(() => {
      const rows = [...document.querySelectorAll('tr[data-sequence]')];
      return rows.length > 0 && rows.every((row) => row.getAttribute('data-type')?.startsWith('users.') === true);
    });
    assert.ok((await types()).includes('users.remove'));
    const saved = await text(page, 'tr[data-type="users.save"]');
    assert.match(saved, /admin/);
    assert.ok(!(await page.content()).includes(SECRET));
    await page.select('[data-testid=kind]', 'certificates');
    await page.waitForSelector('tr[data-type="certificates.trust"]');
    await page.select('[data-testid=kind]', 'sessions');
    await page.waitForSelector('tr[data-type="opcua.session-activated"]');
    assert.match(await text(page, 'tr[data-type="opcua.session-activated"]'), /Logged in .*Lorua test client/);
    // More than a page of them.
    const [socket, node] = await asProgram();
    for (let index = 0; index < 30; index++)
      await socket.emit('widget-send', node, { topic: 'users.remove', payload: { name: `ghost ${index}` } });
    await socket.close();
    await page.select('[data-testid=kind]', 'all');
    await click(page, '[data-testid=older]:not(:disabled)');
    await page.waitForFunction(() => /Page 2/.test(document.querySelector('.lorua-pages')?.textContent ?? ''));
    await click(page, '[data-testid=newest]');
    await page.waitForFunction(() => /Page 1/.test(document.querySelector('.lorua-pages')?.textContent ?? ''));
    await fill(page, '[data-testid=user]', 'nobody of this name');
    await page.waitForSelector('.lorua-empty');
    await page.focus('[data-testid=user]');
    for (let letter = 0; letter < 'nobody of this name'.length; letter++) await page.keyboard.press('Backspace');
    await page.waitForSelector('tr[data-sequence]');
    await keepPicture(page, 'audit');
    assert.deepEqual(troubles, []);
    await page.close();
  });

  it('gives answers to the browser that asked, and to no other', async () => {
    const [{ page: first }, { page: second }] = [await open('users'), await open('users')];
    const wires = [await Wire.tap(first), await Wire.tap(second)];
    await Promise.all([show(first, 'clients'), show(second, 'users')]);
    await eventually(() => wires.every(({ received }) => Wire.marksIn(received).size > 3), 'answers');
    for (const { sent, received } of wires) {
      const asked = Wire.marksIn(sent);
      for (const mark of Wire.marksIn(received)) assert.ok(asked.has(mark), mark);
    }
    await Promise.all([first.close(), second.close()]);
  });

  it('does nothing for who is not logged in, nor for a page of another site', async () => {
    const [socket, node] = await asProgram();
    const intruder = {
      topic: 'users.save',
      payload: { name: 'intruder', password: SECRET, roles: ['SecurityAdmin'] },
      _client: { user: { userId: 'admin', username: 'admin' } },
    };
    const own = basicAuthorization(gateway.user, gateway.password);
    for (const headers of [{}, basicAuthorization('admin', 'wrong'), { ...own, origin: 'https://evil.example' }])
      for (const event of ['widget-send', 'widget-action', 'widget-change', 'widget-load'])
        assert.doesNotMatch(await DashboardSocket.knock(gateway.web, headers, event, node, intruder), /msg-input/);
    await socket.emit('widget-send', node, { topic: 'users.list', payload: {} });
    const [, answer] = await socket.next(`msg-input:${node}`);
    const { payload } = answer as { payload: { ok: boolean; result: { rows: { name: string }[] } } };
    assert.deepEqual(
      payload.result.rows.map(({ name }) => name),
      ['admin'],
    );
    await socket.close();
  });

  it('replays nothing: who opens a page sees no message of somebody else', async () => {
    const [socket, node] = await asProgram();
    await socket.emit('widget-load', node);
    const [, stored] = await socket.next(`widget-load:${node}`);
    assert.equal(stored, null);
    await socket.close();
  });
});

describe('the pages of the dashboard', () => {
  let gateway: BootedGateway;
  before(async () => {
    gateway = await bootGateway({ environment: { SIMULATOR_PERIOD_SECONDS: '2' } });
    // Somebody to be refused.
    await assert.rejects(TestClient.connect({ url: gateway.endpointUrl, user: 'x', password: 'y' }));
  });
  after(() => gateway?.stop());

  const HEADINGS: Readonly<Record<string, Readonly<Record<PageName, RegExp>>>> = {
    'en-US': {
      overview: /Live values/,
      health: /Event streams open 30 of 30/,
      clients: /Refused clients/,
      users: /What roles may do/,
      audit: /Audit journal/,
    },
    de: {
      overview: /Messgröße/,
      health: /Offene Ereignis-Streams 30 von 30/,
      clients: /Abgewiesene Clients/,
      users: /Was Rollen dürfen/,
      audit: /Audit-Journal/,
    },
    fr: {
      overview: /Grandeur/,
      health: /Flux d’événements ouverts 30 sur 30/,
      clients: /Clients refusés/,
      users: /Ce que permettent les rôles/,
      audit: /Journal d’audit/,
    },
  };

  it('show how the gateway is doing in figures with units', async () => {
    const browser = await launchBrowser();
    try {
      const { page } = await newPage(browser, { username: gateway.user, password: gateway.password });
      await page.goto(`${gateway.web}/dashboard/health`);
      await page.waitForSelector('.lorua-verdict.lorua-ok', { timeout: 60_000 });
      const tile = async (name: string): Promise<string> =>
        (await page.$eval(`[data-tile^="${name}"]`, (element) => (element as HTMLElement).innerText)).replace(
          /\s+/g,
          ' ',
        );
      assert.match(await tile('connection/'), /● connected In this state since .*ago .*Errors of the last hour none/);
      assert.match(await tile('devices'), /Devices 30 Devices fresh \d+/);
      assert.match(await tile('gateways'), /Online \d+ Offline \d+ Never seen \d+/);
      assert.match(await tile('store'), /● healthy .*Size of the data [\d.]+ MB/);
      assert.match(await tile('clients'), /Sessions 0 .*Certificate of the server until .* days left/);
      assert.match(await tile('program'), /Memory in use [\d.]+ MB .*Event-loop delay, median [\d.]+ ms/);
      assert.match(
        await page.$eval('.lorua-verdict', (element) => element.textContent ?? ''),
        /service level 2\d\d of 255/,
      );
    } finally {
      await browser.close();
    }
  });

  for (const [language, headings] of Object.entries(HEADINGS))
    it(`speak ${language}, can be read by day and by night, and fit a phone and a control room`, async () => {
      const browser = await launchBrowser({ languages: language });
      try {
        const { page, troubles } = await newPage(browser, { username: gateway.user, password: gateway.password });
        for (const name of PAGES) {
          await page.setViewport({ width: 1280, height: 900 });
          await page.goto(`${gateway.web}/dashboard/${name}`);
          await page.waitForFunction(
            (source) =>
              new RegExp(source).test(
                document.querySelector<HTMLElement>('.lorua')?.innerText.replace(/\s+/g, ' ') ?? '',
              ),
            { timeout: 60_000 },
            headings[name].source,
          );
          assert.equal(await page.$eval('.lorua', (section) => section.getAttribute('lang')), language);
          assert.deepEqual(await namelessControls(page), [], name);
          for (const width of [1920, 320]) {
            await page.setViewport({ width, height: 900 });
            // The frame of the dashboard moves to its new place.
            await eventually(async () => (await overflowOf(page)) <= 0, `${name} at ${width} px`, 5_000);
            await keepPicture(page, `${name}-${language}-${width}`);
          }
          for (const scheme of ['light', 'dark']) {
            await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
            // Colours change with a transition.
            await eventually(async () => (await faintTexts(page)).length === 0, 'colours', 5_000).catch(
              () => undefined,
            );
            assert.deepEqual(await faintTexts(page), [], `${name}, ${scheme}`);
          }
          await page.emulateMediaFeatures([]);
        }
        assert.deepEqual(troubles, []);
      } finally {
        await browser.close();
      }
    });
});
