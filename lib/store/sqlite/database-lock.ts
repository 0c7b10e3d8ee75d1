import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import SqliteDatabase from 'better-sqlite3';
import { StorageError } from '../backend';
import { storageError } from './failure';

export interface DatabaseLock {
  /** Idempotent. */
  release(): void;
}

/**
 * Makes this writer the only one of a database, in whatever process: two gateways on one file would each take their own
 * memory for the truth. SQLite alone lets several write in turn. The lock is the operating system's, on an empty file
 * beside the database: it ends with the process, however that ends.
 * @throws StorageError `locked` if another writer has it
 */
export function lockDatabase(file: string): DatabaseLock {
  const path = `${file}.lock`;
  let lock: SqliteDatabase.Database | undefined;
  try {
    mkdirSync(dirname(file), { recursive: true });
    const isNew = !existsSync(path);
    lock = new SqliteDatabase(path, { timeout: 0 });
    if (isNew) chmodSync(path, 0o600);
    // Nothing is ever written to it: no journal beside it.
    lock.pragma('journal_mode = MEMORY');
    lock.exec('BEGIN EXCLUSIVE');
  } catch (thrown) {
    lock?.close();
    const error = storageError(thrown);
    if (error.reason !== 'locked') throw error;
    throw new StorageError('locked', `another gateway uses the database ${file}`, error.cure, error.code);
  }
  const held = lock;
  return { release: () => void held.close() };
}
