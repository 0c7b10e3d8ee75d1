/** The dashboard of the real program, in a real browser. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Browser, Page } from 'puppeteer-core';
import { type BootedGateway, bootGateway } from '../support/boot-gateway';
import { keepPicture, launchBrowser, newPage } from '../support/browser';

const ROWS = '.lorua-table tbody tr[data-device]';

describe('the dashboard', () => {
  let gateway: BootedGateway;
  let browser: Browser;
  before(async () => {
    [gateway, browser] = await Promise.all([
      bootGateway({ environment: { SIMULATOR_PERIOD_SECONDS: '2', HISTORY_MAX_MB: '50' } }),
      launchBrowser(),
    ]);
  });
  after(async () => {
    await Promise.all([browser?.close(), gateway?.stop()]);
  });

  async function open(use: Browser, width = 1280, height = 900): Promise<{ page: Page; troubles: string[] }> {
    const opened = await newPage(use, { username: gateway.user, password: gateway.password });
    await opened.page.setViewport({ width, height });
    await opened.page.goto(gateway.web);
    await opened.page.waitForSelector(ROWS, { timeout: 60_000 });
    return opened;
  }

  const texts = (page: Page, selector: string): Promise<string[]> =>
    page.$$eval(selector, (elements) =>
      elements.map((element) => (element as HTMLElement).innerText.replace(/\s+/g, ' ').trim()),
    );

  it('shows state and values without any trouble', async () => {
    const { page, troubles } = await open(browser);
    await page.waitForSelector('.lorua-verdict.lorua-ok', { timeout: 60_000 });
    const tiles = (await texts(page, '.lorua-tile')).join('\n');
    assert.match(tiles, /ChirpStack ● connected 4 applications, 30 devices .*streams/);
    assert.match(tiles, /OPC UA ● listening \d+ clients .*opc\.tcp:/);
    assert.match(tiles, /Store ● healthy .*samples wait/);
    await page.waitForFunction(() =>
      /MB of 50 MB, history of 7 days/.test(document.querySelector('.lorua-tiles')?.textContent ?? ''),
    );
    assert.match(tiles, /Values ● \d+ fresh/);
    assert.equal((await page.$$(ROWS)).length, 50);
    assert.match((await texts(page, '.lorua-pages'))[0] ?? '', /1 to 50 of \d+/);
    await keepPicture(page, 'dashboard');
    assert.deepEqual(troubles, []);
    await page.close();
  });

  it('shows units and the texts of states', async () => {
    const { page } = await open(browser);
    const cell = async (search: string, metric: string): Promise<{ text: string; title: string | null }> => {
      await page.$eval('[data-testid=filter]', (input) => {
        (input as HTMLInputElement).value = '';
      });
      await page.focus('[data-testid=filter]');
      await page.keyboard.type(search);
      const value = `${ROWS}[data-metric=${metric}] td:nth-child(3)`;
      await page.waitForFunction(
        (selector) => /\d|closed|open/.test(document.querySelector(selector)?.textContent ?? ''),
        { timeout: 60_000 },
        value,
      );
      return page.$eval(value, (found) => ({
        text: (found as HTMLElement).innerText.trim(),
        title: found.getAttribute('title'),
      }));
    };
    const temperature = await cell('temperature', 'temperature');
    assert.match(temperature.text, /^-?[\d.,]+\u00a0°C$/);
    assert.match(temperature.title ?? '', /guessed/);
    const energy = await cell('energy', 'energy');
    assert.match(energy.text, /^[\d.,]+\u00a0kW·h$/);
    assert.equal(energy.title, null);
    assert.match((await cell('door', 'open')).text, /^(?:closed|open)$/);
    assert.match((await cell('latitude', 'position_latitude')).text, /^[\d.,]+°$/);
    await page.close();
  });

  it('follows the values while somebody looks', async () => {
    const { page } = await open(browser);
    const first = await texts(page, ROWS);
    await page.waitForFunction(
      (selector, before) => {
        const now = [...document.querySelectorAll(`${selector} .lorua-value:nth-child(3)`)].map((e) => e.textContent);
        return now.join() !== before;
      },
      { timeout: 60_000 },
      ROWS,
      (await texts(page, `${ROWS} .lorua-value:nth-child(3)`)).join(),
    );
    assert.ok(first.length > 0);
    await page.close();
  });

  it('filters, sorts and turns pages, also by keyboard', async () => {
    const { page } = await open(browser);
    const countBefore = /of ([\d,]+)/.exec((await texts(page, '.lorua-pages'))[0] ?? '')?.[1];
    await page.focus('[data-testid=filter]');
    await page.keyboard.type('temperature');
    await page.waitForFunction(
      (selector) => {
        const rows = [...document.querySelectorAll(selector)];
        return rows.length > 0 && rows.every((row) => /temperature/i.test(row.textContent ?? ''));
      },
      {},
      ROWS,
    );
    assert.notEqual((await texts(page, ROWS)).length, Number(countBefore));

    await page.focus('[data-testid=sort-device]');
    await page.keyboard.press('Enter');
    await page.waitForSelector('th[aria-sort=descending]');
    await page.waitForFunction(
      (selector) => {
        const names = [...document.querySelectorAll(`${selector} td:first-child`)].map(
          (cell) => cell.textContent ?? '',
        );
        return names.length > 1 && names[0]?.localeCompare(names.at(-1) ?? '') === 1;
      },
      {},
      ROWS,
    );

    await page.click('[data-testid=quality-Bad]');
    await page.waitForFunction(
      (selector) =>
        [...document.querySelectorAll(`${selector} .lorua-pill`)].every((pill) =>
          pill.classList.contains('lorua-error'),
        ),
      {},
      ROWS,
    );
    assert.equal(
      await page.$eval('[data-testid=quality-Bad]', (button) => button.getAttribute('aria-pressed')),
      'true',
    );
    await page.close();
  });

  it('speaks the language of the browser', async () => {
    const german = await launchBrowser({ languages: 'de-AT,de' });
    try {
      const { page } = await open(german);
      assert.match((await texts(page, '.lorua-table thead'))[0] ?? '', /Gerät.*Messgröße.*Wert.*Qualität.*Alter/);
      assert.equal(await page.$eval('.lorua', (section) => section.getAttribute('lang')), 'de');
      await keepPicture(page, 'dashboard-de');
    } finally {
      await german.close();
    }
  });

  it('fits a phone', async () => {
    const { page } = await open(browser, 360, 740);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok(overflow <= 0, `${overflow} px too wide`);
    await keepPicture(page, 'dashboard-phone');
    await page.close();
  });

  it('says so when the gateway no longer answers', async () => {
    const { page } = await open(browser);
    await gateway.stop();
    await page.waitForFunction(
      () => /has not answered/.test(document.querySelector('.lorua-verdict')?.textContent ?? ''),
      { timeout: 60_000 },
    );
    await page.close();
  });
});
