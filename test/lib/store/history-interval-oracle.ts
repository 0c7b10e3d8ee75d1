/**
 * Aggregates as plainly as possible: what lies in an interval is picked from the whole list of rows, and what is measured
 * in time is summed up half a ms at a time. Edges of intervals are multiples of half a ms, so that nothing changes within
 * a step. Nothing of the engine is used.
 */
import type { Aggregate, MetricDataType, MetricValue, ProcessedHistoryRequest } from '../../../lib/model';
import {
  answer,
  type Bound,
  type Class,
  classOf,
  INTERPOLATED,
  isBad,
  isUsable,
  NO_DATA,
  Oracle,
  onLine,
  SUB_NORMAL,
} from './history-oracle';
import type { Answered, Row } from './history-support';

const STEP = 0.5;
const [CALCULATED, PARTIAL, MULTIPLE] = [0x01, 0x04, 0x10];
const [BAD, INVALID] = [0x8000_0000, 0x80d6_0000];

export function processedAnswer(
  rows: readonly Row[],
  dataType: MetricDataType,
  request: ProcessedHistoryRequest,
): Answered[] {
  const oracle = new Oracle(rows, dataType);
  const { start, end, interval } = request;
  const sign = start < end ? 1 : -1;
  const range = Math.abs(end - start);
  const length = interval === 0 ? range : interval;
  const results: Answered[] = [];
  for (let offset = 0; offset < range; offset += length) {
    const [from, to] = [start + sign * offset, start + sign * Math.min(offset + length, range)];
    const isRest = offset > 0 && offset + length > range;
    results.push(new IntervalOracle(oracle, rows, dataType, request, from, to, isRest).result());
  }
  return results;
}

/** One moment of an interval: how good and how much. `undefined` = nobody knows. */
type Moment = { readonly class: Class; readonly value: number } | undefined;

class IntervalOracle {
  constructor(
    readonly oracle: Oracle,
    readonly all: readonly Row[],
    readonly dataType: MetricDataType,
    readonly request: ProcessedHistoryRequest,
    readonly start: number,
    readonly end: number,
    readonly isRest: boolean,
  ) {}

  get #isForward(): boolean {
    return this.start < this.end;
  }
  get #low(): number {
    return Math.min(this.start, this.end);
  }
  get #high(): number {
    return Math.max(this.start, this.end);
  }
  get #inside(): Row[] {
    return this.all.filter(({ time }) =>
      this.#isForward ? time >= this.#low && time < this.#high : time > this.#low && time <= this.#high,
    );
  }
  get #isOutside(): boolean {
    const [first, last] = [this.all.at(0), this.all.at(-1)];
    if (!first || !last) return true;
    return this.#isForward
      ? this.#high <= first.time || this.#low > last.time
      : this.#high < first.time || this.#low >= last.time;
  }
  get #partial(): number {
    const [first, last] = [this.all.at(0), this.all.at(-1)];
    if (!first || !last) return 0;
    const holds = (time: number): boolean =>
      this.#isForward ? time >= this.#low && time < this.#high : time > this.#low && time <= this.#high;
    const isCut = this.isRest && (this.#isForward ? last.time >= this.#high : first.time <= this.#low);
    const beginsBefore = first.time > this.#low && holds(first.time);
    const endsBehind = last.time < this.#high && holds(last.time);
    return beginsBefore || endsBehind || isCut ? PARTIAL : 0;
  }

  #usable(row: Pick<Row, 'status' | 'value'>): boolean {
    return isUsable(row, this.request.configuration.treatUncertainAsBad);
  }

  #none(): Answered {
    return answer(this.start, undefined, NO_DATA);
  }

  #computed(value: MetricValue, status: number, bits = 0): Answered {
    return answer(this.start, value, status, CALCULATED | bits | this.#partial);
  }

  result(): Answered {
    const { aggregate, configuration } = this.request;
    const isNumeric = this.dataType === 'Double' || this.dataType === 'Int64';
    if (!isNumeric && !takes(aggregate, this.dataType)) return answer(this.start, undefined, INVALID);
    const { oracle, start, end } = this;
    const originOf = (bound: Bound): number => (bound.isRaw ? 0 : INTERPOLATED);
    if (aggregate === 'Interpolative') {
      const bound = oracle.interpolated(start, configuration, this.dataType !== 'Double');
      return answer(start, bound.value, bound.status, originOf(bound));
    }
    if (this.#isOutside) return this.#none();
    switch (aggregate) {
      case 'Average':
        return this.#average();
      case 'Count':
        return this.#computed(this.#inside.filter((row) => classOf(row) === 'good').length, this.#statusByCount());
      case 'NumberOfTransitions':
        return this.#transitions();
      case 'Start':
      case 'End': {
        const row = this.#inside.at(aggregate === 'Start' ? 0 : -1);
        return row ? answer(row.time, row.value, row.status, this.#partial) : this.#none();
      }
      case 'Delta':
        return this.#delta();
      case 'Minimum':
      case 'Maximum':
      case 'MinimumActualTime':
      case 'MaximumActualTime':
      case 'Range':
        return this.#extreme(aggregate);
      case 'Minimum2':
      case 'Maximum2':
      case 'MinimumActualTime2':
      case 'MaximumActualTime2':
      case 'Range2':
        return this.#boundedExtreme(aggregate);
      case 'TimeAverage':
      case 'Total':
        return this.#timeAverage(aggregate === 'Total');
      case 'TimeAverage2':
      case 'Total2':
        return this.#timeAverage2(aggregate === 'Total2');
      case 'StartBound': {
        const bound = oracle.simple(start, configuration);
        return answer(start, bound.value, bound.status, originOf(bound) | this.#partial);
      }
      case 'EndBound': {
        const bound = oracle.simple(end, configuration);
        return answer(start, bound.value, bound.status, CALCULATED | this.#partial);
      }
      case 'DeltaBounds': {
        const [first, last] = [oracle.simple(start, configuration), oracle.simple(end, configuration)];
        if (first.value === undefined || last.value === undefined) return this.#none();
        const isGood = first.status < 0x4000_0000 && last.status < 0x4000_0000;
        return this.#computed(minus(last.value, first.value), isGood ? 0 : SUB_NORMAL);
      }
      case 'DurationGood':
      case 'DurationBad':
      case 'PercentGood':
      case 'PercentBad':
        return this.#quality(aggregate);
      case 'DurationInStateZero':
        return this.#inState((value) => value === 0);
      case 'DurationInStateNonZero':
        return this.#inState((value) => value !== 0);
      case 'WorstQuality':
      case 'WorstQuality2':
        return this.#worst(aggregate === 'WorstQuality2');
      default:
        return this.#deviation(aggregate);
    }
  }

  #moments(momentAt: (middle: number) => Moment): Exclude<Moment, undefined>[] {
    const moments: Exclude<Moment, undefined>[] = [];
    for (let time = this.#low; time < this.#high; time += STEP) {
      const moment = momentAt(time + STEP / 2);
      if (moment) moments.push(moment);
    }
    return moments;
  }

  /** Between the rows next to an instant, without a look at the interval. */
  #regionAt(middle: number, isStepped: boolean): Moment {
    const row = this.all.findLast(({ time }) => time <= middle);
    const next = this.all.find(({ time }) => time > middle);
    if (!row || !this.#usable(row))
      return next || (row && middle < row.time + 1) ? { class: 'bad', value: 0 } : undefined;
    const own = { class: classOf(row), value: Number(row.value) };
    if (!next) return middle < row.time + 1 ? { ...own, class: isStepped ? own.class : 'uncertain' } : undefined;
    if (isStepped) return own;
    if (!this.#usable(next)) return { ...own, class: 'uncertain' };
    const isGood = own.class === 'good' && classOf(next) === 'good';
    return { class: isGood ? 'good' : 'uncertain', value: onLine(middle, row, next) };
  }

  #statusOf(good: number, bad: number, total: number): number {
    const { percentDataBad, percentDataGood } = this.request.configuration;
    if (good === total || (good / total) * 100 >= percentDataGood) return 0;
    return (bad / total) * 100 >= percentDataBad ? BAD : SUB_NORMAL;
  }

  #statusByCount(): number {
    const count = (wanted: Class): number => this.#inside.filter((row) => classOf(row) === wanted).length;
    const bad = count('bad') + (this.request.configuration.treatUncertainAsBad ? count('uncertain') : 0);
    return this.#statusOf(count('good'), bad, this.#inside.length);
  }

  #statusByTime(moments: readonly Exclude<Moment, undefined>[]): number {
    const count = (wanted: Class): number => moments.filter((moment) => moment.class === wanted).length;
    const good = count('good') + (this.request.configuration.treatUncertainAsBad ? 0 : count('uncertain'));
    return this.#statusOf(good, count('bad'), moments.length);
  }

  #average(): Answered {
    const good = this.#inside.filter((row) => classOf(row) === 'good');
    if (good.length === 0) return this.#none();
    const sum = good.reduce((total, { value }) => total + Number(value), 0);
    return answer(this.start, sum / good.length, this.#statusByCount(), CALCULATED);
  }

  #transitions(): Answered {
    const from = this.#inside.at(0)?.time;
    const earlier = this.all.filter((row) => from !== undefined && row.time < from && classOf(row) !== 'bad');
    const values = [
      earlier.at(-1)?.value,
      ...this.#inside.filter((row) => classOf(row) !== 'bad').map((row) => row.value),
    ];
    const count = values.filter((value, index) => index > 0 && value !== values[index - 1]).length;
    return this.#computed(count, this.#statusByCount());
  }

  #delta(): Answered {
    const rows = this.#inside;
    const good = rows.filter((row) => classOf(row) === 'good');
    const [first, last] = [good.at(0), good.at(-1)];
    if (first?.value === undefined || last?.value === undefined) return this.#none();
    const skips = rows[0] !== first || rows.at(-1) !== last;
    return this.#computed(minus(last.value, first.value), skips ? SUB_NORMAL : 0);
  }

  #extreme(aggregate: Aggregate): Answered {
    const rows = this.#inside;
    const good = rows.filter((row) => classOf(row) === 'good');
    const hasBad = rows.some((row) => !this.#usable(row));
    const uncertain = rows.filter((row) => classOf(row) === 'uncertain' && this.#usable(row));
    const find = (isMinimum: boolean): { row: Row; isMultiple: boolean; isDoubtful: boolean } | undefined => {
      const sorted = good.toSorted((a, b) => compare(a.value, b.value) * (isMinimum ? 1 : -1) || a.time - b.time);
      const [row] = sorted;
      if (!row) return undefined;
      const beyond = uncertain.some(({ value }) => compare(value, row.value) * (isMinimum ? 1 : -1) < 0);
      return { row, isMultiple: sorted[1]?.value === row.value, isDoubtful: hasBad || beyond };
    };
    const [low, high] = [find(true), find(false)];
    if (!low || !high) return this.#none();
    if (aggregate === 'Range')
      return this.#computed(minus(high.row.value, low.row.value), low.isDoubtful || high.isDoubtful ? SUB_NORMAL : 0);
    const { row, isMultiple, isDoubtful } = aggregate.startsWith('Minimum') ? low : high;
    const status = isDoubtful ? SUB_NORMAL : 0;
    const bits = (isMultiple ? MULTIPLE : 0) | this.#partial;
    if (aggregate.endsWith('ActualTime')) return answer(row.time, row.value, status, bits);
    const isRaw = row.time === this.start && !isDoubtful;
    return answer(this.start, row.value, status, bits | (isRaw ? 0 : CALCULATED));
  }

  #boundedExtreme(aggregate: Aggregate): Answered {
    const { configuration } = this.request;
    const isStepped = this.dataType !== 'Double';
    const candidates = this.all
      .filter((row) => row.time > this.#low && row.time < this.#high && this.#usable(row))
      .map(({ time, value }) => ({ time, value, isRaw: true, place: 'inside' }));
    const offer = (time: number, place: string): typeof candidates => {
      const { value, isRaw } = this.oracle.simple(time, configuration);
      return value === undefined ? [] : [{ time, value, isRaw, place }];
    };
    const all = [...offer(this.start, 'start'), ...candidates, ...(isStepped ? [] : offer(this.end, 'end'))];
    const sortedBy = (sign: number): typeof candidates =>
      all.toSorted((a, b) => sign * compare(a.value, b.value) || a.time - b.time);
    const status = this.#statusByTime(this.#moments((middle) => this.#regionAt(middle, isStepped)));
    const [low, high] = [sortedBy(1)[0], sortedBy(-1)[0]];
    if (!low || !high) return this.#none();
    if (aggregate === 'Range2')
      return isBad(status) ? this.#none() : this.#computed(minus(high.value, low.value), status);
    const best = aggregate.startsWith('Minimum') ? low : high;
    const isMultiple = all.filter(({ value }) => value === best.value).length > 1;
    const bits = (isMultiple ? MULTIPLE : 0) | this.#partial;
    if (isBad(status)) return answer(this.start, undefined, status);
    if (aggregate.endsWith('ActualTime2')) {
      const isEnd = best.place === 'end';
      const time = isEnd ? best.time + (this.#isForward ? -1 : 1) : best.time;
      return answer(time, best.value, status, bits | (isEnd || !best.isRaw ? INTERPOLATED : 0));
    }
    const origin = best.isRaw ? (best.place === 'start' ? 0 : CALCULATED) : INTERPOLATED;
    return answer(this.start, best.value, status, bits | origin);
  }

  #timeAverage(isTotal: boolean): Answered {
    const { configuration } = this.request;
    const moments = this.#moments((middle) => {
      const { value } = this.oracle.interpolated(middle, configuration, false);
      return value === undefined ? undefined : { class: 'good', value: Number(value) };
    });
    if (moments.length === 0) return this.#none();
    const edges = [this.#low, this.#high].map((time) => this.oracle.interpolated(time, configuration, false));
    const isDoubtful =
      edges.some(({ status }) => status >= 0x4000_0000) ||
      this.all.some((row) => row.time > this.#low && row.time < this.#high && classOf(row) !== 'good');
    const sum = moments.reduce((total, { value }) => total + value, 0);
    const value = isTotal ? (sum * STEP) / 1_000 : sum / moments.length;
    return this.#computed(value, isDoubtful ? SUB_NORMAL : 0);
  }

  #timeAverage2(isTotal: boolean): Answered {
    const moments = this.#moments((middle) => this.#regionAt(middle, this.dataType !== 'Double'));
    const used = moments.filter((moment) => moment.class !== 'bad');
    if (used.length === 0) return this.#none();
    const sum = used.reduce((total, { value }) => total + value, 0);
    return this.#computed(isTotal ? (sum * STEP) / 1_000 : sum / used.length, this.#statusByTime(moments));
  }

  #quality(aggregate: Aggregate): Answered {
    const last = this.all.at(-1);
    const moments = this.#moments((middle) => {
      if (last && middle > last.time + 1) return undefined;
      const row = this.all.findLast(({ time }) => time <= middle);
      return { class: row && this.#usable(row) ? 'good' : 'bad', value: 0 };
    });
    const count = moments.filter((moment) => moment.class === (aggregate.endsWith('Good') ? 'good' : 'bad')).length;
    return this.#computed(aggregate.startsWith('Percent') ? (count / moments.length) * 100 : count * STEP, 0);
  }

  #inState(isIn: (value: number) => boolean): Answered {
    const first = this.oracle.simple(this.#low, this.request.configuration);
    const firstTime = this.all.find(({ time }) => time > this.#low)?.time ?? Number.POSITIVE_INFINITY;
    const last = this.all.at(-1);
    const moments = this.#moments((middle) => {
      if (middle > firstTime) return this.#regionAt(middle, true);
      if (last && middle > Math.max(last.time, this.#low) + 1) return undefined;
      return { class: classOf(first), value: Number(first.value) };
    });
    const time = moments.filter((moment) => moment.class === 'good' && isIn(moment.value)).length * STEP;
    return this.#computed(time, this.#statusByTime(moments));
  }

  #worst(withBound: boolean): Answered {
    const statuses = this.#inside.map(({ status }) => status);
    const ordered = this.#isForward ? statuses : statuses.toReversed();
    const hasRow = this.all.some(({ time }) => time === this.start);
    const bound = this.oracle.simple(this.start, { ...this.request.configuration, treatUncertainAsBad: false });
    const all = withBound && !hasRow ? [bound.status, ...ordered] : ordered;
    if (all.length === 0) return this.#none();
    const severity = (status: number): number => Math.min(Math.floor(status / 2 ** 30), 2);
    const worst = Math.max(...all.map(severity));
    const those = all.filter((status) => severity(status) === worst);
    return this.#computed(those[0] ?? 0, 0, those.length > 1 ? MULTIPLE : 0);
  }

  #deviation(aggregate: Aggregate): Answered {
    const values = this.#inside.filter((row) => classOf(row) === 'good').map(({ value }) => Number(value));
    if (values.length === 0) return this.#none();
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    const divisor = aggregate.endsWith('Sample') ? values.length - 1 : values.length;
    const variance = divisor === 0 ? 0 : squares / divisor;
    const isSkipped = values.length < this.#inside.length;
    return this.#computed(
      aggregate.startsWith('Variance') ? variance : Math.sqrt(variance),
      isSkipped ? SUB_NORMAL : 0,
    );
  }
}

function takes(aggregate: Aggregate, dataType: MetricDataType): boolean {
  if (/^(NumberOfTransitions|DurationInState)/.test(aggregate)) return dataType === 'Boolean';
  return /^(Interpolative|Count|Start|End|Duration|Percent(Good|Bad)|Worst)/.test(aggregate);
}

function compare(a: MetricValue | undefined, b: MetricValue | undefined): number {
  if (a === undefined || b === undefined || a === b) return 0;
  return a < b ? -1 : 1;
}

function minus(a: MetricValue | undefined, b: MetricValue | undefined): MetricValue {
  return typeof a === 'bigint' && typeof b === 'bigint' ? a - b : Number(a) - Number(b);
}
