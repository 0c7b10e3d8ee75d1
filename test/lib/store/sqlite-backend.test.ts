import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import SqliteDatabase from 'better-sqlite3';
import { systemClock } from '../../../lib/model';
import { GatewayStore, SqliteBackend, StorageError, samplesOf } from '../../../lib/store';
import { DatabaseReader, DatabaseWriter } from '../../../lib/store/sqlite/database';
import { errorOfRecord, failureRecord, storageError } from '../../../lib/store/sqlite/failure';
import { MIGRATIONS, migrate, SCHEMA_VERSION } from '../../../lib/store/sqlite/schema';
import { WorkerClient } from '../../../lib/store/sqlite/worker-client';
import { capturedLogger } from '../../support/captured-logger';
import { batch, columns, metric, storageConformance } from './storage-conformance';
import { key, reading, sensor } from './support';

function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'lorua-store-'));
}

storageConformance('sqlite', () => {
  const folder = temporaryFolder();
  const file = join(folder, 'deep', 'lorua.db');
  let backend = new SqliteBackend(file, systemClock);
  return Promise.resolve({
    backend,
    async reopen(clean: boolean) {
      await backend.close({ clean });
      backend = new SqliteBackend(file, systemClock);
      return backend;
    },
    async dispose() {
      await backend.close({ clean: true });
      rmSync(folder, { recursive: true });
    },
  });
});

const reasonIs = (reason: string) => (error: unknown) =>
  error instanceof StorageError && error.reason === reason && error.cure !== '';

describe('sqlite backend', () => {
  let folder: string;
  let file: string;
  let backend: SqliteBackend;
  beforeEach(() => {
    folder = temporaryFolder();
    file = join(folder, 'lorua.db');
    backend = new SqliteBackend(file, systemClock);
  });
  afterEach(async () => {
    await backend.close({ clean: true });
    rmSync(folder, { recursive: true });
  });
  const open = () => backend.open({ replaceDamaged: false });

  test('only the owner may read the file, and nothing stays beside it after the end', async () => {
    await open();
    assert.equal(statSync(file).mode & 0o777, 0o600);
    await backend.write(batch({ metrics: [metric(1)], rows: [[1, 1, 1]] }));
    await backend.readHistory({ metric: 1, from: 0, to: 9, limit: 9, order: 'ascending' });
    await backend.close({ clean: true });
    assert.deepEqual(readdirSync(folder), ['lorua.db']);
  });

  test('a file that is no database is set aside, not deleted', async () => {
    const content = 'this is not a database '.repeat(100);
    writeFileSync(file, content);
    const { setAside } = await open();
    assert.ok(setAside?.startsWith(`${file}.damaged-`));
    assert.equal(readFileSync(String(setAside), 'utf8'), content);
    await backend.write(batch({ metrics: [metric(1)] }));
  });

  test('a database is replaced on demand, with the write-ahead log', async () => {
    await open();
    await backend.write(batch({ metrics: [metric(1)], rows: [[1, 1, 1]] }));
    const state = await backend.open({ replaceDamaged: true });
    assert.deepEqual(state.metrics, []);
    const aside = new SqliteDatabase(String(state.setAside), { readonly: true });
    assert.deepEqual(aside.prepare('SELECT count(*) AS n FROM history').get(), { n: 1 });
    aside.close();
  });

  test('a damaged page met while writing is said to be corrupt', async () => {
    await open();
    await backend.close({ clean: true });
    const bytes = readFileSync(file);
    bytes.fill(0xa5, 4_096);
    writeFileSync(file, bytes);
    backend = new SqliteBackend(file, systemClock);
    const state = await open();
    assert.ok(state.setAside);
  });

  test('a newer schema is refused with a clear message and stays as it is', async () => {
    const database = new SqliteDatabase(file);
    database.pragma(`user_version = ${SCHEMA_VERSION + 1}`);
    database.close();
    await assert.rejects(open(), (error: unknown) => {
      assert.ok(reasonIs('newer-schema')(error));
      assert.match((error as Error).message, /schema 2.*up to 1/);
      return true;
    });
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.includes('damaged')),
      [],
    );
  });

  test('a database that another program has locked is said to be locked, and opens when it is free', async () => {
    await open();
    await backend.close({ clean: true });
    const other = new SqliteDatabase(file);
    other.exec('BEGIN EXCLUSIVE');
    backend = new SqliteBackend(file, systemClock);
    await assert.rejects(open(), reasonIs('locked'));
    other.exec('COMMIT');
    other.close();
    await open();
  });

  test('a path through a file is not permitted', async () => {
    const blocked = join(folder, 'blocked');
    writeFileSync(blocked, '');
    backend = new SqliteBackend(join(blocked, 'lorua.db'), systemClock);
    await assert.rejects(open(), reasonIs('not-permitted'));
    mkdirSync(join(folder, 'is-folder'));
    backend = new SqliteBackend(join(folder, 'is-folder'), systemClock);
    await assert.rejects(open(), reasonIs('not-permitted'));
  });

  test('writing goes on after a failed opening as soon as the reason is gone', async () => {
    const blocked = join(folder, 'blocked');
    writeFileSync(blocked, '');
    backend = new SqliteBackend(join(blocked, 'lorua.db'), systemClock);
    await assert.rejects(open());
    await assert.rejects(backend.write(batch({ metrics: [metric(1)] })), StorageError);
    rmSync(blocked);
    await backend.write(batch({ metrics: [metric(1)] }));
  });

  test('a batch is all or nothing', async () => {
    await open();
    const clash = { ...metric(1), id: 2 };
    await assert.rejects(
      backend.write(batch({ metrics: [metric(1), clash], rows: [[1, 1, 1]] })),
      reasonIs('internal'),
    );
    const page = await backend.readHistory({ metric: 1, from: 0, to: 9, limit: 9, order: 'ascending' });
    assert.equal(page.length, 0);
  });

  test('after a crash the current value is the newest of history', async () => {
    await open();
    await backend.write(
      batch({
        metrics: [metric(1), metric(2), metric(3)],
        rows: [
          [1, 20, 2],
          [2, 9, 'x'],
          [3, 5, undefined, 0x80000000],
        ],
        currents: columns([[1, 10, 1]]).trimmed(),
      }),
    );
    await backend.close({ clean: false });
    backend = new SqliteBackend(file, systemClock);
    const { currents } = await open();
    const samples = [...samplesOf(currents)].toSorted((one, two) => one.metric - two.metric);
    assert.deepEqual(
      samples.map(({ metric: id, time, value }) => [id, time, value]),
      [
        [1, 20, 2],
        [2, 9, 'x'],
      ],
    );
  });
});

describe('worker of the database', () => {
  test('killed while the store writes: nothing is lost, nothing doubled, reading goes on', async () => {
    const folder = temporaryFolder();
    const file = join(folder, 'lorua.db');
    const threads: { role: string; client: WorkerClient }[] = [];
    const backend = new SqliteBackend(file, systemClock, (data) => {
      const client = new WorkerClient(data);
      threads.push({ role: data.role, client });
      return client;
    });
    const { logger, entries } = capturedLogger('store');
    const store = new GatewayStore(backend, { clock: systemClock, logger }, { retentionDays: 0 });
    await store.open();
    const query = { devEui: sensor, metric: key('a'), from: 0, to: 1e15, limit: 100_000, order: 'ascending' } as const;
    for (let index = 0; index < 40_000; index++) {
      store.accept(reading({ a: index }, index));
      if (index % 10_000 === 5_000) {
        await store.readHistory(query);
        await Promise.all(threads.slice(-2).map(({ client }) => client.terminate()));
      }
    }
    await store.settled();
    const { samples } = await store.readHistory(query);
    assert.equal(samples.length, 40_000);
    assert.ok(samples.every(({ value }, index) => value === index));
    assert.equal(store.health().state, 'healthy');
    assert.ok(threads.filter(({ role }) => role === 'writer').length > 1);
    assert.ok(entries.every(({ level }) => level !== 'warn'));
    await store.close();
    rmSync(folder, { recursive: true });
  });

  test('a thread that dies fails its calls, and the backend starts another', async () => {
    const folder = temporaryFolder();
    const crashing = join(folder, 'crash.js');
    writeFileSync(
      crashing,
      `require('node:worker_threads').parentPort.on('message', () => { throw new Error('struck by lightning'); })`,
    );
    const client = new WorkerClient({ role: 'writer', file: 'unused' }, crashing);
    await assert.rejects(client.call('write', batch({})), /struck by lightning/);
    assert.ok(client.hasEnded);
    await assert.rejects(client.call('write', batch({})), StorageError);
    await client.terminate();

    const ending = join(folder, 'end.js');
    writeFileSync(ending, 'process.exit(3)');
    const ended = new WorkerClient({ role: 'reader', file: 'unused' }, ending);
    await assert.rejects(ended.call('write', batch({})), /code 3/);
    rmSync(folder, { recursive: true });
  });

  test('a call to a thread without a database is answered with an error', async () => {
    const client = new WorkerClient({ role: 'writer', file: 'unused' });
    await assert.rejects(client.call('write', batch({})), /not open/);
    await client.terminate();
    await client.terminate();
  });
});

describe('migrations', () => {
  test('run in order, each with its version, after one backup; a failed one leaves the version before', () => {
    const database = new SqliteDatabase(':memory:');
    const backups: number[] = [];
    const backUp = (version: number): number => backups.push(version);
    migrate(database, backUp, MIGRATIONS);
    assert.deepEqual(backups, []);
    const more = [...MIGRATIONS, 'ALTER TABLE metrics ADD COLUMN unit TEXT', 'CREATE TABLE broken (; '];
    assert.throws(() => migrate(database, backUp, more));
    assert.equal(database.pragma('user_version', { simple: true }), SCHEMA_VERSION + 1);
    migrate(database, backUp, [...more.slice(0, -1), 'CREATE TABLE fine (a)']);
    assert.equal(database.pragma('user_version', { simple: true }), SCHEMA_VERSION + 2);
    assert.deepEqual(backups, [1, 2]);
    migrate(database, backUp, [...more.slice(0, -1), 'CREATE TABLE fine (a)']);
    assert.deepEqual(backups, [1, 2]);
    database.close();
  });
});

// The same in this thread, where coverage sees it.
describe('database', () => {
  test('writes, reads, prunes, closes', () => {
    const folder = temporaryFolder();
    const file = join(folder, 'lorua.db');
    const options = { replaceDamaged: false, now: 0 };
    const { writer } = DatabaseWriter.open(file, options);
    const source = 's' as never;
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
        currents: columns([[1, 5, 1]]).trimmed(),
        events: [{ devEui: metric(1).definition.devEui, sequence: 1, eventId: 'e' as never }],
        inventory: [
          { source, kind: 'device', id: 'a', body: '{}' },
          { source, kind: 'device', id: 'b', body: undefined },
        ],
      }),
    );
    const reader = new DatabaseReader(file);
    const range = { metric: 1, from: 0, to: 9, limit: 9 };
    assert.deepEqual(
      [...samplesOf(reader.readHistory({ ...range, order: 'descending' }))].map(({ value }) => value),
      [undefined, 'x', true, 2n, 1.5],
    );
    assert.deepEqual(writer.prune({ before: 4, afterMetric: 0, limit: 2 }), { removed: 2, next: 0 });
    assert.deepEqual(writer.prune({ before: 4, afterMetric: 0, limit: 2 }), { removed: 1, next: undefined });
    assert.equal(reader.readHistory({ ...range, order: 'ascending' }).length, 2);
    reader.close();
    reader.close();
    assert.throws(() => reader.readHistory({ ...range, order: 'ascending' }), StorageError);
    assert.equal(writer.file, file);
    writer.close({ clean: true });
    writer.close({ clean: true });
    assert.throws(() => writer.write(batch({})), StorageError);
    assert.throws(() => new DatabaseReader(join(folder, 'none.db')), reasonIs('not-permitted'));
    const again = DatabaseWriter.open(file, options);
    assert.equal(again.state.metrics.length, 1);
    assert.equal(again.state.inventory.length, 1);
    again.writer.close({ clean: false });
    rmSync(folder, { recursive: true });
  });

  test('an older schema is backed up before it is migrated', () => {
    const folder = temporaryFolder();
    const file = join(folder, 'lorua.db');
    const database = new SqliteDatabase(file);
    migrate(database, () => undefined);
    database.prepare(`INSERT INTO gateway_state VALUES ('a', 'b')`).run();
    migrate(database, (version) => database.prepare('VACUUM INTO ?').run(`${file}.${version}`), [
      ...MIGRATIONS,
      'CREATE TABLE more (a)',
    ]);
    const backup = new SqliteDatabase(`${file}.1`);
    assert.equal(backup.pragma('user_version', { simple: true }), 1);
    backup.close();
    database.close();
    rmSync(folder, { recursive: true });
  });

  test('faults of SQLite and the file system have a reason and a cure', () => {
    const cases: [string, string][] = [
      ['SQLITE_FULL', 'disk-full'],
      ['ENOSPC', 'disk-full'],
      ['SQLITE_BUSY_SNAPSHOT', 'locked'],
      ['SQLITE_CORRUPT', 'corrupt'],
      ['SQLITE_NOTADB', 'corrupt'],
      ['SQLITE_READONLY_DIRECTORY', 'read-only'],
      ['EROFS', 'read-only'],
      ['SQLITE_CANTOPEN', 'not-permitted'],
      ['EACCES', 'not-permitted'],
      ['SQLITE_IOERR', 'internal'],
    ];
    for (const [code, reason] of cases) {
      const error = storageError(Object.assign(new Error('x'), { code }));
      assert.ok(reasonIs(reason)(error), code);
      assert.equal(error.code, code);
      assert.deepEqual(failureRecord(errorOfRecord(failureRecord(error))), failureRecord(error));
    }
    assert.equal(storageError('odd').reason, 'internal');
  });
});
