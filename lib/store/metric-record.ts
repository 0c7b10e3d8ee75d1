import type { CurrentValue, MetricDefinition, MetricValue } from '../model';

/** The last value of a metric as it was measured, without what staleness made of it: this is what is kept. */
export interface OwnValue {
  readonly value: MetricValue | undefined;
  /** Whole ms UTC. */
  readonly time: number;
  /** OPC UA status code that it came with. */
  readonly status: number;
  readonly flags: number;
}

/** All that the store holds of one metric. */
export interface MetricRecord {
  /** Its number in the storage. */
  id: number;
  definition: MetricDefinition;
  current: CurrentValue | undefined;
  own: OwnValue | undefined;
  /** A value of the wrong type was reported and none of the right type has come since. */
  mismatched: boolean;
}
