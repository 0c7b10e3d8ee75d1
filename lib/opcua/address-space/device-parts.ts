/** The parts of a device besides what it measures: how it is received, how it is doing, what it is. */
import type { UAObject } from 'node-opcua';
import { type DeviceClass, type DeviceStatus, FrameGaps, isOutdated, type RadioReception } from '../../model';
import { IDENTIFICATION, RADIO, STATUS } from './device-types';
import type { LiveVariable } from './live-variable';
import type { NodeFactory } from './node-factory';
import type { PlainValue } from './values';

export type Members<Key extends string> = Readonly<Record<Key, LiveVariable>>;
type RadioKey = keyof typeof RADIO;
type IdentificationKey = keyof typeof IDENTIFICATION;

const MAX_UINT32 = 0xffff_ffff;
const RADIO_KEYS = ['rssi', 'snr', 'dataRate', 'frequency', 'fCnt', 'fPort'] as const;

/** Whether a number from outside fits the type of a radio variable. */
function fits(key: RadioKey, value: number): boolean {
  const { type } = RADIO[key];
  if (type === 'Double') return Number.isFinite(value);
  return Number.isInteger(value) && value >= 0 && value <= (type === 'Byte' ? 255 : MAX_UINT32);
}

export class RadioNodes {
  readonly #members: Members<RadioKey>;
  readonly #gaps = new FrameGaps();
  /** Source time of what is shown, ms UTC. */
  #time = 0;

  constructor(factory: NodeFactory, device: UAObject, id: string) {
    this.#members = factory.members(factory.part(device, id, 'Radio', factory.types.radio), id, RADIO);
  }

  variables(): readonly LiveVariable[] {
    return Object.values(this.#members);
  }

  /** @param isUplink whether an uplink of the device stands behind it, so that its frame counter counts */
  accept(reception: RadioReception, isUplink: boolean, sourceTime: Date, serverTime: Date): void {
    const time = sourceTime.getTime();
    if (isUplink && reception.fCnt !== undefined) this.#count(reception.fCnt, sourceTime, serverTime);
    if (isOutdated(time, this.#time, serverTime.getTime())) return;
    this.#time = time;
    for (const key of RADIO_KEYS) {
      const value = reception[key];
      if (value !== undefined && fits(key, value)) this.#members[key].set(value, 'Good', sourceTime, serverTime);
    }
    const { gateways } = reception;
    if (gateways !== undefined) this.#members.gateways.set(gateways.length, 'Good', sourceTime, serverTime);
  }

  joined(time: number): void {
    this.#gaps.joined(time);
  }

  #count(counter: number, sourceTime: Date, serverTime: Date): void {
    this.#gaps.accept(counter, sourceTime.getTime());
    // What a late frame corrects is known now, and no sooner.
    const { lostFrames } = this.#members;
    lostFrames.update(this.#gaps.lost, sourceTime.getTime() < lostFrames.time ? serverTime : sourceTime, serverTime);
  }
}

export class StatusNodes {
  readonly #factory: NodeFactory;
  readonly #members: Members<keyof typeof STATUS>;
  #reported: DeviceStatus | undefined;

  constructor(factory: NodeFactory, device: UAObject, id: string) {
    this.#factory = factory;
    this.#members = factory.members(factory.part(device, id, 'Status', factory.types.status), id, STATUS);
  }

  variables(): readonly LiveVariable[] {
    return Object.values(this.#members);
  }

  /** Stays true of a device that is out of service. */
  get identity(): readonly LiveVariable[] {
    return [this.#members.enabled, this.#members.healthReason];
  }

  /** What the device last said of itself. */
  get reported(): DeviceStatus | undefined {
    return this.#reported;
  }

  setEnabled(isEnabled: boolean): void {
    const now = this.#factory.now();
    this.#members.enabled.update(isEnabled, now, now);
  }

  setDeviceClass(deviceClass: DeviceClass): void {
    const now = this.#factory.now();
    this.#members.deviceClass.update(deviceClass, now, now);
  }

  setHealthReason(reason: string): void {
    const now = this.#factory.now();
    this.#members.healthReason.update(reason, now, now);
  }

  seen(time: number, serverTime: Date): void {
    const { lastSeen } = this.#members;
    if (time === lastSeen.time || isOutdated(time, lastSeen.time, serverTime.getTime())) return;
    const instant = new Date(time);
    lastSeen.set(instant, 'Good', instant, serverTime);
  }

  joined(sourceTime: Date, serverTime: Date): void {
    const { lastJoin } = this.#members;
    if (sourceTime.getTime() >= lastJoin.time) lastJoin.update(sourceTime, sourceTime, serverTime);
  }

  report(status: DeviceStatus, sourceTime: Date, serverTime: Date): void {
    const { margin, externalPower, battery } = this.#members;
    if (sourceTime.getTime() < margin.time) return;
    this.#reported = status;
    if (Number.isFinite(status.margin)) margin.update(status.margin, sourceTime, serverTime);
    externalPower.update(status.externalPower, sourceTime, serverTime);
    if (status.batteryLevel !== undefined && Number.isFinite(status.batteryLevel))
      battery.update(status.batteryLevel, sourceTime, serverTime);
    // The device answered that it cannot tell.
    else battery.setStatus('BadNoData', sourceTime, serverTime);
  }
}

export class IdentificationNodes {
  readonly #factory: NodeFactory;
  readonly #members: Members<IdentificationKey>;

  constructor(factory: NodeFactory, device: UAObject, id: string) {
    this.#factory = factory;
    const part = factory.part(device, id, 'Identification', factory.types.identification, 'di');
    this.#members = factory.members(part, id, IDENTIFICATION);
  }

  variables(): readonly LiveVariable[] {
    return Object.values(this.#members);
  }

  set(key: IdentificationKey, value: PlainValue): void {
    const now = this.#factory.now();
    this.#members[key].update(value, now, now);
  }
}
