/** Opens streams in bursts: a thousand at once would be a thousand queries in ChirpStack's ten database connections. */
import type { Clock, Timer } from '../model';

/** Opened but not yet answered, at most. */
export const MAX_OPENING = 100;
/** Opened in one burst, at most. */
export const BURST = 50;
/** Between two bursts, ms. */
export const BURST_INTERVAL = 250;

export class OpeningQueue<Id> {
  readonly #clock: Clock;
  readonly #open: (id: Id) => void;
  readonly #waiting = new Set<Id>();
  readonly #opening = new Set<Id>();
  #timer: Timer | undefined;
  #paused = true;

  constructor(clock: Clock, open: (id: Id) => void) {
    this.#clock = clock;
    this.#open = open;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Asks for an opening; twice is once. */
  add(id: Id): void {
    this.#waiting.add(id);
    this.#schedule(0);
  }

  /** The stream answered, ended or is not wanted any more: another one may be opened. */
  settled(id: Id): void {
    this.#waiting.delete(id);
    this.#opening.delete(id);
    this.#schedule(BURST_INTERVAL);
  }

  /** Opens nothing until {@link resume}: the server is down. Who waits goes on waiting. */
  pause(): void {
    this.#paused = true;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  resume(): void {
    this.#paused = false;
    this.#schedule(0);
  }

  clear(): void {
    this.pause();
    this.#waiting.clear();
    this.#opening.clear();
  }

  #schedule(delay: number): void {
    if (this.#paused || this.#timer !== undefined || this.#waiting.size === 0) return;
    this.#timer = this.#clock.after(delay, () => {
      this.#timer = undefined;
      this.#burst();
    });
  }

  #burst(): void {
    let left = Math.min(BURST, MAX_OPENING - this.#opening.size);
    for (const id of Array.from(this.#waiting)) {
      if (left <= 0 || this.#paused) break;
      left--;
      this.#waiting.delete(id);
      this.#opening.add(id);
      this.#open(id);
    }
    this.#schedule(BURST_INTERVAL);
  }
}
