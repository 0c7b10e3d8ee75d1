/** Metrics: the typed, named values of a device. */
import type { DevEui, MetricKey } from './identifiers';
import type { MetricValue } from './reading';

/**
 * OPC UA built-in type of a metric (Part 3 §8). Settled by the first value that arrives and never changed by values
 * after that: a client binds a tag once.
 */
export type MetricDataType = 'Double' | 'Int64' | 'Boolean' | 'String';

/** ChirpStack's MeasurementKind of the device profile (api/device_profile.proto). */
export const MEASUREMENT_KINDS = ['UNKNOWN', 'COUNTER', 'ABSOLUTE', 'GAUGE', 'STRING'] as const;
export type MeasurementKind = (typeof MEASUREMENT_KINDS)[number];

/** A metric that is known to exist, whether a value was ever received or not. */
export interface MetricDefinition {
  readonly devEui: DevEui;
  readonly key: MetricKey;
  /** For people: the measurement's name in the profile, else the key. */
  readonly name: string;
  /** `undefined` until the first value tells. */
  readonly dataType: MetricDataType | undefined;
  readonly kind: MeasurementKind;
}

/** The data type a value has by itself. */
export function dataTypeOf(value: MetricValue): MetricDataType {
  switch (typeof value) {
    case 'number':
      return 'Double';
    case 'bigint':
      return 'Int64';
    case 'boolean':
      return 'Boolean';
    default:
      return 'String';
  }
}

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

/**
 * The value as its metric's type wants it, or `undefined` if that cannot be done without loss (wrong type).
 * Int64 takes whole numbers within ±2^53; Double takes a bigint that it can hold exactly. Nothing else is converted:
 * `1` is not `true` and `"21"` is not 21.
 */
export function coerceValue(value: MetricValue, dataType: MetricDataType): MetricValue | undefined {
  switch (dataType) {
    case 'Double':
      if (typeof value === 'number') return value;
      return typeof value === 'bigint' && BigInt(Number(value)) === value ? Number(value) : undefined;
    case 'Int64':
      if (typeof value === 'bigint') return value >= INT64_MIN && value <= INT64_MAX ? value : undefined;
      return typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : undefined;
    case 'Boolean':
      return typeof value === 'boolean' ? value : undefined;
    case 'String':
      return typeof value === 'string' ? value : undefined;
  }
}
