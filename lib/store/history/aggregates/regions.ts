/**
 * Division of an interval into regions, from value to value, bounded by simple bounding values (Part 13 §5.4.3.2.2).
 * Measured in time, so the direction of the request makes no difference.
 */

import type { SampleColumns } from '../../columns';
import type { Interval } from '../intervals';
import { numberAt, numberOf, Severity, severityAt } from '../points';
import { type AggregateSource, TIME_RESOLUTION } from './source';

/** @param first value at the start of the region @param last value at its end, on the line */
export type RegionVisitor = (severity: Severity, duration: number, first: number, last: number) => void;

/** A usable row within the interval. */
export type RowVisitor = (columns: SampleColumns, integers: BigInt64Array, index: number) => void;

/** @param isStepped values hold over their region; otherwise they lie on a line to the next usable one */
export function visitRegions(
  { rows, bounds, isUsable }: AggregateSource,
  { low, high }: Interval,
  isStepped: boolean,
  visit: RegionVisitor,
  visitRow?: RowVisitor,
): void {
  const start = bounds.simple(low);
  let time = low;
  let severity: Severity = start.severity;
  let value = numberOf(start.value);

  const close = (nextTime: number, nextSeverity: Severity, nextValue: number): void => {
    const duration = nextTime - time;
    if (duration <= 0) return;
    const endsWell = isStepped || severity === Severity.Bad || nextSeverity === Severity.Good;
    const own = endsWell ? severity : Severity.Uncertain;
    visit(own, duration, value, isStepped || !isUsable(nextSeverity) ? value : nextValue);
  };

  rows.scan(Math.floor(low) + 1, Math.ceil(high), (columns, integers, first, behind) => {
    for (let index = first; index < behind; index++) {
      const nextTime = columns.time[index] as number;
      const nextSeverity = severityAt(columns, index);
      const nextValue = numberAt(columns, integers, index);
      close(nextTime, nextSeverity, nextValue);
      time = nextTime;
      value = nextValue;
      if (isUsable(nextSeverity)) {
        severity = nextSeverity;
        visitRow?.(columns, integers, index);
      } else severity = Severity.Bad;
    }
  });
  if (high > rows.lastTime) {
    // Nothing tells how long the last value holds.
    close(Math.min(high, Math.max(rows.lastTime, low) + TIME_RESOLUTION), Severity.Bad, Number.NaN);
    return;
  }
  const end = bounds.simple(high);
  close(high, end.severity, numberOf(end.value));
}
