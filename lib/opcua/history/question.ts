/** What a client wants to know of one node, and how far the answer has come. */
import type {
  Aggregate,
  AggregateConfiguration,
  Course,
  EncodedHistoryPage,
  HistoryOrder,
  HistoryRequest,
  HistoryTarget,
} from '../../model';

/** Stored or replaced values of a time domain (Part 11 §6.5.3). */
export interface RangeQuestion {
  readonly kind: 'raw' | 'modified';
  readonly order: HistoryOrder;
  /** ms UTC. */
  readonly start: number;
  /** ms UTC, may be infinite. */
  readonly end: number;
  readonly bounds: { readonly start: boolean; readonly end: boolean };
  /**
   * Only one time was given: the domain extends until so many values are found, and ends there. `undefined` = both
   * times were given.
   */
  readonly total: number | undefined;
}

export interface AtTimeQuestion {
  readonly kind: 'at-time';
  /** ms UTC. */
  readonly times: readonly number[];
  readonly useSimpleBounds: boolean;
}

export interface ProcessedQuestion {
  readonly kind: 'processed';
  readonly aggregate: Aggregate;
  /** ms UTC. */
  readonly start: number;
  readonly end: number;
  /** ms; 0 = one interval. */
  readonly interval: number;
  readonly configuration: AggregateConfiguration;
}

export type HistoryQuestion = RangeQuestion | AtTimeQuestion | ProcessedQuestion;

/** Where an answer goes on. Everything that is not in the question, so that pages need no memory in the server. */
export interface Position {
  /** Where the rest of a time domain begins, ms UTC. */
  readonly start: number;
  /** Bounds that are still to be given. */
  readonly bounds: { readonly start: boolean; readonly end: boolean };
  /** Instants, intervals or replaced values that earlier pages gave. */
  readonly skip: number;
  /** Values that earlier pages gave, where they are counted. */
  readonly given: number;
}

const NO_BOUNDS = { start: false, end: false } as const;

export function firstPosition(question: HistoryQuestion): Position {
  switch (question.kind) {
    case 'raw':
    case 'modified':
      return { start: question.start, bounds: question.bounds, skip: 0, given: 0 };
    case 'at-time':
      return { start: 0, bounds: NO_BOUNDS, skip: 0, given: 0 };
    case 'processed':
      return { start: question.start, bounds: NO_BOUNDS, skip: 0, given: 0 };
  }
}

/** What the source of history is asked for one page of at most `limit` values. */
export function requestAt(
  question: HistoryQuestion,
  position: Position,
  { target, isStepped }: { readonly target: HistoryTarget } & Course,
  limit: number,
): HistoryRequest {
  const { devEui, metric } = target;
  const course: Course = isStepped === undefined ? {} : { isStepped };
  switch (question.kind) {
    case 'raw':
    case 'modified': {
      const left = question.total === undefined ? limit : Math.min(limit, Math.max(question.total - position.given, 1));
      const range = { devEui, metric, order: question.order, start: position.start, end: question.end, limit: left };
      return question.kind === 'raw'
        ? { ...range, kind: 'raw', bounds: position.bounds }
        : { ...range, kind: 'modified', skip: position.skip };
    }
    case 'at-time':
      return {
        devEui,
        metric,
        kind: 'at-time',
        times: question.times.slice(position.skip, position.skip + limit),
        useSimpleBounds: question.useSimpleBounds,
        ...course,
      };
    case 'processed':
      return { devEui, metric, ...question, ...course, limit, skip: position.skip };
  }
}

/** Where the answer goes on after a page; `undefined` = it is complete. */
export function positionAfter(
  question: HistoryQuestion,
  position: Position,
  { count, next }: Pick<EncodedHistoryPage, 'count' | 'next'>,
): Position | undefined {
  const given = position.given + count;
  if (question.kind === 'at-time') {
    const skip = position.skip + count;
    return count > 0 && skip < question.times.length ? { ...position, skip, given } : undefined;
  }
  if (next === undefined || next.kind === 'at-time') return undefined;
  if (next.kind === 'processed') return { ...position, skip: next.skip, given };
  if (question.kind !== 'processed' && question.total !== undefined && given >= question.total) return undefined;
  return next.kind === 'raw'
    ? { start: next.start, bounds: next.bounds, skip: 0, given }
    : { start: next.start, bounds: NO_BOUNDS, skip: next.skip, given };
}
