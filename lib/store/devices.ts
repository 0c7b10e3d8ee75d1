import type { CurrentValue, DevEui, MetricDefinition, MetricKey } from '../model';
import { EventMemory } from './event-memory';
import { type MetricColumns, metricAt } from './metric-columns';
import { MetricRecord } from './metric-record';

/** All that the store holds of one device. */
export interface DeviceRecord {
  readonly devEui: DevEui;
  readonly metrics: Map<MetricKey, MetricRecord>;
  /** The current values alone, as readers want them. */
  readonly values: Map<MetricKey, CurrentValue>;
  readonly events: EventMemory;
}

export interface RestoredMetrics {
  /** Old to new number of all metrics whose number changed. */
  readonly numbers: ReadonlyMap<number, number>;
  /** All definitions of the storage. */
  readonly definitions: readonly MetricDefinition[];
}

const NO_VALUES: ReadonlyMap<MetricKey, CurrentValue> = new Map();

/** Metrics of all devices, and the numbers that stand for them in the storage. */
export class Devices {
  readonly #devices = new Map<DevEui, DeviceRecord>();
  /** By number: a list with few holes, for numbers are given in turn. */
  #byId: (MetricRecord | undefined)[] = [];
  #nextId = 1;

  get(devEui: DevEui, key: MetricKey): MetricRecord | undefined {
    return this.#devices.get(devEui)?.metrics.get(key);
  }

  byId(id: number): MetricRecord | undefined {
    return this.#byId[id];
  }

  known(devEui: DevEui): DeviceRecord | undefined {
    return this.#devices.get(devEui);
  }

  /** The device's record, made if it is new. */
  device(devEui: DevEui): DeviceRecord {
    let device = this.#devices.get(devEui);
    if (device === undefined) {
      device = { devEui, metrics: new Map(), values: new Map(), events: new EventMemory() };
      this.#devices.set(devEui, device);
    }
    return device;
  }

  all(): Iterable<DeviceRecord> {
    return this.#devices.values();
  }

  *definitions(): Generator<MetricDefinition> {
    for (const { metrics } of this.#devices.values()) for (const { definition } of metrics.values()) yield definition;
  }

  valuesOf(devEui: DevEui): ReadonlyMap<MetricKey, CurrentValue> {
    return this.#devices.get(devEui)?.values ?? NO_VALUES;
  }

  /** A metric that is not known yet. */
  add(device: DeviceRecord, definition: MetricDefinition, id = this.#nextId): MetricRecord {
    const metric = new MetricRecord(id, definition);
    device.metrics.set(definition.key, metric);
    this.#byId[id] = metric;
    this.#nextId = Math.max(this.#nextId, id + 1);
    return metric;
  }

  /**
   * Takes over the metrics of a storage. Metrics that were met before it was open get the storage's numbers, or new
   * ones behind them; what is known of them already stands.
   */
  restore(stored: MetricColumns): RestoredMetrics {
    const before = this.#byId.filter((metric) => metric !== undefined);
    const numbers = new Map<number, number>();
    const definitions: MetricDefinition[] = [];
    this.#byId = [];
    let device: DeviceRecord | undefined;
    for (let index = 0; index < stored.length; index++) {
      const { id, definition } = metricAt(stored, index);
      definitions.push(definition);
      // Metrics of a device were mostly met together.
      if (device?.devEui !== definition.devEui) device = this.device(definition.devEui);
      const known = device.metrics.get(definition.key);
      if (known === undefined) {
        this.add(device, definition, id);
        continue;
      }
      if (known.id !== id) numbers.set(known.id, id);
      known.id = id;
      // The type that history is in stands, whatever came while the storage could not be read.
      known.definition = { ...known.definition, dataType: definition.dataType ?? known.definition.dataType };
      this.#byId[id] = known;
      this.#nextId = Math.max(this.#nextId, id + 1);
    }
    for (const metric of before) {
      if (this.#byId[metric.id] === metric) continue;
      const id = this.#byId[metric.id] === undefined ? metric.id : this.#nextId++;
      if (id !== metric.id) numbers.set(metric.id, id);
      metric.id = id;
      this.#byId[id] = metric;
      this.#nextId = Math.max(this.#nextId, id + 1);
    }
    return { numbers, definitions };
  }
}
