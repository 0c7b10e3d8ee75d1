/** A login for whoever asks for the metrics and for nothing else: the token of METRICS_TOKEN (RFC 6750). */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** What the token opens. The address must be just this one: what a router might take for it stays closed. */
const PATH = '/metrics';

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

export class ScraperToken {
  /** Digests have one length, whatever was sent: comparing them tells nothing of the token by its time. */
  readonly #digest: Buffer | undefined;

  /** @param token `undefined`: nobody gets in by a token */
  constructor(token: string | undefined) {
    this.#digest = token === undefined ? undefined : digest(token);
  }

  /** Whether a request asks for the metrics, only looks, and has the token. */
  admits({ method, url, headers }: Pick<IncomingMessage, 'method' | 'url' | 'headers'>): boolean {
    const given = /^Bearer +([A-Za-z0-9._~+/=-]{1,2048})$/i.exec(headers.authorization ?? '')?.[1];
    if (this.#digest === undefined || given === undefined) return false;
    const isRight = timingSafeEqual(digest(given), this.#digest);
    return isRight && (method === 'GET' || method === 'HEAD') && url?.split('?', 1)[0] === PATH;
  }
}
