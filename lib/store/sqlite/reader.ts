/** Reads the database file beside the writer. Runs inside a worker thread; synchronous as better-sqlite3 is. */
import SqliteDatabase, { type Database, type Statement } from 'better-sqlite3';
import type { StoredRange } from '../backend';
import type { SampleColumns } from '../columns';
import { storageError } from './failure';
import { BUSY_TIMEOUT } from './options';
import { columnsOf, type SampleRow } from './rows';

/** The one thread that reads, beside the writer. */
export class DatabaseReader {
  readonly #database: Database;
  readonly #ascending: Statement<[number, number, number, bigint], SampleRow>;
  readonly #descending: Statement<[number, number, number, bigint], SampleRow>;

  /** @throws StorageError */
  constructor(file: string) {
    try {
      this.#database = new SqliteDatabase(file, { readonly: true, fileMustExist: true, timeout: BUSY_TIMEOUT });
    } catch (error) {
      throw storageError(error);
    }
    const page = (order: 'ASC' | 'DESC'): Statement<[number, number, number, bigint], SampleRow> =>
      this.#database
        .prepare<[number, number, number, bigint], SampleRow>(
          `SELECT metric_id, time, status, flags, value FROM history
           WHERE metric_id = ? AND time >= ? AND time < ? ORDER BY time ${order} LIMIT ?`,
        )
        .raw()
        .safeIntegers();
    this.#ascending = page('ASC');
    this.#descending = page('DESC');
  }

  /** @throws StorageError */
  readHistory({ metric, from, to, limit, order }: StoredRange): SampleColumns {
    const statement = order === 'ascending' ? this.#ascending : this.#descending;
    try {
      return columnsOf(statement.iterate(metric, from, to, BigInt(limit)));
    } catch (error) {
      throw storageError(error);
    }
  }

  /** Idempotent. */
  close(): void {
    if (this.#database.open) this.#database.close();
  }
}

