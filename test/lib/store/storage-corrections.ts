import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import * as fc from 'fast-check';
import { type MetricValue, type Origin, qualityCode } from '../../../lib/model';
import {
  GAP_FLAGS,
  isGap,
  SampleColumnsBuilder,
  SampleFlag,
  type StorageBackend,
  sampleFlags,
  samplesOf,
} from '../../../lib/store';
import { type BackendUnderTest, batch, metric, rawRequest, slice } from './storage-conformance';

const STALE = qualityCode('BadNoCommunication');
const OUT_OF_SERVICE = qualityCode('BadOutOfService');
const UNCERTAIN = qualityCode('UncertainSubNormal');

interface Sent {
  readonly time: number;
  readonly value: MetricValue | undefined;
  readonly status?: number;
  readonly origin?: Origin;
  readonly isLate?: boolean;
}

/** A gap is the text 'gap'. */
type Entry = [time: number, value: MetricValue | undefined];

/** How corrections and gaps are kept: the same by every backend. */
export function correctionConformance(name: string, create: () => Promise<BackendUnderTest>): void {
  describe(`corrections and gaps: ${name}`, () => {
    let subject: BackendUnderTest;
    let backend: StorageBackend;
    let id = 0;
    before(async () => {
      subject = await create();
      backend = subject.backend;
      await backend.open({ replaceDamaged: false });
    });
    after(() => subject.dispose());

    const send = (sent: readonly Sent[], now = 5_000): Promise<void> => {
      const columns = new SampleColumnsBuilder();
      for (const { time, value, status = 0, origin = 'event', isLate = false } of sent)
        columns.add(id, time, status, sampleFlags(value, origin, isLate), value);
      return backend.write(batch({ metrics: [metric(id)], samples: columns.trimmed(), now }));
    };
    const gap = (time: number, status = STALE, known?: number): Promise<void> => {
      const columns = new SampleColumnsBuilder();
      columns.add(id, time, status, GAP_FLAGS, known);
      return backend.write(batch({ metrics: [metric(id)], samples: columns.trimmed() }));
    };
    const entries = async (): Promise<Entry[]> =>
      [...samplesOf((await backend.readHistory(rawRequest(id))).columns)].map(
        ({ time, value, flags }): Entry => [time, isGap(flags) ? 'gap' : value],
      );
    const modified = async (): Promise<unknown[]> => {
      const { request } = rawRequest(id);
      const { columns, modifiedAt } = await backend.readHistory({
        metric: id,
        dataType: 'Double',
        request: {
          kind: 'modified',
          devEui: request.devEui,
          metric: request.metric,
          order: 'ascending',
          start: 0,
          end: Number.POSITIVE_INFINITY,
          limit: 1_000,
          skip: 0,
        },
      });
      return [...samplesOf(columns)].map(({ time, value }, index) => [time, value, modifiedAt?.[index]]);
    };
    const openGap = async (): Promise<number | undefined> => {
      const { gaps } = await backend.open({ replaceDamaged: false });
      const place = gaps.metric.subarray(0, gaps.length).indexOf(id);
      return place < 0 ? undefined : gaps.time[place];
    };

    test('each replaced value is kept with the time of its replacement, in their order', async () => {
      id++;
      await send([{ time: 10, value: 1 }]);
      await send([{ time: 10, value: 2, origin: 'flow' }], 6_000);
      await send(
        [
          { time: 10, value: true, origin: 'flow' },
          { time: 10, value: 'x', origin: 'flow' },
          { time: 10, value: 2n ** 60n, origin: 'flow' },
        ],
        7_000,
      );
      assert.deepEqual(await entries(), [[10, 2n ** 60n]]);
      assert.deepEqual(await modified(), [
        [10, 1, 6_000],
        [10, 2, 7_000],
        [10, true, 7_000],
        [10, 'x', 7_000],
      ]);
      const [kept] = samplesOf((await backend.readHistory(rawRequest(id))).columns);
      assert.ok((kept?.flags ?? 0) & SampleFlag.Corrected);
    });

    test('a correction is not undone by the event that it corrected, but by who made it', async () => {
      id++;
      await send([{ time: 10, value: 1 }]);
      await send([{ time: 10, value: 2, origin: 'flow' }]);
      await send([{ time: 10, value: 1, origin: 'replay' }]);
      assert.deepEqual(await entries(), [[10, 2]]);
      assert.equal((await modified()).length, 1);
      await send([{ time: 10, value: 1, origin: 'flow' }]);
      assert.deepEqual(await entries(), [[10, 1]]);
      assert.deepEqual(
        (await modified()).map((row) => (row as unknown[])[1]),
        [1, 2],
      );
    });

    test('what says the same, or less surely, changes nothing', async () => {
      id++;
      await send([{ time: 10, value: 1 }]);
      await send([
        { time: 10, value: 1, origin: 'replay' },
        { time: 10, value: 7, status: UNCERTAIN },
      ]);
      assert.deepEqual(await entries(), [[10, 1]]);
      assert.deepEqual(await modified(), []);
    });

    test('replaced values agree with a simple model', async () => {
      const random = fc.array(
        fc.record({
          time: fc.integer({ min: 0, max: 5 }),
          value: fc.constantFrom<MetricValue | undefined>(1, 2, true, 'a', 3n, undefined),
          status: fc.constantFrom(0, UNCERTAIN, STALE),
          origin: fc.constantFrom<Origin>('event', 'flow', 'replay'),
        }),
        { maxLength: 40 },
      );
      await fc.assert(
        fc.asyncProperty(random, fc.integer({ min: 1, max: 10 }), async (sent, size) => {
          id++;
          const rows = new Map<number, { value: MetricValue | undefined; status: number }>();
          const replaced: { time: number; value: MetricValue | undefined; status: number }[] = [];
          for (const { time, value, status, origin } of sent) {
            const known = rows.get(time);
            const isSame = (other: typeof known): boolean => other?.value === value && other?.status === status;
            if (known && (isSame(known) || status >>> 30 > known.status >>> 30)) continue;
            if (known && origin !== 'flow' && replaced.some((row) => row.time === time && isSame(row))) continue;
            if (known) replaced.push({ time, ...known });
            rows.set(time, { value, status });
          }
          for (let start = 0; start < sent.length; start += size) await send(sent.slice(start, start + size));
          assert.deepEqual(
            await entries(),
            [...rows].sort(([one], [other]) => one - other).map(([time, { value }]) => [time, value]),
          );
          assert.deepEqual(
            (await modified()).map((row) => (row as unknown[]).slice(0, 2)),
            replaced.toSorted((one, other) => one.time - other.time).map(({ time, value }) => [time, value]),
          );
        }),
        { numRuns: 60 },
      );
    });

    test('a gap says from when on nothing is known, until the next sample', async () => {
      id++;
      await send([{ time: 0, value: 1 }]);
      await gap(10);
      await gap(15, OUT_OF_SERVICE);
      assert.deepEqual(await entries(), [
        [0, 1],
        [10, 'gap'],
      ]);
      assert.equal(await openGap(), 10);
      await send([{ time: 20, value: 2 }]);
      assert.equal(await openGap(), undefined);
      await gap(20);
      await gap(0);
      assert.deepEqual(await entries(), [
        [0, 1],
        [10, 'gap'],
        [20, 2],
      ]);
      assert.deepEqual(await modified(), []);
    });

    test('a sample between the last one that was known and a gap refutes the gap', async () => {
      id++;
      await send([5, 14, 16, 40].map((time) => ({ time, value: time })));
      await gap(15, STALE, 5);
      assert.deepEqual((await entries()).length, 4);
      await gap(26, STALE, 16);
      await gap(50, STALE, 40);
      assert.deepEqual((await entries()).slice(2), [
        [16, 16],
        [26, 'gap'],
        [40, 40],
        [50, 'gap'],
      ]);
      assert.deepEqual(await modified(), []);
    });

    test('of two gaps with nothing between them the earlier one stands', async () => {
      id++;
      await send([{ time: 0, value: 1 }]);
      await gap(20);
      await gap(10, OUT_OF_SERVICE);
      assert.deepEqual(await entries(), [
        [0, 1],
        [10, 'gap'],
      ]);
      assert.equal(await openGap(), 10);
      await send([{ time: 30, value: 2 }]);
      await gap(5);
      assert.deepEqual(await entries(), [
        [0, 1],
        [5, 'gap'],
        [30, 2],
      ]);
      assert.equal(await openGap(), undefined);
    });

    test('an open gap is still open after a restart, clean or not', async () => {
      for (const clean of [true, false]) {
        id++;
        await send([{ time: 0, value: 1 }]);
        await gap(10);
        backend = await subject.reopen(clean);
        assert.equal(await openGap(), 10);
        // Earlier than the gap although it does not say that it is late.
        await send([{ time: 5, value: 2 }]);
        assert.equal(await openGap(), undefined);
        assert.deepEqual(await entries(), [
          [0, 1],
          [5, 2],
        ]);
      }
    });

    test('a sample takes the place of a gap, whatever its quality, and is no correction', async () => {
      id++;
      await send([{ time: 0, value: 1 }]);
      await gap(10);
      await send([{ time: 10, value: undefined, status: qualityCode('BadSensorFailure') }]);
      assert.deepEqual(await entries(), [
        [0, 1],
        [10, undefined],
      ]);
      assert.deepEqual(await modified(), []);
      assert.equal(await openGap(), undefined);
      const kept = [...samplesOf((await backend.readHistory(rawRequest(id))).columns)].at(-1);
      assert.equal((kept?.flags ?? 0) & SampleFlag.Corrected, 0);
    });

    test('a late sample moves the gap behind it, to before the next sample or away', async () => {
      id++;
      await send([{ time: 0, value: 1 }]);
      await gap(10);
      await send([{ time: 100, value: 9 }]);
      await send([{ time: 7, value: 2, isLate: true }]);
      assert.deepEqual(await entries(), [
        [0, 1],
        [7, 2],
        [17, 'gap'],
        [100, 9],
      ]);
      await send([{ time: 50, value: 3, isLate: true }]);
      assert.deepEqual(await entries(), [
        [0, 1],
        [7, 2],
        [17, 'gap'],
        [50, 3],
        [60, 'gap'],
        [100, 9],
      ]);
      await send([{ time: 92, value: 4, isLate: true }]);
      assert.deepEqual((await entries()).slice(3), [
        [50, 3],
        [60, 'gap'],
        [92, 4],
        [100, 9],
      ]);
    });

    test('a gap that is a fact of its own instant stays there', async () => {
      id++;
      await send([{ time: 0, value: 1 }]);
      await gap(10, OUT_OF_SERVICE);
      await send([{ time: 5, value: 2, isLate: true }]);
      assert.deepEqual(await entries(), [
        [0, 1],
        [5, 2],
        [10, 'gap'],
      ]);
      assert.equal(await openGap(), 10);
    });

    test('in whichever order samples come, history is the same in the end', async () => {
      const random = fc.record({
        times: fc.uniqueArray(fc.integer({ min: 0, max: 120 }), { minLength: 2, maxLength: 12 }),
        threshold: fc.integer({ min: 3, max: 30 }),
        size: fc.integer({ min: 1, max: 4 }),
        marksLate: fc.boolean(),
      });
      await fc.assert(
        fc.asyncProperty(random, async ({ times, threshold, size, marksLate }) => {
          id++;
          // What the store and the stale detector do: the newest sample makes the metric known until it is too old.
          let newest = Number.NEGATIVE_INFINITY;
          let columns = new SampleColumnsBuilder();
          const flush = async (): Promise<void> => {
            await backend.write(batch({ metrics: [metric(id)], samples: columns.trimmed() }));
            columns = new SampleColumnsBuilder();
          };
          // The first of all is known from the start: without a sample before it a gap has no threshold.
          const first = Math.min(...times);
          for (const time of [first, ...times.filter((other) => other !== first)]) {
            if (time > newest + threshold && Number.isFinite(newest))
              columns.add(id, newest + threshold, STALE, GAP_FLAGS, undefined);
            const isLate = time < newest;
            columns.add(id, time, 0, sampleFlags(time, 'event', isLate), time);
            newest = Math.max(newest, time);
            // The detector may be quick, and mark a gap that a late sample then fills.
            if (marksLate) columns.add(id, newest + threshold, STALE, GAP_FLAGS, undefined);
            if (columns.length >= size) await flush();
          }
          if (columns.length > 0) await flush();
          const sorted = times.toSorted((one, other) => one - other);
          const expected = sorted.flatMap((time, index): Entry[] => {
            const next = sorted[index + 1] ?? Number.NEGATIVE_INFINITY;
            return time + threshold < next
              ? [
                  [time, time],
                  [time + threshold, 'gap'],
                ]
              : [[time, time]];
          });
          const actual = await entries();
          // Whether nothing is known behind the last sample is not for history to say.
          if (actual.at(-1)?.[1] === 'gap') actual.pop();
          assert.deepEqual(actual, expected);
          assert.ok(actual.length < 10_000);
        }),
        { numRuns: 150 },
      );
    });

    test('replaced values go with the samples that took their place', async () => {
      id++;
      await send([
        { time: 10, value: 1 },
        { time: 20, value: 1 },
      ]);
      await send([
        { time: 10, value: 2, origin: 'flow' },
        { time: 20, value: 2, origin: 'flow' },
      ]);
      assert.deepEqual(await backend.prune(slice([id], 15, 10)), { removed: 1, done: 1 });
      assert.deepEqual(
        (await modified()).map((row) => (row as unknown[])[0]),
        [20],
      );
    });

    test('the same batch again changes nothing', async () => {
      id++;
      const sent: Sent[] = [
        { time: 0, value: 1 },
        { time: 9, value: 3 },
        { time: 4, value: 2, isLate: true },
        { time: 9, value: 4 },
      ];
      await send(sent);
      const before = [await entries(), await modified()];
      await send(sent);
      assert.deepEqual([await entries(), await modified()], before);
    });
  });
}
