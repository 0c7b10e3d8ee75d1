import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { InvalidInputError, type StoreHealth, systemClock } from '../../../lib/model';
import { GatewayStore, type StoreOptions } from '../../../lib/store';
import { type CapturedEntry, capturedLogger } from '../../support/captured-logger';
import { ManualClock } from '../../support/manual-clock';
import {
  eventId,
  fault,
  inventoryOf,
  key,
  other,
  reading,
  sensor,
  source,
  storedHistory,
  TroubledBackend,
} from './support';

const T = Date.UTC(2026, 10, 24, 12);

describe('when the disk makes trouble', () => {
  let clock: ManualClock;
  let backend: TroubledBackend;
  let store: GatewayStore;
  let entries: CapturedEntry[];
  let healths: StoreHealth[];

  function create(options: Partial<StoreOptions> = {}): void {
    const captured = capturedLogger('store');
    entries = captured.entries;
    store = new GatewayStore(
      backend,
      { clock, logger: captured.logger },
      { retentionDays: 7, file: '/data/x.db', ...options },
    );
    healths = [];
    store.onHealth((health) => healths.push(health));
  }
  beforeEach(() => {
    clock = new ManualClock(T);
    backend = new TroubledBackend();
    create();
  });
  afterEach(() => {
    assert.equal(clock.pendingTimers, 0);
  });
  const close = async (): Promise<void> => {
    const closing = store.close();
    await clock.advance(5_000);
    await closing;
  };

  test('samples are written within a quarter of a second, many at once', async () => {
    await store.open();
    for (let index = 0; index < 100; index++) store.accept(reading({ a: index }, T + index));
    assert.equal(backend.writes.length, 0);
    assert.equal(store.health().pending, 100);
    await clock.advance(250);
    assert.equal(backend.writes.length, 1);
    assert.deepEqual([store.health().pending, store.health().committed, store.health().state], [0, 100, 'healthy']);
    await close();
    assert.deepEqual(backend.closed, [{ clean: true }]);
    assert.equal(store.health().state, 'closed');
  });

  test('current values follow after five seconds and at the end', async () => {
    await store.open();
    store.accept(reading({ a: 1 }, T));
    await clock.advance(1_000);
    assert.equal(backend.writes.at(-1)?.currents, undefined);
    await clock.advance(5_000);
    assert.equal(backend.writes.at(-1)?.currents?.length, 1);
    store.accept(reading({ a: 2 }, T + 1));
    await close();
    assert.equal(backend.writes.at(-1)?.currents?.values[0], 2);
  });

  test('much is written at once, without a timer, and all of it', async () => {
    await store.open();
    for (let index = 0; index < 9_000; index++) store.accept(reading({ a: index }, T + index));
    await clock.advance(0);
    assert.deepEqual([store.health().committed, backend.writes.length], [9_000, 1]);
    await close();
  });

  test('a write that fails is tried again until it succeeds: one entry, nothing lost', async () => {
    await store.open();
    backend.writeFault = fault('disk-full');
    store.accept(reading({ a: 1 }, T, { eventId: eventId('e') }));
    await clock.advance(60_000);
    assert.deepEqual(
      [store.health().state, store.health().reason, store.health().cure],
      ['degraded', 'it is disk-full', 'Do something.'],
    );
    assert.equal(entries.filter(({ event }) => event === 'failed').length, 1);
    assert.deepEqual(
      entries.filter(({ event }) => event === 'failed').map(({ reason, code, file }) => [reason, code, file]),
      [['disk-full', 'SQLITE_X', '/data/x.db']],
    );
    assert.ok(store.accept(reading({ a: 2 }, T + 1)));
    assert.equal(store.values.get(sensor, key('a'))?.value, 2);
    backend.writeFault = undefined;
    await clock.advance(10_000);
    assert.deepEqual([store.health().state, store.health().pending, store.health().committed], ['healthy', 0, 2]);
    assert.equal(entries.filter(({ event }) => event === 'recovered').length, 1);
    assert.deepEqual(
      healths.map(({ state }) => state),
      ['healthy', 'degraded', 'healthy'],
    );
    assert.deepEqual(
      backend.writes[0]?.events.map(({ eventId: id }) => id),
      ['e'],
    );
    await close();
  });

  test('anything thrown is a fault of the disk, never of the flow', async () => {
    await store.open();
    backend.writeFault = new Error('odd') as never;
    store.accept(reading({ a: 1 }, T));
    await clock.advance(300);
    assert.equal(store.health().reason, 'odd');
    backend.writeFault = undefined;
    await close();
  });

  test('a slow disk delays nothing and loses nothing', async () => {
    await store.open();
    let open = (): void => undefined;
    for (let second = 0; second < 30; second++) {
      backend.gate = new Promise((resolve) => {
        open = resolve;
      });
      for (let index = 0; index < 200; index++) {
        const time = T + second * 1_000 + index;
        assert.ok(store.accept(reading({ a: index }, time)));
        assert.equal(store.values.get(sensor, key('a'))?.time, time);
      }
      await clock.advance(1_000);
      open();
    }
    backend.gate = undefined;
    await clock.advance(5_000);
    assert.deepEqual([store.health().committed, store.health().lost, store.health().pending], [6_000, 0, 0]);
    await close();
  });

  test('a call that hangs is said to be slow while it hangs', async () => {
    await store.open();
    let release = (): void => undefined;
    backend.gate = new Promise((resolve) => {
      release = resolve;
    });
    store.accept(reading({ a: 1 }, T));
    await clock.advance(6_000);
    assert.equal(store.health().state, 'degraded');
    assert.match(store.health().reason, /more than 5 s/);
    backend.gate = undefined;
    release();
    await clock.advance(250);
    assert.equal(store.health().state, 'healthy');
    await close();
  });

  test('the buffer is bounded: the oldest samples are given up first, counted, logged once', async () => {
    create({ limits: { samples: 20_000, text: 1_000_000 } });
    await store.open();
    backend.writeFault = fault('locked');
    for (let index = 0; index < 60_000; index++) store.accept(reading({ a: index }, T + index));
    await clock.advance(1_000);
    const { pending, lost } = store.health();
    assert.ok(pending <= 20_000, `${pending}`);
    assert.equal(pending + lost, 60_000);
    assert.equal(entries.filter(({ event }) => event === 'dropped').length, 1);
    backend.writeFault = undefined;
    await clock.advance(20_000);
    assert.equal(store.health().committed, pending);
    assert.equal(entries.find(({ event }) => event === 'lost')?.count, lost);
    assert.equal((await storedHistory(store, 'a')).at(-1)?.[1], 59_999);
    await close();
  });

  test('long texts count by their length', async () => {
    create({ limits: { samples: 1e9, text: 100_000 } });
    await store.open();
    backend.writeFault = fault('locked');
    for (let index = 0; index < 20_000; index++) store.accept(reading({ a: `text number ${index}` }, T + index));
    assert.ok(store.health().lost > 0);
    backend.writeFault = undefined;
    await close();
  });

  test('what cannot be written before the end is said, and the end comes all the same', async () => {
    await store.open();
    backend.writeFault = fault('disk-full');
    backend.closeFault = new Error('cannot close');
    store.accept(reading({ a: 1 }, T));
    await close();
    assert.equal(entries.find(({ reason }) => reason === 'shutdown')?.count, 1);
    assert.deepEqual(backend.closed, [{ clean: false }]);
    assert.ok(entries.some(({ message }) => message === 'cannot close'));
    await store.close();
    await clock.advance(1_000);
  });

  test('a start without disk: live values go on; when it is there all is merged under its own numbers', async () => {
    const { inner } = backend;
    await inner.open();
    const first = new GatewayStore(inner, { clock, logger: capturedLogger('store').logger }, { retentionDays: 0 });
    await first.open();
    first.accept(reading({ old: 1, a: 10, b: 20 }, T - 1_000, { eventId: eventId('old') }));
    first.inventory.replace(source, inventoryOf([sensor, other]));
    await first.close();

    backend.openFault = fault('read-only');
    await store.open();
    assert.deepEqual([store.health().state, store.health().reason], ['degraded', 'it is read-only']);
    store.accept(reading({ b: 21, fresh: 5 }, T, { eventId: eventId('new') }));
    store.inventory.replace(source, inventoryOf([sensor]));
    assert.equal(store.values.get(sensor, key('old')), undefined);
    backend.openFault = undefined;
    await clock.advance(20_000);
    assert.equal(store.health().state, 'healthy');
    assert.equal(store.values.get(sensor, key('old'))?.value, 1);
    assert.equal(store.values.get(sensor, key('b'))?.value, 21);
    assert.deepEqual([...store.inventory.merged().devices.keys()], [sensor]);
    assert.equal(store.accept(reading({ old: 1 }, T, { eventId: eventId('old') })), undefined);
    const values = async (name: string): Promise<unknown[]> =>
      (await storedHistory(store, name)).map(([, value]) => value);
    assert.deepEqual(await values('b'), [20, 21]);
    assert.deepEqual(await values('fresh'), [5]);
    assert.deepEqual(await values('old'), [1]);
    await close();
  });

  test('a disk that does not answer lets the start go on', async () => {
    backend.gate = new Promise(() => undefined);
    let opened = false;
    const opening = (async () => {
      await store.open();
      opened = true;
    })();
    await clock.advance(9_000);
    assert.equal(opened, false);
    await clock.advance(1_000);
    await opening;
    assert.equal(store.health().state, 'degraded');
    backend.gate = undefined;
    await close();
  });

  test('damage met while writing: the file is set aside, everything known goes into a new one', async () => {
    await store.open();
    store.inventory.replace(source, inventoryOf([sensor]));
    store.accept(reading({ a: 1 }, T));
    await clock.advance(10_000);
    backend.writes = [];
    backend.writeFault = fault('corrupt');
    backend.setAside = '/data/x.db.damaged';
    store.accept(reading({ a: 2 }, T + 1));
    await clock.advance(300);
    assert.equal(store.health().state, 'degraded');
    backend.writeFault = undefined;
    await clock.advance(20_000);
    assert.deepEqual(
      backend.opened.map(({ replaceDamaged }) => replaceDamaged),
      [false, true],
    );
    assert.match(store.health().notice ?? '', /x\.db\.damaged/);
    assert.equal(entries.find(({ event }) => event === 'moved')?.file, '/data/x.db.damaged');
    assert.deepEqual(
      backend.writes[0]?.metrics.map(({ definition }) => definition.key),
      ['a'],
    );
    assert.deepEqual(backend.writes[0]?.inventory.map(({ kind }) => kind).sort(), ['application', 'device', 'profile']);
    assert.equal(backend.writes.findLast(({ currents }) => currents)?.currents?.values[0], 2);
    await close();
  });

  test('old history goes in slices, hourly; a failed round is tried in the next hour', async () => {
    create({ retentionDays: 1 });
    await store.open();
    for (let index = 0; index < 5_000; index++) store.accept(reading({ a: index }, T - 2 * 86_400_000 + index));
    store.accept(reading({ a: 1 }, T));
    await clock.advance(70_000);
    assert.ok(backend.slices.length >= 2);
    assert.equal(entries.find(({ operation }) => operation === 'prune')?.count, 5_000);
    const count = backend.slices.length;
    backend.pruneFault = fault('locked');
    await clock.advance(3_600_000);
    backend.pruneFault = undefined;
    assert.equal(backend.slices.length, count);
    await clock.advance(3_700_000);
    assert.ok(backend.slices.length > count);
    await close();
  });

  test('without limit nothing is removed', async () => {
    create({ retentionDays: 0 });
    await store.open();
    await clock.advance(7_200_000);
    assert.equal(backend.slices.length, 0);
    await close();
  });

  test('settled waits for what was accepted, not for what comes later', async () => {
    await store.open();
    await store.settled();
    store.accept(reading({ a: 1 }, T));
    await store.settled();
    assert.equal(store.health().committed, 1);
    store.inventory.replace(source, inventoryOf([sensor]));
    await store.settled();
    assert.ok(backend.writes.some(({ inventory }) => inventory.length === 3));
    await close();
  });
});

describe('the real store on a real disk', () => {
  test('survives a file that is no database, keeps all, ends with nothing left open', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'lorua-store-'));
    const file = join(folder, 'lorua.db');
    writeFileSync(file, 'garbage '.repeat(1_000));
    const { logger, entries } = capturedLogger('store');
    const settings = { backend: 'sqlite', file, retentionDays: 7 } as const;
    const first = GatewayStore.create(settings, { clock: systemClock, logger });
    await first.open();
    assert.equal(first.health().state, 'healthy');
    assert.ok(entries.some(({ reason }) => reason === 'corrupt'));
    const now = Date.now();
    first.accept(reading({ a: 1.5, n: 2n ** 60n, s: 'x', b: true }, now, { eventId: eventId('e') }));
    await first.close();
    assert.equal(existsSync(`${file}-wal`), false);

    const second = GatewayStore.create(settings, { clock: systemClock, logger });
    await second.open();
    assert.deepEqual(second.restored()[0]?.values, { a: 1.5, n: 2n ** 60n, s: 'x', b: true });
    assert.equal(second.accept(reading({ a: 1.5 }, now, { eventId: eventId('e') })), undefined);
    await second.close();
    await second.close();
    assert.equal(readdirSync(folder).filter((name) => name.includes('damaged')).length, 1);
    rmSync(folder, { recursive: true });
  });

  test('settings that cannot work are refused, memory needs no file', async () => {
    const { logger } = capturedLogger('store');
    assert.throws(
      () => GatewayStore.create({ backend: 'sqlite', retentionDays: 7 }, { clock: systemClock, logger }),
      InvalidInputError,
    );
    const memory = GatewayStore.create({ backend: 'memory', retentionDays: 0 }, { clock: systemClock, logger });
    await memory.open();
    assert.equal(memory.health().state, 'healthy');
    await memory.close();
  });
});
