/**
 * Checking user names and passwords. The answer, and how long it takes, never tells whether the name, the password or
 * the pace was wrong, or whether the account is disabled.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import {
  type Clock,
  hashPassword,
  isPasswordHash,
  type LoginPolicy,
  type LoginResult,
  LoginThrottle,
  verifyPassword,
} from '../../model';
import type { ServerUser } from './users';

const POLICY: LoginPolicy = {
  freePerUser: 3,
  // More than per user, because many people may share an address.
  freePerAddress: 20,
  firstDelay: 1_000,
  longestDelay: 5 * 60_000,
  memory: 30 * 60_000,
};
const MAXIMUM_WAITING = 100;

type Login = Pick<ServerUser, 'password'>;

/** Who may log in at this moment. */
export interface Logins {
  find(name: string): Login | undefined;
}

/** A password that was right, and what it was compared with: when that changes, it is checked anew. */
interface Remembered {
  readonly expected: string;
  readonly fingerprint: Buffer;
}

export class Authenticator {
  readonly #logins: Logins;
  readonly #throttle: LoginThrottle;
  /** So that reconnecting costs nothing. */
  readonly #remembered = new Map<string, Remembered>();
  readonly #key = randomBytes(32);
  readonly #decoy: Promise<string>;

  /** @param deps.decoy a hash as costly as those of users, of a password that nobody has */
  constructor(logins: Logins, deps: { clock: Clock; decoy?: Promise<string> }) {
    this.#logins = logins;
    this.#throttle = new LoginThrottle(deps.clock, POLICY, MAXIMUM_WAITING);
    this.#decoy = deps.decoy ?? hashPassword(randomBytes(16).toString('hex'));
    // It is awaited where it is used; a failure shows there.
    this.#decoy.catch(() => undefined);
  }

  /** Never rejects. `address` is the remote address of the client's connection. */
  authenticate(name: string, password: string, address: string): Promise<LoginResult> {
    return this.#throttle.attempt(name, address, {
      remembered: () => this.#isRemembered(name, password),
      verify: () => this.#verify(name, password),
    });
  }

  #isRemembered(name: string, password: string): boolean {
    const expected = this.#logins.find(name)?.password;
    if (expected === undefined) return false;
    // Compared by fingerprints of equal length, in constant time.
    if (!isPasswordHash(expected)) return timingSafeEqual(this.#fingerprint(expected), this.#fingerprint(password));
    const remembered = this.#remembered.get(name);
    return remembered?.expected === expected && timingSafeEqual(remembered.fingerprint, this.#fingerprint(password));
  }

  async #verify(name: string, password: string): Promise<boolean> {
    const expected = this.#logins.find(name)?.password;
    const hash = expected !== undefined && isPasswordHash(expected) ? expected : undefined;
    // Unknown users and wrong clear-text passwords cost the same time as wrong hashed ones.
    const compared = hash ?? (await this.#decoy.catch(() => ''));
    const right = await verifyPassword(password.slice(0, 1_024), compared);
    // The account may have changed meanwhile.
    if (!right || hash === undefined || this.#logins.find(name)?.password !== hash) return false;
    this.#remembered.set(name, { expected: hash, fingerprint: this.#fingerprint(password) });
    return true;
  }

  #fingerprint(password: string): Buffer {
    return createHmac('sha256', this.#key).update(password.normalize('NFC')).digest();
  }
}
