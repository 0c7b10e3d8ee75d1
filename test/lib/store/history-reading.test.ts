import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  HISTORY_STATUS,
  type HistoryRequest,
  type ModifiedHistoryRequest,
  type RawHistoryRequest,
} from '../../../lib/model';
import { answerHistory } from '../../../lib/store/history';
import {
  answeredOf,
  askAll,
  BAD,
  GOOD,
  processed,
  type ReplacedRow,
  type Row,
  rowsOf,
  target,
  UNCERTAIN,
} from './history-support';

const FIVE = Date.UTC(2024, 0, 1, 17);
const MINUTE = 60_000;

function at(minute: number, value: Row['value'] = minute, status = GOOD): Row {
  return { time: FIVE + minute * MINUTE, value, status };
}

function raw(part: Partial<RawHistoryRequest>): RawHistoryRequest {
  return {
    kind: 'raw',
    ...target,
    order: 'ascending',
    start: FIVE,
    end: FIVE + 10 * MINUTE,
    limit: 100,
    bounds: { start: false, end: false },
    ...part,
  };
}

describe('raw reading by the examples of Part 11 (§4.6, Table 1)', () => {
  const rows = rowsOf([at(0), at(2), at(3), at(5), at(6)]);
  const NOTHING = Number.NaN;

  /** Minutes behind five; `NaN` stands for a bound that was not found, which has the time that was asked for. */
  function example(start: number, end: number | undefined, limit: number, bounds: boolean, expected: number[]): void {
    test(`5:0${start} to ${end === undefined ? 'nowhere' : `5:0${end}`}, ${limit} values, bounds: ${bounds}`, () => {
      const isAscending = end === undefined || start <= end;
      const request = raw({
        order: isAscending ? 'ascending' : 'descending',
        start: FIVE + start * MINUTE,
        end: end === undefined ? Number.POSITIVE_INFINITY : FIVE + end * MINUTE,
        limit: limit === 0 ? 100 : limit,
        bounds: { start: bounds, end: bounds },
      });
      const { columns } = answerHistory(rows, { metric: 1, dataType: 'Double', request });
      const minutes = answeredOf({ columns }).map(({ time, status }) =>
        status === HISTORY_STATUS.BadBoundNotFound ? NOTHING : (time - FIVE) / MINUTE,
      );
      assert.deepEqual(minutes, expected);
    });
  }

  example(0, 5, 0, true, [0, 2, 3, 5]);
  example(0, 5, 0, false, [0, 2, 3]);
  example(1, 4, 0, true, [0, 2, 3, 5]);
  example(1, 4, 0, false, [2, 3]);
  example(5, 0, 0, true, [5, 3, 2, 0]);
  example(5, 0, 0, false, [5, 3, 2]);
  example(4, 1, 0, true, [5, 3, 2, 0]);
  example(4, 1, 0, false, [3, 2]);
  example(0, 5, 3, true, [0, 2, 3]);
  example(0, 5, 3, false, [0, 2, 3]);
  example(1, 4, 3, true, [0, 2, 3]);
  example(5, 0, 3, true, [5, 3, 2]);
  example(4, 1, 3, true, [5, 3, 2]);
  example(4, 1, 3, false, [3, 2]);
  example(0, undefined, 3, true, [0, 2, 3]);
  example(1, undefined, 3, false, [2, 3, 5]);
  example(1, undefined, 3, true, [0, 2, 3]);
  example(6, undefined, 2, true, [6]);
  example(7, 9, 0, true, [6, NOTHING]);
  example(1, 9, 0, true, [0, 2, 3, 5, 6, NOTHING]);
  example(0, 0, 0, true, [0]);
  example(1, 1, 0, true, [0, 2]);
  example(1, 1, 0, false, []);

  test('a bound that is not found has the time that was asked for and no value', () => {
    const request = raw({ start: FIVE - MINUTE, end: FIVE, bounds: { start: true, end: false } });
    assert.deepEqual(askAll(rows, request), [
      { time: FIVE - MINUTE, value: undefined, status: HISTORY_STATUS.BadBoundNotFound },
    ]);
  });
});

describe('raw reading', () => {
  test('fractions of a ms leave out what lies before or behind them', () => {
    const rows = rowsOf([1, 2, 3].map((time) => ({ time, value: time, status: GOOD })));
    const times = (request: HistoryRequest): number[] => askAll(rows, request).map(({ time }) => time);
    assert.deepEqual(times(raw({ start: 1.5, end: 2.5 })), [2]);
    assert.deepEqual(times(raw({ start: 1, end: 2.5 })), [1, 2]);
    assert.deepEqual(times(raw({ order: 'descending', start: 2.5, end: 1.5 })), [2]);
    assert.deepEqual(times(raw({ order: 'descending', start: 3, end: 1 })), [3, 2]);
    assert.deepEqual(times(raw({ start: 1.5, end: 1.5 })), []);
  });

  test('pages hold when values come and go in between', () => {
    const list = [10, 20, 30, 40].map((time) => ({ time, value: time, status: GOOD }));
    const ask = (rows: Row[], request: HistoryRequest) =>
      answerHistory(rowsOf(rows), { metric: 1, dataType: 'Double', request });
    const first = ask(list, raw({ start: 0, end: 100, limit: 2 }));
    assert.deepEqual(
      answeredOf(first).map(({ time }) => time),
      [10, 20],
    );
    assert.ok(first.next);
    const later = [...list.slice(1, 2), { time: 25, value: 25, status: GOOD }, ...list.slice(2)];
    const second = ask(later, first.next);
    assert.deepEqual(
      answeredOf(second).map(({ time }) => time),
      [25, 30],
    );
  });

  test('a bound may fill a page alone, and be left for the next one', () => {
    const rows = rowsOf([at(0), at(2), at(5)]);
    const request = raw({ start: FIVE + MINUTE, end: FIVE + 4 * MINUTE, limit: 1, bounds: { start: true, end: true } });
    assert.deepEqual(
      askAll(rows, request).map(({ time }) => (time - FIVE) / MINUTE),
      [0, 2, 5],
    );
  });
});

describe('modified values', () => {
  const replaced: ReplacedRow[] = [
    { ...at(1, 1), modifiedAt: 1 },
    { ...at(2, 20), modifiedAt: 2 },
    { ...at(2, 21), modifiedAt: 3 },
    { ...at(2, 22), modifiedAt: 4 },
    { ...at(3, 3), modifiedAt: 5 },
  ];
  const rows = rowsOf([], replaced);

  function pages(part: Partial<ModifiedHistoryRequest>): (number | undefined)[][] {
    const result: (number | undefined)[][] = [];
    const request: ModifiedHistoryRequest = {
      kind: 'modified',
      ...target,
      order: 'ascending',
      start: FIVE,
      end: FIVE + 10 * MINUTE,
      limit: 2,
      skip: 0,
      ...part,
    };
    for (let next: HistoryRequest | undefined = request; next !== undefined; ) {
      const page = answerHistory(rows, { metric: 1, dataType: 'Double', request: next });
      result.push(Array.from(page.modifiedAt ?? []));
      assert.equal(page.columns.length, page.modifiedAt?.length);
      next = page.next;
    }
    return result;
  }

  test('come page by page, also within one instant', () => {
    assert.deepEqual(pages({}), [[1, 2], [3, 4], [5]]);
    assert.deepEqual(pages({ limit: 1 }), [[1], [2], [3], [4], [5]]);
    assert.deepEqual(pages({ limit: 100 }), [[1, 2, 3, 4, 5]]);
  });

  test('come latest first in descending order', () => {
    const part = { order: 'descending', start: FIVE + 10 * MINUTE, end: FIVE } as const;
    assert.deepEqual(pages({ ...part, limit: 3 }), [
      [5, 4, 3],
      [2, 1],
    ]);
    assert.deepEqual(pages({ ...part, limit: 1 }), [[5], [4], [3], [2], [1]]);
  });
});

describe('values at given instants', () => {
  const rows = rowsOf([at(0, 10), at(10, 20), at(20, undefined, BAD), at(30, 40), at(40, 50, UNCERTAIN)]);
  const ask = (minutes: number[], useSimpleBounds = false) =>
    askAll(rows, {
      kind: 'at-time',
      ...target,
      times: minutes.map((minute) => FIVE + minute * MINUTE),
      useSimpleBounds,
    }).map(({ value, status }) => [value, status.toString(16)]);

  test('are stored ones, or lie on the line between usable ones', () => {
    assert.deepEqual(ask([10, 5, 0]), [
      [20, '400'],
      [15, '402'],
      [10, '400'],
    ]);
    assert.deepEqual(ask([20, 25]), [
      [30, '40a40402'],
      [35, '40a40402'],
    ]);
    assert.deepEqual(ask([-1, 40, 50]), [
      [undefined, '809b0000'],
      [50, '40000400'],
      [40, '40a40402'],
    ]);
  });

  test('come from the rows next to them by simple bounds', () => {
    assert.deepEqual(ask([20, 25, 15], true), [
      [undefined, '80000000'],
      [undefined, '809b0000'],
      [20, '40a40402'],
    ]);
  });
});

describe('states that are plain numbers', () => {
  const rows = rowsOf([at(0, 0), at(4, 2), at(8, 0)]);
  const course = { isStepped: true };

  test('hold until the next one at a given instant, where a line would show a state between', () => {
    const times = [FIVE + 2 * MINUTE, FIVE + 6 * MINUTE];
    const request: HistoryRequest = { kind: 'at-time', ...target, times, useSimpleBounds: false };
    assert.deepEqual(
      askAll(rows, { ...request, ...course }).map(({ value }) => value),
      [0, 2],
    );
    assert.deepEqual(
      askAll(rows, request).map(({ value }) => value),
      [1, 1],
    );
  });

  test('count for as long as they held', () => {
    const request = processed({ aggregate: 'TimeAverage2', start: FIVE, end: FIVE + 8 * MINUTE, interval: 0 });
    assert.deepEqual(
      askAll(rows, { ...request, ...course }).map(({ value }) => value),
      [1],
    );
    const short = { ...request, end: FIVE + 4 * MINUTE };
    assert.deepEqual(
      askAll(rows, { ...short, ...course }).map(({ value }) => value),
      [0],
    );
    assert.deepEqual(
      askAll(rows, short).map(({ value }) => value),
      [1],
    );
  });
});
