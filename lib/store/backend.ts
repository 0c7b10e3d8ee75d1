/**
 * What the store needs of a place that keeps things. Everything is asynchronous and nothing in it is SQL, so that a
 * database on another machine fits as well as a file or plain memory. All backends pass one conformance suite.
 */
import type {
  DevEui,
  EncodedHistoryPage,
  EventId,
  HistoryEncoding,
  HistoryRequest,
  JournalEntry,
  JournalQuery,
  MetricDataType,
  MetricDefinition,
  NewJournalEntry,
  SourceId,
  StorageFault,
} from '../model';
import type { Sample, SampleColumns } from './columns';
import type { MetricColumns } from './metric-columns';

/** The only error that a backend's methods reject with. */
export class StorageError extends Error {
  override readonly name = 'StorageError';
  readonly reason: StorageFault;
  /** What the user can do. */
  readonly cure: string;
  /** As the storage names the fault, e.g. `SQLITE_FULL`. */
  readonly code: string | undefined;

  constructor(reason: StorageFault, message: string, cure: string, code?: string) {
    super(message);
    this.reason = reason;
    this.cure = cure;
    this.code = code;
  }
}

/** A metric and the number that stands for it in the storage. */
export interface StoredMetric {
  /** Positive, given by the store, never given twice. */
  readonly id: number;
  readonly definition: MetricDefinition;
}

/** One event that was seen, so that it is not taken again after a restart. */
export interface SeenEvent {
  readonly devEui: DevEui;
  /** Counts the events of the device; only the last {@link EVENTS_PER_DEVICE} are kept. */
  readonly sequence: number;
  readonly eventId: EventId;
}

/** How many event ids per device are remembered: ChirpStack replays at most ten by default. */
export const EVENTS_PER_DEVICE = 32;

export type InventoryKind = 'application' | 'profile' | 'device' | 'gateway';

/** One item of a source's inventory; `body` is `undefined` if it is gone. */
export interface InventoryRecord {
  readonly source: SourceId;
  readonly kind: InventoryKind;
  readonly id: string;
  /** JSON */
  readonly body: string | undefined;
}

/** Things with a life of their own, each under an id. */
export type RecordKind = 'command' | 'alarm' | 'user';

/** One record in its present state; a record of the same kind and id takes its place. */
export interface StoredRecord {
  readonly kind: RecordKind;
  readonly id: string;
  /** Device it is about. */
  readonly devEui: DevEui | undefined;
  /** For filters, e.g. the state of a command. */
  readonly state: string;
  /** ms UTC. */
  readonly createdAt: number;
  /** ms UTC. */
  readonly changedAt: number;
  /** When it reached a final state, ms UTC: from then on its retention counts. */
  readonly endedAt: number | undefined;
  /** JSON */
  readonly body: string;
}

/** What must be on the disk, not only with the operating system, before anybody is told so. */
export interface DurableBatch {
  readonly records: readonly StoredRecord[];
  readonly removed: readonly { readonly kind: RecordKind; readonly id: string }[];
  readonly journal: readonly NewJournalEntry[];
}

/** Everything that belongs together: committed as a whole or not at all. */
export interface WriteBatch {
  /**
   * New samples; the same metric and time again is a correction (what was known before is kept as modified), or nothing
   * if it says the same. A gap is a sample without value, of origin `stale`, see gaps.ts.
   */
  readonly samples: SampleColumns | undefined;
  /** Last value of metrics that have one, in place of what was known before. */
  readonly currents: SampleColumns | undefined;
  readonly metrics: readonly StoredMetric[];
  readonly events: readonly SeenEvent[];
  readonly inventory: readonly InventoryRecord[];
  readonly journal: readonly NewJournalEntry[];
  /** When it is written, ms UTC: the time of modification of what it corrects. */
  readonly now: number;
}

/** Metrics of which nothing is known any more: their newest entry in history is a gap. */
export interface OpenGaps {
  /** All arrays have at least so many elements. */
  readonly length: number;
  readonly metric: Int32Array;
  /** From when on nothing is known, ms UTC. */
  readonly time: Float64Array;
}

/** What was kept, for the start. */
export interface StoredState {
  readonly metrics: MetricColumns;
  readonly currents: SampleColumns;
  readonly gaps: OpenGaps;
  /** In order of their sequence. */
  readonly events: readonly SeenEvent[];
  readonly inventory: readonly InventoryRecord[];
  /** Where a damaged storage was set aside, if that happened. */
  readonly setAside?: string;
}

/** A question to the history of one metric, with the number that stands for it in the storage. */
export interface StoredHistoryRequest {
  readonly metric: number;
  /** `undefined` while no value came. Values other than Double hold until the next one: they are not interpolated. */
  readonly dataType: MetricDataType | undefined;
  readonly request: HistoryRequest;
  /** The newest sample where it was not stored, because it says nothing new: what is computed reaches up to it. */
  readonly latest?: Omit<Sample, 'metric'>;
}

/** A page of an answer; see HistoryPage. */
export interface StoredHistoryPage {
  readonly columns: SampleColumns;
  /** When each value was replaced, ms UTC; only for `modified`. */
  readonly modifiedAt?: Float64Array;
  /** What the numbers are in OPC UA if they are no doubles: counts, or status codes. */
  readonly valueType?: 'Int32' | 'StatusCode';
  readonly next?: HistoryRequest;
}

/** Old samples to be removed, a little at a time. */
export interface PruneSlice {
  readonly metrics: Int32Array;
  /** For each metric: samples older than this instant go, ms UTC. */
  readonly before: Float64Array;
  /** Remove at most so many samples. */
  readonly limit: number;
}

export interface PruneResult {
  readonly removed: number;
  /** How many metrics of the slice, from its start, have nothing left to be removed. */
  readonly done: number;
}

/** Instants, ms UTC: what is older goes. `undefined` = nothing goes. */
export interface RecordPruneSlice {
  readonly events: number | undefined;
  readonly audit: number | undefined;
  /** Of commands and alarms that have ended. */
  readonly ended: number | undefined;
  readonly limit: number;
}

export interface StorageStatistics {
  /** What the data takes, without free space inside files, bytes. */
  readonly bytes: number;
  /** Free space inside files, to be used again, bytes. */
  readonly freeBytes: number;
}

export interface StorageBackend {
  /**
   * Opens, migrates and loads. May be called again after it failed. A damaged storage is set aside under another name
   * (never deleted) and a new one begun; `replaceDamaged` demands this where the damage was seen later.
   * @param onMetrics may be given the metrics of the state beforehand: they are taken over while the rest is loaded
   */
  open(options: { replaceDamaged: boolean }, onMetrics?: (metrics: MetricColumns) => void): Promise<StoredState>;
  /**
   * Commits a batch, atomically. The memory of its columns is then the backend's. After a failure an equal batch may be
   * given again, even if the first was committed. Calls of `write`, `commit`, `prune` and `pruneRecords` never overlap.
   */
  write(batch: WriteBatch): Promise<void>;
  /** Commits durably: when it resolves, a power failure loses nothing of it. May be given again after a failure. */
  commit(batch: DurableBatch): Promise<void>;
  /**
   * Answers a question to history, in the thread or server where the data is.
   * @param signal ends the work when nobody waits for the answer any more; the promise then rejects
   */
  readHistory(request: StoredHistoryRequest, signal?: AbortSignal): Promise<StoredHistoryPage>;
  readEncodedHistory(
    request: StoredHistoryRequest,
    encoding: HistoryEncoding,
    signal?: AbortSignal,
  ): Promise<EncodedHistoryPage>;
  /** Records of a kind in order of their creation. */
  readRecords(query: RecordQuery): Promise<readonly StoredRecord[]>;
  /** Entries of a journal, newest first. */
  readJournal(query: JournalQuery): Promise<readonly JournalEntry[]>;
  /** Removes old samples, a little at a time. */
  prune(slice: PruneSlice): Promise<PruneResult>;
  /** @returns how many entries and records were removed; fewer than the limit = all that were due */
  pruneRecords(slice: RecordPruneSlice): Promise<number>;
  statistics(): Promise<StorageStatistics>;
  /**
   * Writes a complete copy while everything goes on. Absent where a storage has tools of its own for that.
   * @param file absolute path; must not exist
   */
  backup?(file: string, signal?: AbortSignal): Promise<{ readonly bytes: number }>;
  /** Frees files and threads; idempotent; later calls reject. `clean` says that everything was written. */
  close(options: { clean: boolean }): Promise<void>;
}

export interface RecordQuery {
  readonly kind: RecordKind;
  /** Only the record of this id. */
  readonly id?: string;
  /** Only records in one of these states. */
  readonly states?: readonly string[];
  readonly devEui?: DevEui;
  /** Only records that have not ended. */
  readonly open?: boolean;
  readonly limit: number;
  /** Of their creation; oldest first if absent. */
  readonly order?: 'ascending' | 'descending';
  /** Records behind this one in that order, of an earlier page. */
  readonly after?: { readonly createdAt: number; readonly id: string };
}
