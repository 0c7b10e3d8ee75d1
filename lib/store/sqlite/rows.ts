/** Between columns of samples and rows of SQLite. */
import type { Statement } from 'better-sqlite3';
import type { MetricValue } from '../../model';
import { integersOf, type Sample, type SampleColumns, SampleFlag, ValueType, valueAt } from '../columns';

/** A value as SQLite takes and gives it. */
export type StoredValue = number | bigint | string | null;
/** metric_id, time, status, flags, value. */
export type SampleParameters = [number, number, number, number, StoredValue];
/** As better-sqlite3 gives a row in raw mode with safe integers. */
export type SampleRow = [bigint, bigint, bigint, bigint, StoredValue];

/** The value at one place, to be bound. `integers` see valueAt. */
export function storedValueAt(columns: SampleColumns, integers: BigInt64Array, index: number): StoredValue {
  switch ((columns.flags[index] as number) & SampleFlag.TypeMask) {
    case ValueType.Double:
      return columns.values[index] as number;
    case ValueType.Int64:
      return integers[index] as bigint;
    case ValueType.Boolean:
      // As a bigint, because better-sqlite3 binds every number as REAL and the column has no affinity.
      return columns.values[index] === 0 ? 0n : 1n;
    case ValueType.String:
      return columns.texts[columns.values[index] as number] as string;
    default:
      return null;
  }
}

/** Runs a statement for each sample. Numbers arrive in INTEGER columns as integers by their affinity. */
export function runForEach(statement: Statement<SampleParameters>, columns: SampleColumns): void {
  const { length, metric, time, status, flags } = columns;
  const integers = integersOf(columns);
  for (let index = 0; index < length; index++)
    statement.run(
      metric[index] as number,
      time[index] as number,
      status[index] as number,
      flags[index] as number,
      storedValueAt(columns, integers, index),
    );
}

/** The sample at one place of columns. */
export function sampleAt(columns: SampleColumns, integers: BigInt64Array, index: number): Sample {
  return {
    metric: columns.metric[index] as number,
    time: columns.time[index] as number,
    status: columns.status[index] as number,
    flags: columns.flags[index] as number,
    value: valueAt(columns, integers, index),
  };
}

/** A value as it was given. SQLite keeps NaN as NULL. */
export function valueOf(value: StoredValue, flags: number): MetricValue | undefined {
  const type = flags & SampleFlag.TypeMask;
  if (value === null) return type === ValueType.Double ? Number.NaN : undefined;
  return type === ValueType.Boolean ? Number(value) !== 0 : value;
}

export function sampleOfRow([metric, time, status, flags, value]: SampleRow): Sample {
  return {
    metric: Number(metric),
    time: Number(time),
    status: Number(status),
    flags: Number(flags),
    value: valueOf(value, Number(flags)),
  };
}
