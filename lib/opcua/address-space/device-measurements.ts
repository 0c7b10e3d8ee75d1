/** What one device measures: a variable for each metric, by its key. */
import type { UAObject } from 'node-opcua';
import {
  type CurrentValue,
  coerceValue,
  type DevEui,
  type Device,
  type DeviceProfile,
  dataTypeOf,
  isOutdated,
  type MetricDataType,
  type MetricDefinition,
  type MetricKey,
  type MetricMeaning,
  type MetricValue,
  meaningOf,
  type OwnMeanings,
  type Quality,
  type Reading,
  readingQuality,
} from '../../model';
import type { LiveVariable } from './live-variable';
import { MODEL_CHANGES } from './metric-semantics';
import type { NodeFactory } from './node-factory';

/** Told about a value that does not fit the type of its metric. */
export type OnMismatch = (devEui: DevEui, key: string, value: MetricValue, expected: string) => void;

/** Told about each metric of a device, again when its data type is settled; `undefined` = not known yet. */
export type OnMetric = (key: string, name: string, dataType: MetricDataType | undefined) => void;

export interface MeasurementsOptions {
  readonly factory: NodeFactory;
  readonly devEui: DevEui;
  readonly ownMeanings: OwnMeanings;
  readonly onMismatch: OnMismatch;
  readonly onMetric: OnMetric;
}

function nameOf({ variable }: LiveVariable): string {
  return variable.displayName[0]?.text ?? '';
}

export class MeasurementNodes {
  readonly #options: MeasurementsOptions;
  readonly #factory: NodeFactory;
  readonly #devEui: DevEui;
  readonly #object: UAObject;
  readonly #metrics = new Map<string, LiveVariable>();
  #device: Device | undefined;
  #profile: DeviceProfile | undefined;
  #outOfService = false;
  #announces = false;

  constructor(device: UAObject, options: MeasurementsOptions) {
    this.#options = options;
    this.#factory = options.factory;
    this.#devEui = options.devEui;
    const { factory } = options;
    this.#object = factory.part(device, `${options.devEui}/metric`, 'Measurements', factory.types.measurements);
  }

  get metrics(): ReadonlyMap<string, LiveVariable> {
    return this.#metrics;
  }

  /** Qualities of all values, as they are known, also while the device is out of service. */
  *qualities(): Iterable<Quality> {
    for (const { quality } of this.#metrics.values()) yield quality;
  }

  /** From now on, metrics that are added raise model change events. */
  announceChanges(): void {
    if (this.#announces) return;
    this.#announces = true;
    // Not below metric/, where a metric might have the same name.
    this.#factory.addNodeVersion(this.#object, `${this.#devEui}/node-version`);
  }

  /** Takes over what the inventory says of the device. */
  show(device: Device, profile: DeviceProfile | undefined): void {
    this.#device = device;
    this.#profile = profile;
    this.refreshMeanings();
  }

  /** Looks up again what the values of all metrics mean. Cheap where nothing has changed. */
  refreshMeanings(): void {
    for (const [key, live] of this.#metrics) this.#setMeaning(live, key);
  }

  /** Tells of all metrics there are. */
  tellAll(onMetric: OnMetric): void {
    for (const [key, live] of this.#metrics) onMetric(key, nameOf(live), live.type as MetricDataType | undefined);
  }

  setOutOfService(outOfService: boolean, now: Date): void {
    this.#outOfService = outOfService;
    for (const live of this.#metrics.values()) live.setOutOfService(outOfService, now);
  }

  /**
   * Makes the variable of a metric, or brings it in step with its definition.
   * @param keepsHistory whether the history of the metric is kept somewhere
   */
  define(definition: MetricDefinition, current: CurrentValue | undefined, keepsHistory: boolean): void {
    const known = this.#metrics.get(definition.key);
    if (known !== undefined) {
      if (nameOf(known) !== definition.name) {
        known.variable.setDisplayName(this.#factory.text(definition.name));
        this.#setMeaning(known, definition.key);
        this.#tell(definition.key, known);
      }
      if (definition.dataType !== undefined && known.type === undefined)
        this.#settle(definition.key, known, definition.dataType);
    }
    const live = known ?? this.#add(definition.key, definition.name, definition.dataType);
    this.#factory.setHistorizing(live, keepsHistory);
    if (current?.value !== undefined && live.type !== undefined && current.time > live.time) {
      const value = coerceValue(current.value, live.type as MetricDataType);
      const now = this.#factory.now();
      if (value !== undefined) {
        live.set(value, current.quality, this.#factory.date(current.time), now);
        if (current.statusTime > current.time)
          live.setStatus(current.quality, this.#factory.date(current.statusTime), now);
      }
    }
  }

  /**
   * Shows what a reading says, as far as it is not older than what is shown.
   * @param sourceTime of the reading
   */
  accept(reading: Reading, sourceTime: Date, serverTime: Date): void {
    const { values, quality, origin, time } = reading;
    const now = serverTime.getTime();
    for (const key in values) {
      const value = values[key];
      if (value === undefined) continue;
      const live = this.#metrics.get(key) ?? this.#add(key, key, undefined);
      const status = readingQuality(reading, key);
      const isCurrent = !isOutdated(time, live.time, now);
      if (origin === 'stale' && live.hasValue) {
        if (isCurrent) live.setStatus(status, sourceTime, serverTime);
      } else if (origin === 'restored' && time === live.time) {
        // The value is shown already. What the stale detector found out about its age holds; that nobody has judged it
        // yet is no reason to doubt a value that this server has shown as Good all along.
        if (status !== 'UncertainLastUsableValue') live.setStatus(status, sourceTime, serverTime);
      } else if (isCurrent) this.#setMetric(live, key, value, status, sourceTime, serverTime);
    }
    for (const key in quality) {
      if (Object.hasOwn(values, key)) continue;
      const live = this.#metrics.get(key) ?? this.#add(key, key, undefined);
      if (!isOutdated(time, live.time, now)) live.setStatus(readingQuality(reading, key), sourceTime, serverTime);
    }
  }

  /** Shows all fresh values as measured now, see {@link LiveVariable.beat}. */
  beat(now: Date): void {
    for (const live of this.#metrics.values()) live.beat(now);
  }

  endBeat(now: Date): void {
    for (const live of this.#metrics.values()) live.endBeat(now);
  }

  #setMetric(
    live: LiveVariable,
    key: string,
    value: MetricValue,
    status: Quality,
    sourceTime: Date,
    serverTime: Date,
  ): void {
    if (live.type === undefined) this.#settle(key, live, dataTypeOf(value));
    const type = live.type as MetricDataType;
    const fitting = typeof value === 'number' && !Number.isFinite(value) ? undefined : coerceValue(value, type);
    if (fitting !== undefined) {
      live.set(fitting, status, sourceTime, serverTime);
      return;
    }
    this.#options.onMismatch(this.#devEui, key, value, type);
    live.setStatus(live.hasValue ? 'UncertainLastUsableValue' : 'BadTypeMismatch', sourceTime, serverTime);
  }

  #settle(key: string, live: LiveVariable, type: MetricDataType): void {
    live.settle(type);
    this.#factory.setHistorizing(live, live.variable.historizing);
    this.#setMeaning(live, key, MODEL_CHANGES.dataTypeChanged);
    this.#tell(key, live);
  }

  #tell(key: string, live: LiveVariable): void {
    this.#options.onMetric(key, nameOf(live), live.type as MetricDataType | undefined);
  }

  #meaning(key: string, name: string, dataType: MetricDataType | undefined): MetricMeaning {
    return meaningOf(
      { key: key as MetricKey, name, dataType },
      {
        own: this.#options.ownMeanings(this.#devEui, key as MetricKey),
        device: this.#device,
        profile: this.#profile,
      },
    );
  }

  /** @param verb what else changed, to be announced together */
  #setMeaning(live: LiveVariable, key: string, verb = 0): void {
    const meaning = this.#meaning(key, nameOf(live), live.type as MetricDataType | undefined);
    const changes = verb | this.#factory.setMeaning(live, this.#propertyId(key), meaning);
    if (this.#announces && changes !== 0) this.#factory.announceChange(live.variable, changes);
  }

  /** Beside the metrics: below one, another metric might have the same id. */
  #propertyId(key: string): string {
    return `${this.#devEui}/property/${key}`;
  }

  #add(key: string, name: string, type: MetricDataType | undefined): LiveVariable {
    const meaning = this.#meaning(key, name, type);
    const id = `${this.#devEui}/metric/${key}`;
    const live = this.#factory.metric(this.#object, id, key, name, type, meaning, this.#announces);
    // It comes as one: that the variable was added is what clients are told.
    this.#factory.setMeaning(live, this.#propertyId(key), meaning);
    if (this.#outOfService) live.setOutOfService(true, this.#factory.now());
    this.#metrics.set(key, live);
    this.#options.onMetric(key, name, type);
    return live;
  }
}
