/** Commands by the dashboard of the real program: sent by clicks, followed until the device has them, taken back. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Browser, Page } from 'puppeteer-core';
import { type BootedGateway, basicAuthorization, bootGateway, editorToken } from '../support/boot-gateway';
import { keepPicture, launchBrowser, newPage } from '../support/browser';
import { type AdminApi, defineCommands } from '../support/command-flow';
import { faintTexts, namelessControls, overflowOf, Wire } from '../support/dashboard-page';
import { DashboardSocket } from '../support/dashboard-socket';
import { eventually } from '../support/eventually';

const DIALOG = '[data-testid=confirmation][open]';

interface Reference {
  readonly devEui: string;
  readonly name: string;
  readonly profileId: string;
  readonly deviceClass: string;
}

describe('commands by the dashboard', () => {
  let gateway: BootedGateway;
  let browser: Browser;
  let valves: readonly Reference[];
  /** Of class A. */
  let sleeper: Reference | undefined;
  before(async () => {
    [gateway, browser] = await Promise.all([
      // Long enough to take back what waits for the next uplink.
      bootGateway({ environment: { SIMULATOR_PERIOD_SECONDS: '15' } }),
      launchBrowser(),
    ]);
    const devices = await devicesOf();
    valves = devices.filter(({ name }) => /valve/i.test(name));
    sleeper = devices.find(({ deviceClass }) => deviceClass === 'A');
    const [valve] = valves;
    assert.ok(valve && sleeper);
    const position = {
      name: 'position',
      type: 'Int',
      unit: '%',
      min: 0,
      max: 100,
      description: 'How far the valve opens.',
    };
    const base = { profileId: valve.profileId, fPort: 20, deadline: 600 };
    const template = { position: '{{position}}' };
    const payload = { kind: 'object', template };
    await defineCommands(admin, [
      { ...base, name: 'set', title: 'Set position', parameters: [position], payload, confirmed: true },
      {
        ...base,
        name: 'force',
        title: 'Force position',
        parameters: [{ ...position, default: 50 }],
        payload,
        interlock: { role: 'Engineer', secondConfirmation: true },
      },
      {
        ...base,
        name: 'program',
        title: 'Change program',
        parameters: [
          {
            name: 'mode',
            type: 'Enumeration',
            choices: ['off', 'eco', 'boost'].map((name, value) => ({ name, value })),
          },
          { name: 'level', type: 'Double', min: 0, max: 10, step: 0.5, required: false },
          { name: 'locked', type: 'Boolean', default: false },
        ],
        payload: { kind: 'object', template: { mode: '{{mode}}', level: '{{level}}', locked: '{{locked}}' } },
      },
      {
        profileId: sleeper.profileId,
        name: 'once',
        title: 'Only one at a time',
        fPort: 9,
        deadline: 600,
        payload: { kind: 'hex', hex: '01' },
        coalescing: 'reject',
      },
    ]);
  });
  after(async () => {
    await Promise.all([browser?.close(), gateway?.stop()]);
  });

  let token: string | number | undefined;
  const admin: AdminApi = async (path, init) => {
    token ??= await editorToken(gateway.web, gateway.user, gateway.password);
    return fetch(`${gateway.web}/editor${path}`, {
      ...init,
      headers: [
        ...new Headers(init?.headers),
        ['authorization', `Bearer ${token}`],
        ['content-type', 'application/json'],
      ],
    });
  };

  /** A program that is logged in, and the page in whose name it asks. */
  async function asProgram(): Promise<[socket: DashboardSocket, node: string]> {
    const { page } = await newPage(browser, { username: gateway.user, password: gateway.password });
    await page.goto(`${gateway.web}/dashboard/commands`);
    const form = await page.waitForSelector('[data-testid=form]');
    const label = (await form?.evaluate((element) => element.getAttribute('aria-labelledby'))) ?? '';
    await page.close();
    const socket = await DashboardSocket.open(gateway.web, basicAuthorization(gateway.user, gateway.password));
    return [socket, label.replace('-send', '')];
  }

  async function devicesOf(): Promise<readonly Reference[]> {
    const [socket, node] = await asProgram();
    let found: Reference[] = [];
    await eventually(async () => {
      await socket.emit('widget-send', node, { topic: 'values.latest', payload: { limit: 1_000 } });
      const [, answer] = await socket.next(`msg-input:${node}`);
      const { payload } = answer as { payload: { result: { devices: { device: Reference }[] } } };
      found = payload.result.devices.map(({ device }) => device).filter(({ name }) => name);
      return found.length >= 30;
    }, 'devices');
    await socket.close();
    return found;
  }

  async function open(use = browser): Promise<{ page: Page; troubles: string[] }> {
    const opened = await newPage(use, { username: gateway.user, password: gateway.password });
    await opened.page.setViewport({ width: 1280, height: 900 });
    await opened.page.goto(`${gateway.web}/dashboard/commands`);
    await opened.page.waitForSelector('.lorua table[aria-busy=false]');
    return opened;
  }

  const text = (page: Page, selector: string): Promise<string> =>
    page.$eval(selector, (element) => (element as HTMLElement).innerText.replace(/\s+/g, ' ').trim());

  async function click(page: Page, selector: string): Promise<void> {
    await (await page.waitForSelector(selector, { visible: true }))?.click();
  }

  async function choose(page: Page, device: Reference | undefined, command: string): Promise<void> {
    assert.ok(device);
    await page.waitForSelector(`[data-testid=device] option[value="${device.devEui}"]`);
    await page.select('[data-testid=device]', device.devEui);
    await page.waitForSelector(`[data-testid=command] option[value="${command}"]`);
    await page.select('[data-testid=command]', command);
    await page.waitForSelector('[data-testid=send]');
  }

  const fill = (page: Page, name: string, value: string): Promise<void> =>
    page.locator(`[data-testid=form] [name="${name}"]`).fill(value);

  const lastState = (page: Page, state: RegExp, timeout = 30_000): Promise<unknown> =>
    page.waitForFunction(
      (source) =>
        new RegExp(source).test(
          document.querySelector('[data-testid=last] [data-state]')?.getAttribute('data-state') ?? '',
        ),
      { timeout },
      state.source,
    );

  it('sends by clicks, tells faults at their field, and follows until the device has acknowledged', async () => {
    const { page, troubles } = await open();
    await page.type('[data-testid=search]', 'valve');
    await choose(page, valves[0], 'set');
    assert.match(await text(page, '[data-testid=form]'), /position \(%\).*How far the valve opens\. 0 to 100 %/);
    assert.match(await text(page, '[data-testid=terms]'), /within 10 minutes is never sent/);
    await click(page, '[data-testid=send]');
    await page.waitForSelector('[data-field=position] .lorua-fault');
    await fill(page, 'position', '101');
    await click(page, '[data-testid=send]');
    await page.waitForFunction(() =>
      /0 to 100/.test(document.querySelector('[data-field=position]')?.textContent ?? ''),
    );
    assert.equal(await page.evaluate(() => document.activeElement?.getAttribute('name')), 'position');
    assert.deepEqual(await faintTexts(page), []);
    await keepPicture(page, 'commands-faults');
    assert.equal(await page.$('tr[data-command]'), null, 'nothing was sent');

    await fill(page, 'position', '35');
    await click(page, '[data-testid=send]');
    await lastState(page, /^(Queued|Sending|Enqueued|Transmitted|Acknowledged)$/);
    await page.waitForSelector('tr[data-command]');
    await keepPicture(page, 'commands-sent');
    await lastState(page, /^Acknowledged$/);
    await page.waitForSelector('tr[data-state=Acknowledged]');
    assert.match(
      await text(page, 'tr[data-state=Acknowledged]'),
      /Set position position = 35 % ● acknowledged.*admin dashboard/,
    );
    assert.deepEqual(troubles, []);
    await page.close();
  });

  it('asks once more in words where the definition wants it, and a no sends nothing', async () => {
    const { page } = await open();
    await choose(page, valves[0], 'force');
    const before = (await page.$$('tr[data-command]')).length;
    await click(page, '[data-testid=send]');
    await page.waitForSelector(DIALOG);
    assert.match(await text(page, DIALOG), /Force position.*position = 50 %/);
    await keepPicture(page, 'commands-confirm');
    await page.keyboard.press('Escape');
    await page.waitForFunction((dialog) => document.querySelector(dialog) === null, {}, DIALOG);
    assert.equal((await page.$$('tr[data-command]')).length, before);
    await click(page, '[data-testid=send]');
    await click(page, `${DIALOG} [data-testid=confirm]`);
    await lastState(page, /^Transmitted$/);
    await page.waitForSelector('tr[data-state=Transmitted]');
    await page.close();
  });

  it('says why one is not taken, and takes back what waits, with what really became of it', async () => {
    const { page } = await open();
    await choose(page, sleeper, 'once');
    assert.match(await text(page, '[data-testid=terms]'), /listens only after it has sent/);
    await click(page, '[data-testid=send]');
    // Just after an uplink there is time to look.
    await lastState(page, /^Transmitted$/, 60_000);
    await click(page, '[data-testid=send]');
    await lastState(page, /^Enqueued$/);
    assert.match(await text(page, '[data-testid=last]'), /next uplink/);
    await click(page, '[data-testid=send]');
    await page.waitForSelector('[data-testid=refusal]');
    assert.match(await text(page, '[data-testid=refusal]'), /An older one has not been sent/);
    await click(page, 'tr[data-state=Enqueued] [data-act=cancel]');
    await page.waitForSelector(DIALOG);
    assert.match(await text(page, DIALOG), /emptied only as a whole/);
    await keepPicture(page, 'commands-cancel');
    await click(page, `${DIALOG} [data-testid=confirm]`);
    await page.waitForFunction(() =>
      /ChirpStack emptied its queue/.test(document.querySelector('[data-testid=notice]')?.textContent ?? ''),
    );
    await page.waitForSelector('tr[data-state=Cancelled]', { timeout: 60_000 });
    await page.close();
  });

  it('is filtered by state and device', async () => {
    const { page } = await open();
    await page.waitForSelector(`[data-testid=of] option[value="${valves[0]?.devEui ?? ''}"]`);
    const states = (): Promise<string[]> =>
      page.$$eval('tr[data-command]', (rows) => rows.map((row) => row.getAttribute('data-state') ?? ''));
    await page.select('[data-testid=state]', 'Acknowledged');
    await page.waitForFunction(() =>
      [...document.querySelectorAll('tr[data-command]')].every(
        (row) => row.getAttribute('data-state') === 'Acknowledged',
      ),
    );
    assert.ok((await states()).length > 0);
    await page.select('[data-testid=state]', 'Rejected');
    await page.waitForSelector('.lorua-empty');
    await page.select('[data-testid=state]', 'all');
    await page.waitForSelector('tr[data-command]');
    await page.select('[data-testid=of]', valves[0]?.devEui ?? '');
    await page.waitForFunction(
      (name) =>
        [...document.querySelectorAll('tr[data-command] td:nth-child(2)')].every((cell) => cell.textContent === name),
      {},
      valves[0]?.name ?? '',
    );
    await page.close();
  });

  it('has it all in the audit journal, also what was not taken', async () => {
    const { page } = await newPage(browser, { username: gateway.user, password: gateway.password });
    await page.goto(`${gateway.web}/dashboard/audit`);
    await page.waitForSelector('tr[data-sequence]');
    await page.select('[data-testid=kind]', 'commands');
    await page.waitForFunction(() => {
      const rows = [...document.querySelectorAll('tr[data-sequence]')];
      return rows.length > 0 && rows.every((row) => row.getAttribute('data-type')?.startsWith('command.') === true);
    });
    const entries = await text(page, '.lorua-table');
    assert.match(entries, /admin ● Command sent Device 70b3d57e\w+.*Name set.*From dashboard.*Values position = 35/);
    assert.match(entries, /Command sent – refused .*an older one is not yet transmitted/);
    assert.match(entries, /All commands of a device taken back/);
    await keepPicture(page, 'commands-audit');
    await page.close();
  });

  it('is used by keyboard alone', async () => {
    const { page } = await open();
    await page.waitForSelector(`[data-testid=device] option[value="${valves[2]?.devEui ?? ''}"]`);
    const focused = (): Promise<string> =>
      page.evaluate(() => {
        const element = document.activeElement;
        return element?.getAttribute('data-testid') ?? element?.getAttribute('name') ?? '';
      });
    const tabTo = async (wanted: string): Promise<void> => {
      for (let presses = 0; presses < 60; presses++) {
        if ((await focused()) === wanted) return;
        await page.keyboard.press('Tab');
      }
      assert.fail(`Tab does not come to ${wanted}`);
    };
    await tabTo('device');
    await page.keyboard.type(valves[2]?.name ?? '');
    await tabTo('command');
    await page.waitForSelector('[data-testid=command] option[value=set]');
    await page.keyboard.type('Set');
    await tabTo('position');
    await page.keyboard.type('12');
    await page.keyboard.press('Enter');
    await lastState(page, /./);
    assert.match(await text(page, '[data-testid=last]'), /Set position \(position = 12 %\)/);
    await page.close();
  });

  it('gives answers to the browser that asked, and a message that comes again does nothing', async () => {
    const [{ page: first }, { page: second }] = [await open(), await open()];
    const wires = [await Wire.tap(first), await Wire.tap(second)];
    await eventually(() => wires.every(({ received }) => Wire.marksIn(received).size > 2), 'answers');
    for (const { sent, received } of wires) {
      const asked = Wire.marksIn(sent);
      for (const mark of Wire.marksIn(received)) assert.ok(asked.has(mark), mark);
    }
    await Promise.all([first.close(), second.close()]);
    const [socket, node] = await asProgram();
    const request = { devEui: valves[0]?.devEui, name: 'set', parameters: { position: 5 }, id: 'twice-by-wire' };
    const ids: string[] = [];
    for (let index = 0; index < 2; index++) {
      await socket.emit('widget-send', node, { topic: 'commands.send', payload: request });
      const [, answer] = await socket.next(`msg-input:${node}`);
      const { payload } = answer as { payload: { ok: boolean; result: { id: string; createdAt: number } } };
      assert.ok(payload.ok);
      ids.push(`${payload.result.id} ${payload.result.createdAt}`);
    }
    assert.equal(ids[0], ids[1]);
    await socket.emit('widget-load', node);
    const [, stored] = await socket.next(`widget-load:${node}`);
    assert.equal(stored, null);
    await socket.close();
  });

  for (const [language, title, words] of [
    ['en-US', /Send a command/, /transmitted|acknowledged/],
    ['de', /Befehl senden/, /gesendet|bestätigt/],
    ['fr', /Envoyer une commande/, /émise|acquittée/],
  ] as const)
    it(`speaks ${language}, can be read by day and by night, and fits a phone and a control room`, async () => {
      const own = await launchBrowser({ languages: language });
      try {
        const { page, troubles } = await open(own);
        await choose(page, valves[0], 'program');
        await fill(page, 'level', 'x');
        await click(page, '[data-testid=send]');
        await page.waitForSelector('[data-field=mode] .lorua-fault');
        await page.waitForSelector('[data-field=level] .lorua-fault');
        await page.waitForSelector('tr[data-command]');
        assert.match(await text(page, '.lorua'), title);
        assert.match(await text(page, '.lorua-table'), words);
        assert.equal(await page.$eval('.lorua', (section) => section.getAttribute('lang')), language);
        assert.deepEqual(await namelessControls(page), []);
        for (const width of [1920, 320]) {
          await page.setViewport({ width, height: 900 });
          // The frame of the dashboard moves to its new place.
          await eventually(async () => (await overflowOf(page)) <= 0, `${width} px`, 5_000);
          await keepPicture(page, `commands-${language}-${width}`);
        }
        for (const scheme of ['light', 'dark']) {
          await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
          // Colours change with a transition.
          await eventually(async () => (await faintTexts(page)).length === 0, 'colours', 5_000).catch(() => undefined);
          assert.deepEqual(await faintTexts(page), [], scheme);
          await keepPicture(page, `commands-${language}-${scheme}`);
        }
        assert.deepEqual(troubles, []);
      } finally {
        await own.close();
      }
    });
});
