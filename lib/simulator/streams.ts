/** StreamDeviceEvents (stream/event.rs): the stored history, then a look for more every second. */
import { LogItem } from '@chirpstack/chirpstack-api/api/internal_pb';
import type { Clock, Timer } from '../model';
import type { EventLog, LoggedEvent } from './event-log';
import { timestamp } from './instant';
import type { TimerQueue } from './timer-queue';

export interface EventStreamSettings {
  /** ms between two looks (XREAD, then sleep): 1,000. */
  readonly interval: number;
  /** Most events sent at one look (XREAD COUNT): 10. */
  readonly count: number;
}

/** The side of a gRPC stream that is needed here. */
export interface EventSink {
  write(item: LogItem): unknown;
  readonly cancelled: boolean;
  once(event: 'cancelled' | 'close', listener: () => void): unknown;
}

export function logItem(event: LoggedEvent): LogItem {
  const item = new LogItem();
  item.setId(event.id);
  item.setTime(timestamp(event.time));
  item.setDescription(event.type);
  item.setBody(event.body());
  const properties = item.getPropertiesMap();
  for (const [name, value] of event.properties()) properties.set(name, value);
  return item;
}

/** All open streams. */
export class EventStreams {
  readonly #timers: TimerQueue;
  readonly #clock: Clock;
  readonly #settings: EventStreamSettings;
  readonly #open = new Set<() => void>();

  constructor(timers: TimerQueue, clock: Clock, settings: EventStreamSettings) {
    this.#timers = timers;
    this.#clock = clock;
    this.#settings = settings;
  }

  get count(): number {
    return this.#open.size;
  }

  /** Sends the stored events of a log and follows it until the client goes. */
  follow(sink: EventSink, log: EventLog): void {
    let position = log.start;
    let timer: Timer | undefined;
    let due = this.#clock.monotonic();
    const look = (): void => {
      if (sink.cancelled) {
        stop();
        return;
      }
      const { events, next } = log.read(position, this.#settings.count);
      position = next;
      for (const event of events) sink.write(logItem(event));
      // From the time it was due, not from now: thousands of streams keep their places within the second.
      due = Math.max(due + this.#settings.interval, this.#clock.monotonic());
      timer = this.#timers.at(due, look);
    };
    const stop = (): void => {
      timer?.cancel();
      this.#open.delete(stop);
    };
    this.#open.add(stop);
    sink.once('cancelled', stop);
    sink.once('close', stop);
    look();
  }

  /** Forgets all streams; their connections are the server's to cut. */
  stop(): void {
    for (const stop of this.#open) stop();
  }
}
