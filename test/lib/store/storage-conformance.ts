import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import * as fc from 'fast-check';
import {
  type EventId,
  type MetricKey,
  type MetricValue,
  parseDevEui,
  qualityCode,
  type SourceId,
} from '../../../lib/model';
import {
  EVENTS_PER_DEVICE,
  type Sample,
  SampleColumnsBuilder,
  type StorageBackend,
  StorageError,
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
    ...rest,
  };
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
    const all = async (id: number, part: object = {}): Promise<unknown[]> => {
      const range = { metric: id, from: 0, to: 1e15, limit: 10_000, order: 'ascending' as const, ...part };
      return [...samplesOf(await backend.readHistory(range))].map(plain);
    };

    test('an empty storage holds nothing', async () => {
      const state = await backend.open({ replaceDamaged: false });
      assert.deepEqual([state.metrics, state.events, state.inventory, state.currents.length], [[], [], [], 0]);
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
      const times = async (part: object): Promise<unknown[]> =>
        (await all(5, part)).map((row) => (row as unknown[])[0]);
      assert.deepEqual(await times({ from: 2, to: 4 }), [2, 3]);
      assert.deepEqual(await times({ from: 2, to: 5, order: 'descending' }), [4, 3, 2]);
      assert.deepEqual(await times({ limit: 2 }), [1, 2]);
      assert.deepEqual(await times({ limit: 2, order: 'descending' }), [5, 4]);
      assert.deepEqual(await times({ from: 4, to: 2 }), []);
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
            assert.deepEqual(await all(id, { from, to, limit, order }), expected);
          },
        ),
        { numRuns: 60 },
      );
    });

    test('pruning goes in slices and removes exactly what is old', async () => {
      const rows = [6, 7, 8].flatMap((id) => Array.from({ length: 50 }, (_, time): Row => [id, time, time]));
      await backend.write(batch({ metrics: [metric(6), metric(7), metric(8)], rows }));
      let afterMetric: number | undefined = 5;
      let removed = 0;
      let slices = 0;
      while (afterMetric !== undefined) {
        const result = await backend.prune({ before: 30, afterMetric, limit: 20 });
        assert.ok(result.removed <= 20);
        removed += result.removed;
        afterMetric = result.next;
        slices++;
      }
      assert.ok(removed >= 90, `${removed}`);
      assert.ok(slices > 4);
      for (const id of [6, 7, 8]) assert.deepEqual((await all(id))[0], [30, 30, 0]);
      assert.equal((await backend.prune({ before: 30, afterMetric: 5, limit: 1_000 })).removed, 0);
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
        const names = new Map(state.metrics.map(({ id, definition }) => [id, definition.name]));
        assert.equal(names.get(1), `now ${newest}`);
        const currents = new Map([...samplesOf(state.currents)].map((sample) => [sample.metric, sample.value]));
        assert.equal(currents.get(newest), 'seven');
        assert.equal(currents.get(second), 2n ** 60n);
        assert.deepEqual(
          state.events.map(({ eventId }) => eventId),
          Array.from({ length: EVENTS_PER_DEVICE }, (_, index) => `event-${newest}-${index + 3}`),
        );
        assert.deepEqual(state.inventory, [{ source, kind: 'device', id: devEui, body: '{"a":1}' }]);
        assert.deepEqual(await all(second), [[5, 2n ** 60n, 0]]);
      }
    });

    test('a closed backend refuses everything, and may be closed again', async () => {
      await backend.close({ clean: true });
      await backend.close({ clean: true });
      const range = { metric: 1, from: 0, to: 1, limit: 1, order: 'ascending' as const };
      await assert.rejects(backend.write(batch({})), StorageError);
      await assert.rejects(backend.readHistory(range), StorageError);
      await assert.rejects(backend.prune({ before: 1, afterMetric: 0, limit: 1 }), StorageError);
    });
  });
}
