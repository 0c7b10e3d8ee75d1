/** The simulator: a ChirpStack with a plant's fleet behind it, for demonstration and tests. */
import {
  type Clock,
  type DevEui,
  errorText,
  type Logger,
  parseDevEui,
  parseGatewayEui,
  type Random,
  type TenantId,
  type Unsubscribe,
} from '../model';
import type { DownlinkFrame, GatewayAnswer } from './downlinks';
import type { CallFault } from './fault-injection';
import { Fleet } from './fleet/fleet';
import { KINDS, kindNamed } from './fleet/kinds';
import { type Member } from './fleet/member';
import { type SimulatorIdentity, simulatorIdentity } from './identity';
import { instant } from './instant';
import type { UplinkReport } from './network';
import { seededRandom } from './random';
import { ChirpstackServer } from './server';
import type { SimulatorSettings } from './settings';
import { type Device, type Gateway, World } from './world';

export interface SimulatorDependencies {
  readonly clock: Clock;
  readonly logger: Logger;
  /** For ids of events and queue items; from the seed if absent. */
  readonly random?: Random;
  /** ms in which the class C scheduler leaves a device alone after an uplink or a downlink, 5,000 as in ChirpStack. */
  readonly schedulerLock?: number;
}

export interface NewDevice {
  /** `climate`, `energy-meter`, `door`, `tank`, `valve` or `tracker`; `climate` if absent. */
  readonly kind?: string;
  readonly name?: string;
  readonly devEui?: string;
  readonly description?: string;
  readonly tags?: Readonly<Record<string, string>>;
}

/** The newest frames are kept for tests to look at. */
const FRAMES_KEPT = 1_000;
/** A real ChirpStack sends at most this many events of a device a second. */
const EVENTS_PER_SECOND = 10;

export class Simulator {
  readonly adminToken: string;
  readonly tenantToken: string;
  readonly readOnlyToken: string;
  readonly tenantId: TenantId;
  readonly server: ChirpstackServer;
  readonly fleet: Fleet;
  readonly #settings: SimulatorSettings;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #identity: SimulatorIdentity;
  #frames: DownlinkFrame[] = [];
  #hasHistory = false;
  #port: number | undefined;
  #lifecycle: Promise<unknown> = Promise.resolve();

  constructor(settings: SimulatorSettings, dependencies: SimulatorDependencies) {
    const { clock, logger } = dependencies;
    this.#settings = settings;
    this.#clock = clock;
    this.#logger = logger;
    this.#identity = simulatorIdentity(settings.seed);
    this.adminToken = this.#identity.adminToken;
    this.tenantToken = this.#identity.tenantToken;
    this.readOnlyToken = this.#identity.readOnlyToken;
    this.tenantId = this.#identity.tenantId;
    // A fleet that sends faster than a real stream could follow is for measuring: there it must not lose events.
    const eventsPerLook = Math.max(EVENTS_PER_SECOND, Math.ceil(2_500 / settings.period));
    const world = new World({ secret: this.#identity.secret, eventsKept: 3 * eventsPerLook });
    this.server = new ChirpstackServer({
      world,
      clock,
      logger,
      random: dependencies.random ?? seededRandom(settings.seed ^ 0x0e7e_4715),
      eventsPerLook,
      ...(dependencies.schedulerLock === undefined ? {} : { schedulerLock: dependencies.schedulerLock }),
    });
    this.fleet = new Fleet(this.server, clock, settings, this.#identity);
    this.server.downlinks.onFrame((frame) => {
      this.#frames.push(frame);
      if (this.#frames.length > 2 * FRAMES_KEPT) this.#frames = this.#frames.slice(-FRAMES_KEPT);
    });
  }

  /**
   * Starts the server and the fleet. The first start writes the past of the fleet; a later one has the same port and
   * everything that was there before.
   * @param options host: 127.0.0.1 if absent; port: that of the last start, else of the settings, else a free one
   * @throws if the port cannot be had
   */
  start(options: { readonly host?: string; readonly port?: number } = {}): Promise<{ port: number; url: string }> {
    return this.#serially(async () => {
      await this.server.close();
      if (!this.#hasHistory) {
        this.#hasHistory = true;
        await this.fleet.writeHistory();
      }
      const host = options.host ?? '127.0.0.1';
      const port = await this.server.listen(host, options.port ?? this.#port ?? this.#settings.port ?? 0);
      this.#port = port;
      this.fleet.run();
      this.server.downlinks.resume();
      const url = `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
      this.#logger.info({
        operation: 'simulate',
        event: 'started',
        message: 'The simulated ChirpStack runs',
        address: url,
        count: this.#settings.devices,
      });
      return { port, url };
    });
  }

  /**
   * Takes the server down: connections are cut, the port is free.
   * @param options fleet: `pauses` (default) ends everything; `continues` lets the devices send on into the history
   */
  stop(options: { readonly fleet?: 'continues' | 'pauses' } = {}): Promise<void> {
    return this.#serially(async () => {
      await this.server.close();
      if (options.fleet === 'continues') return;
      this.fleet.pause();
      this.server.downlinks.stop();
      this.server.timers.clear();
      this.#logger.info({ operation: 'simulate', event: 'stopped', message: 'The simulated ChirpStack has stopped' });
    });
  }

  /** Told about every uplink, with what was really sent; the past of the fleet included if subscribed before start. */
  onUplink(listener: (uplink: UplinkReport) => void): Unsubscribe {
    return this.server.network.onUplink(listener);
  }

  /** All devices, as ChirpStack knows them. */
  devices(): Device[] {
    return [...this.server.world.devices.values()];
  }

  /** Those of one kind, e.g. `valve`. */
  devicesOfKind(kind: string): Device[] {
    return Array.from(this.fleet.members())
      .filter((member) => member.kind.name === kind)
      .map((member) => member.device);
  }

  /** The newest frames that went to gateways, oldest first. */
  frames(): readonly DownlinkFrame[] {
    return this.#frames.slice(-FRAMES_KEPT);
  }

  /** Told about every frame that went to a gateway. */
  onFrame(listener: (frame: DownlinkFrame) => void): Unsubscribe {
    return this.server.downlinks.onFrame(listener);
  }

  /** What gateways answer to the next frames, e.g. `TOO_LATE` or `SILENT`; OK after `times`. */
  gatewaysAnswer(answer: GatewayAnswer, times?: number): void {
    this.server.downlinks.answerWith(answer, times);
  }

  /** Makes calls go wrong until the returned function is called. */
  failCalls(fault: CallFault): Unsubscribe {
    return this.server.failCalls(fault);
  }

  /** @throws if the kind is unknown or the DevEUI is no EUI-64 */
  addDevice(input: NewDevice = {}): DevEui {
    const name = input.kind ?? 'climate';
    const kind = kindNamed(name);
    if (kind === undefined)
      throw new Error(`kind is ${name}: it must be one of ${KINDS.map((known) => known.name).join(', ')}`);
    const { kind: _kind, devEui, ...rest } = input;
    const device = this.fleet.add({
      kind,
      ...rest,
      ...(devEui === undefined ? {} : { devEui: parseDevEui(devEui) }),
    });
    return parseDevEui(device.devEui);
  }

  renameDevice(devEui: string, name: string): void {
    const device = this.#device(devEui);
    device.name = name;
    device.updatedAt = instant(this.#clock.now());
  }

  /** Uplinks of a disabled device are ignored; downlinks are still queued. */
  disableDevice(devEui: string): void {
    this.#setDisabled(devEui, true);
  }

  enableDevice(devEui: string): void {
    this.#setDisabled(devEui, false);
  }

  /** Streams of it stay open and silent, as with a real ChirpStack. */
  deleteDevice(devEui: string): void {
    this.fleet.remove(this.#device(devEui).devEui);
  }

  /** The device sends nothing by itself any more. */
  silence(devEui: string): void {
    this.#member(devEui).isSilent = true;
  }

  /** The device sends again. */
  wake(devEui: string): void {
    this.#member(devEui).isSilent = false;
  }

  /** All LoRa gateways, as ChirpStack knows them. */
  gateways(): Gateway[] {
    return [...this.server.world.gateways.values()];
  }

  /** The gateway sends no statistics any more: a minute later ChirpStack calls it offline. It still hears devices. */
  silenceGateway(gatewayId: string): void {
    this.fleet.setGatewaySilent(this.#gateway(gatewayId).gatewayId, true);
  }

  /** The gateway sends statistics again, the first at once. */
  wakeGateway(gatewayId: string): void {
    this.fleet.setGatewaySilent(this.#gateway(gatewayId).gatewayId, false);
  }

  renameGateway(gatewayId: string, name: string): void {
    const gateway = this.#gateway(gatewayId);
    gateway.name = name;
    gateway.updatedAt = instant(this.#clock.now());
  }

  deleteGateway(gatewayId: string): void {
    this.server.world.gateways.delete(this.#gateway(gatewayId).gatewayId);
  }

  /** Whether the device acknowledges confirmed downlinks; it does unless told otherwise. */
  acknowledge(devEui: string, acknowledges: boolean): void {
    this.#member(devEui).acknowledges = acknowledges;
  }

  /** The next frames to a device are sent, but lost in the air: it does not hear them. */
  loseFrames(devEui: string, times = 1): void {
    this.server.downlinks.loseFrames(this.#device(devEui).devEui, times);
  }

  /** The device sends in one of so many periods only. */
  slowDown(devEui: string, periods: number): void {
    this.#member(devEui).slowness = Math.max(1, Math.floor(periods));
  }

  /** The data rate (index of EU868, 0–5) of the device: the lower, the less it can be sent. */
  setDataRate(devEui: string, dataRate: number): void {
    this.#member(devEui).dataRate = dataRate;
  }

  /** A command by MQTT, as an application publishes it. @param payload JSON, already parsed */
  command(devEui: string, payload: unknown): void {
    this.server.command(this.#device(devEui).devEui, payload);
  }

  /** From now on ChirpStack knows nothing of a key; streams that are open stay open. */
  deleteKey(key: 'administrator' | 'tenant' | 'read-only'): void {
    const { adminKeyId, tenantKeyId, readOnlyKeyId } = this.#identity;
    const ids = { administrator: adminKeyId, tenant: tenantKeyId, 'read-only': readOnlyKeyId };
    this.server.world.keys.delete(ids[key]);
  }

  /**
   * The device sends an uplink now.
   * @param payload bytes go through the codec; an object is taken as decoded; absent: what the device measures
   * @returns what was sent, `undefined` if the device is disabled
   */
  sendUplink(devEui: string, payload?: object | Uint8Array): UplinkReport | undefined {
    if (payload === undefined) return this.fleet.sendNow(this.#member(devEui));
    const device = this.#device(devEui);
    if (payload instanceof Uint8Array) return this.server.network.receive(device, { data: payload });
    return this.server.network.receive(device, { data: Buffer.from(JSON.stringify(payload)), object: payload });
  }

  #setDisabled(devEui: string, isDisabled: boolean): void {
    const device = this.#device(devEui);
    device.isDisabled = isDisabled;
    device.updatedAt = instant(this.#clock.now());
  }

  #device(devEui: string): Device {
    const device = this.server.world.devices.get(parseDevEui(devEui));
    if (device === undefined) throw new Error(`devEui is ${devEui}: the simulator has no such device`);
    return device;
  }

  #gateway(gatewayId: string): Gateway {
    const gateway = this.server.world.gateways.get(parseGatewayEui(gatewayId));
    if (gateway === undefined) throw new Error(`gatewayId is ${gatewayId}: the simulator has no such gateway`);
    return gateway;
  }

  #member(devEui: string): Member {
    const member = this.fleet.member(parseDevEui(devEui));
    if (member === undefined) throw new Error(`devEui is ${devEui}: the fleet has no such device`);
    return member;
  }

  /** Starts and stops never overlap. */
  #serially<Result>(step: () => Promise<Result>): Promise<Result> {
    const result = this.#lifecycle.then(step);
    this.#lifecycle = result.catch((error: unknown) => {
      this.#logger.debug({
        operation: 'simulate',
        event: 'failed',
        message: `The simulator could not start or stop: ${errorText(error)}`,
      });
    });
    return result;
  }
}
