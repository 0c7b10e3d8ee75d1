/**
 * Words of history: what can be asked of it and what comes back. The meaning is that of OPC UA Part 11 (historical
 * access) and Part 13 (aggregates), for every user: OPC UA clients, flows, exports.
 */
import type { DevEui, MetricKey } from './identifiers';
import type { Quality } from './quality';
import type { MetricValue, Origin } from './reading';

/** What a computation takes the values of a metric for. */
export interface Course {
  /**
   * Whether values hold until the next one, instead of lying on a line (Part 11 §5.2.2, Stepped). Absent = by type: all
   * but Double do. States that a codec sends as plain numbers are Double and hold all the same.
   */
  readonly isStepped?: boolean;
}

/** One metric of one device. */
export interface HistoryTarget {
  readonly devEui: DevEui;
  readonly metric: MetricKey;
}

/** From an instant on nothing is known of a metric: history shows a Bad value there instead of a line to the next one. */
export interface HistoryGap extends HistoryTarget {
  /** ms UTC. */
  readonly from: number;
  /** Why: BadNoCommunication, BadOutOfService or BadDataLost. */
  readonly status: Quality;
  /** Source time of the last value that was known, ms UTC: a value between it and the gap refutes the gap. */
  readonly after?: number;
}

export type HistoryOrder = 'ascending' | 'descending';

/** Values in one page at most. */
export const LARGEST_HISTORY_PAGE = 100_000;

/**
 * Stored values (Part 11 §6.5.3, ReadRaw). Instants are whole ms UTC; `end` may be infinite.
 * Ascending: start ≤ time < end. Descending: start ≥ time > end. `start` = `end`: that instant alone.
 */
export interface RawHistoryRequest extends HistoryTarget {
  readonly kind: 'raw';
  readonly order: HistoryOrder;
  readonly start: number;
  readonly end: number;
  /** Values in a page, bounds included, 1 to {@link LARGEST_HISTORY_PAGE}. */
  readonly limit: number;
  /**
   * Which bounding values are wanted: the value at the instant, else the nearest one outside the range; a value of
   * status BadBoundNotFound at the instant if there is none. An infinite end has no bound.
   */
  readonly bounds: { readonly start: boolean; readonly end: boolean };
}

/** Values that were replaced by a correction, in the range of a {@link RawHistoryRequest} (Part 11 §6.5.3, ReadModified). */
export interface ModifiedHistoryRequest extends HistoryTarget {
  readonly kind: 'modified';
  readonly order: HistoryOrder;
  readonly start: number;
  readonly end: number;
  readonly limit: number;
  /** Values of the first instant that earlier pages gave already: one instant may have been corrected repeatedly. */
  readonly skip: number;
}

/** What the metric was worth at given instants (Part 11 §6.5.5, ReadAtTime). One value for each, in their order. */
export interface AtTimeHistoryRequest extends HistoryTarget, Course {
  readonly kind: 'at-time';
  /** ms UTC, at most {@link LARGEST_HISTORY_PAGE}. */
  readonly times: readonly number[];
  /** Bounds are the raw neighbours whatever their quality, not the nearest Good ones (Part 13 §3.1.8, §3.1.9). */
  readonly useSimpleBounds: boolean;
}

/** Aggregates that are computed, by their names of Part 13 §4.2.2. */
export const AGGREGATES = [
  'Interpolative',
  'Average',
  'TimeAverage',
  'TimeAverage2',
  'Total',
  'Total2',
  'Minimum',
  'Maximum',
  'MinimumActualTime',
  'MaximumActualTime',
  'Range',
  'Minimum2',
  'Maximum2',
  'MinimumActualTime2',
  'MaximumActualTime2',
  'Range2',
  'Count',
  'NumberOfTransitions',
  'DurationInStateZero',
  'DurationInStateNonZero',
  'Start',
  'End',
  'Delta',
  'StartBound',
  'EndBound',
  'DeltaBounds',
  'DurationGood',
  'DurationBad',
  'PercentGood',
  'PercentBad',
  'WorstQuality',
  'WorstQuality2',
  'StandardDeviationSample',
  'VarianceSample',
  'StandardDeviationPopulation',
  'VariancePopulation',
] as const;
export type Aggregate = (typeof AGGREGATES)[number];

/** Type of an aggregate's results (Part 13 §5.4.2.3); `source` = that of the metric. All but those are numbers here. */
export type AggregateResult = 'source' | 'Double' | 'Int32' | 'StatusCode';

export const AGGREGATE_RESULTS: Readonly<Record<Aggregate, AggregateResult>> = {
  Interpolative: 'source',
  Average: 'Double',
  TimeAverage: 'Double',
  TimeAverage2: 'Double',
  Total: 'Double',
  Total2: 'Double',
  Minimum: 'source',
  Maximum: 'source',
  MinimumActualTime: 'source',
  MaximumActualTime: 'source',
  Range: 'source',
  Minimum2: 'source',
  Maximum2: 'source',
  MinimumActualTime2: 'source',
  MaximumActualTime2: 'source',
  Range2: 'source',
  Count: 'Int32',
  NumberOfTransitions: 'Int32',
  DurationInStateZero: 'Double',
  DurationInStateNonZero: 'Double',
  Start: 'source',
  End: 'source',
  Delta: 'source',
  StartBound: 'source',
  EndBound: 'source',
  DeltaBounds: 'source',
  DurationGood: 'Double',
  DurationBad: 'Double',
  PercentGood: 'Double',
  PercentBad: 'Double',
  WorstQuality: 'StatusCode',
  WorstQuality2: 'StatusCode',
  StandardDeviationSample: 'Double',
  VarianceSample: 'Double',
  StandardDeviationPopulation: 'Double',
  VariancePopulation: 'Double',
};

/** How doubtful values count (Part 13 §4.2.1.2, AggregateConfiguration). */
export interface AggregateConfiguration {
  readonly treatUncertainAsBad: boolean;
  /** From this share of bad data on, a result is Bad, 0 to 100 %. */
  readonly percentDataBad: number;
  /** From this share of good data on, a result is Good, 0 to 100 %; at least 100 − percentDataBad. */
  readonly percentDataGood: number;
  /** Whether values beyond the last one go on with its slope, instead of holding it. */
  readonly useSlopedExtrapolation: boolean;
}

/** Defaults of Part 13 §4.2.1.2. */
export const DEFAULT_AGGREGATE_CONFIGURATION: AggregateConfiguration = {
  treatUncertainAsBad: true,
  percentDataBad: 100,
  percentDataGood: 100,
  useSlopedExtrapolation: false,
};

/** Computed values (Part 11 §6.5.4, ReadProcessed): one for each interval. `end` < `start` = backwards. Both finite. */
export interface ProcessedHistoryRequest extends HistoryTarget, Course {
  readonly kind: 'processed';
  readonly aggregate: Aggregate;
  readonly start: number;
  readonly end: number;
  /** ms, may be a fraction; 0 = the whole range is one interval. */
  readonly interval: number;
  readonly configuration: AggregateConfiguration;
  /** Intervals in a page, 1 to {@link LARGEST_HISTORY_PAGE}. */
  readonly limit: number;
  /** How many intervals earlier pages gave. */
  readonly skip: number;
}

export type HistoryRequest =
  | RawHistoryRequest
  | ModifiedHistoryRequest
  | AtTimeHistoryRequest
  | ProcessedHistoryRequest;

/** One value of an answer. */
export interface HistoryValue {
  /** ms UTC. */
  readonly time: number;
  /** `undefined` where nothing is known. */
  readonly value: MetricValue | undefined;
  /** OPC UA status code (UInt32) with its aggregate bits (Part 13 §5.3.3: Raw, Calculated, Interpolated, Partial …). */
  readonly status: number;
  /** Where a stored value came from; absent in what was computed. */
  readonly origin?: Origin;
  /** Another value was stored for this instant before. */
  readonly corrected?: true;
  /** When it was replaced by another one, ms UTC; only in answers to {@link ModifiedHistoryRequest}. */
  readonly modifiedAt?: number;
}

/**
 * A page of an answer. Nothing is kept anywhere between pages: `next` asks for the rest, also after a restart; values
 * that arrive in between neither double nor hide others.
 */
export interface HistoryPage {
  readonly values: readonly HistoryValue[];
  readonly next?: HistoryRequest;
}

/** Which timestamps an encoded page holds; history keeps source timestamps only. */
export interface HistoryEncoding {
  readonly sourceTimestamps: boolean;
}

/**
 * A page as OPC UA sends it: `bytes` is the binary form of DataValue[] (Part 6 §5.2.2.17, Int32 count first), made
 * beside the data, so that it crosses threads and reaches the socket without an object per value.
 */
export interface EncodedHistoryPage {
  readonly bytes: Uint8Array;
  readonly count: number;
  /** When each value was replaced, ms UTC; only in answers to {@link ModifiedHistoryRequest}. */
  readonly modifiedAt?: readonly number[];
  readonly next?: HistoryRequest;
}

/** OPC UA status codes that only answers of history have (Part 6 StatusCode.csv). */
export const HISTORY_STATUS = {
  BadBoundNotFound: 0x80d7_0000,
  BadNoData: 0x809b_0000,
  BadAggregateInvalidInputs: 0x80d6_0000,
  UncertainDataSubNormal: 0x40a4_0000,
  GoodNoData: 0x00a5_0000,
} as const;

/**
 * Bits of a status code that say what a historical value is (Part 4 §7.39.1, Part 13 §5.3.3): low ten
 * bits with InfoType DataValue.
 */
export const HISTORIAN_BITS = {
  /** InfoType DataValue: without it the other bits say nothing. */
  InfoTypeDataValue: 0x0400,
  Raw: 0x00,
  Calculated: 0x01,
  Interpolated: 0x02,
  /** The interval is not covered as a whole. */
  Partial: 0x04,
  ExtraData: 0x08,
  MultiValue: 0x10,
} as const;
