/** Minimum2, Maximum2, their actual times, Range2: with simple bounding values (Part 13 §5.4.3.15 to §5.4.3.19). */
import { HISTORIAN_BITS } from '../../../model';
import type { BoundingValue } from '../bounds';
import type { Interval } from '../intervals';
import { Severity } from '../points';
import { type ComputedValue, marked, noData } from '../results';
import { type Extreme, surpasses } from './extremes';
import { difference, type Numeric, numericAt, numericOf } from './numeric';
import { visitRegions } from './regions';
import { type AggregateFunction, type AggregateSource, isOutsideData, partialBit, TIME_RESOLUTION } from './source';
import { addShare, noShares, statusByTime } from './status';

const { Calculated, Interpolated, MultiValue } = HISTORIAN_BITS;

interface Candidate {
  readonly value: Numeric;
  readonly time: number;
  readonly place: 'start' | 'inside' | 'end';
  readonly isRaw: boolean;
}

/** The first of the candidates, offered in order of time, that none surpasses. */
class Best {
  readonly #extreme: Extreme;
  candidate: Candidate | undefined;
  isMultiple = false;

  constructor(extreme: Extreme) {
    this.#extreme = extreme;
  }

  offer(value: Numeric, time: number, place: Candidate['place'], isRaw: boolean): void {
    const known = this.candidate;
    if (known === undefined || surpasses(this.#extreme, value, known.value)) {
      this.candidate = { value, time, place, isRaw };
      this.isMultiple = false;
    } else if (value === known.value) this.isMultiple = true;
  }
}

/**
 * Offers the bounds and all usable values in one pass; the end counts only where values lie on lines, which reach their
 * extremes there.
 * @returns status of the interval
 */
function find(source: AggregateSource, interval: Interval, extremes: readonly Best[]): number {
  const { bounds, isStepped, configuration } = source;
  const { low, high, isForward } = interval;
  const offerBound = (bound: BoundingValue, place: 'start' | 'end'): void => {
    if (bound.severity === Severity.Bad || (place === 'end' && isStepped)) return;
    for (const best of extremes) best.offer(numericOf(bound.value), bound.time, place, bound.isRaw);
  };
  const shares = noShares();
  offerBound(bounds.simple(low), isForward ? 'start' : 'end');
  visitRegions(
    source,
    interval,
    isStepped,
    (severity, duration) => addShare(shares, severity, duration),
    (columns, integers, index) => {
      const value = numericAt(columns, integers, index);
      for (const best of extremes) best.offer(value, columns.time[index] as number, 'inside', true);
    },
  );
  offerBound(bounds.simple(high), isForward ? 'end' : 'start');
  return statusByTime(shares, configuration);
}

export function boundedExtremeOf(extreme: Extreme): AggregateFunction {
  return (source, interval): ComputedValue => {
    if (isOutsideData(source, interval)) return noData(interval.start);
    const best = new Best(extreme);
    const status = find(source, interval, [best]);
    if (best.candidate === undefined) return noData(interval.start);
    const { value, place, isRaw } = best.candidate;
    const origin = isRaw ? (place === 'start' ? 0 : Calculated) : Interpolated;
    const bits = origin | (best.isMultiple ? MultiValue : 0) | partialBit(source, interval);
    return { time: interval.start, value, status: marked(status, bits) };
  };
}

/** The end of the interval is not in it: its value is given at the last instant that is. */
export function boundedActualTimeOf(extreme: Extreme): AggregateFunction {
  return (source, interval): ComputedValue => {
    if (isOutsideData(source, interval)) return noData(interval.start);
    const best = new Best(extreme);
    const status = find(source, interval, [best]);
    if (best.candidate === undefined) return noData(interval.start);
    const { value, time, place, isRaw } = best.candidate;
    const origin = isRaw && place !== 'end' ? 0 : Interpolated;
    const bits = origin | (best.isMultiple ? MultiValue : 0) | partialBit(source, interval);
    const step = place === 'end' ? (interval.isForward ? -TIME_RESOLUTION : TIME_RESOLUTION) : 0;
    // A Bad result has no value that stood anywhere.
    const isBad = status >>> 30 >= Severity.Bad;
    return { time: isBad ? interval.start : time + step, value, status: marked(status, bits) };
  };
}

export const range2: AggregateFunction = (source, interval) => {
  const { start } = interval;
  if (isOutsideData(source, interval)) return noData(start);
  const [minimum, maximum] = [new Best('minimum'), new Best('maximum')];
  const status = find(source, interval, [minimum, maximum]);
  if (minimum.candidate === undefined || maximum.candidate === undefined || status >>> 30 >= Severity.Bad)
    return noData(start);
  const bits = Calculated | partialBit(source, interval);
  return difference(start, maximum.candidate.value, minimum.candidate.value, status, bits);
};
