/** Log entries that may repeat without end: the first is written, the others are counted. */
import type { Clock, LogEntry, Timer } from '../model';

const WINDOW = 60_000;
/** Different texts per window; more than that is one flood. */
const MAX_DIFFERENT = 200;

interface Repeated {
  count: number;
  readonly write: (entry: LogEntry) => void;
  readonly entry: LogEntry;
}

/** One line per key and minute; what was held back is reported as a count when the minute is over. */
export class RepeatedEntries {
  readonly #clock: Clock;
  readonly #seen = new Map<string, Repeated>();
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @param key what makes two entries the same */
  write(key: string, entry: LogEntry, write: (entry: LogEntry) => void): void {
    const seen = this.#seen.get(key) ?? (this.#seen.size >= MAX_DIFFERENT ? this.#seen.get('') : undefined);
    if (seen !== undefined) {
      seen.count++;
      return;
    }
    this.#seen.set(this.#seen.size >= MAX_DIFFERENT - 1 ? '' : key, { count: 0, write, entry });
    this.#timer ??= this.#clock.after(WINDOW, () => this.flush());
    write(entry);
  }

  /** Reports what was held back and starts afresh. */
  flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const seen = [...this.#seen.values()];
    this.#seen.clear();
    for (const { count, write, entry } of seen) if (count > 0) write({ ...entry, event: 'repeated', count });
  }
}
