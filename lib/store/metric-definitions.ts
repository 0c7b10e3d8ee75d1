import {
  type Device,
  dataTypeOf,
  Emitter,
  type InventoryChange,
  type Measurement,
  type MetricDefinition,
  type MetricKey,
  type MetricValue,
  type Unsubscribe,
} from '../model';
import type { DeviceRecord, Devices } from './devices';
import type { MetricRecord } from './metric-record';
import type { PendingWrites } from './pending-writes';

export interface MetricsChange {
  readonly added: readonly MetricDefinition[];
  readonly changed: readonly MetricDefinition[];
}

/** Which metrics there are: by the profiles of devices, and by what devices send. */
export class MetricDefinitions {
  readonly #devices: Devices;
  readonly #pending: PendingWrites;
  readonly #changed: Emitter<MetricsChange>;

  constructor(devices: Devices, pending: PendingWrites, onError: (error: unknown) => void) {
    this.#devices = devices;
    this.#pending = pending;
    this.#changed = new Emitter(onError);
  }

  onChange(listener: (change: MetricsChange) => void): Unsubscribe {
    return this.#changed.on(listener);
  }

  /** Tells what was added and changed, if anything was. */
  tell(added: readonly MetricDefinition[], changed: readonly MetricDefinition[]): void {
    if (added.length + changed.length > 0) this.#changed.emit({ added, changed });
  }

  /** A metric that is met for the first time. */
  add(
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

  redefine(metric: MetricRecord, definition: MetricDefinition): void {
    metric.definition = definition;
    this.#pending.addMetric(metric);
  }

  /** Devices have the measurements of their profile, whether they have sent them or not. */
  follow({ inventory, profiles, devices }: InventoryChange): void {
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
          added.push(this.add(record, key, measurement, undefined).definition);
          continue;
        }
        const definition: MetricDefinition = {
          ...metric.definition,
          name: measurement.name || key,
          kind: measurement.kind,
        };
        const { name: oldName, kind } = metric.definition;
        if (definition.name === oldName && definition.kind === kind) continue;
        this.redefine(metric, definition);
        changed.push(definition);
      }
    }
    this.tell(added, changed);
  }
}
