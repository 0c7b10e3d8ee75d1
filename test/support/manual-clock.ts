import type { Clock, Timer } from '../../lib/model';

interface Pending {
  due: number;
  order: number;
  interval: number | undefined;
  callback: () => void;
}

/** A clock that stands still until it is told to advance: tests of hours run in milliseconds. */
export class ManualClock implements Clock {
  #now: number;
  #monotonic = 0;
  #order = 0;
  readonly #pending = new Set<Pending>();

  constructor(now = Date.UTC(2026, 10, 24, 12)) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  after(delay: number, callback: () => void): Timer {
    return this.#add(delay, undefined, callback);
  }

  every(interval: number, callback: () => void): Timer {
    return this.#add(interval, Math.max(interval, 1), callback);
  }

  /** How many timers are pending: zero after a clean close. */
  get pendingTimers(): number {
    return this.#pending.size;
  }

  /** Moves the wall clock alone, as an administrator or NTP does. */
  step(milliseconds: number): void {
    this.#now += milliseconds;
  }

  /** Lets time pass: fires what falls due, in order, and lets promises settle in between. */
  async advance(milliseconds: number): Promise<void> {
    const end = this.#monotonic + milliseconds;
    await settle();
    for (;;) {
      const next = [...this.#pending]
        .filter((timer) => timer.due <= end)
        .sort((a, b) => a.due - b.due || a.order - b.order)[0];
      if (next === undefined) break;
      this.#moveTo(Math.max(next.due, this.#monotonic));
      if (next.interval === undefined) this.#pending.delete(next);
      else next.due += next.interval;
      next.callback();
      await settle();
    }
    this.#moveTo(end);
    await settle();
  }

  #moveTo(monotonic: number): void {
    this.#now += monotonic - this.#monotonic;
    this.#monotonic = monotonic;
  }

  #add(delay: number, interval: number | undefined, callback: () => void): Timer {
    const timer: Pending = { due: this.#monotonic + Math.max(delay, 0), order: this.#order++, interval, callback };
    this.#pending.add(timer);
    return { cancel: () => void this.#pending.delete(timer) };
  }
}

/** Lets everything that is ready run: promises, then the next turns of the event loop. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}
