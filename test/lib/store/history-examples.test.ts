/**
 * The examples of Part 13 Annex A: its five historians, and the results that it gives for them (AggregateExamples.csv of
 * version 1.05; what that leaves out from the tables of 1.04, with the corrections of Mantis 6193 and 6202).
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  type Aggregate,
  type AggregateConfiguration,
  HISTORIAN_BITS,
  HISTORY_STATUS,
  type MetricDataType,
  type MetricValue,
} from '../../../lib/model';
import { type Answered, askAll, BAD, GOOD, processed, type Row, rowsOf, UNCERTAIN } from './history-support';

const NOON = Date.UTC(2024, 0, 1, 12);
const SECOND = 1_000;
const END = 100;

interface Historian {
  readonly rows: readonly Row[];
  /** Stepped ones hold integers here: every type but Double is stepped. */
  readonly dataType: MetricDataType;
  readonly configuration: AggregateConfiguration;
}

function configurationOf(treatUncertainAsBad: boolean, percent: number, sloped: boolean): AggregateConfiguration {
  return {
    treatUncertainAsBad,
    percentDataBad: percent,
    percentDataGood: percent,
    useSlopedExtrapolation: sloped,
  };
}

function row(seconds: number, value: MetricValue | undefined, status = GOOD): Row {
  return { time: NOON + seconds * SECOND, value, status };
}

const irregular: readonly [number, number | undefined, number?][] = [
  [2, 10],
  [25, 20],
  [28, 25],
  [39, 30],
  [42, undefined, BAD],
  [48, 40],
  [52, 50],
  [72, 60],
  [77, 70, UNCERTAIN],
  [83, 70],
  [86, 80],
  [90, 90],
];

const HISTORIANS = {
  1: {
    rows: [
      row(10, 10),
      row(20, 20),
      row(30, 30),
      row(40, undefined, BAD),
      row(50, 50),
      row(60, 60),
      row(70, 70, UNCERTAIN),
      row(80, 80),
      row(90, 90),
    ],
    dataType: 'Double',
    configuration: configurationOf(false, 100, false),
  },
  2: {
    rows: irregular.map((entry) => row(...entry)),
    dataType: 'Double',
    configuration: configurationOf(true, 100, true),
  },
  3: {
    rows: irregular.map(([seconds, value, status]) =>
      row(seconds, value === undefined ? undefined : BigInt(value), status),
    ),
    dataType: 'Int64',
    configuration: configurationOf(true, 50, false),
  },
  4: {
    rows: [
      row(2, true),
      row(25, false),
      row(28, true),
      row(39, true),
      row(42, undefined, BAD),
      row(48, true),
      row(52, false),
      row(72, false),
      row(77, true, UNCERTAIN),
      row(83, true),
      row(86, false),
      row(90, true),
    ],
    dataType: 'Boolean',
    configuration: configurationOf(true, 100, false),
  },
  5: {
    rows: [
      row(2, 10),
      row(25, 20),
      row(28, 10),
      row(39, 30),
      row(42, undefined, BAD),
      row(48, 30),
      row(52, 50),
      row(72, 30),
      row(77, 70, UNCERTAIN),
      row(83, 70),
      row(86, 80),
      row(90, 70),
    ],
    dataType: 'Double',
    configuration: configurationOf(false, 100, false),
  },
} satisfies Record<number, Historian>;

type HistorianNumber = keyof typeof HISTORIANS;

const CODES: Readonly<Record<string, number>> = {
  G: GOOD,
  U: UNCERTAIN,
  D: HISTORY_STATUS.UncertainDataSubNormal,
  B: BAD,
  N: HISTORY_STATUS.BadNoData,
};
const BITS: Readonly<Record<string, number>> = {
  C: HISTORIAN_BITS.Calculated,
  I: HISTORIAN_BITS.Interpolated,
  P: HISTORIAN_BITS.Partial,
  M: HISTORIAN_BITS.MultiValue,
};

interface Expected {
  /** Seconds behind noon, where it is not the start of the interval. */
  readonly at: number | undefined;
  readonly value: number | undefined;
  readonly status: number;
}

/**
 * One result: value, `:` and its status (Good, Uncertain, D = UncertainDataSubNormal, Bad, N = BadNoData) with its bits
 * (Calculated, Interpolated, Partial, Multiple values); its time in seconds behind `@`.
 */
function parse(text: string): Expected {
  const [result = '', at] = text.split('@');
  const [value = '', letters = ''] = result.includes(':') ? result.split(':') : ['', result];
  const code = CODES[letters.slice(0, 1)];
  assert.ok(code !== undefined, text);
  const bits = Array.from(letters.slice(1)).reduce((sum, letter) => sum | (BITS[letter] ?? 0), 0);
  return {
    at: at === undefined ? undefined : Number(at),
    value: value === '' ? undefined : Number(value),
    status: code >= BAD ? code : (code | HISTORIAN_BITS.InfoTypeDataValue | bits) >>> 0,
  };
}

function example(aggregate: Aggregate, number: HistorianNumber, seconds: number, table: string): void {
  test(`${aggregate} of historian ${number}`, () => {
    const { rows, dataType, configuration }: Historian = HISTORIANS[number];
    const answer = askAll(
      rowsOf(rows),
      processed({ aggregate, start: NOON, end: NOON + END * SECOND, interval: seconds * SECOND, configuration }),
      dataType,
    );
    const expected = table.trim().split(/\s+/).map(parse);
    assert.equal(answer.length, expected.length);
    for (const [index, { at, value, status }] of expected.entries()) {
      const given = answer[index] as Answered;
      const where = `${aggregate} ${number}, interval at ${index * seconds} s`;
      assert.equal((given.time - NOON) / SECOND, at ?? index * seconds, `${where}: time`);
      assert.equal(given.status.toString(16), status.toString(16), `${where}: status`);
      if (value === undefined) assert.equal(given.value, undefined, where);
      // The examples have three or four decimals.
      else assert.ok(Math.abs(Number(given.value) - value) <= 0.00051, `${where}: ${String(given.value)} for ${value}`);
    }
  });
}

describe('interpolation and averages of the examples', () => {
  example(
    'Interpolative',
    1,
    5,
    `N N 10:G 15:GI 20:G 25:GI 30:G 35:DI 40:DI 45:DI 50:G 55:GI 60:G 65:DI 70:U 75:DI 80:G 85:GI 90:G 90:DI`,
  );
  example(
    'Interpolative',
    2,
    5,
    `N 11.304:GI 13.478:GI 15.652:GI 17.826:GI 20:G 25.909:GI 28.182:GI 31.111:DI 36.667:DI 45:GI 51.5:GI 54:GI 56.5:GI
     59:GI 62.727:DI 67.273:DI 76.667:GI 90:G 102.5:DI`,
  );
  example(
    'Interpolative',
    3,
    5,
    `N 10:GI 10:GI 10:GI 10:GI 20:G 25:GI 25:GI 30:GI 30:DI 40:GI 50:GI 50:GI 50:GI 50:GI 60:GI 60:DI 70:GI 90:G 90:DI`,
  );
  example(
    'Interpolative',
    5,
    5,
    `N 11.3043:GI 13.4783:GI 15.6522:GI 17.8261:GI 20:G 13.6364:GI 22.7273:GI 30:DI 30:DI 40:GI 47:GI 42:GI 37:GI 32:GI
     54:DI 70:DI 76.6667:GI 70:G 70:DI`,
  );
  example('Average', 1, 5, `N N 10:GC N 20:GC N 30:GC N N N 50:GC N 60:GC N N N 80:GC N 90:GC N`);
  const averages = `10:GC N N N N 22.5:GC N 30:GC N 40:GC 50:GC N N N 60:GC N 70:GC 80:GC 90:GC N`;
  example('Average', 2, 5, averages);
  example('Average', 3, 5, averages);
  example('Average', 5, 5, `10:GC N N N N 15:GC N 30:GC N 30:GC 50:GC N N N 30:GC N 70:GC 80:GC 70:GC N`);
  example(
    'TimeAverage',
    1,
    5,
    `N N 12.5:GC 17.5:GC 22.5:GC 27.5:GC 32.5:DC 37.5:DC 42.5:DC 47.5:DC 52.5:GC 57.5:GC 62.5:DC 67.5:DC 72.5:DC 77.5:DC
     82.5:GC 87.5:GC 90:DCP N`,
  );
  const lines = `10.652:DCP 12.391:GC 14.565:GC 16.739:GC 18.913:GC 23.682:GC 27.045:GC 29.384:DC 33.889:DC 40:DC
     49.45:GC 52.75:GC 55.25:GC 57.75:GC 60.618:DC 65:DC 70.515:DC 83.667:GC`;
  example('TimeAverage', 2, 5, `${lines} 96.25:DCP N`);
  example('TimeAverage', 3, 5, `${lines} 90:DCP N`);
  example(
    'TimeAverage',
    5,
    5,
    `10.6522:DCP 12.3913:GC 14.5652:GC 16.7391:GC 18.9130:GC 13.7273:GC 18.1818:GC 27.0909:DC 30:DC 32:DC 47.1:GC 44.5:GC
     39.5:GC 34.5:GC 37.6:DC 66.8:DC 71.3333:DC 75.6667:GC 70:DCP N`,
  );
  // The Uncertain regions count as Good for historian 1, as Mantis 6193 settles for the aggregates of time.
  example(
    'TimeAverage2',
    1,
    5,
    `N N 12.5:GC 17.5:GC 22.5:GC 27.5:GC 30:GC 30:GC N N 52.5:GC 57.5:GC 62.5:GC 67.5:GC 72.5:GC 77.5:GC 82.5:GC 87.5:GC
     90:GCP N`,
  );
  example(
    'TimeAverage2',
    2,
    5,
    `10.652:DCP 12.391:GC 14.565:GC 16.739:GC 18.913:GC 23.682:GC 27.045:GC 29.273:DC 30:DC 42.5:DC 49.45:GC 52.75:GC
     55.25:GC 57.75:GC 59.8:DC 60:DC 73.333:DC 83.667:GC 90:DCP N`,
  );
  example(
    'TimeAverage2',
    3,
    5,
    `10:GCP 10:GC 10:GC 10:GC 10:GC 22:GC 25:GC 26:GC B B 46:GC 50:GC 50:GC 50:GC 56:GC B B 78:GC 90:GCP N`,
  );
});

describe('extremes of the examples', () => {
  example('Minimum', 1, 16, `10:GCP 20:GC N 50:GC N 80:GP N`);
  const minima = `10:GCP 20:GC 30:DC 40:G 60:DC 70:GCP N`;
  example('Minimum', 2, 16, minima);
  example('Minimum', 3, 16, minima);
  example('Minimum', 5, 16, `10:GCP 10:GC 30:DC 30:G 30:GC 70:GCMP N`);
  example('Maximum', 1, 16, `10:GCP 30:GC N 60:GC N 90:GCP N`);
  const maxima = `10:GCP 25:GC 30:DC 50:GC 60:DC 90:GCP N`;
  example('Maximum', 2, 16, maxima);
  example('Maximum', 3, 16, maxima);
  // At 64 s the table has Good although the Uncertain 70 is greater: the text of §5.4.3.11 says Uncertain, and so do we.
  example('Maximum', 5, 16, `10:GCP 20:GC 30:DC 50:GC 30:DC 80:GCP N`);
  example('MaximumActualTime', 1, 16, `10:GP@10 30:G@30 N 60:G@60 N 90:GP@90 N`);
  const actual = `10:GP@2 25:G@28 30:D@39 50:G@52 60:D@72 90:GP@90 N`;
  example('MaximumActualTime', 2, 16, actual);
  example('MaximumActualTime', 3, 16, actual);
  example('MinimumActualTime', 2, 16, `10:GP@2 20:G@25 30:D@39 40:G@48 60:D@72 70:GP@83 N`);
  example('Range', 2, 16, `0:GCP 5:GC 0:DC 10:GC 0:DC 20:GCP N`);
  example('Minimum2', 1, 16, `10:DCP 16:GI 30:DI 50:DC 64:GI 80:GP N`);
  example('Maximum2', 1, 16, `16:DIP 30:GCM 30:DI 64:DI 80:GC 90:GCP N`);
  example('Maximum2', 2, 16, `16.087:DIP 26.818:GI 40:DC 56:GI 60:DC 90:DCP N`);
  example('Maximum2', 3, 16, `10:GCP 25:GC 30:GC 50:GC 60:GC 90:GCP N`);
  example('MaximumActualTime2', 1, 16, `16:DIP@15.999 30:GM@30 30:DI@32 64:DI@63.999 80:GI@79.999 90:GP@90 N`);
  example(
    'MaximumActualTime2',
    2,
    16,
    `16.087:DIP@15.999 26.818:GI@31.999 40:DI@47.999 56:GI@63.999 60:D@72 90:DP@90 N`,
  );
  example('MaximumActualTime2', 3, 16, `10:GP@2 25:G@28 30:G@39 50:G@52 60:G@72 90:GP@90 N`);
});

describe('counts, edges and statistics of the examples', () => {
  example('Count', 1, 16, `1:GCP 2:GC B 2:GC 0:DC 2:GCP N`);
  const counts = `1:GCP 2:GC 1:DC 2:GC 1:DC 3:GCP N`;
  example('Count', 2, 16, counts);
  example('Count', 3, 16, `1:GCP 2:GC 1:GC 2:GC 1:GC 3:GCP N`);
  example('Count', 4, 16, counts);
  example('Count', 5, 16, counts);
  example('Start', 1, 16, `10:GP@10 20:G@20 B@40 50:G@50 70:U@70 80:GP@80 N`);
  const starts = `10:GP@2 20:G@25 30:G@39 40:G@48 60:G@72 70:GP@83 N`;
  example('Start', 2, 16, starts);
  example('Start', 3, 16, starts);
  example('Start', 5, 16, `10:GP@2 20:G@25 30:G@39 30:G@48 30:G@72 70:GP@83 N`);
  example('End', 1, 16, `10:GP@10 30:G@30 B@40 60:G@60 70:U@70 90:GP@90 N`);
  const ends = `10:GP@2 25:G@28 B@42 50:G@52 70:U@77 90:GP@90 N`;
  example('End', 2, 16, ends);
  example('End', 3, 16, ends);
  example('End', 5, 16, `10:GP@2 10:G@28 B@42 50:G@52 70:U@77 70:GP@90 N`);
  example('StandardDeviationSample', 1, 20, `0:GCP 7.071:GC 0:DC 0:DC 7.071:GCP`);
  const deviations = `0:GCP 5:GC 7.071:DC 0:DC 10:GCP`;
  example('StandardDeviationSample', 2, 20, deviations);
  example('StandardDeviationSample', 3, 20, deviations);
  example('StandardDeviationSample', 5, 20, `0:GCP 10:GC 14.142:DC 0:DC 5.7735:GCP`);
});

describe('shares of good data of the examples', () => {
  // By §5.4.3.31 a region is as good as the value it begins with; the tables of 1.04 took the bound at 32 s and 64 s.
  example('DurationGood', 1, 16, `6000:GCP 16000:GC 8000:GC 14000:GC 16000:GC 10001:GCP N`);
  example('PercentGood', 1, 16, `37.5:GCP 100:GC 50:GC 87.5:GC 100:GC 100:GCP N`);
  example('DurationBad', 2, 16, `2000:GCP 0:GC 6000:GC 0:GC 3000:GC 3000:GCP N`);
});
