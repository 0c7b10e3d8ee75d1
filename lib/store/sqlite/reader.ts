/** Reads history beside the writer. Runs inside a worker thread; synchronous as better-sqlite3 is. */
import SqliteDatabase, { type Database, type Statement } from 'better-sqlite3';
import type { HistoryOrder } from '../../model';
import { type SampleColumns, SampleColumnsBuilder, SampleFlag, ValueType } from '../columns';
import type { HistoryRows, ModifiedColumns } from '../history/rows';
import { storageError } from './failure';
import { BUSY_TIMEOUT } from './options';
import { type SampleRow, sampleOfRow } from './rows';

/** time, status, flags, value. */
type QuickRow = [number, number, number, number | string | null];
/** modified_at in front of a sample. */
type ModifiedRow = [bigint, ...SampleRow];
/** metric, from, to, limit. better-sqlite3 binds numbers as REAL: right for comparisons, refused as a limit. */
type RangeParameters = [number, number, number, bigint];

/** Rows fetched at once: arrays that die young cost little. */
const ROWS_AT_ONCE = 8_192;

/** The one thread that reads history, beside the writer. */
export class DatabaseReader implements HistoryRows {
  readonly #database: Database;
  readonly #quick: Readonly<Record<HistoryOrder, Statement<RangeParameters, QuickRow>>>;
  readonly #exact: Readonly<Record<HistoryOrder, Statement<RangeParameters, SampleRow>>>;
  readonly #modified: Readonly<Record<HistoryOrder, Statement<RangeParameters, ModifiedRow>>>;
  /** Metrics whose values are 64-bit integers: a number does not hold all of them. */
  readonly #integerMetrics = new Set<number>();

  /** @throws StorageError */
  constructor(file: string) {
    try {
      this.#database = new SqliteDatabase(file, { readonly: true, fileMustExist: true, timeout: BUSY_TIMEOUT });
      this.#quick = this.#inBothOrders((direction) =>
        this.#database
          .prepare<RangeParameters, QuickRow>(
            `SELECT time, status, flags, value FROM history
             WHERE metric_id = ? AND time >= ? AND time < ? ORDER BY time ${direction} LIMIT ?`,
          )
          .raw(),
      );
      this.#exact = this.#inBothOrders((direction) =>
        this.#database
          .prepare<RangeParameters, SampleRow>(
            `SELECT metric_id, time, status, flags, value FROM history
             WHERE metric_id = ? AND time >= ? AND time < ? ORDER BY time ${direction} LIMIT ?`,
          )
          .raw()
          .safeIntegers(),
      );
      this.#modified = this.#inBothOrders((direction) =>
        this.#database
          .prepare<RangeParameters, ModifiedRow>(
            `SELECT modified_at, metric_id, time, status, flags, value FROM modified_history
             WHERE metric_id = ? AND time >= ? AND time < ? ORDER BY time ${direction}, number ${direction} LIMIT ?`,
          )
          .raw()
          .safeIntegers(),
      );
    } catch (error) {
      throw storageError(error);
    }
  }

  /**
   * Lets several reads see the same state, whatever is committed meanwhile.
   * @throws StorageError, and what `work` throws
   */
  consistent<T>(work: () => T): T {
    try {
      return this.#database.transaction(work)();
    } catch (error) {
      throw storageError(error);
    }
  }

  /** @throws StorageError */
  range(metric: number, from: number, to: number, order: HistoryOrder, limit: number): SampleColumns {
    try {
      if (!this.#integerMetrics.has(metric)) {
        const columns = this.#quickRange(metric, from, to, order, limit);
        if (columns !== undefined) return columns;
        this.#integerMetrics.add(metric);
      }
      const columns = new SampleColumnsBuilder();
      for (const row of this.#exact[order].iterate(metric, from, to, BigInt(limit))) addRow(columns, row);
      return columns.trimmed();
    } catch (error) {
      throw storageError(error);
    }
  }

  /** @throws StorageError */
  modified(metric: number, from: number, to: number, order: HistoryOrder, limit: number): ModifiedColumns {
    try {
      const columns = new SampleColumnsBuilder();
      const modifiedAt: number[] = [];
      for (const [at, ...row] of this.#modified[order].iterate(metric, from, to, BigInt(limit))) {
        addRow(columns, row);
        modifiedAt.push(Number(at));
      }
      return { columns: columns.trimmed(), modifiedAt: Float64Array.from(modifiedAt) };
    } catch (error) {
      throw storageError(error);
    }
  }

  /** Idempotent. */
  close(): void {
    if (this.#database.open) this.#database.close();
  }

  /** Rows by way of numbers; `undefined` if there are 64-bit integers among them. */
  #quickRange(metric: number, from: number, to: number, order: HistoryOrder, limit: number): SampleColumns | undefined {
    const chunks: QuickRow[][] = [];
    let length = 0;
    let [low, high] = [from, to];
    for (;;) {
      const wanted = Math.min(limit - length, ROWS_AT_ONCE);
      const rows = this.#quick[order].all(metric, low, high, BigInt(wanted));
      chunks.push(rows);
      length += rows.length;
      const last = rows[rows.length - 1];
      if (rows.length < wanted || length >= limit || last === undefined) break;
      if (order === 'ascending') low = last[0] + 1;
      else high = last[0];
    }
    return columnsOf(metric, chunks, length);
  }

  #inBothOrders<T>(prepare: (direction: 'ASC' | 'DESC') => T): Readonly<Record<HistoryOrder, T>> {
    return { ascending: prepare('ASC'), descending: prepare('DESC') };
  }
}

function columnsOf(metric: number, chunks: readonly QuickRow[][], length: number): SampleColumns | undefined {
  const columns = {
    length,
    metric: new Int32Array(length).fill(metric),
    time: new Float64Array(length),
    status: new Uint32Array(length),
    flags: new Uint8Array(length),
    values: new Float64Array(length),
    texts: [] as string[],
  };
  let index = 0;
  for (const rows of chunks)
    for (const [time, status, flags, value] of rows) {
      columns.time[index] = time;
      columns.status[index] = status;
      columns.flags[index] = flags;
      const type = flags & SampleFlag.TypeMask;
      if (type === ValueType.Int64) return undefined;
      if (typeof value === 'number') columns.values[index] = value;
      else if (typeof value === 'string') columns.values[index] = columns.texts.push(value) - 1;
      // SQLite keeps NaN as NULL.
      else if (type === ValueType.Double) columns.values[index] = Number.NaN;
      index++;
    }
  return columns;
}

function addRow(columns: SampleColumnsBuilder, row: SampleRow): void {
  const { metric, time, status, flags, value } = sampleOfRow(row);
  columns.add(metric, time, status, flags, value);
}
