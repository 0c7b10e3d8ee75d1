import type { HistoryOrder } from '../../model';
import { integersOf, type Sample, type SampleColumns, SampleColumnsBuilder, valueAt } from '../columns';
import type { HistoryRows } from './rows';

/** A sample that is known and was not stored, because it says nothing new (dead-band). */
export type LatestSample = Omit<Sample, 'metric'>;

/**
 * Rows with one more behind the last one: with a dead-band the last value is covered until the newest sample, and the
 * historian acts as if there was another raw value (Part 13 §3.1.9). Only for what is computed: it is not stored.
 */
export function withLatest(rows: HistoryRows, metric: number, latest: LatestSample): HistoryRows {
  const [everything, nothing] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  const last = rows.range(metric, nothing, everything, 'descending', 1);
  // It was stored in the meantime.
  if (last.length > 0 && (last.time[0] as number) >= latest.time) return rows;
  return {
    range(asked: number, from: number, to: number, order: HistoryOrder, limit: number): SampleColumns {
      const found = rows.range(asked, from, to, order, limit);
      if (asked !== metric || latest.time < from || latest.time >= to) return found;
      if (order === 'ascending' && found.length >= limit) return found;
      const columns = new SampleColumnsBuilder(found.length + 1);
      const { time, status, flags, value } = latest;
      if (order === 'descending') columns.add(metric, time, status, flags, value);
      const integers = integersOf(found);
      for (let index = 0; index < found.length && columns.length < limit; index++)
        columns.add(
          metric,
          found.time[index] as number,
          found.status[index] as number,
          found.flags[index] as number,
          valueAt(found, integers, index),
        );
      if (order === 'ascending') columns.add(metric, time, status, flags, value);
      return columns;
    },
    modified: (...range) => rows.modified(...range),
  };
}
