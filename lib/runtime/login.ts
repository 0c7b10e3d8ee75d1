/**
 * Checks names and passwords for the web: slow to guess (scrypt, throttled by name and address), the same answer for
 * every cause, and cheap for those who are already in.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { type Clock, hashPassword, type Logger, type LoginPolicy, LoginThrottle, verifyPassword } from '../model';

export interface Account {
  readonly name: string;
  /** Made by hashPassword. */
  readonly hash: string;
}

/** No limit per address: behind a proxy, everybody has the same. */
const POLICY: LoginPolicy = {
  freePerUser: 5,
  firstDelay: 10_000,
  longestDelay: 15 * 60_000,
  memory: 60 * 60_000,
};
const MAXIMUM_WAITING = 50;
/** Accepted headers remembered at most. */
const MAXIMUM_REMEMBERED = 10_000;

export class Login {
  readonly #accounts: ReadonlyMap<string, Account>;
  readonly #throttle: LoginThrottle;
  readonly #logger: Logger;
  /** Keyed hashes of headers that were accepted: the password itself is not kept. */
  readonly #accepted = new Map<string, string>();
  readonly #key = randomBytes(32);
  /** Checked for names that nobody has, so that they take as long as others. */
  readonly #decoy: Promise<string>;

  constructor(accounts: readonly Account[], deps: { clock: Clock; logger: Logger }) {
    this.#accounts = new Map(accounts.map((account) => [account.name, account]));
    this.#throttle = new LoginThrottle(deps.clock, POLICY, MAXIMUM_WAITING);
    this.#logger = deps.logger;
    this.#decoy = hashPassword(randomBytes(16).toString('base64url'));
  }

  hasAccount(name: string): boolean {
    return this.#accounts.has(name);
  }

  /**
   * Whether a name and password are right. `false` also while the pair of name and address is locked.
   * @param address of the client, for throttling and the log
   */
  async check(name: string, password: string, address: string): Promise<boolean> {
    const account = this.#accounts.get(name);
    const result = await this.#throttle.attempt(name, address, {
      verify: async () =>
        (await verifyPassword(password, account?.hash ?? (await this.#decoy))) && account !== undefined,
    });
    if (result !== 'accepted') this.#report(result, name, address);
    return result === 'accepted';
  }

  /**
   * The user behind an `Authorization: Basic` header, or `undefined`. A header that was accepted once is recognised
   * without checking the password again.
   */
  async userOf(header: string | undefined, address: string): Promise<string | undefined> {
    if (header === undefined) return undefined;
    const credentials = parseBasic(header);
    if (credentials === undefined) {
      // The right one, for the metrics, does not get here.
      if (/^Bearer\b/i.test(header)) this.#reportToken(address);
      return undefined;
    }
    const mark = createHmac('sha256', this.#key).update(header).digest('base64');
    const known = this.#accepted.get(mark);
    if (known !== undefined) return known;
    if (!(await this.check(credentials.name, credentials.password, address))) return undefined;
    trim(this.#accepted);
    this.#accepted.set(mark, credentials.name);
    return credentials.name;
  }

  #reportToken(address: string): void {
    this.#logger.warn({
      operation: 'login',
      event: 'refused',
      reason: 'wrong-credentials',
      message: 'a token was refused: it is wrong, or it was given for another page than /metrics',
      address,
      cure: 'Give the scraper the token of METRICS_TOKEN.',
    });
  }

  #report(reason: 'locked-out' | 'wrong-credentials', name: string, address: string): void {
    this.#logger.warn({
      operation: 'login',
      event: 'refused',
      reason,
      message: 'a login was refused',
      user: printable(name),
      address,
      cure:
        reason === 'locked-out'
          ? 'Wait up to 15 minutes, or restart the gateway.'
          : 'Use the name and password of the administrator; a new password can be set with GATEWAY_PASSWORD.',
    });
  }
}

/** Name and password of a Basic header (RFC 7617, UTF-8), or `undefined` if it is none. */
export function parseBasic(header: string): { name: string; password: string } | undefined {
  const match = /^Basic +([A-Za-z0-9+/=_-]{1,2048})$/i.exec(header);
  if (match?.[1] === undefined) return undefined;
  const text = Buffer.from(match[1], 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon < 0 ? undefined : { name: text.slice(0, colon), password: text.slice(colon + 1) };
}

/** A name that somebody typed, safe for a log line. */
function printable(name: string): string {
  return name.replace(/[^\p{L}\p{N}\p{P}\p{S} ]/gu, '?').slice(0, 64);
}

/** Forgets the oldest when a map is full. */
function trim(map: Map<string, unknown>): void {
  const oldest = map.keys().next().value;
  if (map.size >= MAXIMUM_REMEMBERED && oldest !== undefined) map.delete(oldest);
}
