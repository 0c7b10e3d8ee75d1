/**
 * Checking user names and passwords. Attempts are slowed down per user and address and per address, and the answer
 * never tells whether the name, the password or the pace was wrong.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { type Clock, hashPassword, isPasswordHash, verifyPassword } from '../model';
import type { ServerUser } from './users';

export type AuthenticationResult = 'accepted' | 'wrong-credentials' | 'locked-out';

/** Free attempts before waiting starts. Per address more, because many people may share one. */
const FREE_ATTEMPTS = { user: 3, address: 20 } as const;
const FIRST_DELAY = 1_000;
const LONGEST_DELAY = 5 * 60_000;
/** After this time without a failure an entry is forgotten, ms. */
const MEMORY = 30 * 60_000;
/** Attackers choose names and addresses: the memory for them is bounded. */
const MAX_ENTRIES = 10_000;
/** Each check of a hash takes some 30 MiB and 100 ms of a core. */
const MAX_PARALLEL = 2;
const MAX_WAITING = 100;

type Login = Pick<ServerUser, 'name' | 'password'>;

interface Failures {
  count: number;
  /** Monotonic instants, ms. */
  blockedUntil: number;
  last: number;
}

/** Remembers failures under keys and says who must wait. */
class Throttle {
  readonly #clock: Clock;
  readonly #free: number;
  readonly #entries = new Map<string, Failures>();

  constructor(clock: Clock, free: number) {
    this.#clock = clock;
    this.#free = free;
  }

  isBlocked(key: string): boolean {
    const entry = this.#entries.get(key);
    return entry !== undefined && this.#clock.monotonic() < entry.blockedUntil;
  }

  failed(key: string): void {
    const now = this.#clock.monotonic();
    const known = this.#entries.get(key);
    const entry = known !== undefined && now - known.last < MEMORY ? known : { count: 0, blockedUntil: 0, last: now };
    entry.count++;
    entry.last = now;
    if (entry.count >= this.#free)
      entry.blockedUntil = now + Math.min(FIRST_DELAY * 2 ** (entry.count - this.#free), LONGEST_DELAY);
    // Moved to the end, so that the first entry is the one that failed longest ago.
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    if (this.#entries.size > MAX_ENTRIES) {
      const [oldest] = this.#entries.keys();
      if (oldest !== undefined) this.#entries.delete(oldest);
    }
  }

  succeeded(key: string): void {
    this.#entries.delete(key);
  }
}

export class Authenticator {
  readonly #users: ReadonlyMap<string, Login>;
  readonly #byUser: Throttle;
  readonly #byAddress: Throttle;
  /** Fingerprints of passwords that are known to be right, so that reconnecting costs nothing. */
  readonly #known = new Map<string, Buffer>();
  readonly #key = randomBytes(32);
  readonly #decoy: Promise<string>;
  readonly #queue: (() => void)[] = [];
  #running = 0;

  /** @param deps.decoy a hash as costly as those of users, of a password that nobody has */
  constructor(users: readonly Login[], deps: { clock: Clock; decoy?: Promise<string> }) {
    this.#decoy = deps.decoy ?? hashPassword(randomBytes(16).toString('hex'));
    this.#users = new Map(users.map((user) => [user.name, user]));
    this.#byUser = new Throttle(deps.clock, FREE_ATTEMPTS.user);
    this.#byAddress = new Throttle(deps.clock, FREE_ATTEMPTS.address);
    for (const { name, password } of users)
      if (password !== undefined && !isPasswordHash(password)) this.#known.set(name, this.#fingerprint(password));
    // It is awaited where it is used; a failure shows there.
    this.#decoy.catch(() => undefined);
  }

  /** Never rejects. `address` is the remote address of the client's connection. */
  async authenticate(name: string, password: string, address: string): Promise<AuthenticationResult> {
    const both = `${address}\n${name.slice(0, 256)}`;
    // While locked out, even the right password is refused: otherwise guessing would go on at full speed.
    if (this.#byUser.isBlocked(both) || this.#byAddress.isBlocked(address)) return 'locked-out';
    if (await this.#isRight(name, password)) {
      this.#byUser.succeeded(both);
      return 'accepted';
    }
    this.#byUser.failed(both);
    this.#byAddress.failed(address);
    return 'wrong-credentials';
  }

  async #isRight(name: string, password: string): Promise<boolean> {
    const known = this.#known.get(name);
    if (known !== undefined && timingSafeEqual(known, this.#fingerprint(password))) return true;
    const expected = this.#users.get(name)?.password;
    const hash = expected !== undefined && isPasswordHash(expected) ? expected : undefined;
    // Unknown users and wrong clear-text passwords cost the same time as wrong hashed ones.
    const right = await this.#verify(password, hash ?? (await this.#decoy.catch(() => '')));
    if (!right || hash === undefined) return false;
    this.#known.set(name, this.#fingerprint(password));
    return true;
  }

  async #verify(password: string, hash: string): Promise<boolean> {
    if (this.#running >= MAX_PARALLEL) {
      if (this.#queue.length >= MAX_WAITING) return false;
      await new Promise<void>((resolve) => this.#queue.push(resolve));
    } else this.#running++;
    try {
      return await verifyPassword(password.slice(0, 1_024), hash);
    } finally {
      // The place is handed on, not given back, so that nobody slips in between.
      const next = this.#queue.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }

  #fingerprint(password: string): Buffer {
    return createHmac('sha256', this.#key).update(password.normalize('NFC')).digest();
  }
}
