/** How much a question may read: pages get shorter instead of long work, and no row is read again and again. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { HISTORY_STATUS, type HistoryRequest } from '../../../lib/model';
import { SampleColumnsBuilder, type StoredHistoryPage, sampleFlags } from '../../../lib/store';
import { answerHistory, type HistoryRows } from '../../../lib/store/history';
import { answeredOf, BAD, GOOD, processed, rowsOf, target } from './history-support';

/** One row a ms from 0 on; usable every `period` ms, Bad otherwise. Counts what is read of it. */
class EndlessRows implements HistoryRows {
  readonly #last: number;
  readonly #period: number;
  read = 0;
  largest = 0;

  constructor(last: number, period = 1) {
    this.#last = last;
    this.#period = period;
  }

  range(metric: number, from: number, to: number, order: string, limit: number): SampleColumnsBuilder {
    const low = Math.max(0, Math.ceil(from));
    const high = Math.min(this.#last + 1, Math.ceil(to));
    const count = Math.max(0, Math.min(limit, high - low));
    const columns = new SampleColumnsBuilder(count);
    for (let index = 0; index < count; index++) {
      const time = order === 'ascending' ? low + index : high - 1 - index;
      const value = time % this.#period === 0 ? time % 10 : undefined;
      columns.add(metric, time, value === undefined ? BAD : GOOD, sampleFlags(value, 'event', false), value);
    }
    this.read += count;
    this.largest = Math.max(this.largest, count);
    return columns;
  }

  modified(): never {
    throw new Error('nobody asks for it');
  }
}

function pagesOf(rows: HistoryRows, request: HistoryRequest): StoredHistoryPage[] {
  const pages: StoredHistoryPage[] = [];
  for (let next: HistoryRequest | undefined = request; next !== undefined; ) {
    const page: StoredHistoryPage = answerHistory(rows, { metric: 1, dataType: 'Double', request: next });
    pages.push(page);
    next = page.next;
  }
  return pages;
}

const LAST = 4_999_999;

describe('limits of history', () => {
  for (const isForward of [true, false])
    test(`a page of intervals ends when much was read, ${isForward ? 'forwards' : 'backwards'}`, () => {
      const rows = new EndlessRows(LAST);
      const [start, end] = isForward ? [0, LAST + 1] : [LAST, -1];
      const pages = pagesOf(rows, processed({ aggregate: 'Count', start, end, interval: 10_000 }));
      assert.ok(pages.length >= 3, `${pages.length} pages`);
      const answers = pages.flatMap(answeredOf);
      assert.equal(answers.length, 500);
      assert.ok(answers.every(({ value }) => value === 10_000));
      assert.ok(answers.every(({ time }, index) => time === start + (isForward ? 1 : -1) * index * 10_000));
      assert.ok(rows.read < 1.3 * LAST, `${rows.read} rows read`);
      assert.ok(rows.largest <= 8_192, 'a chunk at a time');
    });

  test('a single interval is computed as a whole, however much is in it', () => {
    const [page, ...others] = pagesOf(
      new EndlessRows(LAST),
      processed({ aggregate: 'Average', start: 0, end: LAST + 1 }),
    );
    assert.ok(page);
    assert.deepEqual(
      answeredOf(page).map(({ value }) => value),
      [4.5],
    );
    assert.equal(others.length, 0);
  });

  test('a long stretch of bad values is searched once, not from each instant in it', () => {
    const period = 300_000;
    for (const useSimpleBounds of [false, true]) {
      const rows = new EndlessRows(period, period);
      const times = Array.from({ length: 1_000 }, (_, index) => 1 + index * 299);
      const [page] = pagesOf(rows, { kind: 'at-time', ...target, times, useSimpleBounds });
      assert.equal(page?.columns.length, 1_000);
      assert.ok(rows.read < 2.5 * period, `${rows.read} rows read`);
    }
  });

  test('instants in any order are answered, in more pages if need be', () => {
    const rows = new EndlessRows(LAST, 3);
    const times = Array.from({ length: 100_000 }, (_, index) => (index * 7_919_993) % LAST);
    const pages = pagesOf(rows, { kind: 'at-time', ...target, times, useSimpleBounds: false });
    const answers = pages.flatMap(answeredOf);
    assert.deepEqual(
      answers.map(({ time }) => time),
      times,
    );
    assert.ok(answers.every(({ time, status }) => (status === 0x400) === (time % 3 === 0)));
  });

  test('a metric without rows has no data anywhere', () => {
    const rows = rowsOf([]);
    const [page] = pagesOf(rows, processed({ aggregate: 'TimeAverage', interval: 5_000 }));
    assert.ok(page);
    assert.deepEqual(
      answeredOf(page).map(({ status }) => status),
      [HISTORY_STATUS.BadNoData, HISTORY_STATUS.BadNoData],
    );
    const request = { kind: 'at-time', ...target, times: [5], useSimpleBounds: true } as const;
    assert.deepEqual(answeredOf(answerHistory(rows, { metric: 1, dataType: undefined, request })), [
      { time: 5, value: undefined, status: HISTORY_STATUS.BadNoData },
    ]);
  });

  test('a sample that was not stored because it says nothing new is known all the same', () => {
    const rows = rowsOf([
      { time: 0, value: 5, status: GOOD },
      { time: 10, value: 5, status: GOOD },
    ]);
    const latest = { time: 40, value: 5, status: GOOD, flags: sampleFlags(5, 'event', false) };
    const ask = (request: HistoryRequest, known = latest) =>
      answeredOf(answerHistory(rows, { metric: 1, dataType: 'Double', request, latest: known }));
    const good = processed({ aggregate: 'DurationGood', start: 0, end: 50, interval: 25 });
    assert.deepEqual(
      ask(good).map(({ value }) => value),
      [25, 16],
    );
    assert.deepEqual(
      ask({ ...good, aggregate: 'End', start: 50, end: 0 }).map(({ time, value }) => [time, value]),
      [
        [40, 5],
        [10, 5],
      ],
    );
    assert.deepEqual(
      ask({ kind: 'at-time', ...target, times: [30, 40], useSimpleBounds: true }).map(({ status }) => status),
      [0x402, 0x400],
    );
    // It is in no raw reading, and does not count twice when it was stored meanwhile.
    const raw = { kind: 'raw', ...target, order: 'ascending', start: 0, end: 100, limit: 10 } as const;
    assert.equal(ask({ ...raw, bounds: { start: false, end: false } }).length, 2);
    assert.deepEqual(
      ask(processed({ aggregate: 'Count', start: 0, end: 50 }), { ...latest, time: 10 }).map(({ value }) => value),
      [2],
    );
  });

  test('a difference of integers that needs more than 64 bits is out of range', () => {
    const rows = rowsOf([
      { time: 1, value: 2n ** 63n - 1n, status: GOOD },
      { time: 2, value: -(2n ** 63n), status: GOOD },
    ]);
    const answer = answerHistory(rows, { metric: 1, dataType: 'Int64', request: processed({ aggregate: 'Range' }) });
    assert.deepEqual(answeredOf(answer), [{ time: 0, value: undefined, status: 0x803c_0000 }]);
  });

  test('what is no number in a double is worth nothing', () => {
    const rows = rowsOf([
      { time: 1, value: Number.NaN, status: GOOD },
      { time: 2, value: 4, status: GOOD },
    ]);
    const answer = answerHistory(rows, { metric: 1, dataType: 'Double', request: processed({ aggregate: 'Maximum' }) });
    assert.deepEqual(
      answeredOf(answer).map(({ value, status }) => [value, status]),
      [[4, 0x40a4_0405]],
    );
  });
});
