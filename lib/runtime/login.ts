/**
 * Checks names and passwords for the web: slow to guess (scrypt, throttled by name and address), the same answer for
 * every cause, and cheap for those who are already in.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { type Clock, hashPassword, type Logger, verifyPassword } from '../model';

export interface Account {
  readonly name: string;
  /** Made by hashPassword. */
  readonly hash: string;
}

/** Wrong passwords that cost nothing but the time to check them. */
const FREE_ATTEMPTS = 5;
/** ms for which name and address are refused after that; doubles with each further failure. */
const FIRST_LOCK = 10_000;
const LONGEST_LOCK = 15 * 60_000;
/** Failures are forgotten after so many ms. */
const MEMORY = 60 * 60_000;
/** Addresses and accepted headers remembered at most. */
const MAXIMUM_REMEMBERED = 10_000;
/** Checks at the same time and waiting: each takes a core for a tenth of a second and 32 MiB. */
const MAXIMUM_CHECKS = 2;
const MAXIMUM_QUEUE = 50;

interface Failures {
  count: number;
  lockedUntil: number;
  last: number;
}

export class Login {
  readonly #accounts: ReadonlyMap<string, Account>;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #failures = new Map<string, Failures>();
  /** Keyed hashes of headers that were accepted: the password itself is not kept. */
  readonly #accepted = new Map<string, string>();
  readonly #key = randomBytes(32);
  /** Checked for names that nobody has, so that they take as long as others. */
  readonly #decoy: Promise<string>;
  #running = 0;
  readonly #queue: (() => void)[] = [];

  constructor(accounts: readonly Account[], deps: { clock: Clock; logger: Logger }) {
    this.#accounts = new Map(accounts.map((account) => [account.name, account]));
    this.#clock = deps.clock;
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
    const place = `${address}\n${name}`;
    const failures = this.#failures.get(place);
    if (failures !== undefined && failures.lockedUntil > this.#clock.monotonic()) {
      this.#report('locked-out', name, address);
      return false;
    }
    const account = this.#accounts.get(name);
    const right = await this.#limited(async () => verifyPassword(password, account?.hash ?? (await this.#decoy)));
    // Too many checks at once say nothing about this one.
    if (right === undefined) return false;
    if (right && account !== undefined) {
      this.#failures.delete(place);
      return true;
    }
    this.#remember(place, failures);
    this.#report('wrong-credentials', name, address);
    return false;
  }

  /**
   * The user behind an `Authorization: Basic` header, or `undefined`. A header that was accepted once is recognised
   * without checking the password again.
   */
  async userOf(header: string | undefined, address: string): Promise<string | undefined> {
    const credentials = header === undefined ? undefined : parseBasic(header);
    if (header === undefined || credentials === undefined) return undefined;
    const mark = createHmac('sha256', this.#key).update(header).digest('base64');
    const known = this.#accepted.get(mark);
    if (known !== undefined) return known;
    if (!(await this.check(credentials.name, credentials.password, address))) return undefined;
    trim(this.#accepted);
    this.#accepted.set(mark, credentials.name);
    return credentials.name;
  }

  #remember(place: string, before: Failures | undefined): void {
    const now = this.#clock.monotonic();
    const count = before !== undefined && now - before.last < MEMORY ? before.count + 1 : 1;
    const excess = count - FREE_ATTEMPTS;
    const lock = excess < 0 ? 0 : Math.min(FIRST_LOCK * 2 ** Math.min(excess, 20), LONGEST_LOCK);
    trim(this.#failures);
    this.#failures.set(place, { count, lockedUntil: now + lock, last: now });
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

  async #limited<T>(check: () => Promise<T>): Promise<T | undefined> {
    if (this.#running >= MAXIMUM_CHECKS) {
      if (this.#queue.length >= MAXIMUM_QUEUE) return undefined;
      await new Promise<void>((resolve) => this.#queue.push(resolve));
    }
    this.#running += 1;
    try {
      return await check();
    } finally {
      this.#running -= 1;
      this.#queue.shift()?.();
    }
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
