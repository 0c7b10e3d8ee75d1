import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import * as fc from 'fast-check';
import { compareInventories, EMPTY_INVENTORY, type Reading } from '../../../lib/model';
import { StaleDetector } from '../../../lib/quality';
import { GatewayStore, MemoryBackend, type StorageRule } from '../../../lib/store';
import { capturedLogger } from '../../support/captured-logger';
import { ManualClock } from '../../support/manual-clock';
import { eventId, inventoryOf, key, reading, sensor, source, storedHistory } from './support';

const T = Date.UTC(2026, 10, 24, 12);
const MINUTE = 60_000;
/** Stale threshold of all metrics here. */
const THRESHOLD = 30 * MINUTE;
const { logger } = capturedLogger('store');

let clock: ManualClock;
let backend: MemoryBackend;
let store: GatewayStore;
let detector: StaleDetector;
let rules: StorageRule[];

/** What nodes/metric-store and nodes/stale-detector wire. */
async function start(): Promise<void> {
  store = new GatewayStore(backend, { clock, logger }, { retentionDays: 0, rules });
  await store.open();
  detector = new StaleDetector({
    clock,
    logger,
    settings: { rules: [], staleAfter: THRESHOLD, intervals: 3, fallback: THRESHOLD, deadFactor: 10 },
    inventory: () => store.inventory.merged(),
    keysOf: (devEui) =>
      store.metrics.ofDevice(devEui).map((definition) => ({
        key: definition.key,
        current: store.values.get(devEui, definition.key),
      })),
  });
  detector.onQuality((changed) => store.applyQuality(changed));
  detector.onGap((gap) => store.markGap(gap));
  store.inventory.onChange((change) => detector.inventoryChanged(change));
  for (const restored of store.restored()) detector.observe(restored);
  detector.start();
}
async function stop(): Promise<void> {
  detector.close();
  await store.close();
}
function receive(values: Reading['values'], time: number, part: Partial<Reading> = {}): void {
  const accepted = store.accept(reading(values, time, part));
  if (accepted) detector.observe(accepted.reading);
}
/** In minutes. */
async function history(): Promise<unknown[]> {
  return (await storedHistory(store, 'a')).map(([time, value, status]) =>
    status === 'Good' ? [(time - T) / MINUTE, value] : [(time - T) / MINUTE, value, status],
  );
}
const minutes = (count: number): Promise<void> => clock.advance(count * MINUTE);

beforeEach(async () => {
  clock = new ManualClock(T);
  backend = new MemoryBackend();
  rules = [];
  await start();
  store.inventory.replace(source, inventoryOf([sensor]));
});
afterEach(async () => {
  await stop();
  assert.equal(clock.pendingTimers, 0);
});

describe('what cannot be known', () => {
  test('a silent device leaves one Bad entry, when its value grew old', async () => {
    receive({ a: 1 }, T);
    await minutes(1_000);
    assert.deepEqual(await history(), [
      [0, 1],
      [30, undefined, 'BadNoCommunication'],
    ]);
    receive({ a: 2 }, clock.now());
    assert.deepEqual((await history()).at(-1), [1_000, 2]);
  });

  test('a gateway that was down for ten uplinks: after the replay there is neither a gap nor a hole', async () => {
    receive({ a: 0 }, T, { eventId: eventId('e0') });
    await minutes(1);
    await stop();
    await minutes(109);
    await start();
    assert.deepEqual((await history()).at(-1), [30, undefined, 'BadNoCommunication']);
    for (let uplink = 0; uplink <= 10; uplink++) {
      const time = T + uplink * 10 * MINUTE;
      receive({ a: uplink }, time, { eventId: eventId(`e${uplink}`), origin: 'replay' });
      await clock.advance(1);
    }
    const expected = Array.from({ length: 11 }, (_, uplink) => [uplink * 10, uplink]);
    assert.deepEqual(await history(), expected);
    assert.equal(store.values.get(sensor, key('a'))?.quality, 'Good');
  });

  test('what the replay does not bring stays a gap, in whichever order it comes', async () => {
    for (const order of [
      [40, 50, 120],
      [120, 50, 40],
      [50, 120, 40],
      [120, 40, 50],
    ]) {
      await stop();
      clock = new ManualClock(T);
      backend = new MemoryBackend();
      await start();
      receive({ a: 0 }, T);
      await minutes(125);
      for (const at of order) receive({ a: at }, T + at * MINUTE, { origin: 'replay' });
      await minutes(1);
      assert.deepEqual(
        await history(),
        [
          [0, 0],
          [30, undefined, 'BadNoCommunication'],
          [40, 40],
          [50, 50],
          [80, undefined, 'BadNoCommunication'],
          [120, 120],
        ],
        String(order),
      );
    }
  });

  test('a late event inside a gap moves it', async () => {
    receive({ a: 1 }, T);
    await minutes(60);
    receive({ a: 2 }, T + 20 * MINUTE);
    await minutes(1);
    assert.deepEqual(await history(), [
      [0, 1],
      [20, 2],
      [50, undefined, 'BadNoCommunication'],
    ]);
  });

  test('a restart inside a gap neither doubles nor forgets it', async () => {
    receive({ a: 1 }, T);
    await minutes(60);
    await stop();
    await minutes(60);
    await start();
    await minutes(60);
    const gap = [30, undefined, 'BadNoCommunication'];
    assert.deepEqual(await history(), [[0, 1], gap]);
    receive({ a: 2 }, T + 20 * MINUTE, { origin: 'replay' });
    receive({ a: 3 }, T + 40 * MINUTE, { origin: 'replay' });
    assert.deepEqual(await history(), [
      [0, 1],
      [20, 2],
      [40, 3],
    ]);
    await minutes(1);
    assert.deepEqual((await history()).at(-1), [70, undefined, 'BadNoCommunication']);
  });

  test('a restored value that is old makes a gap at its own time plus the threshold', async () => {
    receive({ a: 1 }, T);
    await minutes(10);
    await stop();
    await minutes(500);
    await start();
    assert.deepEqual((await history()).at(-1), [30, undefined, 'BadNoCommunication']);
  });

  test('events that come all at once have the gaps between them that they would have had in time', async () => {
    receive({ a: 1 }, T);
    clock.step(100 * MINUTE);
    receive({ a: 2 }, T + 100 * MINUTE);
    assert.deepEqual(await history(), [
      [0, 1],
      [30, undefined, 'BadNoCommunication'],
      [100, 2],
    ]);
  });

  test('a device out of service is a gap from that instant on; a late event does not move it', async () => {
    receive({ a: 1 }, T);
    await minutes(10);
    store.inventory.replace(source, inventoryOf([sensor], {}, { isDisabled: true }));
    await minutes(200);
    receive({ a: 2 }, T + 5 * MINUTE, { origin: 'replay' });
    assert.deepEqual(await history(), [
      [0, 1],
      [5, 2],
      [10, undefined, 'BadOutOfService'],
    ]);
    store.inventory.replace(source, inventoryOf([sensor]));
    receive({ a: 3 }, clock.now());
    assert.deepEqual((await history()).at(-1), [210, 3]);
  });

  test('a value from the future does not make what follows look old', async () => {
    receive({ a: 1 }, T + 600 * MINUTE);
    for (let uplink = 1; uplink <= 10; uplink++) {
      await minutes(10);
      receive({ a: uplink }, clock.now());
    }
    assert.equal(store.values.get(sensor, key('a'))?.quality, 'Good');
    assert.deepEqual(
      (await history()).filter((entry) => (entry as unknown[]).length > 2),
      [],
    );
  });

  test('a value that came meanwhile refutes a gap; a metric that is not known has none', async () => {
    receive({ a: 1 }, T);
    receive({ a: 2 }, T + 20 * MINUTE);
    const gap = { devEui: sensor, metric: key('a'), from: T + 30 * MINUTE, status: 'BadNoCommunication' } as const;
    store.markGap({ ...gap, after: T });
    store.markGap({ ...gap, metric: key('unknown') });
    assert.deepEqual(await history(), [
      [0, 1],
      [20, 2],
    ]);
    store.markGap({ ...gap, after: T + 20 * MINUTE });
    store.markGap({ ...gap, from: T + 40 * MINUTE });
    assert.deepEqual((await history()).slice(2), [[30, undefined, 'BadNoCommunication']]);
  });

  test('a gap that newer values overtook is refuted by a value before it as well', async () => {
    receive({ a: 1 }, T);
    receive({ a: 2 }, T + 29 * MINUTE);
    receive({ a: 3 }, T + 31 * MINUTE);
    const gap = { devEui: sensor, metric: key('a'), status: 'BadNoCommunication' } as const;
    store.markGap({ ...gap, from: T + 30 * MINUTE, after: T });
    assert.deepEqual(await history(), [
      [0, 1],
      [29, 2],
      [31, 3],
    ]);
    // Nothing lies between these two.
    receive({ a: 4 }, T + 100 * MINUTE);
    store.markGap({ ...gap, from: T + 61 * MINUTE, after: T + 31 * MINUTE });
    assert.deepEqual((await history()).slice(2), [
      [31, 3],
      [61, undefined, 'BadNoCommunication'],
      [100, 4],
    ]);
  });

  test('whatever comes when, with restarts in between: history has exactly the gaps that the events leave', async () => {
    const minute = (max: number): fc.Arbitrary<number> => fc.integer({ min: 1, max });
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.record({ time: minute(300), delay: fc.oneof(fc.constant(0), minute(200)) }), {
          maxLength: 12,
          selector: ({ time }) => time,
        }),
        fc.array(fc.record({ at: minute(400), down: minute(100) }), { maxLength: 3 }),
        async (events, restarts) => {
          await stop();
          clock = new ManualClock(T);
          backend = new MemoryBackend();
          await start();
          const until = (minutesFromStart: number): Promise<void> =>
            clock.advance(Math.max(0, T + minutesFromStart * MINUTE - clock.now()));
          const steps = [
            ...events.map(({ time, delay }) => ({ at: time + delay, time, down: 0 })),
            ...restarts.map((restart) => ({ ...restart, time: undefined })),
          ].sort((one, two) => one.at - two.at);
          receive({ a: 0 }, T);
          for (const { at, time, down } of steps) {
            await until(at);
            if (time === undefined) {
              await stop();
              await minutes(down);
              await start();
            } else receive({ a: time }, T + time * MINUTE);
          }
          await until(1_000);
          const times = [0, ...events.map(({ time }) => time)].sort((one, two) => one - two);
          const expected = times.flatMap((time, index) => {
            const next = times[index + 1] ?? Number.POSITIVE_INFINITY;
            return time + 30 < next
              ? [
                  [time, time],
                  [time + 30, undefined, 'BadNoCommunication'],
                ]
              : [[time, time]];
          });
          assert.deepEqual(await history(), expected);
        },
      ),
      { numRuns: 200 },
    );
  });

  test('nothing is said after the end, and a listener that left hears nothing', async () => {
    const heard: unknown[] = [];
    const stopListening = detector.onGap((gap) => heard.push(gap));
    stopListening();
    receive({ a: 1 }, T);
    await minutes(40);
    detector.close();
    detector.inventoryChanged(compareInventories(source, inventoryOf([sensor]), EMPTY_INVENTORY));
    assert.deepEqual(heard, []);
  });
});

describe('with a dead-band', () => {
  async function withRules(next: StorageRule[]): Promise<void> {
    await stop();
    rules = next;
    backend = new MemoryBackend();
    await start();
  }
  const only = (deadband: number): StorageRule[] => [{ device: '*', metric: key('a'), deadband }];

  test('only what differs is stored, and the last one before it: the line stays true', async () => {
    await withRules(only(0.5));
    const values = [20, 20.1, 20.5, 19.6, 21, 21.2, 21.5, 21.6];
    for (const [at, value] of values.entries()) receive({ a: value, other: value }, T + at * MINUTE);
    assert.equal(store.values.get(sensor, key('a'))?.value, 21.6);
    assert.deepEqual(await history(), [
      [0, 20],
      [3, 19.6],
      [4, 21],
      [6, 21.5],
      [7, 21.6],
    ]);
    assert.equal((await storedHistory(store, 'other')).length, 8);
  });

  test('0 stores changes only, of every type; a change of quality is one', async () => {
    await withRules(only(0));
    for (const [at, value] of ['x', 'x', 'y', 'y'].entries()) receive({ a: value }, T + at * MINUTE);
    assert.deepEqual(await history(), [
      [0, 'x'],
      [1, 'x'],
      [2, 'y'],
    ]);
    await withRules(only(0));
    receive({ a: 5n }, T);
    receive({ a: 5n }, T + 1 * MINUTE);
    receive({ a: 5n }, T + 2 * MINUTE, { quality: { a: 'UncertainSensorNotAccurate' } });
    receive({ a: 6n }, T + 3 * MINUTE, { quality: { a: 'UncertainSensorNotAccurate' } });
    assert.deepEqual(await history(), [
      [0, 5n],
      [1, 5n],
      [2, 5n, 'UncertainSensorNotAccurate'],
      [3, 6n, 'UncertainSensorNotAccurate'],
    ]);
  });

  test('integers and booleans are compared as what they are', async () => {
    await withRules(only(10));
    for (const [at, value] of [2n ** 60n, 2n ** 60n + 10n, 2n ** 60n - 11n].entries())
      receive({ a: value }, T + at * MINUTE);
    assert.deepEqual(
      (await history()).map((entry) => (entry as unknown[])[0]),
      [0, 1, 2],
    );
    await withRules(only(10));
    for (const [at, value] of [true, true, true, false].entries()) receive({ a: value }, T + at * MINUTE);
    assert.deepEqual(await history(), [
      [0, true],
      [2, true],
      [3, false],
    ]);
  });

  test('what is held is stored at the end, before a gap, and once an hour', async () => {
    await withRules(only(1));
    receive({ a: 1 }, T);
    await minutes(10);
    receive({ a: 1.5 }, clock.now());
    assert.deepEqual(await history(), [[0, 1]]);
    await minutes(60);
    assert.deepEqual(await history(), [
      [0, 1],
      [10, 1.5],
      [40, undefined, 'BadNoCommunication'],
    ]);
    for (let uplink = 0; uplink < 8; uplink++) {
      receive({ a: 1.5 }, clock.now());
      await minutes(20);
    }
    assert.deepEqual(
      (await history()).slice(3).map((entry) => (entry as unknown[])[0]),
      [70, 110, 130, 170, 190],
    );
    await stop();
    await start();
    assert.deepEqual((await history()).at(-1), [210, 1.5]);
  });

  test('late values are always stored, and what was held stands behind them', async () => {
    await withRules(only(1));
    await minutes(15);
    receive({ a: 1 }, T);
    receive({ a: 1.1 }, T + 10 * MINUTE);
    receive({ a: 5 }, T + 5 * MINUTE, { origin: 'replay' });
    receive({ a: 1 }, T - 5 * MINUTE, { origin: 'replay' });
    assert.deepEqual(await history(), [
      [-5, 1],
      [0, 1],
      [5, 5],
      [10, 1.1],
    ]);
  });

  test('a corrected value at the same time is stored', async () => {
    await withRules(only(1));
    receive({ a: 1 }, T);
    receive({ a: 1.5 }, T);
    assert.deepEqual(await history(), [[0, 1.5]]);
  });
});
