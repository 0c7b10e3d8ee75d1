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

/** All that the store holds of one metric. A class: 100,000 of equal shape are read in the hottest loop. */
export class MetricRecord {
  /** Its number in the storage. */
  id: number;
  definition: MetricDefinition;
  current: CurrentValue | undefined = undefined;
  own: OwnValue | undefined = undefined;
  /** A value of the wrong type was reported and none of the right type has come since. */
  mismatched = false;
  /** Its last value waits for being written. */
  isCurrentDue = false;
  /** From when on nothing is known, ms UTC, where history ends in a gap. */
  gapAt: number | undefined = undefined;
  /** See StorageRules.deadband; negative = every sample is stored. `undefined` = not looked up yet. */
  deadband: number | undefined = undefined;
  /** With a dead-band: the newest sample that was stored. */
  stored: OwnValue | undefined = undefined;
  /** With a dead-band: the newest sample if it was not stored. */
  held: OwnValue | undefined = undefined;

  constructor(id: number, definition: MetricDefinition) {
    this.id = id;
    this.definition = definition;
  }
}
