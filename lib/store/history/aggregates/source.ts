import { type AggregateConfiguration, HISTORIAN_BITS } from '../../../model';
import type { Bounds } from '../bounds';
import type { Interval } from '../intervals';
import type { Severity } from '../points';
import type { ComputedValue } from '../results';
import type { RowWindow } from '../row-window';

/** What aggregates are computed from. */
export interface AggregateSource {
  readonly rows: RowWindow;
  readonly bounds: Bounds;
  readonly configuration: AggregateConfiguration;
  /** Values hold until the next one, instead of lying on a line. */
  readonly isStepped: boolean;
  /** Whether a value may be computed from, with regard to TreatUncertainAsBad. */
  readonly isUsable: (severity: Severity) => boolean;
}

/** Computes the result of one interval. */
export type AggregateFunction = (source: AggregateSource, interval: Interval) => ComputedValue;

/** A row counts for this long if nothing tells what came after it: the resolution of time (Part 13 §5.4.2.4), ms. */
export const TIME_RESOLUTION = 1;

/** The interval lies before or behind all that is stored. */
export function isOutsideData({ rows }: AggregateSource, { low, high, isForward }: Interval): boolean {
  const { firstTime, lastTime } = rows;
  return isForward ? high <= firstTime || low > lastTime : high < firstTime || low >= lastTime;
}

/**
 * Partial, where an interval is not covered as a whole: it reaches beyond the first or the last row, or is what remains
 * of the range although there is data beyond (Part 13 §5.3.3.2).
 */
export function partialBit({ rows }: AggregateSource, { low, high, isForward, isRest }: Interval): number {
  const { firstTime, lastTime } = rows;
  const beginsBefore = low < firstTime && (isForward ? firstTime < high : firstTime <= high);
  const endsBehind = lastTime < high && (isForward ? lastTime >= low : lastTime > low);
  const isCut = isRest && (isForward ? lastTime >= high : firstTime <= low);
  return beginsBefore || endsBehind || isCut ? HISTORIAN_BITS.Partial : 0;
}
