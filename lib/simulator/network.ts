/** The network server: takes uplinks in, decodes them, keeps metrics and publishes events (uplink/data.rs). */
import { type Clock, Emitter, flatten, type Random, type Unsubscribe } from '../model';
import { CodecError } from './codec';
import type { Downlinks } from './downlinks';
import { deviceInfo, joinJson, logJson, type Reception, statusJson, uplinkJson } from './event-json';
import type { EventType } from './event-log';
import { type Instant, instant, milliseconds } from './instant';
import { randomUint32, randomUuid } from './random';
import type { Device, World } from './world';

/** What a device sends. Everything but the payload has a believable default. */
export interface Uplink {
  readonly data: Uint8Array;
  /** 2 */
  readonly fPort?: number;
  readonly confirmed?: boolean;
  /** Whether the frame acknowledges the last confirmed downlink. */
  readonly acknowledges?: boolean;
  /** Taken as decoded, in place of what the codec makes of the payload. */
  readonly object?: object;
  /** Time at the gateway; now. */
  readonly time?: Instant;
  /** ms UTC at which the server publishes it; now. */
  readonly receivedAt?: number;
  /** Time at which the server takes it as seen; `receivedAt`. */
  readonly seenAt?: Instant;
  readonly deduplicationId?: string;
  /** 5 */
  readonly dataRate?: number;
  /** Hz, 868,100,000 */
  readonly frequency?: number;
  /** One by the first gateway of the tenant. */
  readonly receptions?: readonly ReceptionInput[];
}

export interface ReceptionInput {
  readonly gatewayId: string;
  /** dBm */
  readonly rssi: number;
  /** dB */
  readonly snr: number;
  readonly channel?: number;
  readonly uplinkId?: number;
  readonly serverTime?: Instant;
}

/** What was really sent, for those who compare it with what they received. */
export interface UplinkReport {
  readonly devEui: string;
  /** ms UTC, as in the event. */
  readonly time: number;
  /** Decoded and not flattened; absent if there is no codec or it failed. */
  readonly object?: object;
  readonly deduplicationId: string;
  readonly fCnt: number;
  readonly fPort: number;
  readonly data: Uint8Array;
  readonly dataRate: number;
  /** Hz */
  readonly frequency: number;
  readonly receptions: readonly { readonly gatewayId: string; readonly rssi: number; readonly snr: number }[];
  /** Why there is no object although there is a codec. */
  readonly codecError?: string;
  /** Belongs to the past that a fleet starts with. */
  readonly isHistory: boolean;
}

/** Gateways put something opaque here that comes back with each downlink. */
const CONTEXT = Buffer.from('kit').toString('base64');

export interface NetworkDependencies {
  readonly world: World;
  readonly clock: Clock;
  readonly random: Random;
  readonly downlinks: Downlinks;
  readonly onListenerError: (error: unknown) => void;
}

export class Network {
  readonly #world: World;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #downlinks: Downlinks;
  readonly #uplinks: Emitter<UplinkReport>;

  constructor(dependencies: NetworkDependencies) {
    this.#world = dependencies.world;
    this.#clock = dependencies.clock;
    this.#random = dependencies.random;
    this.#downlinks = dependencies.downlinks;
    this.#uplinks = new Emitter(dependencies.onListenerError);
  }

  /** Told about every uplink that was published. */
  onUplink(listener: (report: UplinkReport) => void): Unsubscribe {
    return this.#uplinks.on(listener);
  }

  /** `undefined` if the device is disabled: then nothing happens. */
  receive(device: Device, uplink: Uplink, isHistory = false): UplinkReport | undefined {
    if (device.isDisabled) return undefined;
    const profile = this.#world.profiles.get(device.profileId);
    if (profile === undefined) return undefined;
    const time = uplink.time ?? this.#risingTime(device);
    const timeMs = milliseconds(time);
    const receivedAt = uplink.receivedAt ?? (uplink.time === undefined ? timeMs : this.#clock.now());
    device.lastUplink = Math.max(device.lastUplink, Math.floor(timeMs));
    const fPort = uplink.fPort ?? 2;
    const decoded = this.#decode(device, uplink, fPort, timeMs);
    const fCnt = device.fCntUp++;
    const dataRate = uplink.dataRate ?? 5;
    const frequency = uplink.frequency ?? 868_100_000;
    const receptions = this.#receptions(device, uplink, time, receivedAt);
    const deduplicationId = uplink.deduplicationId ?? randomUuid(this.#random);
    const info = deviceInfo(this.#world, device);
    const frame = {
      deduplicationId,
      time,
      devAddr: device.devAddr,
      dataRate,
      fCnt,
      fPort,
      confirmed: uplink.confirmed ?? false,
      data: uplink.data,
      ...(decoded.object === undefined ? {} : { object: decoded.object }),
      receptions,
      frequency,
    };
    this.#publish(
      device,
      'up',
      receivedAt,
      time,
      () => uplinkJson(info, frame),
      () => [
        ['DR', String(dataRate)],
        ['Data', Buffer.from(uplink.data).toString('hex')],
        ['FCnt', String(fCnt)],
        ['FPort', String(fPort)],
      ],
    );
    if (decoded.error !== undefined)
      this.#log(device, receivedAt, 'UPLINK_CODEC', decoded.error, { deduplication_id: deduplicationId });
    this.#measure(device, decoded.object, timeMs);
    const best = receptions.reduce((a, b) => (b.rssi > a.rssi ? b : a), receptions[0] ?? { rssi: 0, snr: 0 });
    device.link.save({ rssi: best.rssi, snr: best.snr, frequency, dataRate }, receivedAt);
    device.lastSeenAt = uplink.seenAt ?? instant(receivedAt);
    device.dataRate = dataRate;
    const report: UplinkReport = {
      devEui: device.devEui,
      time: timeMs,
      ...(decoded.object === undefined ? {} : { object: decoded.object }),
      deduplicationId,
      fCnt,
      fPort,
      data: uplink.data,
      dataRate,
      frequency,
      receptions,
      ...(decoded.error === undefined ? {} : { codecError: decoded.error }),
      isHistory,
    };
    this.#uplinks.emit(report);
    if (!isHistory) {
      this.#downlinks.uplinkReceived(device, {
        deduplicationId,
        time,
        dataRate,
        frequency,
        acknowledges: uplink.acknowledges ?? false,
      });
    }
    return report;
  }

  /** The device answered DevStatusReq (TS001 §5.5). @param time of the uplink that carried it */
  status(
    device: Device,
    status: { readonly margin: number; readonly externalPower: boolean; readonly batteryLevel?: number },
    time: Instant = instant(this.#clock.now()),
    deduplicationId: string = randomUuid(this.#random),
  ): void {
    const level = status.externalPower ? undefined : status.batteryLevel;
    device.status = {
      margin: status.margin,
      externalPower: status.externalPower,
      batteryLevel: level === undefined ? -1 : Math.round(level * 100) / 100,
    };
    const info = deviceInfo(this.#world, device);
    const { margin, externalPower } = status;
    const body = {
      deduplicationId,
      time,
      margin,
      externalPower,
      ...(level === undefined ? {} : { batteryLevel: level }),
    };
    this.#publish(
      device,
      'status',
      milliseconds(time),
      time,
      () => statusJson(info, body),
      () => [
        ['Battery level', (level ?? 0).toFixed(2)],
        ['Battery level unavailable', String(!externalPower && level === undefined)],
        ['External power source', String(externalPower)],
        ['Margin', String(margin)],
      ],
    );
  }

  /** The device joined: counters start again, and the queue is flushed, as profiles ask for by default. */
  join(device: Device, time: Instant = instant(this.#clock.now())): void {
    device.fCntUp = 0;
    device.fCntDown = 0;
    device.queue.flush();
    const info = deviceInfo(this.#world, device);
    const body = { deduplicationId: randomUuid(this.#random), time, devAddr: device.devAddr };
    this.#publish(
      device,
      'join',
      milliseconds(time),
      time,
      () => joinJson(info, body),
      () => [['DevAddr', device.devAddr]],
    );
  }

  #log(device: Device, at: number, code: string, description: string, context: Record<string, string>): void {
    const info = deviceInfo(this.#world, device);
    const time = instant(at);
    const body = { time, level: 'ERROR', code, description, context } as const;
    this.#publish(
      device,
      'log',
      at,
      time,
      () => logJson(info, body),
      () => [
        ['Code', code],
        ['Level', 'ERROR'],
      ],
    );
  }

  #publish(
    device: Device,
    type: EventType,
    at: number,
    time: Instant,
    json: () => object,
    properties: () => [string, string][],
  ): void {
    this.#world.events(device.devEui).append(at, {
      time,
      type,
      body: () => JSON.stringify(json()),
      properties,
    });
  }

  #risingTime(device: Device): Instant {
    return instant(Math.max(Math.floor(this.#clock.now()), device.lastUplink + 1));
  }

  #decode(device: Device, uplink: Uplink, fPort: number, time: number): { object?: object; error?: string } {
    if (uplink.object !== undefined) return { object: uplink.object };
    const codec = this.#world.profiles.get(device.profileId)?.codec;
    // ChirpStack does not call the codec for an empty payload.
    if (codec === undefined || uplink.data.length === 0) return {};
    try {
      const object = codec.decode({ bytes: uplink.data, fPort, recvTime: time, variables: device.variables });
      return object === undefined ? {} : { object };
    } catch (error) {
      if (!(error instanceof CodecError)) throw error;
      return { error: error.message };
    }
  }

  #receptions(device: Device, uplink: Uplink, time: Instant, receivedAt: number): Reception[] {
    const inputs = uplink.receptions ?? this.#defaultReception(device);
    return inputs.map((input) => ({
      gatewayId: input.gatewayId,
      uplinkId: input.uplinkId ?? randomUint32(this.#random),
      gatewayTime: time,
      serverTime: input.serverTime ?? instant(receivedAt),
      rssi: input.rssi,
      snr: input.snr,
      channel: input.channel ?? 0,
      location: this.#world.gateways.get(input.gatewayId)?.location ?? { latitude: 0, longitude: 0, altitude: 0 },
      context: CONTEXT,
    }));
  }

  #defaultReception(device: Device): ReceptionInput[] {
    const tenantId = this.#world.tenantOf(device);
    for (const gateway of this.#world.gateways.values())
      if (gateway.tenantId === tenantId) return [{ gatewayId: gateway.gatewayId, rssi: -60, snr: 7.5 }];
    return [];
  }

  #measure(device: Device, object: object | undefined, time: number): void {
    const measurements = this.#world.profiles.get(device.profileId)?.measurements;
    if (object === undefined || measurements === undefined) return;
    for (const [key, value] of Object.entries(flatten(object).values)) {
      const kind = Object.hasOwn(measurements, key) ? measurements[key]?.kind : undefined;
      if (kind !== undefined) device.measurements.save(key, kind, value, time);
    }
  }
}
