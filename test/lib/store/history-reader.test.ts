import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import SqliteDatabase from 'better-sqlite3';
import { systemClock } from '../../../lib/model';
import { SqliteBackend, StorageError, samplesOf } from '../../../lib/store';
import { DatabaseReader } from '../../../lib/store/sqlite/reader';
import { columnsOf, GOOD, type Row } from './history-support';

const MANY = 20_000;

describe('rows of a database', () => {
  let folder = '';
  let file = '';

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lorua-reader-'));
    file = join(folder, 'history.db');
    const backend = new SqliteBackend(file, systemClock);
    await backend.open({ replaceDamaged: false });
    const batch = { currents: undefined, metrics: [], events: [], inventory: [], journal: [], now: 0 };
    const many = Array.from({ length: MANY }, (_, index): Row => ({ time: index * 10, value: index, status: GOOD }));
    await backend.write({ ...batch, samples: columnsOf(many, 1) });
    const mixed: Row[] = [
      { time: 1, value: Number.NaN, status: GOOD },
      { time: 2, value: 'text', status: GOOD },
      { time: 3, value: undefined, status: 0x8031_0000 },
      { time: 4, value: true, status: 0x4000_0000 },
    ];
    await backend.write({ ...batch, samples: columnsOf(mixed, 2) });
    await backend.close({ clean: true });
  });
  after(() => rm(folder, { recursive: true }));

  test('are given in both orders, as many as are wanted', () => {
    const reader = new DatabaseReader(file);
    const forwards = reader.range(1, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, 'ascending', MANY + 1);
    assert.equal(forwards.length, MANY);
    assert.ok(forwards.time.every((time, index) => time === index * 10 && forwards.values[index] === index));
    const backwards = reader.range(1, 5, 199_985, 'descending', 10_000);
    assert.equal(backwards.length, 10_000);
    assert.ok(backwards.time.every((time, index) => time === 199_980 - index * 10));
    assert.equal(reader.range(1, 0, 0, 'ascending', 10).length, 0);
    assert.equal(reader.range(3, 0, 100, 'ascending', 10).length, 0);
    reader.close();
    reader.close();
  });

  test('keep values that SQLite has no word for', () => {
    const reader = new DatabaseReader(file);
    const values = Array.from(samplesOf(reader.range(2, 0, 10, 'ascending', 10)), ({ value }) => value);
    assert.deepEqual(values, [Number.NaN, 'text', undefined, true]);
    reader.close();
  });

  test('stay the same while one question is answered', () => {
    const reader = new DatabaseReader(file);
    const other = new SqliteDatabase(file);
    const count = (): number => reader.range(4, 0, 10, 'ascending', 10).length;
    const seen = reader.consistent(() => {
      const before = count();
      other.exec('INSERT INTO history (metric_id, time, status, flags, value) VALUES (4, 1, 0, 1, 2.5)');
      return [before, count()];
    });
    assert.deepEqual([...seen, count()], [0, 0, 1]);
    const broken = new StorageError('internal', 'it broke', 'Ask again.');
    assert.throws(
      () =>
        reader.consistent(() => {
          throw broken;
        }),
      broken,
    );
    assert.equal(count(), 1);
    other.close();
    reader.close();
  });

  test('cannot be had of a file that is not there, nor of one that is closed', () => {
    assert.throws(() => new DatabaseReader(join(folder, 'none.db')), StorageError);
    const reader = new DatabaseReader(file);
    reader.close();
    assert.throws(() => reader.range(1, 0, 10, 'ascending', 10), StorageError);
    assert.throws(() => reader.modified(1, 0, 10, 'ascending', 10), StorageError);
  });
});
