import type { StorageFault } from '../../model';
import { errorText } from '../../model';
import { StorageError } from '../backend';

const CURES: Readonly<Record<StorageFault, string>> = {
  'read-only': 'Let the user that runs the gateway write to the folder and file of the database.',
  'disk-full': 'Free space on the disk; waiting samples are then written by themselves.',
  locked: 'End the other program that uses the database file; a database belongs to one gateway.',
  corrupt: 'Look at the file that was set aside; check the disk.',
  'newer-schema': 'Start the newer version of Lorua that wrote the database.',
  'not-permitted': 'Let the user that runs the gateway write to the folder and file of the database.',
  timeout: 'Use a faster disk for the database, or find what keeps this one busy.',
  internal: 'Look at the log; the operation is tried again.',
};

/** The path leads through something that is not a folder, or to one, or into what others own. */
const NOT_PERMITTED = new Set(['EACCES', 'EPERM', 'ENOTDIR', 'EISDIR', 'ENOENT', 'EEXIST']);

function faultOf(code: string): StorageFault {
  if (code.startsWith('SQLITE_FULL') || code === 'ENOSPC' || code === 'EDQUOT') return 'disk-full';
  if (code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED')) return 'locked';
  if (code.startsWith('SQLITE_CORRUPT') || code.startsWith('SQLITE_NOTADB')) return 'corrupt';
  if (code.startsWith('SQLITE_READONLY') || code === 'EROFS') return 'read-only';
  if (code.startsWith('SQLITE_CANTOPEN') || code.startsWith('SQLITE_PERM') || NOT_PERMITTED.has(code))
    return 'not-permitted';
  return 'internal';
}

/** What anything thrown by SQLite or the file system means for the store. */
export function storageError(error: unknown): StorageError {
  if (error instanceof StorageError) return error;
  const code =
    typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string' ? error.code : '';
  const reason = faultOf(code);
  return new StorageError(reason, errorText(error), CURES[reason], code === '' ? undefined : code);
}

/** A StorageError as it crosses threads. */
export interface FailureRecord {
  readonly reason: StorageFault;
  readonly message: string;
  readonly cure: string;
  readonly code: string | undefined;
}

export function failureRecord(error: unknown): FailureRecord {
  const { reason, message, cure, code } = storageError(error);
  return { reason, message, cure, code };
}

export function errorOfRecord({ reason, message, cure, code }: FailureRecord): StorageError {
  return new StorageError(reason, message, cure, code);
}
