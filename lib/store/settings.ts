import { isAbsolute } from 'node:path';
import { FaultCollector } from '../model';

export type BackendKind = 'sqlite' | 'memory';

export interface StoreSettings {
  readonly backend: BackendKind;
  /** Absolute path of the database; only for `sqlite`. */
  readonly file?: string;
  /** How long history is kept, days; 0 = without limit. */
  readonly retentionDays: number;
}

export interface StoreInput {
  readonly backend?: unknown;
  readonly file?: unknown;
  readonly retentionDays?: unknown;
}

/** A week, as in the environment's HISTORY_DAYS. */
export const DEFAULT_RETENTION_DAYS = 7;
const LONGEST_RETENTION_DAYS = 36_500;

/**
 * Reads the settings of a store as people give them (numbers may be text).
 * @throws InvalidInputError with all faults
 */
export function parseStoreSettings(
  input: StoreInput,
  fieldNames: Partial<Record<keyof StoreInput, string>> = {},
): StoreSettings {
  const collector = new FaultCollector();
  const backend = input.backend === undefined || input.backend === '' ? 'sqlite' : input.backend;
  if (backend !== 'sqlite' && backend !== 'memory')
    collector.add(fieldNames.backend ?? 'backend', backend, 'it is sqlite or memory', 'Choose one of the two.');

  const file = typeof input.file === 'string' ? input.file.trim() : input.file;
  const needsFile = backend === 'sqlite';
  if (needsFile && (typeof file !== 'string' || !isAbsolute(file) || file.includes('\0')))
    collector.add(
      fieldNames.file ?? 'file',
      file,
      'the database is a file with an absolute path',
      'Give the path of a file in a folder that the gateway may write to.',
    );

  const { retentionDays: given } = input;
  const retentionDays = given === undefined || given === null || given === '' ? DEFAULT_RETENTION_DAYS : Number(given);
  const isNumeric = typeof given !== 'object' && typeof given !== 'boolean';
  if (!isNumeric || !(retentionDays >= 0 && retentionDays <= LONGEST_RETENTION_DAYS))
    collector.add(
      fieldNames.retentionDays ?? 'retentionDays',
      given,
      `it is a number of days from 0 (without limit) to ${LONGEST_RETENTION_DAYS}`,
      `Leave it empty for ${DEFAULT_RETENTION_DAYS} days.`,
    );
  collector.throwIfAny();
  return {
    backend: backend as BackendKind,
    ...(needsFile ? { file: String(file) } : {}),
    retentionDays,
  };
}
