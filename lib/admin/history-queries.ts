/** What history answers: `history.raw`, `history.modified`, `history.atTime`, `history.processed`. */
import { z } from 'zod';
import {
  AGGREGATES,
  type AggregateConfiguration,
  type Course,
  DEFAULT_AGGREGATE_CONFIGURATION,
  type DevEui,
  type HistoryRequest,
  type MetricDataType,
  type MetricDefinition,
  type MetricKey,
} from '../model';
import type { AdministrationStore } from './dependencies';
import { type HistoryRow, historyRow } from './history-rows';
import { checkRange, type Instant, instantField, LATEST_TIME, optionalDuration, optionalInstant } from './instants';
import { chosenMetrics, namedMetrics, targetFields } from './targets';

/** Values in one answer at most: more would hold up the event loop. */
export const MOST_VALUES = 10_000;

/** Where the page before ended, for the first of the metrics. As `next` gave it. */
const positionField = z
  .strictObject({
    start: z.number().optional(),
    bounds: z.strictObject({ start: z.boolean(), end: z.boolean() }).optional(),
    skip: z.number().int().min(0).optional(),
  })
  .optional();
type Position = z.output<typeof positionField>;

const pageFields = {
  ...targetFields,
  /** Values in this answer at most. */
  limit: z.number().int().min(1).max(MOST_VALUES).default(1_000),
  position: positionField,
};
const orderField = z.enum(['ascending', 'descending']).default('ascending');
const rangeFields = { from: optionalInstant, to: optionalInstant, order: orderField };

export const rawPayload = z.strictObject({
  ...pageFields,
  ...rangeFields,
  /** Whether the values at the ends of the range are wanted too, or else the nearest ones outside of it. */
  bounds: z.boolean().default(false),
});

export const modifiedPayload = z.strictObject({ ...pageFields, ...rangeFields });

export const atTimePayload = z.strictObject({
  ...pageFields,
  times: z.array(instantField).min(1).max(MOST_VALUES),
  useSimpleBounds: z.boolean().default(false),
});

const percent = z.number().min(0).max(100);
const configurationField = z
  .strictObject({
    treatUncertainAsBad: z.boolean().default(DEFAULT_AGGREGATE_CONFIGURATION.treatUncertainAsBad),
    percentDataBad: percent.default(DEFAULT_AGGREGATE_CONFIGURATION.percentDataBad),
    percentDataGood: percent.default(DEFAULT_AGGREGATE_CONFIGURATION.percentDataGood),
    useSlopedExtrapolation: z.boolean().default(DEFAULT_AGGREGATE_CONFIGURATION.useSlopedExtrapolation),
  })
  .refine(({ percentDataGood, percentDataBad }) => percentDataGood >= 100 - percentDataBad, {
    message: 'percentDataGood is at least 100 - percentDataBad',
  })
  .default(DEFAULT_AGGREGATE_CONFIGURATION);

export const processedPayload = z.strictObject({
  ...pageFields,
  from: instantField,
  to: optionalInstant,
  order: orderField,
  aggregate: z.enum(AGGREGATES),
  /** Absent or 0 = the whole range is one interval. */
  interval: optionalDuration,
  configuration: configurationField,
});

/** A page of history. */
export interface HistoryAnswer {
  readonly devEui: DevEui;
  /** The metrics that this and the following answers are about. */
  readonly metrics: readonly { readonly key: MetricKey; readonly name: string; readonly dataType?: MetricDataType }[];
  /** All values of the first metric, then all of the second. */
  readonly values: readonly HistoryRow[];
  /** Whether this was the last page. */
  readonly complete: boolean;
  /** The payload that asks for the page after this one. */
  readonly next?: Readonly<Record<string, unknown>>;
}

interface Target {
  readonly devEui: DevEui;
  readonly metric?: MetricKey | undefined;
  readonly metrics?: readonly MetricKey[] | undefined;
  readonly limit: number;
  readonly position?: Position;
}

interface Question {
  /** What `next` repeats. */
  readonly repeated: Readonly<Record<string, unknown>>;
  request(metric: MetricKey, limit: number, position: Position): HistoryRequest;
  /** Where the page after begins; `taken` values came from this one. */
  position(next: HistoryRequest | undefined, taken: number, before: Position): Position;
}

interface Range {
  readonly from?: Instant | undefined;
  readonly to?: Instant | undefined;
  readonly order: 'ascending' | 'descending';
}

/** A range as the store takes it: `from` belongs to it, `to` does not, in both orders. */
function storedRange({ from, to, order }: Range, bounds: boolean, now: number) {
  const begin = from?.(now);
  const finish = to?.(now);
  if (begin !== undefined && finish !== undefined) checkRange(begin, finish);
  // Where an end is not given, there is nothing behind it.
  const at = { from: bounds && begin !== undefined, to: bounds && finish !== undefined };
  const repeated = {
    ...(begin === undefined ? {} : { from: begin }),
    ...(finish === undefined ? {} : { to: finish }),
    order,
  };
  if (order === 'ascending')
    return { start: begin ?? 0, end: finish ?? Infinity, bounds: { start: at.from, end: at.to }, repeated };
  return {
    // The store excludes the end that it reaches last; a bound is asked for at the very instant.
    start: finish === undefined ? LATEST_TIME : at.to ? finish : finish - 1,
    end: begin === undefined ? -Infinity : at.from ? begin : begin - 1,
    bounds: { start: at.to, end: at.from },
    repeated,
  };
}

export function readRaw(
  store: AdministrationStore,
  now: number,
  payload: z.output<typeof rawPayload>,
  signal: AbortSignal,
): Promise<HistoryAnswer> {
  const { devEui, order, bounds } = payload;
  const { repeated, ...range } = storedRange(payload, bounds, now);
  return readPage(store, payload, signal, {
    repeated: { ...repeated, bounds },
    request: (metric, limit, position) => ({
      kind: 'raw',
      devEui,
      metric,
      order,
      start: position?.start ?? range.start,
      end: range.end,
      limit,
      bounds: position?.bounds ?? range.bounds,
    }),
    position: (next) => (next?.kind === 'raw' ? { start: next.start, bounds: next.bounds } : undefined),
  });
}

export function readModified(
  store: AdministrationStore,
  now: number,
  payload: z.output<typeof modifiedPayload>,
  signal: AbortSignal,
): Promise<HistoryAnswer> {
  const { devEui, order } = payload;
  const { repeated, bounds: _, ...range } = storedRange(payload, false, now);
  return readPage(store, payload, signal, {
    repeated,
    request: (metric, limit, position) => ({
      kind: 'modified',
      devEui,
      metric,
      order,
      start: position?.start ?? range.start,
      end: range.end,
      limit,
      skip: position?.skip ?? 0,
    }),
    position: (next) => (next?.kind === 'modified' ? { start: next.start, skip: next.skip } : undefined),
  });
}

/** Whether the values of a metric hold until the next one. */
export type CourseOf = (devEui: DevEui, metric: MetricKey) => Course;

export function readAtTime(
  store: AdministrationStore,
  now: number,
  payload: z.output<typeof atTimePayload>,
  signal: AbortSignal,
  courseOf: CourseOf,
): Promise<HistoryAnswer> {
  const { devEui, useSimpleBounds } = payload;
  const times = payload.times.map((time) => time(now));
  return readPage(store, payload, signal, {
    repeated: { times, useSimpleBounds },
    request: (metric, limit, position) => {
      const skip = position?.skip ?? 0;
      return {
        kind: 'at-time',
        devEui,
        metric,
        times: times.slice(skip, skip + limit),
        useSimpleBounds,
        ...courseOf(devEui, metric),
      };
    },
    position: (_, taken, before) => {
      const skip = (before?.skip ?? 0) + taken;
      return taken > 0 && skip < times.length ? { skip } : undefined;
    },
  });
}

export function readProcessed(
  store: AdministrationStore,
  now: number,
  payload: z.output<typeof processedPayload>,
  signal: AbortSignal,
  courseOf: CourseOf,
): Promise<HistoryAnswer> {
  const { devEui, aggregate, order, interval = 0 } = payload;
  const configuration: AggregateConfiguration = payload.configuration;
  const from = payload.from(now);
  const to = payload.to?.(now) ?? now;
  checkRange(from, to);
  const [start, end] = order === 'ascending' ? [from, to] : [to, from];
  return readPage(store, payload, signal, {
    repeated: { from, to, order, aggregate, interval, configuration },
    request: (metric, limit, position) => ({
      kind: 'processed',
      devEui,
      metric,
      aggregate,
      start,
      end,
      interval,
      configuration,
      ...courseOf(devEui, metric),
      limit,
      skip: position?.skip ?? 0,
    }),
    position: (next) => (next?.kind === 'processed' ? { skip: next.skip } : undefined),
  });
}

async function readPage(
  store: AdministrationStore,
  { devEui, metric, metrics: named, limit, position: given }: Target,
  signal: AbortSignal,
  question: Question,
): Promise<HistoryAnswer> {
  const metrics = chosenMetrics(store, devEui, namedMetrics(metric, named));
  const values: HistoryRow[] = [];
  const answer = (left: readonly MetricDefinition[], position: Position): HistoryAnswer => ({
    devEui,
    metrics: metrics.map(({ key, name, dataType }) => ({ key, name, ...(dataType === undefined ? {} : { dataType }) })),
    values,
    complete: left.length === 0,
    ...(left.length === 0
      ? {}
      : {
          next: {
            devEui,
            metrics: left.map(({ key }) => key),
            ...question.repeated,
            limit,
            ...(position === undefined ? {} : { position }),
          },
        }),
  });

  let position = given;
  for (const [index, { key }] of metrics.entries()) {
    if (values.length >= limit) return answer(metrics.slice(index), position);
    const page = await store.readHistory(question.request(key, limit - values.length, position), signal);
    for (const value of page.values) values.push(historyRow(key, value));
    const behind = question.position(page.next, page.values.length, position);
    if (behind !== undefined) return answer(metrics.slice(index), behind);
    position = undefined;
  }
  return answer([], undefined);
}
