import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { NewJournalEntry } from '../../../lib/model';
import { type DurableBatch, GatewayStore, StorageError } from '../../../lib/store';
import { type CapturedEntry, capturedLogger } from '../../support/captured-logger';
import { ManualClock } from '../../support/manual-clock';
import { fault, reading, sensor, TroubledBackend } from './support';

const T = Date.UTC(2026, 10, 24, 12);

let clock: ManualClock;
let backend: TroubledBackend;
let store: GatewayStore;
let entries: CapturedEntry[];

beforeEach(() => {
  clock = new ManualClock(T);
  backend = new TroubledBackend();
  const captured = capturedLogger('store');
  entries = captured.entries;
  store = new GatewayStore(
    backend,
    { clock, logger: captured.logger },
    { retentionDays: 0, limits: { entries: 100, text: 1_000 } },
  );
});
afterEach(async () => {
  const closing = store.close();
  await clock.advance(10_000);
  await closing;
  assert.equal(clock.pendingTimers, 0);
});

const command = (id: string): DurableBatch => ({
  records: [
    {
      kind: 'command',
      id,
      devEui: sensor,
      state: 'Queued',
      createdAt: T,
      changedAt: T,
      endedAt: undefined,
      body: '{}',
    },
  ],
  removed: [],
  journal: [],
});
const entry = (type: string, body = '{}'): NewJournalEntry => ({
  journal: 'event',
  time: clock.now(),
  type,
  devEui: sensor,
  user: undefined,
  eventId: undefined,
  body,
});
const range = { journal: 'event', from: 0, to: 1e15, limit: 1_000 } as const;

/** How a promise has ended so far. */
function watch(promise: Promise<void>): { end: string } {
  const watched = { end: 'open' };
  promise.then(
    () => {
      watched.end = 'done';
    },
    (error: unknown) => {
      watched.end = error instanceof StorageError ? `${error.reason}: ${error.message}` : 'odd';
    },
  );
  return watched;
}

describe('durable commits', () => {
  test('are there when they resolve, and can be read', async () => {
    await store.open();
    await store.commit(command('c1'));
    const records = await store.readRecords({ kind: 'command', limit: 10 });
    assert.deepEqual(
      records.map(({ id, state }) => [id, state]),
      [['c1', 'Queued']],
    );
    await store.commit({ records: [], removed: [{ kind: 'command', id: 'c1' }], journal: [] });
    assert.deepEqual(await store.readRecords({ kind: 'command', limit: 10 }), []);
  });

  test('are served before samples that wait, in their own order', async () => {
    await store.open();
    let open = (): void => undefined;
    backend.gate = new Promise((resolve) => {
      open = resolve;
    });
    for (let index = 0; index < 9_000; index++) store.accept(reading({ a: index }, T + index));
    await clock.advance(0);
    for (let index = 0; index < 9_000; index++) store.accept(reading({ b: index }, T + index));
    const commits = [store.commit(command('c1')), store.commit(command('c2'))];
    backend.gate = undefined;
    const writesBefore = backend.writes.length;
    let writesThen = 0;
    commits[1]?.then(
      () => {
        writesThen = backend.writes.length;
      },
      () => undefined,
    );
    open();
    await Promise.all(commits);
    assert.deepEqual([writesBefore, writesThen], [0, 1]);
    assert.deepEqual(
      backend.commits.map(({ records }) => records[0]?.id),
      ['c1', 'c2'],
    );
  });

  test('a fault of the disk is told at once, and it is not done later', async () => {
    await store.open();
    backend.commitFault = fault('disk-full');
    const commit = watch(store.commit(command('c1')));
    await clock.advance(0);
    assert.equal(commit.end, 'disk-full: it is disk-full');
    assert.equal(store.health().state, 'degraded');
    backend.commitFault = undefined;
    await clock.advance(20_000);
    assert.equal(backend.commits.length, 0);
    assert.equal(store.health().state, 'healthy');
  });

  test('anything else that a backend throws is a fault of the storage', async () => {
    await store.open();
    backend.commitFault = new Error('odd') as never;
    const commit = watch(store.commit(command('c1')));
    await clock.advance(0);
    assert.equal(commit.end, 'internal: odd');
    backend.commitFault = undefined;
  });

  test('a disk in trouble is tried when somebody waits, and given up after two seconds', async () => {
    backend.openFault = fault('read-only');
    await store.open();
    await clock.advance(60_000);
    const opened = backend.opened.length;
    const commit = watch(store.commit(command('c1')));
    await clock.advance(0);
    assert.equal(backend.opened.length, opened + 1);
    await clock.advance(1_900);
    assert.equal(commit.end, 'open');
    await clock.advance(100);
    assert.equal(commit.end, 'read-only: it is read-only');
    backend.openFault = undefined;
    await clock.advance(20_000);
    assert.deepEqual([backend.commits.length, store.health().state], [0, 'healthy']);
  });

  test('a disk that comes back within two seconds does it', async () => {
    backend.openFault = fault('locked');
    await store.open();
    const commit = watch(store.commit(command('c1')));
    await clock.advance(1_000);
    backend.openFault = undefined;
    await clock.advance(1_000);
    assert.equal(commit.end, 'done');
  });

  test('while the storage is being opened, the end of the wait says so', async () => {
    backend.gate = new Promise(() => undefined);
    const opening = store.open();
    const commit = watch(store.commit(command('c1')));
    await clock.advance(2_000);
    assert.match(commit.end, /^timeout: .*being opened/);
    await clock.advance(10_000);
    await opening;
    backend.gate = undefined;
  });

  test('one under way on a disk that hangs: it may have been done', async () => {
    await store.open();
    let release = (): void => undefined;
    backend.gate = new Promise((resolve) => {
      release = resolve;
    });
    const underWay = watch(store.commit(command('c1')));
    const behind = watch(store.commit(command('c2')));
    await clock.advance(4_900);
    assert.deepEqual([underWay.end, behind.end], ['open', 'open']);
    await clock.advance(200);
    assert.match(underWay.end, /^timeout: .*may have been stored/);
    assert.match(behind.end, /^timeout: .*nothing was stored/);
    const late = watch(store.commit(command('c3')));
    await clock.advance(2_000);
    assert.match(late.end, /^timeout: /);
    backend.gate = undefined;
    release();
    await clock.advance(1_000);
    assert.deepEqual(
      backend.commits.map(({ records }) => records[0]?.id),
      ['c1'],
    );
  });

  test('who has waited for two seconds is told when the disk fails then', async () => {
    await store.open();
    let release = (): void => undefined;
    backend.gate = new Promise((resolve) => {
      release = resolve;
    });
    for (let index = 0; index < 9_000; index++) store.accept(reading({ a: index }, T + index));
    await clock.advance(0);
    const commit = watch(store.commit(command('c1')));
    await clock.advance(3_000);
    backend.writeFault = fault('disk-full');
    backend.gate = undefined;
    release();
    await clock.advance(0);
    assert.equal(commit.end, 'disk-full: it is disk-full');
    backend.writeFault = undefined;
  });

  test('what waits at the end is done; what cannot be done is told', async () => {
    await store.open();
    const commit = watch(store.commit(command('c1')));
    await store.close();
    assert.equal(commit.end, 'done');
    await assert.rejects(store.commit(command('c2')), /closed/);
  });

  test('an end while the disk hangs leaves nobody waiting', async () => {
    await store.open();
    let release = (): void => undefined;
    backend.gate = new Promise((resolve) => {
      release = resolve;
    });
    const [first, second] = [watch(store.commit(command('c1'))), watch(store.commit(command('c2')))];
    const closing = store.close();
    await clock.advance(3_000);
    assert.match(first.end, /may have been stored/);
    assert.match(second.end, /closed/);
    release();
    await closing;
  });
});

describe('journals', () => {
  test('entries are buffered, written with the next batch, and read with what waits', async () => {
    await store.open();
    store.record(entry('join'));
    assert.equal(backend.writes.length, 0);
    const read = store.readJournal(range);
    await clock.advance(0);
    assert.deepEqual(
      (await read).map(({ type, sequence }) => [type, sequence]),
      [['join', 1]],
    );
    store.record(entry('status'));
    await clock.advance(250);
    assert.equal(backend.writes.at(-1)?.journal.length, 1);
  });

  test('the buffer is bounded by number and by text: the oldest go first, told once', async () => {
    await store.open();
    backend.writeFault = fault('locked');
    for (let index = 0; index < 150; index++) store.record(entry(`e${index}`));
    await clock.advance(300);
    for (let index = 0; index < 50; index++) store.record(entry(`long${index}`, 'x'.repeat(100)));
    assert.equal(entries.filter(({ event }) => event === 'dropped').length, 1);
    backend.writeFault = undefined;
    await clock.advance(20_000);
    const kept = await store.readJournal(range);
    assert.equal(kept[0]?.type, 'long49');
    assert.ok(kept.length < 20, `${kept.length}`);
    backend.writeFault = fault('locked');
    for (let index = 0; index < 150; index++) store.record(entry(`f${index}`));
    assert.equal(entries.filter(({ event }) => event === 'dropped').length, 2);
    backend.writeFault = undefined;
  });

  test('a read on a slow disk does not wait for what cannot be written', async () => {
    await store.open();
    backend.writeFault = fault('locked');
    store.record(entry('join'));
    const read = store.readJournal(range);
    await clock.advance(1_100);
    assert.deepEqual(await read, []);
    backend.writeFault = undefined;
  });
});

describe('backup and statistics', () => {
  test('a storage without a backup of its own says so; statistics are passed on', async () => {
    await store.open();
    await assert.rejects(store.backup('/tmp/x'), { reason: 'not-permitted' });
    backend.bytes = () => 7;
    assert.deepEqual(await store.statistics(), { bytes: 7, freeBytes: 0 });
  });

  test('a backup holds what was accepted before', async () => {
    await store.open();
    Object.assign(backend, { backup: async (file: string) => ({ bytes: file.length + backend.writes.length }) });
    store.accept(reading({ a: 1 }, T));
    assert.deepEqual(await store.backup('/x'), { bytes: 3 });
  });
});
