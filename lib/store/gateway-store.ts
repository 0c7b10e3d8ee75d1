import {
  type Clock,
  type CurrentValue,
  type DevEui,
  type Device,
  dataTypeOf,
  Emitter,
  type EncodedHistoryPage,
  errorText,
  type Fault,
  type HistoryEncoding,
  type HistoryGap,
  type HistoryPage,
  type HistoryRequest,
  type Inventory,
  type InventoryChange,
  type Logger,
  type Measurement,
  type MetricDefinition,
  type MetricKey,
  type MetricValue,
  type Quality,
  type Reading,
  readingQuality,
  type SourceId,
  type StoreHealth,
  type Unsubscribe,
} from '../model';
import { type AcceptedReading, fittingValue, isLate, ownValue, typeFault } from './acceptance';
import {
  type DurableBatch,
  type JournalEntry,
  type JournalQuery,
  type NewJournalEntry,
  type RecordQuery,
  type StorageBackend,
  StorageError,
  type StorageStatistics,
  type StoredRecord,
  type StoredState,
} from './backend';
import { samplesOf } from './columns';
import { type DeviceRecord, Devices } from './devices';
import { HistoryDoors } from './history-doors';
import { Inventories } from './inventories';
import { MemoryBackend } from './memory/memory-backend';
import type { MetricRecord, OwnValue } from './metric-record';
import { type BufferLimits, PendingWrites } from './pending-writes';
import { restoredReadings, restoredValue } from './restoring';
import { parseStoreSettings, type StoreSettings } from './settings';
import { SqliteBackend } from './sqlite/sqlite-backend';
import { StorageHealth } from './storage-health';
import { StorageKeeper } from './storage-keeper';

/** After this time the start goes on without what a disk does not give, ms. */
const OPEN_TIMEOUT = 10_000;
/** For the last writes at the end, ms; the backend itself has a little more to close. */
const FLUSH_TIMEOUT = 2_500;

export interface StoreDependencies {
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface MetricsChange {
  readonly added: readonly MetricDefinition[];
  readonly changed: readonly MetricDefinition[];
}

/**
 * The gateway's memory: inventory, metric definitions and current values in this process, everything else behind a
 * {@link StorageBackend}. Reading what is current and accepting what is new is synchronous and never waits for a disk.
 */
export class GatewayStore {
  readonly #clock: Clock;
  readonly #backend: StorageBackend;
  readonly #logger: Logger;
  readonly #devices = new Devices();
  readonly #inventories: Inventories;
  readonly #pending: PendingWrites;
  readonly #health: StorageHealth;
  readonly #keeper: StorageKeeper;
  readonly #history: HistoryDoors;
  readonly #metricsChanged: Emitter<MetricsChange>;
  #closing: Promise<void> | undefined;
  #revision = 0;

  /** For another backend than the settings know; see {@link GatewayStore.create}. */
  constructor(
    backend: StorageBackend,
    { clock, logger }: StoreDependencies,
    options: { retentionDays: number; file?: string | undefined; limits?: BufferLimits },
  ) {
    this.#clock = clock;
    this.#backend = backend;
    this.#logger = logger;
    this.#pending = new PendingWrites(options.limits);
    this.#health = new StorageHealth(clock, logger, () => this.#pending.samples);
    const onError = (error: unknown): void =>
      logger.error({ operation: 'store', event: 'failed', reason: 'internal', message: errorText(error) });
    this.#metricsChanged = new Emitter(onError);
    this.#metricsChanged.on(() => this.#revision++);
    this.#inventories = new Inventories(
      onError,
      (record) => this.#pending.addInventory(record),
      (change) => {
        this.#revision++;
        this.#defineMeasurements(change);
      },
    );
    this.#keeper = new StorageKeeper({
      backend,
      clock,
      logger,
      pending: this.#pending,
      health: this.#health,
      retentionDays: options.retentionDays,
      file: options.file,
      onLoaded: (state) => this.#load(state),
      onDamaged: () => this.#keepAll(),
    });
    this.#history = new HistoryDoors({
      backend,
      clock,
      metric: (target) => this.#devices.get(target.devEui, target.metric),
      isWaiting: (metric) => this.#pending.holds(metric),
      settled: () => this.#keeper.settled(),
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
    };
    this.metrics = {
      get: (devEui, key) => this.#devices.get(devEui, key)?.definition,
      ofDevice: (devEui) =>
        Array.from(this.#devices.known(devEui)?.metrics.values() ?? [], ({ definition }) => definition),
      all: () => this.#devices.definitions(),
      onChange: (listener) => this.#metricsChanged.on(listener),
    };
    this.values = {
      get: (devEui, key) => this.#devices.get(devEui, key)?.current,
      ofDevice: (devEui) => this.#devices.valuesOf(devEui),
    };
  }

  /** @throws InvalidInputError for settings that cannot work */
  static create(settings: StoreSettings, deps: StoreDependencies): GatewayStore {
    const { backend, file, retentionDays } = parseStoreSettings({ ...settings });
    return new GatewayStore(
      backend === 'sqlite' && file !== undefined ? new SqliteBackend(file, deps.clock) : new MemoryBackend(),
      deps,
      { retentionDays, file },
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
    this.#closing ??= this.#keeper.close(FLUSH_TIMEOUT).then(() => this.#health.closed());
    return this.#closing;
  }

  /**
   * Takes a reading: new metrics become known, values get their metric's type, current values move on unless newer ones
   * are known, history gets all of it at its own time.
   * @returns `undefined` if the same event was accepted before
   */
  accept(reading: Reading): AcceptedReading | undefined {
    const device = this.#devices.device(reading.device.devEui);
    if (reading.eventId !== undefined) {
      const sequence = device.events.add(reading.eventId);
      if (sequence === undefined) return undefined;
      this.#pending.addEvent({ devEui: device.devEui, sequence, eventId: reading.eventId });
    }
    const added: MetricDefinition[] = [];
    const changed: MetricDefinition[] = [];
    const faults: Fault[] = [];
    const previous: [string, CurrentValue][] = [];
    const lateKeys: MetricKey[] = [];
    let corrected: { values: Map<string, MetricValue>; quality: Map<string, Quality> } | undefined;
    const correct = (): NonNullable<typeof corrected> => {
      corrected ??= {
        values: new Map(Object.entries(reading.values)),
        quality: new Map(Object.entries(reading.quality)),
      };
      return corrected;
    };
    let keys = 0;

    const acceptKey = (key: MetricKey, given: MetricValue | undefined): void => {
      keys++;
      let metric = device.metrics.get(key);
      const value = given === undefined ? undefined : fittingValue(given, metric?.definition.dataType);
      if (metric === undefined) {
        metric = this.#addMetric(device, key, undefined, value);
        added.push(metric.definition);
      } else if (metric.definition.dataType === undefined && value !== undefined) {
        this.#define(metric, { ...metric.definition, dataType: dataTypeOf(value) });
        changed.push(metric.definition);
      }
      if (metric.current) previous.push([key, metric.current]);

      if (given !== undefined && value === undefined) {
        const { values, quality } = correct();
        values.delete(key);
        quality.set(key, this.#refuseType(device, metric, reading, given, faults));
        return;
      }
      if (value !== given && value !== undefined) correct().values.set(key, value);
      if (value !== undefined) metric.mismatched = false;
      if (this.#keep(device, metric, key, value, reading)) lateKeys.push(key);
    };
    // Not entries(): this is the hottest loop of the gateway.
    for (const key in reading.values)
      if (Object.hasOwn(reading.values, key)) acceptKey(key as MetricKey, reading.values[key]);
    for (const key in reading.quality)
      if (Object.hasOwn(reading.quality, key) && !Object.hasOwn(reading.values, key))
        acceptKey(key as MetricKey, undefined);

    if (added.length + changed.length > 0) this.#metricsChanged.emit({ added, changed });
    this.#keeper.notice();
    return {
      reading: corrected
        ? { ...reading, values: Object.fromEntries(corrected.values), quality: Object.fromEntries(corrected.quality) }
        : reading,
      previous: Object.fromEntries(previous),
      late: keys > 0 && lateKeys.length === keys,
      lateKeys,
      faults,
    };
  }

  /** Changes the status of current values: what the stale detector found. The values themselves stay. */
  applyQuality(reading: Reading): void {
    const device = this.#devices.known(reading.device.devEui);
    if (device === undefined) return;
    for (const key of new Set([...Object.keys(reading.values), ...Object.keys(reading.quality)]) as Set<MetricKey>) {
      const metric = device.metrics.get(key);
      if (metric === undefined) continue;
      const current = metric.current ?? { value: undefined, time: 0, origin: reading.origin };
      // A newer value came in the meantime: what is said is about the one before.
      if (current.value !== undefined && reading.time < current.time) continue;
      this.#setCurrent(device, metric, {
        ...current,
        quality: readingQuality(reading, key),
        statusTime: reading.time,
      });
    }
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
  record(_entry: NewJournalEntry): void {}

  /** From an instant on nothing is known of a metric: history says so. */
  markGap(_gap: HistoryGap): void {}

  /**
   * Commits durably: when it resolves, a power failure loses nothing of it. It is served before waiting samples.
   * @throws StorageError within 5 s, or 2 s where the storage is in trouble; it has then not been done and will not be,
   * except for the reason `timeout` with a message that says so
   */
  commit(batch: DurableBatch): Promise<void> {
    return this.#backend.commit(batch);
  }

  /** Records of a kind in order of their creation. @throws StorageError */
  readRecords(query: RecordQuery): Promise<readonly StoredRecord[]> {
    return this.#backend.readRecords(query);
  }

  /** Entries of a journal, newest first. @throws StorageError */
  readJournal(query: JournalQuery): Promise<readonly JournalEntry[]> {
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
    await this.settled();
    return this.#backend.backup(file, signal);
  }

  /** Keeps a value and makes it the current one. @returns whether it is late */
  #keep(
    device: DeviceRecord,
    metric: MetricRecord,
    key: MetricKey,
    value: MetricValue | undefined,
    reading: Reading,
  ): boolean {
    const quality = readingQuality(reading, key);
    const late = isLate(metric, reading, this.#clock.now());
    const own = ownValue(value, quality, reading, late);
    const lost = this.#pending.addSample(metric.id, own.time, own.status, own.flags, own.value);
    if (lost > 0) this.#health.lost(lost);
    if (late) return true;
    if (value === undefined) {
      this.#setQuality(device, metric, quality, reading);
      return false;
    }
    metric.own = own;
    this.#pending.addCurrent(metric);
    this.#setCurrent(device, metric, {
      value,
      quality,
      time: reading.time,
      statusTime: reading.time,
      origin: reading.origin,
    });
    return false;
  }

  /** Keeps a value of the wrong type out. @returns the quality that the metric has now */
  #refuseType(
    device: DeviceRecord,
    metric: MetricRecord,
    reading: Reading,
    given: MetricValue,
    faults: Fault[],
  ): Quality {
    const { current, definition } = metric;
    // One entry for a fault that repeats with every uplink.
    if (!metric.mismatched) faults.push(typeFault(reading, definition.key, given, definition.dataType));
    metric.mismatched = true;
    const quality: Quality = current?.value === undefined ? 'BadTypeMismatch' : 'UncertainLastUsableValue';
    if (!isLate(metric, reading, this.#clock.now())) this.#setQuality(device, metric, quality, reading);
    return quality;
  }

  /** Another quality of the value that is known, as a reading says it; the value and its time stay. */
  #setQuality(device: DeviceRecord, metric: MetricRecord, quality: Quality, reading: Reading): void {
    const { current } = metric;
    this.#setCurrent(device, metric, {
      value: current?.value,
      quality,
      time: current?.time ?? 0,
      statusTime: reading.time,
      origin: current?.origin ?? reading.origin,
    });
  }

  #setCurrent(device: DeviceRecord, metric: MetricRecord, current: CurrentValue): void {
    metric.current = current;
    device.values.set(metric.definition.key, current);
  }

  #addMetric(
    device: DeviceRecord,
    key: MetricKey,
    measurement: Measurement | undefined,
    value: MetricValue | undefined,
  ): MetricRecord {
    const metric = this.#devices.add(device, {
      devEui: device.devEui,
      key,
      name: measurement?.name || key,
      // The kind is no type: ChirpStack keeps booleans as states, so they are declared as STRING too.
      dataType: value === undefined ? undefined : dataTypeOf(value),
      kind: measurement?.kind ?? 'UNKNOWN',
    });
    this.#pending.addMetric(metric);
    return metric;
  }

  #define(metric: MetricRecord, definition: MetricDefinition): void {
    metric.definition = definition;
    this.#pending.addMetric(metric);
  }

  /** Devices have the measurements of their profile, whether they have sent them or not. */
  #defineMeasurements({ inventory, profiles, devices }: InventoryChange): void {
    const changedProfiles = new Set([...profiles.added, ...profiles.changed].map(({ id }) => id));
    const concerned = new Set<Device>([...devices.added, ...devices.changed]);
    if (changedProfiles.size > 0)
      for (const device of inventory.devices.values()) if (changedProfiles.has(device.profileId)) concerned.add(device);
    const added: MetricDefinition[] = [];
    const changed: MetricDefinition[] = [];
    for (const { devEui, profileId } of concerned) {
      const record = this.#devices.device(devEui);
      for (const [name, measurement] of Object.entries(inventory.profiles.get(profileId)?.measurements ?? {})) {
        const key = name as MetricKey;
        const metric = record.metrics.get(key);
        if (metric === undefined) {
          added.push(this.#addMetric(record, key, measurement, undefined).definition);
          continue;
        }
        const definition: MetricDefinition = {
          ...metric.definition,
          name: measurement.name || key,
          kind: measurement.kind,
        };
        const { name: oldName, kind } = metric.definition;
        if (definition.name === oldName && definition.kind === kind) continue;
        this.#define(metric, definition);
        changed.push(definition);
      }
    }
    if (added.length + changed.length > 0) this.#metricsChanged.emit({ added, changed });
  }

  #load(state: StoredState): void {
    const begun = this.#clock.monotonic();
    const before = new Set(Array.from(this.#devices.all(), ({ metrics }) => [...metrics.values()]).flat());
    const numbers = this.#devices.restore(state.metrics);
    this.#pending.renumber(numbers);
    for (const { devEui, sequence, eventId } of state.events)
      this.#devices.device(devEui).events.restore(eventId, sequence);
    for (const { metric: id, ...own } of samplesOf(state.currents)) this.#restoreValue(id, own);
    // What was met before the storage was open is written with the numbers it has now.
    for (const metric of before) this.#pending.addMetric(metric);
    const damaged = this.#inventories.restore(state.inventory);
    if (damaged.length > 0)
      this.#logger.warn({
        operation: 'restore',
        event: 'ignored',
        reason: 'corrupt',
        message: 'records of the inventory that cannot be read; the next reconciliation brings them again',
        count: damaged.length,
      });
    const added = state.metrics.map(({ definition }) => definition);
    if (added.length > 0) this.#metricsChanged.emit({ added, changed: [] });
    this.#logger.info({
      operation: 'restore',
      event: 'succeeded',
      message: 'last values restored',
      count: state.currents.length,
      duration_ms: Math.round(this.#clock.monotonic() - begun),
    });
  }

  #restoreValue(id: number, own: OwnValue): void {
    const known = this.#devices.byId(id);
    // What came while the storage could not be read is newer.
    if (known === undefined || known.metric.own !== undefined) return;
    known.metric.own = own;
    this.#setCurrent(known.device, known.metric, restoredValue(own, this.#clock.now()));
  }

  /** The storage begins anew: everything that is known goes into it. */
  #keepAll(): void {
    this.#inventories.keepAll();
    for (const { metrics } of this.#devices.all())
      for (const metric of metrics.values()) {
        this.#pending.addMetric(metric);
        if (metric.own) this.#pending.addCurrent(metric);
      }
  }
}
