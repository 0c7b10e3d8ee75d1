import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  AGGREGATES,
  type HistoryRequest,
  InvalidInputError,
  LARGEST_HISTORY_PAGE,
  type RawHistoryRequest,
} from '../../../lib/model';
import {
  MemoryBackend,
  type StorageBackend,
  StorageError,
  type StoredHistoryRequest,
  sampleFlags,
} from '../../../lib/store';
import { HistoryDoors, type HistoryDoorsDependencies } from '../../../lib/store/history-doors';
import { checkHistoryRequest } from '../../../lib/store/history-requests';
import { MetricRecord, type OwnValue } from '../../../lib/store/metric-record';
import { ManualClock } from '../../support/manual-clock';
import { columnsOf, processed, target } from './history-support';

const raw: RawHistoryRequest = {
  kind: 'raw',
  ...target,
  order: 'ascending',
  start: 0,
  end: 100,
  limit: 10,
  bounds: { start: false, end: false },
};

/** @param request also what is none: it comes from messages */
function faultsOf(request: unknown): string[] {
  try {
    checkHistoryRequest(request as HistoryRequest);
    return [];
  } catch (error) {
    assert.ok(error instanceof InvalidInputError);
    for (const { rule, cure } of error.faults) assert.ok(rule.length > 0 && cure.length > 0);
    return error.faults.map(({ field }) => field);
  }
}

describe('questions to history', () => {
  test('that keep the rules are taken', () => {
    assert.deepEqual(faultsOf(raw), []);
    assert.deepEqual(faultsOf({ ...raw, end: Number.POSITIVE_INFINITY }), []);
    assert.deepEqual(faultsOf({ ...raw, order: 'descending', start: 5, end: Number.NEGATIVE_INFINITY }), []);
    assert.deepEqual(faultsOf({ ...raw, start: 7.5, end: 7.5 }), []);
    assert.deepEqual(faultsOf({ ...raw, kind: 'modified', skip: 3 }), []);
    assert.deepEqual(faultsOf({ kind: 'at-time', ...target, times: [], useSimpleBounds: true }), []);
    for (const aggregate of AGGREGATES) assert.deepEqual(faultsOf(processed({ aggregate })), []);
    assert.deepEqual(faultsOf(processed({ start: 10, end: 0, interval: 0.25 })), []);
  });

  test('tell all their faults at once', () => {
    const wrong = { ...raw, order: 'sideways', start: Number.NaN, end: '5', limit: 0 };
    assert.deepEqual(faultsOf(wrong), ['order', 'start', 'end', 'limit']);
    assert.deepEqual(faultsOf({ ...raw, start: 200 }), ['end']);
    assert.deepEqual(faultsOf({ ...raw, order: 'descending' }), ['end']);
    assert.deepEqual(faultsOf({ ...raw, start: 9e15, end: Number.POSITIVE_INFINITY }), ['start']);
    assert.deepEqual(faultsOf({ ...raw, start: Number.POSITIVE_INFINITY, end: Number.POSITIVE_INFINITY }), ['end']);
    assert.deepEqual(faultsOf({ ...raw, limit: LARGEST_HISTORY_PAGE + 1 }), ['limit']);
    assert.deepEqual(faultsOf({ ...raw, kind: 'modified', limit: 1.5, skip: -1 }), ['limit', 'skip']);
    assert.deepEqual(faultsOf({ ...raw, kind: 'events' }), ['kind']);
  });

  test('for instants name the one that is wrong', () => {
    const times = (given: number[]): HistoryRequest => ({
      kind: 'at-time',
      ...target,
      times: given,
      useSimpleBounds: false,
    });
    assert.deepEqual(faultsOf(times([1, Number.NaN])), ['times[1]']);
    assert.deepEqual(faultsOf(times(Array.from({ length: LARGEST_HISTORY_PAGE + 1 }, () => 1))), ['times']);
  });

  test('for aggregates keep the rules of Part 13', () => {
    const faults = (part: object): string[] => faultsOf({ ...processed({}), ...part });
    const configuration = processed({}).configuration;
    assert.deepEqual(faults({ start: 5, end: 5 }), ['end']);
    assert.deepEqual(faults({ start: Number.NEGATIVE_INFINITY }), ['start']);
    assert.deepEqual(faults({ interval: -1 }), ['interval']);
    assert.deepEqual(faults({ end: 1e12, interval: 0.001 }), ['interval']);
    assert.deepEqual(faults({ configuration: { ...configuration, percentDataBad: 40, percentDataGood: 50 } }), [
      'configuration.percentDataGood',
    ]);
    const wrong = { percentDataBad: 101, percentDataGood: -1, treatUncertainAsBad: 1, useSlopedExtrapolation: 'no' };
    assert.deepEqual(faults({ aggregate: 'Median', configuration: wrong }), [
      'aggregate',
      'configuration.percentDataBad',
      'configuration.percentDataGood',
      'configuration.treatUncertainAsBad',
      'configuration.useSlopedExtrapolation',
    ]);
  });
});

describe('the doors of history', () => {
  async function opened(): Promise<MemoryBackend> {
    const backend = new MemoryBackend();
    await backend.open();
    const rows = [
      { time: 10, value: 1, status: 0 },
      { time: 20, value: undefined, status: 0x8031_0000 },
    ];
    const empty = { currents: undefined, metrics: [], events: [], inventory: [], journal: [], now: 0 };
    await backend.write({ ...empty, samples: columnsOf(rows) });
    return backend;
  }

  function doorsOf(
    backend: StorageBackend,
    deps: Partial<Pick<HistoryDoorsDependencies, 'isWaiting' | 'settled' | 'clock'>> = {},
    held?: OwnValue,
  ): HistoryDoors {
    const record = new MetricRecord(1, {
      devEui: target.devEui,
      key: target.metric,
      name: 'Temperature',
      dataType: 'Double',
      kind: 'GAUGE',
    });
    record.held = held;
    return new HistoryDoors({
      backend,
      clock: new ManualClock(),
      isWaiting: () => false,
      settled: () => Promise.resolve(),
      metric: ({ metric }) => (metric === target.metric ? record : undefined),
      ...deps,
    });
  }

  test('give stored values with their origin', async () => {
    const doors = doorsOf(await opened());
    assert.deepEqual(await doors.read({ ...raw, bounds: { start: true, end: false } }), {
      values: [
        { time: 0, value: undefined, status: 0x80d7_0000 },
        { time: 10, value: 1, status: 0, origin: 'event' },
        { time: 20, value: undefined, status: 0x8031_0000, origin: 'event' },
      ],
    });
  });

  test('give computed values without one, and the way to the next page', async () => {
    const doors = doorsOf(await opened());
    const request = processed({ aggregate: 'Count', start: 0, end: 40, interval: 20, limit: 1 });
    const { values, next } = await doors.read(request);
    assert.deepEqual(values, [{ time: 0, value: 1, status: 0x405 }]);
    assert.deepEqual(next, { ...request, skip: 1 });
    const encoded = await doors.readEncoded(request, { sourceTimestamps: true });
    assert.equal(encoded.count, 1);
    assert.deepEqual(encoded.next, next);
  });

  test('know of a sample that a dead-band kept out', async () => {
    const held = { time: 30, value: 1, status: 0, flags: sampleFlags(1, 'event', false) };
    const doors = doorsOf(await opened(), {}, held);
    const { values } = await doors.read(processed({ aggregate: 'End', start: 0, end: 40 }));
    assert.deepEqual(values, [{ time: 30, value: 1, status: 0x404 }]);
    assert.equal((await doors.read(raw)).values.length, 2);
  });

  test('have nothing of a metric that is not known', async () => {
    const doors = doorsOf(await opened());
    const unknown = { ...raw, metric: 'other' as RawHistoryRequest['metric'] };
    assert.deepEqual(await doors.read(unknown), { values: [] });
    const { bytes, count } = await doors.readEncoded(unknown, { sourceTimestamps: true });
    assert.deepEqual([[...bytes], count], [[0, 0, 0, 0], 0]);
  });

  test('reject what does not keep the rules, and what a backend cannot do', async () => {
    const doors = doorsOf(await opened());
    await assert.rejects(doors.read({ ...raw, limit: 0 }), InvalidInputError);
    await assert.rejects(doors.readEncoded({ ...raw, limit: 0 }, { sourceTimestamps: true }), InvalidInputError);
    const closed = new MemoryBackend();
    await assert.rejects(doorsOf(closed).read(raw), StorageError);
  });

  test('wait for what waits of the metric, and see it', async () => {
    const backend = await opened();
    let isWritten = (): void => undefined;
    const written = new Promise<void>((resolve) => {
      isWritten = resolve;
    });
    const reads: StoredHistoryRequest[] = [];
    const watched = new Proxy(backend, {
      get(inner, name) {
        if (name === 'readHistory')
          return (request: StoredHistoryRequest) => {
            reads.push(request);
            return inner.readHistory(request);
          };
        return Reflect.get(inner, name, inner) as unknown;
      },
    });
    const doors = doorsOf(watched, { isWaiting: () => true, settled: () => written });
    const answer = doors.read(raw);
    await Promise.resolve();
    assert.equal(reads.length, 0);
    isWritten();
    assert.equal((await answer).values.length, 2);
    assert.equal(reads.length, 1);
  });

  test('do not wait longer than a second for a slow disk, nor for nobody', async () => {
    const clock = new ManualClock();
    const never = (): Promise<void> => new Promise(() => undefined);
    const doors = doorsOf(await opened(), { isWaiting: () => true, settled: never, clock });
    const answer = doors.read(raw);
    await clock.advance(1_000);
    assert.equal((await answer).values.length, 2);
    const nobody = new AbortController();
    const withdrawn = doors.read(raw, nobody.signal);
    nobody.abort();
    await assert.rejects(withdrawn, StorageError);
  });
});
