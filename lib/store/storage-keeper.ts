import { type Clock, endsWithin, errorText, type Logger, type Timer } from '../model';
import type { DurableBatch, StorageBackend, StorageError, StoredState, WriteBatch } from './backend';
import { DurableCommits } from './durable-commits';
import type { MetricColumns } from './metric-columns';
import type { PendingWrites } from './pending-writes';
import { asStorageError, closedError, slowError } from './storage-faults';
import type { StorageHealth } from './storage-health';

/** What was accepted is given to the backend after this time at the latest, ms. */
const BATCH_INTERVAL = 200;
/** Current values follow at this interval, ms: after a crash the newest ones are found in history. */
const CURRENTS_INTERVAL = 5_000;
/** Current values in one batch, unless somebody waits for all of them: 100,000 would keep a command waiting. */
const CURRENTS_IN_BATCH = 16_384;
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
  /** Path to name in log entries. */
  readonly file: string | undefined;
  /** Takes over the metrics of a backend that is being opened; they come again with all the rest. */
  onMetrics(metrics: MetricColumns): void;
  /** Takes over what the backend loaded; called again when it was opened again. */
  onLoaded(state: StoredState): void;
  /** The storage was damaged and begins anew: everything known has to be written again. */
  onDamaged(): void;
}

/** Somebody who waits until a chunk is committed or given up, and all current values too if asked for. */
interface Waiting {
  readonly serial: number;
  readonly withCurrents: boolean;
  resolve(): void;
}

/** Work on the storage that has time. */
interface Job {
  run(): Promise<void>;
  reject(error: StorageError): void;
}

/**
 * Keeps the backend open and brings to it what waits, one call after the other: durable commits first, then samples,
 * then jobs. When the backend fails it tries again, more and more slowly, for ever; nothing here ever throws into the
 * flow.
 */
export class StorageKeeper {
  readonly #deps: KeeperDependencies;
  readonly #commits: DurableCommits;
  readonly #closing = new AbortController();
  #jobs: Job[] = [];
  #isOpen = false;
  #replaceDamaged = false;
  #running: Promise<void> | undefined;
  #flushTimer: Timer | undefined;
  #currentsTimer: Timer | undefined;
  #retryTimer: Timer | undefined;
  #retryDelay = FIRST_RETRY;
  /** Something is to be written now, not when there is plenty. */
  #isDue = false;
  #currentsAreDue = false;
  /** The last call took long. */
  #isSlow = false;
  #waiting: Waiting[] = [];

  constructor(deps: KeeperDependencies) {
    this.#deps = deps;
    this.#commits = new DurableCommits(deps.clock, () => deps.health.fault);
  }

  /** Tries to open once; settled when that succeeded or failed, after `timeout` ms at the latest. */
  async open(timeout: number): Promise<void> {
    const { clock, health, file } = this.#deps;
    this.#kick();
    if (this.#running && (await endsWithin(clock, this.#running, timeout))) return;
    // The opening goes on and is taken over whenever it succeeds.
    health.degraded(slowError('opening', timeout), file);
  }

  /** Something was added to what waits. */
  notice(): void {
    if (this.#deps.pending.isPlenty) this.#kick();
    else if (this.#flushTimer === undefined) this.#flushSoon();
  }

  /** @throws StorageError, within seconds whatever the disk does */
  commit(batch: DurableBatch): Promise<void> {
    if (this.#closing.signal.aborted) return Promise.reject(closedError());
    const done = this.#commits.add(batch);
    // Somebody waits: a storage in trouble is tried now.
    this.#retryTimer?.cancel();
    this.#retryTimer = undefined;
    this.#kick();
    return done;
  }

  /** Runs something between two batches: no other call that changes the storage overlaps it. @throws StorageError */
  exclusively<T>(call: () => Promise<T>): Promise<T> {
    if (this.#closing.signal.aborted) return Promise.reject(closedError());
    return new Promise((resolve, reject) => {
      const run = async (): Promise<void> => {
        try {
          resolve(await call());
        } catch (thrown) {
          const error = asStorageError(thrown);
          reject(error);
          throw error;
        }
      };
      this.#jobs.push({ run, reject });
      this.#kick();
    });
  }

  /** Settled when everything that waits now is committed (or given up, or the store closed). */
  settled(): Promise<void> {
    const { pending } = this.#deps;
    if (pending.isEmpty && !pending.hasCurrents && !this.#running) return Promise.resolve();
    return this.#passed(true);
  }

  /** Settled when all samples and entries that wait now are committed (or given up, or the store closed). */
  written(): Promise<void> {
    return this.#deps.pending.isEmpty ? Promise.resolve() : this.#passed(false);
  }

  /** Writes what waits if that is possible within `timeout` ms, then closes the backend. */
  async close(timeout: number): Promise<void> {
    const { clock, pending, backend, logger } = this.#deps;
    this.#retryTimer?.cancel();
    this.#retryTimer = undefined;
    if (this.#isOpen) await endsWithin(clock, this.settled(), timeout);
    this.#closing.abort();
    for (const timer of [this.#flushTimer, this.#currentsTimer, this.#retryTimer]) timer?.cancel();
    this.#commits.close();
    for (const job of this.#jobs.splice(0)) job.reject(closedError());
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

  #passed(withCurrents: boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ serial: this.#deps.pending.serial, withCurrents, resolve });
      this.#isDue = true;
      this.#currentsAreDue ||= withCurrents;
      this.#kick();
    });
  }

  #flushSoon(): void {
    if (this.#closing.signal.aborted) return;
    this.#flushTimer ??= this.#deps.clock.after(BATCH_INTERVAL, () => {
      this.#flushTimer = undefined;
      this.#isDue = true;
      this.#kick();
    });
  }

  #kick(): void {
    if (this.#running || this.#retryTimer || this.#closing.signal.aborted) return;
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      // A kick that came between the last look and the end must not be lost.
      if (this.#deps.pending.isPlenty || this.#isDue || this.#commits.isWaiting || this.#jobs.length > 0) this.#kick();
    });
  }

  async #run(): Promise<void> {
    const { health, file } = this.#deps;
    try {
      if (!this.#isOpen) await this.#open();
      while (!this.#closing.signal.aborted && (await this.#step())) {
        // A disk that takes long each time is one trouble, not one for each call.
        if (!this.#isSlow) health.healthy();
      }
      this.#retryDelay = FIRST_RETRY;
      // Is it better by now?
      if (this.#isSlow) this.#flushSoon();
    } catch (thrown) {
      const error = asStorageError(thrown);
      if (this.#closing.signal.aborted) return;
      // Damage that was met on opening is set aside by the backend itself, unless it shows only when all is loaded.
      if (error.reason === 'corrupt' && !this.#replaceDamaged) {
        this.#isOpen = false;
        this.#replaceDamaged = true;
        this.#deps.onDamaged();
      }
      health.degraded(error, file);
      this.#commits.failed(error);
      this.#retryTimer = this.#deps.clock.after(this.#commits.isWaiting ? FIRST_RETRY : this.#retryDelay, () => {
        this.#retryTimer = undefined;
        this.#isDue = true;
        this.#kick();
      });
      this.#retryDelay = Math.min(this.#retryDelay * 2, LAST_RETRY);
    }
  }

  async #open(): Promise<void> {
    const { backend, health } = this.#deps;
    const state = await this.#watched('opening', () =>
      backend.open({ replaceDamaged: this.#replaceDamaged }, (metrics) => this.#deps.onMetrics(metrics)),
    );
    this.#isOpen = true;
    this.#replaceDamaged = false;
    if (state.setAside !== undefined) health.setAside(state.setAside);
    this.#deps.onLoaded(state);
    health.healthy();
    if (!this.#deps.pending.isEmpty) this.#isDue = true;
  }

  /** Calls to the backend, as far as there is a reason for one. */
  async #step(): Promise<boolean> {
    const committed = await this.#commit();
    const wrote = await this.#write();
    return (await this.#doJob()) || wrote || committed;
  }

  async #commit(): Promise<boolean> {
    const { backend } = this.#deps;
    let count = 0;
    for (; this.#commits.isWaiting && !this.#closing.signal.aborted; count++)
      await this.#commits.carryOut((batch) => this.#watched('writing to', () => backend.commit(batch)));
    return count > 0;
  }

  async #write(): Promise<boolean> {
    const { pending, backend, health, clock, logger } = this.#deps;
    if (!pending.isPlenty && !this.#isDue && !this.#currentsAreDue && this.#waiting.length === 0) return false;
    const flushes = this.#isDue;
    const withCurrents = this.#currentsAreDue;
    const somebodyWaits = this.#waiting.some((waiting) => waiting.withCurrents);
    const batch =
      pending.take({
        currents: withCurrents ? (somebodyWaits ? Number.POSITIVE_INFINITY : CURRENTS_IN_BATCH) : 0,
        now: clock.now(),
      }) ?? (health.fault === undefined ? undefined : emptyBatch(clock.now()));
    if (batch === undefined) {
      this.#isDue = false;
      this.#currentsAreDue = false;
      this.#release(() => true);
      return false;
    }
    // Cleared before the write: what comes during it asks again.
    if (!pending.isPlenty) this.#isDue = false;
    this.#currentsAreDue = withCurrents && pending.hasCurrents;
    const begun = clock.monotonic();
    try {
      await this.#watched('writing to', () => backend.write(batch));
    } catch (error) {
      pending.failed();
      this.#isDue ||= flushes;
      this.#currentsAreDue ||= withCurrents;
      throw error;
    }
    const count = pending.committed();
    health.committed(count);
    if (count > 0)
      logger.debug({
        operation: 'store',
        event: 'succeeded',
        message: 'samples committed',
        count,
        duration_ms: Math.round(clock.monotonic() - begun),
      });
    this.#release(({ serial }) => pending.hasPassed(serial));
    if (pending.hasCurrents && !this.#currentsTimer && !this.#closing.signal.aborted)
      this.#currentsTimer = clock.after(CURRENTS_INTERVAL, () => {
        this.#currentsTimer = undefined;
        this.#currentsAreDue = true;
        this.#kick();
      });
    return true;
  }

  async #doJob(): Promise<boolean> {
    const job = this.#closing.signal.aborted ? undefined : this.#jobs.shift();
    if (job === undefined) return false;
    await this.#watched('tidying up', () => job.run());
    return true;
  }

  /** Tells while a call takes long, not only afterwards. */
  async #watched<T>(what: string, call: () => Promise<T>): Promise<T> {
    const { clock, health, file } = this.#deps;
    this.#isSlow = false;
    const timer = clock.after(SLOW_CALL, () => {
      this.#isSlow = true;
      health.degraded(slowError(what, SLOW_CALL), file);
    });
    try {
      return await call();
    } finally {
      timer.cancel();
    }
  }

  #release(isDone: (waiting: Waiting) => boolean): void {
    if (this.#waiting.length === 0) return;
    const done = this.#waiting.filter(isDone);
    this.#waiting = this.#waiting.filter((waiting) => !done.includes(waiting));
    for (const waiting of done) waiting.resolve();
  }
}

/** Nothing to write, but somebody has to find out whether the storage works again. */
function emptyBatch(now: number): WriteBatch {
  return {
    samples: undefined,
    currents: undefined,
    metrics: [],
    events: [],
    inventory: [],
    journal: [],
    now,
  };
}
