/**
 * The event streams of all devices: one StreamDeviceEvents each, since ChirpStack offers no stream of many. When the
 * server is down nobody tries by itself: the connection's probe finds out when it is back, and then all streams open.
 */
import type { Clock, DevEui, Logger, Random, Timer, Unsubscribe } from '../model';
import { backoffDelay } from './backoff';
import { type CallFailure, codeName, logReasonOf } from './call-failure';
import type { ConnectionStatus, EventStream, EventStreamListener } from './connection';
import { FaultLog } from './fault-log';
import { OpeningQueue } from './opening-queue';
import { RecentIds } from './recent-ids';
import type { StreamItem } from './replies';

const RETRY = { min: 500, max: 30_000 } as const;
/** For streams that the server refuses for this device alone: gone, not permitted, not offered. */
const REFUSED_RETRY = { min: 60_000, max: 300_000 } as const;
/** A stream that was open so long was a good one: its next retry begins anew, ms. */
const STABLE_AFTER = 10_000;
/**
 * How long an unanswered opening holds back others, ms. Proxies and servers may send the headers only with the first
 * event: a stream that did not fail in that time, of a server that answers calls, is taken as open.
 */
const OPENING_TIMEOUT = 3_000;

/** What the streams need of a connection. */
export interface StreamSource {
  state(): ConnectionStatus;
  onState(listener: (status: ConnectionStatus) => void): Unsubscribe;
  readonly generation: number;
  report(failure: CallFailure): void;
  openEventStream(devEui: DevEui, listener: EventStreamListener): EventStream;
}

export interface EventStreamsDependencies {
  readonly source: StreamSource;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly maximum: number;
  /** A new item; `replayed` if it is older than the stream it came by. */
  readonly onItem: (devEui: DevEui, item: StreamItem, replayed: boolean) => void;
  readonly onFailure: (failure: CallFailure) => void;
  /** The number of open streams changed. */
  readonly onChange: () => void;
}

interface DeviceStream {
  readonly devEui: DevEui;
  readonly seen: RecentIds;
  handle: EventStream | undefined;
  /** ms UTC */
  openedAt: number;
  /** Monotonic, ms; undefined while the server has not answered. */
  confirmedAt: number | undefined;
  generation: number;
  attempts: number;
  /** The end of the last stream was the device's own fault, not the server's. */
  refused: boolean;
  timer: Timer | undefined;
}

export class EventStreams {
  readonly #deps: EventStreamsDependencies;
  readonly #faults: FaultLog;
  readonly #streams = new Map<DevEui, DeviceStream>();
  readonly #queue: OpeningQueue<DevEui>;
  readonly #unsubscribe: Unsubscribe;
  #wanted = 0;
  #open = 0;
  #closed = false;

  constructor(deps: EventStreamsDependencies) {
    this.#deps = deps;
    this.#faults = new FaultLog(deps.logger, deps.clock);
    this.#queue = new OpeningQueue(deps.clock, (devEui) => this.#openStream(devEui));
    this.#unsubscribe = deps.source.onState((status) => this.#serverChanged(status));
    if (deps.source.state().state === 'connected') this.#queue.resume();
  }

  /** Streams that are open. */
  get open(): number {
    return this.#open;
  }

  /** Streams there should be: one for each device, whatever the maximum is. */
  get wanted(): number {
    return this.#wanted;
  }

  /** Devices without a stream because of the maximum. */
  get beyondMaximum(): number {
    return this.#wanted - this.#streams.size;
  }

  /** Whether a device has (or waits for) a stream. */
  has(devEui: DevEui): boolean {
    return this.#streams.has(devEui);
  }

  /** Since when a device's stream is open, ms on the monotonic clock; undefined if it is not. */
  openSince(devEui: DevEui): number | undefined {
    return this.#streams.get(devEui)?.confirmedAt;
  }

  /**
   * Whether an event of a device comes for the first time, by an identity other than that of its stream item: the same
   * uplink may come under another item id when ChirpStack's Redis was restored.
   */
  isFirst(devEui: DevEui, eventIdentity: string): boolean {
    return this.#streams.get(devEui)?.seen.add(eventIdentity) ?? true;
  }

  /** Opens streams of devices that are new and closes those of devices that are gone. */
  setDevices(devices: Iterable<DevEui>): void {
    if (this.#closed) return;
    const wanted = new Set(devices);
    this.#wanted = wanted.size;
    for (const stream of Array.from(this.#streams.values())) if (!wanted.has(stream.devEui)) this.#remove(stream);
    for (const devEui of wanted) {
      if (this.#streams.has(devEui)) continue;
      if (this.#streams.size >= this.#deps.maximum) break;
      this.#streams.set(devEui, {
        devEui,
        seen: new RecentIds(),
        handle: undefined,
        openedAt: 0,
        confirmedAt: undefined,
        generation: 0,
        attempts: 0,
        refused: false,
        timer: undefined,
      });
      this.#queue.add(devEui);
    }
    this.#reportMaximum();
    this.#deps.onChange();
  }

  /** Ends all streams. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#unsubscribe();
    this.#queue.clear();
    for (const stream of Array.from(this.#streams.values())) this.#remove(stream);
    this.#wanted = 0;
  }

  #serverChanged({ state }: ConnectionStatus): void {
    if (state !== 'connected') {
      this.#queue.pause();
      return;
    }
    for (const stream of this.#streams.values()) {
      // It hangs on a connection that was given up: no event will come by it.
      if (stream.handle !== undefined && stream.generation !== this.#deps.source.generation)
        this.#release(stream, true);
      if (stream.handle !== undefined || stream.refused) continue;
      stream.timer?.cancel();
      stream.timer = undefined;
      stream.attempts = 0;
      this.#queue.add(stream.devEui);
    }
    this.#queue.resume();
  }

  #openStream(devEui: DevEui): void {
    const { source, clock, onItem } = this.#deps;
    const stream = this.#streams.get(devEui);
    if (stream === undefined || stream.handle !== undefined) {
      this.#queue.settled(devEui);
      return;
    }
    stream.openedAt = clock.now();
    stream.generation = source.generation;
    stream.timer?.cancel();
    stream.timer = clock.after(OPENING_TIMEOUT, () => {
      stream.timer = undefined;
      this.#queue.settled(devEui);
      if (source.state().state === 'connected') this.#confirmed(stream);
    });
    stream.handle = source.openEventStream(devEui, {
      onOpen: () => this.#confirmed(stream),
      onItem: (item) => {
        if (item.id !== '' && !stream.seen.add(item.id)) return;
        onItem(devEui, item, item.time < stream.openedAt);
      },
      onEnd: (failure) => this.#ended(stream, failure),
    });
  }

  #confirmed(stream: DeviceStream): void {
    if (stream.confirmedAt !== undefined) return;
    stream.timer?.cancel();
    stream.timer = undefined;
    stream.confirmedAt = this.#deps.clock.monotonic();
    stream.refused = false;
    this.#open++;
    this.#queue.settled(stream.devEui);
    this.#faults.recovered(`refused:${stream.devEui}`, {
      operation: 'stream',
      event: 'recovered',
      message: 'The event stream of the device is open again',
      device: stream.devEui,
    });
    if (this.#open >= this.#streams.size)
      this.#faults.recovered('streams', {
        operation: 'stream',
        event: 'recovered',
        message: 'All event streams are open again',
      });
    this.#deps.onChange();
  }

  #ended(stream: DeviceStream, failure: CallFailure | undefined): void {
    const { clock, random, source } = this.#deps;
    const { confirmedAt } = stream;
    if (confirmedAt !== undefined && clock.monotonic() - confirmedAt >= STABLE_AFTER) stream.attempts = 0;
    this.#release(stream, false);
    stream.refused = failure !== undefined && isRefusal(failure);
    if (failure !== undefined) {
      this.#logEnd(stream, failure);
      this.#deps.onFailure(failure);
      // Streams have a connection of their own: what it says of the server, a call has to confirm.
      source.report(isOutage(failure) ? { ...failure, kind: 'interrupted' } : failure);
    }
    if (!this.#streams.has(stream.devEui) || stream.timer !== undefined || stream.handle !== undefined) return;
    const delay = backoffDelay(stream.attempts, stream.refused ? REFUSED_RETRY : RETRY, random);
    stream.attempts++;
    stream.timer = clock.after(delay, () => {
      stream.timer = undefined;
      this.#queue.add(stream.devEui);
    });
    this.#deps.onChange();
  }

  #logEnd(stream: DeviceStream, failure: CallFailure): void {
    const facts = {
      reason: logReasonOf(failure.kind),
      code: codeName(failure.code),
      cure: failure.cure,
    } as const;
    if (stream.refused && failure.kind !== 'unimplemented')
      this.#faults.fault(`refused:${stream.devEui}`, {
        ...facts,
        operation: 'stream',
        event: 'refused',
        message: `ChirpStack refuses the event stream of the device: ${failure.reason}`,
        device: stream.devEui,
      });
    else
      this.#faults.fault('streams', {
        ...facts,
        operation: 'stream',
        event: 'lost',
        message: `Event streams ended: ${failure.reason}`,
        ...(failure.kind === 'unimplemented'
          ? { cure: 'Update ChirpStack, or receive the events by MQTT (chirpstack-events node).' }
          : {}),
      });
  }

  /** Takes the stream away from its device. */
  #release(stream: DeviceStream, cancel: boolean): void {
    if (cancel) stream.handle?.cancel();
    stream.handle = undefined;
    stream.timer?.cancel();
    stream.timer = undefined;
    if (stream.confirmedAt !== undefined) this.#open--;
    stream.confirmedAt = undefined;
    this.#queue.settled(stream.devEui);
  }

  #remove(stream: DeviceStream): void {
    this.#streams.delete(stream.devEui);
    this.#release(stream, true);
    this.#faults.forget(`refused:${stream.devEui}`);
  }

  #reportMaximum(): void {
    const beyond = this.beyondMaximum;
    if (beyond > 0)
      this.#faults.fault('maximum', {
        operation: 'stream',
        event: 'ignored',
        reason: 'overflow',
        message: `${beyond} devices have no event stream: the maximum of ${this.#deps.maximum} is reached`,
        count: beyond,
        cure: 'Receive the events by MQTT (chirpstack-events node), which serves any number of devices, or raise the maximum.',
      });
    else
      this.#faults.recovered('maximum', {
        operation: 'stream',
        event: 'recovered',
        message: 'Every device has its event stream',
      });
  }
}

function isOutage({ kind }: CallFailure): boolean {
  return kind === 'unreachable' || kind === 'bad-certificate' || kind === 'not-grpc';
}

function isRefusal({ kind }: CallFailure): boolean {
  return kind === 'not-permitted' || kind === 'not-found' || kind === 'unimplemented';
}
