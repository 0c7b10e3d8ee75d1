import type { Clock, LogEntry, Logger } from '../model';

/** How often a fault that goes on is said again, ms. */
export const REPEAT_INTERVAL = 300_000;

interface OngoingFault {
  message: string;
  since: number;
  repeated: number;
}

/** Keeps a fault that repeats down to one line when it begins, one with a count now and then, and one when it ends. */
export class FaultLog {
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #ongoing = new Map<string, OngoingFault>();

  constructor(logger: Logger, clock: Clock) {
    this.#logger = logger;
    this.#clock = clock;
  }

  /** Reports a fault under a key; the same message under the same key is counted, another one is said at once. */
  fault(key: string, entry: LogEntry, level: 'warn' | 'error' = 'warn'): void {
    const now = this.#clock.monotonic();
    const message = `${entry.message}|${entry.reason ?? ''}`;
    const known = this.#ongoing.get(key);
    if (known === undefined || known.message !== message) {
      this.#ongoing.set(key, { message, since: now, repeated: 0 });
      this.#logger[level](entry);
      return;
    }
    known.repeated++;
    if (now - known.since < REPEAT_INTERVAL) return;
    this.#logger[level]({ ...entry, event: 'repeated', count: known.repeated });
    known.since = now;
    known.repeated = 0;
  }

  /** Says that the fault is over, if there was one. */
  recovered(key: string, entry: LogEntry): void {
    const known = this.#ongoing.get(key);
    if (known === undefined) return;
    this.#ongoing.delete(key);
    this.#logger.info(known.repeated > 0 ? { ...entry, count: known.repeated } : entry);
  }

  /** Forgets a fault without a word: what it was about is gone. */
  forget(key: string): void {
    this.#ongoing.delete(key);
  }
}
