/** One timer for any number of scheduled calls: thousands of devices and streams cost one pending timer. */
import type { Clock, Timer } from '../model';

interface Entry {
  /** On the monotonic clock, ms. */
  readonly due: number;
  readonly order: number;
  callback: (() => void) | undefined;
}

const before = (a: Entry, b: Entry): boolean => a.due < b.due || (a.due === b.due && a.order < b.order);

/** Calls that fall due together are made in one turn of the event loop, at most this many. */
const CALLS_PER_TURN = 500;

export class TimerQueue {
  readonly #clock: Clock;
  readonly #onError: (error: unknown) => void;
  readonly #heap: Entry[] = [];
  #order = 0;
  #timer: { readonly due: number; readonly timer: Timer } | undefined;

  /** @param onError told about every call that threw; the others are made all the same */
  constructor(clock: Clock, onError: (error: unknown) => void) {
    this.#clock = clock;
    this.#onError = onError;
  }

  /** Calls once at `due` of the monotonic clock, ms, or as soon as possible when that is past. */
  at(due: number, callback: () => void): Timer {
    const entry: Entry = { due, order: this.#order++, callback };
    this.#push(entry);
    this.#arm();
    return {
      cancel: () => {
        // Left in the heap until due: taking it out of the middle would cost more than it saves.
        entry.callback = undefined;
      },
    };
  }

  /** Calls once after `delay` ms. */
  after(delay: number, callback: () => void): Timer {
    return this.at(this.#clock.monotonic() + delay, callback);
  }

  /** Forgets everything that is scheduled. */
  clear(): void {
    this.#heap.length = 0;
    this.#timer?.timer.cancel();
    this.#timer = undefined;
  }

  #arm(): void {
    const first = this.#heap[0];
    if (first === undefined) return;
    if (this.#timer !== undefined) {
      if (this.#timer.due <= first.due) return;
      this.#timer.timer.cancel();
    }
    const delay = first.due - this.#clock.monotonic();
    this.#timer = { due: first.due, timer: this.#clock.after(Math.max(delay, 0), () => this.#run()) };
  }

  #run(): void {
    this.#timer = undefined;
    const now = this.#clock.monotonic();
    for (let calls = 0; calls < CALLS_PER_TURN; calls++) {
      const first = this.#heap[0];
      // Timers of the system may fire a fraction of a ms early.
      if (first === undefined || first.due > now + 0.5) break;
      this.#pop();
      const { callback } = first;
      first.callback = undefined;
      try {
        callback?.();
      } catch (error) {
        this.#onError(error);
      }
    }
    this.#arm();
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let index = heap.length;
    heap.push(entry);
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = heap[parentIndex];
      if (parent === undefined || !before(entry, parent)) break;
      heap[index] = parent;
      index = parentIndex;
    }
    heap[index] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let index = 0;
    for (;;) {
      let childIndex = 2 * index + 1;
      let child = heap[childIndex];
      if (child === undefined) break;
      const right = heap[childIndex + 1];
      if (right !== undefined && before(right, child)) {
        child = right;
        childIndex++;
      }
      if (!before(child, last)) break;
      heap[index] = child;
      index = childIndex;
    }
    heap[index] = last;
  }
}
