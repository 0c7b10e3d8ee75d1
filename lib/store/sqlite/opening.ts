/** Opens the database file for the writer: makes it, migrates it, sets a damaged one aside. */
import { chmodSync, closeSync, existsSync, mkdirSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import SqliteDatabase, { type Database } from 'better-sqlite3';
import { storageError } from './failure';
import { BUSY_TIMEOUT, CACHE_KIBIBYTES } from './options';
import { migrate } from './schema';

/** The write-ahead log is cut back to this size after a checkpoint, bytes. */
const JOURNAL_LIMIT = 32 * 1024 * 1024;

export interface OpenDatabase {
  readonly database: Database;
  /** Whether the last writer ended with everything written; true for a new file. */
  readonly wasClean: boolean;
  /** Where a damaged file was moved to. */
  readonly setAside: string | undefined;
}

/** @throws StorageError */
export function openDatabase(file: string, options: { replaceDamaged: boolean; now: number }): OpenDatabase {
  const setAside = options.replaceDamaged ? setAsideDamaged(file, options.now) : undefined;
  try {
    return { ...begin(file), setAside };
  } catch (thrown) {
    const error = storageError(thrown);
    if (error.reason !== 'corrupt' || setAside !== undefined) throw error;
    const aside = setAsideDamaged(file, options.now);
    return { ...begin(file), setAside: aside };
  }
}

/** Remembers something about the gateway. */
export function setState(database: Database, name: string, value: string): void {
  database.prepare('INSERT OR REPLACE INTO gateway_state (name, value) VALUES (?, ?)').run(name, value);
}

function begin(file: string): { database: Database; wasClean: boolean } {
  mkdirSync(dirname(file), { recursive: true });
  const isNew = !existsSync(file);
  const database = new SqliteDatabase(file, { timeout: BUSY_TIMEOUT });
  try {
    // It names devices and people: nobody else on the machine needs to read it.
    if (isNew) chmodSync(file, 0o600);
    if (isNew) database.pragma('auto_vacuum = INCREMENTAL');
    database.pragma('journal_mode = WAL');
    database.pragma('synchronous = NORMAL');
    database.pragma(`journal_size_limit = ${JOURNAL_LIMIT}`);
    database.pragma(`cache_size = -${CACHE_KIBIBYTES}`);
    database.pragma('temp_store = MEMORY');
    migrate(database, (version) => backUp(database, `${file}.schema-${version}.backup`));
    // Takes the write lock once: a read-only file or a second gateway is noticed now, not at the first sample.
    const wasClean = database.transaction(() => {
      const known = database.prepare(`SELECT value FROM gateway_state WHERE name = 'closed'`).pluck().get();
      setState(database, 'closed', 'no');
      return isNew || known === 'clean';
    })();
    return { database, wasClean };
  } catch (error) {
    database.close();
    throw error;
  }
}

/** A copy before a migration. What is there under its name was left by a migration that was killed: it is made again. */
function backUp(database: Database, file: string): void {
  const partial = `${file}.partial`;
  rmSync(partial, { force: true });
  try {
    closeSync(openSync(partial, 'wx', 0o600));
    database.prepare('VACUUM INTO ?').run(partial);
    renameSync(partial, file);
  } catch (error) {
    rmSync(partial, { force: true });
    throw error;
  }
}

/** Renames the database and its companions; returns the new path, or `undefined` if there is none. */
function setAsideDamaged(file: string, now: number): string | undefined {
  if (!existsSync(file)) return undefined;
  const stamp = new Date(now).toISOString().replace(/[:.]/g, '-');
  let aside = `${file}.damaged-${stamp}`;
  for (let count = 2; existsSync(aside); count++) aside = `${file}.damaged-${stamp}-${count}`;
  for (const companion of ['', '-wal', '-shm'])
    if (existsSync(file + companion)) renameSync(file + companion, aside + companion);
  return aside;
}
