/** What a kind of device is: its profile with codec, and how one device of it behaves. */
import type { MeasurementKind, Random } from '../../model';

export interface DeviceKind {
  /** Short name used by programs, e.g. `climate`. */
  readonly name: string;
  /** Name of the device profile. */
  readonly profileName: string;
  readonly profileDescription: string;
  /** Name of the application its devices are in. */
  readonly application: string;
  /** What it is called on the plant, e.g. `Climate`. */
  readonly noun: string;
  readonly deviceClass: 'A' | 'C';
  /** JavaScript, exactly as the profile shows it. */
  readonly codec: string;
  readonly measurements: Readonly<Record<string, { readonly name: string; readonly kind: MeasurementKind }>>;
  readonly profileTags: Readonly<Record<string, string>>;
  /** Makes one device. @param random its own source: devices do not influence each other */
  create(random: Random): DeviceModel;
}

/** The physics of one device. */
export interface DeviceModel {
  /** What it sends at an instant. Called with rising times. @param time ms UTC */
  measure(time: number): { readonly fPort: number; readonly data: Uint8Array };
  /** % of its battery; absent for what is powered from the mains. @param time ms UTC */
  battery?(time: number): number;
  /** A downlink reached it. @param time ms UTC */
  receive?(frame: { readonly fPort: number; readonly data: Uint8Array }, time: number): void;
}

const HOUR = 3_600_000;

/** −1…1 over a day: lowest at 4 in the morning, highest at 4 in the afternoon, UTC. */
export function dailyCurve(time: number): number {
  return -Math.cos((((time / HOUR) % 24) - 4) * (Math.PI / 12));
}

/** Hours between two instants, never negative. */
export function hoursBetween(from: number, to: number): number {
  return Math.max(0, to - from) / HOUR;
}

export function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}

/** Big-endian integers, each as `[value, bytes]`; values are rounded and cut to their size. */
export function pack(...fields: readonly (readonly [number, 1 | 2 | 4])[]): Uint8Array {
  const buffer = Buffer.alloc(fields.reduce((size, [, bytes]) => size + bytes, 0));
  let offset = 0;
  for (const [value, bytes] of fields) {
    const limit = 2 ** (8 * bytes);
    const whole = ((Math.round(value) % limit) + limit) % limit;
    buffer.writeUIntBE(whole, offset, bytes);
    offset += bytes;
  }
  return buffer;
}

/** Voltage of a lithium cell that goes slowly empty over years, V. */
export class Battery {
  #level: number;
  readonly #perHour: number;
  #last: number | undefined;

  constructor(random: Random) {
    this.#level = 55 + 45 * random();
    this.#perHour = (0.5 + random()) / 500;
  }

  /** % */
  level(time: number): number {
    if (this.#last !== undefined) this.#level -= this.#perHour * hoursBetween(this.#last, time);
    this.#last = time;
    // Somebody changes it before it is empty.
    if (this.#level < 5) this.#level = 100;
    return this.#level;
  }

  /** V */
  voltage(time: number): number {
    return 3 + 0.006 * this.level(time);
  }
}
