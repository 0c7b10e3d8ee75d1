/** What the details of a HistoryRead say (Part 11 §6.5), judged as Part 11 and Part 13 want it. */
import type { ReadAtTimeDetails, ReadProcessedDetails, ReadRawModifiedDetails } from 'node-opcua';
import { AGGREGATES, type Aggregate, DEFAULT_AGGREGATE_CONFIGURATION, LARGEST_HISTORY_PAGE } from '../../model';
import type { Library } from '../library';
import { finiteInstant, instantOf } from './instants';
import type { HistoryQuestion, RangeQuestion } from './question';
import type { HistoryStatus } from './statuses';

/** A question and how many values the client wants in one answer at most; 0 = as many as there are. */
export interface AskedQuestion {
  readonly question: HistoryQuestion;
  readonly count: number;
}

/** Instants in one ReadAtTime. More are a mistake or an attack, and every page brings them all again. */
const LARGEST_AT_TIME = LARGEST_HISTORY_PAGE;

/** Aggregates by the numbers of their nodes in namespace 0. */
export function aggregateNodes(library: Library): ReadonlyMap<number, Aggregate> {
  return new Map(AGGREGATES.map((name) => [library.AggregateFunction[name], name]));
}

export class DetailsReader {
  readonly #library: Library;
  readonly #aggregates: ReadonlyMap<number, Aggregate>;

  constructor(library: Library) {
    this.#library = library;
    this.#aggregates = aggregateNodes(library);
  }

  /**
   * What the details ask of one node of a request.
   * @param place of the node in nodesToRead, which is that of its aggregate
   * @param nodes how many there are
   */
  read(details: unknown, place: number, nodes: number): AskedQuestion | HistoryStatus {
    const library = this.#library;
    if (details instanceof library.ReadRawModifiedDetails) return this.#range(details);
    if (details instanceof library.ReadProcessedDetails) return this.#processed(details, place, nodes);
    if (details instanceof library.ReadAtTimeDetails) return this.#atTime(details);
    // Events and annotations are not kept.
    return details instanceof library.HistoryReadDetails
      ? 'BadHistoryOperationUnsupported'
      : 'BadHistoryOperationInvalid';
  }

  #range(details: ReadRawModifiedDetails): AskedQuestion | HistoryStatus {
    const { isReadModified, returnBounds, numValuesPerNode: count } = details;
    if (isReadModified && returnBounds) return 'BadInvalidArgument';
    const from = instantOf(details.startTime, 'up');
    const to = instantOf(details.endTime, 'up');
    const given = (from === undefined ? 0 : 1) + (to === undefined ? 0 : 1) + (count === 0 ? 0 : 1);
    if (given < 2) return 'BadHistoryOperationInvalid';
    const kind = isReadModified ? 'modified' : 'raw';
    const domain = (
      range: Pick<RangeQuestion, 'order' | 'start' | 'end' | 'total'>,
      bothTimes: boolean,
    ): AskedQuestion => ({
      question: { kind, ...range, bounds: { start: returnBounds, end: returnBounds && bothTimes } },
      count,
    });
    if (to === undefined)
      return domain(
        { order: 'ascending', start: finiteInstant(from ?? 0), end: Number.POSITIVE_INFINITY, total: count },
        false,
      );
    // Backwards, an instant between two milliseconds begins and ends at the earlier one.
    const latest = instantOf(details.endTime, 'down') ?? to;
    if (from === undefined)
      return domain(
        { order: 'descending', start: finiteInstant(latest), end: Number.NEGATIVE_INFINITY, total: count },
        false,
      );
    if (from <= to) return domain({ order: 'ascending', start: finiteInstant(from), end: to, total: undefined }, true);
    const start = finiteInstant(instantOf(details.startTime, 'down') ?? from);
    return domain({ order: 'descending', start, end: latest, total: undefined }, true);
  }

  #atTime({ reqTimes, useSimpleBounds }: ReadAtTimeDetails): AskedQuestion | HistoryStatus {
    if (reqTimes === null || reqTimes.length === 0) return 'BadInvalidArgument';
    if (reqTimes.length > LARGEST_AT_TIME) return 'BadTooManyOperations';
    const times: number[] = [];
    for (const date of reqTimes) {
      const time = instantOf(date, 'down');
      if (time === undefined) return 'BadInvalidTimestampArgument';
      times.push(finiteInstant(time));
    }
    return { question: { kind: 'at-time', times, useSimpleBounds }, count: 0 };
  }

  #processed(details: ReadProcessedDetails, place: number, nodes: number): AskedQuestion | HistoryStatus {
    const { aggregateType, processingInterval: interval, aggregateConfiguration: asked } = details;
    if (aggregateType === null || aggregateType.length !== nodes) return 'BadAggregateListMismatch';
    const node = aggregateType[place];
    const aggregate =
      node?.namespace === 0 && typeof node.value === 'number' ? this.#aggregates.get(node.value) : undefined;
    if (aggregate === undefined) return 'BadAggregateNotSupported';
    const start = instantOf(details.startTime, 'down');
    const end = instantOf(details.endTime, 'down');
    if (start === undefined || end === undefined || start === end) return 'BadInvalidArgument';
    // There is no dividing of an endless domain.
    if (!Number.isFinite(start) || !Number.isFinite(end)) return 'BadInvalidArgument';
    if (!Number.isFinite(interval) || interval < 0) return 'BadInvalidArgument';
    const configuration = asked.useServerCapabilitiesDefaults
      ? DEFAULT_AGGREGATE_CONFIGURATION
      : {
          treatUncertainAsBad: asked.treatUncertainAsBad,
          percentDataBad: asked.percentDataBad,
          percentDataGood: asked.percentDataGood,
          useSlopedExtrapolation: asked.useSlopedExtrapolation,
        };
    const { percentDataBad, percentDataGood } = configuration;
    // Part 13 §4.2.1.2 names the code.
    if (percentDataBad > 100 || percentDataGood > 100 || percentDataGood < 100 - percentDataBad)
      return 'BadAggregateInvalidInputs';
    return { question: { kind: 'processed', aggregate, start, end, interval, configuration }, count: 0 };
  }
}
