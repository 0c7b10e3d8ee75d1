/** The nodes of one device. */
import type { UAObject } from 'node-opcua';
import {
  type CurrentValue,
  coerceValue,
  type DevEui,
  type Device,
  type DeviceEvent,
  type DeviceProfile,
  type DeviceReference,
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
} from '../model';
import type { LiveVariable } from './live-variable';
import { MODEL_CHANGES } from './metric-semantics';
import type { NodeFactory } from './node-factory';
import { IDENTIFICATION, RADIO, STATUS } from './object-types';
import type { PlainValue } from './values';

type RadioKey = keyof typeof RADIO;
type StatusKey = keyof typeof STATUS;
type IdentificationKey = keyof typeof IDENTIFICATION;
type Members<Key extends string> = Readonly<Record<Key, LiveVariable>>;

/** Told about a value that does not fit the type of its metric. */
export type OnMismatch = (devEui: DevEui, key: string, value: MetricValue, expected: string) => void;

const MAX_UINT32 = 0xffff_ffff;
const RADIO_KEYS = ['rssi', 'snr', 'dataRate', 'frequency', 'fCnt', 'fPort'] as const;

/** Whether a number from outside fits the type of a radio variable. */
function fits(key: RadioKey, value: number): boolean {
  const { type } = RADIO[key];
  if (type === 'Double') return Number.isFinite(value);
  return Number.isInteger(value) && value >= 0 && value <= (type === 'Byte' ? 255 : MAX_UINT32);
}

function nameOf({ variable }: LiveVariable): string {
  return variable.displayName[0]?.text ?? '';
}

export class DeviceNodes {
  readonly devEui: DevEui;
  readonly object: UAObject;
  /** Monotonic instant of the removal, ms; undefined while the device exists. */
  removedAt: number | undefined;
  /** The inventory's picture that the nodes show; undefined for a device that only readings know. */
  shown: Device | undefined;

  readonly #factory: NodeFactory;
  readonly #onMismatch: OnMismatch;
  readonly #ownMeanings: OwnMeanings;
  readonly #measurements: UAObject;
  readonly #metrics = new Map<string, LiveVariable>();
  readonly #radio: Members<RadioKey>;
  readonly #status: Members<StatusKey>;
  readonly #identification: Members<IdentificationKey>;
  #parent: UAObject;
  #name: string;
  #profile: DeviceProfile | undefined;
  #outOfService = false;
  #radioTime = 0;
  #announces = false;

  constructor(
    factory: NodeFactory,
    parent: UAObject,
    devEui: DevEui,
    name: string,
    onMismatch: OnMismatch,
    ownMeanings: OwnMeanings,
  ) {
    this.#factory = factory;
    this.#onMismatch = onMismatch;
    this.#ownMeanings = ownMeanings;
    this.#parent = parent;
    this.#name = name;
    this.devEui = devEui;
    const { types } = factory;
    this.object = factory.object({
      id: devEui,
      browseName: devEui,
      displayName: name,
      type: types.device,
      parent,
      link: 'organizedBy',
    });
    this.#measurements = factory.part(this.object, `${devEui}/metric`, 'Measurements', 'FolderType');
    this.#radio = this.#members('Radio', 'radio', types.radio, RADIO);
    this.#status = this.#members('Status', 'status', types.status, STATUS);
    this.#identification = this.#members('Identification', 'identification', types.identification, IDENTIFICATION);
    this.#identify('devEui', devEui);
  }

  get metrics(): ReadonlyMap<string, LiveVariable> {
    return this.#metrics;
  }

  get parent(): UAObject {
    return this.#parent;
  }

  /** Whether a client monitors anything here. */
  get isMonitored(): boolean {
    for (const live of this.#all()) if (live.isMonitored) return true;
    return false;
  }

  /** From now on, metrics that are added raise model change events. */
  announceChanges(): void {
    if (this.#announces) return;
    this.#announces = true;
    // Not below metric/, where a metric might have the same name.
    this.#factory.addNodeVersion(this.#measurements, `${this.devEui}/node-version`);
  }

  /** Brings name, place, identification, status and the meaning of the metrics in step with the inventory. */
  show(device: Device, parent: UAObject, profile: DeviceProfile | undefined): void {
    const now = this.#factory.now();
    this.removedAt = undefined;
    if (parent !== this.#parent) {
      this.#factory.move(this.object, this.#parent, parent);
      this.#parent = parent;
    }
    this.#rename(device.name);
    this.#profile = profile;
    this.shown = device;
    this.#identify('profile', profile?.name);
    this.#identify('description', device.description);
    this.#identify(
      'tags',
      Object.entries(device.tags).map(([key, value]) => `${key}=${value}`),
    );
    this.setOutOfService(device.isDisabled);
    this.#status.enabled.update(!device.isDisabled, now, now);
    this.#status.deviceClass.update(device.deviceClass, now, now);
    if (device.lastSeenAt !== undefined) this.#seen(device.lastSeenAt, now);
    if (device.status !== undefined) this.#deviceStatus(device.status, now, now);
    this.refreshMeanings();
  }

  /** Looks up again what the values of all metrics mean. Cheap where nothing has changed. */
  refreshMeanings(): void {
    for (const [key, live] of this.#metrics) this.#setMeaning(live, key);
  }

  /** Whether {@link show} would change nothing. */
  isInStep(device: Device, parent: UAObject, profile: DeviceProfile | undefined): boolean {
    return (
      this.removedAt === undefined && this.shown === device && this.#parent === parent && this.#profile === profile
    );
  }

  /** For a device that no inventory knows: what a reading tells of it. */
  describe(reference: DeviceReference): void {
    if (reference.name !== undefined) this.#rename(reference.name);
    if (reference.profileName !== undefined) this.#identify('profile', reference.profileName);
    if (reference.deviceClass !== undefined) {
      const now = this.#factory.now();
      this.#status.deviceClass.update(reference.deviceClass, now, now);
    }
  }

  /** Marks the device as removed at a monotonic instant: it stays, as BadOutOfService. */
  remove(instant: number): void {
    if (this.removedAt !== undefined) return;
    this.removedAt = instant;
    const now = this.#factory.now();
    this.#status.enabled.update(false, now, now);
    this.setOutOfService(true);
  }

  setOutOfService(outOfService: boolean): void {
    if (outOfService === this.#outOfService) return;
    this.#outOfService = outOfService;
    const now = this.#factory.now();
    // What the device is, and that it is disabled, stays true.
    for (const live of this.#all()) if (!this.#isIdentity(live)) live.setOutOfService(outOfService, now);
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
      }
      if (definition.dataType !== undefined && known.type === undefined) this.#settle(known, definition.dataType);
    }
    const live = known ?? this.#add(definition.key, definition.name, definition.dataType);
    this.#factory.setHistorizing(live, keepsHistory);
    if (current?.value !== undefined && live.type !== undefined && current.time > live.time) {
      const value = coerceValue(current.value, live.type as Parameters<typeof coerceValue>[1]);
      const now = this.#factory.now();
      if (value !== undefined) {
        live.set(value, current.quality, new Date(current.time), now);
        if (current.statusTime > current.time) live.setStatus(current.quality, new Date(current.statusTime), now);
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
    if (origin === 'event' || origin === 'replay') this.#seen(time, serverTime);
    if (reading.radio !== undefined && !isOutdated(time, this.#radioTime, now)) {
      this.#radioTime = time;
      for (const key of RADIO_KEYS) {
        const value = reading.radio[key];
        if (value !== undefined && fits(key, value)) this.#radio[key].set(value, 'Good', sourceTime, serverTime);
      }
      const { gateways } = reading.radio;
      if (gateways !== undefined) this.#radio.gateways.set(gateways.length, 'Good', sourceTime, serverTime);
    }
  }

  acceptEvent(event: DeviceEvent, serverTime: Date): void {
    const sourceTime = new Date(event.time);
    if (event.type === 'status') this.#deviceStatus(event, sourceTime, serverTime);
    else if (event.type === 'join' && event.time >= this.#status.lastJoin.time)
      this.#status.lastJoin.update(sourceTime, sourceTime, serverTime);
  }

  #setMetric(
    live: LiveVariable,
    key: string,
    value: MetricValue,
    status: Quality,
    sourceTime: Date,
    serverTime: Date,
  ): void {
    if (live.type === undefined) this.#settle(live, dataTypeOf(value));
    const type = live.type as Parameters<typeof coerceValue>[1];
    const fitting = typeof value === 'number' && !Number.isFinite(value) ? undefined : coerceValue(value, type);
    if (fitting !== undefined) {
      live.set(fitting, status, sourceTime, serverTime);
      return;
    }
    this.#onMismatch(this.devEui, key, value, type);
    live.setStatus(live.hasValue ? 'UncertainLastUsableValue' : 'BadTypeMismatch', sourceTime, serverTime);
  }

  #settle(live: LiveVariable, type: ReturnType<typeof dataTypeOf>): void {
    live.settle(type);
    this.#factory.setHistorizing(live, live.variable.historizing);
    this.#setMeaning(live, live.variable.browseName.name ?? '', MODEL_CHANGES.dataTypeChanged);
  }

  #meaning(key: string, name: string, dataType: MetricDataType | undefined): MetricMeaning {
    return meaningOf(
      { key: key as MetricKey, name, dataType },
      { own: this.#ownMeanings(this.devEui, key as MetricKey), device: this.shown, profile: this.#profile },
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
    return `${this.devEui}/property/${key}`;
  }

  #add(key: string, name: string, type: ReturnType<typeof dataTypeOf> | undefined): LiveVariable {
    const meaning = this.#meaning(key, name, type);
    const live = this.#factory.metric(this.#measurements, `${this.devEui}/metric/${key}`, key, name, type, meaning);
    // It comes as one: that the variable was added is what clients are told.
    this.#factory.setMeaning(live, this.#propertyId(key), meaning);
    if (this.#outOfService) live.setOutOfService(true, this.#factory.now());
    this.#metrics.set(key, live);
    return live;
  }

  #seen(time: number, serverTime: Date): void {
    const { lastSeen } = this.#status;
    if (time === lastSeen.time || isOutdated(time, lastSeen.time, serverTime.getTime())) return;
    const instant = new Date(time);
    lastSeen.set(instant, 'Good', instant, serverTime);
  }

  #deviceStatus(
    status: { margin: number; externalPower: boolean; batteryLevel?: number },
    sourceTime: Date,
    serverTime: Date,
  ): void {
    const { margin, externalPower, battery } = this.#status;
    if (sourceTime.getTime() < margin.time) return;
    if (Number.isFinite(status.margin)) margin.update(status.margin, sourceTime, serverTime);
    externalPower.update(status.externalPower, sourceTime, serverTime);
    if (status.batteryLevel !== undefined && Number.isFinite(status.batteryLevel))
      battery.update(status.batteryLevel, sourceTime, serverTime);
    // The device answered that it cannot tell.
    else battery.setStatus('BadNoData', sourceTime, serverTime);
  }

  #rename(name: string): void {
    const shown = name === '' ? this.devEui : name;
    if (shown === this.#name) return;
    this.#name = shown;
    this.object.setDisplayName(this.#factory.text(shown));
  }

  #identify(key: IdentificationKey, value: PlainValue): void {
    const now = this.#factory.now();
    this.#identification[key].update(value, now, now);
  }

  #isIdentity(live: LiveVariable): boolean {
    return live === this.#status.enabled || Object.values(this.#identification).includes(live);
  }

  *#all(): Iterable<LiveVariable> {
    yield* this.#metrics.values();
    yield* Object.values(this.#radio);
    yield* Object.values(this.#status);
    yield* Object.values(this.#identification);
  }

  #members<Key extends string>(
    name: string,
    part: string,
    type: Parameters<NodeFactory['part']>[3],
    specifications: Readonly<Record<Key, Parameters<NodeFactory['member']>[2]>>,
  ): Members<Key> {
    const parent = this.#factory.part(this.object, `${this.devEui}/${part}`, name, type);
    const keys = Object.keys(specifications) as Key[];
    return Object.fromEntries(
      keys.map((key) => [key, this.#factory.member(parent, `${this.devEui}/${part}/${key}`, specifications[key])]),
    ) as Members<Key>;
  }
}
