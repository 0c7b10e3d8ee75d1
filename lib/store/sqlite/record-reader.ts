/** Reads records, journals and statistics beside the writer. Runs inside a worker thread; synchronous as better-sqlite3 is. */
import SqliteDatabase, { type Database, type Statement } from 'better-sqlite3';
import type { DevEui, EventId, JournalEntry, JournalQuery } from '../../model';
import type { RecordKind, RecordQuery, StorageStatistics, StoredRecord } from '../backend';
import { storageError } from './failure';
import { BUSY_TIMEOUT } from './options';
import { JOURNAL_TABLES, RECORD_TABLES } from './tables';

interface RecordRow {
  id: string;
  devEui: DevEui | null;
  state: string;
  createdAt: number;
  changedAt: number;
  endedAt: number | null;
  body: string;
}

interface EntryRow {
  sequence: number;
  time: number;
  type: string;
  devEui: DevEui | null;
  user: string | null;
  eventId: EventId | null;
  body: string;
}

/** Conditions of a query with what is bound to them. */
class Conditions {
  readonly #texts: string[] = [];
  readonly parameters: (string | number)[] = [];

  add(text: string, ...parameters: readonly (string | number)[]): void {
    this.#texts.push(text);
    this.parameters.push(...parameters);
  }

  addChoice(column: string, values: readonly string[]): void {
    this.add(`${column} IN (${values.map(() => '?').join(', ')})`, ...values);
  }

  get where(): string {
    return this.#texts.length === 0 ? '' : `WHERE ${this.#texts.join(' AND ')}`;
  }
}

export class RecordReader {
  readonly #database: Database;
  /** Queries that differ in what is bound only are prepared once. */
  readonly #statements = new Map<string, Statement<(string | number)[]>>();

  /** @throws StorageError */
  constructor(file: string) {
    try {
      this.#database = new SqliteDatabase(file, { readonly: true, fileMustExist: true, timeout: BUSY_TIMEOUT });
    } catch (error) {
      throw storageError(error);
    }
  }

  /** @throws StorageError */
  readRecords({ kind, id, states, devEui, open, limit, order, after }: RecordQuery): StoredRecord[] {
    const [behind, direction] = order === 'descending' ? ['<', 'DESC'] : ['>', 'ASC'];
    const conditions = new Conditions();
    if (id !== undefined) conditions.add('id = ?', id);
    if (states !== undefined) conditions.addChoice('state', states);
    if (devEui !== undefined) conditions.add('dev_eui = ?', devEui);
    if (open === true) conditions.add('ended_at IS NULL');
    if (after !== undefined) conditions.add(`(created_at, id) ${behind} (?, ?)`, after.createdAt, after.id);
    return this.#all<RecordRow>(
      `SELECT id, dev_eui AS devEui, state, created_at AS createdAt, changed_at AS changedAt, ended_at AS endedAt, body
       FROM ${RECORD_TABLES[kind]} ${conditions.where} ORDER BY created_at ${direction}, id ${direction} LIMIT CAST(? AS INTEGER)`,
      [...conditions.parameters, limit],
    ).map((row) => recordOf(kind, row));
  }

  /** @throws StorageError */
  readJournal({ journal, from, to, types, devEui, user, limit, before }: JournalQuery): JournalEntry[] {
    const table = JOURNAL_TABLES[journal];
    const conditions = new Conditions();
    conditions.add('time >= ? AND time < ?', from, to);
    if (types !== undefined) conditions.addChoice('type', types);
    if (devEui !== undefined) conditions.add('dev_eui = ?', devEui);
    if (user !== undefined) conditions.add('user = ?', user);
    // An entry that is gone was older than all that is left.
    if (before !== undefined)
      conditions.add(
        `(time, sequence) < (SELECT time, sequence FROM ${table} WHERE sequence = CAST(? AS INTEGER))`,
        before,
      );
    return this.#all<EntryRow>(
      `SELECT sequence, time, type, dev_eui AS devEui, user, event_id AS eventId, body
       FROM ${table} ${conditions.where} ORDER BY time DESC, sequence DESC LIMIT CAST(? AS INTEGER)`,
      [...conditions.parameters, limit],
    ).map(({ devEui: device, user: name, eventId, ...row }) => ({
      journal,
      ...row,
      devEui: device ?? undefined,
      user: name ?? undefined,
      eventId: eventId ?? undefined,
    }));
  }

  /** @throws StorageError */
  statistics(): StorageStatistics {
    const pragma = (name: string): number => Number(this.#database.pragma(name, { simple: true }));
    try {
      const size = pragma('page_size');
      const freeBytes = pragma('freelist_count') * size;
      return { bytes: pragma('page_count') * size - freeBytes, freeBytes };
    } catch (error) {
      throw storageError(error);
    }
  }

  /** Idempotent. */
  close(): void {
    if (this.#database.open) this.#database.close();
  }

  #all<Row>(sql: string, parameters: (string | number)[]): Row[] {
    try {
      let statement = this.#statements.get(sql);
      if (statement === undefined) {
        statement = this.#database.prepare(sql);
        this.#statements.set(sql, statement);
      }
      return statement.all(...parameters) as Row[];
    } catch (error) {
      throw storageError(error);
    }
  }
}

function recordOf(kind: RecordKind, { devEui, endedAt, ...row }: RecordRow): StoredRecord {
  return { kind, ...row, devEui: devEui ?? undefined, endedAt: endedAt ?? undefined };
}
