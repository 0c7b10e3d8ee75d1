/** Long work done in slices, so that the event loop serves clients in between. */
import type { Clock } from '../../model';

/** A slice ends after this time, ms, or after this many steps. */
const SLICE_TIME = 4;
const SLICE_STEPS = 100;

/** Work that yields wherever it may be interrupted. */
export type Work = Iterator<void>;

export class Slices {
  readonly #clock: Clock;
  readonly #around: (slice: () => void) => void;
  readonly #onError: (error: unknown) => void;
  readonly #queue: Work[] = [];
  #waiting: (() => void)[] = [];
  #scheduled: NodeJS.Immediate | undefined;

  /** @param around runs one slice, e.g. inside a transaction */
  constructor(clock: Clock, around: (slice: () => void) => void, onError: (error: unknown) => void) {
    this.#clock = clock;
    this.#around = around;
    this.#onError = onError;
  }

  /** Adds work after the work there is. */
  add(work: Work): void {
    this.#queue.push(work);
    this.#schedule();
  }

  /** Resolves when no work is left, also after {@link clear}. */
  settled(): Promise<void> {
    if (this.#queue.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Gives up all work. */
  clear(): void {
    this.#queue.length = 0;
    if (this.#scheduled !== undefined) clearImmediate(this.#scheduled);
    this.#scheduled = undefined;
    this.#release();
  }

  #schedule(): void {
    this.#scheduled ??= setImmediate(() => {
      this.#scheduled = undefined;
      this.#around(() => this.#slice());
      if (this.#queue.length > 0) this.#schedule();
      else this.#release();
    });
  }

  #slice(): void {
    const end = this.#clock.monotonic() + SLICE_TIME;
    for (let step = 0; step < SLICE_STEPS; step++) {
      const [work] = this.#queue;
      if (work === undefined) return;
      try {
        if (work.next().done === true) this.#queue.shift();
      } catch (error) {
        // A generator that threw is over.
        this.#queue.shift();
        this.#onError(error);
      }
      if (this.#clock.monotonic() >= end) return;
    }
  }

  #release(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
