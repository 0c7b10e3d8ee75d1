/**
 * Heartbeats of SourceTimestamps, for clients that judge the age of a value by it: LoRaWAN devices send every ten
 * minutes or once a day, and such clients would call that bad. Only in what OPC UA shows: history has the true times.
 */
import type { Clock, Device, DeviceProfile, Timer, Unsubscribe } from '../../model';
import type { LiveView } from '../live-settings';
import { SOURCE_TIMES, type SourceTime } from '../settings';
import type { Work } from './slices';

/** Tag of a device or of its profile. */
const TAG = 'source_time';

/**
 * What tags say of the source times of a device, if they say something; the device's own comes first, a senseless one is
 * as good as none.
 */
export function sourceTimeOf(
  device: Pick<Device, 'tags'> | undefined,
  profile: Pick<DeviceProfile, 'tags'> | undefined,
): SourceTime | undefined {
  for (const tags of [device?.tags, profile?.tags]) {
    const said = tags !== undefined && Object.hasOwn(tags, TAG) ? tags[TAG]?.trim() : undefined;
    const mode = SOURCE_TIMES.find((name) => name === said);
    if (mode !== undefined) return mode;
  }
  return undefined;
}

/** What has values whose times can be set. */
export interface Beating {
  beat(now: Date): void;
  /** Shows true times again. */
  endBeat(now: Date): void;
}

export interface HeartbeatOptions {
  readonly clock: Clock;
  /** How often, and what devices do of which no tag says anything. */
  readonly settings: LiveView<'heartbeatSeconds' | 'sourceTime'>;
  /** Does work in slices. */
  readonly schedule: (work: Work) => void;
}

export class Heartbeat {
  readonly #options: HeartbeatOptions;
  readonly #beating = new Set<Beating>();
  /** What tags say of each device. */
  readonly #followed = new Map<Beating, SourceTime | undefined>();
  readonly #unsubscribe: Unsubscribe;
  #timer: Timer | undefined;
  /** The settings that are followed now. */
  #interval: number;
  #fallback: SourceTime;
  /** Work of the last beat that is not done yet. */
  #isUnderWay = false;
  #closed = false;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
    const { heartbeatSeconds, sourceTime } = options.settings.current;
    this.#interval = heartbeatSeconds;
    this.#fallback = sourceTime;
    this.#unsubscribe = options.settings.onChange(() => this.#adapt());
  }

  /** Lets a device beat or not, as its tags say. */
  follow(
    device: Beating,
    tags: Pick<Device, 'tags'> | undefined,
    profile: Pick<DeviceProfile, 'tags'> | undefined,
  ): void {
    const said = sourceTimeOf(tags, profile);
    this.#followed.set(device, said);
    this.#decide(device, said);
  }

  delete(device: Beating): void {
    this.#followed.delete(device);
    if (this.#beating.delete(device)) this.#stopIfIdle();
  }

  close(): void {
    this.#closed = true;
    this.#unsubscribe();
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #decide(device: Beating, said: SourceTime | undefined): void {
    if ((said ?? this.#fallback) === 'heartbeat') {
      this.#beating.add(device);
      if (!this.#closed) this.#timer ??= this.#options.clock.every(this.#interval * 1_000, () => this.#beat());
    } else if (this.#beating.delete(device)) {
      device.endBeat(this.#now());
      this.#stopIfIdle();
    }
  }

  #adapt(): void {
    const { heartbeatSeconds, sourceTime } = this.#options.settings.current;
    if (heartbeatSeconds !== this.#interval) {
      this.#interval = heartbeatSeconds;
      const wasRunning = this.#timer !== undefined;
      this.#timer?.cancel();
      this.#timer = wasRunning ? this.#options.clock.every(heartbeatSeconds * 1_000, () => this.#beat()) : undefined;
    }
    if (sourceTime === this.#fallback) return;
    this.#fallback = sourceTime;
    this.#options.schedule(this.#decideAnew());
  }

  /** For devices of which no tag says anything. */
  *#decideAnew(): Generator<void> {
    for (const [device, said] of this.#followed) {
      if (said !== undefined) continue;
      this.#decide(device, said);
      yield;
    }
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
