import { isAbsolute } from 'node:path';
import { FaultCollector, isBlank, parseMetricRules, readNumber } from '../model';
import type { StorageRule } from './storage-rules';

export type BackendKind = 'sqlite' | 'memory';

export interface StoreSettings {
  readonly backend: BackendKind;
  /** Absolute path of the database; only for `sqlite`. */
  readonly file?: string;
  /** How long history is kept where no rule says anything else, days; 0 = without limit. */
  readonly retentionDays: number;
  readonly rules: readonly StorageRule[];
  /** Bytes from which on the oldest history goes, whatever its retention; 0 = without limit. */
  readonly maximumSize: number;
  /** How long events of devices and alarms are kept, days; 0 = without limit. */
  readonly eventDays: number;
  /** How long it is kept who did what, days; 0 = without limit. */
  readonly auditDays: number;
  /** How long commands and alarms are kept after they ended, days; 0 = without limit. */
  readonly commandDays: number;
}

/** As in a node's properties: numbers may be text, what is blank has its default, rules may be JSON. */
export interface StoreInput {
  readonly backend?: unknown;
  readonly file?: unknown;
  readonly retentionDays?: unknown;
  /** `[{device, metric, retentionDays, deadband}]` */
  readonly rules?: unknown;
  /** MB, of 1,000,000 bytes. */
  readonly maximumSizeMegabytes?: unknown;
  readonly eventDays?: unknown;
  readonly auditDays?: unknown;
  readonly commandDays?: unknown;
}

/** A week, as in the environment's HISTORY_DAYS. */
export const DEFAULT_RETENTION_DAYS = 7;
export const DEFAULT_EVENT_DAYS = 30;
export const DEFAULT_AUDIT_DAYS = 365;
export const DEFAULT_COMMAND_DAYS = 90;

const LONGEST_RETENTION_DAYS = 36_500;
const MEGABYTE = 1_000_000;
/** A database without any history takes some of it. */
const SMALLEST_MAXIMUM_MEGABYTES = 10;
const LARGEST_MAXIMUM_MEGABYTES = 1_000_000_000;
const LARGEST_DEADBAND = 1e300;

type FieldNames = Partial<Record<keyof StoreInput, string>>;

/**
 * Reads the settings of a store as people give them.
 * @param fieldNames how the user knows the fields, e.g. the name of an environment variable
 * @throws InvalidInputError with all faults
 */
export function parseStoreSettings(input: StoreInput, fieldNames: FieldNames = {}): StoreSettings {
  const collector = new FaultCollector();
  const backend = isBlank(input.backend) ? 'sqlite' : input.backend;
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

  const days = (name: 'retentionDays' | 'eventDays' | 'auditDays' | 'commandDays', otherwise: number): number => {
    const given = input[name];
    if (isBlank(given)) return otherwise;
    return readDays(collector, fieldNames[name] ?? name, given, `Leave it empty for ${otherwise} days.`) ?? otherwise;
  };
  const settings = {
    retentionDays: days('retentionDays', DEFAULT_RETENTION_DAYS),
    rules: parseRules(collector, fieldNames.rules ?? 'rules', input.rules),
    maximumSize: parseMaximumSize(
      collector,
      fieldNames.maximumSizeMegabytes ?? 'maximumSizeMegabytes',
      input.maximumSizeMegabytes,
    ),
    eventDays: days('eventDays', DEFAULT_EVENT_DAYS),
    auditDays: days('auditDays', DEFAULT_AUDIT_DAYS),
    commandDays: days('commandDays', DEFAULT_COMMAND_DAYS),
  };
  collector.throwIfAny();
  return {
    backend: backend === 'memory' ? 'memory' : 'sqlite',
    ...(needsFile ? { file: String(file) } : {}),
    ...settings,
  };
}

function parseMaximumSize(collector: FaultCollector, field: string, given: unknown): number {
  if (isBlank(given)) return 0;
  const megabytes = readNumber(given);
  const fits =
    megabytes === 0 ||
    (megabytes !== undefined && megabytes >= SMALLEST_MAXIMUM_MEGABYTES && megabytes <= LARGEST_MAXIMUM_MEGABYTES);
  if (fits) return Math.round(megabytes * MEGABYTE);
  collector.add(
    field,
    given,
    `it is a number of megabytes from ${SMALLEST_MAXIMUM_MEGABYTES}, or 0 for no limit`,
    'Give a size that the disk has to spare, or leave it empty for no limit.',
  );
  return 0;
}

function parseRules(collector: FaultCollector, field: string, given: unknown): StorageRule[] {
  return parseMetricRules(collector, field, given, ['retentionDays', 'deadband'], (row, at) => {
    const { retentionDays, deadband } = row;
    const days = isBlank(retentionDays)
      ? undefined
      : readDays(collector, `${at}.retentionDays`, retentionDays, 'Leave it empty where the rule is not about it.');
    const band = isBlank(deadband) ? undefined : readNumber(deadband);
    if (!isBlank(deadband) && !(band !== undefined && band >= 0 && band <= LARGEST_DEADBAND))
      collector.add(
        `${at}.deadband`,
        deadband,
        'it is a number from 0 (only changes are stored)',
        'Leave it empty to store every value.',
      );
    if (isBlank(retentionDays) && isBlank(deadband))
      collector.add(
        at,
        row,
        'a rule sets a retention, a dead-band or both',
        'Fill one of the two in, or remove the rule.',
      );
    return {
      ...(days === undefined ? {} : { retentionDays: days }),
      ...(band === undefined ? {} : { deadband: band }),
    };
  });
}

function readDays(collector: FaultCollector, field: string, given: unknown, cure: string): number | undefined {
  const days = readNumber(given);
  if (days !== undefined && days >= 0 && days <= LONGEST_RETENTION_DAYS) return days;
  collector.add(field, given, `it is a number of days from 0 (without limit) to ${LONGEST_RETENTION_DAYS}`, cure);
  return undefined;
}
