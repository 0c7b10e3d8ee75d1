/**
 * Values for devices that no event has told anything about, from ChirpStack's hourly metrics. A bucket holds a mean
 * (GAUGE), a sum (ABSOLUTE) or the last value (COUNTER) of an hour, and 0 also where nothing was received. So a value is
 * taken only where it is certain that there is one, never as Good, and with the bucket's start as its time.
 */
import {
  type DevEui,
  type Device,
  type Inventory,
  type MetricValue,
  parseMetricKey,
  type Quality,
  type Reading,
  referenceTo,
} from '../model';
import { parsed } from './application-scope';
import type { ChirpstackApi } from './chirpstack-api';
import { eachLimited } from './each-limited';
import { shortestFloat } from './replies';
import { lookUp, SYNC_CONCURRENCY, type SyncRun } from './sync-support';

/** ChirpStack keeps hourly buckets for two days; a margin for their last hour, ms. */
const OLDEST_BUCKET = 47 * 3_600_000;
/** The bucket is chosen by the gateway's time, `last_seen_at` is the server's: they may differ at a full hour, ms. */
const CLOCK_MARGIN = 10_000;
const QUALITY: Quality = 'UncertainSubNormal';

export class MetricsBackfill {
  readonly #api: ChirpstackApi;
  readonly #served = new Set<DevEui>();
  /** `last_seen_at` for which the metrics were read, by device. */
  readonly #read = new Map<DevEui, number>();

  constructor(api: ChirpstackApi) {
    this.#api = api;
  }

  /** An event brought values of this device: from now on events are the source. */
  served(devEui: DevEui): void {
    this.#served.add(devEui);
  }

  /**
   * @param ready whether events of a device have had their time to come
   * @param emit called once for each bucket that holds values
   */
  async run(
    run: SyncRun,
    inventory: Inventory,
    ready: (devEui: DevEui) => boolean,
    emit: (reading: Reading) => void,
  ): Promise<void> {
    for (const devEui of Array.from(this.#read.keys())) if (!inventory.devices.has(devEui)) this.#read.delete(devEui);
    for (const devEui of Array.from(this.#served)) if (!inventory.devices.has(devEui)) this.#served.delete(devEui);
    const now = run.clock.now();
    const wanting = [...inventory.devices.values()].filter(
      (device) => this.#wants(device, inventory, now) && ready(device.devEui),
    );
    await eachLimited(wanting, SYNC_CONCURRENCY, async (device) => {
      const { devEui, lastSeenAt } = device;
      if (lastSeenAt === undefined) return;
      const answer = await lookUp(run, (settings) =>
        this.#api.hourlyMetrics(devEui, lastSeenAt - CLOCK_MARGIN, lastSeenAt, settings),
      );
      if (answer.state === 'failed') return;
      this.#read.set(devEui, lastSeenAt);
      // Events may have come while the call was under way.
      if (answer.state === 'gone' || this.#served.has(devEui)) return;
      for (const [time, values] of bucketValues(answer.value, lastSeenAt))
        emit({
          device: referenceTo(device, inventory),
          values,
          time,
          quality: Object.fromEntries(Object.keys(values).map((key) => [key, QUALITY])),
          origin: 'metrics',
        });
    });
  }

  #wants(device: Device, inventory: Inventory, now: number): boolean {
    const { devEui, lastSeenAt } = device;
    if (lastSeenAt === undefined || this.#served.has(devEui) || this.#read.get(devEui) === lastSeenAt) return false;
    if (now - lastSeenAt > OLDEST_BUCKET) return false;
    const measurements = inventory.profiles.get(device.profileId)?.measurements ?? {};
    return Object.values(measurements).some(({ kind }) => kind !== 'UNKNOWN');
  }
}

interface HourlyMetrics {
  readonly metrics: readonly {
    readonly key: string;
    readonly buckets: readonly { readonly start: number | undefined; readonly value: number | undefined }[];
  }[];
  readonly states: readonly { readonly key: string; readonly value: string }[];
}

/** Values by the start of their bucket, ms UTC, oldest first. */
function bucketValues(reply: HourlyMetrics, lastSeenAt: number): [number, Record<string, MetricValue>][] {
  const byStart = new Map<number, Record<string, MetricValue>>();
  const put = (start: number, key: string, value: MetricValue): void => {
    if (parsed(() => parseMetricKey(key)).length === 0) return;
    const values = byStart.get(start) ?? {};
    values[key] = value;
    byStart.set(start, values);
  };
  let newest = 0;
  for (const { key, buckets } of reply.metrics) {
    for (const { start } of buckets) newest = Math.max(newest, start ?? 0);
    // 0 may be a value or its absence: no call can tell, so it is not taken.
    const last = buckets.findLast(({ start, value }) => start !== undefined && value !== undefined && value !== 0);
    if (last?.start !== undefined && last.value !== undefined && Number.isFinite(last.value))
      put(last.start, key, shortestFloat(last.value));
  }
  for (const { key, value } of reply.states)
    if (value !== '') put(newest === 0 ? lastSeenAt : newest, key, stateValue(value));
  return [...byStart].sort(([a], [b]) => a - b);
}

/** States are the last texts; ChirpStack writes a codec's booleans as these two. */
function stateValue(text: string): MetricValue {
  if (text === 'true') return true;
  return text === 'false' ? false : text;
}
