/** Readings: what was measured by a device at one instant, with the quality of each value. */
import type { ApplicationId, DevEui, DeviceProfileId, EventId, GatewayEui, MetricKey } from './identifiers';
import type { Quality } from './quality';

/** A value of a metric. Numbers are IEEE doubles as in JSON; a bigint is a signed 64-bit integer. */
export type MetricValue = number | bigint | boolean | string;

/** LoRaWAN device class (TS001 §2). */
export type DeviceClass = 'A' | 'B' | 'C';

/** Where a reading comes from. */
export type Origin =
  /** a live uplink event */
  | 'event'
  /** an uplink event that ChirpStack stored and sent again when the stream was opened */
  | 'replay'
  /** GetMetrics: an aggregate, never Good */
  | 'metrics'
  /** the store, after a start */
  | 'restored'
  /** the stale detector: only the quality changed */
  | 'stale'
  /** a function node or another foreign source */
  | 'flow';

export const ORIGINS: readonly Origin[] = ['event', 'replay', 'metrics', 'restored', 'stale', 'flow'];

/** Which device a message is about. Identity is the DevEUI alone; all else is for people and may be absent. */
export interface DeviceReference {
  readonly devEui: DevEui;
  readonly name?: string;
  readonly applicationId?: ApplicationId;
  readonly applicationName?: string;
  readonly profileId?: DeviceProfileId;
  readonly profileName?: string;
  readonly deviceClass?: DeviceClass;
  readonly tags?: Readonly<Record<string, string>>;
}

/** How one gateway heard an uplink. */
export interface GatewayReception {
  readonly gatewayId: GatewayEui;
  /** dBm */
  readonly rssi: number;
  /** dB */
  readonly snr: number;
}

/** How an uplink was received. Absent fields are not known. */
export interface RadioReception {
  /** Strongest reception, dBm. */
  readonly rssi?: number;
  /** Of the strongest reception, dB. */
  readonly snr?: number;
  /** Data-rate index of the region (RP002). */
  readonly dataRate?: number;
  /** Hz */
  readonly frequency?: number;
  /** Uplink frame counter. */
  readonly fCnt?: number;
  readonly fPort?: number;
  readonly gateways?: readonly GatewayReception[];
}

/**
 * What a device measured at one instant. A metric that is only in `quality` has a status but no (new) value.
 * Metric keys are validated by whoever makes a reading: the keys of `values` and `quality` are {@link MetricKey}s.
 */
export interface Reading {
  readonly device: DeviceReference;
  readonly values: Readonly<Record<string, MetricValue>>;
  /** Source time, ms UTC: when the device measured, as far as ChirpStack knows. */
  readonly time: number;
  /** Only what is not Good. */
  readonly quality: Readonly<Record<string, Quality>>;
  readonly origin: Origin;
  readonly radio?: RadioReception;
  /** Absent for readings that no event of ChirpStack stands behind. */
  readonly eventId?: EventId;
}

/** All metric keys that a reading says something about: those with a value, then those with a quality alone. */
export function readingKeys(reading: Reading): MetricKey[] {
  const keys = Object.keys(reading.values);
  for (const key of Object.keys(reading.quality)) if (!Object.hasOwn(reading.values, key)) keys.push(key);
  return keys as MetricKey[];
}

/** Quality of one metric in a reading. */
export function readingQuality(reading: Reading, key: string): Quality {
  return Object.hasOwn(reading.quality, key) ? (reading.quality[key] ?? 'Good') : 'Good';
}

/** How far ahead of this machine's clock the clock of a gateway may be, ms. */
const CLOCK_TOLERANCE = 60_000;

/**
 * Whether a value of source time `time` is older than what is known, so that it must not become the current one. A known
 * time in the future guards nothing: one event of a gateway whose clock was wrong would silence the metric until then.
 * @param now wall clock, ms UTC
 */
export function isOutdated(time: number, knownTime: number, now: number): boolean {
  return time < knownTime && knownTime <= now + CLOCK_TOLERANCE;
}

/** What is known of one metric now: the current value of design §7. */
export interface CurrentValue {
  /** `undefined` while nothing was ever received. */
  readonly value: MetricValue | undefined;
  readonly quality: Quality;
  /** Source time of the value, ms UTC; 0 while there is none. */
  readonly time: number;
  /** When the quality was recognised, ms UTC: equals `time` for a fresh value (Part 4 §7.11.3). */
  readonly statusTime: number;
  readonly origin: Origin;
}
