import { z } from 'zod';
import type { StoreHealth } from '../model';
import type { AdministrationDependencies, AdministrationStore, Retention } from './dependencies';
import type { WrittenFile } from './history-export';
import { datedName, fileField, type OutputFolder, withExtension } from './output-files';

export const databasePayload = z.strictObject({});

export interface DatabaseState {
  readonly health: StoreHealth;
  /** What the data takes and what is free inside its files, bytes. */
  readonly size: { readonly bytes: number; readonly freeBytes: number };
  readonly retention: Retention;
  readonly counts: { readonly applications: number; readonly devices: number; readonly metrics: number };
}

export async function databaseState({ store, retention }: AdministrationDependencies): Promise<DatabaseState> {
  const { applications, devices } = store.inventory.merged();
  let metrics = 0;
  for (const _ of store.metrics.all()) metrics++;
  const { bytes, freeBytes } = await store.statistics();
  return {
    health: store.health(),
    size: { bytes, freeBytes },
    retention,
    counts: { applications: applications.size, devices: devices.size, metrics },
  };
}

export const backupPayload = z.strictObject({
  file: fileField,
  /** Backups with date and time in their names that are kept, this one included; older ones are removed. */
  keep: z.number().int().min(1).max(10_000).optional(),
});

export interface Backup extends WrittenFile {
  /** Names of older backups that made room. */
  readonly removed: readonly string[];
}

const DATED_BACKUP = /^lorua-\d{8}T\d{6}Z\.db$/;

/**
 * Copies the database into a file while everything goes on.
 * @throws InvalidInputError, an error of the storage, or of the file system
 */
export async function backupDatabase(
  store: AdministrationStore,
  folder: OutputFolder,
  now: number,
  { file: wanted, keep }: z.output<typeof backupPayload>,
  signal: AbortSignal,
): Promise<Backup> {
  const file = withExtension(wanted ?? datedName('lorua', now, 'db'), 'db');
  const { bytes } = await folder.make(file, (path) => store.backup(path, signal));
  const removed = keep === undefined ? [] : await folder.keepNewest(DATED_BACKUP, keep);
  return { file, path: folder.pathOf(file), bytes, removed, complete: true };
}
