import type { ProcessedHistoryRequest } from '../../model';

/** One of the intervals that a range is divided into (Part 13 §5.4.2.2). It includes its start, not its end. */
export interface Interval {
  /** Where it begins in the direction of the request: the timestamp of its result. */
  readonly start: number;
  /** Its edges in time, ms UTC; may be fractions. */
  readonly low: number;
  readonly high: number;
  readonly isForward: boolean;
  /** Shorter than the others, because it is what remains of the range. */
  readonly isRest: boolean;
  /** Whole ms: rows with `from` ≤ time < `to` are in it. */
  readonly from: number;
  readonly to: number;
}

/** Remainders below this share of an interval come from the arithmetic of fractions. */
const TOLERANCE = 1e-9;

export function countOfIntervals({ start, end, interval }: ProcessedHistoryRequest): number {
  const range = Math.abs(end - start);
  if (range === 0) return 0;
  if (interval === 0 || interval >= range) return 1;
  return Math.ceil(range / interval - TOLERANCE);
}

/** The interval of a number, counted from the start of the request. */
export function intervalAt(request: ProcessedHistoryRequest, number: number): Interval {
  const { start, end, interval } = request;
  const isForward = start < end;
  const count = countOfIntervals(request);
  const step = (isForward ? 1 : -1) * interval;
  const begin = start + number * step;
  const isLast = number === count - 1;
  const finish = isLast ? end : start + (number + 1) * step;
  const [low, high] = isForward ? [begin, finish] : [finish, begin];
  return {
    start: begin,
    low,
    high,
    isForward,
    isRest: isLast && count > 1 && high - low < interval * (1 - TOLERANCE),
    from: isForward ? Math.ceil(low) : Math.floor(low) + 1,
    to: isForward ? Math.ceil(high) : Math.floor(high) + 1,
  };
}
