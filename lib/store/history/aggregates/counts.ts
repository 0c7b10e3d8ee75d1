/** Count, NumberOfTransitions, durations in a state (Part 13 §5.4.3.21 to §5.4.3.24). */
import { HISTORIAN_BITS } from '../../../model';
import { Severity, severityAt } from '../points';
import { marked, noData } from '../results';
import { type Numeric, numericAt, numericOf } from './numeric';
import { visitRegions } from './regions';
import { type AggregateFunction, isOutsideData, partialBit } from './source';
import { addShare, noShares, statusByCount, statusByTime } from './status';

const { Calculated } = HISTORIAN_BITS;

/** Of Good values. */
export const count: AggregateFunction = (source, interval) => {
  const { start, from, to } = interval;
  if (isOutsideData(source, interval)) return noData(start);
  const shares = noShares();
  source.rows.scan(from, to, (columns, _, first, behind) => {
    for (let index = first; index < behind; index++) addShare(shares, severityAt(columns, index), 1);
  });
  const status = statusByCount(shares, source.configuration);
  return { time: start, value: shares.good, status: marked(status, Calculated | partialBit(source, interval)) };
};

/**
 * A value that differs from the last one that was not Bad, or is the first, is a transition. The rows must be usable
 * unless they are Bad, however Uncertain ones are treated otherwise.
 */
export const numberOfTransitions: AggregateFunction = (source, interval) => {
  const { start, from, to } = interval;
  if (isOutsideData(source, interval)) return noData(start);
  const shares = noShares();
  const before = source.rows.usableBefore(from).point;
  let previous: Numeric | undefined = before && numericOf(before.value);
  let transitions = 0;
  source.rows.scan(from, to, (columns, integers, first, behind) => {
    for (let index = first; index < behind; index++) {
      const severity = severityAt(columns, index);
      addShare(shares, severity, 1);
      if (severity === Severity.Bad) continue;
      const value = numericAt(columns, integers, index);
      if (value !== previous) transitions++;
      previous = value;
    }
  });
  const status = statusByCount(shares, source.configuration);
  return { time: start, value: transitions, status: marked(status, Calculated | partialBit(source, interval)) };
};

function durationInState(isInState: (value: number) => boolean): AggregateFunction {
  return (source, interval) => {
    if (isOutsideData(source, interval)) return noData(interval.start);
    const shares = noShares();
    let duration = 0;
    visitRegions(source, interval, true, (severity, length, value) => {
      addShare(shares, severity, length);
      if (severity === Severity.Good && isInState(value)) duration += length;
    });
    const status = statusByTime(shares, source.configuration);
    const bits = Calculated | partialBit(source, interval);
    return { time: interval.start, value: duration, status: marked(status, bits) };
  };
}

export const durationInStateZero = durationInState((value) => value === 0);
export const durationInStateNonZero = durationInState((value) => value !== 0);
