/** A fleet of devices that send by themselves. */
import type { Clock, Random } from '../../model';
import type { DownlinkFrame } from '../downlinks';
import type { SimulatorIdentity } from '../identity';
import { instant } from '../instant';
import type { UplinkReport } from '../network';
import { randomUint32, seededRandom } from '../random';
import type { ChirpstackServer } from '../server';
import type { Device } from '../world';
import type { DeviceKind } from './kind';
import { KINDS } from './kinds';
import { Member, type Peculiarity } from './member';
import { AREAS, buildSite, type Site } from './site';

/** Uplinks that every device has behind it when the fleet starts. */
export const HISTORY_LENGTH = 10;
/** Devices whose history is written without letting anything else run. */
const MEMBERS_PER_SLICE = 100;
/** ms between two signs of life of a gateway. */
const GATEWAY_INTERVAL = 30_000;
/** ms after which a class C device tells what a downlink did. */
const ANSWER_DELAY = 500;

export interface FleetSettings {
  readonly devices: number;
  /** ms */
  readonly period: number;
  readonly seed: number;
}

export class Fleet {
  readonly #server: ChirpstackServer;
  readonly #clock: Clock;
  readonly #settings: FleetSettings;
  readonly #random: Random;
  readonly #site: Site;
  readonly #members = new Map<string, Member>();
  readonly #silentGateways = new Set<string>();
  #isRunning = false;
  #added = 0;

  constructor(server: ChirpstackServer, clock: Clock, settings: FleetSettings, identity: SimulatorIdentity) {
    this.#server = server;
    this.#clock = clock;
    this.#settings = settings;
    this.#random = seededRandom(settings.seed);
    this.#site = buildSite(server.world, identity, this.#random, settings.period, clock.now());
    for (let index = 0; index < settings.devices; index++) this.#addPlanned(index);
    server.downlinks.onFrame((frame) => this.#frame(frame));
  }

  member(devEui: string): Member | undefined {
    return this.#members.get(devEui);
  }

  members(): Iterable<Member> {
    return this.#members.values();
  }

  /** Gives every device its past, in slices. */
  async writeHistory(): Promise<void> {
    const { period } = this.#settings;
    const now = this.#clock.now();
    let inSlice = 0;
    let index = 0;
    for (const member of this.#members.values()) {
      const phase = this.#phase(index++);
      member.due = this.#clock.monotonic() + phase;
      if (member.peculiarity !== 'never-seen')
        for (let age = HISTORY_LENGTH; age >= 1; age--)
          this.#transmit(member, Math.floor(now + phase - age * period), true);
      if (++inSlice % MEMBERS_PER_SLICE === 0) await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }

  /** Starts to send, or goes on after {@link pause}. */
  run(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    const now = this.#clock.monotonic();
    for (const member of this.#members.values()) {
      // A device that was paused keeps its place within the period.
      if (member.due < now) member.due = now + this.#untilNext(member, now);
      this.#plan(member);
    }
    this.#keepGatewaysAlive();
  }

  pause(): void {
    this.#isRunning = false;
    for (const member of this.#members.values()) member.timer?.cancel();
  }

  /** A device that nobody planned. It joins, and sends its first uplink within a period. */
  add(input: {
    readonly kind: DeviceKind;
    readonly name?: string;
    readonly devEui?: string;
    readonly description?: string;
    readonly tags?: Readonly<Record<string, string>>;
  }): Device {
    const number = this.#added++;
    const device = this.#create(this.#settings.devices + number, input.kind, 'none', input);
    const member = this.#members.get(device.devEui);
    this.#server.network.join(device);
    if (member !== undefined) {
      member.due = this.#clock.monotonic() + this.#random() * this.#settings.period;
      if (this.#isRunning) this.#plan(member);
    }
    return device;
  }

  remove(devEui: string): void {
    const member = this.#members.get(devEui);
    member?.timer?.cancel();
    this.#members.delete(devEui);
    this.#server.world.deleteDevice(devEui);
  }

  /** Lets a gateway be heard of no more, or again. */
  setGatewaySilent(gatewayId: string, isSilent: boolean): void {
    if (isSilent) this.#silentGateways.add(gatewayId);
    else {
      this.#silentGateways.delete(gatewayId);
      this.#keepAlive(gatewayId);
    }
  }

  /** Sends what the device measures now, beside its regular uplinks. */
  sendNow(member: Member): UplinkReport | undefined {
    return this.#transmit(member, this.#clock.now(), false);
  }

  #addPlanned(index: number): void {
    const kind = KINDS[index % KINDS.length];
    if (kind !== undefined) this.#create(index, kind, this.#peculiarity(index), {});
  }

  /** The last devices of a fleet that is large enough are the ones with troubles. */
  #peculiarity(index: number): Peculiarity {
    const fromEnd = this.#settings.devices - index;
    if (this.#settings.devices < 10 || fromEnd > 3) return 'none';
    if (fromEnd === 3) return 'falls-silent';
    return fromEnd === 2 ? 'faulty-payloads' : 'never-seen';
  }

  #create(
    index: number,
    kind: DeviceKind,
    peculiarity: Peculiarity,
    input: {
      readonly name?: string;
      readonly devEui?: string;
      readonly description?: string;
      readonly tags?: Readonly<Record<string, string>>;
    },
  ): Device {
    const place = Math.floor(index / KINDS.length);
    const area = AREAS[place % AREAS.length] ?? AREAS[0];
    const number = String(Math.floor(place / AREAS.length) + 1).padStart(2, '0');
    const random = seededRandom(randomUint32(this.#random));
    const seedPart = ((this.#settings.seed ^ (this.#settings.seed >>> 16)) & 0xffff).toString(16).padStart(4, '0');
    const indexPart = (index + 1).toString(16).padStart(4, '0');
    const device = this.#server.world.addDevice({
      devEui: input.devEui ?? `70b3d57e${seedPart}${indexPart}`,
      devAddr: `01${(index + 1).toString(16).padStart(6, '0')}`,
      joinEui: '70b3d57ed0000000',
      applicationId: this.#site.applicationOf(kind),
      profileId: this.#site.profileOf(kind).id,
      name: input.name ?? `${area} ${kind.noun} ${number}`,
      description: input.description ?? `${kind.profileDescription}, ${area.toLowerCase()}`,
      tags: input.tags ?? { area: area.toLowerCase().replaceAll(' ', '-'), kind: kind.name },
      deviceClass: kind.deviceClass,
      createdAt: this.#site.createdAt,
      updatedAt: this.#site.createdAt,
    });
    const member = new Member(device, kind, peculiarity, random, this.#site.gatewayIds);
    this.#members.set(device.devEui, member);
    return device;
  }

  /** Spreads the devices evenly over the period, neighbours far from each other. ms, above 0 */
  #phase(index: number): number {
    const share = ((index + 1) * 0.618_033_988_75) % 1;
    return Math.max(1, share * this.#settings.period);
  }

  #untilNext(member: Member, now: number): number {
    const { period } = this.#settings;
    return period - ((now - member.due) % period);
  }

  #plan(member: Member): void {
    member.timer?.cancel();
    member.timer = this.#server.timers.at(member.due, () => {
      const now = this.#clock.monotonic();
      if (!member.isSilent) this.#transmit(member, this.#clock.now(), false);
      if (member.hasFallenSilent) member.isSilent = true;
      member.due += this.#settings.period * member.slowness;
      // Late by more than a period: what was missed is not made up for.
      if (member.due < now) member.due = now + this.#untilNext(member, now);
      if (this.#isRunning) this.#plan(member);
    });
  }

  #transmit(member: Member, time: number, isHistory: boolean): UplinkReport | undefined {
    const { network } = this.#server;
    const report = network.receive(member.device, member.uplink(time, isHistory), isHistory);
    if (report !== undefined && member.isStatusDue)
      network.status(member.device, member.status(time), instant(report.time), report.deduplicationId);
    return report;
  }

  #frame(frame: DownlinkFrame): void {
    const member = this.#members.get(frame.devEui);
    if (member === undefined || !frame.reachedDevice) return;
    member.receive(frame, this.#clock.now());
    if (member.device.deviceClass === 'C' && !member.isSilent)
      this.#server.timers.after(ANSWER_DELAY, () => {
        if (this.#members.get(frame.devEui) === member) this.sendNow(member);
      });
  }

  #keepGatewaysAlive(): void {
    if (!this.#isRunning) return;
    for (const gatewayId of this.#site.gatewayIds) if (!this.#silentGateways.has(gatewayId)) this.#keepAlive(gatewayId);
    this.#server.timers.after(GATEWAY_INTERVAL, () => this.#keepGatewaysAlive());
  }

  #keepAlive(gatewayId: string): void {
    const gateway = this.#server.world.gateways.get(gatewayId);
    if (gateway !== undefined) gateway.lastSeenAt = instant(this.#clock.now());
  }
}
