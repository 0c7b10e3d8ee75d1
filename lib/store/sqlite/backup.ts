/** Copies the database while it is written. Runs inside a worker thread of its own. */
import SqliteDatabase, { type Database } from 'better-sqlite3';
import { StorageError } from '../backend';
import { storageError } from './failure';
import { BUSY_TIMEOUT } from './options';

/** Pages copied at once: some milliseconds. */
const PAGES_PER_STEP = 256;

/**
 * @param target an empty file, whose permissions stay
 * @throws StorageError; what is in the target is then of no use
 */
export async function backUp(file: string, target: string): Promise<void> {
  let source: Database | undefined;
  try {
    source = new SqliteDatabase(file, { readonly: true, fileMustExist: true, timeout: BUSY_TIMEOUT });
    // Holds one state of the database: without it the copy begins anew with each commit of the writer, maybe for ever.
    source.exec('BEGIN');
    source.prepare('SELECT count(*) FROM sqlite_schema').get();
    await source.backup(target, { progress: () => PAGES_PER_STEP });
  } catch (error) {
    throw storageError(error);
  } finally {
    source?.close();
  }
  verify(target);
}

/** Looks through a copy, and makes it one file that needs no companions. */
function verify(target: string): void {
  let copy: Database | undefined;
  try {
    copy = new SqliteDatabase(target, { fileMustExist: true });
    copy.pragma('journal_mode = DELETE');
    const [result] = copy.pragma('quick_check(1)') as { quick_check: string }[];
    if (result?.quick_check !== 'ok')
      throw new StorageError(
        'corrupt',
        `the copy is damaged: ${result?.quick_check ?? 'it cannot be checked'}`,
        'Check the disk of the target and of the database, then make another backup.',
      );
  } catch (error) {
    throw storageError(error);
  } finally {
    copy?.close();
  }
}
