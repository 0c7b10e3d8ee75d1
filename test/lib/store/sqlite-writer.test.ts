import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import SqliteDatabase from 'better-sqlite3';
import type { EventId, SourceId } from '../../../lib/model';
import {
  GAP_FLAGS,
  metricsOf,
  SampleColumnsBuilder,
  StorageError,
  type StoredState,
  samplesOf,
} from '../../../lib/store';
import { backUp } from '../../../lib/store/sqlite/backup';
import { DatabaseReader } from '../../../lib/store/sqlite/reader';
import { RecordReader } from '../../../lib/store/sqlite/record-reader';
import { DatabaseWriter } from '../../../lib/store/sqlite/writer';
import { batch, columns, devEui, metric, type Row, slice } from './storage-conformance';

const options = { replaceDamaged: false, now: 0 };
const STALE = 0x8031_0000;

// In this thread, where coverage sees it.
describe('writer of the database', () => {
  let folder: string;
  let file: string;
  let writer: DatabaseWriter;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'lorua-writer-'));
    file = join(folder, 'lorua.db');
    writer = DatabaseWriter.open(file, options).writer;
  });
  afterEach(() => {
    writer.close({ clean: true });
    rmSync(folder, { recursive: true });
  });
  const rowsOf = (id: number): unknown[] => {
    const reader = new DatabaseReader(file);
    const rows = [...samplesOf(reader.range(id, 0, 1e15, 'ascending', 1_000))].map(({ time, value }) => [time, value]);
    reader.close();
    return rows;
  };
  const reopen = (clean: boolean): StoredState => {
    writer.close({ clean });
    const { writer: next, state } = DatabaseWriter.open(file, options);
    writer = next;
    return { ...state, ...writer.loadValues() };
  };

  test('writes, loads and closes', () => {
    const source = 's' as SourceId;
    writer.write(
      batch({
        metrics: [metric(1)],
        rows: [
          [1, 1, 1.5],
          [1, 2, 2n],
          [1, 3, true],
          [1, 4, 'x'],
          [1, 5, undefined],
        ],
        currents: columns([[1, 4, 'x']]).trimmed(),
        events: [{ devEui, sequence: 1, eventId: 'e' as EventId }],
        inventory: [
          { source, kind: 'device', id: 'a', body: '{}' },
          { source, kind: 'device', id: 'b', body: undefined },
        ],
      }),
    );
    assert.deepEqual(rowsOf(1), [
      [1, 1.5],
      [2, 2n],
      [3, true],
      [4, 'x'],
      [5, undefined],
    ]);
    assert.equal(writer.file, file);
    const state = reopen(true);
    assert.deepEqual([...metricsOf(state.metrics)], [metric(1)]);
    assert.deepEqual(
      [...samplesOf(state.currents)].map(({ value }) => value),
      ['x'],
    );
    assert.deepEqual([state.events.length, state.inventory.length], [1, 1]);
    writer.close({ clean: true });
    writer.close({ clean: true });
    assert.throws(() => writer.write(batch({})), StorageError);
    assert.throws(() => writer.commit({ records: [], removed: [], journal: [] }), StorageError);
  });

  test('after a failed batch it knows gaps as the database has them', () => {
    const gap = new SampleColumnsBuilder();
    gap.add(1, 10, STALE, GAP_FLAGS, undefined);
    const clash = { ...metric(1), id: 2 };
    writer.write(batch({ metrics: [metric(1)], rows: [[1, 0, 1]] }));
    assert.throws(
      () =>
        writer.write(
          batch({
            samples: gap.trimmed(),
            // Not a text: the batch fails behind its samples.
            events: [{ devEui, sequence: 1, eventId: {} as EventId }],
          }),
        ),
      StorageError,
    );
    assert.throws(() => writer.write(batch({ metrics: [clash] })), StorageError);
    writer.write(batch({ rows: [[1, 5, 2]] }));
    assert.deepEqual(rowsOf(1), [
      [0, 1],
      [5, 2],
    ]);
    writer.write(batch({ samples: gap.trimmed() }));
    const { gaps } = reopen(true);
    assert.deepEqual([gaps.length, gaps.metric[0], gaps.time[0]], [1, 1, 10]);
  });

  test('after a crash each current value is the newest value of history, found by the index', () => {
    const rows: Row[] = [
      [1, 20, 2],
      [2, 9, 'x'],
      [3, 5, undefined, 0x8000_0000],
    ];
    writer.write(
      batch({ metrics: [metric(1), metric(2), metric(3)], rows, currents: columns([[1, 10, 1]]).trimmed() }),
    );
    const { currents } = reopen(false);
    assert.deepEqual(
      [...samplesOf(currents)].map(({ metric: id, time, value }) => [id, time, value]),
      [
        [1, 20, 2],
        [2, 9, 'x'],
      ],
    );
  });

  test('durable batches are written through, samples after them are not waited for', () => {
    writer.commit({
      records: [
        {
          kind: 'command',
          id: 'c',
          devEui,
          state: 'Queued',
          createdAt: 1,
          changedAt: 1,
          endedAt: undefined,
          body: '{}',
        },
      ],
      removed: [],
      journal: [],
    });
    const records = new RecordReader(file);
    assert.equal(records.readRecords({ kind: 'command', limit: 1 }).length, 1);
    assert.equal(records.readJournal({ journal: 'audit', from: 0, to: 1, limit: 1 }).length, 0);
    records.close();
    records.close();
    assert.throws(() => records.readRecords({ kind: 'command', limit: 1 }), StorageError);
    assert.throws(() => records.statistics(), StorageError);
    assert.throws(() => new RecordReader(join(folder, 'none.db')), StorageError);
  });

  test('free pages are used again, and given back only where they are many', () => {
    const fill = (start: number): void => {
      for (let chunk = 0; chunk < 30; chunk++)
        writer.write(
          batch({
            metrics: [metric(1)],
            rows: Array.from({ length: 10_000 }, (_, index): Row => {
              const time = start + chunk * 10_000 + index;
              return [1, time, `a text that takes some room, number ${time}`];
            }),
          }),
        );
    };
    const prune = (before: number): void => {
      let left: number;
      do left = writer.prune(slice([1], before, 2_000)).removed;
      while (left > 0);
    };
    const size = (): number => {
      const database = new SqliteDatabase(file);
      database.pragma('wal_checkpoint(TRUNCATE)');
      database.close();
      return statSync(file).size;
    };
    const records = new RecordReader(file);
    fill(0);
    const full = size();
    // A little goes: its pages wait for what comes.
    prune(30_000);
    assert.ok(records.statistics().freeBytes > 0);
    assert.equal(size(), full);
    // Nearly all goes: the file gets small again, slice by slice.
    prune(290_000);
    const { bytes, freeBytes } = records.statistics();
    assert.ok(freeBytes <= Math.max(1_025 * 4_096, (bytes + freeBytes) * 0.26), `${freeBytes} of ${bytes + freeBytes}`);
    assert.ok(size() < full / 2);
    // The same amount again fits into what it was.
    prune(1e15);
    fill(1_000_000);
    assert.ok(size() <= full * 1.05);
    records.close();
  });

  test('a backup of what is no database fails', async () => {
    await assert.rejects(backUp(join(folder, 'none.db'), join(folder, 'copy.db')), StorageError);
    await backUp(file, join(folder, 'copy.db'));
    const copy = new SqliteDatabase(join(folder, 'copy.db'), { readonly: true });
    assert.equal(copy.pragma('journal_mode', { simple: true }), 'delete');
    copy.close();
  });

  test('questions to records and journals go by an index', () => {
    const database = new SqliteDatabase(file, { readonly: true });
    const plan = (sql: string): string =>
      database
        .prepare<[], { detail: string }>(`EXPLAIN QUERY PLAN ${sql}`)
        .all()
        .map(({ detail }) => detail)
        .join('; ');
    const newest = 'ORDER BY time DESC, sequence DESC LIMIT 10';
    for (const [sql, index] of [
      [`SELECT * FROM events WHERE time >= 1 AND time < 2 ${newest}`, 'events_by_time'],
      [`SELECT * FROM events WHERE time >= 1 AND time < 2 AND dev_eui = 'a' ${newest}`, 'events_by_device'],
      [`SELECT * FROM audit WHERE time >= 1 AND time < 2 AND user = 'a' ${newest}`, 'audit_by_user'],
      [`SELECT * FROM audit WHERE time >= 1 AND time < 2 AND type IN ('a') ${newest}`, 'audit_by_type'],
      ['SELECT * FROM commands ORDER BY created_at, id LIMIT 10', 'commands_by_creation'],
      [`SELECT * FROM commands WHERE dev_eui = 'a' ORDER BY created_at, id LIMIT 10`, 'commands_by_device'],
    ] as const) {
      const found = plan(sql);
      assert.match(found, new RegExp(`USING INDEX ${index}`));
      assert.doesNotMatch(found, /TEMP B-TREE/);
    }
    assert.doesNotMatch(plan('SELECT id FROM commands WHERE ended_at IS NULL ORDER BY created_at, id'), /TEMP B-TREE/);
    database.close();
  });
});
