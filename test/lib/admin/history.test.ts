import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import * as fc from 'fast-check';
import type { HistoryAnswer, LatestValues } from '../../../lib/admin';
import { statusName } from '../../../lib/admin/history-rows';
import { parseDuration, parseInstant } from '../../../lib/admin/instants';
import { HISTORY_STATUS } from '../../../lib/model';
import { Asking, altered, eui, FARM, HOUR, MINUTE, T } from './asking';

let asking: Asking;
beforeEach(async () => {
  asking = await Asking.start();
});
afterEach(() => asking.stop());

const times = (pages: readonly HistoryAnswer[], metric?: string): number[] =>
  pages.flatMap(({ values }) =>
    values.filter((value) => metric === undefined || value.metric === metric).map(({ time }) => time),
  );
const upTo = (count: number, from = T, step = MINUTE): number[] =>
  Array.from({ length: count }, (_, index) => from + index * step);

describe('instants and durations', () => {
  const now = T;
  test('are ms, dates, ISO 8601 with offset, or relative to now', () => {
    const cases: [unknown, number][] = [
      [T, T],
      [new Date(T), T],
      [1.5, 2],
      ['now', T],
      ['-24h', T - 24 * HOUR],
      ['now-7d', T - 168 * HOUR],
      ['now - 1.5 h', T - 1.5 * HOUR],
      ['+15min', T + 15 * MINUTE],
      ['-2w', T - 336 * HOUR],
      ['-30s', T - 30_000],
      ['-5m', T - 5 * MINUTE],
      ['-5ms', T - 5],
      ['-99999w', 0],
      ['2026-11-20T12:00:00Z', T],
      ['2026-11-20T13:00+01:00', T],
      ['2026-11-20', T - 12 * HOUR],
    ];
    for (const [value, expected] of cases) assert.equal(parseInstant(value)(now), expected, JSON.stringify(value));
  });

  test('refuse what could mean two things, or nothing', () => {
    for (const value of ['2026-11-20T12:00:00', 'yesterday', '24h', '', -1, Number.NaN, 1e18, '2026-13-40', {}, null])
      assert.throws(() => parseInstant(value), /it is an instant/, JSON.stringify(value));
  });

  test('durations have a unit or are ms', () => {
    assert.equal(parseDuration('1h'), HOUR);
    assert.equal(parseDuration(' 15 min '), 15 * MINUTE);
    assert.equal(parseDuration(0.5), 0.5);
    for (const value of ['1', '1y', 'h', -1, Number.NaN, undefined])
      assert.throws(() => parseDuration(value), /it is a duration/);
  });
});

describe('history.raw', () => {
  test('gives the values of a range with quality and origin', async () => {
    asking.accept(1, T, { t: 1.5, n: 2n ** 60n, s: 'on', b: true });
    asking.accept(1, T + 1, { t: 2 }, { t: 'UncertainSubNormal' }, 'metrics');
    asking.accept(1, T + 2, {}, { t: 'BadSensorFailure' }, 'flow');
    const answer = await asking.result<HistoryAnswer>('history.raw', { devEui: eui(1).toUpperCase(), metric: 't' });
    assert.deepEqual(answer, {
      devEui: eui(1),
      metrics: [{ key: 't', name: 't', dataType: 'Double' }],
      values: [
        { metric: 't', time: T, value: 1.5, quality: 'Good', status: 0, origin: 'event' },
        { metric: 't', time: T + 1, value: 2, quality: 'UncertainSubNormal', status: 0x40950000, origin: 'metrics' },
        { metric: 't', time: T + 2, value: null, quality: 'BadSensorFailure', status: 0x808c0000, origin: 'flow' },
      ],
      complete: true,
    });
    const all = await asking.result<HistoryAnswer>('history.raw', { devEui: eui(1), from: T, to: T + 1 });
    assert.deepEqual(
      all.values.map(({ metric, value }) => [metric, value]),
      [
        ['t', 1.5],
        ['n', '1152921504606846976'],
        ['s', 'on'],
        ['b', true],
      ],
    );
  });

  test('goes page by page, metric after metric, each value once', async () => {
    for (const time of upTo(250)) asking.accept(1, time, { t: time, u: time });
    const pages = await asking.pages<HistoryAnswer>('history.raw', { devEui: eui(1), metrics: ['u', 't'], limit: 100 });
    assert.deepEqual(
      pages.map(({ values }) => values.length),
      [100, 100, 100, 100, 100],
    );
    assert.deepEqual(times(pages, 'u'), upTo(250));
    assert.deepEqual(times(pages, 't'), upTo(250));
    assert.deepEqual(times(pages), [...upTo(250), ...upTo(250)]);
  });

  test('has the same values in both orders, and pages lose none, whatever their size', async () => {
    const stored = upTo(40);
    for (const time of stored) asking.accept(1, time, { t: time });
    await asking.store.settled();
    const instant = fc.integer({ min: T - MINUTE, max: T + 41 * MINUTE });
    await fc.assert(
      fc.asyncProperty(instant, instant, fc.integer({ min: 1, max: 50 }), async (one, other, limit) => {
        if (one === other) return;
        const [from, to] = [Math.min(one, other), Math.max(one, other)];
        const expected = stored.filter((time) => time >= from && time < to);
        const payload = { devEui: eui(1), metric: 't', from, to, limit };
        assert.deepEqual(times(await asking.pages('history.raw', payload)), expected);
        const backwards = await asking.pages<HistoryAnswer>('history.raw', { ...payload, order: 'descending' });
        assert.deepEqual(times(backwards), expected.toReversed());
      }),
      { numRuns: 60 },
    );
  });

  test('adds the values at the ends of the range, or the nearest ones outside, in both orders', async () => {
    for (const time of upTo(5)) asking.accept(1, time, { t: time });
    for (const [from, to, expected] of [
      [T + 90_000, T + 150_000, [T + MINUTE, T + 2 * MINUTE, T + 3 * MINUTE]],
      [T + MINUTE, T + 2 * MINUTE, [T + MINUTE, T + 2 * MINUTE]],
    ] as const)
      for (const limit of [1, 2, 100]) {
        const payload = { devEui: eui(1), metric: 't', from, to, bounds: true, limit };
        assert.deepEqual(times(await asking.pages('history.raw', payload)), expected);
        const backwards = await asking.pages<HistoryAnswer>('history.raw', { ...payload, order: 'descending' });
        assert.deepEqual(times(backwards), expected.toReversed());
      }
    const before = await asking.result<HistoryAnswer>('history.raw', {
      devEui: eui(1),
      metric: 't',
      from: T - MINUTE,
      to: T + 1,
      bounds: true,
    });
    assert.deepEqual(before.values[0]?.quality, 'BadBoundNotFound');
  });

  test('without a range is everything, newest first if wanted', async () => {
    for (const time of upTo(5)) asking.accept(1, time, { t: time });
    const newest = await asking.result<HistoryAnswer>('history.raw', {
      devEui: eui(1),
      metric: 't',
      order: 'descending',
      bounds: true,
      limit: 2,
    });
    assert.deepEqual(times([newest]), [T + 4 * MINUTE, T + 3 * MINUTE]);
    assert.deepEqual(times(await asking.pages('history.raw', { devEui: eui(1) })), upTo(5));
  });
});

describe('history.modified', () => {
  test('gives what corrections replaced, in pages', async () => {
    for (const value of [1, 2, 3, 4]) {
      asking.accept(1, T, { t: value });
      await asking.store.settled();
    }
    const pages = await asking.pages<HistoryAnswer>('history.modified', { devEui: eui(1), metric: 't', limit: 2 });
    const values = pages.flatMap((page) => page.values);
    assert.deepEqual(
      values.map(({ value }) => value).toSorted((a, b) => Number(a) - Number(b)),
      [1, 2, 3],
    );
    assert.ok(values.every(({ modifiedAt }) => typeof modifiedAt === 'number' && modifiedAt > T));
    const raw = await asking.result<HistoryAnswer>('history.raw', { devEui: eui(1), metric: 't' });
    assert.deepEqual(
      raw.values.map(({ value, corrected }) => [value, corrected]),
      [[4, true]],
    );
  });
});

describe('history.atTime', () => {
  test('gives a value for each instant, in pages', async () => {
    asking.accept(1, T, { t: 0, s: 'a' });
    asking.accept(1, T + MINUTE, { t: 60, s: 'b' });
    const pages = await asking.pages<HistoryAnswer>('history.atTime', {
      devEui: eui(1),
      metrics: ['t', 's'],
      times: [T, T + 30_000, T + MINUTE],
      limit: 2,
    });
    assert.deepEqual(
      pages.flatMap(({ values }) => values.map(({ metric, value, source }) => [metric, value, source])),
      [
        ['t', 0, undefined],
        ['t', 30, 'interpolated'],
        ['t', 60, undefined],
        ['s', 'a', undefined],
        ['s', 'a', 'interpolated'],
        ['s', 'b', undefined],
      ],
    );
  });

  test('lets states hold until the next one, also where they are plain numbers', async () => {
    asking.name({ 1: 'Heating' });
    asking.accept(1, T, { mode: 0, t: 0 });
    asking.accept(1, T + MINUTE, { mode: 2, t: 2 });
    const { values } = await asking.result<HistoryAnswer>('history.atTime', {
      devEui: eui(1),
      metrics: ['mode', 't'],
      times: [T + 30_000],
    });
    assert.deepEqual(
      values.map(({ metric, value }) => [metric, value]),
      [
        ['mode', 0],
        ['t', 1],
      ],
    );
    const average = await asking.result<HistoryAnswer>('history.processed', {
      devEui: eui(1),
      metric: 'mode',
      from: T,
      to: T + MINUTE,
      aggregate: 'TimeAverage2',
    });
    assert.deepEqual(
      average.values.map(({ value }) => value),
      [0],
    );
  });
});

describe('history.processed', () => {
  const hours = { from: T, to: T + 3 * HOUR, interval: '1h' };
  beforeEach(() => {
    for (const [index, time] of upTo(12, T, 15 * MINUTE).entries()) asking.accept(1, time, { t: index, u: -index });
  });

  test('gives an aggregate for each interval, in pages', async () => {
    const pages = await asking.pages<HistoryAnswer>('history.processed', {
      devEui: eui(1),
      metrics: ['t', 'u'],
      aggregate: 'Average',
      ...hours,
      limit: 2,
    });
    const values = pages.flatMap((page) => page.values);
    assert.deepEqual(
      values.map(({ metric, time, value }) => [metric, (time - T) / HOUR, value]),
      [
        ['t', 0, 1.5],
        ['t', 1, 5.5],
        ['t', 2, 9.5],
        ['u', 0, -1.5],
        ['u', 1, -5.5],
        ['u', 2, -9.5],
      ],
    );
    assert.ok(values.every(({ source }) => source === 'calculated'));
  });

  test('of the whole range is one value', async () => {
    const { values } = await asking.result<HistoryAnswer>('history.processed', {
      devEui: eui(1),
      metric: 't',
      aggregate: 'Count',
      from: T,
      to: T + 3 * HOUR,
    });
    assert.deepEqual(
      values.map(({ value }) => value),
      [12],
    );
  });

  test('takes a part of a configuration, and goes backwards', async () => {
    const { values } = await asking.result<HistoryAnswer>('history.processed', {
      devEui: eui(1),
      metric: 't',
      aggregate: 'Maximum',
      configuration: { treatUncertainAsBad: false },
      order: 'descending',
      ...hours,
    });
    assert.equal(values.length, 3);
    assert.ok((values[0]?.time ?? 0) > (values[2]?.time ?? 0));
  });
});

describe('questions that cannot be answered', () => {
  test('are told with all faults', async () => {
    assert.deepEqual(
      await asking.fields('history.raw', { devEui: 'x', metrics: [''], from: 'soon', order: 'up', limit: 10_001 }),
      ['payload.devEui', 'payload.metrics.0', 'payload.limit', 'payload.from', 'payload.order'],
    );
    assert.deepEqual(await asking.fields('history.raw', {}), ['payload.devEui']);
    assert.deepEqual(await asking.fields('history.modified', { devEui: eui(1), bounds: true }), ['payload']);
    assert.deepEqual(await asking.fields('history.atTime', { devEui: eui(1), times: ['later'] }), ['payload.times.0']);
    assert.deepEqual(
      await asking.fields('history.processed', { devEui: eui(1), aggregate: 'Mode', from: T, interval: 'often' }),
      ['payload.aggregate', 'payload.interval'],
    );
    assert.deepEqual(
      await asking.fields('history.processed', {
        devEui: eui(1),
        aggregate: 'Average',
        from: T,
        configuration: { percentDataGood: 10, percentDataBad: 20 },
      }),
      ['payload.configuration'],
    );
  });

  test('because nothing of that name is known', async () => {
    assert.deepEqual(await asking.fields('history.raw', { devEui: eui(9) }), ['payload.devEui']);
    asking.accept(1, T, { t: 1 });
    const [fault, other] = await asking.faults('history.raw', { devEui: eui(1), metrics: ['T', 't', 'x'] });
    assert.match(fault?.cure ?? '', /Use one of t\./);
    assert.equal(other?.value, '"x"');
  });

  test('because the range has no extent', async () => {
    asking.accept(1, T, { t: 1 });
    for (const [from, to] of [
      [T, T],
      [T + 1, T],
    ])
      assert.deepEqual(await asking.fields('history.raw', { devEui: eui(1), from, to }), ['payload.to']);
  });

  test('because the gateway is being stopped', async () => {
    asking.accept(1, T, { t: 1 });
    await asking.store.settled();
    await asking.administration.close();
    const [fault] = await asking.faults('history.raw', { devEui: eui(1) });
    assert.match(fault?.rule ?? '', /stopped or deployed/);
  });

  test('because the storage has a fault, with its cure', async () => {
    await asking.stop();
    class Trouble extends Error {
      readonly reason = 'corrupt';
      readonly cure = 'Restore a backup.';
    }
    asking = await Asking.start('memory', (store) =>
      altered(store, { readHistory: () => Promise.reject(new Trouble('the file is damaged')) }),
    );
    asking.accept(1, T, { t: 1 });
    assert.deepEqual(await asking.faults('history.raw', { devEui: eui(1) }), [
      { field: 'database', value: 'corrupt', rule: 'the file is damaged', cure: 'Restore a backup.' },
    ]);
  });

  test('a device with too many metrics must be asked for some of them', async () => {
    asking.accept(1, T, Object.fromEntries(Array.from({ length: 1_001 }, (_, index) => [`m${index}`, 1])));
    assert.deepEqual(await asking.fields('history.raw', { devEui: eui(1) }), ['payload.metrics']);
  });
});

test('a status has the name of its code, whatever its low bits say', () => {
  assert.equal(statusName(HISTORY_STATUS.BadBoundNotFound), 'BadBoundNotFound');
  assert.equal(statusName(HISTORY_STATUS.UncertainDataSubNormal | 0x405), 'UncertainDataSubNormal');
  assert.equal(statusName(0x0401), 'Good');
  assert.equal(statusName(0x8031_0000), 'BadNoCommunication');
});

describe('values.latest', () => {
  test('gives current values with the properties of readings', async () => {
    asking.name({ 1: 'Hall' });
    asking.accept(1, T, { t: 1, n: 2n ** 60n });
    asking.accept(1, T + 1, { t: 2 }, { t: 'UncertainSubNormal' });
    asking.accept(2, T, { level: 3 });
    const latest = await asking.result<LatestValues>('values.latest');
    assert.deepEqual(latest, {
      devices: [
        {
          device: {
            devEui: eui(1),
            name: 'Hall',
            applicationId: FARM,
            applicationName: 'Farm',
            profileId: '00000000-0000-0000-0000-0000000000ff',
            profileName: 'Probe',
            deviceClass: 'A',
            tags: { hall: '3', states_mode: 'off|heat|cool' },
          },
          payload: { t: 2, n: '1152921504606846976' },
          quality: { t: 'UncertainSubNormal' },
          time: T + 1,
          times: { t: T + 1, n: T },
        },
        { device: { devEui: eui(2) }, payload: { level: 3 }, quality: {}, time: T, times: { level: T } },
      ],
      total: 2,
      complete: true,
    });
  });

  test('is filtered and paged', async () => {
    asking.name({ 1: 'Hall', 2: 'Roof' });
    for (const n of [1, 2, 3]) asking.accept(n, T, { t: n, u: n });
    const devices = async (payload: object): Promise<string[]> =>
      (await asking.pages<LatestValues>('values.latest', payload)).flatMap((page) =>
        page.devices.map(({ device, payload: values }) => `${Number(device.devEui)}:${Object.keys(values).join()}`),
      );
    assert.deepEqual(await devices({ limit: 1 }), ['1:t,u', '2:t,u', '3:t,u']);
    assert.deepEqual(await devices({ applicationId: FARM, metric: 'u', limit: 1 }), ['1:u', '2:u']);
    assert.deepEqual(await devices({ devices: [eui(3), eui(2)], metrics: ['t'], limit: 1 }), ['3:t', '2:t']);
    assert.deepEqual(await devices({ devEui: eui(2), metrics: ['none'] }), ['2:']);
  });

  test('says what waits for its first value', async () => {
    asking.accept(1, T, {}, { t: 'BadNoCommunication' });
    const { devices } = await asking.result<LatestValues>('values.latest', { devEui: eui(1) });
    assert.deepEqual(devices, [
      { device: { devEui: eui(1) }, payload: {}, quality: { t: 'BadNoCommunication' }, times: {} },
    ]);
  });
});
