import type { HistoryOrder } from '../../model';

/** Whole ms with `from` ≤ time < `to`, whatever the order of reading. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/**
 * The stored instants of a request: its start belongs to it, its end does not, unless both are the same. Times are
 * stored in whole ms, so that a fraction excludes the instant before (ascending) or behind it (descending).
 */
export function spanOf({ order, start, end }: { order: HistoryOrder; start: number; end: number }): Span {
  if (start === end) return { from: Math.ceil(start), to: Math.floor(start) + 1 };
  return order === 'ascending'
    ? { from: Math.ceil(start), to: Math.ceil(end) }
    : { from: Math.floor(end) + 1, to: Math.floor(start) + 1 };
}
