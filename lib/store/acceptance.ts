import {
  type Clock,
  type CurrentValue,
  coerceValue,
  dataTypeOf,
  display,
  type Fault,
  isOutdated,
  type MetricDataType,
  type MetricDefinition,
  type MetricKey,
  type MetricValue,
  type Quality,
  qualityCode,
  type Reading,
  readingQuality,
} from '../model';
import { sampleFlags } from './columns';
import type { DeviceRecord, Devices } from './devices';
import type { MetricDefinitions } from './metric-definitions';
import type { MetricRecord, OwnValue } from './metric-record';
import type { PendingWrites } from './pending-writes';
import type { SampleIntake } from './sample-intake';

/** A reading as the store passes it on. */
export interface AcceptedReading {
  /** Values in their metric's type; what is of a wrong type has no value, only a quality. */
  readonly reading: Reading;
  /** By metric key: what was known before. */
  readonly previous: Readonly<Record<string, CurrentValue>>;
  /** Nothing of it became a current value, because newer values were known: it went into history only. */
  readonly late: boolean;
  /** Metrics that went into history only; with several sources one reading may hold both. */
  readonly lateKeys: readonly MetricKey[];
  readonly faults: readonly Fault[];
}

export interface AcceptanceDependencies {
  readonly clock: Clock;
  readonly devices: Devices;
  readonly definitions: MetricDefinitions;
  readonly pending: PendingWrites;
  readonly intake: SampleIntake;
}

/** What becomes of one reading, while it is gone through. */
class Outcome {
  readonly added: MetricDefinition[] = [];
  readonly changed: MetricDefinition[] = [];
  readonly faults: Fault[] = [];
  readonly previous: [string, CurrentValue][] = [];
  readonly lateKeys: MetricKey[] = [];
  keys = 0;
  #corrected: { values: Map<string, MetricValue>; quality: Map<string, Quality> } | undefined;

  constructor(readonly reading: Reading) {}

  /** The reading is passed on with other values than it came with. */
  get corrected(): { values: Map<string, MetricValue>; quality: Map<string, Quality> } {
    this.#corrected ??= {
      values: new Map(Object.entries(this.reading.values)),
      quality: new Map(Object.entries(this.reading.quality)),
    };
    return this.#corrected;
  }

  accepted(): AcceptedReading {
    const { reading, previous, keys, lateKeys, faults } = this;
    const corrected = this.#corrected;
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
}

/** Takes readings in: types, duplicates, what is late, current values; what history gets is the intake's. */
export class Acceptance {
  readonly #deps: AcceptanceDependencies;

  constructor(deps: AcceptanceDependencies) {
    this.#deps = deps;
  }

  /** See GatewayStore.accept. */
  accept(reading: Reading): AcceptedReading | undefined {
    const { devices, pending, definitions } = this.#deps;
    const device = devices.device(reading.device.devEui);
    if (reading.eventId !== undefined) {
      const sequence = device.events.add(reading.eventId);
      if (sequence === undefined) return undefined;
      pending.addEvent({ devEui: device.devEui, sequence, eventId: reading.eventId });
    }
    const outcome = new Outcome(reading);
    // Not entries(): this is the hottest loop of the gateway.
    for (const key in reading.values)
      if (Object.hasOwn(reading.values, key)) this.#acceptKey(device, key as MetricKey, reading.values[key], outcome);
    for (const key in reading.quality)
      if (Object.hasOwn(reading.quality, key) && !Object.hasOwn(reading.values, key))
        this.#acceptKey(device, key as MetricKey, undefined, outcome);
    definitions.tell(outcome.added, outcome.changed);
    return outcome.accepted();
  }

  /** See GatewayStore.applyQuality. */
  applyQuality(reading: Reading): void {
    const device = this.#deps.devices.known(reading.device.devEui);
    if (device === undefined) return;
    for (const key of new Set([...Object.keys(reading.values), ...Object.keys(reading.quality)]) as Set<MetricKey>) {
      const metric = device.metrics.get(key);
      if (metric === undefined) continue;
      const current = metric.current ?? { value: undefined, time: 0, origin: reading.origin };
      // A newer value came in the meantime: what is said is about the one before.
      if (current.value !== undefined && reading.time < current.time) continue;
      setCurrent(device, metric, { ...current, quality: readingQuality(reading, key), statusTime: reading.time });
    }
  }

  #acceptKey(device: DeviceRecord, key: MetricKey, given: MetricValue | undefined, outcome: Outcome): void {
    const { definitions } = this.#deps;
    outcome.keys++;
    let metric = device.metrics.get(key);
    const value = given === undefined ? undefined : fittingValue(given, metric?.definition.dataType);
    if (metric === undefined) {
      metric = definitions.add(device, key, undefined, value);
      outcome.added.push(metric.definition);
    } else if (metric.definition.dataType === undefined && value !== undefined) {
      definitions.redefine(metric, { ...metric.definition, dataType: dataTypeOf(value) });
      outcome.changed.push(metric.definition);
    }
    if (metric.current) outcome.previous.push([key, metric.current]);

    if (given !== undefined && value === undefined) {
      const { values, quality } = outcome.corrected;
      values.delete(key);
      quality.set(key, this.#refuseType(device, metric, given, outcome));
      return;
    }
    if (value !== given && value !== undefined) outcome.corrected.values.set(key, value);
    if (value !== undefined) metric.mismatched = false;
    if (this.#keep(device, metric, key, value, outcome.reading)) outcome.lateKeys.push(key);
  }

  /** Keeps a value and makes it the current one. @returns whether it is late */
  #keep(
    device: DeviceRecord,
    metric: MetricRecord,
    key: MetricKey,
    value: MetricValue | undefined,
    reading: Reading,
  ): boolean {
    const { pending, intake } = this.#deps;
    const quality = readingQuality(reading, key);
    const late = this.#isLate(metric, reading);
    const own: OwnValue = {
      value,
      time: Math.floor(reading.time),
      status: qualityCode(quality),
      flags: sampleFlags(value, reading.origin, late),
    };
    intake.take(metric, own, late);
    if (late) return true;
    if (value === undefined) {
      setQuality(device, metric, quality, reading);
      return false;
    }
    metric.own = own;
    pending.addCurrent(metric);
    setCurrent(device, metric, {
      value,
      quality,
      time: reading.time,
      statusTime: reading.time,
      origin: reading.origin,
    });
    return false;
  }

  /** Keeps a value of the wrong type out. @returns the quality that the metric has now */
  #refuseType(device: DeviceRecord, metric: MetricRecord, given: MetricValue, { reading, faults }: Outcome): Quality {
    const { current, definition } = metric;
    // One entry for a fault that repeats with every uplink.
    if (!metric.mismatched) faults.push(typeFault(reading, definition.key, given, definition.dataType));
    metric.mismatched = true;
    const quality: Quality = current?.value === undefined ? 'BadTypeMismatch' : 'UncertainLastUsableValue';
    if (!this.#isLate(metric, reading)) setQuality(device, metric, quality, reading);
    return quality;
  }

  /** Whether something newer is known of the metric than the reading says. */
  #isLate({ own }: MetricRecord, { time }: Reading): boolean {
    if (own?.value === undefined) return false;
    const instant = Math.floor(time);
    // The clock is asked only where it matters.
    return instant < own.time && isOutdated(instant, own.time, this.#deps.clock.now());
  }
}

/** Another quality of the value that is known, as a reading says it; the value and its time stay. */
function setQuality(device: DeviceRecord, metric: MetricRecord, quality: Quality, reading: Reading): void {
  const { current } = metric;
  setCurrent(device, metric, {
    value: current?.value,
    quality,
    time: current?.time ?? 0,
    statusTime: reading.time,
    origin: current?.origin ?? reading.origin,
  });
}

function setCurrent(device: DeviceRecord, metric: MetricRecord, current: CurrentValue): void {
  metric.current = current;
  device.values.set(metric.definition.key, current);
}

/** The value in the metric's type; `undefined` if it has another one. */
function fittingValue(value: MetricValue, dataType: MetricDataType | undefined): MetricValue | undefined {
  // Not a number: neither a value nor storable. Formulas in function nodes make it.
  if (typeof value === 'number' && Number.isNaN(value)) return undefined;
  return coerceValue(value, dataType ?? dataTypeOf(value));
}

function typeFault(reading: Reading, key: string, value: MetricValue, dataType: MetricDataType | undefined): Fault {
  return {
    field: `${reading.device.name ?? reading.device.devEui}/${key}`,
    value: display(value),
    rule:
      dataType === undefined ? 'it cannot be represented' : `the metric is of type ${dataType}, set by its first value`,
    cure: 'Let the codec or function node always give the same type, or use another key.',
  };
}
