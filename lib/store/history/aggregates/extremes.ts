/** Minimum, Maximum, their actual times, Range: of stored values (Part 13 §5.4.3.10 to §5.4.3.14). */
import { HISTORIAN_BITS, HISTORY_STATUS } from '../../../model';
import type { Interval } from '../intervals';
import { Severity, severityAt } from '../points';
import { type ComputedValue, marked, noData } from '../results';
import { difference, type Numeric, numericAt } from './numeric';
import { type AggregateFunction, type AggregateSource, partialBit } from './source';

const { Calculated, MultiValue } = HISTORIAN_BITS;

export type Extreme = 'minimum' | 'maximum';

/** Whether one value takes the place of another one. */
export function surpasses(extreme: Extreme, value: Numeric, known: Numeric): boolean {
  return extreme === 'minimum' ? value < known : value > known;
}

interface Found {
  readonly value: Numeric;
  readonly time: number;
  readonly isMultiple: boolean;
  /** Unusable values lie in the interval, or an Uncertain one that goes further. */
  readonly isDoubtful: boolean;
}

function find({ rows, isUsable }: AggregateSource, { from, to }: Interval, extreme: Extreme): Found | undefined {
  let best: Numeric | undefined;
  let time = 0;
  let isMultiple = false;
  let isDoubtful = false;
  let uncertain: Numeric | undefined;
  rows.scan(from, to, (columns, integers, first, behind) => {
    for (let index = first; index < behind; index++) {
      const severity = severityAt(columns, index);
      if (!isUsable(severity)) {
        isDoubtful = true;
        continue;
      }
      const value = numericAt(columns, integers, index);
      if (severity === Severity.Uncertain) {
        if (uncertain === undefined || surpasses(extreme, value, uncertain)) uncertain = value;
      } else if (best === undefined || surpasses(extreme, value, best)) {
        best = value;
        time = columns.time[index] as number;
        isMultiple = false;
      } else if (value === best) isMultiple = true;
    }
  });
  if (best === undefined) return undefined;
  if (uncertain !== undefined && surpasses(extreme, uncertain, best)) isDoubtful = true;
  return { value: best, time, isMultiple, isDoubtful };
}

function statusOf({ isDoubtful }: Pick<Found, 'isDoubtful'>): number {
  return isDoubtful ? HISTORY_STATUS.UncertainDataSubNormal : 0;
}

/** Raw if it stands at the start of the interval and nothing is doubtful, Calculated otherwise. */
export function extremeOf(extreme: Extreme): AggregateFunction {
  return (source, interval): ComputedValue => {
    const found = find(source, interval, extreme);
    if (found === undefined) return noData(interval.start);
    const { value, time, isMultiple, isDoubtful } = found;
    const isRaw = time === interval.start && !isDoubtful;
    const bits = (isRaw ? 0 : Calculated) | (isMultiple ? MultiValue : 0) | partialBit(source, interval);
    return { time: interval.start, value, status: marked(statusOf(found), bits) };
  };
}

/** The value at its own time, the oldest one of several. */
export function actualTimeOf(extreme: Extreme): AggregateFunction {
  return (source, interval): ComputedValue => {
    const found = find(source, interval, extreme);
    if (found === undefined) return noData(interval.start);
    const bits = (found.isMultiple ? MultiValue : 0) | partialBit(source, interval);
    return { time: found.time, value: found.value, status: marked(statusOf(found), bits) };
  };
}

export const range: AggregateFunction = (source, interval) => {
  const minimum = find(source, interval, 'minimum');
  const maximum = find(source, interval, 'maximum');
  if (minimum === undefined || maximum === undefined) return noData(interval.start);
  const status = statusOf({ isDoubtful: minimum.isDoubtful || maximum.isDoubtful });
  return difference(interval.start, maximum.value, minimum.value, status, Calculated | partialBit(source, interval));
};
