import { errorText } from '../model';
import { StorageError } from './backend';

/** Anything that a backend may throw, as the fault of a storage. */
export function asStorageError(thrown: unknown): StorageError {
  return thrown instanceof StorageError ? thrown : new StorageError('internal', errorText(thrown), 'Look at the log.');
}

export function closedError(): StorageError {
  return new StorageError('internal', 'the store is closed', 'Deploy the database node again.');
}

export function openingError(): StorageError {
  return new StorageError(
    'timeout',
    'the database is still being opened',
    'Wait, or look at the log for what delays it.',
  );
}

/** @param what is being done with the database, e.g. `opening` */
export function slowError(what: string, milliseconds: number): StorageError {
  return new StorageError(
    'timeout',
    `${what} the database takes more than ${milliseconds / 1_000} s`,
    'Use a faster disk for the database, or find what keeps this one busy.',
  );
}

/** A durable commit that was under way for too long. */
export function uncertainError(milliseconds: number): StorageError {
  return new StorageError(
    'timeout',
    `the database has not answered within ${milliseconds / 1_000} s: it may have been stored, or be stored later`,
    'Look whether it is there before you give it again; use a faster disk for the database.',
  );
}

/** A durable commit that never got its turn. */
export function busyError(milliseconds: number): StorageError {
  return new StorageError(
    'timeout',
    `the database has been busy for more than ${milliseconds / 1_000} s: nothing was stored`,
    'Use a faster disk for the database, or find what keeps this one busy.',
  );
}
