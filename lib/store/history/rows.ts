/**
 * Where the engine of history gets stored samples: synchronous, because it works in the thread that has them. SQLite's
 * reader and the memory backend give this; everything else about history is computed from it, once for both.
 */
import type { SampleColumns } from '../columns';

/** Replaced values, as {@link HistoryRows.modified} gives them. */
export interface ModifiedColumns {
  readonly columns: SampleColumns;
  /** When each was replaced, ms UTC. */
  readonly modifiedAt: Float64Array;
}

export interface HistoryRows {
  /** Samples with `from` ≤ time < `to` (whole ms UTC, may be infinite), at most `limit`. */
  range(metric: number, from: number, to: number, order: 'ascending' | 'descending', limit: number): SampleColumns;
  /** Replaced values of that range; of one instant the earlier replaced first in ascending order, last in descending. */
  modified(metric: number, from: number, to: number, order: 'ascending' | 'descending', limit: number): ModifiedColumns;
}
