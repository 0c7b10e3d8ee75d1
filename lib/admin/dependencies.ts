/** What the use cases need of the rest of the gateway. */
import type {
  AgeCounts,
  Clock,
  CommandDoors,
  ConnectionHealth,
  CurrentValue,
  DevEui,
  GatewayHealth,
  HistoryPage,
  HistoryRequest,
  Inventory,
  JournalEntry,
  JournalQuery,
  Logger,
  MetricDefinition,
  MetricKey,
  NewJournalEntry,
  OwnMeanings,
  StoreHealth,
} from '../model';
import type { OpcuaDoors, SettingsUser } from './server-doors';
import type { UserDirectory } from './user-directory';

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
  /** Node-RED id of the connection. */
  readonly id: string;
  readonly name: string;
  readonly health: ConnectionHealth;
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
  /** Metrics by the age of their values. */
  readonly freshness?: () => AgeCounts;
  /** What the user says of metrics; the same as the OPC UA server is given. */
  readonly ownMeanings?: OwnMeanings;
  /** `undefined` while no OPC UA server runs. */
  readonly opcua: () => OpcuaDoors | undefined;
  /** Users of the OPC UA server's settings, also while it does not run. */
  readonly administrators: () => readonly SettingsUser[];
  readonly users: UserDirectory;
  /** `undefined` while no command queue runs. */
  readonly commands: () => CommandDoors | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}
