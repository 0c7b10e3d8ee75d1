import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import SqliteDatabase from 'better-sqlite3';
import { systemClock } from '../../../lib/model';
import { GatewayStore, SqliteBackend, StorageError, samplesOf } from '../../../lib/store';
import { errorOfRecord, failureRecord, storageError } from '../../../lib/store/sqlite/failure';
import { SCHEMA_VERSION } from '../../../lib/store/sqlite/schema';
import { WorkerClient } from '../../../lib/store/sqlite/worker-client';
import { capturedLogger } from '../../support/captured-logger';
import { eventually } from '../../support/eventually';
import {
  type BackendUnderTest,
  batch,
  columns,
  metric,
  type Row,
  rawRequest,
  storageConformance,
} from './storage-conformance';
import { correctionConformance } from './storage-corrections';
import { recordConformance } from './storage-records';
import { rawRequest as historyOf, reading } from './support';

function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'lorua-store-'));
}

function create(): Promise<BackendUnderTest> {
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
}

storageConformance('sqlite', create);
correctionConformance('sqlite', create);
recordConformance('sqlite', create);

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

  test('only the owner may read the file, and nothing but an empty lock stays beside it', async () => {
    await open();
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.deepEqual(
      readdirSync(folder).filter((name) => !/-(wal|shm)$/.test(name)),
      ['lorua.db', 'lorua.db.lock'],
    );
    await backend.write(batch({ metrics: [metric(1)], rows: [[1, 1, 1]] }));
    await backend.readHistory(rawRequest(1));
    await backend.close({ clean: true });
    assert.deepEqual(readdirSync(folder), ['lorua.db', 'lorua.db.lock']);
    const lock = statSync(`${file}.lock`);
    assert.deepEqual([lock.mode & 0o777, lock.size], [0o600, 0]);
  });

  test('a file that is no database is set aside, not deleted', async () => {
    const content = 'this is not a database '.repeat(100);
    writeFileSync(file, content);
    const { setAside } = await open();
    assert.ok(setAside?.startsWith(`${file}.damaged-`));
    assert.equal(readFileSync(String(setAside), 'utf8'), content);
    await backend.write(batch({ metrics: [metric(1)] }));
  });

  test('damage that shows only when last values are loaded is set aside too', async () => {
    const settings = { backend: 'sqlite', file, retentionDays: 0 } as const;
    const { logger } = capturedLogger();
    const first = GatewayStore.create(settings, { clock: systemClock, logger });
    await first.open();
    first.accept(reading({ a: 1 }, 1_000));
    await first.close();
    const database = new SqliteDatabase(file);
    const page = database.prepare(`SELECT rootpage FROM sqlite_schema WHERE name = 'current_values'`).pluck().get();
    const size = Number(database.pragma('page_size', { simple: true }));
    database.close();
    const content = readFileSync(file);
    content.fill(0xff, (Number(page) - 1) * size, Number(page) * size);
    writeFileSync(file, content);

    const store = GatewayStore.create(settings, { clock: systemClock, logger });
    await store.open();
    await eventually(() => store.health().state === 'healthy', 'a new database');
    assert.match(store.health().notice ?? '', /set aside/);
    assert.ok(readdirSync(folder).some((name) => name.startsWith('lorua.db.damaged-')));
    store.accept(reading({ a: 2 }, 2_000));
    await store.close();
    assert.equal((await open()).currents.length, 1);
  });

  test('a database is replaced on demand, with the write-ahead log', async () => {
    await open();
    await backend.write(batch({ metrics: [metric(1)], rows: [[1, 1, 1]] }));
    const state = await backend.open({ replaceDamaged: true });
    assert.equal(state.metrics.length, 0);
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
      assert.match((error as Error).message, /schema 4.*up to 3/);
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

  test('a database belongs to one writer; the next one gets it when the first has ended', async () => {
    await open();
    const second = new SqliteBackend(file, systemClock);
    await assert.rejects(second.open({ replaceDamaged: false }), reasonIs('locked'));
    await assert.rejects(second.open({ replaceDamaged: true }), reasonIs('locked'));
    // What the first one writes is not disturbed.
    await backend.write(batch({ metrics: [metric(1)], rows: [[1, 1, 1]] }));
    await backend.close({ clean: true });
    const state = await second.open({ replaceDamaged: false });
    assert.equal(state.metrics.length, 1);
    await second.close({ clean: true });
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
    const page = await backend.readHistory(rawRequest(1));
    assert.equal(page.columns.length, 0);
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

describe('backup', () => {
  let folder: string;
  let file: string;
  let target: string;
  let backend: SqliteBackend;
  beforeEach(async () => {
    folder = temporaryFolder();
    file = join(folder, 'lorua.db');
    target = join(folder, 'copy.db');
    backend = new SqliteBackend(file, systemClock);
    await backend.open({ replaceDamaged: false });
    const rows = Array.from({ length: 50_000 }, (_, time): Row => [1, time, time]);
    await backend.write(batch({ metrics: [metric(1)], rows }));
  });
  afterEach(async () => {
    await backend.close({ clean: true });
    rmSync(folder, { recursive: true });
  });
  const others = (): string[] => readdirSync(folder).filter((name) => !name.startsWith('lorua.db'));

  test('is a complete copy in one file for its owner alone, made while everything goes on', async () => {
    const progress = { isDone: false };
    const made = backend.backup(target).finally(() => {
      progress.isDone = true;
    });
    let written = 0;
    while (!progress.isDone) {
      await backend.write(batch({ rows: [[1, 1_000_000 + written, written]] }));
      written++;
      assert.equal((await backend.readHistory(rawRequest(1, { limit: 1 }))).columns.length, 1);
    }
    const { bytes } = await made;
    assert.ok(written > 0);
    assert.deepEqual(others(), ['copy.db']);
    assert.equal(statSync(target).size, bytes);
    assert.equal(statSync(target).mode & 0o777, 0o600);
    const copy = new SqliteDatabase(target, { readonly: true });
    assert.deepEqual(copy.pragma('quick_check'), [{ quick_check: 'ok' }]);
    const { n } = copy.prepare<[], { n: number }>('SELECT count(*) AS n FROM history').get() ?? { n: 0 };
    assert.ok(n >= 50_000 && n <= 50_000 + written, `${n}`);
    copy.close();
    const restored = new SqliteBackend(target, systemClock);
    const state = await restored.open({ replaceDamaged: false });
    assert.equal(state.currents.length, 1);
    await restored.close({ clean: true });
  });

  test('never overwrites a file', async () => {
    writeFileSync(target, 'mine');
    await assert.rejects(backend.backup(target), reasonIs('not-permitted'));
    assert.equal(readFileSync(target, 'utf8'), 'mine');
    await assert.rejects(backend.backup(join(folder, 'no', 'folder.db')), reasonIs('not-permitted'));
    mkdirSync(`${target}2.partial`);
    await assert.rejects(backend.backup(`${target}2`), StorageError);
    assert.deepEqual(others(), ['copy.db', 'copy.db2.partial']);
  });

  test('leaves nothing when it is withdrawn or the store closes', async () => {
    await assert.rejects(backend.backup(target, AbortSignal.abort()), StorageError);
    assert.deepEqual(others(), []);
    const controller = new AbortController();
    const withdrawn = assert.rejects(backend.backup(target, controller.signal), StorageError);
    setImmediate(() => controller.abort());
    await withdrawn;
    assert.deepEqual(others(), []);
    const closed = assert.rejects(backend.backup(target), StorageError);
    setImmediate(() => void backend.close({ clean: true }));
    await closed;
    assert.deepEqual(others(), []);
    await assert.rejects(backend.backup(target), StorageError);
  });

  test("a leftover of a backup that was killed is in nobody's way", async () => {
    writeFileSync(`${target}.partial`, 'half');
    await backend.backup(target);
    assert.deepEqual(others(), ['copy.db']);
  });

  test('of a damaged database says so and leaves nothing', async () => {
    await backend.close({ clean: true });
    const bytes = readFileSync(file);
    bytes.fill(0xa5, 200 * 4_096, 210 * 4_096);
    writeFileSync(file, bytes);
    backend = new SqliteBackend(file, systemClock);
    await assert.rejects(backend.backup(target), reasonIs('corrupt'));
    assert.deepEqual(others(), []);
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
    const query = historyOf('a');
    for (let index = 0; index < 40_000; index++) {
      store.accept(reading({ a: index }, index));
      if (index % 10_000 === 5_000) {
        await store.readHistory(query);
        await Promise.all(threads.slice(-2).map(({ client }) => client.terminate()));
      }
    }
    await store.settled();
    const { values } = await store.readHistory(query);
    assert.equal(values.length, 40_000);
    assert.ok(values.every(({ value }, index) => value === index));
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
    await assert.rejects(client.call('readRecords', { kind: 'command', limit: 1 }), /does not do readRecords/);
    await client.terminate();
    await client.terminate();
  });
});

describe('faults', () => {
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
