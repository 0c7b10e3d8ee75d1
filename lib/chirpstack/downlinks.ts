/**
 * Downlinks of ChirpStack's DeviceService: Enqueue, GetQueue, FlushQueue. What became of a call is told in four words,
 * because a command that is sent twice may do harm: accepted, refused, provably not there, or unclear.
 */
import { z } from 'zod';
import type { DevEui, Unsubscribe } from '../model';
import { CallError, type CallFailure } from './call-failure';
import type { ChirpstackConnection } from './connection';
import { deviceMessages, structs, timestamps } from './grpc-modules';

/** What goes into the queue. ChirpStack makes the id, whatever a client gives. */
export interface EnqueueItem {
  /** 1–223. Not checked here; ChirpStack cuts it to a byte. */
  readonly fPort: number;
  readonly confirmed: boolean;
  readonly payload:
    | { readonly kind: 'bytes'; readonly hex: string }
    /** Goes through the codec of the device profile. */
    | { readonly kind: 'object'; readonly object: object };
  /** When ChirpStack discards it, µs UTC. */
  readonly expiry: number;
}

export type EnqueueOutcome =
  | { readonly kind: 'accepted'; readonly id: string }
  /** ChirpStack said no; the same again would be refused again. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** Provably nothing was put into the queue; it may be tried again. */
  | { readonly kind: 'unsent'; readonly reason: string }
  /** It may be in the queue. */
  | { readonly kind: 'unclear'; readonly reason: string };

export interface QueuedItem {
  readonly id: string;
  readonly fPort: number;
  readonly confirmed: boolean;
  readonly hex: string;
  readonly isPending: boolean;
  /** µs UTC */
  readonly expiry?: number;
}

export type QueueOutcome =
  | { readonly kind: 'items'; readonly items: readonly QueuedItem[] }
  /** There is no such device, or the key may not see it. */
  | { readonly kind: 'gone'; readonly reason: string }
  | { readonly kind: 'unavailable'; readonly reason: string };

export type FlushOutcome =
  | { readonly kind: 'flushed' }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'unclear'; readonly reason: string };

const MICROSECONDS_PER_SECOND = 1_000_000;
/** gRPC's own deadline comes first, ms: it tells whether the call had left. */
const DEADLINE_LEAD = 500;

const enqueueReply = z.object({ id: z.string().min(1) });
const queueReply = z.object({
  resultList: z.array(
    z.object({
      id: z.string(),
      confirmed: z.boolean().catch(false),
      fPort: z.number().catch(0),
      data: z.string().catch(''),
      isPending: z.boolean().catch(false),
      expiresAt: z
        .object({ seconds: z.number(), nanos: z.number().catch(0) })
        .optional()
        .catch(undefined),
    }),
  ),
});

export class ChirpstackDownlinks {
  readonly #connection: ChirpstackConnection;

  constructor(connection: ChirpstackConnection) {
    this.#connection = connection;
  }

  /** Never rejects. */
  async enqueue(devEui: DevEui, item: EnqueueItem, signal: AbortSignal): Promise<EnqueueOutcome> {
    const { callTimeout } = this.#connection.settings;
    let reply: unknown;
    try {
      reply = await this.#connection.call(
        'DeviceService.Enqueue',
        (clients, metadata, options, callback) => {
          const deadline = Date.now() + Math.max(callTimeout - DEADLINE_LEAD, callTimeout / 2);
          return clients.devices.enqueue(enqueueRequest(devEui, item), metadata, { ...options, deadline }, callback);
        },
        { signal, urgent: true },
      );
    } catch (error) {
      return outcomeOf(failureIn(error));
    }
    const parsed = enqueueReply.safeParse(reply);
    return parsed.success
      ? { kind: 'accepted', id: parsed.data.id }
      : { kind: 'unclear', reason: 'ChirpStack answered without an id.' };
  }

  /** What waits in ChirpStack for the device, oldest first. Never rejects. */
  async queue(devEui: DevEui, signal: AbortSignal): Promise<QueueOutcome> {
    let reply: unknown;
    try {
      reply = await this.#connection.call(
        'DeviceService.GetQueue',
        (clients, metadata, options, callback) => {
          const request = new (deviceMessages().GetDeviceQueueItemsRequest)();
          request.setDevEui(devEui);
          return clients.devices.getQueue(request, metadata, options, callback);
        },
        { signal, urgent: true },
      );
    } catch (error) {
      const failure = failureIn(error);
      const isGone = failure.kind === 'not-permitted' || failure.kind === 'not-found';
      return { kind: isGone ? 'gone' : 'unavailable', reason: failure.reason };
    }
    const parsed = queueReply.safeParse(reply);
    if (!parsed.success) return { kind: 'unavailable', reason: "ChirpStack's answer cannot be read." };
    return {
      kind: 'items',
      items: parsed.data.resultList.map(({ expiresAt, data, ...item }) => ({
        ...item,
        hex: Buffer.from(data, 'base64').toString('hex'),
        ...(expiresAt === undefined
          ? {}
          : { expiry: expiresAt.seconds * MICROSECONDS_PER_SECOND + Math.floor(expiresAt.nanos / 1_000) }),
      })),
    };
  }

  /** Empties the queue of the device, of whoever put things there. Never rejects. */
  async flush(devEui: DevEui, signal: AbortSignal): Promise<FlushOutcome> {
    try {
      await this.#connection.call(
        'DeviceService.FlushQueue',
        (clients, metadata, options, callback) => {
          const request = new (deviceMessages().FlushDeviceQueueRequest)();
          request.setDevEui(devEui);
          return clients.devices.flushQueue(request, metadata, options, callback);
        },
        { signal, urgent: true },
      );
      return { kind: 'flushed' };
    } catch (error) {
      const { kind, reason } = outcomeOf(failureIn(error));
      return { kind: kind === 'unclear' ? 'unclear' : 'refused', reason };
    }
  }

  /** Told each time the connection is established (again). */
  onAvailable(listener: () => void): Unsubscribe {
    return this.#connection.onState(({ state }) => {
      if (state === 'connected') listener();
    });
  }
}

function enqueueRequest(devEui: DevEui, { fPort, confirmed, payload, expiry }: EnqueueItem) {
  const { DeviceQueueItem, EnqueueDeviceQueueItemRequest } = deviceMessages();
  const item = new DeviceQueueItem();
  item.setDevEui(devEui);
  item.setFPort(fPort);
  item.setConfirmed(confirmed);
  // An object wins over bytes: never give both.
  if (payload.kind === 'bytes') item.setData(Buffer.from(payload.hex, 'hex'));
  else item.setObject(structs().Struct.fromJavaScript({ ...payload.object }));
  const expiresAt = new (timestamps().Timestamp)();
  expiresAt.setSeconds(Math.floor(expiry / MICROSECONDS_PER_SECOND));
  expiresAt.setNanos((expiry % MICROSECONDS_PER_SECOND) * 1_000);
  item.setExpiresAt(expiresAt);
  const request = new EnqueueDeviceQueueItemRequest();
  request.setQueueItem(item);
  return request;
}

/** What else than a CallError the connection may throw is our own fault and nobody's verdict. */
function failureIn(error: unknown): CallFailure {
  if (error instanceof CallError) return error.failure;
  return { kind: 'bad-answer', code: 2, reason: String(error), cure: '', neverSent: false };
}

/** SQLite builds of ChirpStack under load: the transaction was given up, nothing was stored. */
const TRANSIENT = /database is locked/i;
/** What the codec says, in the words of whoever wrote it. */
const CODEC = /encodeDownlink returned errors|JS error|CayenneLpp/;
/** Said by the client library about an answer, or by a proxy about its backend, with the code of a server's error. */
const NOT_THE_SERVER = /parsing|serializ|decompress|stream|connection|upstream/i;

const INVALID_ARGUMENT = 3;
const NOT_FOUND = 5;
const ALREADY_EXISTS = 6;
const PERMISSION_DENIED = 7;
const FAILED_PRECONDITION = 9;
const OUT_OF_RANGE = 11;
const INTERNAL = 13;
/** Verdicts of the handler itself. */
const VERDICTS: ReadonlySet<number> = new Set([
  INVALID_ARGUMENT,
  NOT_FOUND,
  ALREADY_EXISTS,
  PERMISSION_DENIED,
  FAILED_PRECONDITION,
  OUT_OF_RANGE,
]);

/** What a failed call has done. In doubt: unclear. */
export function outcomeOf(failure: CallFailure): Exclude<EnqueueOutcome, { kind: 'accepted' }> {
  const { reason } = failure;
  if (failure.neverSent) return { kind: 'unsent', reason };
  switch (failure.kind) {
    case 'not-permitted':
    case 'not-found':
    case 'unimplemented':
      return { kind: 'refused', reason };
    case 'wrong-token':
      // Judged before anything is stored, and somebody may repair the token before the deadline.
      return { kind: 'unsent', reason };
    case 'not-grpc':
      // A web server that knows no such page has stored nothing; a proxy's 5xx says nothing about its backend.
      return { kind: /HTTP status 4\d\d/.test(reason) ? 'unsent' : 'unclear', reason };
    case 'refused':
      if (VERDICTS.has(failure.code) || CODEC.test(reason)) return { kind: 'refused', reason };
      if (failure.code === INTERNAL && TRANSIENT.test(reason)) return { kind: 'unsent', reason };
      if (failure.code === INTERNAL && !NOT_THE_SERVER.test(reason)) return { kind: 'refused', reason };
      return { kind: 'unclear', reason };
    default:
      return { kind: 'unclear', reason };
  }
}
