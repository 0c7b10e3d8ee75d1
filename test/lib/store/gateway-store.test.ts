import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import * as fc from 'fast-check';
import { type Inventory, type MetricValue, parseSourceId, type RadioGateway } from '../../../lib/model';
import { GatewayStore, MemoryBackend, type MetricsChange } from '../../../lib/store';
import { capturedLogger } from '../../support/captured-logger';
import { ManualClock } from '../../support/manual-clock';
import {
  eventId,
  gateway,
  inventoryOf,
  key,
  other,
  rawRequest,
  reading,
  sensor,
  source,
  storedHistory,
} from './support';

const T = Date.UTC(2026, 10, 24, 12);

let clock: ManualClock;
let backend: MemoryBackend;
let store: GatewayStore;
const { logger } = capturedLogger('store');
const newStore = (): GatewayStore => new GatewayStore(backend, { clock, logger }, { retentionDays: 7 });

beforeEach(async () => {
  clock = new ManualClock(T);
  backend = new MemoryBackend();
  store = newStore();
  await store.open();
});
afterEach(async () => {
  await store.close();
  assert.equal(clock.pendingTimers, 0);
});

async function restart(): Promise<void> {
  await store.close();
  store = newStore();
  await store.open();
}

const history = (name: string): Promise<unknown[]> => storedHistory(store, name);

describe('accepting readings', () => {
  test('a value becomes current and goes into history, the same object is passed on', async () => {
    const given = reading({ temperature: 21.5 }, T);
    const accepted = store.accept(given);
    assert.equal(accepted?.reading, given);
    assert.deepEqual([accepted.previous, accepted.late, accepted.lateKeys, accepted.faults], [{}, false, [], []]);
    assert.deepEqual(store.values.get(sensor, key('temperature')), {
      value: 21.5,
      quality: 'Good',
      time: T,
      statusTime: T,
      origin: 'event',
    });
    assert.deepEqual(await history('temperature'), [[T, 21.5, 'Good']]);
  });

  test('what was known before comes along', () => {
    store.accept(reading({ a: 1, b: true }, T));
    const accepted = store.accept(reading({ a: 2, c: 'x' }, T + 1));
    assert.deepEqual(accepted?.previous, { a: { value: 1, quality: 'Good', time: T, statusTime: T, origin: 'event' } });
    assert.deepEqual([...store.values.ofDevice(sensor).keys()], ['a', 'b', 'c']);
    assert.equal(store.values.ofDevice(other).size, 0);
  });

  test('the same event is taken once, after a restart as well; without an id nothing is the same', async () => {
    assert.ok(store.accept(reading({ a: 1 }, T, { eventId: eventId('e1') })));
    assert.equal(store.accept(reading({ a: 1 }, T, { eventId: eventId('e1'), origin: 'replay' })), undefined);
    await restart();
    assert.equal(store.accept(reading({ a: 1 }, T, { eventId: eventId('e1'), origin: 'replay' })), undefined);
    assert.ok(store.accept(reading({ a: 1 }, T, { device: { devEui: other }, eventId: eventId('e1') })));
    assert.ok(store.accept(reading({ b: 1 }, T)));
    assert.ok(store.accept(reading({ b: 1 }, T)));
    assert.deepEqual(await history('b'), [[T, 1, 'Good']]);
  });

  test('a late value goes into history at its own time and does not become current', async () => {
    store.accept(reading({ a: 2 }, T));
    const accepted = store.accept(reading({ a: 1, b: 5 }, T - 1_000, { origin: 'replay' }));
    assert.deepEqual([accepted?.late, accepted?.lateKeys], [false, ['a']]);
    assert.equal(store.accept(reading({ a: 0 }, T - 2_000))?.late, true);
    assert.equal(store.values.get(sensor, key('a'))?.value, 2);
    assert.equal(store.values.get(sensor, key('b'))?.value, 5);
    assert.deepEqual(await history('a'), [
      [T - 2_000, 0, 'Good'],
      [T - 1_000, 1, 'Good'],
      [T, 2, 'Good'],
    ]);
  });

  test('a value from the future does not silence its metric', () => {
    const now = clock.now();
    store.accept(reading({ a: 1 }, now + 3_600_000));
    assert.equal(store.accept(reading({ a: 2 }, now))?.late, false);
    assert.equal(store.values.get(sensor, key('a'))?.value, 2);
  });

  test('an uplink without values is accepted: the device is alive', () => {
    const accepted = store.accept(reading({}, T, { eventId: eventId('empty') }));
    assert.deepEqual([accepted?.late, accepted?.lateKeys], [false, []]);
  });

  test('a value of another type is kept out: the last one becomes uncertain, one fault', async () => {
    store.accept(reading({ a: 1.5 }, T));
    const accepted = store.accept(reading({ a: 'broken', b: 2 }, T + 1));
    assert.deepEqual(accepted?.reading.values, { b: 2 });
    assert.deepEqual(accepted?.reading.quality, { a: 'UncertainLastUsableValue' });
    assert.equal(accepted?.faults.length, 1);
    assert.match(accepted?.faults[0]?.rule ?? '', /Double/);
    assert.deepEqual(store.values.get(sensor, key('a')), {
      value: 1.5,
      quality: 'UncertainLastUsableValue',
      time: T,
      statusTime: T + 1,
      origin: 'event',
    });
    assert.equal(store.accept(reading({ a: true }, T + 2))?.faults.length, 0);
    store.accept(reading({ a: 2 }, T + 3));
    assert.equal(store.values.get(sensor, key('a'))?.quality, 'Good');
    assert.equal(store.accept(reading({ a: true }, T + 4))?.faults.length, 1);
    assert.deepEqual(await history('a'), [
      [T, 1.5, 'Good'],
      [T + 3, 2, 'Good'],
    ]);
  });

  test('a first value that cannot be represented gives BadTypeMismatch and settles nothing', () => {
    const accepted = store.accept(reading({ a: 2n ** 80n, n: Number.NaN }, T));
    assert.deepEqual(accepted?.reading.quality, { a: 'BadTypeMismatch', n: 'BadTypeMismatch' });
    assert.equal(store.metrics.get(sensor, key('a'))?.dataType, undefined);
    assert.equal(store.values.get(sensor, key('a'))?.value, undefined);
    store.accept(reading({ a: 1 }, T + 1));
    assert.equal(store.metrics.get(sensor, key('a'))?.dataType, 'Double');
  });

  test('an older value of the wrong type does not touch the current one', () => {
    store.accept(reading({ a: 1 }, T));
    store.accept(reading({ a: 'x' }, T - 1));
    assert.equal(store.values.get(sensor, key('a'))?.quality, 'Good');
  });

  test('numbers are given in the type of their metric', async () => {
    store.accept(reading({ count: 5n }, T));
    assert.deepEqual(store.accept(reading({ count: 6 }, T + 1))?.reading.values, { count: 6n });
    assert.deepEqual((await history('count')).at(-1), [T + 1, 6n, 'Good']);
  });

  test('a status alone keeps the last value; in history it is a gap', async () => {
    store.accept(reading({ a: 1 }, T));
    store.accept(reading({}, T + 5, { quality: { a: 'BadSensorFailure', z: 'BadNoData' }, origin: 'flow' }));
    const a = store.values.get(sensor, key('a'));
    assert.deepEqual([a?.value, a?.quality, a?.time, a?.statusTime], [1, 'BadSensorFailure', T, T + 5]);
    assert.equal(store.values.get(sensor, key('z'))?.quality, 'BadNoData');
    assert.deepEqual((await history('a')).at(-1), [T + 5, undefined, 'BadSensorFailure']);
  });

  test('names that objects have by themselves are metrics like others', () => {
    const values = JSON.parse('{"__proto__": 1, "constructor": 2}') as Record<string, MetricValue>;
    store.accept(reading(values, T));
    const accepted = store.accept(reading(values, T + 1));
    assert.deepEqual(Object.keys(accepted?.previous ?? {}), ['__proto__', 'constructor']);
  });

  test('history and current value agree with a simple model, whatever comes in whatever order', async () => {
    let run = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            time: fc.integer({ min: 0, max: 30 }),
            value: fc.integer(),
            id: fc.integer({ min: 0, max: 15 }),
          }),
          { maxLength: 40 },
        ),
        async (events) => {
          const name = `p${run++}`;
          const seen = new Set<number>();
          const rows = new Map<number, number>();
          let current: { time: number; value: number } | undefined;
          for (const { time, value, id } of events) {
            const accepted = store.accept(reading({ [name]: value }, time, { eventId: eventId(`${name}-${id}`) }));
            assert.equal(accepted === undefined, seen.has(id));
            if (seen.has(id)) continue;
            seen.add(id);
            rows.set(time, value);
            if (current === undefined || time >= current.time) current = { time, value };
          }
          const known = store.values.get(sensor, key(name));
          assert.deepEqual(known && { time: known.time, value: known.value }, current);
          assert.deepEqual(
            await history(name),
            [...rows].sort(([a], [b]) => a - b).map(([time, value]) => [time, value, 'Good']),
          );
        },
      ),
      { numRuns: 50 },
    );
  });
});

describe('quality of current values', () => {
  test('changes the status and its time alone', async () => {
    store.accept(reading({ a: 1 }, T));
    store.applyQuality(reading({ a: 1 }, T + 60, { quality: { a: 'UncertainLastUsableValue' }, origin: 'stale' }));
    const a = store.values.get(sensor, key('a'));
    assert.deepEqual(
      [a?.value, a?.quality, a?.time, a?.statusTime, a?.origin],
      [1, 'UncertainLastUsableValue', T, T + 60, 'event'],
    );
    store.applyQuality(reading({ a: 1 }, T + 70, { origin: 'stale' }));
    assert.equal(store.values.get(sensor, key('a'))?.quality, 'Good');
    assert.equal((await history('a')).length, 1);
  });

  test('what is said of an older value does not touch a newer one; strangers are ignored', () => {
    store.accept(reading({ a: 1 }, T));
    store.applyQuality(reading({ a: 1, unknown: 1 }, T - 1, { quality: { a: 'BadNoCommunication' }, origin: 'stale' }));
    store.applyQuality(reading({ a: 1 }, T, { device: { devEui: other }, origin: 'stale' }));
    assert.equal(store.values.get(sensor, key('a'))?.quality, 'Good');
  });

  test('a metric without value can have a status', () => {
    store.inventory.replace(source, inventoryOf([sensor], { a: { name: '', kind: 'GAUGE' } }));
    store.applyQuality(reading({}, T, { quality: { a: 'BadOutOfService' }, origin: 'stale' }));
    const a = store.values.get(sensor, key('a'));
    assert.deepEqual([a?.value, a?.quality, a?.time], [undefined, 'BadOutOfService', 0]);
  });
});

describe('after a restart', () => {
  test('values are there again, uncertain until confirmed, one reading per device and source time', async () => {
    store.inventory.replace(source, inventoryOf([sensor]));
    store.accept(reading({ a: 1, big: 2n ** 62n, on: true }, T));
    store.accept(reading({ text: 'x' }, T + 5));
    store.accept(reading({ mean: 3 }, T + 5, { origin: 'metrics', quality: { mean: 'UncertainSubNormal' } }));
    store.accept(reading({ a: 9 }, T, { device: { devEui: other } }));
    await restart();
    const restored = store.restored();
    assert.deepEqual(
      restored
        .toSorted((one, two) => one.time - two.time || (one.device.devEui < two.device.devEui ? -1 : 1))
        .map(({ device, time, values }) => [device.devEui, device.name, time, values]),
      [
        [sensor, 'Sensor 1', T, { a: 1, big: 2n ** 62n, on: true }],
        [other, undefined, T, { a: 9 }],
        [sensor, 'Sensor 1', T + 5, { text: 'x', mean: 3 }],
      ],
    );
    assert.deepEqual(restored.find(({ values }) => 'text' in values)?.quality, {
      text: 'UncertainLastUsableValue',
      mean: 'UncertainSubNormal',
    });
    assert.ok(restored.every(({ origin }) => origin === 'restored'));
    assert.equal(store.values.get(sensor, key('on'))?.quality, 'UncertainLastUsableValue');
    assert.equal(store.metrics.get(sensor, key('big'))?.dataType, 'Int64');
    store.accept(reading({ a: 2, text: 'y' }, T + 9));
    assert.deepEqual(
      store
        .restored()
        .map(({ values }) => Object.keys(values))
        .flat()
        .sort(),
      ['a', 'big', 'mean', 'on'],
    );
    assert.ok(store.accept(reading({ a: 0 }, T - 5))?.late);
  });

  test('staleness is not kept: it is judged anew', async () => {
    store.accept(reading({ a: 1 }, T));
    store.applyQuality(reading({ a: 1 }, T + 60, { quality: { a: 'BadNoCommunication' }, origin: 'stale' }));
    await restart();
    assert.equal(store.values.get(sensor, key('a'))?.quality, 'UncertainLastUsableValue');
  });

  test('the inventory is there again, and what left it is not', async () => {
    store.inventory.replace(source, inventoryOf([sensor, other]));
    store.inventory.replace(source, inventoryOf([sensor]));
    await restart();
    assert.deepEqual([...store.inventory.merged().devices.keys()], [sensor]);
    assert.deepEqual(store.inventory.of(source), inventoryOf([sensor]));
    assert.equal(store.inventory.device(sensor)?.name, 'Sensor 1');
    assert.equal(store.inventory.device(other), undefined);
  });

  test('gateways are there again as they last changed', async () => {
    const known = inventoryOf([sensor]);
    const roof = gateway(1, { lastSeenAt: T });
    store.inventory.replace(source, {
      ...known,
      gateways: new Map([roof, gateway(2)].map((item) => [item.gatewayId, item])),
    });
    store.inventory.replace(source, {
      ...known,
      gateways: new Map([[roof.gatewayId, { ...roof, lastSeenAt: T + 30_000 }]]),
    });
    await restart();
    assert.deepEqual([...store.inventory.merged().gateways.values()], [roof]);
  });

  test('gateways that are only heard again are told apart from changes', () => {
    const known = inventoryOf([sensor]);
    const of = (...items: RadioGateway[]): Inventory => ({
      ...known,
      gateways: new Map(items.map((item) => [item.gatewayId, item])),
    });
    const told: string[] = [];
    const revision = (): number => store.revision;
    store.inventory.onChange(({ gateways: { added, changed, removed } }) =>
      told.push(`${added.length} added, ${changed.length} changed, ${removed.length} removed`),
    );
    const stop = store.inventory.onGatewaysSeen((gateways) =>
      told.push(
        `seen ${gateways.map(({ gatewayId, lastSeenAt = 0 }) => `${gatewayId.at(-1) ?? ''}@${lastSeenAt - T}`).join()}`,
      ),
    );
    store.inventory.replace(source, of(gateway(1), gateway(2)));
    const before = revision();
    store.inventory.replace(source, of(gateway(1, { lastSeenAt: T + 5 }), gateway(2)));
    assert.equal(revision(), before);
    assert.equal(store.inventory.merged().gateways.get(gateway(1).gatewayId)?.lastSeenAt, T + 5);
    store.inventory.replace(source, of(gateway(1, { lastSeenAt: T + 6 }), gateway(2, { state: 'offline' })));
    store.inventory.replace(source, of(gateway(1, { lastSeenAt: T + 6 })));
    stop();
    store.inventory.replace(source, of(gateway(1, { lastSeenAt: T + 7 })));
    assert.deepEqual(told, [
      '2 added, 0 changed, 0 removed',
      'seen 1@5',
      '0 added, 1 changed, 0 removed',
      'seen 1@6',
      '0 added, 0 changed, 1 removed',
    ]);
  });

  test('records of the inventory that cannot be read are left out', async () => {
    const { logger: captured, entries } = capturedLogger('store');
    await backend.write({
      samples: undefined,
      currents: undefined,
      metrics: [],
      events: [],
      inventory: [
        { source, kind: 'device', id: sensor, body: 'no json' },
        { source, kind: 'device', id: other, body: 'null' },
        { source, kind: 'application', id: 'a', body: '{}' },
        { source, kind: 'profile', id: 'p', body: '{}' },
        { source, kind: 'device', id: 'd', body: '{"devEui":"e"}' },
        { source, kind: 'gateway', id: 'g', body: '{"gatewayId":"g"}' },
      ],
      journal: [],
      now: T,
    });
    const second = new GatewayStore(backend, { clock, logger: captured }, { retentionDays: 0 });
    await second.open();
    assert.equal(entries.find(({ event }) => event === 'ignored')?.count, 6);
    assert.equal(second.inventory.merged().devices.size, 0);
    await second.close();
  });
});

describe('inventory and metric definitions', () => {
  const measurements = {
    temperature: { name: 'Temperature', kind: 'GAUGE' as const },
    mode: { name: '', kind: 'STRING' as const },
  };

  test('measurements of the profile are known metrics before a value came', () => {
    const seen: MetricsChange[] = [];
    const stop = store.metrics.onChange((change) => seen.push(change));
    const revision = store.revision;
    store.inventory.replace(source, inventoryOf([sensor, other], measurements));
    assert.ok(store.revision > revision);
    assert.deepEqual(
      store.metrics.ofDevice(sensor).map(({ key: name, name: shown, dataType, kind }) => [name, shown, dataType, kind]),
      [
        ['temperature', 'Temperature', undefined, 'GAUGE'],
        ['mode', 'mode', undefined, 'STRING'],
      ],
    );
    assert.equal(seen[0]?.added.length, 4);
    store.accept(reading({ temperature: 1, extra: 2 }, T));
    assert.deepEqual(
      seen[1]?.added.map((definition) => definition.key),
      ['extra'],
    );
    assert.deepEqual(
      seen[1]?.changed.map(({ dataType }) => dataType),
      ['Double'],
    );
    stop();
    store.accept(reading({ another: 2 }, T));
    assert.equal(seen.length, 2);
    assert.equal([...store.metrics.all()].length, 6);
    assert.equal(store.metrics.get(other, key('nothing')), undefined);
    assert.deepEqual(store.metrics.ofDevice(parsedUnknown()), []);
  });

  test('a profile that changes renames metrics; types stay as settled', () => {
    store.inventory.replace(source, inventoryOf([sensor], measurements));
    store.accept(reading({ temperature: 1 }, T));
    const seen: MetricsChange[] = [];
    store.metrics.onChange((change) => seen.push(change));
    store.inventory.replace(
      source,
      inventoryOf([sensor], { temperature: { name: 'Air', kind: 'STRING' }, mode: measurements.mode }),
    );
    assert.deepEqual(seen, [
      {
        added: [],
        changed: [{ devEui: sensor, key: 'temperature', name: 'Air', dataType: 'Double', kind: 'STRING' }],
      },
    ]);
  });

  test('the first value settles the type, not the kind: ChirpStack declares booleans as STRING, too', () => {
    store.inventory.replace(source, inventoryOf([sensor], { open: { name: '', kind: 'STRING' } }));
    assert.equal(store.metrics.get(sensor, key('open'))?.dataType, undefined);
    assert.deepEqual(store.accept(reading({ open: true }, T))?.faults, []);
    assert.equal(store.metrics.get(sensor, key('open'))?.dataType, 'Boolean');
  });

  test('listeners hear of changes and only of changes', () => {
    const changes: string[][] = [];
    const stop = store.inventory.onChange(({ devices }) => changes.push(devices.added.map(({ devEui }) => devEui)));
    store.inventory.replace(source, inventoryOf([sensor]));
    store.inventory.replace(source, inventoryOf([sensor], {}, { lastSeenAt: T }));
    assert.equal(store.inventory.device(sensor)?.lastSeenAt, T);
    store.inventory.replace(source, inventoryOf([sensor, other]));
    stop();
    store.inventory.replace(source, inventoryOf([]));
    assert.deepEqual(changes, [[sensor], [other]]);
  });

  test('several sources are one picture; the first that knew a device describes it', () => {
    const second = parseSourceId('connection-2');
    store.inventory.replace(source, inventoryOf([sensor]));
    const more: Inventory = inventoryOf([other, sensor], {}, { name: 'Theirs' });
    store.inventory.replace(second, more);
    assert.equal(store.inventory.device(sensor)?.name, 'Sensor 1');
    assert.equal(store.inventory.device(other)?.name, 'Theirs');
    store.inventory.replace(source, inventoryOf([]));
    assert.equal(store.inventory.device(sensor)?.name, 'Theirs');
  });

  test('a listener that throws disturbs nobody', () => {
    const { logger: captured, entries } = capturedLogger('store');
    const loud = new GatewayStore(backend, { clock, logger: captured }, { retentionDays: 0 });
    loud.metrics.onChange(() => {
      throw new Error('listener');
    });
    assert.ok(loud.accept(reading({ a: 1 }, T)));
    assert.equal(entries[0]?.message, 'listener');
    return loud.close();
  });
});

function parsedUnknown(): typeof sensor {
  return 'ffffffffffffffff' as typeof sensor;
}

describe('reading history', () => {
  test('an unknown metric has no history', async () => {
    assert.deepEqual(await history('nothing'), []);
  });

  test('a corrected value says so, and where it came from', async () => {
    store.accept(reading({ a: 1 }, T, { origin: 'metrics', quality: { a: 'UncertainSubNormal' } }));
    store.accept(reading({ a: 2 }, T, { origin: 'replay' }));
    assert.deepEqual((await store.readHistory(rawRequest('a'))).values, [
      { time: T, value: 2, status: 0, origin: 'replay', corrected: true },
    ]);
  });
});
