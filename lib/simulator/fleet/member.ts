/** One device of a fleet: its physics, its radio, and what is peculiar about it. */
import type { Random, Timer } from '../../model';
import { instant } from '../instant';
import type { Uplink } from '../network';
import { gaussian, randomInteger } from '../random';
import type { Device } from '../world';
import type { DeviceKind, DeviceModel } from './kind';

/** EU868 channels that every device has. */
const CHANNELS = [868_100_000, 868_300_000, 868_500_000] as const;
/** Uplinks between two answers to DevStatusReq. */
const UPLINKS_PER_STATUS = 20;
/** A device with a fault sends a cut payload this often. */
const UPLINKS_PER_FAULT = 5;

export type Peculiarity =
  | 'none'
  /** stops for ever after a few uplinks */
  | 'falls-silent'
  /** sends payloads now and then that its codec refuses */
  | 'faulty-payloads'
  /** is known to ChirpStack and was never heard */
  | 'never-seen';

/** Uplinks after its history that a device sends before it falls silent. */
export const UPLINKS_BEFORE_SILENCE = 3;

export class Member {
  readonly device: Device;
  readonly kind: DeviceKind;
  readonly peculiarity: Peculiarity;
  /** When it sends next, monotonic ms. */
  due = 0;
  timer: Timer | undefined;
  isSilent: boolean;
  /** Whether it acknowledges confirmed downlinks. */
  acknowledges = true;
  /** It sends in each n-th period only. */
  slowness = 1;
  /** Data-rate index of its uplinks, and so of what it can be sent in answer. */
  dataRate: number;
  #owesAcknowledgement = false;
  #live = 0;
  #count: number;
  readonly #model: DeviceModel;
  readonly #random: Random;
  readonly #gatewayIds: readonly string[];
  readonly #rssi: number;
  readonly #margin: number;

  constructor(
    device: Device,
    kind: DeviceKind,
    peculiarity: Peculiarity,
    random: Random,
    gatewayIds: readonly string[],
  ) {
    this.device = device;
    this.kind = kind;
    this.peculiarity = peculiarity;
    this.isSilent = peculiarity === 'never-seen';
    this.#random = random;
    this.#gatewayIds = gatewayIds;
    this.#model = kind.create(random);
    this.#rssi = randomInteger(random, -110, -55);
    this.dataRate = this.#rssi > -90 ? 5 : randomInteger(random, 2, 4);
    this.#margin = Math.max(1, Math.min(31, Math.round((this.#rssi + 125) / 3)));
    this.#count = randomInteger(random, 0, UPLINKS_PER_STATUS - 1);
  }

  /** What it sends now. @param time ms UTC @param isHistory of the past that a fleet starts with */
  uplink(time: number, isHistory: boolean): Uplink {
    const measured = this.#model.measure(time);
    this.#count++;
    if (!isHistory) this.#live++;
    const isCut = this.peculiarity === 'faulty-payloads' && this.#count % UPLINKS_PER_FAULT === 0;
    const channel = randomInteger(this.#random, 0, CHANNELS.length - 1);
    const acknowledges = this.#owesAcknowledgement && this.acknowledges;
    this.#owesAcknowledgement = false;
    return {
      fPort: measured.fPort,
      data: isCut ? measured.data.subarray(0, 2) : measured.data,
      acknowledges,
      dataRate: this.dataRate,
      frequency: CHANNELS[channel] ?? CHANNELS[0],
      receptions: this.#receptions(channel),
      ...(isHistory ? { time: instant(time), receivedAt: time } : {}),
    };
  }

  /** Whether this was the last uplink of a device that falls silent. */
  get hasFallenSilent(): boolean {
    return this.peculiarity === 'falls-silent' && this.#live >= UPLINKS_BEFORE_SILENCE;
  }

  /** Whether it is time to answer a DevStatusReq with this uplink. */
  get isStatusDue(): boolean {
    return this.#count % UPLINKS_PER_STATUS === 0;
  }

  /** @param time ms UTC */
  status(time: number): { margin: number; externalPower: boolean; batteryLevel?: number } {
    const level = this.#model.battery?.(time);
    if (level === undefined) return { margin: this.#margin, externalPower: true };
    // The device tells 1…254 (TS001 §5.5).
    const raw = Math.min(Math.max(Math.round((level / 100) * 254), 1), 254);
    return { margin: this.#margin, externalPower: false, batteryLevel: (raw / 254) * 100 };
  }

  /** A downlink reached it. @param time ms UTC */
  receive(
    frame: { readonly fPort: number; readonly data: Uint8Array; readonly confirmed: boolean },
    time: number,
  ): void {
    if (frame.confirmed) this.#owesAcknowledgement = true;
    this.#model.receive?.(frame, time);
  }

  #receptions(channel: number): NonNullable<Uplink['receptions']> {
    const heard = this.#rssi > -80 ? this.#gatewayIds.length : 1;
    return this.#gatewayIds.slice(0, heard).map((gatewayId, index) => {
      const rssi = Math.round(this.#rssi - 12 * index + gaussian(this.#random, 2));
      const snr = Math.round(4 * Math.max(-18, Math.min(12, (rssi + 105) / 3))) / 4;
      return { gatewayId, rssi, snr, channel };
    });
  }
}
