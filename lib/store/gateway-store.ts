import {
  type Clock,
  type CurrentValue,
  type DevEui,
  type Device,
  type EncodedHistoryPage,
  errorText,
  type HistoryEncoding,
  type HistoryGap,
  type HistoryPage,
  type HistoryRequest,
  type Inventory,
  type InventoryChange,
  type JournalEntry,
  type JournalQuery,
  type Logger,
  type MetricDefinition,
  type MetricKey,
  type NewJournalEntry,
  type RadioGateway,
  type Reading,
  type SourceId,
  type StoreHealth,
  type Unsubscribe,
} from '../model';
import { Acceptance, type AcceptedReading } from './acceptance';
import {
  type DurableBatch,
  type RecordQuery,
  type StorageBackend,
  StorageError,
  type StorageStatistics,
  type StoredRecord,
} from './backend';
import { Devices } from './devices';
import { HistoryDoors, writtenSoon } from './history-doors';
import { Inventories } from './inventories';
import { MemoryBackend } from './memory/memory-backend';
import { MetricDefinitions, type MetricsChange } from './metric-definitions';
import { type BufferLimits, PendingWrites } from './pending-writes';
import { Pruner, type RecordRetention } from './pruner';
import { Restorer } from './restorer';
import { restoredReadings } from './restoring';
import { SampleIntake } from './sample-intake';
import { parseStoreSettings, type StoreSettings } from './settings';
import { SqliteBackend } from './sqlite/sqlite-backend';
import { StorageHealth } from './storage-health';
import { StorageKeeper } from './storage-keeper';
import { type StorageRule, StorageRules } from './storage-rules';

/** After this time the start goes on without what a disk does not give, ms. */
const OPEN_TIMEOUT = 10_000;
/** For the last writes at the end, ms; the backend itself has a little more to close. */
const FLUSH_TIMEOUT = 2_500;

export interface StoreDependencies {
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What a store may be told besides its backend; what is absent has its default, or is without limit. */
export interface StoreOptions extends Partial<RecordRetention> {
  readonly retentionDays: number;
  readonly rules?: readonly StorageRule[];
  /** Bytes; 0 = without limit. */
  readonly maximumSize?: number;
  /** Path to name in log entries. */
  readonly file?: string | undefined;
  readonly limits?: Partial<BufferLimits>;
}

/**
 * The gateway's memory: inventory, metric definitions and current values in this process, everything else behind a
 * {@link StorageBackend}. Reading what is current and accepting what is new is synchronous and never waits for a disk.
 */
export class GatewayStore {
  readonly #clock: Clock;
  readonly #backend: StorageBackend;
  readonly #devices = new Devices();
  readonly #inventories: Inventories;
  readonly #definitions: MetricDefinitions;
  readonly #pending: PendingWrites;
  readonly #intake: SampleIntake;
  readonly #acceptance: Acceptance;
  readonly #health: StorageHealth;
  readonly #keeper: StorageKeeper;
  readonly #pruner: Pruner;
  readonly #history: HistoryDoors;
  #closing: Promise<void> | undefined;
  #revision = 0;

  /** For another backend than the settings know; see {@link GatewayStore.create}. */
  constructor(backend: StorageBackend, { clock, logger }: StoreDependencies, options: StoreOptions) {
    this.#clock = clock;
    this.#backend = backend;
    const onError = (error: unknown): void =>
      logger.error({ operation: 'store', event: 'failed', reason: 'internal', message: errorText(error) });
    const devices = this.#devices;
    const pending = new PendingWrites(options.limits);
    const rules = new StorageRules(options.retentionDays, options.rules);
    this.#pending = pending;
    this.#health = new StorageHealth(clock, logger, () => pending.samples);
    this.#definitions = new MetricDefinitions(devices, pending, onError);
    this.#definitions.onChange(() => this.#revision++);
    this.#intake = new SampleIntake(pending, rules, (samples) => this.#health.lost(samples));
    this.#acceptance = new Acceptance({
      clock,
      devices,
      definitions: this.#definitions,
      pending,
      intake: this.#intake,
    });
    this.#inventories = new Inventories(
      onError,
      (record) => pending.addInventory(record),
      (change) => {
        this.#revision++;
        this.#definitions.follow(change);
      },
    );
    const restorer = new Restorer({
      clock,
      logger,
      devices,
      pending,
      inventories: this.#inventories,
      definitions: this.#definitions,
    });
    this.#keeper = new StorageKeeper({
      backend,
      clock,
      logger,
      pending,
      health: this.#health,
      file: options.file,
      onMetrics: (metrics) => restorer.takeMetrics(metrics),
      onLoaded: (state) => {
        restorer.load(state);
        this.#pruner.start();
      },
      onDamaged: () => restorer.keepAll(),
    });
    this.#pruner = new Pruner({
      backend,
      clock,
      logger,
      rules,
      records: {
        eventDays: options.eventDays ?? 0,
        auditDays: options.auditDays ?? 0,
        commandDays: options.commandDays ?? 0,
      },
      maximumSize: options.maximumSize ?? 0,
      devices: () => devices.all(),
      exclusively: (call) => this.#keeper.exclusively(call),
      onFull: (notice) => this.#health.note('size', notice),
    });
    this.#history = new HistoryDoors({
      backend,
      clock,
      metric: (target) => devices.get(target.devEui, target.metric),
      isWaiting: (metric) => pending.holds(metric),
      settled: () => this.#keeper.written(),
    });
    this.inventory = {
      of: (source) => this.#inventories.of(source),
      merged: () => this.#inventories.merged(),
      device: (devEui) => this.#inventories.device(devEui),
      replace: (source, inventory) => {
        const change = this.#inventories.replace(source, inventory);
        if (!this.#pending.isEmpty) this.#keeper.notice();
        return change;
      },
      onChange: (listener) => this.#inventories.onChange(listener),
      onGatewaysSeen: (listener) => this.#inventories.onGatewaysSeen(listener),
    };
    this.metrics = {
      get: (devEui, key) => this.#devices.get(devEui, key)?.definition,
      ofDevice: (devEui) =>
        Array.from(this.#devices.known(devEui)?.metrics.values() ?? [], ({ definition }) => definition),
      all: () => this.#devices.definitions(),
      onChange: (listener) => this.#definitions.onChange(listener),
    };
    this.values = {
      get: (devEui, key) => this.#devices.get(devEui, key)?.current,
      ofDevice: (devEui) => this.#devices.valuesOf(devEui),
    };
  }

  /** @throws InvalidInputError for settings that cannot work */
  static create(settings: Partial<StoreSettings>, deps: StoreDependencies): GatewayStore {
    const { maximumSize = 0, ...given } = settings;
    const { backend, file, ...rest } = parseStoreSettings(given);
    return new GatewayStore(
      backend === 'sqlite' && file !== undefined ? new SqliteBackend(file, deps.clock) : new MemoryBackend(),
      deps,
      { ...rest, file, maximumSize },
    );
  }

  readonly inventory: {
    /** The last picture of one source; empty if there is none. */
    of(source: SourceId): Inventory;
    /** All sources together. */
    merged(): Inventory;
    device(devEui: DevEui): Device | undefined;
    /** Takes a new complete picture of a source. Listeners hear of it unless nothing differs. */
    replace(source: SourceId, inventory: Inventory): InventoryChange;
    onChange(listener: (change: InventoryChange) => void): Unsubscribe;
    /** Told which gateways were heard again where nothing else about them is new: that is not a change. */
    onGatewaysSeen(listener: (gateways: readonly RadioGateway[]) => void): Unsubscribe;
  };

  /** Metrics known by the profiles of devices and by readings, those of devices that are gone included. */
  readonly metrics: {
    get(devEui: DevEui, key: MetricKey): MetricDefinition | undefined;
    ofDevice(devEui: DevEui): readonly MetricDefinition[];
    all(): Iterable<MetricDefinition>;
    onChange(listener: (change: MetricsChange) => void): Unsubscribe;
  };

  readonly values: {
    get(devEui: DevEui, key: MetricKey): CurrentValue | undefined;
    /** Live view. */
    ofDevice(devEui: DevEui): ReadonlyMap<MetricKey, CurrentValue>;
  };

  /**
   * Loads what was kept. A disk that gives nothing makes the store degraded, not the promise rejected: live values go
   * on, and it is tried again for ever.
   */
  async open(): Promise<void> {
    await this.#keeper.open(OPEN_TIMEOUT);
  }

  /** Writes what waits as far as possible and frees everything, within 5 s. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#pruner.stop();
    this.#intake.releaseAll();
    await this.#keeper.close(FLUSH_TIMEOUT);
    this.#health.closed();
  }

  /**
   * Takes a reading: new metrics become known, values get their metric's type, current values move on unless newer ones
   * are known, history gets all of it at its own time.
   * @returns `undefined` if the same event was accepted before
   */
  accept(reading: Reading): AcceptedReading | undefined {
    const accepted = this.#acceptance.accept(reading);
    if (accepted !== undefined) this.#keeper.notice();
    return accepted;
  }

  /** Changes the status of current values: what the stale detector found. The values themselves stay. */
  applyQuality(reading: Reading): void {
    this.#acceptance.applyQuality(reading);
  }

  /** From an instant on nothing is known of a metric: history says so, unless a value refutes it. */
  markGap(gap: HistoryGap): void {
    const metric = this.#devices.get(gap.devEui, gap.metric);
    if (metric === undefined) return;
    this.#intake.markGap(metric, gap);
    this.#keeper.notice();
  }

  /** What was known before the start and has not been confirmed since, to be sent through the flow. */
  restored(): Reading[] {
    return restoredReadings(this.#devices.all(), this.#inventories.merged());
  }

  /** Grows with each change of inventory or metric definitions. */
  get revision(): number {
    return this.#revision;
  }

  health(): StoreHealth {
    return this.#health.current;
  }

  /** Told about each change of state or reason. */
  onHealth(listener: (health: StoreHealth) => void): Unsubscribe {
    return this.#health.on(listener);
  }

  /** Settled when all that was accepted so far is committed. */
  settled(): Promise<void> {
    return this.#keeper.settled();
  }

  /**
   * A page of history. It sees all that was accepted before the call, unless the disk is slow.
   * @throws InvalidInputError, StorageError
   */
  readHistory(request: HistoryRequest, signal?: AbortSignal): Promise<HistoryPage> {
    return this.#history.read(request, signal);
  }

  /**
   * The same page as OPC UA sends it.
   * @throws InvalidInputError, StorageError
   */
  readEncodedHistory(
    request: HistoryRequest,
    encoding: HistoryEncoding,
    signal?: AbortSignal,
  ): Promise<EncodedHistoryPage> {
    return this.#history.readEncoded(request, encoding, signal);
  }

  /** Enters something into a journal. It waits for being written like samples, and never longer than fits in memory. */
  record(entry: NewJournalEntry): void {
    const lost = this.#pending.addEntry(entry);
    if (lost > 0) this.#health.lostEntries(lost);
    this.#keeper.notice();
  }

  /**
   * Commits durably: when it resolves, a power failure loses nothing of it. It is served before waiting samples.
   * @throws StorageError after 5 s at the latest, 2 s where the storage is in trouble; nothing was stored then nor will
   * be, unless the message of a `timeout` says so
   */
  commit(batch: DurableBatch): Promise<void> {
    return this.#keeper.commit(batch);
  }

  /** Records of a kind in order of their creation. @throws StorageError */
  readRecords(query: RecordQuery): Promise<readonly StoredRecord[]> {
    return this.#backend.readRecords(query);
  }

  /** Entries of a journal, newest first. @throws StorageError */
  async readJournal(query: JournalQuery): Promise<readonly JournalEntry[]> {
    await writtenSoon(this.#clock, this.#keeper.written());
    return this.#backend.readJournal(query);
  }

  /** @throws StorageError */
  statistics(): Promise<StorageStatistics> {
    return this.#backend.statistics();
  }

  /**
   * Writes a complete copy of the storage while everything goes on.
   * @param file absolute path; must not exist
   * @throws StorageError; `not-permitted` where the storage cannot do that
   */
  async backup(file: string, signal?: AbortSignal): Promise<{ readonly bytes: number }> {
    if (this.#backend.backup === undefined)
      throw new StorageError(
        'not-permitted',
        'this storage has no backup of its own',
        'Use the tools of the storage, or keep the database in a file.',
      );
    await writtenSoon(this.#clock, this.#keeper.written());
    return this.#backend.backup(file, signal);
  }
}
