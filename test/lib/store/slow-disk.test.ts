import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { wait } from '../../../lib/model';
import { GatewayStore, type StoreOptions, type WriteBatch } from '../../../lib/store';
import { type CapturedEntry, capturedLogger } from '../../support/captured-logger';
import { ManualClock } from '../../support/manual-clock';
import { fault, key, reading, sensor, storedHistory, TroubledBackend } from './support';

const T = Date.UTC(2026, 10, 24, 12);

let clock: ManualClock;
let backend: SlowBackend;
let store: GatewayStore;
let entries: CapturedEntry[];

/** A disk that takes a second for each write, whatever is in it. */
class SlowBackend extends TroubledBackend {
  /** ms */
  delay = 1_000;

  override async write(batch: WriteBatch): Promise<void> {
    await wait(clock, this.delay);
    await super.write(batch);
  }
}

async function start(options: Partial<StoreOptions> = {}): Promise<void> {
  clock = new ManualClock(T);
  backend = new SlowBackend();
  const captured = capturedLogger('store');
  entries = captured.entries;
  store = new GatewayStore(backend, { clock, logger: captured.logger }, { retentionDays: 0, ...options });
  await store.open();
}
async function stop(): Promise<void> {
  const closing = store.close();
  await clock.advance(20_000);
  await closing;
  assert.equal(clock.pendingTimers, 0);
}

describe('a disk that takes a second for each write', () => {
  beforeEach(() => start());

  test('for five minutes at 200 samples/s: nothing waits, nothing is lost, little is in memory', async () => {
    let most = 0;
    for (let tick = 0; tick < 300 * 20; tick++) {
      for (let index = 0; index < 10; index++) {
        const time = T + tick * 50 + index * 5;
        store.accept(reading({ [`m${index}`]: tick }, time));
        assert.equal(store.values.get(sensor, key(`m${index}`))?.time, time);
      }
      await clock.advance(50);
      most = Math.max(most, store.health().pending);
    }
    assert.ok(most <= 600, `${most} samples waited`);
    await clock.advance(3_000);
    assert.deepEqual(
      [store.health().committed, store.health().lost, store.health().pending, store.health().state],
      [60_000, 0, 0, 'healthy'],
    );
    // One write for all that waits, not one for each chunk of a fixed size.
    assert.ok(backend.writes.length <= 420, `${backend.writes.length} writes`);
    assert.equal((await storedHistory(store, 'm3')).length, 6_000);
    await stop();
  });

  test('at 50,000 samples/s: batches grow with what waits, nothing is lost', async () => {
    let most = 0;
    for (let tick = 0; tick < 100; tick++) {
      for (let index = 0; index < 5_000; index++) store.accept(reading({ a: index }, T + tick * 5_000 + index));
      await clock.advance(100);
      most = Math.max(most, store.health().pending);
    }
    assert.ok(most <= 150_000, `${most} samples waited`);
    await clock.advance(5_000);
    assert.deepEqual([store.health().committed, store.health().lost], [500_000, 0]);
    assert.ok(backend.writes.every(({ samples }) => (samples?.length ?? 0) <= 131_072));
    await stop();
  });

  test('a command waits for the write under way, not for all that wait', async () => {
    for (let index = 0; index < 10_000; index++) store.accept(reading({ a: index }, T + index));
    await clock.advance(100);
    for (let index = 0; index < 10_000; index++) store.accept(reading({ b: index }, T + index));
    let done = false;
    store.commit({ records: [], removed: [], journal: [] }).then(
      () => {
        done = true;
      },
      () => undefined,
    );
    await clock.advance(1_000);
    assert.equal(done, true);
    await stop();
  });
});

describe('a disk that is too slow for what comes', () => {
  test('the oldest are given up, and history says from when on for each metric', async () => {
    await start({ limits: { samples: 8_000 } });
    store.accept(reading({ a: 0, b: 0 }, T));
    await clock.advance(2_000);
    backend.writeFault = fault('locked');
    for (let index = 1; index <= 10_000; index++) store.accept(reading({ a: index }, T + index));
    store.accept(reading({ b: 1 }, T + 10_001));
    await clock.advance(3_000);
    const { lost } = store.health();
    assert.ok(lost > 0 && lost < 4_000, `${lost}`);
    assert.equal(entries.filter(({ event }) => event === 'dropped').length, 1);
    backend.writeFault = undefined;
    await clock.advance(20_000);
    assert.equal(store.health().committed, 10_003 - lost);
    assert.equal(store.health().pending, 0);
    const a = await storedHistory(store, 'a');
    assert.deepEqual(a.slice(0, 3), [
      [T, 0, 'Good'],
      [T + 1, undefined, 'BadDataLost'],
      [T + lost + 1, lost + 1, 'Good'],
    ]);
    assert.equal(a.length, 10_000 - lost + 2);
    assert.deepEqual(await storedHistory(store, 'b'), [
      [T, 0, 'Good'],
      [T + 10_001, 1, 'Good'],
    ]);
    await stop();
  });

  test('what says that samples were lost is not lost itself', async () => {
    await start({ limits: { samples: 800 } });
    backend.delay = 100;
    backend.writeFault = fault('locked');
    for (let round = 0; round < 20; round++) {
      for (let index = 0; index < 1_000; index++) store.accept(reading({ a: index }, T + round * 1_000 + index));
      await clock.advance(1_000);
    }
    backend.writeFault = undefined;
    await clock.advance(20_000);
    const a = await storedHistory(store, 'a');
    assert.deepEqual(a[0], [T, undefined, 'BadDataLost']);
    assert.deepEqual(
      a.slice(1).map(([, , status]) => status),
      Array.from({ length: a.length - 1 }, () => 'Good'),
    );
    assert.equal(entries.filter(({ event }) => event === 'lost').length, 1);
    await stop();
  });

  test('a disk that takes long each time is one trouble: one entry when it begins, one when it ends', async () => {
    await start();
    backend.delay = 8_000;
    for (let second = 0; second < 60; second++) {
      store.accept(reading({ a: second }, T + second * 1_000));
      await clock.advance(1_000);
    }
    assert.equal(store.health().state, 'degraded');
    backend.delay = 10;
    await clock.advance(10_000);
    assert.deepEqual([store.health().state, store.health().committed], ['healthy', 60]);
    assert.deepEqual(
      entries.filter(({ level }) => level !== 'debug').map(({ operation, event }) => [operation, event]),
      [
        ['restore', 'succeeded'],
        ['store', 'failed'],
        ['store', 'recovered'],
      ],
    );
    await stop();
  });

  test('batches are told about, one entry each', async () => {
    await start();
    store.accept(reading({ a: 1, b: 2 }, T));
    await clock.advance(2_000);
    assert.deepEqual(
      entries
        .filter(({ level, operation }) => level === 'debug' && operation === 'store')
        .map(({ event, message, count, duration_ms }) => [event, message, count, duration_ms]),
      [['succeeded', 'samples committed', 2, 1_000]],
    );
    await stop();
  });
});
