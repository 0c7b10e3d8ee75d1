import { type Clock, errorText, type Logger, type Timer, wait } from '../model';
import { type StorageBackend, StorageError, type StoredState } from './backend';
import type { PendingWrites } from './pending-writes';
import { Pruner } from './pruner';
import type { StorageHealth } from './storage-health';

/** What was accepted is given to the backend after this time at the latest, ms. */
const BATCH_INTERVAL = 200;
/** Current values follow at this interval, ms: after a crash the newest ones are found in history. */
const CURRENTS_INTERVAL = 5_000;
/** A call to the backend that takes longer than this is said to be slow, ms. */
const SLOW_CALL = 5_000;
/** Wait before trying again, ms: doubled from the first to the last. */
const FIRST_RETRY = 500;
const LAST_RETRY = 10_000;

export interface KeeperDependencies {
  readonly backend: StorageBackend;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly pending: PendingWrites;
  readonly health: StorageHealth;
  readonly retentionDays: number;
  /** Path to name in log entries. */
  readonly file: string | undefined;
  /** Takes over what the backend loaded; called again when it was opened again. */
  onLoaded(state: StoredState): void;
  /** The storage was damaged and begins anew: everything known has to be written again. */
  onDamaged(): void;
}

/**
 * Keeps the backend open and brings to it what waits, one call after the other. When the backend fails it tries again,
 * more and more slowly, for ever; nothing here ever throws into the flow.
 */
export class StorageKeeper {
  readonly #deps: KeeperDependencies;
  readonly #pruner: Pruner;
  readonly #closing = new AbortController();
  #isOpen = false;
  #replaceDamaged = false;
  #running: Promise<void> | undefined;
  #flushTimer: Timer | undefined;
  #currentsTimer: Timer | undefined;
  #retryTimer: Timer | undefined;
  #retryDelay = FIRST_RETRY;
  /** Something is to be written now, not when a chunk is full. */
  #isDue = false;
  #currentsAreDue = false;
  #waiting: { serial: number; resolve: () => void }[] = [];

  constructor(deps: KeeperDependencies) {
    this.#deps = deps;
    this.#pruner = new Pruner(deps.clock, deps.retentionDays, () => this.#kick());
  }

  /** Tries to open once; settled when that succeeded or failed, after `timeout` ms at the latest. */
  async open(timeout: number): Promise<void> {
    const { clock, health, file } = this.#deps;
    const opened = new AbortController();
    this.#kick();
    await Promise.race([this.#running?.then(() => opened.abort()), wait(clock, timeout, opened.signal)]);
    if (opened.signal.aborted) return;
    // Ends the wait; the opening itself goes on and is taken over whenever it succeeds.
    opened.abort();
    health.degraded(slowError('being opened', timeout), file);
  }

  /** Something was added to what waits. */
  notice(): void {
    if (this.#closing.signal.aborted) return;
    if (this.#deps.pending.hasFullChunk) this.#kick();
    else
      this.#flushTimer ??= this.#deps.clock.after(BATCH_INTERVAL, () => {
        this.#flushTimer = undefined;
        this.#isDue = true;
        this.#kick();
      });
  }

  /** Settled when everything that waits now is committed (or given up, or the store closed). */
  settled(): Promise<void> {
    const { pending } = this.#deps;
    if (pending.isEmpty && !pending.hasCurrents && !this.#running) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.push({ serial: pending.serial, resolve });
      this.#isDue = true;
      this.#currentsAreDue = true;
      this.#kick();
    });
  }

  /** Writes what waits if that is possible within `timeout` ms, then closes the backend. */
  async close(timeout: number): Promise<void> {
    const { clock, pending, backend, logger } = this.#deps;
    this.#retryTimer?.cancel();
    this.#retryTimer = undefined;
    const finished = new AbortController();
    const flush = this.#isOpen ? this.settled() : Promise.resolve();
    await Promise.race([flush.then(() => finished.abort()), wait(clock, timeout, finished.signal)]);
    this.#closing.abort();
    this.#pruner.stop();
    for (const timer of [this.#flushTimer, this.#currentsTimer, this.#retryTimer]) timer?.cancel();
    const clean = this.#isOpen && pending.isEmpty && !pending.hasCurrents;
    if (!pending.isEmpty)
      logger.error({
        operation: 'stop',
        event: 'lost',
        reason: 'shutdown',
        message: 'samples that could not be written before the end',
        count: pending.samples,
      });
    try {
      await backend.close({ clean });
    } catch (error) {
      logger.error({ operation: 'stop', event: 'failed', reason: 'internal', message: errorText(error) });
    }
    this.#release(() => true);
  }

  #kick(): void {
    if (this.#running || this.#retryTimer || this.#closing.signal.aborted) return;
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      // A kick that came between the last look and the end must not be lost.
      if (this.#deps.pending.hasFullChunk || this.#isDue) this.#kick();
    });
  }

  async #run(): Promise<void> {
    const { health, file } = this.#deps;
    try {
      if (!this.#isOpen) await this.#open();
      while (!this.#closing.signal.aborted && (await this.#step())) health.healthy();
      this.#retryDelay = FIRST_RETRY;
    } catch (thrown) {
      const error =
        thrown instanceof StorageError ? thrown : new StorageError('internal', errorText(thrown), 'Look at the log.');
      if (this.#closing.signal.aborted) return;
      if (error.reason === 'corrupt' && this.#isOpen) {
        this.#isOpen = false;
        this.#replaceDamaged = true;
        this.#deps.onDamaged();
      }
      health.degraded(error, file);
      this.#retryTimer = this.#deps.clock.after(this.#retryDelay, () => {
        this.#retryTimer = undefined;
        this.#isDue = true;
        this.#kick();
      });
      this.#retryDelay = Math.min(this.#retryDelay * 2, LAST_RETRY);
    }
  }

  async #open(): Promise<void> {
    const { backend, health } = this.#deps;
    const state = await this.#watched('being opened', () => backend.open({ replaceDamaged: this.#replaceDamaged }));
    this.#isOpen = true;
    this.#replaceDamaged = false;
    if (state.setAside !== undefined) health.setAside(state.setAside);
    this.#deps.onLoaded(state);
    health.healthy();
    this.#pruner.start();
    if (!this.#deps.pending.isEmpty) this.#isDue = true;
  }

  /** One call to the backend, if there is a reason for one. */
  async #step(): Promise<boolean> {
    const wrote = await this.#write();
    return (await this.#prune()) || wrote;
  }

  async #write(): Promise<boolean> {
    const { pending, backend, health } = this.#deps;
    if (!pending.hasFullChunk && !this.#isDue && !this.#currentsAreDue && this.#waiting.length === 0) return false;
    const flushes = this.#isDue;
    const withCurrents = this.#currentsAreDue;
    // Cleared before the write: what comes during it asks again.
    if (!pending.hasFullChunk) this.#isDue = false;
    this.#currentsAreDue = false;
    const batch = pending.take({ currents: withCurrents });
    if (batch === undefined) {
      this.#isDue = false;
      this.#release(() => true);
      return false;
    }
    try {
      await this.#watched('written', () => backend.write(batch));
    } catch (error) {
      pending.failed();
      this.#isDue ||= flushes;
      this.#currentsAreDue ||= withCurrents;
      throw error;
    }
    health.committed(pending.committed());
    this.#release(({ serial }) => pending.hasPassed(serial));
    if (pending.hasCurrents && !this.#currentsTimer)
      this.#currentsTimer = this.#deps.clock.after(CURRENTS_INTERVAL, () => {
        this.#currentsTimer = undefined;
        this.#currentsAreDue = true;
        this.#kick();
      });
    return true;
  }

  async #prune(): Promise<boolean> {
    const { backend, logger } = this.#deps;
    const slice = this.#pruner.take();
    if (slice === undefined) return false;
    try {
      const total = this.#pruner.done(slice, await this.#watched('pruned', () => backend.prune(slice)));
      if (total !== undefined && total > 0)
        logger.info({
          operation: 'prune',
          event: 'removed',
          message: 'samples older than the retention',
          count: total,
        });
    } catch (error) {
      this.#pruner.failed();
      throw error;
    }
    return true;
  }

  /** Tells while a call takes long, not only afterwards. */
  async #watched<T>(what: string, call: () => Promise<T>): Promise<T> {
    const { clock, health, file } = this.#deps;
    const timer = clock.after(SLOW_CALL, () => health.degraded(slowError(what, SLOW_CALL), file));
    try {
      return await call();
    } finally {
      timer.cancel();
    }
  }

  #release(isDone: (waiting: { serial: number }) => boolean): void {
    const done = this.#waiting.filter(isDone);
    this.#waiting = this.#waiting.filter((waiting) => !done.includes(waiting));
    for (const { resolve } of done) resolve();
  }
}

function slowError(what: string, milliseconds: number): StorageError {
  return new StorageError(
    'timeout',
    `the database has been ${what} for more than ${milliseconds / 1000} s`,
    'Use a faster disk for the database, or find what keeps this one busy.',
  );
}
