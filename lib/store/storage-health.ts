import { type Clock, Emitter, errorText, type Logger, type StoreHealth, type Unsubscribe } from '../model';
import type { StorageError } from './backend';
import { openingError } from './storage-faults';

/** What is to be known for longer than trouble lasts, each said once. */
type NoticeKind = 'damaged' | 'size';

/** What the store says about itself, and the few log entries that belong to its changes. */
export class StorageHealth {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #emitter: Emitter<StoreHealth>;
  readonly #pending: () => number;
  #state: StoreHealth['state'] = 'opening';
  #reason = '';
  #cure = '';
  #fault: StorageError | undefined = openingError();
  readonly #notices = new Map<NoticeKind, string>();
  #lost = 0;
  #committed = 0;
  #degradedAt = 0;
  #lostBefore = 0;
  #failures = 0;
  #lostEntries = 0;

  constructor(clock: Clock, logger: Logger, pending: () => number) {
    this.#clock = clock;
    this.#logger = logger;
    this.#pending = pending;
    this.#emitter = new Emitter((error) =>
      logger.error({ operation: 'store', event: 'failed', reason: 'internal', message: errorText(error) }),
    );
  }

  get current(): StoreHealth {
    return {
      state: this.#state,
      reason: this.#reason,
      cure: this.#cure,
      pending: this.#pending(),
      lost: this.#lost,
      committed: this.#committed,
      ...(this.#notices.size === 0 ? {} : { notice: [...this.#notices.values()].join(' ') }),
    };
  }

  /** Why the storage cannot do anything now; `undefined` while it works. */
  get fault(): StorageError | undefined {
    return this.#fault;
  }

  on(listener: (health: StoreHealth) => void): Unsubscribe {
    return this.#emitter.on(listener);
  }

  committed(samples: number): void {
    this.#committed += samples;
  }

  /** Samples were given up. Logged once for each time of trouble. */
  lost(samples: number): void {
    if (this.#lost === this.#lostBefore)
      this.#logger.error({
        operation: 'store',
        event: 'dropped',
        reason: 'overflow',
        message: 'samples cannot be written and no more of them fit in memory: the oldest are given up',
        cure: this.#cure || 'Use a faster disk for the database.',
        count: samples,
      });
    this.#lost += samples;
  }

  /** Entries of a journal were given up. Logged once for each time of trouble. */
  lostEntries(entries: number): void {
    if (this.#lostEntries === 0)
      this.#logger.error({
        operation: 'store',
        event: 'dropped',
        reason: 'overflow',
        message: 'entries of the journal of events cannot be written: the oldest are given up',
        cure: this.#cure || 'Use a faster disk for the database.',
        count: entries,
      });
    this.#lostEntries += entries;
  }

  healthy(): void {
    if (this.#state === 'degraded')
      this.#logger.info({
        operation: 'store',
        event: 'recovered',
        message: 'the database is written again',
        duration_ms: Math.round(this.#clock.monotonic() - this.#degradedAt),
        count: this.#failures,
      });
    if (this.#lost > this.#lostBefore)
      this.#logger.error({
        operation: 'store',
        event: 'lost',
        reason: 'overflow',
        message: 'samples that were never written',
        count: this.#lost - this.#lostBefore,
      });
    this.#lostBefore = this.#lost;
    this.#failures = 0;
    this.#lostEntries = 0;
    this.#fault = undefined;
    this.#change('healthy', '', '');
  }

  degraded(error: StorageError, file: string | undefined): void {
    if (this.#state !== 'degraded') this.#degradedAt = this.#clock.monotonic();
    this.#failures++;
    this.#fault = error;
    const isNew = this.#state !== 'degraded' || this.#reason !== error.message;
    if (isNew)
      this.#logger.error({
        operation: 'store',
        event: 'failed',
        reason: error.reason,
        message: error.message,
        cure: error.cure,
        ...(error.code === undefined ? {} : { code: error.code }),
        ...(file === undefined ? {} : { file }),
      });
    this.#change('degraded', error.message, error.cure);
  }

  /** A damaged file was set aside. */
  setAside(path: string): void {
    this.note('damaged', `The database was damaged: it was set aside as ${path} and a new one begun.`);
    this.#logger.error({
      operation: 'restore',
      event: 'moved',
      reason: 'corrupt',
      message: 'the database was damaged: it was set aside and a new one begun',
      file: path,
      cure: 'Check the disk. History can be read from the file that was set aside with the sqlite3 program.',
    });
  }

  /** Something to know that is over. */
  note(kind: NoticeKind, text: string): void {
    if (this.#notices.get(kind) === text) return;
    this.#notices.set(kind, text);
    this.#emitter.emit(this.current);
  }

  closed(): void {
    this.#change('closed', '', '');
  }

  #change(state: StoreHealth['state'], reason: string, cure: string): void {
    if (state === this.#state && reason === this.#reason) return;
    this.#state = state;
    this.#reason = reason;
    this.#cure = cure;
    this.#emitter.emit(this.current);
  }
}
