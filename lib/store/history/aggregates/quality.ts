/** How good the data is: durations, percentages, the worst status (Part 13 §5.4.3.31 to §5.4.3.36). */
import { HISTORIAN_BITS } from '../../../model';
import type { Interval } from '../intervals';
import { Severity, severityAt } from '../points';
import { marked, noData } from '../results';
import { type AggregateFunction, type AggregateSource, isOutsideData, partialBit, TIME_RESOLUTION } from './source';

const { Calculated, MultiValue } = HISTORIAN_BITS;

/** ms */
interface Durations {
  good: number;
  bad: number;
}

/**
 * Regions from stored value to stored value, each as good as the value it begins with. Before the first value nothing
 * is good; how long the last one holds nobody knows.
 */
function durationsOf({ rows, isUsable }: AggregateSource, { low, high }: Interval): Durations {
  const durations: Durations = { good: 0, bad: 0 };
  const known = rows.at(low) ?? rows.before(low);
  let isGood = known !== undefined && isUsable(known.severity);
  let time = low;
  const close = (next: number): void => {
    if (isGood) durations.good += next - time;
    else durations.bad += next - time;
    time = next;
  };
  rows.scan(Math.floor(low) + 1, Math.ceil(high), (columns, _, first, behind) => {
    for (let index = first; index < behind; index++) {
      close(columns.time[index] as number);
      isGood = isUsable(severityAt(columns, index));
    }
  });
  close(high > rows.lastTime ? Math.min(high, Math.max(rows.lastTime, low) + TIME_RESOLUTION) : high);
  return durations;
}

function fromDurations(result: (durations: Durations) => number): AggregateFunction {
  return (source, interval) => {
    if (isOutsideData(source, interval)) return noData(interval.start);
    const value = result(durationsOf(source, interval));
    return { time: interval.start, value, status: marked(0, Calculated | partialBit(source, interval)) };
  };
}

export const durationGood = fromDurations(({ good }) => good);
export const durationBad = fromDurations(({ bad }) => bad);
export const percentGood = fromDurations(({ good, bad }) => (good / (good + bad)) * 100);
export const percentBad = fromDurations(({ good, bad }) => (bad / (good + bad)) * 100);

/**
 * The worst status code as the value; TreatUncertainAsBad does not matter.
 * @param withBound the simple bounding value at the start counts too
 */
function worst(withBound: boolean): AggregateFunction {
  return (source, interval) => {
    const { rows, bounds } = source;
    const { start, from, to, isForward } = interval;
    if (isOutsideData(source, interval)) return noData(start);
    let code: number | undefined;
    let isMultiple = false;
    const offer = (status: number): void => {
      const difference = code === undefined ? 1 : severityOf(status) - severityOf(code);
      if (difference > 0) {
        code = status;
        isMultiple = false;
      } else if (difference === 0) {
        isMultiple = true;
        // The first one in the direction of the request is given.
        if (!isForward) code = status;
      }
    };
    const offerBound = (): void => {
      const stands = rows.at(start);
      if (stands === undefined) offer(bounds.simple(start).status);
    };
    if (withBound && isForward) offerBound();
    rows.scan(from, to, ({ status }, _, first, behind) => {
      for (let index = first; index < behind; index++) offer(status[index] as number);
    });
    if (withBound && !isForward) offerBound();
    if (code === undefined) return noData(start);
    const bits = Calculated | (isMultiple ? MultiValue : 0) | partialBit(source, interval);
    return { time: start, value: code, status: marked(0, bits) };
  };
}

function severityOf(status: number): number {
  return Math.min(status >>> 30, Severity.Bad);
}

export const worstQuality = worst(false);
export const worstQuality2 = worst(true);
