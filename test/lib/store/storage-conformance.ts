import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import * as fc from 'fast-check';
import {
  type EventId,
  MEASUREMENT_KINDS,
  type MetricKey,
  type MetricValue,
  parseDevEui,
  qualityCode,
  type RawHistoryRequest,
  type SourceId,
} from '../../../lib/model';
import {
  EVENTS_PER_DEVICE,
  metricsOf,
  type PruneSlice,
  type Sample,
  SampleColumnsBuilder,
  type StorageBackend,
  StorageError,
  type StoredHistoryRequest,
  type StoredMetric,
  sampleFlags,
  samplesOf,
  type WriteBatch,
} from '../../../lib/store';

export const devEui = parseDevEui('0102030405060708');

export function metric(id: number, key = `m${id}`): StoredMetric {
  return {
    id,
    definition: { devEui, key: key as MetricKey, name: `Metric ${id}`, dataType: 'Double', kind: 'GAUGE' },
  };
}

export type Row = [metric: number, time: number, value: MetricValue | undefined, status?: number];

export function columns(rows: readonly Row[]): SampleColumnsBuilder {
  const builder = new SampleColumnsBuilder(1);
  for (const [id, time, value, status = 0] of rows)
    builder.add(id, time, status, sampleFlags(value, 'event', false), value);
  return builder;
}

export function batch(part: Partial<WriteBatch> & { rows?: readonly Row[] }): WriteBatch {
  const { rows, ...rest } = part;
  return {
    samples: rows ? columns(rows).trimmed() : undefined,
    currents: undefined,
    metrics: [],
    events: [],
    inventory: [],
    journal: [],
    now: 1_000_000,
    ...rest,
  };
}

/** All stored entries of a metric, oldest first, unless a test wants another part. */
export function rawRequest(id: number, part: Partial<RawHistoryRequest> = {}): StoredHistoryRequest {
  return {
    metric: id,
    dataType: 'Double',
    request: {
      kind: 'raw',
      devEui,
      metric: `m${id}` as MetricKey,
      order: 'ascending',
      start: 0,
      end: Number.POSITIVE_INFINITY,
      limit: 10_000,
      bounds: { start: false, end: false },
      ...part,
    },
  };
}

/** Everything of some metrics older than an instant. */
export function slice(metrics: readonly number[], before: number, limit: number): PruneSlice {
  return { metrics: Int32Array.from(metrics), before: new Float64Array(metrics.length).fill(before), limit };
}

const plain = ({ time, value, status }: Sample): unknown[] => [time, value, status];

export interface BackendUnderTest {
  readonly backend: StorageBackend;
  /** A backend over the same storage, after a clean end or after a crash. */
  reopen(clean: boolean): Promise<StorageBackend>;
  dispose(): Promise<void>;
}

/** What every backend must do. */
export function storageConformance(name: string, create: () => Promise<BackendUnderTest>): void {
  describe(`storage backend: ${name}`, () => {
    let subject: BackendUnderTest;
    let backend: StorageBackend;
    before(async () => {
      subject = await create();
      backend = subject.backend;
    });
    after(() => subject.dispose());
    const all = async (id: number, part: Partial<RawHistoryRequest> = {}): Promise<unknown[]> =>
      [...samplesOf((await backend.readHistory(rawRequest(id, part))).columns)].map(plain);

    test('an empty storage holds nothing', async () => {
      const state = await backend.open({ replaceDamaged: false });
      assert.deepEqual(
        [state.metrics.length, state.events, state.inventory, state.currents.length, state.gaps.length],
        [0, [], [], 0, 0],
      );
      assert.equal(state.setAside, undefined);
      assert.deepEqual(await all(99), []);
    });

    test('every type of value comes back exactly', async () => {
      const values: (MetricValue | undefined)[] = [
        21.5,
        -0,
        5,
        Number.MAX_VALUE,
        Number.MIN_VALUE,
        Number.POSITIVE_INFINITY,
        2n ** 63n - 1n,
        -(2n ** 63n),
        9_007_199_254_740_993n,
        0n,
        true,
        false,
        '',
        'ünïcode \u{1f600}',
        undefined,
      ];
      const rows = values.map((value, index): Row => [1, 1_795_448_058_912 + index, value]);
      await backend.write(batch({ metrics: [metric(1)], rows }));
      assert.deepEqual(
        (await all(1)).map((row) => (row as unknown[])[1]),
        values,
      );
    });

    test('a status is kept with its value, with the highest bit too', async () => {
      const bad = qualityCode('BadSensorFailure');
      await backend.write(batch({ metrics: [metric(2)], rows: [[2, 10, 1, bad]] }));
      assert.deepEqual(await all(2), [[10, 1, bad]]);
    });

    test('late samples are sorted in, the same sample is there once', async () => {
      await backend.write(
        batch({
          metrics: [metric(3)],
          rows: [
            [3, 30, 3],
            [3, 10, 1],
            [3, 30, 3],
          ],
        }),
      );
      await backend.write(
        batch({
          rows: [
            [3, 20, 2],
            [3, 10, 1],
          ],
        }),
      );
      assert.deepEqual(await all(3), [
        [10, 1, 0],
        [20, 2, 0],
        [30, 3, 0],
      ]);
    });

    test('a correction takes the place of a value unless it is of worse quality', async () => {
      const uncertain = qualityCode('UncertainSubNormal');
      await backend.write(
        batch({
          metrics: [metric(4)],
          rows: [
            [4, 10, 1],
            [4, 20, 1, uncertain],
          ],
        }),
      );
      await backend.write(
        batch({
          rows: [
            [4, 10, 2],
            [4, 20, 5],
          ],
        }),
      );
      await backend.write(batch({ rows: [[4, 10, 9, uncertain]] }));
      assert.deepEqual(await all(4), [
        [10, 2, 0],
        [20, 5, 0],
      ]);
    });

    test('a range is half-open, in both orders, limited', async () => {
      const rows = [1, 2, 3, 4, 5].map((time): Row => [5, time, time]);
      await backend.write(batch({ metrics: [metric(5)], rows }));
      const times = async (part: Partial<RawHistoryRequest>): Promise<unknown[]> =>
        (await all(5, part)).map((row) => (row as unknown[])[0]);
      assert.deepEqual(await times({ start: 2, end: 4 }), [2, 3]);
      assert.deepEqual(await times({ start: 4, end: 1, order: 'descending' }), [4, 3, 2]);
      assert.deepEqual(await times({ limit: 2 }), [1, 2]);
      assert.deepEqual(await times({ start: 9, end: 0, limit: 2, order: 'descending' }), [5, 4]);
      assert.deepEqual(await times({ start: 6, end: 8 }), []);
    });

    test('reads agree with a simple model over random samples', async () => {
      let id = 100;
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.record({ time: fc.integer({ min: 0, max: 40 }), value: fc.double({ noNaN: true }) }), {
            maxLength: 60,
          }),
          fc.integer({ min: 0, max: 40 }),
          fc.integer({ min: 0, max: 40 }),
          fc.integer({ min: 1, max: 10 }),
          fc.constantFrom('ascending' as const, 'descending' as const),
          async (samples, from, to, limit, order) => {
            id++;
            const model = new Map<number, number>();
            // 0 and -0 say the same: the first one stays.
            for (const { time, value } of samples) if (model.get(time) !== value) model.set(time, value);
            await backend.write(
              batch({ metrics: [metric(id)], rows: samples.map(({ time, value }): Row => [id, time, value]) }),
            );
            const expected = [...model]
              .filter(([time]) => time >= from && time < to)
              .sort(([a], [b]) => (order === 'ascending' ? a - b : b - a))
              .slice(0, limit)
              .map(([time, value]) => [time, value, 0]);
            const isForward = order === 'ascending';
            // `from` = `to` would ask for that instant.
            if (from < to)
              assert.deepEqual(
                await all(id, {
                  start: isForward ? from : to - 1,
                  end: isForward ? to : from - 1,
                  limit,
                  order,
                }),
                expected,
              );
          },
        ),
        { numRuns: 60 },
      );
    });

    test('pruning goes in slices and removes exactly what is old', async () => {
      const rows = [6, 7, 8].flatMap((id) => Array.from({ length: 50 }, (_, time): Row => [id, time, time]));
      await backend.write(batch({ metrics: [metric(6), metric(7), metric(8)], rows }));
      let left = [6, 7, 8];
      let removed = 0;
      let slices = 0;
      while (left.length > 0) {
        const result = await backend.prune(slice(left, 30, 20));
        assert.ok(result.removed <= 20);
        removed += result.removed;
        left = left.slice(result.done);
        slices++;
      }
      assert.equal(removed, 90);
      assert.ok(slices > 4);
      for (const id of [6, 7, 8]) assert.deepEqual((await all(id))[0], [30, 30, 0]);
      assert.deepEqual(await backend.prune(slice([6, 7, 8], 30, 1_000)), { removed: 0, done: 3 });
    });

    test('pruning follows the instant of each metric', async () => {
      const rows = [9, 10].flatMap((id) => [1, 2, 3].map((time): Row => [id, time, time]));
      await backend.write(batch({ metrics: [metric(9), metric(10)], rows }));
      const both = { metrics: Int32Array.of(9, 10), before: Float64Array.of(3, Number.NEGATIVE_INFINITY), limit: 10 };
      assert.deepEqual(await backend.prune(both), { removed: 2, done: 2 });
      assert.deepEqual([(await all(9)).length, (await all(10)).length], [1, 3]);
    });

    test('definitions, current values, events and inventory are there after a restart, clean or not', async () => {
      const source = 'abc' as SourceId;
      for (const clean of [true, false]) {
        const [newest, second] = clean ? [200, 201] : [300, 301];
        const renamed = { ...metric(1), definition: { ...metric(1).definition, name: `now ${newest}` } };
        await backend.write(
          batch({
            metrics: [renamed, metric(newest)],
            rows: [[newest, 77, 'seven']],
            currents: columns([[newest, 77, 'seven']]).trimmed(),
            events: Array.from({ length: EVENTS_PER_DEVICE + 3 }, (_, index) => ({
              devEui,
              sequence: newest * 100 + index,
              eventId: `event-${newest}-${index}` as EventId,
            })),
            inventory: [
              { source, kind: 'device', id: devEui, body: '{"a":1}' },
              { source, kind: 'gateway', id: '00000000000000aa', body: '{"state":"online"}' },
              { source, kind: 'profile', id: 'gone', body: '{}' },
            ],
          }),
        );
        await backend.write(
          batch({
            metrics: [metric(second)],
            rows: [[second, 5, 2n ** 60n]],
            currents: columns([[second, 5, 2n ** 60n]]).trimmed(),
            inventory: [{ source, kind: 'profile', id: 'gone', body: undefined }],
          }),
        );
        backend = await subject.reopen(clean);
        const state = await backend.open({ replaceDamaged: false });
        const names = new Map(Array.from(metricsOf(state.metrics), ({ id, definition }) => [id, definition.name]));
        assert.equal(names.get(1), `now ${newest}`);
        const currents = new Map([...samplesOf(state.currents)].map((sample) => [sample.metric, sample.value]));
        assert.equal(currents.get(newest), 'seven');
        assert.equal(currents.get(second), 2n ** 60n);
        assert.deepEqual(
          state.events.map(({ eventId }) => eventId),
          Array.from({ length: EVENTS_PER_DEVICE }, (_, index) => `event-${newest}-${index + 3}`),
        );
        assert.deepEqual(state.inventory, [
          { source, kind: 'device', id: devEui, body: '{"a":1}' },
          { source, kind: 'gateway', id: '00000000000000aa', body: '{"state":"online"}' },
        ]);
        assert.deepEqual(await all(second), [[5, 2n ** 60n, 0]]);
      }
    });

    test('metrics come back as they were defined', async () => {
      const odd: StoredMetric = {
        id: 400,
        definition: { devEui, key: 'odd' as MetricKey, name: 'a\u001eb\n"c"', dataType: undefined, kind: 'UNKNOWN' },
      };
      const typed = (['Double', 'Int64', 'Boolean', 'String'] as const).map(
        (dataType, index): StoredMetric => ({
          id: 401 + index,
          definition: { ...metric(401 + index).definition, dataType, kind: MEASUREMENT_KINDS[index + 1] ?? 'UNKNOWN' },
        }),
      );
      const many = Array.from({ length: 600 }, (_, index) => metric(1_000 + index));
      for (const metrics of [typed, many, [odd]]) {
        await backend.write(batch({ metrics }));
        backend = await subject.reopen(true);
        const state = await backend.open({ replaceDamaged: false });
        const ids = new Set(metrics.map(({ id }) => id));
        assert.deepEqual(
          [...metricsOf(state.metrics)].filter(({ id }) => ids.has(id)),
          metrics,
        );
      }
    });

    test('a question may be withdrawn', async () => {
      const controller = new AbortController();
      const questions = [1, 2, 3].map(() => backend.readHistory(rawRequest(1), controller.signal));
      controller.abort();
      const outcomes = await Promise.allSettled([...questions, backend.readHistory(rawRequest(1), controller.signal)]);
      for (const outcome of outcomes)
        if (outcome.status === 'rejected') assert.ok(outcome.reason instanceof StorageError);
      assert.equal(outcomes.at(-1)?.status, 'rejected');
      assert.ok((await all(1)).length > 0);
    });

    test('statistics say what the data takes', async () => {
      const { bytes, freeBytes } = await backend.statistics();
      assert.ok(bytes > 0);
      assert.ok(freeBytes >= 0);
    });

    test('an encoded page holds the same values', async () => {
      const { columns: plainColumns } = await backend.readHistory(rawRequest(1));
      const page = await backend.readEncodedHistory(rawRequest(1), { sourceTimestamps: true });
      assert.equal(page.count, plainColumns.length);
      assert.equal(new DataView(page.bytes.buffer, page.bytes.byteOffset).getInt32(0, true), plainColumns.length);
    });

    test('a closed backend refuses everything, and may be closed again', async () => {
      await backend.close({ clean: true });
      await backend.close({ clean: true });
      const query = { journal: 'event', from: 0, to: 1, limit: 1 } as const;
      for (const call of [
        backend.write(batch({})),
        backend.commit({ records: [], removed: [], journal: [] }),
        backend.readHistory(rawRequest(1)),
        backend.readEncodedHistory(rawRequest(1), { sourceTimestamps: true }),
        backend.readRecords({ kind: 'command', limit: 1 }),
        backend.readJournal(query),
        backend.prune(slice([1], 1, 1)),
        backend.pruneRecords({ events: 1, audit: 1, ended: 1, limit: 1 }),
        backend.statistics(),
      ])
        await assert.rejects(call, StorageError);
    });
  });
}
