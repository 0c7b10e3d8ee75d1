/** Status of a result from the shares of good and bad data (Part 13 §4.2.1.2, §5.4.3.2.1). */
import { type AggregateConfiguration, HISTORY_STATUS, qualityCode } from '../../../model';
import { Severity } from '../points';

const GOOD = 0;
const BAD = qualityCode('Bad');

/** How much data of each kind an interval has: a number of values, or ms. */
export interface Shares {
  good: number;
  uncertain: number;
  bad: number;
}

/**
 * Of values: Uncertain ones are Bad if they are treated so, and count on neither side otherwise (Annex A, Count).
 * Both limits reached at once, it is Good.
 */
export function statusByCount(
  { good, uncertain, bad }: Shares,
  { treatUncertainAsBad, percentDataBad, percentDataGood }: AggregateConfiguration,
): number {
  const total = good + uncertain + bad;
  const badCount = treatUncertainAsBad ? bad + uncertain : bad;
  if (total === good || good * 100 >= percentDataGood * total) return GOOD;
  return badCount * 100 >= percentDataBad * total ? BAD : HISTORY_STATUS.UncertainDataSubNormal;
}

/**
 * Of time: what is Uncertain because its line ends in a value that is not usable counts on neither side if Uncertain
 * values are treated as Bad (Annex A, TimeAverage2), and as Good otherwise.
 */
export function statusByTime(
  { good, uncertain, bad }: Shares,
  { treatUncertainAsBad, percentDataBad, percentDataGood }: AggregateConfiguration,
): number {
  const total = good + uncertain + bad;
  const usable = treatUncertainAsBad ? good : good + uncertain;
  if (total === usable || usable * 100 >= percentDataGood * total) return GOOD;
  return bad * 100 >= percentDataBad * total ? BAD : HISTORY_STATUS.UncertainDataSubNormal;
}

export function addShare(shares: Shares, severity: Severity, amount: number): void {
  if (severity === Severity.Good) shares.good += amount;
  else if (severity === Severity.Uncertain) shares.uncertain += amount;
  else shares.bad += amount;
}

export function noShares(): Shares {
  return { good: 0, uncertain: 0, bad: 0 };
}
