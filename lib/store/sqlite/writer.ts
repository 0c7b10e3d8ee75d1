/** Owns the database file and writes it. Runs inside a worker thread; synchronous as better-sqlite3 is. */
import type { Database } from 'better-sqlite3';
import {
  type DurableBatch,
  EVENTS_PER_DEVICE,
  type PruneResult,
  type PruneSlice,
  type RecordPruneSlice,
  type StoredState,
  type WriteBatch,
} from '../backend';
import { type DatabaseLock, lockDatabase } from './database-lock';
import { storageError } from './failure';
import { completeCurrentValues, loadCurrents, loadState } from './loading';
import { openDatabase, setState } from './opening';
import type { LoadedValues } from './protocol';
import { SamplePruner } from './pruner';
import { RecordWriter } from './record-writer';
import { GROUP_VALUES, runForEach, type StoredValue } from './rows';
import { SampleWriter } from './sample-writer';

const CURRENT = 'INSERT OR REPLACE INTO current_values (metric_id, time, status, flags, value) VALUES';

/** The one thread that writes. */
export class DatabaseWriter {
  readonly #file: string;
  readonly #database: Database;
  readonly #lock: DatabaseLock;
  readonly #statements: ReturnType<typeof prepare>;
  readonly #samples: SampleWriter;
  readonly #records: RecordWriter;
  readonly #pruner: SamplePruner;

  private constructor(file: string, database: Database, lock: DatabaseLock) {
    this.#file = file;
    this.#database = database;
    this.#lock = lock;
    this.#statements = prepare(database);
    this.#samples = new SampleWriter(database);
    this.#records = new RecordWriter(database);
    this.#pruner = new SamplePruner(database);
  }

  /**
   * Opens a file, migrates it and reads what is in it.
   * @throws StorageError
   */
  static open(
    file: string,
    options: { replaceDamaged: boolean; now: number },
  ): { writer: DatabaseWriter; state: Omit<StoredState, keyof LoadedValues> } {
    const lock = lockDatabase(file);
    let database: Database | undefined;
    try {
      const opened = openDatabase(file, options);
      database = opened.database;
      const writer = new DatabaseWriter(file, database, lock);
      if (!opened.wasClean) completeCurrentValues(database);
      const state = loadState(database);
      return { writer, state: opened.setAside === undefined ? state : { ...state, setAside: opened.setAside } };
    } catch (error) {
      database?.close();
      lock.release();
      throw storageError(error);
    }
  }

  /** Last values and open gaps. @throws StorageError */
  loadValues(): LoadedValues {
    return this.#guarded(() => ({ currents: loadCurrents(this.#database), gaps: this.#samples.openGaps() }));
  }

  /** @throws StorageError; nothing of the batch is then in the database */
  write(batch: WriteBatch): void {
    this.#transaction(() => {
      const { metric, currents, current, event, item, itemGone } = this.#statements;
      for (const { id, definition } of batch.metrics)
        metric.run(
          id,
          definition.devEui,
          definition.key,
          definition.name,
          definition.kind,
          definition.dataType ?? null,
        );
      if (batch.samples) this.#samples.write(batch.samples, batch.now);
      if (batch.currents) runForEach(currents, current, batch.currents);
      for (const { devEui, sequence, eventId } of batch.events)
        event.run(devEui, sequence % EVENTS_PER_DEVICE, sequence, eventId);
      for (const { source, kind, id, body } of batch.inventory)
        if (body === undefined) itemGone.run(source, kind, id);
        else item.run(source, kind, id, body);
      this.#records.enter(batch.journal);
    });
  }

  /** Returns when it is on the disk. @throws StorageError; nothing of the batch is then in the database */
  commit(batch: DurableBatch): void {
    this.#guarded(() => this.#database.pragma('synchronous = FULL'));
    try {
      this.#transaction(() => this.#records.write(batch));
    } finally {
      this.#guarded(() => this.#database.pragma('synchronous = NORMAL'));
    }
  }

  /** @throws StorageError */
  prune(slice: PruneSlice): PruneResult {
    const result = this.#transaction(() => this.#pruner.prune(slice));
    this.#guarded(() => this.#pruner.giveBack());
    return result;
  }

  /** @throws StorageError */
  pruneRecords(slice: RecordPruneSlice): number {
    return this.#transaction(() => this.#records.prune(slice));
  }

  /** Idempotent. */
  close({ clean }: { clean: boolean }): void {
    if (!this.#database.open) return;
    try {
      if (clean) setState(this.#database, 'closed', 'clean');
    } finally {
      this.#database.close();
      this.#lock.release();
    }
  }

  get file(): string {
    return this.#file;
  }

  #transaction<T>(work: () => T): T {
    try {
      return this.#guarded(() => this.#database.transaction(work).immediate());
    } catch (error) {
      this.#samples.forget();
      throw error;
    }
  }

  #guarded<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw storageError(error);
    }
  }
}

function prepare(database: Database) {
  return {
    metric: database.prepare<[number, string, string, string, string, string | null]>(
      `INSERT INTO metrics (metric_id, dev_eui, key, name, kind, data_type) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (metric_id) DO UPDATE SET name = excluded.name, kind = excluded.kind, data_type = excluded.data_type`,
    ),
    currents: database.prepare<[StoredValue[]]>(`${CURRENT} ${GROUP_VALUES}`),
    current: database.prepare<[StoredValue[]]>(`${CURRENT} (?, ?, ?, ?, ?)`),
    event: database.prepare<[string, number, number, string]>(
      'INSERT OR REPLACE INTO seen_events (dev_eui, slot, sequence, event_id) VALUES (?, ?, ?, ?)',
    ),
    item: database.prepare<[string, string, string, string]>(
      'INSERT OR REPLACE INTO inventory (source, kind, id, body) VALUES (?, ?, ?, ?)',
    ),
    itemGone: database.prepare<[string, string, string]>(
      'DELETE FROM inventory WHERE source = ? AND kind = ? AND id = ?',
    ),
  };
}
