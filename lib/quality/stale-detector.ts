import {
  type Clock,
  type CurrentValue,
  type DevEui,
  type DeviceEvent,
  Emitter,
  errorText,
  type HistoryGap,
  type Inventory,
  type InventoryChange,
  isOutdated,
  type Logger,
  type MetricKey,
  type Quality,
  type Reading,
  readingQuality,
  referenceTo,
  type Timer,
  type Unsubscribe,
} from '../model';
import { AgeTally } from './age-tally';
import { DeadlineQueue } from './deadlines';
import type { DeviceWatch } from './device-watch';
import { ageBegan, effectiveQuality, judgeAge, type MetricWatch } from './metric-watch';
import { clearsCodecError, ownQuality } from './own-quality';
import { QualityReport } from './quality-report';
import type { StaleDetectorSettings } from './settings';
import { Thresholds } from './thresholds';

/** Metrics judged in one turn of the event loop: when ChirpStack is silent all grow old together. */
const JUDGED_PER_TURN = 1_000;
/** Devices looked at in one turn at the start. */
const ADOPTED_PER_TURN = 200;
/** ChirpStack's log code of a payload codec that failed (integration.proto LogCode). */
const CODEC_ERROR = 'UPLINK_CODEC';

export interface StaleDetectorDependencies {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly settings: StaleDetectorSettings;
  inventory(): Inventory;
  /** All metrics known of a device, with their current values. */
  keysOf(devEui: DevEui): Iterable<{ key: MetricKey; current: CurrentValue | undefined }>;
}

/**
 * Says which values can still be relied on (design §6). Every value passes through {@link StaleDetector.observe}; what
 * becomes of its quality later is told by {@link StaleDetector.onQuality}. Ages follow the monotonic clock: a step of
 * the wall clock makes nothing stale.
 */
export class StaleDetector {
  readonly #deps: StaleDetectorDependencies;
  readonly #thresholds: Thresholds;
  readonly #devices = new Map<DevEui, DeviceWatch>();
  readonly #deadlines = new DeadlineQueue<MetricWatch>();
  readonly #emitter: Emitter<Reading>;
  readonly #gaps: Emitter<HistoryGap>;
  readonly #tally = new AgeTally();
  #timer: { due: number; timer: Timer } | undefined;
  #adopting: Timer | undefined;
  #closed = false;

  constructor(deps: StaleDetectorDependencies) {
    this.#deps = deps;
    this.#thresholds = new Thresholds(deps.settings);
    const onError = (error: unknown): void =>
      deps.logger.error({
        operation: 'judge-quality',
        event: 'failed',
        reason: 'internal',
        message: errorText(error),
      });
    this.#emitter = new Emitter(onError);
    this.#gaps = new Emitter(onError);
  }

  /**
   * Takes note of a reading. The same object comes back when it needs no other quality; a new one when it does, or when
   * its values end a quality that was told before (the store's picture must then follow).
   */
  observe(reading: Reading): Reading {
    if (this.#closed || reading.origin === 'stale') return reading;
    const device = this.#device(reading);
    const hasValues = Object.keys(reading.values).length > 0;
    const quality = new Map(Object.entries(reading.quality));
    let differs = false;
    let isNews = false;
    const wall = this.#deps.clock.now();
    const now = this.#deps.clock.monotonic();
    // Never in the future: a device whose clock runs ahead would stay fresh for too long.
    const age = Math.max(0, wall - reading.time);

    for (const [key, value] of Object.entries(reading.values) as [MetricKey, Reading['values'][string]][]) {
      let watch = device.metrics.get(key);
      if (watch && isOutdated(reading.time, watch.time, wall)) continue;
      isNews = true;
      const own = readingQuality(reading, key);
      const wasShown = watch?.shown;
      if (watch === undefined) watch = this.#watch(device, key, reading, value);
      else {
        this.#tally.count(watch, -1);
        // What came in between is not known: nobody looked while it grew old (a replay, a machine that slept).
        if (reading.time > watch.time + watch.staleAfter) this.#tellGap(watch);
        if (reading.time !== watch.time) watch.gapTold = false;
      }
      Object.assign(watch, { value, time: reading.time, since: now - age });
      // What the store calls "last usable" after a start was Good before: its age decides.
      watch.own = reading.origin === 'restored' && own === 'UncertainLastUsableValue' ? 'Good' : own;
      judgeAge(watch, now);
      this.#tally.count(watch, 1);
      const isRestored = reading.origin === 'restored';
      // A late event is passed on as it was measured; that it is old already is told right after it.
      if (!isRestored && watch.age !== 'fresh') {
        this.#tally.count(watch, -1);
        Object.assign(watch, { age: 'fresh', deadline: watch.since + watch.staleAfter });
        this.#tally.count(watch, 1);
      }
      if (!isRestored && hasValues && clearsCodecError(device, reading)) device.codecErrorAt = undefined;
      if (watch.age !== 'fresh') this.#tellGap(watch);
      const effective = effectiveQuality(watch);
      watch.shown = effective;
      this.#deadlines.schedule(watch);
      if (effective !== own) {
        differs = true;
        if (effective === 'Good') quality.delete(key);
        else quality.set(key, effective);
      }
      if (wasShown !== undefined && wasShown !== effective) differs = true;
    }
    for (const [key, own] of Object.entries(reading.quality)) {
      const watch = device.metrics.get(key as MetricKey);
      if (watch === undefined || Object.hasOwn(reading.values, key) || reading.time < watch.time) continue;
      watch.own = own;
      const effective = effectiveQuality(watch);
      if (effective !== own) {
        differs = true;
        quality.set(key, effective);
      }
      watch.shown = effective;
    }
    if (isNews) {
      device.lastValuesAt = Math.max(device.lastValuesAt, reading.time);
      // The other metrics of the device: the codec works again.
      this.#tellDifferences(device, wall);
    }
    this.#arm();
    return differs ? { ...reading, quality: Object.fromEntries(quality) } : reading;
  }

  /** Takes note of a codec error; other events say nothing about values. */
  observeDeviceEvent(event: DeviceEvent): void {
    if (this.#closed || event.type !== 'log' || event.code !== CODEC_ERROR) return;
    const device = this.#devices.get(event.device.devEui) ?? this.#adopt(event.device.devEui, event.device);
    if (event.time < device.lastValuesAt) return;
    device.codecErrorAt = Math.max(device.codecErrorAt ?? 0, event.time);
    this.#tellDifferences(device, Math.min(event.time, this.#deps.clock.now()));
  }

  /** Takes note of devices that were disabled, removed or brought back, and of thresholds that changed. */
  inventoryChanged(change: InventoryChange): void {
    if (this.#closed) return;
    const inventory = this.#deps.inventory();
    const profiles = new Set([...change.profiles.added, ...change.profiles.changed].map(({ id }) => id));
    const concerned = new Set<DevEui>([
      ...change.devices.added.map(({ devEui }) => devEui),
      ...change.devices.changed.map(({ devEui }) => devEui),
      ...change.devices.removed,
    ]);
    if (profiles.size > 0)
      for (const devEui of this.#devices.keys()) {
        const profileId = inventory.devices.get(devEui)?.profileId;
        if (profileId !== undefined && profiles.has(profileId)) concerned.add(devEui);
      }
    for (const devEui of concerned) {
      const known = inventory.devices.get(devEui);
      const outOfService = known === undefined || known.isDisabled;
      // Nothing to say about a device that has neither values nor a state.
      const device = this.#devices.get(devEui) ?? (outOfService ? this.#adopt(devEui, { devEui }) : undefined);
      if (device === undefined) continue;
      if (known) device.reference = referenceTo(known, inventory);
      this.#setOutOfService(device, outOfService);
      this.#applyThresholds(device, inventory);
    }
    this.#arm();
  }

  /** Told about each change of quality: values are the last ones, time is when the quality began to hold. */
  onQuality(listener: (reading: Reading) => void): Unsubscribe {
    return this.#emitter.on(listener);
  }

  /** Told from when on nothing is known of a metric: its value has grown old, or its device is out of service. */
  onGap(listener: (gap: HistoryGap) => void): Unsubscribe {
    return this.#gaps.on(listener);
  }

  /** Metrics by the age of their values; those of devices that are out of service are not counted. */
  staleCount(): AgeTally['values'] {
    return this.#tally.values;
  }

  /** Devices: fresh with at least one fresh value, dead with dead ones only, else stale. */
  deviceCount(): AgeTally['devices'] {
    return this.#tally.devices;
  }

  /**
   * Takes note of all values the store knows, so that those grow old too which nobody sends through here (the detector
   * alone was deployed again, or the store does not send what it restored). Call it when the store is open.
   */
  start(): void {
    const unknown = [...this.#deps.inventory().devices.keys()].filter((devEui) => !this.#devices.has(devEui));
    const adopt = (from: number): void => {
      if (this.#closed) return;
      for (const devEui of unknown.slice(from, from + ADOPTED_PER_TURN)) {
        if (this.#devices.has(devEui)) continue;
        const inventory = this.#deps.inventory();
        const known = inventory.devices.get(devEui);
        this.#tellOutOfService(this.#adopt(devEui, known ? referenceTo(known, inventory) : { devEui }));
      }
      this.#arm();
      if (from + ADOPTED_PER_TURN < unknown.length)
        this.#adopting = this.#deps.clock.after(0, () => adopt(from + ADOPTED_PER_TURN));
    };
    adopt(0);
  }

  /** Idempotent. */
  close(): void {
    this.#adopting?.cancel();
    this.#closed = true;
    this.#timer?.timer.cancel();
    this.#timer = undefined;
  }

  #device(reading: Reading): DeviceWatch {
    const { devEui } = reading.device;
    const known = this.#devices.get(devEui);
    if (known === undefined) return this.#adopt(devEui, reading.device);
    known.reference = { ...known.reference, ...reading.device };
    // It was removed, and here it is: a flow's own device, or one that comes back before the next reconciliation.
    if (known.outOfService && reading.origin !== 'restored' && !this.#deps.inventory().devices.has(devEui))
      this.#setOutOfService(known, false);
    return known;
  }

  #adopt(devEui: DevEui, reference: Reading['device']): DeviceWatch {
    const device: DeviceWatch = {
      reference,
      metrics: new Map(),
      codecErrorAt: undefined,
      lastValuesAt: 0,
      outOfService: this.#deps.inventory().devices.get(devEui)?.isDisabled ?? false,
      emptyOutOfService: new Map(),
    };
    this.#devices.set(devEui, device);
    // Values that never passed through here: the store did not send what it restored.
    for (const { key, current } of this.#deps.keysOf(devEui)) {
      if (current?.value === undefined) continue;
      const { value, quality, time } = current;
      const watch = this.#watch(device, key, { time }, value);
      watch.own = ownQuality(current);
      watch.shown = quality;
      const now = this.#deps.clock.monotonic();
      watch.since = now - Math.max(0, this.#deps.clock.now() - time);
      judgeAge(watch, now);
      if (watch.age !== 'fresh') this.#tellGap(watch);
      this.#tally.count(watch, 1);
      this.#deadlines.schedule(watch);
    }
    return device;
  }

  /** Not counted yet. */
  #watch(device: DeviceWatch, key: MetricKey, { time }: { time: number }, value: MetricWatch['value']): MetricWatch {
    const staleAfter = this.#thresholds.staleAfter(device.reference.devEui, key, this.#deps.inventory());
    const watch: MetricWatch = {
      device,
      key,
      value,
      time,
      since: this.#deps.clock.monotonic(),
      own: 'Good',
      age: 'fresh',
      staleAfter,
      deadAfter: this.#thresholds.deadAfter(staleAfter),
      shown: 'Good',
      gapTold: false,
      deadline: undefined,
      queuedFor: undefined,
    };
    device.metrics.set(key, watch);
    return watch;
  }

  #setOutOfService(device: DeviceWatch, outOfService: boolean): void {
    if (device.outOfService === outOfService) {
      // Known to be out of service since before anything was said about it.
      if (outOfService) this.#tellOutOfService(device);
      return;
    }
    for (const watch of device.metrics.values()) this.#tally.count(watch, -1);
    device.outOfService = outOfService;
    for (const watch of device.metrics.values()) this.#tally.count(watch, 1);
    this.#tellOutOfService(device);
  }

  #tellOutOfService(device: DeviceWatch): void {
    const time = this.#deps.clock.now();
    if (device.outOfService) for (const watch of device.metrics.values()) this.#tellGap(watch);
    this.#tellDifferences(device, time);
    // Metrics that never had a value have a status all the same.
    const report = new QualityReport();
    const status: Quality = device.outOfService ? 'BadOutOfService' : 'BadWaitingForInitialData';
    for (const { key } of this.#deps.keysOf(device.reference.devEui)) {
      if (device.metrics.has(key)) continue;
      if ((device.emptyOutOfService.get(key) ?? 'BadWaitingForInitialData') === status) continue;
      device.emptyOutOfService.set(key, status);
      report.addStatus(device.reference, key, status, time);
    }
    this.#tell(report);
  }

  #applyThresholds(device: DeviceWatch, inventory: Inventory): void {
    const now = this.#deps.clock.monotonic();
    const report = new QualityReport();
    for (const watch of device.metrics.values()) {
      const staleAfter = this.#thresholds.staleAfter(device.reference.devEui, watch.key, inventory);
      if (staleAfter === watch.staleAfter) continue;
      watch.staleAfter = staleAfter;
      watch.deadAfter = this.#thresholds.deadAfter(staleAfter);
      this.#judge(watch, now, report);
    }
    this.#tell(report);
  }

  #judge(watch: MetricWatch, now: number, report: QualityReport): void {
    this.#tally.count(watch, -1);
    judgeAge(watch, now);
    this.#tally.count(watch, 1);
    this.#deadlines.schedule(watch);
    if (watch.age !== 'fresh') this.#tellGap(watch);
    const effective = effectiveQuality(watch);
    if (effective === watch.shown) return;
    watch.shown = effective;
    report.add(watch, Math.min(ageBegan(watch), this.#deps.clock.now()));
  }

  #tellDifferences(device: DeviceWatch, time: number): void {
    const report = new QualityReport();
    for (const watch of device.metrics.values()) {
      const effective = effectiveQuality(watch);
      if (effective === watch.shown) continue;
      watch.shown = effective;
      report.add(watch, Math.max(time, watch.time));
    }
    this.#tell(report);
  }

  /** Once for each value: from when on nothing is known of its metric. */
  #tellGap(watch: MetricWatch): void {
    if (watch.gapTold) return;
    watch.gapTold = true;
    const { device, key: metric, age, time, staleAfter } = watch;
    const { devEui } = device.reference;
    const now = this.#deps.clock.now();
    const isOld = age !== 'fresh' || time + staleAfter < now;
    this.#gaps.emit(
      device.outOfService && !isOld
        ? { devEui, metric, from: now, status: 'BadOutOfService' }
        : { devEui, metric, from: Math.min(now, time + staleAfter), status: 'BadNoCommunication', after: time },
    );
  }

  #tell(report: QualityReport): void {
    for (const reading of report.readings()) this.#emitter.emit(reading);
  }

  /** The one timer: for the earliest deadline. */
  #arm(): void {
    const due = this.#deadlines.next;
    if (due === undefined || this.#closed || (this.#timer && this.#timer.due <= due)) return;
    this.#timer?.timer.cancel();
    const delay = Math.max(0, due - this.#deps.clock.monotonic());
    this.#timer = { due, timer: this.#deps.clock.after(delay, () => this.#expire()) };
  }

  #expire(): void {
    this.#timer = undefined;
    const now = this.#deps.clock.monotonic();
    const report = new QualityReport();
    for (let count = 0; count < JUDGED_PER_TURN; count++) {
      const watch = this.#deadlines.takeDue(now);
      if (watch === undefined) break;
      this.#judge(watch, now, report);
    }
    this.#tell(report);
    this.#arm();
  }
}
