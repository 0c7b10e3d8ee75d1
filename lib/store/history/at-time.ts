/** What a metric was worth at given instants (Part 11 §6.5.5). */
import {
  type AtTimeHistoryRequest,
  type Course,
  DEFAULT_AGGREGATE_CONFIGURATION,
  HISTORIAN_BITS,
  HISTORY_STATUS,
  type MetricDataType,
} from '../../model';
import type { StoredHistoryPage } from '../backend';
import { SampleColumnsBuilder } from '../columns';
import { type BoundingValue, Bounds, originBits, usability } from './bounds';
import { type Point, Severity } from './points';
import { addResult, marked } from './results';
import { RowWindow } from './row-window';
import type { HistoryRows } from './rows';
import { SCAN_LIMIT } from './scan-limit';

export function readAtTime(
  rows: HistoryRows,
  metric: number,
  dataType: MetricDataType | undefined,
  request: AtTimeHistoryRequest,
): StoredHistoryPage {
  const { times, useSimpleBounds } = request;
  const { treatUncertainAsBad, useSlopedExtrapolation } = DEFAULT_AGGREGATE_CONFIGURATION;
  const window = new RowWindow(rows, metric, usability(treatUncertainAsBad));
  const bounds = new Bounds(window, {
    treatUncertainAsBad,
    useSlopedExtrapolation,
    isStepped: isStepped(request, dataType),
  });
  const page = new SampleColumnsBuilder(times.length);
  for (const [index, time] of times.entries()) {
    if (window.scanned > SCAN_LIMIT)
      return { columns: page.trimmed(), next: { ...request, times: times.slice(index) } };
    const exact = window.at(time);
    const { value, status } =
      exact !== undefined && isFound(exact, useSimpleBounds)
        ? { value: exact.value, status: marked(exact.status, 0) }
        : estimated(window, bounds, time, useSimpleBounds);
    addResult(page, metric, { time, value, status });
  }
  return { columns: page.trimmed() };
}

/** Whether values hold until the next one comes: as it was asked for, else those that are not doubles. */
export function isStepped({ isStepped: asked }: Course, dataType: MetricDataType | undefined): boolean {
  return asked ?? (dataType !== undefined && dataType !== 'Double');
}

/** A stored value is the answer; a Bad one is passed over where values are interpolated from usable ones. */
function isFound({ severity }: Point, useSimpleBounds: boolean): boolean {
  return useSimpleBounds || severity !== Severity.Bad;
}

function estimated(
  window: RowWindow,
  bounds: Bounds,
  time: number,
  useSimpleBounds: boolean,
): Pick<BoundingValue, 'value' | 'status'> {
  // Behind the last row Part 13 §3.1.9 lets the server extrapolate: what came last still holds, with a reservation.
  const last = useSimpleBounds && time > window.lastTime ? window.before(time) : undefined;
  if (last !== undefined && last.severity === Severity.Good)
    return { value: last.value, status: marked(HISTORY_STATUS.UncertainDataSubNormal, HISTORIAN_BITS.Interpolated) };
  const bound = useSimpleBounds ? bounds.simple(time) : bounds.interpolated(time);
  return { value: bound.value, status: marked(bound.status, originBits(bound)) };
}
