/**
 * What the store needs of a place that keeps things. Everything is asynchronous and nothing in it is SQL, so that a
 * database on another machine fits as well as a file or plain memory. All backends pass one conformance suite.
 */
import type { DevEui, EventId, LogReason, MetricDefinition, SourceId } from '../model';
import type { SampleColumns } from './columns';

/** Why a backend cannot do what it is asked. */
export type StorageFault = Extract<
  LogReason,
  'read-only' | 'disk-full' | 'locked' | 'corrupt' | 'newer-schema' | 'not-permitted' | 'timeout' | 'internal'
>;

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

export type InventoryKind = 'application' | 'profile' | 'device';

/** One item of a source's inventory; `body` is `undefined` if it is gone. */
export interface InventoryRecord {
  readonly source: SourceId;
  readonly kind: InventoryKind;
  readonly id: string;
  /** JSON */
  readonly body: string | undefined;
}

/** Everything that belongs together: committed as a whole or not at all. */
export interface WriteBatch {
  /** New samples; the same metric and time again is a correction, or nothing if it says the same. */
  readonly samples: SampleColumns | undefined;
  /** Last value of metrics that have one, in place of what was known before. */
  readonly currents: SampleColumns | undefined;
  readonly metrics: readonly StoredMetric[];
  readonly events: readonly SeenEvent[];
  readonly inventory: readonly InventoryRecord[];
}

/** What was kept, for the start. */
export interface StoredState {
  readonly metrics: readonly StoredMetric[];
  readonly currents: SampleColumns;
  /** In order of their sequence. */
  readonly events: readonly SeenEvent[];
  readonly inventory: readonly InventoryRecord[];
  /** Where a damaged storage was set aside, if that happened. */
  readonly setAside?: string;
}

/** A range of one metric's history: `from` inclusive, `to` exclusive, ms UTC. */
export interface StoredRange {
  readonly metric: number;
  readonly from: number;
  readonly to: number;
  /** At most so many samples. */
  readonly limit: number;
  readonly order: 'ascending' | 'descending';
}

export interface PruneSlice {
  /** Samples older than this instant go, ms UTC. */
  readonly before: number;
  /** Begin with the metric after this one; 0 at the start. */
  readonly afterMetric: number;
  /** Remove at most so many samples. */
  readonly limit: number;
}

export interface PruneResult {
  readonly removed: number;
  /** Where the next slice goes on; `undefined` when all metrics are done. */
  readonly next: number | undefined;
}

export interface StorageBackend {
  /**
   * Opens, migrates and loads. May be called again after it failed. A damaged storage is set aside under another name
   * (never deleted) and a new one begun; `replaceDamaged` demands this where the damage was seen while writing.
   */
  open(options: { replaceDamaged: boolean }): Promise<StoredState>;
  /**
   * Commits a batch, atomically. The memory of its columns is then the backend's. After a failure an equal batch may be
   * given again, even if the first was committed. Calls of `write` and `prune` never overlap.
   */
  write(batch: WriteBatch): Promise<void>;
  readHistory(range: StoredRange): Promise<SampleColumns>;
  /** Removes old samples, a little at a time. */
  prune(slice: PruneSlice): Promise<PruneResult>;
  /** Frees files and threads; idempotent; later calls reject. `clean` says that everything was written. */
  close(options: { clean: boolean }): Promise<void>;
}
