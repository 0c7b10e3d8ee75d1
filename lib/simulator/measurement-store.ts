/** Measurements of one device as DeviceService.GetMetrics reads them back (uplink/data.rs, storage/metrics.rs). */
import type { MeasurementKind, MetricValue } from '../model';
import { BucketStore } from './bucket-store';
import type { Aggregation } from './buckets';

export type NumericKind = 'COUNTER' | 'ABSOLUTE' | 'GAUGE';

export class MeasurementStore {
  readonly #numbers = new BucketStore();
  readonly #states = new Map<string, string>();

  /** @param time ms UTC of the uplink */
  save(key: string, kind: MeasurementKind, value: MetricValue, time: number): void {
    if (typeof value === 'string' || typeof value === 'boolean') {
      // Kept whatever the kind is; readable only while the kind is STRING.
      this.#states.set(key, String(value));
      return;
    }
    const number = Number(value);
    if (kind === 'COUNTER') this.#numbers.set(key, number, time);
    else if (kind === 'ABSOLUTE' || kind === 'GAUGE') this.#numbers.add(key, number, time);
  }

  /** Last value of a counter, sum of an absolute, mean of a gauge; 0 without data. */
  read(key: string, kind: NumericKind, aggregation: Aggregation, start: number): number {
    const { value, count } = this.#numbers.read(key, aggregation, start);
    return kind === 'GAUGE' && count > 0 ? value / count : value;
  }

  /** Empty if never stored. */
  state(key: string): string {
    return this.#states.get(key) ?? '';
  }
}
