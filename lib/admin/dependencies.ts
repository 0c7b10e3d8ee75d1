/** What the use cases need of the rest of the gateway. */
import type {
  Clock,
  ConnectionHealth,
  CurrentValue,
  DevEui,
  Inventory,
  Logger,
  MetricDefinition,
  MetricKey,
  StoreHealth,
} from '../model';

export interface AdministrationStore {
  readonly inventory: { merged(): Inventory };
  readonly metrics: { ofDevice(devEui: DevEui): readonly MetricDefinition[]; all(): Iterable<MetricDefinition> };
  readonly values: { ofDevice(devEui: DevEui): ReadonlyMap<MetricKey, CurrentValue> };
  /** Grows with each change of inventory or metric definitions. */
  readonly revision: number;
  health(): StoreHealth;
}

export interface ReportedConnection {
  readonly name: string;
  readonly health: ConnectionHealth;
}

/** Metrics by the age of their values. */
export interface Freshness {
  readonly fresh: number;
  readonly stale: number;
  readonly dead: number;
}

export interface AdministrationDependencies {
  readonly store: AdministrationStore;
  readonly connections: () => readonly ReportedConnection[];
  readonly freshness?: () => Freshness;
  /** `undefined` while no OPC UA server runs. */
  readonly opcua?: () => { readonly sessions: number; readonly endpointUrls: readonly string[] } | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}
