import { type Clock, errorText, type Logger, wait } from '../model';
import type { PruneResult, StorageBackend } from './backend';
import type { DeviceRecord } from './devices';
import type { MetricRecord } from './metric-record';
import { SizeLimit } from './size-limit';
import { DAY, type StorageRules } from './storage-rules';

/** From the start to the first round, and from the end of a round to the next, ms. */
const FIRST_ROUND = 60_000;
const ROUND_INTERVAL = 3_600_000;
/** How often the size is looked at, ms. */
const SIZE_INTERVAL = 60_000;
/** A slice shall take about so long, ms; as long a rest follows, so that samples and commands are written in between. */
const SLICE_TIME = 20;
const FIRST_SLICE = 2_000;
const SMALLEST_SLICE = 250;
const LARGEST_SLICE = 16_000;
/** Metrics in one slice at most: looking at each costs something even if nothing of it is old. */
const METRICS_IN_SLICE = 256;
const RECORDS_IN_SLICE = 500;

/** How long what is no measurement is kept, days; 0 = without limit. */
export interface RecordRetention {
  readonly eventDays: number;
  readonly auditDays: number;
  readonly commandDays: number;
}

export interface PrunerDependencies {
  readonly backend: StorageBackend;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly rules: StorageRules;
  readonly records: RecordRetention;
  /** Bytes; 0 = without limit. */
  readonly maximumSize: number;
  devices(): Iterable<DeviceRecord>;
  /** Runs something between two batches. @throws StorageError */
  exclusively<T>(call: () => Promise<T>): Promise<T>;
  /** Told what a full database cost. */
  onFull(notice: string): void;
}

/**
 * Removes what is older than its retention, and the oldest history of a database that is too large: in slices small
 * enough that nobody who waits for the storage notices them.
 */
export class Pruner {
  readonly #deps: PrunerDependencies;
  readonly #sizeLimit: SizeLimit | undefined;
  readonly #stopped = new AbortController();
  #isStarted = false;
  #sliceSize = FIRST_SLICE;

  constructor(deps: PrunerDependencies) {
    this.#deps = deps;
    if (deps.maximumSize > 0)
      this.#sizeLimit = new SizeLimit({ ...deps, removeBefore: (instant) => this.#removeHistory(() => instant) });
  }

  /** Idempotent. */
  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    const { rules, records } = this.#deps;
    if (rules.limitsAge || Object.values(records).some((days) => days > 0))
      void this.#repeat(ROUND_INTERVAL, () => this.#round());
    const limit = this.#sizeLimit;
    if (limit) void this.#repeat(SIZE_INTERVAL, () => limit.look());
  }

  /** Idempotent. */
  stop(): void {
    this.#stopped.abort();
  }

  async #repeat(interval: number, round: () => Promise<void>): Promise<void> {
    const { clock, logger } = this.#deps;
    const { signal } = this.#stopped;
    await wait(clock, FIRST_ROUND, signal);
    while (!signal.aborted) {
      try {
        await round();
      } catch (error) {
        // Whoever keeps the storage has said that it is in trouble; the next round comes.
        if (!signal.aborted)
          logger.debug({ operation: 'prune', event: 'failed', reason: 'internal', message: errorText(error) });
      }
      await wait(clock, interval, signal);
    }
  }

  async #round(): Promise<void> {
    const { clock, rules, logger } = this.#deps;
    const now = clock.now();
    const samples = await this.#removeHistory(({ devEui }, { definition }) => {
      const retention = rules.retention(devEui, definition.key);
      return retention === undefined ? undefined : Math.floor(now - retention);
    });
    this.#tell(samples, 'samples older than the retention');
    this.#tell(await this.#removeRecords(now), 'entries of journals, commands and alarms older than the retention');
    logger.trace({ operation: 'prune', event: 'succeeded', message: 'a round has ended', count: samples });
  }

  #tell(count: number, message: string): void {
    if (count > 0) this.#deps.logger.info({ operation: 'prune', event: 'removed', message, count });
  }

  /**
   * @param horizon samples of a metric older than this go, ms UTC; `undefined` = none
   * @returns how many went
   */
  async #removeHistory(horizon: (device: DeviceRecord, metric: MetricRecord) => number | undefined): Promise<number> {
    let total = 0;
    let ids: number[] = [];
    let before: number[] = [];
    const removeSome = async (): Promise<void> => {
      const { removed, done } = await this.#slice(ids, before);
      total += removed;
      ids = ids.slice(done);
      before = before.slice(done);
    };
    for (const device of this.#deps.devices())
      for (const metric of device.metrics.values()) {
        const instant = horizon(device, metric);
        if (instant === undefined) continue;
        ids.push(metric.id);
        before.push(instant);
        while (ids.length >= METRICS_IN_SLICE) await removeSome();
      }
    while (ids.length > 0) await removeSome();
    return total;
  }

  async #slice(ids: readonly number[], before: readonly number[]): Promise<PruneResult> {
    const { backend } = this.#deps;
    const slice = { metrics: Int32Array.from(ids), before: Float64Array.from(before), limit: this.#sliceSize };
    const { result, took } = await this.#exclusively(() => backend.prune(slice));
    if (took > SLICE_TIME * 1.5) this.#sliceSize = Math.max(SMALLEST_SLICE, Math.floor(this.#sliceSize / 2));
    else if (took < SLICE_TIME / 2 && result.removed >= slice.limit)
      this.#sliceSize = Math.min(LARGEST_SLICE, this.#sliceSize * 2);
    // A slice with neither samples nor metrics done would be asked for ever.
    return result.removed === 0 && result.done === 0 ? { removed: 0, done: ids.length } : result;
  }

  async #removeRecords(now: number): Promise<number> {
    const { backend, records } = this.#deps;
    const [events, audit, ended] = [records.eventDays, records.auditDays, records.commandDays].map((days) =>
      days > 0 ? Math.floor(now - days * DAY) : undefined,
    );
    if (events === undefined && audit === undefined && ended === undefined) return 0;
    for (let total = 0; ; ) {
      const slice = { events, audit, ended, limit: RECORDS_IN_SLICE };
      const { result } = await this.#exclusively(() => backend.pruneRecords(slice));
      total += result;
      if (result < RECORDS_IN_SLICE) return total;
    }
  }

  /** One slice, and the rest after it. */
  async #exclusively<T>(call: () => Promise<T>): Promise<{ result: T; took: number }> {
    const { clock } = this.#deps;
    const { signal } = this.#stopped;
    signal.throwIfAborted();
    const { result, took } = await this.#deps.exclusively(async () => {
      const begun = clock.monotonic();
      const answer = await call();
      return { result: answer, took: clock.monotonic() - begun };
    });
    await wait(clock, Math.max(took, SLICE_TIME), signal);
    return { result, took };
  }
}
