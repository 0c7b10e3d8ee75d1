import type { Clock, Logger } from '../model';
import type { StorageBackend } from './backend';
import type { DeviceRecord } from './devices';

/** Removing ends when so much of the maximum is left in use, so that it does not begin again at once. */
const TARGET = 0.95;
/** Removing goes on in steps of this part of the time that history covers. */
const STEPS = 50;
const SMALLEST_STEP = 60_000;
/** The newest history stays whatever the size, ms. */
const KEPT = 3_600_000;
/** Metrics that are asked for their oldest sample. */
const ASKED_METRICS = 128;

export interface SizeLimitDependencies {
  readonly backend: StorageBackend;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Bytes. */
  readonly maximumSize: number;
  devices(): Iterable<DeviceRecord>;
  /** Removes all samples older than an instant, ms UTC. @returns how many went */
  removeBefore(instant: number): Promise<number>;
  onFull(notice: string): void;
}

/**
 * Keeps a database below its maximum size: the oldest history goes first, of all metrics alike, and nothing but history.
 */
export class SizeLimit {
  readonly #deps: SizeLimitDependencies;
  /** It was said that removing history does not help. */
  #isHelpless = false;

  constructor(deps: SizeLimitDependencies) {
    this.#deps = deps;
  }

  /** @throws StorageError */
  async look(): Promise<void> {
    const { backend, clock, logger, maximumSize } = this.#deps;
    let { bytes } = await backend.statistics();
    if (bytes <= maximumSize) {
      this.#isHelpless = false;
      return;
    }
    const newest = clock.now() - KEPT;
    let horizon = Math.min(newest, await this.#oldest());
    const step = Math.max(SMALLEST_STEP, Math.ceil((newest - horizon) / STEPS));
    let removed = 0;
    do {
      horizon = Math.min(newest, horizon + step);
      removed += await this.#deps.removeBefore(horizon);
      bytes = (await backend.statistics()).bytes;
    } while (bytes > maximumSize * TARGET && horizon < newest);
    if (removed > 0) {
      logger.info({
        operation: 'prune',
        event: 'removed',
        reason: 'overflow',
        message: 'the oldest samples, because the database had reached its maximum size',
        count: removed,
      });
      const since = new Date(horizon).toISOString();
      this.#deps.onFull(`The database had reached its maximum size: samples from before ${since} were removed.`);
    }
    if (bytes <= maximumSize || this.#isHelpless) return;
    this.#isHelpless = true;
    const text = 'The database is larger than its maximum size, although hardly any history is left.';
    logger.warn({
      operation: 'prune',
      event: 'failed',
      reason: 'overflow',
      message: 'the database is larger than its maximum size, although hardly any history is left',
      cure: 'Raise the maximum size, or keep commands, events and audit for fewer days.',
    });
    this.#deps.onFull(text);
  }

  /**
   * About the time of the oldest sample, ms UTC: of some metrics, because asking 100,000 takes long. Where another one
   * has still older samples, those go with the first step.
   */
  async #oldest(): Promise<number> {
    const { backend, clock } = this.#deps;
    const all = Array.from(this.#deps.devices(), ({ metrics }) => [...metrics.values()]).flat();
    const stride = Math.max(1, Math.ceil(all.length / ASKED_METRICS));
    let oldest = clock.now();
    for (let index = 0; index < all.length; index += stride) {
      const { id, definition } = all[index] as (typeof all)[number];
      const { columns } = await backend.readHistory({
        metric: id,
        dataType: definition.dataType,
        request: {
          kind: 'raw',
          devEui: definition.devEui,
          metric: definition.key,
          order: 'ascending',
          start: 0,
          end: Number.POSITIVE_INFINITY,
          limit: 1,
          bounds: { start: false, end: false },
        },
      });
      if (columns.length > 0) oldest = Math.min(oldest, columns.time[0] ?? oldest);
    }
    return oldest;
  }
}
