/** Node-RED's editor in a real browser. */
import type { Browser, Page } from 'puppeteer-core';
import type { BootedGateway } from './boot-gateway';
import { launchBrowser, newPage } from './browser';

export interface OpenEditor {
  readonly browser: Browser;
  readonly page: Page;
}

/**
 * Logs in to the editor of a gateway.
 * @param type of a node; the editor is ready when it shows one
 */
export async function openEditor({ web, user, password }: BootedGateway, type: string): Promise<OpenEditor> {
  const browser = await launchBrowser();
  try {
    const { page } = await newPage(browser);
    await page.setViewport({ width: 1200, height: 1600 });
    await page.goto(`${web}/editor/`, { waitUntil: 'networkidle2' });
    await page.type('#node-dialog-login-username', user);
    await page.type('#node-dialog-login-password', password);
    await page.keyboard.press('Enter');
    await page.waitForFunction(`window.RED?.nodes?.filterNodes({ type: '${type}' }).length > 0`);
    return { browser, page };
  } catch (error) {
    await browser.close();
    throw error;
  }
}
