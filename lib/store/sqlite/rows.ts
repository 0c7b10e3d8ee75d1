/** Between columns of samples and rows of SQLite. */
import type { Statement } from 'better-sqlite3';
import { type SampleColumns, SampleColumnsBuilder, SampleFlag, ValueType } from '../columns';

/** metric_id, time, status, flags, value. */
export type SampleParameters = [number, number, number, number, number | bigint | string | null];
/** As better-sqlite3 gives a row in raw mode with safe integers. */
export type SampleRow = [bigint, bigint, bigint, bigint, number | bigint | string | null];

/** Runs a statement for each sample. Numbers arrive in INTEGER columns as integers by their affinity. */
export function runForEach(statement: Statement<SampleParameters>, columns: SampleColumns): void {
  const { length, metric, time, status, flags, values, texts } = columns;
  const integers = new BigInt64Array(values.buffer, values.byteOffset, values.length);
  for (let index = 0; index < length; index++) {
    const flag = flags[index] as number;
    let value: number | bigint | string | null;
    switch (flag & SampleFlag.TypeMask) {
      case ValueType.Double:
        value = values[index] as number;
        break;
      case ValueType.Int64:
        value = integers[index] as bigint;
        break;
      case ValueType.Boolean:
        // As a bigint, because better-sqlite3 binds every number as REAL and the column has no affinity.
        value = values[index] === 0 ? 0n : 1n;
        break;
      case ValueType.String:
        value = texts[values[index] as number] as string;
        break;
      default:
        value = null;
    }
    statement.run(metric[index] as number, time[index] as number, status[index] as number, flag, value);
  }
}

/** Collects rows of the shape metric_id, time, status, flags, value. */
export function columnsOf(rows: Iterable<SampleRow>, capacity?: number): SampleColumns {
  const columns = new SampleColumnsBuilder(capacity);
  for (const [metric, time, status, flags, value] of rows) {
    const flag = Number(flags);
    columns.add(
      Number(metric),
      Number(time),
      Number(status),
      flag,
      value === null ? undefined : (flag & SampleFlag.TypeMask) === ValueType.Boolean ? value !== 0n : value,
    );
  }
  return columns.trimmed();
}
