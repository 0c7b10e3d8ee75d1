/**
 * Life cycle of downlinks (downlink/{data,tx_ack,scheduler}.rs): class A right after an uplink, class C by a scheduler
 * that looks once a second; what the gateway and the device answer decides what becomes of the item.
 */
import { type Clock, Emitter, type Random, type Timer, type Unsubscribe } from '../model';
import type { QueueItem } from './device-queue';
import { acknowledgementJson, deviceInfo, logJson, transmissionJson } from './event-json';
import type { EventType } from './event-log';
import { type Instant, instant, milliseconds } from './instant';
import { randomUint32 } from './random';
import type { TimerQueue } from './timer-queue';
import type { Device, World } from './world';

/** `get_downlink_data_delay`, ms from the uplink to the frame. */
const DOWNLINK_DELAY = 100;
/** ms that a gateway takes to answer. */
const GATEWAY_DELAY = 10;
/** `scheduler.interval`, ms. */
const SCHEDULER_INTERVAL = 1_000;
/** `class_a_lock_duration` and `class_c_lock_duration`, ms in which the scheduler leaves a device alone. */
const DEFAULT_LOCK = 5_000;

/** Largest application payload by EU868 data rate (RP002, no repeater), bytes. */
const MAX_PAYLOAD = [51, 51, 51, 115, 242, 242] as const;
const CLASS_C = { frequency: 869_525_000, power: 29, dataRate: 0 } as const;
const CLASS_A_POWER = 16;

/** What a gateway says to a frame: sent, an error of gw.TxAckStatus, or nothing at all. */
export type GatewayAnswer =
  | 'OK'
  | 'TOO_LATE'
  | 'TOO_EARLY'
  | 'COLLISION_PACKET'
  | 'COLLISION_BEACON'
  | 'TX_FREQ'
  | 'TX_POWER'
  | 'GPS_UNLOCKED'
  | 'QUEUE_FULL'
  | 'DUTY_CYCLE_OVERFLOW'
  | 'SILENT';

/** A frame that went to a gateway. */
export interface DownlinkFrame {
  readonly devEui: string;
  readonly queueItemId: string;
  /** ms UTC */
  readonly time: number;
  readonly fPort: number;
  readonly fCntDown: number;
  readonly data: Uint8Array;
  readonly confirmed: boolean;
  readonly answer: GatewayAnswer;
  /** Whether the device heard it: not if the gateway refused it, nor if it was lost in the air; silence says nothing. */
  readonly reachedDevice: boolean;
}

interface ReceivedUplink {
  readonly deduplicationId: string;
  readonly time: Instant;
  readonly dataRate: number;
  /** Hz */
  readonly frequency: number;
  readonly acknowledges: boolean;
}

export interface DownlinkDependencies {
  readonly world: World;
  readonly clock: Clock;
  readonly random: Random;
  readonly timers: TimerQueue;
  readonly onListenerError: (error: unknown) => void;
  /** ms, see DEFAULT_LOCK */
  readonly lock?: number;
}

export class Downlinks {
  readonly #world: World;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #timers: TimerQueue;
  readonly #lock: number;
  readonly #frames: Emitter<DownlinkFrame>;
  #answers: { readonly answer: GatewayAnswer; remaining: number } | undefined;
  /** Class C devices with something in the queue, and when the scheduler may touch them, monotonic ms. */
  readonly #scheduled = new Set<Device>();
  readonly #lockedUntil = new WeakMap<Device, number>();
  /** Devices of which a frame is with a gateway that has not answered yet: ChirpStack's lock keeps others from it. */
  readonly #underWay = new Set<Device>();
  #tick: Timer | undefined;
  /** By DevEUI: how many of the next frames are lost in the air. */
  readonly #lost = new Map<string, number>();

  constructor(dependencies: DownlinkDependencies) {
    this.#world = dependencies.world;
    this.#clock = dependencies.clock;
    this.#random = dependencies.random;
    this.#timers = dependencies.timers;
    this.#lock = dependencies.lock ?? DEFAULT_LOCK;
    this.#frames = new Emitter(dependencies.onListenerError);
  }

  /** Told about every frame that went to a gateway. */
  onFrame(listener: (frame: DownlinkFrame) => void): Unsubscribe {
    return this.#frames.on(listener);
  }

  /** What gateways answer to the next `times` frames; OK after that. */
  answerWith(answer: GatewayAnswer, times = Number.POSITIVE_INFINITY): void {
    this.#answers = { answer, remaining: times };
  }

  /** The next frames to a device are sent, but it does not hear them. */
  loseFrames(devEui: string, times: number): void {
    this.#lost.set(devEui, times);
  }

  /** To be called when something was put into a device's queue. */
  enqueued(device: Device): void {
    if (device.deviceClass === 'A') return;
    this.#scheduled.add(device);
    this.#startScheduler();
  }

  /** Judges a pending item by the uplink and gives the device its next downlink. */
  uplinkReceived(device: Device, uplink: ReceivedUplink): void {
    const { pending } = device.queue;
    if (uplink.acknowledges && pending !== undefined) {
      device.queue.remove(pending);
      this.#acknowledge(device, pending, true, uplink.deduplicationId, uplink.time, milliseconds(uplink.time));
    }
    if (device.deviceClass !== 'A') {
      this.#lockedUntil.set(device, this.#clock.monotonic() + DOWNLINK_DELAY + this.#lock);
    }
    if (device.queue.items.length === 0) return;
    this.#timers.after(DOWNLINK_DELAY, () => {
      this.#sendNext(device, uplink.deduplicationId, {
        dataRate: uplink.dataRate,
        frequency: uplink.frequency,
        power: CLASS_A_POWER,
        immediately: false,
      });
    });
  }

  /** Forgets the scheduler, not the queues. */
  stop(): void {
    this.#tick?.cancel();
    this.#tick = undefined;
    // Their gateways' answers are forgotten with the other timers.
    this.#underWay.clear();
  }

  /** Goes on after {@link stop}. */
  resume(): void {
    if (this.#scheduled.size > 0) this.#startScheduler();
  }

  #startScheduler(): void {
    this.#tick ??= this.#timers.after(SCHEDULER_INTERVAL, () => {
      this.#tick = undefined;
      for (const device of this.#scheduled) this.#schedule(device);
      if (this.#scheduled.size > 0) this.#startScheduler();
    });
  }

  #schedule(device: Device): void {
    if (device.queue.items.length === 0 || this.#world.devices.get(device.devEui) !== device) {
      this.#scheduled.delete(device);
      return;
    }
    const now = this.#clock.monotonic();
    if (device.isDisabled || (this.#lockedUntil.get(device) ?? 0) > now) return;
    if (this.#sendNext(device, '', { ...CLASS_C, immediately: true })) this.#lockedUntil.set(device, now + this.#lock);
  }

  /** Whether a frame went out. */
  #sendNext(
    device: Device,
    deduplicationId: string,
    window: { dataRate: number; frequency: number; power: number; immediately: boolean },
  ): boolean {
    if (this.#underWay.has(device)) return false;
    for (;;) {
      const now = this.#clock.now();
      const item = device.queue.next(now);
      if (item === undefined) return false;
      if (item.isPending) {
        device.queue.remove(item);
        this.#acknowledge(device, item, false, deduplicationId, instant(now), now);
        continue;
      }
      const fault = this.#fault(device, item, window.dataRate, now);
      if (fault !== undefined) {
        device.queue.remove(item);
        this.#log(device, fault.code, fault.description, { queue_item_id: item.id, ...fault.context });
        continue;
      }
      this.#send(device, item, window);
      return true;
    }
  }

  #fault(
    device: Device,
    item: QueueItem,
    dataRate: number,
    now: number,
  ): { code: string; description: string; context: Record<string, string> } | undefined {
    if (item.expiresAt !== undefined && milliseconds(item.expiresAt) < now)
      return { code: 'EXPIRED', description: 'Device queue-item discarded because it has expired', context: {} };
    const limit = MAX_PAYLOAD[dataRate] ?? MAX_PAYLOAD[5];
    if (item.data.length > limit)
      return {
        code: 'DOWNLINK_PAYLOAD_SIZE',
        description: 'Device queue-item discarded because it exceeds the max. payload size',
        context: { max_payload_size: String(limit), item_size: String(item.data.length) },
      };
    if (item.isEncrypted && item.fCntDown < device.fCntDown)
      return {
        code: 'F_CNT_DOWN',
        description: 'Device queue-item discarded because the frame-counter is invalid',
        context: {
          device_f_cnt_down: String(device.fCntDown),
          queue_item_f_cnt_down: String(item.fCntDown),
        },
      };
    return undefined;
  }

  #send(
    device: Device,
    item: QueueItem,
    window: { dataRate: number; frequency: number; power: number; immediately: boolean },
  ): void {
    if (!item.isEncrypted) item.fCntDown = device.fCntDown;
    const answer = this.#nextAnswer();
    const sentAt = this.#clock.now();
    // The device hears a frame a little after the gateway has taken it, so that txack comes before its answer.
    this.#underWay.add(device);
    this.#timers.after(GATEWAY_DELAY, () => {
      this.#underWay.delete(device);
      this.#answered(device, item, window, answer);
      this.#frames.emit({
        devEui: device.devEui,
        queueItemId: item.id,
        time: sentAt,
        fPort: item.fPort,
        fCntDown: item.fCntDown,
        data: item.data,
        confirmed: item.confirmed,
        answer,
        reachedDevice: (answer === 'OK' || answer === 'SILENT') && !this.#isLost(device.devEui),
      });
    });
  }

  #answered(
    device: Device,
    item: QueueItem,
    window: { dataRate: number; frequency: number; power: number; immediately: boolean },
    answer: GatewayAnswer,
  ): void {
    if (answer === 'SILENT') return;
    if (answer !== 'OK') {
      this.#log(device, 'DOWNLINK_GATEWAY', answer, {});
      return;
    }
    const now = this.#clock.now();
    const time = instant(now);
    device.fCntDown = Math.max(device.fCntDown, item.fCntDown + 1);
    if (item.confirmed && device.queue.holds(item)) {
      item.isPending = true;
      const timeout = this.#world.profiles.get(device.profileId)?.classCTimeout ?? 0;
      if (device.deviceClass !== 'A') item.timeoutAfter = now + timeout * 1_000;
    } else device.queue.remove(item);
    const info = deviceInfo(this.#world, device, false);
    const sent = {
      downlinkId: randomUint32(this.#random),
      time,
      queueItemId: item.id,
      fCntDown: item.fCntDown,
      gatewayId: this.#gatewayOf(device),
      context: Buffer.from('kit').toString('base64'),
      ...window,
    };
    this.#publish(device, 'txack', now, time, () => transmissionJson(info, sent));
  }

  #isLost(devEui: string): boolean {
    const left = this.#lost.get(devEui) ?? 0;
    if (left > 1) this.#lost.set(devEui, left - 1);
    else this.#lost.delete(devEui);
    return left > 0;
  }

  #nextAnswer(): GatewayAnswer {
    if (this.#answers === undefined || this.#answers.remaining <= 0) return 'OK';
    this.#answers.remaining--;
    return this.#answers.answer;
  }

  #gatewayOf(device: Device): string {
    const tenantId = this.#world.tenantOf(device);
    for (const gateway of this.#world.gateways.values()) if (gateway.tenantId === tenantId) return gateway.gatewayId;
    return '';
  }

  #acknowledge(
    device: Device,
    item: QueueItem,
    acknowledged: boolean,
    deduplicationId: string,
    time: Instant,
    at: number,
  ): void {
    const info = deviceInfo(this.#world, device);
    const body = { deduplicationId, time, queueItemId: item.id, acknowledged, fCntDown: item.fCntDown };
    this.#publish(device, 'ack', at, time, () => acknowledgementJson(info, body));
  }

  #log(device: Device, code: string, description: string, context: Record<string, string>): void {
    const now = this.#clock.now();
    const time = instant(now);
    const info = deviceInfo(this.#world, device);
    const body = { time, level: 'ERROR', code, description, context } as const;
    this.#publish(device, 'log', now, time, () => logJson(info, body), [
      ['Code', code],
      ['Level', 'ERROR'],
    ]);
  }

  #publish(
    device: Device,
    type: EventType,
    at: number,
    time: Instant,
    json: () => object,
    properties: readonly (readonly [string, string])[] = [],
  ): void {
    this.#world
      .events(device.devEui)
      .append(at, { time, type, body: () => JSON.stringify(json()), properties: () => properties });
  }
}
