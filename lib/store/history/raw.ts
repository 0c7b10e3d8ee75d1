/** Stored values and those they replaced (Part 11 §6.5.3). */
import { HISTORY_STATUS, type ModifiedHistoryRequest, type RawHistoryRequest } from '../../model';
import type { StoredHistoryPage } from '../backend';
import { integersOf, type SampleColumns, SampleColumnsBuilder, sampleFlags, valueAt } from '../columns';
import type { HistoryRows } from './rows';
import { type Span, spanOf } from './span';

/** What stands at an instant without a value: nothing was stored there, so it has no origin of its own. */
export const NO_VALUE_FLAGS = sampleFlags(undefined, 'flow', false);

export function readRaw(rows: HistoryRows, metric: number, request: RawHistoryRequest): StoredHistoryPage {
  const { order, limit, start, end } = request;
  const forward = order === 'ascending';
  const span = spanOf(request);
  // One row more than the page holds says whether another page follows.
  const found = rows.range(metric, span.from, span.to, order, limit + 1);
  const before =
    request.bounds.start && Number.isFinite(start) && (found.length === 0 || found.time[0] !== start)
      ? boundOf(rows, metric, span, start, forward ? 'before' : 'behind')
      : undefined;
  const room = before === undefined ? limit : limit - 1;
  if (found.length > room)
    return {
      columns: joined(before, part(found, 0, room)),
      next: { ...request, ...following(request, found.time[room - 1]) },
    };
  // An instant that has a value is both bounds of a request for it alone.
  const wantsEnd = request.bounds.end && Number.isFinite(end) && !(start === end && found.length > 0);
  if (!wantsEnd) return { columns: joined(before, found) };
  if (found.length === room)
    return {
      columns: joined(before, found),
      next: { ...request, ...following(request, found.time[found.length - 1]) },
    };
  const behind = boundOf(rows, metric, span, end, forward ? 'behind' : 'before');
  return { columns: joined(before, found, behind) };
}

/** Where the next page begins: times are whole ms and unique within a metric. */
function following(
  { order, start, end, bounds }: RawHistoryRequest,
  last: number | undefined,
): Pick<RawHistoryRequest, 'start' | 'bounds'> {
  const rest = { start: false, end: bounds.end };
  // Nothing but the bound was given.
  if (last === undefined) return { start, bounds: rest };
  return { start: order === 'ascending' ? Math.min(last + 1, end) : Math.max(last - 1, end), bounds: rest };
}

/** The nearest row outside a span, or the status that there is none at the instant that was asked for. */
function boundOf(
  rows: HistoryRows,
  metric: number,
  { from, to }: Span,
  time: number,
  side: 'before' | 'behind',
): SampleColumns {
  const nearest =
    side === 'before'
      ? rows.range(metric, Number.NEGATIVE_INFINITY, from, 'descending', 1)
      : rows.range(metric, to, Number.POSITIVE_INFINITY, 'ascending', 1);
  if (nearest.length > 0) return nearest;
  const none = new SampleColumnsBuilder(1);
  none.add(metric, time, HISTORY_STATUS.BadBoundNotFound, NO_VALUE_FLAGS, undefined);
  return none;
}

export function readModified(rows: HistoryRows, metric: number, request: ModifiedHistoryRequest): StoredHistoryPage {
  const { order, limit, skip } = request;
  const span = spanOf(request);
  const { columns: found, modifiedAt } = rows.modified(metric, span.from, span.to, order, skip + limit + 1);
  const to = Math.min(found.length, skip + limit);
  const from = Math.min(skip, to);
  const answer = { columns: part(found, from, to), modifiedAt: modifiedAt.slice(from, to) };
  const last = found.time[to - 1];
  if (found.length <= skip + limit || last === undefined) return answer;
  // Of one instant there may be more: how many of them were given goes into the next request.
  let given = 0;
  for (let place = to - 1; place >= 0 && found.time[place] === last; place--) given++;
  return { ...answer, next: { ...request, start: last, skip: given } };
}

/** Some of the rows, without a copy. */
function part(columns: SampleColumns, from: number, to: number): SampleColumns {
  return {
    length: to - from,
    metric: columns.metric.subarray(from, to),
    time: columns.time.subarray(from, to),
    status: columns.status.subarray(from, to),
    flags: columns.flags.subarray(from, to),
    values: columns.values.subarray(from, to),
    texts: columns.texts,
  };
}

function joined(...parts: readonly (SampleColumns | undefined)[]): SampleColumns {
  const present = parts.filter((columns) => columns !== undefined);
  if (present.length === 1 && present[0] !== undefined) return part(present[0], 0, present[0].length);
  const page = new SampleColumnsBuilder(present.reduce((sum, { length }) => sum + length, 0));
  for (const columns of present) {
    const integers = integersOf(columns);
    for (let index = 0; index < columns.length; index++)
      page.add(
        columns.metric[index] ?? 0,
        columns.time[index] ?? 0,
        columns.status[index] ?? 0,
        columns.flags[index] ?? 0,
        valueAt(columns, integers, index),
      );
  }
  return page.trimmed();
}
