/** A real browser without a screen. The binary comes with a package, so nothing has to be installed by hand. */
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Browser, launch, type Page } from 'puppeteer-core';
import { repositoryRoot } from './paths';

export interface BrowserOptions {
  /** Languages in the order of preference, e.g. `de-AT,de`. */
  readonly languages?: string;
}

export async function launchBrowser(options: BrowserOptions = {}): Promise<Browser> {
  const { default: chromium } = await import('@sparticuz/chromium');
  const languages = options.languages ?? 'en-US';
  return launch({
    executablePath: await chromium.executablePath(),
    headless: 'shell',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--no-first-run',
      '--no-proxy-server',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      `--lang=${languages.split(',')[0] ?? ''}`,
      `--accept-lang=${languages}`,
    ],
  });
}

/** A page, and what went wrong in it: errors on its console, failed requests. */
export async function newPage(
  browser: Browser,
  credentials?: { readonly username: string; readonly password: string },
): Promise<{ page: Page; troubles: string[] }> {
  const page = await browser.newPage();
  const troubles: string[] = [];
  page.on('pageerror', (error) => troubles.push(`error: ${String(error)}`));
  page.on('console', (message) => {
    if (message.type() === 'error') troubles.push(`console: ${message.text()}`);
  });
  page.on('requestfailed', (request) => {
    // A page that is left cuts off what it was still asking for.
    if (request.failure()?.errorText !== 'net::ERR_ABORTED') troubles.push(`request: ${request.url()}`);
  });
  page.on('response', (response) => {
    if (response.status() >= 400) troubles.push(`${response.status()}: ${response.url()}`);
  });
  if (credentials !== undefined) await page.authenticate(credentials);
  return { page, troubles };
}

/** Keeps a picture for a person to look at, in test-results/. */
export async function keepPicture(page: Page, name: string): Promise<void> {
  const path = join(repositoryRoot, 'test-results', `${name}.png`);
  mkdirSync(dirname(path), { recursive: true });
  await page.screenshot({ path, fullPage: true });
}
