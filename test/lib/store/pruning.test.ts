import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { type NewJournalEntry, type StoreHealth, wait } from '../../../lib/model';
import { GatewayStore, type StoreOptions } from '../../../lib/store';
import { type CapturedEntry, capturedLogger } from '../../support/captured-logger';
import { ManualClock } from '../../support/manual-clock';
import { fault, key, other, rawRequest, reading, sensor, storedHistory, TroubledBackend } from './support';

const T = Date.UTC(2026, 10, 24, 12);
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

let clock: ManualClock;
let backend: TroubledBackend;
let store: GatewayStore;
let entries: CapturedEntry[];
let healths: StoreHealth[];

async function start(options: Partial<StoreOptions>): Promise<void> {
  const captured = capturedLogger('store');
  entries = captured.entries;
  healths = [];
  store = new GatewayStore(backend, { clock, logger: captured.logger }, { retentionDays: 0, ...options });
  store.onHealth((health) => healths.push(health));
  await store.open();
}
/** Age in days of what is stored. */
async function ages(name: string, devEui = sensor): Promise<number[]> {
  return (await storedHistory(store, name, devEui)).map(([time]) => (T - time) / DAY);
}

beforeEach(() => {
  clock = new ManualClock(T);
  backend = new TroubledBackend();
});
afterEach(async () => {
  const closing = store.close();
  await clock.advance(5_000);
  await closing;
  assert.equal(clock.pendingTimers, 0);
});

describe('retention', () => {
  test('is that of the metric, the device, or everything; 0 keeps for ever', async () => {
    await start({
      retentionDays: 7,
      rules: [
        { device: '*', metric: key('short'), retentionDays: 1 },
        { device: other, metric: '*', retentionDays: 30 },
        { device: '*', metric: key('ever'), retentionDays: 0 },
      ],
    });
    for (const days of [400, 20, 5, 0.5])
      for (const devEui of [sensor, other])
        store.accept(reading({ short: 1, ever: 1, usual: 1 }, T - days * DAY, { device: { devEui } }));
    await clock.advance(2 * MINUTE);
    assert.deepEqual(await ages('short'), [0.5]);
    assert.deepEqual(await ages('usual'), [5, 0.5]);
    assert.deepEqual(await ages('ever'), [400, 20, 5, 0.5]);
    assert.deepEqual(await ages('usual', other), [20, 5, 0.5]);
    assert.deepEqual(await ages('short', other), [0.5]);
    assert.deepEqual(
      entries.filter(({ operation, level }) => operation === 'prune' && level === 'info').map(({ count }) => count),
      [9],
    );
  });

  test('many metrics go in many slices, with writes in between; the next round comes in an hour', async () => {
    await start({ retentionDays: 1 });
    const values = Object.fromEntries(Array.from({ length: 700 }, (_, index) => [`m${index}`, index]));
    for (let sample = 0; sample < 20; sample++) store.accept(reading(values, T - 3 * DAY + sample));
    store.accept(reading(values, T));
    await clock.advance(MINUTE);
    await clock.advance(10);
    const begun = backend.slices.length;
    store.accept(reading({ m0: 1 }, T + MINUTE));
    await clock.advance(250);
    assert.equal(store.health().pending, 0);
    assert.ok(backend.slices.length > begun);
    await clock.advance(MINUTE);
    assert.ok(backend.slices.every(({ metrics, limit }) => metrics.length <= 256 && limit <= 16_000));
    assert.equal((await storedHistory(store, 'm699')).length, 1);
    assert.equal(entries.find(({ event }) => event === 'removed')?.count, 14_000);
    const { length } = backend.slices;
    await clock.advance(HOUR);
    assert.ok(backend.slices.length > length);
  });

  test('slices shrink on a slow disk, and as long a rest follows', async () => {
    await start({ retentionDays: 1 });
    for (let sample = 0; sample < 5_000; sample++) store.accept(reading({ a: 1 }, T - 3 * DAY + sample));
    await store.settled();
    const prune = backend.prune.bind(backend);
    backend.prune = async (slice) => {
      await wait(clock, 400);
      return prune(slice);
    };
    await clock.advance(MINUTE + 20_000);
    assert.deepEqual(
      backend.slices.slice(0, 5).map(({ limit }) => limit),
      [2_000, 1_000, 500, 250, 250],
    );
    assert.deepEqual(await ages('a'), []);
  });

  test('journals, commands and alarms have their own; what has not ended stays', async () => {
    await start({ eventDays: 30, auditDays: 365, commandDays: 90 });
    const entry = (journal: 'event' | 'audit', days: number): NewJournalEntry => ({
      journal,
      time: T - days * DAY,
      type: `${days}`,
      devEui: undefined,
      user: undefined,
      eventId: undefined,
      body: '{}',
    });
    for (let count = 0; count < 600; count++) store.record(entry('event', 40));
    for (const journal of ['event', 'audit'] as const)
      for (const days of [400, 100, 20]) store.record(entry(journal, days));
    const command = (id: string, endedAt: number | undefined) => ({
      kind: 'command' as const,
      id,
      devEui: sensor,
      state: 'Queued',
      createdAt: T - 200 * DAY,
      changedAt: T - 200 * DAY,
      endedAt,
      body: '{}',
    });
    await store.commit({
      records: [command('ended', T - 100 * DAY), command('recent', T - 80 * DAY), command('open', undefined)],
      removed: [],
      journal: [],
    });
    await clock.advance(2 * MINUTE);
    const types = async (journal: 'event' | 'audit'): Promise<string[]> =>
      (await store.readJournal({ journal, from: 0, to: 1e15, limit: 1_000 })).map(({ type }) => type).sort();
    assert.deepEqual(await types('event'), ['20']);
    assert.deepEqual(await types('audit'), ['100', '20']);
    assert.deepEqual((await store.readRecords({ kind: 'command', limit: 10 })).map(({ id }) => id).sort(), [
      'open',
      'recent',
    ]);
    assert.ok(backend.recordSlices.length >= 2);
  });

  test('without any limit nothing is ever asked', async () => {
    await start({});
    store.accept(reading({ a: 1 }, T - 4_000 * DAY));
    await clock.advance(DAY);
    assert.deepEqual([backend.slices.length, backend.recordSlices.length], [0, 0]);
  });

  test('a round that fails is over; the next one comes', async () => {
    await start({ retentionDays: 1 });
    store.accept(reading({ a: 1 }, T - 2 * DAY));
    backend.pruneFault = fault('locked');
    await clock.advance(2 * MINUTE);
    assert.ok(entries.some(({ operation, event }) => operation === 'prune' && event === 'failed'));
    backend.pruneFault = undefined;
    await clock.advance(HOUR + MINUTE);
    assert.deepEqual([await ages('a'), store.health().state], [[], 'healthy']);
  });
});

describe('a maximum size', () => {
  const SAMPLE = 100;
  /** As a database does: so many bytes for each sample, and something that is no history. */
  function sized(fixed: number): void {
    backend.bytes = () => fixed + SAMPLE * rows;
    const prune = backend.prune.bind(backend);
    const write = backend.write.bind(backend);
    let rows = 0;
    backend.write = async (batch) => {
      await write(batch);
      rows += batch.samples?.length ?? 0;
    };
    backend.prune = async (slice) => {
      const result = await prune(slice);
      rows -= result.removed;
      return result;
    };
  }

  test('removes the oldest history of all metrics alike, down to somewhat below, and says so once', async () => {
    sized(0);
    await start({ maximumSize: 100_000 });
    for (let hour = 600; hour > 0; hour--) store.accept(reading({ a: 1, b: 2 }, T - hour * HOUR));
    await clock.advance(2 * MINUTE);
    const [a, b] = [await ages('a'), await ages('b')];
    assert.deepEqual(a, b);
    assert.ok(a.length * 2 * SAMPLE <= 95_000 && a.length * 2 * SAMPLE > 85_000, `${a.length}`);
    assert.ok(Math.max(...a) * 24 < 500);
    assert.equal(entries.filter(({ event, operation }) => operation === 'prune' && event === 'removed').length, 1);
    assert.match(store.health().notice ?? '', /maximum size: samples from before 2026-\d\d/);
    assert.ok(healths.some(({ notice }) => notice !== undefined));
    const slices = backend.slices.length;
    await clock.advance(10 * MINUTE);
    assert.equal(backend.slices.length, slices);
  });

  test('a database that cannot shrink says so once, and again only when it had shrunk', async () => {
    sized(200_000);
    await start({ maximumSize: 100_000 });
    store.accept(reading({ a: 1 }, T - 5 * HOUR));
    store.accept(reading({ a: 2 }, T - MINUTE));
    await clock.advance(10 * MINUTE);
    const told = (): number =>
      entries.filter(({ level, operation }) => level === 'warn' && operation === 'prune').length;
    assert.equal(told(), 1);
    assert.match(store.health().notice ?? '', /larger than its maximum size/);
    // The newest hour stays.
    assert.equal((await store.readHistory(rawRequest('a'))).values.length, 1);
    const { bytes } = backend;
    backend.bytes = () => 0;
    await clock.advance(2 * MINUTE);
    backend.bytes = bytes;
    await clock.advance(2 * MINUTE);
    assert.equal(told(), 2);
  });

  test('a database without any history is looked at in vain, not for ever', async () => {
    sized(200_000);
    await start({ maximumSize: 100_000 });
    await clock.advance(10 * MINUTE);
    assert.equal(backend.slices.length, 0);
  });

  test('below the maximum nothing goes', async () => {
    sized(0);
    await start({ maximumSize: 100_000 });
    store.accept(reading({ a: 1 }, T - 5_000 * DAY));
    await clock.advance(10 * MINUTE);
    assert.equal(backend.slices.length, 0);
  });
});
