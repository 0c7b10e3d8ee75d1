import type { Origin } from '../model';
import { type DevEui, FaultCollector, type MetricKey, type MetricValue, type Quality, qualityFromCode } from '../model';
import { integersOf, originOfFlags, type SampleColumns, SampleFlag, valueAt } from './columns';

/** A range of one metric's history. */
export interface HistoryQuery {
  readonly devEui: DevEui;
  readonly metric: MetricKey;
  /** ms UTC, inclusive. */
  readonly from: number;
  /** ms UTC, exclusive. */
  readonly to: number;
  /** Samples in a page, 1 to {@link LARGEST_PAGE}. */
  readonly limit: number;
  /** `descending` begins with the newest. */
  readonly order: 'ascending' | 'descending';
}

export interface HistorySample {
  /** Source time, ms UTC. */
  readonly time: number;
  /** `undefined` where only a status is known: a gap. */
  readonly value: MetricValue | undefined;
  readonly quality: Quality;
  readonly origin: Origin;
  /** Another value was known for this time before. */
  readonly corrected: boolean;
}

export interface HistoryPage {
  readonly samples: readonly HistorySample[];
  /**
   * The query that gives the next page; absent when the range is exhausted. Pages need no memory anywhere: the query
   * holds after a restart as well, and samples that arrive in between neither double nor hide others.
   */
  readonly next?: HistoryQuery;
}

export const LARGEST_PAGE = 100_000;

/** @throws InvalidInputError */
export function checkHistoryQuery(query: HistoryQuery): void {
  const collector = new FaultCollector();
  for (const field of ['from', 'to'] as const)
    if (!Number.isFinite(query[field]))
      collector.add(field, query[field], 'it is an instant in ms UTC', 'Give a number, e.g. from Date.now().');
  if (!Number.isInteger(query.limit) || query.limit < 1 || query.limit > LARGEST_PAGE)
    collector.add('limit', query.limit, `a page has 1 to ${LARGEST_PAGE} samples`, 'Ask for a smaller page.');
  if (query.order !== 'ascending' && query.order !== 'descending')
    collector.add('order', query.order, 'it is ascending or descending', 'Use one of the two.');
  collector.throwIfAny();
}

/** A page from what the backend gave, which was asked for one sample more than the page holds. */
export function historyPage(query: HistoryQuery, columns: SampleColumns): HistoryPage {
  const integers = integersOf(columns);
  const samples: HistorySample[] = [];
  for (let index = 0; index < Math.min(columns.length, query.limit); index++) {
    const flags = columns.flags[index] ?? 0;
    samples.push({
      time: columns.time[index] ?? 0,
      value: valueAt(columns, integers, index),
      quality: qualityFromCode(columns.status[index] ?? 0),
      origin: originOfFlags(flags),
      corrected: (flags & SampleFlag.Corrected) !== 0,
    });
  }
  const last = samples.at(-1);
  if (columns.length <= query.limit || last === undefined) return { samples };
  // Times are whole ms and unique within a metric.
  return {
    samples,
    next: query.order === 'ascending' ? { ...query, from: last.time + 1 } : { ...query, to: last.time },
  };
}
