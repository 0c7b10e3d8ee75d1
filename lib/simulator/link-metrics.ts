/** Reception of one device by bucket, as DeviceService.GetLinkMetrics reads it back (uplink/data.rs save_metrics). */

import { BucketStore } from './bucket-store';
import type { Aggregation } from './buckets';

export interface LinkSample {
  /** dBm, of the best reception. */
  readonly rssi: number;
  /** dB, of the best reception. */
  readonly snr: number;
  /** Hz */
  readonly frequency: number;
  readonly dataRate: number;
}

export class LinkMetrics {
  readonly #means = new BucketStore();
  readonly #frequencies = new BucketStore();
  readonly #dataRates = new BucketStore();

  /** @param time ms UTC */
  save(sample: LinkSample, time: number): void {
    this.#means.add('rssi', sample.rssi, time);
    this.#means.add('snr', sample.snr, time);
    this.#frequencies.add(String(sample.frequency), 1, time);
    this.#dataRates.add(String(sample.dataRate), 1, time);
  }

  count(aggregation: Aggregation, start: number): number {
    return this.#means.read('rssi', aggregation, start).count;
  }

  /** 0 without packets. */
  mean(of: 'rssi' | 'snr', aggregation: Aggregation, start: number): number {
    const { value, count } = this.#means.read(of, aggregation, start);
    return count > 0 ? value / count : 0;
  }

  /** Packets by label (frequency in Hz, or data rate), for the labels seen in these buckets. */
  split(by: 'frequency' | 'dataRate', aggregation: Aggregation, starts: readonly number[]): Map<string, number[]> {
    const store = by === 'frequency' ? this.#frequencies : this.#dataRates;
    return new Map(
      store
        .keysIn(aggregation, starts)
        .map((label) => [label, starts.map((start) => store.read(label, aggregation, start).count)]),
    );
  }
}
