import type { Clock, Timer } from '../model';
import type { PruneResult, PruneSlice } from './backend';

const DAY = 86_400_000;
/** From the start to the first round, and from the end of a round to the next, ms. */
const FIRST_ROUND = 60_000;
const ROUND_INTERVAL = 3_600_000;
/** Rest between two slices, so that samples are written in between, ms. */
const SLICE_PAUSE = 50;
const SLICE_SIZE = 2_000;

/** Says when which slice of old history is to be removed. Whoever writes does it, between two batches. */
export class Pruner {
  readonly #clock: Clock;
  readonly #retention: number;
  readonly #onDue: () => void;
  #timer: Timer | undefined;
  #slice: PruneSlice | undefined;
  #removed = 0;

  /** @param retentionDays 0 = nothing is ever removed */
  constructor(clock: Clock, retentionDays: number, onDue: () => void) {
    this.#clock = clock;
    this.#retention = retentionDays * DAY;
    this.#onDue = onDue;
  }

  start(): void {
    if (this.#retention > 0 && this.#timer === undefined) this.#beginAfter(FIRST_ROUND);
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#slice = undefined;
  }

  /** The slice that is due now; it is not given again until {@link done} or {@link failed}. */
  take(): PruneSlice | undefined {
    const slice = this.#slice;
    this.#slice = undefined;
    return slice;
  }

  /** @returns how many samples the whole round removed, when it has ended */
  done(slice: PruneSlice, { removed, next }: PruneResult): number | undefined {
    this.#removed += removed;
    if (next === undefined) {
      this.#beginAfter(ROUND_INTERVAL);
      return this.#removed;
    }
    this.#after(SLICE_PAUSE, { ...slice, afterMetric: next });
    return undefined;
  }

  failed(): void {
    this.#beginAfter(ROUND_INTERVAL);
  }

  #beginAfter(delay: number): void {
    this.#timer = this.#clock.after(delay, () => {
      this.#removed = 0;
      this.#slice = { before: Math.floor(this.#clock.now() - this.#retention), afterMetric: 0, limit: SLICE_SIZE };
      this.#onDue();
    });
  }

  #after(delay: number, slice: PruneSlice): void {
    this.#timer = this.#clock.after(delay, () => {
      this.#slice = slice;
      this.#onDue();
    });
  }
}
