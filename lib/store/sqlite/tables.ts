import type { Journal } from '../../model';
import type { RecordKind } from '../backend';

/** Where records of each kind are; the tables have the same columns. */
export const RECORD_TABLES: Readonly<Record<RecordKind, string>> = {
  command: 'commands',
  alarm: 'alarms',
  user: 'users',
};

/** Where the entries of each journal are; the tables have the same columns. */
export const JOURNAL_TABLES: Readonly<Record<Journal, string>> = { event: 'events', audit: 'audit' };
