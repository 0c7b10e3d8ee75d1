import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import * as fc from 'fast-check';
import {
  type CurrentValue,
  compareInventories,
  type DevEui,
  type Device,
  type DeviceEvent,
  EMPTY_INVENTORY,
  type Inventory,
  type LogMessageEvent,
  type MetricKey,
  parseApplicationId,
  parseDevEui,
  parseDeviceProfileId,
  parseSourceId,
  type Reading,
} from '../../../lib/model';
import { StaleDetector, type StaleDetectorSettings } from '../../../lib/quality';
import { capturedLogger } from '../../support/captured-logger';
import { ManualClock } from '../../support/manual-clock';

const T = Date.UTC(2026, 10, 24, 12);
const MINUTE = 60_000;
const a = parseDevEui('000000000000000a');
const b = parseDevEui('000000000000000b');
const applicationId = parseApplicationId('00000000-0000-0000-0000-00000000000a');
const profileId = parseDeviceProfileId('00000000-0000-0000-0000-00000000000b');
const source = parseSourceId('connection');

function inventoryOf(devices: Partial<Device>[], uplinkInterval = 600): Inventory {
  return {
    applications: new Map(),
    gateways: new Map(),
    profiles: new Map([[profileId, { id: profileId, name: 'Probe', uplinkInterval, measurements: {}, tags: {} }]]),
    devices: new Map(
      devices.map((device): [DevEui, Device] => [
        device.devEui ?? a,
        {
          devEui: a,
          name: 'Sensor',
          description: '',
          applicationId,
          profileId,
          tags: {},
          isDisabled: false,
          deviceClass: 'A',
          ...device,
        },
      ]),
    ),
  };
}

let clock: ManualClock;
let inventory: Inventory;
let known: Map<DevEui, Map<MetricKey, CurrentValue | undefined>>;
let detector: StaleDetector;
let told: Reading[];
const { logger, entries } = capturedLogger('quality');

function create(settings: Partial<StaleDetectorSettings> = {}): void {
  detector = new StaleDetector({
    clock,
    logger,
    settings: { rules: [], intervals: 3, fallback: 3_600_000, deadFactor: 10, ...settings },
    inventory: () => inventory,
    keysOf: (devEui) => Array.from(known.get(devEui) ?? [], ([key, current]) => ({ key, current })),
  });
  told = [];
  detector.onQuality((reading) => told.push(reading));
}

const reading = (values: Reading['values'], part: Partial<Reading> = {}): Reading => ({
  device: { devEui: a },
  values,
  time: clock.now(),
  quality: {},
  origin: 'event',
  ...part,
});
const current = (part: Partial<CurrentValue>): CurrentValue => ({
  value: 1,
  quality: 'Good',
  time: T,
  statusTime: T,
  origin: 'event',
  ...part,
});
const codecError = (time: number, part: Partial<LogMessageEvent> = {}): DeviceEvent => ({
  type: 'log',
  device: { devEui: a },
  time,
  replayed: false,
  level: 'ERROR',
  code: 'UPLINK_CODEC',
  description: 'x is not defined',
  context: {},
  ...part,
});
const replace = (next: Inventory): void => {
  const change = compareInventories(source, inventory, next);
  inventory = next;
  detector.inventoryChanged(change);
};
const brief = ({ values, quality, time }: Reading): unknown[] => [values, quality, time - T];

beforeEach(() => {
  clock = new ManualClock(T);
  inventory = inventoryOf([{}]);
  known = new Map();
  create();
});
afterEach(() => {
  detector.close();
  detector.close();
  assert.equal(clock.pendingTimers, 0);
});

describe('ages', () => {
  test('fresh, stale after three uplink intervals, dead after ten times that, fresh again', async () => {
    const given = reading({ x: 1, y: 2 });
    assert.equal(detector.observe(given), given);
    assert.deepEqual(detector.staleCount(), { fresh: 2, stale: 0, dead: 0 });
    assert.deepEqual(detector.deviceCount(), { fresh: 1, stale: 0, dead: 0 });
    await clock.advance(30 * MINUTE - 1);
    assert.equal(told.length, 0);
    await clock.advance(1);
    assert.deepEqual(told.map(brief), [
      [{ x: 1, y: 2 }, { x: 'UncertainLastUsableValue', y: 'UncertainLastUsableValue' }, 30 * MINUTE],
    ]);
    assert.equal(told[0]?.origin, 'stale');
    assert.deepEqual(detector.staleCount(), { fresh: 0, stale: 2, dead: 0 });
    assert.deepEqual(detector.deviceCount(), { fresh: 0, stale: 1, dead: 0 });
    await clock.advance(270 * MINUTE);
    assert.deepEqual(told[1]?.quality, { x: 'BadNoCommunication', y: 'BadNoCommunication' });
    assert.equal(told[1]?.time, T + 300 * MINUTE);
    assert.deepEqual(detector.staleCount(), { fresh: 0, stale: 0, dead: 2 });
    assert.deepEqual(detector.deviceCount(), { fresh: 0, stale: 0, dead: 1 });
    const back = reading({ x: 3 });
    const observed = detector.observe(back);
    // A new object, so that whoever holds current values takes its quality over.
    assert.notEqual(observed, back);
    assert.deepEqual(observed, back);
    assert.deepEqual(detector.staleCount(), { fresh: 1, stale: 0, dead: 1 });
    assert.deepEqual(detector.deviceCount(), { fresh: 1, stale: 0, dead: 0 });
  });

  test('each uplink begins a new age; an empty one does not', async () => {
    detector.observe(reading({ x: 1 }));
    await clock.advance(29 * MINUTE);
    detector.observe(reading({ x: 2 }));
    await clock.advance(29 * MINUTE);
    assert.equal(told.length, 0);
    detector.observe(reading({}));
    await clock.advance(MINUTE);
    assert.equal(told.length, 1);
    assert.deepEqual(told[0]?.values, { x: 2 });
  });

  test('a step of the wall clock makes nothing stale, and nothing fresh for longer', async () => {
    detector.observe(reading({ x: 1 }));
    clock.step(365 * 24 * 60 * MINUTE);
    await clock.advance(29 * MINUTE);
    assert.equal(told.length, 0);
    clock.step(-2 * 365 * 24 * 60 * MINUTE);
    await clock.advance(MINUTE);
    assert.equal(told.length, 1);
    // Never said to be later than now.
    assert.ok((told[0]?.time ?? 0) <= Math.max(clock.now(), T));
  });

  test('a source time in the future counts as now', async () => {
    detector.observe(reading({ x: 1 }, { time: T + 1_000 * MINUTE }));
    await clock.advance(30 * MINUTE);
    assert.equal(told.length, 1);
  });

  test('a late reading changes nothing', async () => {
    detector.observe(reading({ x: 2 }));
    const late = reading({ x: 1 }, { time: T - 5 * MINUTE, quality: { x: 'Uncertain' } });
    assert.equal(detector.observe(late), late);
    await clock.advance(30 * MINUTE);
    assert.deepEqual(told[0]?.values, { x: 2 });
  });

  test('an event that is old when it comes is passed on as measured, then said to be old', async () => {
    const replay = reading({ x: 1 }, { time: T - 60 * MINUTE, origin: 'replay' });
    assert.equal(detector.observe(replay), replay);
    await clock.advance(0);
    assert.deepEqual(told.map(brief), [[{ x: 1 }, { x: 'UncertainLastUsableValue' }, -30 * MINUTE]]);
  });

  test('aggregates grow old as well and never become Good', async () => {
    detector.observe(reading({ x: 1 }, { origin: 'metrics', quality: { x: 'UncertainSubNormal' } }));
    assert.equal(told.length, 0);
    await clock.advance(30 * MINUTE);
    assert.deepEqual(told[0]?.quality, { x: 'UncertainLastUsableValue' });
  });

  test('a quality that the reading gives stays until the value is stale; Bad until it is dead', async () => {
    const given = reading({ x: 1, y: 2 }, { quality: { x: 'UncertainSensorCalibration', y: 'BadSensorFailure' } });
    assert.equal(detector.observe(given), given);
    await clock.advance(30 * MINUTE);
    assert.deepEqual(told.map(brief), [[{ x: 1 }, { x: 'UncertainLastUsableValue' }, 30 * MINUTE]]);
    await clock.advance(270 * MINUTE);
    assert.deepEqual(told[1]?.quality, { x: 'BadNoCommunication', y: 'BadNoCommunication' });
  });

  test('a status without value is taken over for a metric that has one', async () => {
    detector.observe(reading({ x: 1 }));
    const status = reading({}, { quality: { x: 'BadSensorFailure', unknown: 'Bad' } });
    assert.equal(detector.observe(status), status);
    await clock.advance(300 * MINUTE);
    assert.deepEqual(told.map(brief), [[{ x: 1 }, { x: 'BadNoCommunication' }, 300 * MINUTE]]);
  });

  test('what the detector itself said changes nothing', () => {
    const stale = reading({ x: 1 }, { origin: 'stale' });
    assert.equal(detector.observe(stale), stale);
    assert.deepEqual(detector.staleCount(), { fresh: 0, stale: 0, dead: 0 });
    assert.deepEqual(detector.deviceCount(), { fresh: 0, stale: 0, dead: 0 });
  });

  test('after the end nothing is judged', async () => {
    detector.observe(reading({ x: 1 }));
    detector.close();
    detector.observe(reading({ x: 2 }));
    detector.observeDeviceEvent(codecError(T));
    replace(inventoryOf([]));
    detector.start();
    await clock.advance(1_000 * MINUTE);
    assert.equal(told.length, 0);
  });

  test('thousands that grow old together are told in turns, all of them', async () => {
    for (let device = 0; device < 500; device++) {
      const devEui = parseDevEui(device.toString(16).padStart(16, '0'));
      detector.observe(reading({ p: 1, q: 2, r: 3, s: 4, t: 5 }, { device: { devEui } }));
    }
    await clock.advance(3_600_000);
    assert.deepEqual(detector.staleCount(), { fresh: 0, stale: 2_500, dead: 0 });
    assert.equal(
      told.reduce((sum, { values }) => sum + Object.keys(values).length, 0),
      2_500,
    );
  });
});

describe('thresholds', () => {
  const staleAfter = async (key: string): Promise<number> => {
    detector.observe(reading({ [key]: 1 }));
    const begun = clock.monotonic();
    for (let minutes = 0; minutes < 500 && told.length === 0; minutes++) await clock.advance(MINUTE);
    return (clock.monotonic() - begun) / MINUTE;
  };
  const rule = (device: DevEui | '*', metric: string, minutes: number) => ({
    device,
    metric: metric as MetricKey,
    staleAfter: minutes * MINUTE,
  });

  test('come from the most specific rule, then the tag, the global setting, the profile, the fallback', async () => {
    const all = [rule(a, 'x', 2), rule('*', 'x', 3), rule(a, '*', 4), rule('*', '*', 6)];
    const tagged = inventoryOf([{ tags: { stale_seconds: '300' } }]);
    const cases: [Partial<StaleDetectorSettings>, Inventory, number][] = [
      [{ rules: all }, tagged, 2],
      [{ rules: all.slice(1) }, tagged, 3],
      [{ rules: all.slice(2) }, tagged, 4],
      [{ rules: all.slice(3) }, tagged, 5],
      [{ rules: all.slice(3), staleAfter: 7 * MINUTE }, inventoryOf([{ tags: { stale_seconds: 'soon' } }]), 6],
      [{ staleAfter: 7 * MINUTE }, inventoryOf([{}]), 7],
      [{ intervals: 2 }, inventoryOf([{}]), 20],
      [{}, inventoryOf([{}], 0), 60],
      [{}, inventoryOf([]), 60],
    ];
    for (const [settings, pictured, expected] of cases) {
      detector.close();
      inventory = pictured;
      create(settings);
      assert.equal(await staleAfter('x'), expected);
    }
  });

  test('that change are applied to values that are there', async () => {
    detector.observe(reading({ x: 1 }));
    await clock.advance(10 * MINUTE);
    replace(inventoryOf([{}], 60));
    assert.deepEqual(told.map(brief), [[{ x: 1 }, { x: 'UncertainLastUsableValue' }, 3 * MINUTE]]);
    replace(inventoryOf([{ tags: { stale_seconds: '1200' } }], 60));
    assert.deepEqual(told[1]?.quality, {});
    await clock.advance(10 * MINUTE);
    assert.deepEqual(told[2]?.quality, { x: 'UncertainLastUsableValue' });
  });
});

describe('restored values', () => {
  const restored = (age: number): Reading =>
    reading({ x: 1 }, { time: T - age, origin: 'restored', quality: { x: 'UncertainLastUsableValue' } });

  test('are Good while their own age is below the threshold', async () => {
    assert.deepEqual(detector.observe(restored(20 * MINUTE)).quality, {});
    await clock.advance(10 * MINUTE);
    assert.deepEqual(told.map(brief), [[{ x: 1 }, { x: 'UncertainLastUsableValue' }, 10 * MINUTE]]);
  });

  test('are stale or dead by their own age', () => {
    const stale = restored(40 * MINUTE);
    assert.equal(detector.observe(stale), stale);
    assert.deepEqual(detector.staleCount(), { fresh: 0, stale: 1, dead: 0 });
    assert.deepEqual(detector.observe({ ...restored(400 * MINUTE), device: { devEui: b } }).quality, {
      x: 'UncertainLastUsableValue',
    });
    assert.deepEqual(
      detector.observe({ ...restored(1_000 * MINUTE), device: { devEui: parseDevEui('00000000000000cc') } }).quality,
      {
        x: 'BadNoCommunication',
      },
    );
  });

  test('keep a quality of their own', () => {
    const given = reading({ x: 1 }, { origin: 'restored', quality: { x: 'UncertainSubNormal' } });
    assert.equal(detector.observe(given), given);
  });

  test('that nobody sends are found at the start', async () => {
    known.set(
      a,
      new Map<MetricKey, CurrentValue | undefined>([
        ['fresh' as MetricKey, current({ quality: 'UncertainLastUsableValue', origin: 'restored' })],
        ['old' as MetricKey, current({ time: T - 60 * MINUTE, statusTime: T - 60 * MINUTE })],
        ['mean' as MetricKey, current({ origin: 'metrics', quality: 'UncertainSubNormal' })],
        ['was' as MetricKey, current({ quality: 'BadOutOfService', statusTime: T + 1 })],
        ['own' as MetricKey, current({ quality: 'BadOutOfRange' })],
        ['never' as MetricKey, undefined],
      ]),
    );
    const others = Array.from({ length: 450 }, (_, index) =>
      parseDevEui((index + 4_096).toString(16).padStart(16, '0')),
    );
    for (const devEui of others) known.set(devEui, new Map([['x' as MetricKey, current({})]]));
    inventory = inventoryOf([{}, ...others.map((devEui) => ({ devEui }))]);
    detector.observe(reading({ x: 1 }, { device: { devEui: others[449] ?? a } }));
    detector.start();
    await clock.advance(1);
    assert.deepEqual(told.map(brief), [[{ fresh: 1, old: 1, was: 1 }, { old: 'UncertainLastUsableValue' }, 0]]);
    assert.equal(told[0]?.device.name, 'Sensor');
    assert.deepEqual(detector.staleCount(), { fresh: 454, stale: 1, dead: 0 });
    detector.start();
    assert.equal(told.length, 1);
  });
});

describe('codec errors', () => {
  test('make all values of the device uncertain until the next good uplink', async () => {
    detector.observe(reading({ x: 1, y: 2 }));
    detector.observe(reading({ z: 3 }, { quality: { z: 'BadSensorFailure' } }));
    await clock.advance(MINUTE);
    detector.observeDeviceEvent(codecError(clock.now()));
    assert.deepEqual(told.map(brief), [
      [{ x: 1, y: 2 }, { x: 'UncertainSensorNotAccurate', y: 'UncertainSensorNotAccurate' }, MINUTE],
    ]);
    const empty = reading({});
    assert.equal(detector.observe(empty), empty);
    assert.equal(told.length, 1);
    await clock.advance(MINUTE);
    const good = reading({ x: 5 });
    assert.deepEqual(detector.observe(good), good);
    assert.deepEqual(told.slice(1).map(brief), [[{ y: 2 }, {}, 2 * MINUTE]]);
  });

  test('that are older than what came since say nothing, nor do other events', () => {
    detector.observe(reading({ x: 1 }));
    detector.observeDeviceEvent(codecError(T - 1));
    detector.observeDeviceEvent(codecError(T + 1, { code: 'EXPIRED' }));
    detector.observeDeviceEvent({ type: 'join', device: { devEui: a }, time: T, replayed: false, devAddr: '01' });
    detector.observeDeviceEvent(codecError(T, { device: { devEui: b } }));
    assert.equal(told.length, 0);
  });

  test('do not hide that a value is stale', async () => {
    detector.observe(reading({ x: 1 }));
    detector.observeDeviceEvent(codecError(T + 1));
    await clock.advance(30 * MINUTE);
    assert.deepEqual(told.at(-1)?.quality, { x: 'UncertainLastUsableValue' });
  });
});

describe('devices out of service', () => {
  test('disabled and enabled again: values and metrics without value', async () => {
    known.set(
      a,
      new Map<MetricKey, CurrentValue | undefined>([
        ['x' as MetricKey, current({})],
        ['never' as MetricKey, undefined],
      ]),
    );
    detector.observe(reading({ x: 1 }));
    await clock.advance(MINUTE);
    replace(inventoryOf([{ isDisabled: true }]));
    assert.deepEqual(told.map(brief), [
      [{ x: 1 }, { x: 'BadOutOfService' }, MINUTE],
      [{}, { never: 'BadOutOfService' }, MINUTE],
    ]);
    assert.deepEqual(detector.staleCount(), { fresh: 0, stale: 0, dead: 0 });
    assert.deepEqual(detector.deviceCount(), { fresh: 0, stale: 0, dead: 0 });
    await clock.advance(60 * MINUTE);
    assert.equal(told.length, 2);
    assert.deepEqual(detector.observe(reading({ x: 2 })).quality, { x: 'BadOutOfService' });
    replace(inventoryOf([{}]));
    assert.deepEqual(told.slice(2).map(brief), [
      [{ x: 2 }, {}, 61 * MINUTE],
      [{}, { never: 'BadWaitingForInitialData' }, 61 * MINUTE],
    ]);
    assert.deepEqual(detector.staleCount(), { fresh: 1, stale: 0, dead: 0 });
  });

  test('removed, and back when a value comes or ChirpStack shows it', () => {
    detector.observe(reading({ x: 1 }));
    replace(inventoryOf([]));
    assert.deepEqual(
      told.map(({ quality }) => quality),
      [{ x: 'BadOutOfService' }],
    );
    detector.observe(reading({ x: 2 }));
    assert.deepEqual(
      told.map(({ quality }) => quality),
      [{ x: 'BadOutOfService' }, {}],
    );
    replace(inventoryOf([{}]));
    replace(inventoryOf([]));
    assert.deepEqual(told.at(-1)?.quality, { x: 'BadOutOfService' });
  });

  test('a device that another source still has is in service', () => {
    detector.observe(reading({ x: 1 }));
    detector.inventoryChanged(compareInventories(source, inventory, EMPTY_INVENTORY));
    assert.equal(told.length, 0);
  });

  test('disabled before anything was heard of it', () => {
    known.set(b, new Map([['x' as MetricKey, current({})]]));
    replace(inventoryOf([{}, { devEui: b, isDisabled: true }]));
    assert.deepEqual(told.map(brief), [[{ x: 1 }, { x: 'BadOutOfService' }, 0]]);
  });
});

test('a listener that throws disturbs nobody', async () => {
  detector.onQuality(() => {
    throw new Error('listener');
  });
  const heard: Reading[] = [];
  const stop = detector.onQuality((quality) => heard.push(quality));
  detector.observe(reading({ x: 1 }));
  await clock.advance(30 * MINUTE);
  stop();
  await clock.advance(300 * MINUTE);
  assert.equal(heard.length, 1);
  assert.equal(entries.at(-1)?.message, 'listener');
});

test('what is told agrees with a simple model at every instant', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ wait: fc.integer({ min: 0, max: 400 }), key: fc.constantFrom('x', 'y', 'z') }), {
        maxLength: 25,
      }),
      async (steps) => {
        detector.close();
        create({ staleAfter: 30_000, deadFactor: 4 });
        const last = new Map<string, number>();
        const shown = new Map<string, string>();
        detector.onQuality(({ values, quality }) => {
          for (const key of Object.keys(values)) shown.set(key, quality[key] ?? 'Good');
        });
        for (const { wait, key } of steps) {
          await clock.advance(wait * 1_000);
          for (const [name, since] of last) {
            const age = clock.monotonic() - since;
            const expected =
              age >= 120_000 ? 'BadNoCommunication' : age >= 30_000 ? 'UncertainLastUsableValue' : 'Good';
            assert.equal(shown.get(name), expected);
          }
          detector.observe(reading({ [key]: 1 }));
          last.set(key, clock.monotonic());
          shown.set(key, 'Good');
        }
        const { fresh, stale, dead } = detector.staleCount();
        assert.equal(fresh + stale + dead, last.size);
      },
    ),
    { numRuns: 40 },
  );
});

describe('gaps', () => {
  const gapsOf = (): { from: number; status: string; metric: string; after: number | undefined }[] => {
    const gaps: ReturnType<typeof gapsOf> = [];
    detector.onGap(({ from, status, metric, after }) =>
      gaps.push({ from: from - T, status, metric, after: after === undefined ? undefined : after - T }),
    );
    return gaps;
  };

  test('are told once for each value, when it grows old, by its own time', async () => {
    const gaps = gapsOf();
    detector.observe(reading({ x: 1 }));
    await clock.advance(30 * MINUTE - 1);
    assert.deepEqual(gaps, []);
    await clock.advance(1_000 * MINUTE);
    const first = { from: 30 * MINUTE, status: 'BadNoCommunication', metric: 'x', after: 0 };
    assert.deepEqual(gaps, [first]);
    detector.observe(reading({ x: 2 }, { time: T + 40 * MINUTE }));
    await clock.advance(1);
    assert.deepEqual(gaps, [first, { ...first, from: 70 * MINUTE, after: 40 * MINUTE }]);
  });

  test('lie between values that come at once but were measured far apart', () => {
    const gaps = gapsOf();
    detector.observe(reading({ x: 1 }, { time: T - 100 * MINUTE, origin: 'replay' }));
    detector.observe(reading({ x: 2 }, { time: T - 80 * MINUTE, origin: 'replay' }));
    detector.observe(reading({ x: 3 }, { time: T, origin: 'replay' }));
    assert.deepEqual(gaps, [{ from: -50 * MINUTE, status: 'BadNoCommunication', metric: 'x', after: -80 * MINUTE }]);
  });

  test('begin when a device goes out of service, unless its value was old before', async () => {
    const gaps = gapsOf();
    detector.observe(reading({ x: 1 }));
    await clock.advance(MINUTE);
    replace(inventoryOf([{ isDisabled: true }]));
    assert.deepEqual(gaps, [{ from: MINUTE, status: 'BadOutOfService', metric: 'x', after: undefined }]);
    replace(inventoryOf([{}]));
    await clock.advance(60 * MINUTE);
    assert.equal(gaps.length, 1);
  });

  test('of values that nobody sends are found at the start', () => {
    known.set(a, new Map([['x' as MetricKey, current({ time: T - 60 * MINUTE, origin: 'restored' })]]));
    const gaps = gapsOf();
    detector.start();
    assert.deepEqual(gaps, [{ from: -30 * MINUTE, status: 'BadNoCommunication', metric: 'x', after: -60 * MINUTE }]);
  });
});
