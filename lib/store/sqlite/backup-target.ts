import { open, rename, rm, stat } from 'node:fs/promises';
import { StorageError } from '../backend';
import { storageError } from './failure';

/**
 * The file that a backup becomes. Its name is taken from the start, what is copied goes beside it until it is complete:
 * a copy that was broken off, even by a power failure, is never mistaken for a backup.
 */
export class BackupTarget {
  /** Where to copy to: an empty file. */
  readonly partial: string;
  readonly #file: string;

  private constructor(file: string) {
    this.#file = file;
    this.partial = `${file}.partial`;
  }

  /** @throws StorageError if the file exists or cannot be made */
  static async reserve(file: string): Promise<BackupTarget> {
    const target = new BackupTarget(file);
    try {
      await createEmpty(file);
    } catch (error) {
      if (storageError(error).code === 'EEXIST')
        throw new StorageError(
          'not-permitted',
          `${file} exists already`,
          'Give the backup a name of its own; an existing file is never overwritten.',
          'EEXIST',
        );
      throw storageError(error);
    }
    try {
      // One is left there if the gateway was killed during a backup.
      await removeWithCompanions(target.partial);
      await createEmpty(target.partial);
      return target;
    } catch (error) {
      await target.giveUp();
      throw storageError(error);
    }
  }

  /** Gives the copy its name. @throws StorageError */
  async complete(): Promise<{ bytes: number }> {
    try {
      const { size } = await stat(this.partial);
      await rename(this.partial, this.#file);
      return { bytes: size };
    } catch (error) {
      throw storageError(error);
    }
  }

  /** Removes everything. Never rejects: the fault that led here says more. */
  async giveUp(): Promise<void> {
    await removeWithCompanions(this.partial).catch(() => undefined);
    await rm(this.#file, { force: true }).catch(() => undefined);
  }
}

/** Readable by its owner alone: it names devices and people. */
async function createEmpty(file: string): Promise<void> {
  await (await open(file, 'wx', 0o600)).close();
}

async function removeWithCompanions(file: string): Promise<void> {
  for (const companion of ['', '-journal', '-wal', '-shm']) await rm(file + companion, { force: true });
}
