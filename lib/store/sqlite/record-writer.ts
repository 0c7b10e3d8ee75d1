/** Writes records with a life of their own and journals. Inside a transaction of the writer. */

import type { Database, Statement } from 'better-sqlite3';
import type { Journal, NewJournalEntry } from '../../model';
import type { DurableBatch, RecordKind, RecordPruneSlice } from '../backend';
import { JOURNAL_TABLES, RECORD_TABLES } from './tables';

type RecordParameters = [string, string | null, string, number, number, number | null, string];
type EntryParameters = [number, string, string | null, string | null, string | null, string];

export class RecordWriter {
  readonly #put: Readonly<Record<RecordKind, Statement<RecordParameters>>>;
  readonly #remove: Readonly<Record<RecordKind, Statement<[string]>>>;
  readonly #enter: Readonly<Record<Journal, Statement<EntryParameters>>>;
  readonly #pruneJournal: Readonly<Record<Journal, Statement<[number, number]>>>;
  readonly #pruneEnded: readonly Statement<[number, number]>[];

  constructor(database: Database) {
    const put = (table: string): Statement<RecordParameters> =>
      database.prepare(
        `INSERT INTO ${table} (id, dev_eui, state, created_at, changed_at, ended_at, body) VALUES (?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET dev_eui = excluded.dev_eui, state = excluded.state,
           created_at = excluded.created_at, changed_at = excluded.changed_at, ended_at = excluded.ended_at,
           body = excluded.body`,
      );
    const remove = (table: string): Statement<[string]> => database.prepare(`DELETE FROM ${table} WHERE id = ?`);
    const enter = (table: string): Statement<EntryParameters> =>
      database.prepare(
        `INSERT INTO ${table} (time, type, dev_eui, user, event_id, body) VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT (event_id, type) WHERE event_id IS NOT NULL DO NOTHING`,
      );
    const { command, alarm, user } = RECORD_TABLES;
    const { event, audit } = JOURNAL_TABLES;
    this.#put = { command: put(command), alarm: put(alarm), user: put(user) };
    this.#remove = { command: remove(command), alarm: remove(alarm), user: remove(user) };
    this.#enter = { event: enter(event), audit: enter(audit) };
    const prune = (table: string, time: string): Statement<[number, number]> =>
      database.prepare(
        `DELETE FROM ${table} WHERE rowid IN (SELECT rowid FROM ${table} WHERE ${time} < ? ORDER BY ${time} LIMIT CAST(? AS INTEGER))`,
      );
    this.#pruneJournal = { event: prune(event, 'time'), audit: prune(audit, 'time') };
    this.#pruneEnded = [prune(command, 'ended_at'), prune(alarm, 'ended_at')];
  }

  write({ records, removed, journal }: DurableBatch): void {
    for (const { kind, id, devEui, state, createdAt, changedAt, endedAt, body } of records)
      this.#put[kind].run(id, devEui ?? null, state, createdAt, changedAt, endedAt ?? null, body);
    for (const { kind, id } of removed) this.#remove[kind].run(id);
    this.enter(journal);
  }

  enter(journal: readonly NewJournalEntry[]): void {
    for (const { journal: name, time, type, devEui, user, eventId, body } of journal)
      this.#enter[name].run(time, type, devEui ?? null, user ?? null, eventId ?? null, body);
  }

  /** @returns how many entries and records were removed */
  prune({ events, audit, ended, limit }: RecordPruneSlice): number {
    let removed = 0;
    const run = (statement: Statement<[number, number]>, before: number | undefined): void => {
      if (before !== undefined && removed < limit) removed += statement.run(before, limit - removed).changes;
    };
    run(this.#pruneJournal.event, events);
    run(this.#pruneJournal.audit, audit);
    for (const statement of this.#pruneEnded) run(statement, ended);
    return removed;
  }
}
