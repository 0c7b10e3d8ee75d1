/** Average, TimeAverage, TimeAverage2, Total, Total2 (Part 13 §5.4.3.5 to §5.4.3.9). */
import { HISTORIAN_BITS, HISTORY_STATUS } from '../../../model';
import type { Interval } from '../intervals';
import { numberAt, numberOf, Severity, severityAt } from '../points';
import { type ComputedValue, marked, noData } from '../results';
import { visitRegions } from './regions';
import { type AggregateFunction, type AggregateSource, isOutsideData, partialBit } from './source';
import { addShare, noShares, statusByCount, statusByTime } from './status';

const { Calculated } = HISTORIAN_BITS;

export const average: AggregateFunction = ({ rows, configuration }, { start, from, to }) => {
  const shares = noShares();
  let sum = 0;
  rows.scan(from, to, (columns, integers, first, behind) => {
    for (let index = first; index < behind; index++) {
      const severity = severityAt(columns, index);
      addShare(shares, severity, 1);
      if (severity === Severity.Good) sum += numberAt(columns, integers, index);
    }
  });
  if (shares.good === 0) return noData(start);
  return { time: start, value: sum / shares.good, status: marked(statusByCount(shares, configuration), Calculated) };
};

/** Area under the values and how much time it covers, ms. */
interface Area {
  readonly area: number;
  readonly duration: number;
  readonly status: number;
}

/**
 * By straight lines from usable value to usable value, whatever lies between and however the metric steps; behind the
 * last one extrapolated to the end of the interval.
 */
function areaBetweenUsable({ rows, bounds, isUsable }: AggregateSource, { low, high }: Interval): Area {
  let area = 0;
  let duration = 0;
  const start = bounds.interpolated(low, false);
  let isDoubtful = start.severity !== Severity.Good;
  let time = start.severity === Severity.Bad ? undefined : low;
  let value = numberOf(start.value);
  const goTo = (nextTime: number, next: number): void => {
    if (time !== undefined) {
      area += ((value + next) / 2) * (nextTime - time);
      duration += nextTime - time;
    }
    time = nextTime;
    value = next;
  };
  rows.scan(Math.floor(low) + 1, Math.ceil(high), (columns, integers, first, behind) => {
    for (let index = first; index < behind; index++) {
      const severity = severityAt(columns, index);
      if (severity !== Severity.Good) isDoubtful = true;
      if (isUsable(severity)) goTo(columns.time[index] as number, numberAt(columns, integers, index));
    }
  });
  const end = bounds.interpolated(high, false);
  if (end.severity !== Severity.Good) isDoubtful = true;
  if (end.severity !== Severity.Bad) goTo(high, numberOf(end.value));
  return { area, duration, status: isDoubtful ? HISTORY_STATUS.UncertainDataSubNormal : 0 };
}

/** What is not usable is left out of the area and of the time. */
function areaOfRegions(source: AggregateSource, interval: Interval): Area {
  const shares = noShares();
  let area = 0;
  visitRegions(source, interval, source.isStepped, (severity, duration, first, last) => {
    addShare(shares, severity, duration);
    if (severity !== Severity.Bad) area += ((first + last) / 2) * duration;
  });
  const { good, uncertain } = shares;
  return { area, duration: good + uncertain, status: statusByTime(shares, source.configuration) };
}

function fromArea(
  areaOf: (source: AggregateSource, interval: Interval) => Area,
  result: (area: Area) => number,
): AggregateFunction {
  return (source, interval): ComputedValue => {
    const { start } = interval;
    if (isOutsideData(source, interval)) return noData(start);
    const area = areaOf(source, interval);
    if (area.duration === 0) return noData(start);
    return { time: start, value: result(area), status: marked(area.status, Calculated | partialBit(source, interval)) };
  };
}

const mean = ({ area, duration }: Area): number => area / duration;
/** In units of the value times seconds; what is not covered is not counted. */
const total = ({ area }: Area): number => area / 1_000;

export const timeAverage = fromArea(areaBetweenUsable, mean);
export const timeAverage2 = fromArea(areaOfRegions, mean);
export const total1 = fromArea(areaBetweenUsable, total);
export const total2 = fromArea(areaOfRegions, total);
