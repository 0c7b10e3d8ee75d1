/**
 * Downlinks as messages, for ChirpStack's MQTT integration (`application/…/device/…/command/down`) or whatever else a
 * flow sends them with. Nobody answers: a command counts as handed over when its message was made, and only events tell
 * more. ChirpStack keeps the id, and drops the same id while it is queued.
 */
import { createHash } from 'node:crypto';
import { type DevEui, errorText, type Unsubscribe } from '../model';
import type { DownlinkItem, Downlinks, EnqueueResult, FlushResult, QueueResult } from './doors';

/** JSON of a command as ChirpStack reads it (integration.proto DownlinkCommand). */
export interface DownlinkMessage {
  /** UUID, the id of the queue item. */
  readonly id: string;
  readonly devEui: DevEui;
  readonly confirmed: boolean;
  readonly fPort: number;
  /** Base64. */
  readonly data?: string;
  readonly object?: object;
  /** RFC 3339 */
  readonly expiresAt: string;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const NO_ANSWER = 'Messages have no answer: what ChirpStack holds can only be asked by gRPC.';

/** The id of a command if it is a UUID, else one that is always made of it (RFC 9562 version 8). */
export function queueItemIdOf(commandId: string): string {
  if (UUID.test(commandId)) return commandId;
  const hex = createHash('sha256').update(`lorua command ${commandId}`).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** @param expiry µs UTC */
function rfc3339(expiry: number): string {
  const milliseconds = new Date(Math.floor(expiry / 1_000)).toISOString();
  return milliseconds.replace('Z', `${String(expiry % 1_000).padStart(3, '0')}Z`);
}

export class MessageDownlinks implements Downlinks {
  readonly #send: (message: DownlinkMessage) => void;

  /** @param send hands a message on; if it throws, the command was not sent */
  constructor(send: (message: DownlinkMessage) => void) {
    this.#send = send;
  }

  enqueue(devEui: DevEui, { id, fPort, confirmed, payload, expiry }: DownlinkItem): Promise<EnqueueResult> {
    const itemId = queueItemIdOf(id);
    try {
      this.#send({
        id: itemId,
        devEui,
        confirmed,
        fPort,
        ...(payload.kind === 'bytes'
          ? { data: Buffer.from(payload.hex, 'hex').toString('base64') }
          : { object: payload.object }),
        expiresAt: rfc3339(expiry),
      });
    } catch (error) {
      return Promise.resolve({ kind: 'unsent', reason: errorText(error) });
    }
    return Promise.resolve({
      kind: 'accepted',
      id: itemId,
      reason: 'It was handed over as a message. Nobody answers those: events tell whether it was sent.',
    });
  }

  queue(): Promise<QueueResult> {
    return Promise.resolve({ kind: 'unknowable', reason: NO_ANSWER });
  }

  flush(): Promise<FlushResult> {
    return Promise.resolve({ kind: 'refused', reason: NO_ANSWER });
  }

  onAvailable(): Unsubscribe {
    return () => undefined;
  }
}
