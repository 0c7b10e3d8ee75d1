/** What tests ask of a page of the dashboard: what it sent and got, whether it can be read, whether it fits. */
import type { CDPSession, Page } from 'puppeteer-core';

/** What a page and the gateway said to each other by the dashboard's socket, as it went over the wire. */
export class Wire {
  readonly sent: string[] = [];
  readonly received: string[] = [];
  readonly #session: CDPSession;

  private constructor(session: CDPSession) {
    this.#session = session;
  }

  static async tap(page: Page): Promise<Wire> {
    const session = await page.createCDPSession();
    const wire = new Wire(session);
    session.on('Network.webSocketFrameSent', ({ response }) => wire.sent.push(response.payloadData));
    session.on('Network.webSocketFrameReceived', ({ response }) => wire.received.push(response.payloadData));
    await session.send('Network.enable');
    return wire;
  }

  close(): Promise<void> {
    return this.#session.detach();
  }

  /** Marks that questions and answers of pages carry. */
  static marksIn(frames: readonly string[]): Set<string> {
    return new Set(
      frames.flatMap((frame) => Array.from(frame.matchAll(/"request":"([^"]+)"/g), ([, mark]) => mark ?? '')),
    );
  }
}

/** Pixels by which the page is wider than its window. */
export function overflowOf(page: Page): Promise<number> {
  return page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
}

/** Texts of our pages whose contrast to what is behind them is below 4.5 : 1 (WCAG 2.2, 1.4.3); disabled ones are exempt. */
export function faintTexts(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    type Colour = readonly [red: number, green: number, blue: number, alpha: number];
    const canvas = document.createElement('canvas');
    canvas.width = 1;
    canvas.height = 1;
    const pen = canvas.getContext('2d', { willReadFrequently: true });
    const parse = (text: string): Colour => {
      if (pen === null) throw new Error('there is no canvas');
      pen.clearRect(0, 0, 1, 1);
      pen.fillStyle = text;
      pen.fillRect(0, 0, 1, 1);
      const [red = 0, green = 0, blue = 0, alpha = 0] = pen.getImageData(0, 0, 1, 1).data;
      return [red, green, blue, alpha / 255];
    };
    const over = ([r, g, b, a]: Colour, [R, G, B]: Colour): Colour => [
      r * a + R * (1 - a),
      g * a + G * (1 - a),
      b * a + B * (1 - a),
      1,
    ];
    const luminance = ([r, g, b]: Colour): number => {
      const [R = 0, G = 0, B = 0] = [r, g, b].map((part) => {
        const share = part / 255;
        return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * R + 0.7152 * G + 0.0722 * B;
    };
    const behind = (element: Element | null): Colour => {
      if (element === null) return [255, 255, 255, 1];
      const own = parse(getComputedStyle(element).backgroundColor);
      return own[3] === 1 ? own : over(own, behind(element.parentElement));
    };
    const faint: string[] = [];
    for (const element of document.querySelectorAll<HTMLElement>('.lorua *')) {
      const text = [...element.childNodes]
        .filter(({ nodeType }) => nodeType === Node.TEXT_NODE)
        .map((node) => node.textContent?.trim() ?? '')
        .join('');
      if (text === '' || element.closest(':disabled') !== null || element.closest('.lorua-hidden') !== null) continue;
      if (element.getClientRects().length === 0) continue;
      const [r, g, b, a] = parse(getComputedStyle(element).color);
      let opacity = a;
      for (let at: Element | null = element; at !== null; at = at.parentElement)
        opacity *= Number(getComputedStyle(at).opacity);
      const ground = behind(element);
      const [light = 0, dark = 0] = [luminance(over([r, g, b, opacity], ground)), luminance(ground)].sort(
        (x, y) => y - x,
      );
      const contrast = (light + 0.05) / (dark + 0.05);
      if (contrast < 4.5) faint.push(`${contrast.toFixed(2)}: ${text.slice(0, 60)}`);
    }
    return faint;
  });
}

/** Controls of our pages without a name that a screen reader can say. */
export function namelessControls(page: Page): Promise<string[]> {
  return page.evaluate(() =>
    [...document.querySelectorAll<HTMLElement>('.lorua button, .lorua input, .lorua select')]
      .filter((element) => {
        const labels = 'labels' in element ? [...((element as HTMLInputElement).labels ?? [])] : [];
        const names = [
          element.getAttribute('aria-label'),
          element.innerText,
          ...labels.map((label) => label.innerText),
        ];
        return !names.some((name) => (name ?? '').trim() !== '');
      })
      .map((element) => element.outerHTML.slice(0, 100)),
  );
}
