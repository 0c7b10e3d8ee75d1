/** Databases with much history, written by the backend itself, and what a program without any of this reads from them. */
import Database from 'better-sqlite3';
import {
  type DevEui,
  type Inventory,
  type MetricDefinition,
  parseApplicationId,
  parseDevEui,
  parseDeviceProfileId,
  parseMetricKey,
  parseTenantId,
  systemClock,
} from '../../lib/model';
import { SampleColumnsBuilder, SqliteBackend, type StoredMetric, sampleFlags } from '../../lib/store';

export const METRICS_PER_DEVICE = 10;
/** Samples in one transaction. */
const ROWS_PER_WRITE = 50_000;

const applicationId = parseApplicationId('00000000-0000-4000-8000-000000000001');
const profileId = parseDeviceProfileId('00000000-0000-4000-8000-000000000002');
const tenantId = parseTenantId('00000000-0000-4000-8000-000000000003');

export function devEuiOf(device: number): DevEui {
  return parseDevEui((0xa840_0000_0000_0000n + BigInt(device)).toString(16));
}

/** Definition of a metric by its number, from 0. */
export function metricOf(number: number): MetricDefinition {
  const key = `metric_${number % METRICS_PER_DEVICE}`;
  return {
    devEui: devEuiOf(Math.floor(number / METRICS_PER_DEVICE)),
    key: parseMetricKey(key),
    name: key,
    dataType: 'Double',
    kind: 'GAUGE',
  };
}

/** A plant with the devices of so many metrics. */
export function inventoryOf(metrics: number): Inventory {
  const devEuis = Array.from({ length: Math.ceil(metrics / METRICS_PER_DEVICE) }, (_, device) => devEuiOf(device));
  return {
    gateways: new Map(),
    applications: new Map([[applicationId, { id: applicationId, tenantId, name: 'Hall', description: '' }]]),
    profiles: new Map([[profileId, { id: profileId, name: 'Probe', uplinkInterval: 1, measurements: {}, tags: {} }]]),
    devices: new Map(
      devEuis.map((devEui) => [
        devEui,
        {
          devEui,
          name: `Probe ${devEui}`,
          description: '',
          applicationId,
          profileId,
          tags: {},
          isDisabled: false,
          deviceClass: 'A',
        },
      ]),
    ),
  };
}

/** A value as sensors give it: a day's curve with noise. */
export function valueOf(metric: number, time: number): number {
  return Math.round((20 + metric + 5 * Math.sin(time / 13_750_987) + ((time * 7919) % 101) / 100) * 100) / 100;
}

export interface FillOptions {
  readonly metrics: number;
  /** Samples of each metric. */
  readonly rows: number;
  /** Time of the first, ms UTC. */
  readonly from: number;
  /** ms from one to the next. */
  readonly step: number;
}

/** Writes history as a gateway does: all metrics side by side as time goes on. Number n is stored under id n + 1. */
export async function fillHistory(file: string, { metrics, rows, from, step }: FillOptions): Promise<void> {
  const backend = new SqliteBackend(file, systemClock);
  await backend.open({ replaceDamaged: false });
  const definitions: StoredMetric[] = Array.from({ length: metrics }, (_, number) => ({
    id: number + 1,
    definition: metricOf(number),
  }));
  const flags = sampleFlags(0, 'event', false);
  const rowsAtOnce = Math.max(1, Math.floor(ROWS_PER_WRITE / metrics));
  for (let row = 0; row < rows; row += rowsAtOnce) {
    const last = Math.min(row + rowsAtOnce, rows);
    const samples = new SampleColumnsBuilder((last - row) * metrics);
    for (let number = 0; number < metrics; number++)
      for (let index = row; index < last; index++) {
        const time = from + index * step;
        samples.add(number + 1, time, 0, flags, valueOf(number, time));
      }
    const currents = new SampleColumnsBuilder(metrics);
    if (last === rows)
      for (let number = 0; number < metrics; number++) {
        const time = from + (rows - 1) * step;
        currents.add(number + 1, time, 0, flags, valueOf(number, time));
      }
    await backend.write({
      samples: samples.trimmed(),
      currents: last === rows ? currents.trimmed() : undefined,
      metrics: row === 0 ? definitions : [],
      events: [],
      inventory: [],
      journal: [],
      now: Date.now(),
    });
  }
  await backend.close({ clean: true });
}

/** The bare thing: better-sqlite3 and one statement. */
export class BareReader {
  readonly #database: Database.Database;

  constructor(file: string) {
    this.#database = new Database(file, { readonly: true });
  }

  /** Rows of a metric by its number in {@link fillHistory}. @param isRaw as arrays, which the library makes faster */
  select(number: number, from: number, to: number, isRaw = false): readonly unknown[] {
    return this.#database
      .prepare('SELECT time, status, value FROM history WHERE metric_id = ? AND time >= ? AND time < ? ORDER BY time')
      .raw(isRaw)
      .all(number + 1, from, to);
  }

  /** Averages by SQL alone, without any rule for bad or missing data. */
  averages(number: number, from: number, to: number, interval: number): readonly unknown[] {
    return this.#database
      .prepare(
        `SELECT CAST((time - :from) / :interval AS INTEGER) AS slot, avg(value) AS average, count(*) AS count
         FROM history WHERE metric_id = :metric AND time >= :from AND time < :to GROUP BY slot ORDER BY slot`,
      )
      .all({ metric: number + 1, from, to, interval });
  }

  count(): number {
    return Number(this.#database.prepare('SELECT count(*) FROM history').pluck().get());
  }

  /** Last values of all metrics. */
  currents(): readonly unknown[] {
    return this.#database.prepare('SELECT metric_id, time, status, flags, value FROM current_values').all();
  }

  /** All that a start has to know of each metric. */
  currentsWithMetrics(): readonly unknown[] {
    return this.#database
      .prepare(
        `SELECT metric_id, dev_eui, key, name, kind, data_type, time, status, flags, value
         FROM metrics JOIN current_values USING (metric_id)`,
      )
      .all();
  }

  close(): void {
    this.#database.close();
  }
}
