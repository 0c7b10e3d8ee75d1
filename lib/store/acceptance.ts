/** What becomes of one metric of a reading. Pure decisions; the store carries them out. */
import {
  type CurrentValue,
  coerceValue,
  dataTypeOf,
  display,
  type Fault,
  isOutdated,
  type MetricDataType,
  type MetricKey,
  type MetricValue,
  type Quality,
  qualityCode,
  type Reading,
} from '../model';
import { sampleFlags } from './columns';
import type { MetricRecord, OwnValue } from './metric-record';

/** A reading as the store passes it on. */
export interface AcceptedReading {
  /** Values in their metric's type; what is of a wrong type has no value, only a quality. */
  readonly reading: Reading;
  /** By metric key: what was known before. */
  readonly previous: Readonly<Record<string, CurrentValue>>;
  /** Nothing of it became a current value, because newer values were known: it went into history only. */
  readonly late: boolean;
  /** Metrics that went into history only; with several sources one reading may hold both. */
  readonly lateKeys: readonly MetricKey[];
  readonly faults: readonly Fault[];
}

/** The value in the metric's type; `undefined` if it has another one. */
export function fittingValue(value: MetricValue, dataType: MetricDataType | undefined): MetricValue | undefined {
  // Not a number: neither a value nor storable. Formulas in function nodes make it.
  if (typeof value === 'number' && Number.isNaN(value)) return undefined;
  return coerceValue(value, dataType ?? dataTypeOf(value));
}

export function typeFault(
  reading: Reading,
  key: string,
  value: MetricValue,
  dataType: MetricDataType | undefined,
): Fault {
  return {
    field: `${reading.device.name ?? reading.device.devEui}/${key}`,
    value: display(value),
    rule:
      dataType === undefined ? 'it cannot be represented' : `the metric is of type ${dataType}, set by its first value`,
    cure: 'Let the codec or function node always give the same type, or use another key.',
  };
}

/** The sample that history keeps. */
export function ownValue(value: MetricValue | undefined, quality: Quality, reading: Reading, late: boolean): OwnValue {
  return {
    value,
    time: Math.floor(reading.time),
    status: qualityCode(quality),
    flags: sampleFlags(value, reading.origin, late),
  };
}

/** Whether something newer is known of the metric than the reading says. */
export function isLate(metric: MetricRecord, reading: Reading, now: number): boolean {
  const { own } = metric;
  return own?.value !== undefined && isOutdated(Math.floor(reading.time), own.time, now);
}
