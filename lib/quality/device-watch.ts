import type { DeviceReference, MetricKey, Quality } from '../model';
import type { MetricWatch } from './metric-watch';

/** What the detector knows of one device. */
export interface DeviceWatch {
  reference: DeviceReference;
  readonly metrics: Map<MetricKey, MetricWatch>;
  /** Time of the last codec error that no good uplink has followed, ms UTC. */
  codecErrorAt: number | undefined;
  /** Source time of the newest values, ms UTC. */
  lastValuesAt: number;
  /** Disabled in ChirpStack or removed from it. */
  outOfService: boolean;
  /** Metrics without any value that were said to be out of service. */
  readonly emptyOutOfService: Map<MetricKey, Quality>;
}
