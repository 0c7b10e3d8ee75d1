/** Both backends answer every kind of question as the plain oracle does, over random data. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import * as fc from 'fast-check';
import {
  AGGREGATES,
  type AggregateConfiguration,
  type HistoryRequest,
  type MetricDataType,
  type MetricValue,
  type RawHistoryRequest,
  systemClock,
} from '../../../lib/model';
import { MemoryBackend, SqliteBackend, type StorageBackend } from '../../../lib/store';
import { processedAnswer } from './history-interval-oracle';
import { Oracle, rawAnswer } from './history-oracle';
import {
  type Answered,
  answeredOf,
  BAD,
  columnsOf,
  GOOD,
  processed,
  type Row,
  target,
  UNCERTAIN,
} from './history-support';

const BASE = Date.UTC(2024, 0, 1);

/** How much data there is: little, many times; and more than the engine reads at once. */
interface Size {
  /** ms */
  readonly span: number;
  readonly rows: number;
  readonly runs: number;
}
const SIZES: readonly Size[] = [
  { span: 60, rows: 25, runs: 100 },
  { span: 700, rows: 500, runs: 10 },
];

/** A few values, so that equal ones are frequent; integers that a double does not hold. */
const VALUES: Readonly<Record<MetricDataType, fc.Arbitrary<MetricValue>>> = {
  Double: fc.oneof(
    fc.integer({ min: -3, max: 3 }),
    fc.integer({ min: -800, max: 800 }).map((eighths) => eighths / 8),
  ),
  Int64: fc.oneof(
    fc.bigInt({ min: -2n, max: 2n }),
    fc.constantFrom(9_007_199_254_740_993n, 9_007_199_254_740_995n, -9_007_199_254_740_993n),
  ),
  Boolean: fc.boolean(),
  String: fc.constantFrom('', 'on', 'größer', 'off'),
};

const STATUSES = fc.oneof(
  { weight: 6, arbitrary: fc.constant(GOOD) },
  { weight: 2, arbitrary: fc.constantFrom(UNCERTAIN, 0x4090_0000) },
  { weight: 2, arbitrary: fc.constantFrom(BAD, 0x8031_0000) },
);

function rowsOf(dataType: MetricDataType, { span, rows }: Size): fc.Arbitrary<Row[]> {
  const row = fc.tuple(fc.integer({ min: 0, max: span }), STATUSES, VALUES[dataType], fc.integer({ min: 0, max: 9 }));
  return fc
    .uniqueArray(row, {
      selector: ([time]) => time,
      minLength: rows > 100 ? rows / 2 : 0,
      maxLength: rows,
      size: 'max',
    })
    .map((entries) =>
      entries
        .map(([time, status, value, chance]): Row => {
          // Bad rows mostly have no value; gaps never have.
          const isEmpty = status >= BAD && chance > 2;
          return { time: BASE + time, status, value: isEmpty ? undefined : value };
        })
        .sort((a, b) => a.time - b.time),
    );
}

const dataTypes = fc.constantFrom<MetricDataType>('Double', 'Double', 'Int64', 'Boolean', 'String');

function instants({ span }: Size): fc.Arbitrary<number> {
  return fc.integer({ min: -10, max: span + 10 }).map((offset) => BASE + offset);
}

function halfInstants({ span }: Size): fc.Arbitrary<number> {
  return fc.integer({ min: -20, max: 2 * (span + 10) }).map((offset) => BASE + offset / 2);
}

function rawRequests(size: Size): fc.Arbitrary<RawHistoryRequest> {
  const instant = instants(size);
  return fc
    .record({
      first: fc.oneof(
        { weight: 5, arbitrary: instant },
        { weight: 1, arbitrary: fc.constant(Number.NEGATIVE_INFINITY) },
      ),
      second: fc.oneof(
        { weight: 5, arbitrary: instant },
        { weight: 1, arbitrary: fc.constant(Number.POSITIVE_INFINITY) },
      ),
      isAscending: fc.boolean(),
      bounds: fc.record({ start: fc.boolean(), end: fc.boolean() }),
      limit: fc.integer({ min: 1, max: size.rows }),
    })
    .map(({ first, second, isAscending, bounds, limit }) => {
      const [low, high] = [Math.min(first, second), Math.max(first, second)];
      return {
        kind: 'raw',
        ...target,
        order: isAscending ? 'ascending' : 'descending',
        start: isAscending ? low : high,
        end: isAscending ? high : low,
        bounds,
        limit,
      };
    });
}

const configurations: fc.Arbitrary<AggregateConfiguration> = fc
  .record({
    treatUncertainAsBad: fc.boolean(),
    percentDataBad: fc.constantFrom(100, 100, 50, 75, 20),
    percentDataGood: fc.constantFrom(100, 100, 50, 80),
    useSlopedExtrapolation: fc.boolean(),
  })
  .map((configuration) => ({
    ...configuration,
    percentDataGood: Math.max(configuration.percentDataGood, 100 - configuration.percentDataBad),
  }));

/** A data type and rows of it. */
function dataOf(size: Size): fc.Arbitrary<[MetricDataType, Row[]]> {
  return dataTypes.chain((dataType) => fc.tuple(fc.constant(dataType), rowsOf(dataType, size)));
}

interface Place {
  readonly name: string;
  readonly backend: StorageBackend;
}

describe('history of both backends', () => {
  let places: Place[] = [];
  let folder = '';
  let metric = 0;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lorua-history-'));
    places = [
      { name: 'memory', backend: new MemoryBackend() },
      { name: 'sqlite', backend: new SqliteBackend(join(folder, 'history.db'), systemClock) },
    ];
    for (const { backend } of places) await backend.open({ replaceDamaged: false });
  });
  after(async () => {
    for (const { backend } of places) await backend.close({ clean: true });
    await rm(folder, { recursive: true });
  });

  /** Rows of a metric of their own, in both places. */
  async function keep(rows: readonly Row[]): Promise<void> {
    metric++;
    const batch = { currents: undefined, metrics: [], events: [], inventory: [], journal: [], now: BASE };
    for (const { backend } of places) await backend.write({ ...batch, samples: columnsOf(rows, metric) });
  }

  async function check(
    request: HistoryRequest,
    rows: readonly Row[],
    dataType: MetricDataType,
    expected: Answered[],
  ): Promise<void> {
    for (const { name, backend } of places) {
      const answers: Answered[] = [];
      let pages = 0;
      for (let next: HistoryRequest | undefined = request; next !== undefined; pages++) {
        const page = await backend.readHistory({ metric, dataType, request: next });
        assert.ok(('limit' in request && page.columns.length <= request.limit) || request.kind === 'at-time');
        assert.ok(pages < 3_000, 'pages come to an end');
        answers.push(...answeredOf(page));
        // What crosses to a client and comes back is the same question.
        next = page.next;
      }
      compareAnswers(answers, expected, toleranceOf(rows), `${name}: ${request.kind}`);
    }
  }

  for (const size of SIZES) {
    const { runs, rows: most } = size;

    test(`raw, reverse, bounded, page by page, of up to ${most} rows`, () =>
      fc.assert(
        fc.asyncProperty(
          dataOf(size),
          fc.array(rawRequests(size), { minLength: 1, maxLength: 8 }),
          async ([dataType, rows], requests) => {
            await keep(rows);
            for (const request of requests) await check(request, rows, dataType, rawAnswer(rows, request));
          },
        ),
        { numRuns: runs },
      ));

    test(`at given instants of up to ${most} rows`, () =>
      fc.assert(
        fc.asyncProperty(
          dataOf(size),
          fc.array(halfInstants(size), { maxLength: 40 }),
          fc.boolean(),
          async ([dataType, rows], times, useSimpleBounds) => {
            await keep(rows);
            const request = { kind: 'at-time', ...target, times, useSimpleBounds } as const;
            await check(request, rows, dataType, new Oracle(rows, dataType).atTime(request));
          },
        ),
        { numRuns: runs },
      ));

    for (const aggregate of AGGREGATES)
      test(`${aggregate} over intervals of up to ${most} rows`, () =>
        fc.assert(
          fc.asyncProperty(
            dataOf(size),
            fc.tuple(halfInstants(size), halfInstants(size)).filter(([start, end]) => start !== end),
            fc.integer({ min: 0, max: size.span }).map((halves) => halves / 2),
            configurations,
            fc.integer({ min: 1, max: 50 }),
            async ([dataType, rows], [start, end], interval, configuration, limit) => {
              await keep(rows);
              const request = processed({ aggregate, start, end, interval, configuration, limit });
              await check(request, rows, dataType, processedAnswer(rows, dataType, request));
            },
          ),
          { numRuns: runs },
        ));
  }
});

/** Numbers that are computed from great ones, or from their squares, lose their last digits. */
function toleranceOf(rows: readonly Row[]): number {
  const numbers = rows.map(({ value }) => Math.abs(Number(value))).filter((value) => !Number.isNaN(value));
  return 1e-11 * Math.max(1, ...numbers) ** 2;
}

function compareAnswers(
  answers: readonly Answered[],
  expected: readonly Answered[],
  tolerance: number,
  where: string,
): void {
  const close = (given: MetricValue | undefined, wanted: MetricValue | undefined): boolean =>
    given === wanted ||
    (typeof given === 'number' && typeof wanted === 'number' && Math.abs(given - wanted) <= tolerance);
  const isEqual =
    answers.length === expected.length &&
    expected.every((wanted, index) => {
      const given = answers[index];
      return given?.time === wanted.time && given.status === wanted.status && close(given.value, wanted.value);
    });
  // For the message.
  if (!isEqual) assert.deepEqual(answers.map(shown), expected.map(shown), where);
}

function shown({ time, status, value }: Answered): string {
  return `${time - BASE} ${String(value)} ${status.toString(16)}`;
}
