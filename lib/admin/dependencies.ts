/** What the use cases need of the rest of the gateway. */
import type {
  Clock,
  ConnectionHealth,
  CurrentValue,
  DevEui,
  EventId,
  GatewayHealth,
  HistoryPage,
  HistoryRequest,
  Inventory,
  Logger,
  MetricDefinition,
  MetricKey,
  OwnMeanings,
  StoreHealth,
} from '../model';

/** One entry of a list of what happened. */
export interface NewJournalEntry {
  readonly journal: 'event' | 'audit';
  /** ms UTC. */
  readonly time: number;
  readonly type: string;
  readonly devEui: DevEui | undefined;
  readonly user: string | undefined;
  readonly eventId: EventId | undefined;
  /** JSON */
  readonly body: string;
}

export interface JournalEntry extends NewJournalEntry {
  /** Grows with each entry of a journal. */
  readonly sequence: number;
}

export interface JournalQuery {
  readonly journal: 'event' | 'audit';
  /** ms UTC, inclusive and exclusive. */
  readonly from: number;
  readonly to: number;
  readonly types?: readonly string[];
  readonly devEui?: DevEui;
  readonly user?: string;
  readonly limit: number;
  /** Only entries before this one. */
  readonly before?: number;
}

export interface AdministrationStore {
  readonly inventory: { merged(): Inventory };
  readonly metrics: { ofDevice(devEui: DevEui): readonly MetricDefinition[]; all(): Iterable<MetricDefinition> };
  readonly values: { ofDevice(devEui: DevEui): ReadonlyMap<MetricKey, CurrentValue> };
  /** Grows with each change of inventory or metric definitions. */
  readonly revision: number;
  health(): StoreHealth;
  /** @throws InvalidInputError, or an error with a `cure` where the storage has a fault */
  readHistory(request: HistoryRequest, signal?: AbortSignal): Promise<HistoryPage>;
  /** Newest first. */
  readJournal(query: JournalQuery): Promise<readonly JournalEntry[]>;
  /** Durable when it resolves. */
  commit(batch: {
    readonly records: readonly never[];
    readonly removed: readonly never[];
    readonly journal: readonly NewJournalEntry[];
  }): Promise<void>;
  /** @param file absolute path; must not exist */
  backup(file: string, signal?: AbortSignal): Promise<{ readonly bytes: number }>;
  /** Bytes that data and free space inside files take. */
  statistics(): Promise<{ readonly bytes: number; readonly freeBytes: number }>;
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

/** How long and how much the store keeps. */
export interface Retention {
  readonly backend: string;
  /** Of history, days; 0 = without limit. */
  readonly retentionDays: number;
  /** Of devices and metrics with a time or a dead-band of their own. */
  readonly rules: readonly {
    readonly device: string;
    readonly metric: string;
    /** 0 = without limit. */
    readonly retentionDays?: number;
    readonly deadband?: number;
  }[];
  /** Bytes; 0 = without limit. */
  readonly maximumSize: number;
  readonly eventDays: number;
  readonly auditDays: number;
  readonly commandDays: number;
}

/** Where files are written; absolute paths, made when the first file comes. */
export interface OutputFolders {
  readonly exports: string;
  readonly backups: string;
}

export interface AdministrationDependencies {
  readonly store: AdministrationStore;
  readonly retention: Retention;
  readonly folders: OutputFolders;
  readonly connections: () => readonly ReportedConnection[];
  /** The whole of it, as the monitor keeps it together. */
  readonly health: () => GatewayHealth;
  readonly freshness?: () => Freshness;
  /** What the user says of metrics; the same as the OPC UA server is given. */
  readonly ownMeanings?: OwnMeanings;
  /** `undefined` while no OPC UA server runs. */
  readonly opcua?: () => { readonly sessions: number; readonly endpointUrls: readonly string[] } | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}
