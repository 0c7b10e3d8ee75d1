import { isGap, originOfFlags, type Sample, SampleFlag } from './columns';

type Content = Pick<Sample, 'status' | 'flags' | 'value'>;

/** Severity of a status code: 0 Good, 1 Uncertain, 2 Bad (Part 4 §7.39.1). */
function severity(status: number): number {
  return status >>> 30;
}

/** What a sample does to the row that its metric has at the same time. */
export type Correction =
  /** Nothing: it says the same, is of worse quality, or is a gap. */
  | 'none'
  /** Takes the place of a gap: nothing was known, so nothing is kept. */
  | 'fills'
  /** Takes the place of a value, which is kept as modified. */
  | 'replaces';

/**
 * What becomes of a sample for a metric and time that already has a row: the later one stays, unless it says the same or
 * is of worse quality (an aggregate never takes the place of the event's own value).
 * @param wasReplaced whether the same value was there and a correction took its place. An event may come again long
 *   after that, by a replay: the correction stands then. Who corrects by hand may well take a correction back.
 */
export function correctionOf(known: Content, sample: Content, wasReplaced: () => boolean): Correction {
  if (isGap(sample.flags)) return 'none';
  if (isGap(known.flags)) return 'fills';
  if (saysTheSame(known, sample)) return 'none';
  if (severity(sample.status) > severity(known.status)) return 'none';
  return isFromEvent(sample) && wasReplaced() ? 'none' : 'replaces';
}

/** Whether two samples of one instant have the same value and status. -0 says the same as 0, NaN the same as NaN. */
export function saysTheSame(one: Content, other: Content): boolean {
  if (one.status !== other.status) return false;
  return one.value === other.value || (Number.isNaN(one.value) && Number.isNaN(other.value));
}

function isFromEvent({ flags }: Content): boolean {
  const origin = originOfFlags(flags);
  return origin === 'event' || origin === 'replay';
}

/** Flags of a sample that took the place of a value. */
export function correctedFlags(flags: number): number {
  return flags | SampleFlag.Corrected;
}
