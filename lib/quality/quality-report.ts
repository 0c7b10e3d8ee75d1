import type { DevEui, DeviceReference, MetricKey, MetricValue, Quality, Reading } from '../model';
import type { MetricWatch } from './metric-watch';

interface Draft {
  readonly device: DeviceReference;
  readonly time: number;
  readonly values: [string, MetricValue][];
  readonly quality: [string, Quality][];
}

/** Collects changes of quality into one reading per device and instant. */
export class QualityReport {
  readonly #drafts = new Map<DevEui, Map<number, Draft>>();

  add({ device, key, value, shown }: MetricWatch, time: number): void {
    const draft = this.#draft(device.reference, time);
    draft.values.push([key, value]);
    if (shown !== 'Good') draft.quality.push([key, shown]);
  }

  /** For a metric that has no value. */
  addStatus(device: DeviceReference, key: MetricKey, quality: Quality, time: number): void {
    this.#draft(device, time).quality.push([key, quality]);
  }

  *readings(): Generator<Reading> {
    for (const byTime of this.#drafts.values())
      for (const { device, time, values, quality } of byTime.values())
        yield {
          device,
          values: Object.fromEntries(values),
          time,
          quality: Object.fromEntries(quality),
          origin: 'stale',
        };
  }

  #draft(device: DeviceReference, time: number): Draft {
    let byTime = this.#drafts.get(device.devEui);
    if (byTime === undefined) {
      byTime = new Map();
      this.#drafts.set(device.devEui, byTime);
    }
    let draft = byTime.get(time);
    if (draft === undefined) {
      draft = { device, time, values: [], quality: [] };
      byTime.set(time, draft);
    }
    return draft;
  }
}
