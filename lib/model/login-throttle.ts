/**
 * Slows down who guesses passwords. Failures are counted per user and address, and per address where a policy says so;
 * after some that are free both wait, longer each time. Attempts of one user from one address are looked at one after
 * the other, so that many at once guess no faster than one, and a refusal takes as long as a check whatever its cause.
 */
import { isIPv6 } from 'node:net';
import { type Clock, wait } from './clock';

export type LoginResult = 'accepted' | 'wrong-credentials' | 'locked-out';

export interface LoginPolicy {
  /** Failures of a user from one address before waiting starts. */
  readonly freePerUser: number;
  /** Failures of one address, whatever the user. Absent where many users come from one address, as behind a proxy. */
  readonly freePerAddress?: number;
  /** First wait, ms; it doubles with each further failure. */
  readonly firstDelay: number;
  readonly longestDelay: number;
  /** Without a failure for so long, ms, all is forgotten. */
  readonly memory: number;
}

export interface LoginCheck {
  /** Whether the password is known to be right without work. */
  readonly remembered?: () => boolean;
  /** Whether the password is right; costly. */
  readonly verify: () => Promise<boolean>;
}

/** Attackers choose names and addresses: the memory for them is bounded. */
const MAXIMUM_ENTRIES = 10_000;
/** A check of a password takes a core for a tenth of a second and some 30 MiB. */
const MAXIMUM_CHECKS = 2;

interface Failures {
  count: number;
  /** Monotonic instants, ms. */
  blockedUntil: number;
  last: number;
}

/** Failures under keys. */
class Failing {
  readonly #clock: Clock;
  readonly #policy: LoginPolicy;
  readonly #free: number;
  readonly #entries = new Map<string, Failures>();

  constructor(clock: Clock, policy: LoginPolicy, free: number) {
    this.#clock = clock;
    this.#policy = policy;
    this.#free = free;
  }

  isBlocked(key: string): boolean {
    return this.#clock.monotonic() < (this.#entries.get(key)?.blockedUntil ?? 0);
  }

  failed(key: string): void {
    const { firstDelay, longestDelay, memory } = this.#policy;
    const now = this.#clock.monotonic();
    const known = this.#entries.get(key);
    const count = known !== undefined && now - known.last < memory ? known.count + 1 : 1;
    const excess = count - this.#free;
    const delay = excess < 0 ? 0 : Math.min(firstDelay * 2 ** Math.min(excess, 30), longestDelay);
    // Moved to the end, so that the first entry is the one that failed longest ago.
    this.#entries.delete(key);
    this.#entries.set(key, { count, blockedUntil: now + delay, last: now });
    if (this.#entries.size > MAXIMUM_ENTRIES) {
      const [oldest] = this.#entries.keys();
      if (oldest !== undefined) this.#entries.delete(oldest);
    }
  }

  succeeded(key: string): void {
    this.#entries.delete(key);
  }
}

export class LoginThrottle {
  readonly #clock: Clock;
  readonly #byUser: Failing;
  readonly #byAddress: Failing | undefined;
  readonly #maximumWaiting: number;
  /** The last attempt per user and address. */
  readonly #turns = new Map<string, Promise<unknown>>();
  readonly #queue: (() => void)[] = [];
  #running = 0;
  #waiting = 0;
  /** How long the last check took, ms. */
  #pace = 0;

  /** @param maximumWaiting attempts that may wait for their check; more are refused, and not counted as failures */
  constructor(clock: Clock, policy: LoginPolicy, maximumWaiting: number) {
    this.#clock = clock;
    this.#byUser = new Failing(clock, policy, policy.freePerUser);
    this.#byAddress =
      policy.freePerAddress === undefined ? undefined : new Failing(clock, policy, policy.freePerAddress);
    this.#maximumWaiting = maximumWaiting;
  }

  /**
   * Checks a login. While locked out even the right password is refused: otherwise guessing would go on at full speed.
   * @param address remote address of the client; of IPv6 the network counts, because a client has as many as it likes
   * @throws as the check does
   */
  async attempt(name: string, address: string, check: LoginCheck): Promise<LoginResult> {
    const network = networkOf(address);
    const place = `${network}\n${name.slice(0, 256)}`;
    const isBlocked = (): boolean => this.#byUser.isBlocked(place) || this.#byAddress?.isBlocked(network) === true;
    const result = await this.#inTurn(place, async () => {
      if (isBlocked()) return 'locked-out';
      if (check.remembered?.() === true) return this.#succeeded(place);
      await this.#takePlace();
      try {
        // While it waited, others from the same address may have failed.
        if (isBlocked()) return 'locked-out';
        const begun = this.#clock.monotonic();
        const right = await check.verify();
        this.#pace = this.#clock.monotonic() - begun;
        if (right) return this.#succeeded(place);
      } finally {
        this.#leavePlace();
      }
      this.#byUser.failed(place);
      this.#byAddress?.failed(network);
      return 'wrong-credentials';
    });
    if (result === 'locked-out' && this.#pace > 0) await wait(this.#clock, this.#pace);
    return result;
  }

  #succeeded(place: string): 'accepted' {
    this.#byUser.succeeded(place);
    return 'accepted';
  }

  async #inTurn(place: string, act: () => Promise<LoginResult>): Promise<LoginResult> {
    // Those in turn are checks that wait, too.
    if (this.#waiting >= this.#maximumWaiting + MAXIMUM_CHECKS) return 'wrong-credentials';
    this.#waiting++;
    const turn = (this.#turns.get(place) ?? Promise.resolve()).then(act);
    const ended = turn.catch(() => undefined);
    this.#turns.set(place, ended);
    try {
      return await turn;
    } finally {
      this.#waiting--;
      if (this.#turns.get(place) === ended) this.#turns.delete(place);
    }
  }

  async #takePlace(): Promise<void> {
    if (this.#running < MAXIMUM_CHECKS) this.#running++;
    else await new Promise<void>((resolve) => this.#queue.push(resolve));
  }

  #leavePlace(): void {
    // The place is handed on, not given back, so that nobody slips in between.
    const next = this.#queue.shift();
    if (next === undefined) this.#running--;
    else next();
  }
}

/** What one client can choose its address from: itself, or the first 64 bits of an IPv6 address. */
function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined || !isIPv6(address)) return mapped ?? address;
  const [head = '', tail] = (address.split('%')[0] ?? '').toLowerCase().split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length);
  const groups = [...left, ...Array.from({ length: zeros }, () => '0'), ...right];
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}
