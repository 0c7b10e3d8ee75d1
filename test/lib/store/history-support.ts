import {
  DEFAULT_AGGREGATE_CONFIGURATION,
  type HistoryRequest,
  type MetricDataType,
  type MetricValue,
  type ProcessedHistoryRequest,
  parseDevEui,
  parseMetricKey,
} from '../../../lib/model';
import {
  type SampleColumns,
  SampleColumnsBuilder,
  type StoredHistoryPage,
  sampleFlags,
  samplesOf,
} from '../../../lib/store';
import { answerHistory, type HistoryRows } from '../../../lib/store/history';

/** One stored value as tests write it. */
export interface Row {
  readonly time: number;
  readonly status: number;
  readonly value: MetricValue | undefined;
}

export interface ReplacedRow extends Row {
  readonly modifiedAt: number;
}

/** A value of an answer. */
export interface Answered {
  readonly time: number;
  readonly status: number;
  readonly value: MetricValue | undefined;
}

export const GOOD = 0;
export const UNCERTAIN = 0x4000_0000;
export const BAD = 0x8000_0000;

export const target = { devEui: parseDevEui('0000000000000001'), metric: parseMetricKey('temperature') };

export function columnsOf(rows: readonly Row[], metric = 1): SampleColumns {
  const columns = new SampleColumnsBuilder(Math.max(rows.length, 1));
  for (const { time, status, value } of rows)
    columns.add(metric, time, status, sampleFlags(value, 'event', false), value);
  return columns.trimmed();
}

/** Rows of a list, found by looking at all of them. */
export function rowsOf(list: readonly Row[], replaced: readonly ReplacedRow[] = []): HistoryRows {
  const within = <R extends Row>(rows: readonly R[], from: number, to: number, order: string, limit: number): R[] => {
    const found = rows.filter(({ time }) => time >= from && time < to);
    return (order === 'ascending' ? found : found.toReversed()).slice(0, limit);
  };
  return {
    range: (_, from, to, order, limit) => columnsOf(within(list, from, to, order, limit)),
    modified(_, from, to, order, limit) {
      const found = within(replaced, from, to, order, limit);
      return { columns: columnsOf(found), modifiedAt: Float64Array.from(found, ({ modifiedAt }) => modifiedAt) };
    },
  };
}

export function answeredOf({ columns }: StoredHistoryPage): Answered[] {
  return Array.from(samplesOf(columns), ({ time, status, value }) => ({ time, status, value }));
}

/** All pages of an answer. */
export function askAll(rows: HistoryRows, request: HistoryRequest, dataType: MetricDataType = 'Double'): Answered[] {
  const answer: Answered[] = [];
  for (let next: HistoryRequest | undefined = request; next !== undefined; ) {
    const page: StoredHistoryPage = answerHistory(rows, { metric: 1, dataType, request: next });
    answer.push(...answeredOf(page));
    next = page.next;
  }
  return answer;
}

export function processed(part: Partial<ProcessedHistoryRequest>): ProcessedHistoryRequest {
  return {
    kind: 'processed',
    ...target,
    aggregate: 'Average',
    start: 0,
    end: 10_000,
    interval: 0,
    configuration: DEFAULT_AGGREGATE_CONFIGURATION,
    limit: 1_000,
    skip: 0,
    ...part,
  };
}
