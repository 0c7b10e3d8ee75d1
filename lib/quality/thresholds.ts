import { type DevEui, type Device, type Inventory, type MetricKey, MetricRules } from '../model';
import type { StaleDetectorSettings } from './settings';

/** Tag of a device in ChirpStack that sets its threshold, s. */
export const STALE_TAG = 'stale_seconds';

/** Finds the threshold of a metric: rule, device's tag, global setting, profile's uplink interval, fallback. */
export class Thresholds {
  readonly #settings: StaleDetectorSettings;
  readonly #rules = new MetricRules<number>();

  constructor(settings: StaleDetectorSettings) {
    this.#settings = settings;
    for (const rule of settings.rules) this.#rules.add(rule, rule.staleAfter);
  }

  /** Age from which a value is stale, ms. */
  staleAfter(devEui: DevEui, key: MetricKey, inventory: Inventory): number {
    const device = inventory.devices.get(devEui);
    return (
      this.#rules.named(devEui, key) ??
      taggedThreshold(device) ??
      this.#rules.everywhere ??
      this.#settings.staleAfter ??
      this.#fromProfile(device, inventory) ??
      this.#settings.fallback
    );
  }

  /** Age from which a value is dead, ms. */
  deadAfter(staleAfter: number): number {
    return staleAfter * this.#settings.deadFactor;
  }

  #fromProfile(device: Device | undefined, inventory: Inventory): number | undefined {
    const interval = device && inventory.profiles.get(device.profileId)?.uplinkInterval;
    return interval ? interval * 1_000 * this.#settings.intervals : undefined;
  }
}

function taggedThreshold(device: Device | undefined): number | undefined {
  const seconds = Number(device?.tags[STALE_TAG] ?? Number.NaN);
  // A senseless tag is as good as none: the device must not be silenced by a typing error in ChirpStack.
  return seconds >= 1 && Number.isFinite(seconds) ? seconds * 1_000 : undefined;
}
