/** Aggregates over intervals (Part 11 §6.5.4, Part 13). */
import { AGGREGATE_RESULTS, HISTORY_STATUS, type MetricDataType, type ProcessedHistoryRequest } from '../../model';
import type { StoredHistoryPage } from '../backend';
import { SampleColumnsBuilder } from '../columns';
import { type AggregateFunction, type AggregateSource, aggregateFunction } from './aggregates';
import { isStepped } from './at-time';
import { Bounds, usability } from './bounds';
import { countOfIntervals, intervalAt } from './intervals';
import { addResult, type ComputedValue } from './results';
import { RowWindow } from './row-window';
import type { HistoryRows } from './rows';
import { SCAN_LIMIT } from './scan-limit';

/** Rows read in one stretch, about. Intervals are computed in order of time in it, also where time runs backwards. */
const ROWS_IN_STRETCH = 65_536;

export function readProcessed(
  rows: HistoryRows,
  metric: number,
  dataType: MetricDataType | undefined,
  request: ProcessedHistoryRequest,
): StoredHistoryPage {
  const { aggregate, limit, skip } = request;
  const count = countOfIntervals(request);
  const behind = Math.min(count, skip + limit);
  const page = new SampleColumnsBuilder(Math.max(behind - skip, 0));
  const result = AGGREGATE_RESULTS[aggregate];
  const columns = (): Omit<StoredHistoryPage, 'next'> => ({
    columns: page.trimmed(),
    ...(result === 'source' || result === 'Double' ? {} : { valueType: result }),
  });
  const compute = aggregateFunction(aggregate, dataType) ?? notFit;
  const source = sourceOf(rows, metric, dataType, request);
  let next = skip;
  let stretch = 1;
  while (next < behind && source.rows.scanned <= SCAN_LIMIT) {
    const { scanned } = source.rows;
    const length = Math.min(stretch, behind - next);
    for (const value of computeStretch(source, compute, request, next, length)) addResult(page, metric, value);
    next += length;
    stretch = source.rows.scanned - scanned < ROWS_IN_STRETCH ? stretch * 2 : Math.max(1, stretch >> 1);
  }
  return next < count ? { ...columns(), next: { ...request, skip: next } } : columns();
}

function sourceOf(
  rows: HistoryRows,
  metric: number,
  dataType: MetricDataType | undefined,
  request: ProcessedHistoryRequest,
): AggregateSource {
  const { aggregate, configuration: given } = request;
  // Part 13 §5.4.3.36: how Uncertain values are treated does not matter to the worst quality.
  const configuration = aggregate === 'WorstQuality2' ? { ...given, treatUncertainAsBad: false } : given;
  const { treatUncertainAsBad, useSlopedExtrapolation } = configuration;
  const isUsable = usability(treatUncertainAsBad);
  // Part 13 §5.4.3.24: transitions are between values that are not Bad.
  const window = new RowWindow(rows, metric, aggregate === 'NumberOfTransitions' ? usability(false) : isUsable);
  const stepped = isStepped(request, dataType);
  return {
    rows: window,
    bounds: new Bounds(window, { treatUncertainAsBad, useSlopedExtrapolation, isStepped: stepped }),
    configuration,
    isStepped: stepped,
    isUsable,
  };
}

/** Consecutive intervals, computed in order of time and given in the order of the request. */
function computeStretch(
  source: AggregateSource,
  compute: AggregateFunction,
  request: ProcessedHistoryRequest,
  first: number,
  length: number,
): ComputedValue[] {
  const values: ComputedValue[] = [];
  const isForward = request.start < request.end;
  for (let offset = 0; offset < length; offset++)
    values.push(compute(source, intervalAt(request, isForward ? first + offset : first + length - 1 - offset)));
  return isForward ? values : values.toReversed();
}

const notFit: AggregateFunction = (_, { start }) => ({
  time: start,
  value: undefined,
  status: HISTORY_STATUS.BadAggregateInvalidInputs,
});
