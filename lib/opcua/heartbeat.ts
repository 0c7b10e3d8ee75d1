/**
 * Heartbeats of SourceTimestamps, for clients that judge the age of a value by it: LoRaWAN devices send every ten
 * minutes or once a day, and such clients would call that bad. Only in what OPC UA shows: history has the true times.
 */
import type { Clock, Device, DeviceProfile, Timer } from '../model';
import { SOURCE_TIMES, type SourceTime } from './settings';
import type { Work } from './slices';

/** Tag of a device or of its profile. */
const TAG = 'source_time';

/** What tags say of the source times of a device; the device's own comes first, a senseless one is as good as none. */
export function sourceTimeOf(
  device: Pick<Device, 'tags'> | undefined,
  profile: Pick<DeviceProfile, 'tags'> | undefined,
  fallback: SourceTime,
): SourceTime {
  for (const tags of [device?.tags, profile?.tags]) {
    const said = tags !== undefined && Object.hasOwn(tags, TAG) ? tags[TAG]?.trim() : undefined;
    const mode = SOURCE_TIMES.find((name) => name === said);
    if (mode !== undefined) return mode;
  }
  return fallback;
}

/** What has values whose times can be set. */
export interface Beating {
  beat(now: Date): void;
  /** Shows true times again. */
  endBeat(now: Date): void;
}

export interface HeartbeatOptions {
  readonly clock: Clock;
  /** ms */
  readonly interval: number;
  /** What devices do of which no tag says anything. */
  readonly fallback: SourceTime;
  /** Does work in slices. */
  readonly schedule: (work: Work) => void;
}

export class Heartbeat {
  readonly #options: HeartbeatOptions;
  readonly #beating = new Set<Beating>();
  #timer: Timer | undefined;
  /** Work of the last beat that is not done yet. */
  #isUnderWay = false;
  #closed = false;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
  }

  /** Lets a device beat or not, as its tags say. */
  follow(
    device: Beating,
    tags: Pick<Device, 'tags'> | undefined,
    profile: Pick<DeviceProfile, 'tags'> | undefined,
  ): void {
    if (sourceTimeOf(tags, profile, this.#options.fallback) === 'heartbeat') {
      this.#beating.add(device);
      if (!this.#closed) this.#timer ??= this.#options.clock.every(this.#options.interval, () => this.#beat());
    } else if (this.#beating.delete(device)) {
      device.endBeat(this.#now());
      this.#stopIfIdle();
    }
  }

  delete(device: Beating): void {
    if (this.#beating.delete(device)) this.#stopIfIdle();
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #now(): Date {
    return new Date(this.#options.clock.now());
  }

  #beat(): void {
    if (this.#isUnderWay) return;
    this.#isUnderWay = true;
    this.#options.schedule(this.#work());
  }

  *#work(): Generator<void> {
    try {
      for (const device of this.#beating) {
        device.beat(this.#now());
        yield;
      }
    } finally {
      this.#isUnderWay = false;
    }
  }

  #stopIfIdle(): void {
    if (this.#beating.size > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
