/** Owns the database file and writes it. Runs inside a worker thread; synchronous as better-sqlite3 is. */
import { chmodSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import SqliteDatabase, { type Database } from 'better-sqlite3';
import type { DevEui, EventId, MeasurementKind, MetricDataType, MetricKey, SourceId } from '../../model';
import {
  EVENTS_PER_DEVICE,
  type InventoryKind,
  type InventoryRecord,
  type PruneResult,
  type PruneSlice,
  type SeenEvent,
  type StorageError,
  type StoredMetric,
  type StoredState,
  type WriteBatch,
} from '../backend';
import { storageError } from './failure';
import { BUSY_TIMEOUT } from './options';
import { columnsOf, runForEach, type SampleParameters, type SampleRow } from './rows';
import { migrate } from './schema';

/** The write-ahead log is cut back to this size after a checkpoint, bytes. */
const JOURNAL_LIMIT = 32 * 1024 * 1024;
/** Free pages given back to the file system after a slice of pruning. */
const VACUUM_PAGES = 256;
/** Metrics looked at in one slice of pruning, so that many empty ones do not make it long. */
const METRICS_PER_SLICE = 2_000;

/** The one thread that writes. */
export class DatabaseWriter {
  readonly #file: string;
  readonly #database: Database;
  readonly #statements: ReturnType<typeof prepare>;

  private constructor(file: string, database: Database) {
    this.#file = file;
    this.#database = database;
    this.#statements = prepare(database);
  }

  /**
   * Opens a file, migrates it and reads what is in it.
   * @throws StorageError
   */
  static open(
    file: string,
    options: { replaceDamaged: boolean; now: number },
  ): { writer: DatabaseWriter; state: StoredState } {
    const setAside = options.replaceDamaged ? setAsideDamaged(file, options.now) : undefined;
    try {
      return DatabaseWriter.#begin(file, setAside);
    } catch (thrown) {
      const error: StorageError = storageError(thrown);
      if (error.reason !== 'corrupt' || setAside !== undefined) throw error;
      return DatabaseWriter.#begin(file, setAsideDamaged(file, options.now));
    }
  }

  static #begin(file: string, setAside: string | undefined): { writer: DatabaseWriter; state: StoredState } {
    mkdirSync(dirname(file), { recursive: true });
    const isNew = !existsSync(file);
    const database = new SqliteDatabase(file, { timeout: BUSY_TIMEOUT });
    try {
      // It names devices and people: nobody else on the machine needs to read it.
      if (isNew) chmodSync(file, 0o600);
      if (isNew) database.pragma('auto_vacuum = INCREMENTAL');
      database.pragma('journal_mode = WAL');
      database.pragma('synchronous = NORMAL');
      database.pragma(`journal_size_limit = ${JOURNAL_LIMIT}`);
      database.pragma('temp_store = MEMORY');
      // A backup left by a migration that was killed is of the same schema: it is made again.
      migrate(database, (version) => {
        const backup = `${file}.schema-${version}.backup`;
        rmSync(backup, { force: true });
        database.prepare('VACUUM INTO ?').run(backup);
      });
      // Takes the write lock once: a read-only file or a second gateway is noticed now, not at the first sample.
      const wasClean = database.transaction(() => {
        const clean =
          database.prepare(`SELECT value FROM gateway_state WHERE name = 'closed'`).pluck().get() === 'clean';
        setState(database, 'closed', 'no');
        return clean;
      })();
      const writer = new DatabaseWriter(file, database);
      if (!wasClean) writer.#completeCurrentValues();
      return { writer, state: { ...writer.#load(), ...(setAside === undefined ? {} : { setAside }) } };
    } catch (error) {
      database.close();
      throw error;
    }
  }

  /** @throws StorageError; nothing of the batch is then in the database */
  write(batch: WriteBatch): void {
    this.#transaction(() => {
      const { metric, sample, current, event, record, recordGone } = this.#statements;
      for (const { id, definition } of batch.metrics)
        metric.run(
          id,
          definition.devEui,
          definition.key,
          definition.name,
          definition.kind,
          definition.dataType ?? null,
        );
      if (batch.samples) runForEach(sample, batch.samples);
      if (batch.currents) runForEach(current, batch.currents);
      for (const { devEui, sequence, eventId } of batch.events)
        event.run(devEui, sequence % EVENTS_PER_DEVICE, sequence, eventId);
      for (const { source, kind, id, body } of batch.inventory)
        if (body === undefined) recordGone.run(source, kind, id);
        else record.run(source, kind, id, body);
    });
  }

  /** @throws StorageError */
  prune({ before, afterMetric, limit }: PruneSlice): PruneResult {
    const { metricsAfter, lastOfSlice, removeUpTo } = this.#statements;
    let removed = 0;
    let next: number | undefined = afterMetric;
    this.#transaction(() => {
      const ids = metricsAfter.all(afterMetric, BigInt(METRICS_PER_SLICE));
      if (ids.length < METRICS_PER_SLICE) next = undefined;
      for (const id of ids) {
        const rest = limit - removed;
        // The newest of the samples that may go in this slice: one more exists behind it if there are too many.
        const last = lastOfSlice.get(id, before, BigInt(rest - 1));
        removed += removeUpTo.run(id, last === undefined ? before : last + 1).changes;
        if (last !== undefined) {
          next = id - 1;
          return;
        }
        if (next !== undefined) next = id;
      }
    });
    if (removed > 0) this.#guarded(() => this.#database.pragma(`incremental_vacuum(${VACUUM_PAGES})`));
    return { removed, next };
  }

  /** Idempotent. */
  close({ clean }: { clean: boolean }): void {
    if (!this.#database.open) return;
    try {
      if (clean) setState(this.#database, 'closed', 'clean');
    } finally {
      this.#database.close();
    }
  }

  get file(): string {
    return this.#file;
  }

  #load(): StoredState {
    const database = this.#database;
    const metrics = database
      .prepare<[], { id: number; devEui: string; key: string; name: string; kind: string; dataType: string | null }>(
        `SELECT metric_id AS id, dev_eui AS devEui, key, name, kind, data_type AS dataType FROM metrics ORDER BY metric_id`,
      )
      .all()
      .map(
        ({ id, devEui, key, name, kind, dataType }): StoredMetric => ({
          id,
          definition: {
            devEui: devEui as DevEui,
            key: key as MetricKey,
            name,
            kind: kind as MeasurementKind,
            dataType: (dataType ?? undefined) as MetricDataType | undefined,
          },
        }),
      );
    const currents = columnsOf(
      database
        .prepare<[], SampleRow>('SELECT metric_id, time, status, flags, value FROM current_values')
        .raw()
        .safeIntegers()
        .iterate(),
    );
    const events = database
      .prepare<[], { devEui: DevEui; sequence: number; eventId: EventId }>(
        'SELECT dev_eui AS devEui, sequence, event_id AS eventId FROM seen_events ORDER BY dev_eui, sequence',
      )
      .all() satisfies SeenEvent[];
    const inventory = database
      .prepare<[], { source: SourceId; kind: InventoryKind; id: string; body: string }>(
        'SELECT source, kind, id, body FROM inventory',
      )
      .all() satisfies InventoryRecord[];
    return { metrics, currents, events, inventory };
  }

  /**
   * Current values are written less often than history. After a crash the newest of history is what was known last.
   */
  #completeCurrentValues(): void {
    this.#database.exec(`
      INSERT INTO current_values (metric_id, time, status, flags, value)
      SELECT h.metric_id, h.time, h.status, h.flags, h.value
      FROM metrics m
      JOIN history h ON h.metric_id = m.metric_id
        AND h.time = (SELECT max(time) FROM history WHERE metric_id = m.metric_id AND value IS NOT NULL)
      LEFT JOIN current_values c ON c.metric_id = m.metric_id
      WHERE c.metric_id IS NULL OR h.time > c.time
      ON CONFLICT (metric_id) DO UPDATE
      SET time = excluded.time, status = excluded.status, flags = excluded.flags, value = excluded.value
    `);
  }

  #transaction(work: () => void): void {
    const transaction = this.#database.transaction(work);
    this.#guarded(() => transaction.immediate());
  }

  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      throw storageError(error);
    }
  }
}

function setState(database: Database, name: string, value: string): void {
  database.prepare('INSERT OR REPLACE INTO gateway_state (name, value) VALUES (?, ?)').run(name, value);
}

/** Renames the database and its companions; returns the new path, or `undefined` if there is none. */
function setAsideDamaged(file: string, now: number): string | undefined {
  if (!existsSync(file)) return undefined;
  const stamp = new Date(now).toISOString().replace(/[:.]/g, '-');
  let aside = `${file}.damaged-${stamp}`;
  for (let count = 2; existsSync(aside); count++) aside = `${file}.damaged-${stamp}-${count}`;
  for (const companion of ['', '-wal', '-shm'])
    if (existsSync(file + companion)) renameSync(file + companion, aside + companion);
  return aside;
}

function prepare(database: Database) {
  return {
    metric: database.prepare<[number, string, string, string, string, string | null]>(
      `INSERT INTO metrics (metric_id, dev_eui, key, name, kind, data_type) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (metric_id) DO UPDATE SET name = excluded.name, kind = excluded.kind, data_type = excluded.data_type`,
    ),
    // What takes the place of what: see correction.ts.
    sample: database.prepare<SampleParameters>(
      `INSERT INTO history (metric_id, time, status, flags, value) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (metric_id, time) DO UPDATE
       SET status = excluded.status, flags = excluded.flags | 128, value = excluded.value
       WHERE (value IS NOT excluded.value OR status <> excluded.status)
         AND (excluded.status >> 30) <= (status >> 30)`,
    ),
    current: database.prepare<SampleParameters>(
      'INSERT OR REPLACE INTO current_values (metric_id, time, status, flags, value) VALUES (?, ?, ?, ?, ?)',
    ),
    event: database.prepare<[string, number, number, string]>(
      'INSERT OR REPLACE INTO seen_events (dev_eui, slot, sequence, event_id) VALUES (?, ?, ?, ?)',
    ),
    record: database.prepare<[string, string, string, string]>(
      'INSERT OR REPLACE INTO inventory (source, kind, id, body) VALUES (?, ?, ?, ?)',
    ),
    recordGone: database.prepare<[string, string, string]>(
      'DELETE FROM inventory WHERE source = ? AND kind = ? AND id = ?',
    ),
    metricsAfter: database
      .prepare<[number, bigint], number>('SELECT metric_id FROM metrics WHERE metric_id > ? ORDER BY metric_id LIMIT ?')
      .pluck(),
    lastOfSlice: database
      .prepare<[number, number, bigint], number>(
        'SELECT time FROM history WHERE metric_id = ? AND time < ? ORDER BY time LIMIT 1 OFFSET ?',
      )
      .pluck(),
    removeUpTo: database.prepare<[number, number]>('DELETE FROM history WHERE metric_id = ? AND time < ?'),
  };
}
