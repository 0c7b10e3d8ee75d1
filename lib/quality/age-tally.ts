import type { AgeCounts } from '../model';
import type { DeviceWatch } from './device-watch';
import type { Age, MetricWatch } from './metric-watch';

type Counts = Record<Age, number>;

/** A device is heard from while any of its values is fresh, and given up when all are dead. */
function ageOf({ fresh, stale, dead }: Counts): Age | undefined {
  if (fresh > 0) return 'fresh';
  if (stale > 0) return 'stale';
  return dead > 0 ? 'dead' : undefined;
}

/** Counts metrics and devices by age as they change, so that asking for the numbers costs nothing. */
export class AgeTally {
  readonly #values: Counts = { fresh: 0, stale: 0, dead: 0 };
  readonly #devices: Counts = { fresh: 0, stale: 0, dead: 0 };
  readonly #byDevice = new WeakMap<DeviceWatch, Counts>();

  get values(): AgeCounts {
    return { ...this.#values };
  }

  get devices(): AgeCounts {
    return { ...this.#devices };
  }

  /** Takes a metric in or out, with the age that it has now. Devices that are out of service do not count. */
  count({ device, age }: MetricWatch, change: 1 | -1): void {
    if (device.outOfService) return;
    let own = this.#byDevice.get(device);
    if (own === undefined) {
      own = { fresh: 0, stale: 0, dead: 0 };
      this.#byDevice.set(device, own);
    }
    const before = ageOf(own);
    own[age] += change;
    this.#values[age] += change;
    const after = ageOf(own);
    if (before === after) return;
    if (before !== undefined) this.#devices[before]--;
    if (after !== undefined) this.#devices[after]++;
  }
}
