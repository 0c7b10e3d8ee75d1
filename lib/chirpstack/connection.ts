/**
 * One connection to ChirpStack, shared by all who use it: unary calls with a deadline and at most eight in flight,
 * event streams on their own channel, and one state for everybody. When the server is down a single probe finds out
 * when it is back.
 */

import type { LogItem } from '@chirpstack/chirpstack-api/api/internal_pb';
import type { CallOptions, ClientReadableStream, ClientUnaryCall, Metadata, ServiceError } from '@grpc/grpc-js';
import {
  type Clock,
  type ConnectionState,
  type DevEui,
  Emitter,
  errorText,
  type Logger,
  type Random,
  type Timer,
  type Unsubscribe,
} from '../model';
import { CallError, type CallFailure, classifyFailure, codeName, logReasonOf } from './call-failure';
import { CallLimiter } from './call-limiter';
import { addressText, type ConnectionSettings } from './connection-settings';
import { FaultLog } from './fault-log';
import { type Clients, createClients, grpc, internalMessages, profileMessages } from './grpc-modules';
import { parseStreamItem, type StreamItem } from './replies';

/** Unary calls in flight at most, ever: ChirpStack shares ten database connections between API and uplinks. */
export const MAX_CALLS_IN_FLIGHT = 8;
/** Between two probes of a server that does not answer, ms. */
const PROBE_INTERVAL = 1_000;
/** Between two probes of a server that refuses the token, ms: somebody has to repair it by hand. */
const TOKEN_PROBE_INTERVAL = 30_000;
/** Longest time a probe may take, ms. */
const PROBE_TIMEOUT = 5_000;

export interface ConnectionDependencies {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** State of a connection, and since when, ms UTC. `reason` and `cure` are empty while it is connected. */
export interface ConnectionStatus {
  readonly state: ConnectionState;
  readonly since: number;
  readonly reason: string;
  readonly cure: string;
}

/** What a message of the generated code must be able to do to be a reply. */
interface Message {
  toObject(): unknown;
}

type StartCall<Reply extends Message> = (
  clients: Clients,
  metadata: Metadata,
  options: CallOptions,
  callback: (error: ServiceError | null, reply?: Reply) => void,
) => ClientUnaryCall;

export interface CallSettings {
  /** Gives the call up. */
  readonly signal?: AbortSignal;
  /** ms; that of the connection if absent. */
  readonly timeout?: number;
  /** Goes before calls that wait for a slot: somebody waits for what it does. */
  readonly urgent?: boolean;
}

/** How a stream tells what happens to it. Nothing is called any more after `cancel()` or `onEnd`. */
export interface EventStreamListener {
  /** The server took the stream (its response headers came). */
  onOpen(): void;
  onItem(item: StreamItem): void;
  /** Called once. `undefined`: the server ended it without an error. */
  onEnd(failure: CallFailure | undefined): void;
}

export interface EventStream {
  /** Idempotent. */
  cancel(): void;
}

export class ChirpstackConnection {
  readonly settings: ConnectionSettings;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #logger: Logger;
  readonly #faults: FaultLog;
  readonly #address: string;
  readonly #states: Emitter<ConnectionStatus>;
  readonly #limiter = new CallLimiter(MAX_CALLS_IN_FLIGHT);
  readonly #closing = new AbortController();
  readonly #streams = new Set<EventStream>();
  #status: ConnectionStatus;
  #clients: Clients | undefined;
  #generation = 0;
  #outage = new AbortController();
  #probing: Promise<boolean> | undefined;
  #probeTimer: Timer | undefined;

  constructor(settings: ConnectionSettings, deps: ConnectionDependencies) {
    this.settings = settings;
    this.#clock = deps.clock;
    this.#random = deps.random;
    this.#logger = deps.logger;
    this.#faults = new FaultLog(deps.logger, deps.clock);
    this.#address = addressText(settings.address);
    this.#states = new Emitter((error) =>
      deps.logger.error({
        operation: 'connect',
        event: 'failed',
        reason: 'internal',
        message: `A listener of the connection state failed: ${errorText(error)}`,
      }),
    );
    this.#status = { state: 'connecting', since: deps.clock.now(), reason: '', cure: '' };
  }

  /** Never throws; of a closed connection it says disconnected. */
  state(): ConnectionStatus {
    return this.#status;
  }

  /** Told at each change of state, and when the reason of an outage becomes another one. */
  onState(listener: (status: ConnectionStatus) => void): Unsubscribe {
    return this.#states.on(listener);
  }

  /** Grows when the channels were replaced: streams opened under an older number hang on a dead connection. */
  get generation(): number {
    return this.#generation;
  }

  get closed(): boolean {
    return this.#closing.signal.aborted;
  }

  /**
   * One unary call. Waits for a free slot (first come, first served), then has `timeout` ms.
   * @param method for people, e.g. `DeviceService.Get`
   * @returns the reply as plain data, still to be parsed
   * @throws CallError
   */
  async call<Reply extends Message>(
    method: string,
    start: StartCall<Reply>,
    settings: CallSettings = {},
  ): Promise<unknown> {
    try {
      const reply = await this.#perform(method, start, settings);
      this.#succeed();
      return reply;
    } catch (error) {
      if (error instanceof CallError) this.report(error.failure);
      throw error;
    }
  }

  /**
   * Takes notice of a failure of a call or stream. What concerns one object leaves the state alone; what may or may
   * not be the server's fault is verified by a probe.
   */
  report(failure: CallFailure): void {
    if (this.closed) return;
    switch (failure.kind) {
      case 'unreachable':
      case 'bad-certificate':
      case 'not-grpc':
        this.#fail('disconnected', failure);
        return;
      case 'wrong-token':
        this.#fail('unauthenticated', failure);
        return;
      case 'timeout':
      case 'interrupted':
        void this.probe();
        return;
      default:
        // The server answered: it is there, whatever it thinks of the object asked for. Whether it accepts the token
        // again is for the probe to say.
        if (
          failure.kind !== 'cancelled' &&
          failure.kind !== 'not-permitted' &&
          this.#status.state !== 'unauthenticated'
        )
          this.#succeed();
    }
  }

  /**
   * Asks the cheapest question that every valid key may ask, and sets the state by the answer. Shared while it runs.
   * @returns whether the server answers and accepts the token
   */
  probe(): Promise<boolean> {
    this.#probing ??= this.#probe().finally(() => {
      this.#probing = undefined;
    });
    return this.#probing;
  }

  /** Opens StreamDeviceEvents of a device. ChirpStack replays the stored history first (about ten events). */
  openEventStream(devEui: DevEui, listener: EventStreamListener): EventStream {
    let done = false;
    let opened = false;
    const finish = (failure: CallFailure | undefined): void => {
      if (done) return;
      done = true;
      this.#streams.delete(handle);
      listener.onEnd(failure);
    };
    const open = (): void => {
      if (opened || done) return;
      opened = true;
      listener.onOpen();
    };
    let stream: ClientReadableStream<LogItem> | undefined;
    const handle: EventStream = {
      cancel: () => {
        if (done) return;
        done = true;
        this.#streams.delete(handle);
        stream?.cancel();
      },
    };
    if (this.closed) {
      done = true;
      return handle;
    }
    const request = new (internalMessages().StreamDeviceEventsRequest)();
    // Upper case would give an open, silent stream.
    request.setDevEui(devEui.toLowerCase());
    stream = this.#openClients().streams.streamDeviceEvents(request, this.#metadata());
    this.#streams.add(handle);
    stream.on('metadata', open);
    stream.on('data', (message: Message) => {
      open();
      if (!done) listener.onItem(parseStreamItem(message.toObject()));
    });
    stream.on('error', (error: unknown) => finish(this.#failure(error)));
    stream.on('end', () => finish(undefined));
    return handle;
  }

  /** Gives up everything at once: calls reject, streams fall silent. Idempotent. */
  close(): Promise<void> {
    if (this.closed) return Promise.resolve();
    this.#closing.abort(new CallError('close', CLOSED));
    this.#probeTimer?.cancel();
    for (const stream of Array.from(this.#streams)) stream.cancel();
    this.#clients?.close();
    this.#clients = undefined;
    this.#status = { state: 'disconnected', since: this.#clock.now(), reason: CLOSED.reason, cure: CLOSED.cure };
    this.#states.emit(this.#status);
    return Promise.resolve();
  }

  async #probe(again = false): Promise<boolean> {
    this.#probeTimer?.cancel();
    this.#probeTimer = undefined;
    const started = this.#generation;
    try {
      await this.#perform(
        'DeviceProfileService.List',
        (clients, metadata, options, callback) => {
          const request = new (profileMessages().ListDeviceProfilesRequest)();
          request.setGlobalOnly(true);
          request.setLimit(0);
          return clients.profiles.list(request, metadata, options, callback);
        },
        { timeout: Math.min(this.settings.callTimeout, PROBE_TIMEOUT), urgent: true },
        true,
      );
      this.#succeed();
      return true;
    } catch (error) {
      if (!(error instanceof CallError) || this.closed) return false;
      const { failure } = error;
      switch (failure.kind) {
        case 'wrong-token':
          this.#fail('unauthenticated', failure);
          return false;
        case 'not-permitted':
          this.#fail('unauthenticated', DELETED_KEY(failure));
          return false;
        case 'unreachable':
        case 'bad-certificate':
        case 'not-grpc':
          this.#fail('disconnected', failure);
          return false;
        case 'timeout':
          // A connection attempt or an established one that swallows everything may go on doing so when the server
          // has long been back: begin anew.
          if (started === this.#generation) this.#replaceClients();
          this.#fail('disconnected', failure);
          return false;
        case 'interrupted':
        case 'cancelled':
          // It was under way on the connection that broke: a second one finds out what is the matter now.
          if (!again) return this.#probe(true);
          this.#fail('disconnected', failure);
          return false;
        default:
          // It answers. An error of its own (database locked …) is not an outage.
          this.#succeed();
          return true;
      }
    }
  }

  async #perform<Reply extends Message>(
    method: string,
    start: StartCall<Reply>,
    { timeout = this.settings.callTimeout, signal, urgent = false }: CallSettings,
    isProbe = false,
  ): Promise<unknown> {
    const signals = [this.#closing.signal, ...(signal === undefined ? [] : [signal])];
    // Who waits for a slot when the server goes down would only wait for the next time-out; a probe must not.
    const waiting = AbortSignal.any(isProbe ? signals : [...signals, this.#outage.signal]);
    let release: () => void;
    try {
      release = await this.#limiter.acquire({ signal: waiting, first: urgent });
    } catch (error) {
      throw error instanceof CallError ? new CallError(method, error.failure) : new CallError(method, GIVEN_UP);
    }
    try {
      return await this.#start(method, start, timeout, AbortSignal.any(signals));
    } finally {
      release();
    }
  }

  #start<Reply extends Message>(
    method: string,
    start: StartCall<Reply>,
    timeout: number,
    signal: AbortSignal,
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const settle = (action: () => void): void => {
        timer.cancel();
        signal.removeEventListener('abort', abort);
        action();
      };
      const give = (failure: CallFailure): void => settle(() => reject(new CallError(method, failure)));
      let call: ClientUnaryCall | undefined;
      const abort = (): void => {
        give(GIVEN_UP);
        call?.cancel();
      };
      // Our own timer decides, on the injected clock. The deadline that goes with the call (real time, as gRPC wants
      // it) lets the server give up too and is a second net.
      const timer = this.#clock.after(timeout, () => {
        give(classifyFailure(4, '', this.#address));
        call?.cancel();
      });
      if (signal.aborted) {
        abort();
        return;
      }
      signal.addEventListener('abort', abort, { once: true });
      try {
        call = start(
          this.#openClients(),
          this.#metadata(),
          { deadline: Date.now() + timeout + 1_000 },
          (error, reply) => {
            if (error !== null) give(this.#failure(error));
            else settle(() => resolve(reply?.toObject()));
          },
        );
      } catch (error) {
        give({ kind: 'refused', code: 13, reason: errorText(error), cure: 'Correct the request.', neverSent: true });
      }
    });
  }

  #openClients(): Clients {
    this.#clients ??= createClients(this.settings);
    return this.#clients;
  }

  #replaceClients(): void {
    this.#clients?.close();
    this.#clients = undefined;
    this.#generation++;
  }

  #metadata(): Metadata {
    const metadata = new (grpc().Metadata)();
    metadata.set('authorization', `Bearer ${this.settings.token}`);
    return metadata;
  }

  #failure(error: unknown): CallFailure {
    const { code, details } = error as { code?: unknown; details?: unknown };
    return classifyFailure(
      typeof code === 'number' ? code : 2,
      typeof details === 'string' ? details : errorText(error),
      this.#address,
      this.settings.token,
    );
  }

  #succeed(): void {
    if (this.closed || this.#status.state === 'connected') return;
    this.#probeTimer?.cancel();
    this.#probeTimer = undefined;
    const first = this.#status.state === 'connecting';
    this.#setStatus('connected', '', '');
    const entry = { operation: 'connect', address: this.#address } as const;
    if (first) this.#logger.info({ ...entry, event: 'succeeded', message: 'Connected to ChirpStack' });
    else this.#faults.recovered('state', { ...entry, event: 'recovered', message: 'ChirpStack is back' });
  }

  #fail(state: 'disconnected' | 'unauthenticated', failure: CallFailure): void {
    if (this.closed) return;
    this.#faults.fault(
      'state',
      {
        operation: 'connect',
        event: state === 'unauthenticated' ? 'refused' : 'lost',
        reason: logReasonOf(failure.kind),
        message: failure.reason,
        code: codeName(failure.code),
        cure: failure.cure,
        address: this.#address,
      },
      'error',
    );
    this.#setStatus(state, failure.reason, failure.cure);
    const outage = this.#outage;
    this.#outage = new AbortController();
    outage.abort(new CallError('call', { ...failure, neverSent: true }));
    this.#scheduleProbe(state);
  }

  #scheduleProbe(state: 'disconnected' | 'unauthenticated'): void {
    if (this.#probeTimer !== undefined || this.closed) return;
    const interval = state === 'disconnected' ? PROBE_INTERVAL : TOKEN_PROBE_INTERVAL;
    this.#probeTimer = this.#clock.after(interval * (1 + 0.5 * this.#random()), () => {
      this.#probeTimer = undefined;
      void this.probe();
    });
  }

  #setStatus(state: ConnectionState, reason: string, cure: string): void {
    const before = this.#status;
    if (before.state === state && before.reason === reason) return;
    this.#status = { state, since: before.state === state ? before.since : this.#clock.now(), reason, cure };
    this.#states.emit(this.#status);
  }
}

const CLOSED: CallFailure = {
  kind: 'cancelled',
  code: 1,
  reason: 'The connection was closed.',
  cure: '',
  neverSent: true,
};

const GIVEN_UP: CallFailure = {
  kind: 'cancelled',
  code: 1,
  reason: 'The call was given up.',
  cure: '',
  neverSent: false,
};

const DELETED_KEY = (failure: CallFailure): CallFailure => ({
  ...failure,
  kind: 'wrong-token',
  reason: 'ChirpStack does not know the API key any more (it was deleted).',
  cure: 'Make a new API key in ChirpStack and put its token into the connection.',
});
