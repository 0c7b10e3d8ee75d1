/** Start, End, Delta; StartBound, EndBound, DeltaBounds; Interpolative (Part 13 §5.4.3.4, §5.4.3.25 to §5.4.3.30). */
import { HISTORIAN_BITS, HISTORY_STATUS } from '../../../model';
import { originBits } from '../bounds';
import type { Interval } from '../intervals';
import { type Point, pointAt, Severity, severityAt } from '../points';
import { type ComputedValue, marked, noData } from '../results';
import { difference, numericOf } from './numeric';
import { type AggregateFunction, type AggregateSource, isOutsideData, partialBit } from './source';

const { Calculated } = HISTORIAN_BITS;

/** What the metric was worth at the start of the interval, interpolated from usable values. */
export const interpolative: AggregateFunction = ({ bounds }, { start }) => {
  const bound = bounds.interpolated(start);
  return { time: start, value: bound.value, status: marked(bound.status, originBits(bound)) };
};

/** The first stored value, in time, at its own time and with its own status. */
export const start: AggregateFunction = (source, interval) => {
  const row = source.rows.firstIn(interval.from, interval.to);
  return row === undefined ? noData(interval.start) : stored(source, interval, row);
};

/** The last stored value, in time. */
export const end: AggregateFunction = (source, interval) => {
  const row = source.rows.before(interval.to);
  return row === undefined || row.time < interval.from ? noData(interval.start) : stored(source, interval, row);
};

function stored(source: AggregateSource, interval: Interval, { time, value, status }: Point): ComputedValue {
  return { time, value, status: marked(status, partialBit(source, interval)) };
}

/** From the first Good value to the last one. */
export const delta: AggregateFunction = ({ rows, ...source }, interval) => {
  let first: Point | undefined;
  let last: Point | undefined;
  let isFirstSkipped = false;
  let isLastSkipped = false;
  rows.scan(interval.from, interval.to, (columns, integers, from, behind) => {
    let place = -1;
    for (let index = from; index < behind; index++) {
      isLastSkipped = severityAt(columns, index) !== Severity.Good;
      if (isLastSkipped) {
        if (first === undefined) isFirstSkipped = true;
        continue;
      }
      place = index;
      first ??= pointAt(columns, integers, index);
    }
    if (place >= 0) last = pointAt(columns, integers, place);
  });
  if (first === undefined || last === undefined) return noData(interval.start);
  const status = isFirstSkipped || isLastSkipped ? HISTORY_STATUS.UncertainDataSubNormal : 0;
  const bits = Calculated | partialBit({ ...source, rows }, interval);
  return difference(interval.start, numericOf(last.value), numericOf(first.value), status, bits);
};

/** The simple bounding value at the start of the interval. */
export const startBound: AggregateFunction = (source, interval) => {
  if (isOutsideData(source, interval)) return noData(interval.start);
  const bound = source.bounds.simple(interval.start);
  const bits = originBits(bound) | partialBit(source, interval);
  return { time: interval.start, value: bound.value, status: marked(bound.status, bits) };
};

function endOf({ low, high, isForward }: Interval): number {
  return isForward ? high : low;
}

/** The simple bounding value at the end of the interval, given at its start. */
export const endBound: AggregateFunction = (source, interval) => {
  if (isOutsideData(source, interval)) return noData(interval.start);
  const bound = source.bounds.simple(endOf(interval));
  const bits = Calculated | partialBit(source, interval);
  return { time: interval.start, value: bound.value, status: marked(bound.status, bits) };
};

/** EndBound less StartBound. */
export const deltaBounds: AggregateFunction = (source, interval) => {
  if (isOutsideData(source, interval)) return noData(interval.start);
  const first = source.bounds.simple(interval.start);
  const last = source.bounds.simple(endOf(interval));
  if (first.severity === Severity.Bad || last.severity === Severity.Bad) return noData(interval.start);
  const isGood = first.severity === Severity.Good && last.severity === Severity.Good;
  const status = isGood ? 0 : HISTORY_STATUS.UncertainDataSubNormal;
  const bits = Calculated | partialBit(source, interval);
  return difference(interval.start, numericOf(last.value), numericOf(first.value), status, bits);
};
