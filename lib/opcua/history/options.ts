/** What the service for histories is made of. */
import type { AddressSpace, NodeId } from 'node-opcua';
import type { Clock, Course, HistoryTarget, Logger, MetricDataType } from '../../model';
import type { HistorySource } from '../address-space/model-source';
import type { Library } from '../library';
import type { LiveView } from '../live-settings';
import type { RepeatedEntries } from '../repeated';

/** A metric that a node of the address space shows. */
export interface NodeMetric extends Course {
  readonly target: HistoryTarget;
  readonly dataType: MetricDataType | undefined;
}

export interface HistoryServiceOptions {
  readonly library: Library;
  readonly addressSpace: AddressSpace;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly repeated: RepeatedEntries;
  /** Secret for continuation points. */
  readonly key: Buffer;
  readonly settings: LiveView<'maxHistoryValuesPerNode'>;
  readonly metric: (nodeId: NodeId) => NodeMetric | undefined;
  /** Where the history of a metric is kept now. */
  readonly source: (target: HistoryTarget) => HistorySource | undefined;
}
