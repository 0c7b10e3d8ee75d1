/** Between columns of samples and rows of SQLite. */
import type { Statement } from 'better-sqlite3';
import type { MetricValue } from '../../model';
import { gapAfter, integersOf, type Sample, type SampleColumns, SampleFlag, ValueType, valueAt } from '../columns';

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

/** Samples that one statement takes: half the time of one statement for each. */
export const GROUP_SIZE = 8;

/** The values of a group in SQL. */
export const GROUP_VALUES = Array<string>(GROUP_SIZE).fill('(?, ?, ?, ?, ?)').join(', ');

/**
 * Gathers samples to be bound to one statement with {@link GROUP_VALUES}. Numbers arrive in INTEGER columns as integers
 * by their affinity.
 */
export class SampleGroup {
  /** What to bind: five values a sample. */
  readonly parameters: StoredValue[] = Array<StoredValue>(GROUP_SIZE * 5).fill(null);
  /** Places of its samples in the columns. */
  readonly places: number[] = [];
  readonly #columns: SampleColumns;
  readonly #integers: BigInt64Array;

  constructor(columns: SampleColumns) {
    this.#columns = columns;
    this.#integers = integersOf(columns);
  }

  /** @returns whether the group is full */
  add(index: number): boolean {
    const { metric, time, status, flags } = this.#columns;
    const { parameters } = this;
    const start = this.places.length * 5;
    parameters[start] = metric[index] as number;
    parameters[start + 1] = time[index] as number;
    parameters[start + 2] = status[index] as number;
    parameters[start + 3] = flags[index] as number;
    parameters[start + 4] = storedValueAt(this.#columns, this.#integers, index);
    return this.places.push(index) === GROUP_SIZE;
  }

  clear(): void {
    this.places.length = 0;
  }
}

/** Runs statements for all samples: `forGroup` with as many as it takes, `forOne` with the rest. */
export function runForEach(
  forGroup: Statement<[StoredValue[]]>,
  forOne: Statement<[StoredValue[]]>,
  columns: SampleColumns,
): void {
  const group = new SampleGroup(columns);
  for (let index = 0; index < columns.length; index++)
    if (group.add(index)) {
      forGroup.run(group.parameters);
      group.clear();
    }
  for (let start = 0; start < group.places.length * 5; start += 5) forOne.run(group.parameters.slice(start, start + 5));
}

/** The sample at one place of columns. */
export function sampleAt(columns: SampleColumns, integers: BigInt64Array, index: number): Sample {
  return {
    metric: columns.metric[index] as number,
    time: columns.time[index] as number,
    status: columns.status[index] as number,
    flags: columns.flags[index] as number,
    value: valueAt(columns, integers, index),
    after: gapAfter(columns, index),
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
