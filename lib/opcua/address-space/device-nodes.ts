/** The nodes of one device. */
import type { UAObject } from 'node-opcua';
import {
  type CurrentValue,
  DEVICE_HEALTH_STATES,
  type DevEui,
  type Device,
  type DeviceEvent,
  type DeviceProfile,
  type DeviceProfileId,
  type DeviceReference,
  judgeDeviceHealth,
  type MetricDefinition,
  type OwnMeanings,
  type Reading,
} from '../../model';
import { MeasurementNodes, type OnMismatch } from './device-measurements';
import { IdentificationNodes, RadioNodes, StatusNodes } from './device-parts';
import { DEVICE_HEALTH } from './device-types';
import type { LiveVariable } from './live-variable';
import type { NodeFactory } from './node-factory';
import type { ProfileTypes } from './profile-types';

export interface DeviceContext {
  readonly factory: NodeFactory;
  readonly profileTypes: ProfileTypes;
  readonly ownMeanings: OwnMeanings;
  readonly onMismatch: OnMismatch;
}

export class DeviceNodes {
  readonly devEui: DevEui;
  readonly object: UAObject;
  /** Monotonic instant of the removal, ms; undefined while the device exists. */
  removedAt: number | undefined;
  /** The inventory's picture that the nodes show; undefined for a device that only readings know. */
  shown: Device | undefined;

  readonly #factory: NodeFactory;
  readonly #profileTypes: ProfileTypes;
  readonly #measurements: MeasurementNodes;
  readonly #radio: RadioNodes;
  readonly #status: StatusNodes;
  readonly #identification: IdentificationNodes;
  readonly #health: LiveVariable;
  #parent: UAObject;
  #name: string;
  #profile: DeviceProfile | undefined;
  #outOfService = false;
  /** Whether it was judged to be well when it was last looked at. */
  #isNormal = false;

  /** @param profile of which the device is made as an instance, so that its type need not change at once */
  constructor(
    { factory, profileTypes, ownMeanings, onMismatch }: DeviceContext,
    parent: UAObject,
    devEui: DevEui,
    name: string,
    profile: DeviceProfile | undefined,
  ) {
    this.#factory = factory;
    this.#profileTypes = profileTypes;
    this.#parent = parent;
    this.#name = name;
    this.#profile = profile;
    this.devEui = devEui;
    this.object = factory.object({
      id: devEui,
      browseName: devEui,
      displayName: name,
      type: profileTypes.typeFor(profile),
      parent,
      link: 'organizedBy',
    });
    this.#measurements = new MeasurementNodes(this.object, {
      factory,
      devEui,
      ownMeanings,
      onMismatch,
      onMetric: (...metric) => profileTypes.declare(this.#profile, ...metric),
    });
    this.#radio = new RadioNodes(factory, this.object, `${devEui}/radio`);
    this.#status = new StatusNodes(factory, this.object, `${devEui}/status`);
    this.#identification = new IdentificationNodes(factory, this.object, `${devEui}/identification`);
    this.#health = factory.member(this.object, `${devEui}/health`, DEVICE_HEALTH);
    this.#identification.set('devEui', devEui);
  }

  get metrics(): ReadonlyMap<string, LiveVariable> {
    return this.#measurements.metrics;
  }

  get parent(): UAObject {
    return this.#parent;
  }

  get profileId(): DeviceProfileId | undefined {
    return this.#profile?.id;
  }

  /** Whether a client monitors anything here. */
  get isMonitored(): boolean {
    for (const live of this.#all()) if (live.isMonitored) return true;
    return false;
  }

  /** From now on, metrics that are added raise model change events. */
  announceChanges(): void {
    this.#measurements.announceChanges();
  }

  /** Brings name, place, type, identification, status and the meaning of the metrics in step with the inventory. */
  show(device: Device, parent: UAObject, profile: DeviceProfile | undefined): void {
    const now = this.#factory.now();
    this.removedAt = undefined;
    if (parent !== this.#parent) {
      this.#factory.move(this.object, this.#parent, parent);
      this.#parent = parent;
    }
    this.#rename(device.name);
    this.#setProfile(profile);
    this.shown = device;
    this.#identification.set('profile', profile?.name);
    this.#identification.set('description', device.description);
    this.#identification.set(
      'tags',
      Object.entries(device.tags).map(([key, value]) => `${key}=${value}`),
    );
    this.setOutOfService(device.isDisabled);
    this.#status.setEnabled(!device.isDisabled);
    this.#status.setDeviceClass(device.deviceClass);
    if (device.lastSeenAt !== undefined) this.#status.seen(device.lastSeenAt, now);
    if (device.status !== undefined) this.#status.report(device.status, now, now);
    this.#measurements.show(device, profile);
    this.#judge();
  }

  refreshMeanings(): void {
    this.#measurements.refreshMeanings();
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
    if (reference.profileName !== undefined) this.#identification.set('profile', reference.profileName);
    if (reference.deviceClass !== undefined) this.#status.setDeviceClass(reference.deviceClass);
  }

  /** Marks the device as removed at a monotonic instant: it stays, as BadOutOfService. */
  remove(instant: number): void {
    if (this.removedAt !== undefined) return;
    this.removedAt = instant;
    this.#status.setEnabled(false);
    this.setOutOfService(true);
    this.#judge();
  }

  setOutOfService(outOfService: boolean): void {
    if (outOfService === this.#outOfService) return;
    this.#outOfService = outOfService;
    const now = this.#factory.now();
    this.#measurements.setOutOfService(outOfService, now);
    // What the device is, and that it is disabled, stays true.
    const { identity } = this.#status;
    for (const live of [...this.#radio.variables(), ...this.#status.variables()])
      if (!identity.includes(live)) live.setOutOfService(outOfService, now);
  }

  /** See {@link MeasurementNodes.define}. */
  define(definition: MetricDefinition, current: CurrentValue | undefined, keepsHistory: boolean): void {
    this.#measurements.define(definition, current, keepsHistory);
    // One more good value changes nothing for a device that is well: there may be hundreds at a start.
    if (current !== undefined && !(current.quality === 'Good' && this.#isNormal)) this.#judge();
  }

  /** See {@link MeasurementNodes.accept}. */
  accept(reading: Reading, sourceTime: Date, serverTime: Date): void {
    this.#measurements.accept(reading, sourceTime, serverTime);
    const isUplink = reading.origin === 'event' || reading.origin === 'replay';
    if (isUplink) this.#status.seen(reading.time, serverTime);
    if (reading.radio !== undefined) this.#radio.accept(reading.radio, isUplink, sourceTime, serverTime);
    this.#judge();
  }

  acceptEvent(event: DeviceEvent, serverTime: Date): void {
    const sourceTime = new Date(event.time);
    if (event.type === 'status') {
      this.#status.report(event, sourceTime, serverTime);
      this.#judge();
    } else if (event.type === 'join') {
      this.#status.joined(sourceTime, serverTime);
      this.#radio.joined(event.time);
    }
  }

  /** See {@link MeasurementNodes.beat}. */
  beat(now: Date): void {
    this.#measurements.beat(now);
  }

  endBeat(now: Date): void {
    this.#measurements.endBeat(now);
  }

  #judge(): void {
    const isRemoved = this.removedAt !== undefined;
    const reported = this.#status.reported;
    const health = judgeDeviceHealth({
      isDisabled: this.#outOfService && !isRemoved,
      qualities: this.#measurements.qualities(),
      batteryLevel: reported?.externalPower === true ? undefined : reported?.batteryLevel,
      margin: reported?.margin,
    });
    this.#isNormal = health?.state === 'NORMAL';
    const now = this.#factory.now();
    this.#health.setOutOfService(isRemoved, now);
    if (health === undefined) {
      this.#health.setStatus('BadWaitingForInitialData', now, now);
      return;
    }
    this.#health.update(DEVICE_HEALTH_STATES.indexOf(health.state), now, now);
    this.#status.setHealthReason(health.reason);
  }

  #setProfile(profile: DeviceProfile | undefined): void {
    const before = this.#profile;
    this.#profile = profile;
    if (before?.id === profile?.id) return;
    this.#profileTypes.change(this.object, profile);
    this.#measurements.tellAll((...metric) => this.#profileTypes.declare(profile, ...metric));
  }

  #rename(name: string): void {
    const shown = name === '' ? this.devEui : name;
    if (shown === this.#name) return;
    this.#name = shown;
    this.object.setDisplayName(this.#factory.text(shown));
  }

  *#all(): Iterable<LiveVariable> {
    yield* this.metrics.values();
    yield* this.#radio.variables();
    yield* this.#status.variables();
    yield* this.#identification.variables();
    yield this.#health;
  }
}
