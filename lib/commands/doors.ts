/** What the command queue needs of others: a store, a way to ChirpStack, knowledge of devices. */
import type { CommandDefinition, CommandDevice, DevEui, DeviceProfileId, NewJournalEntry, Unsubscribe } from '../model';
import type { QueueItem } from './queue-picture';

/** One command as the store keeps it; a record of the same id takes its place. */
export interface CommandRecord {
  readonly kind: 'command';
  readonly id: string;
  readonly devEui: DevEui;
  readonly state: string;
  readonly createdAt: number;
  readonly changedAt: number;
  readonly endedAt: number | undefined;
  /** JSON */
  readonly body: string;
}

/** A gateway's store (GatewayStore of lib/store is one). */
export interface CommandStore {
  /**
   * Atomic and durable: when it resolves, a power failure loses nothing of it. When it rejects nothing was stored, or
   * the same batch may be given again.
   */
  commit(batch: {
    readonly records: readonly CommandRecord[];
    readonly removed: readonly { readonly kind: 'command'; readonly id: string }[];
    readonly journal: readonly NewJournalEntry[];
  }): Promise<void>;
  /** Commands in order of their creation. */
  readRecords(query: {
    readonly kind: 'command';
    readonly id?: string;
    readonly open?: boolean;
    readonly states?: readonly string[];
    readonly devEui?: DevEui;
    readonly order?: 'ascending' | 'descending';
    readonly limit: number;
    readonly after?: { readonly createdAt: number; readonly id: string };
  }): Promise<readonly { readonly id: string; readonly createdAt: number; readonly body: string }[]>;
}

/** What goes into ChirpStack's queue. */
export interface DownlinkItem {
  /** Of the command: a UUID unless its sender chose another. For ways that keep an id (MQTT); gRPC does not. */
  readonly id: string;
  readonly fPort: number;
  readonly confirmed: boolean;
  readonly payload:
    | { readonly kind: 'bytes'; readonly hex: string }
    | { readonly kind: 'object'; readonly object: object };
  /** When ChirpStack discards it, µs UTC; also how it is recognised, so it must be kept to the microsecond. */
  readonly expiry: number;
}

/** What became of a call that enqueues. Every call ends in exactly one of them; nothing is thrown. */
export type EnqueueResult =
  /** `reason`: what is known, where that is less than that ChirpStack has it. */
  | { readonly kind: 'accepted'; readonly id: string; readonly reason?: string }
  /** ChirpStack said no; nothing is in its queue, and the same again would be refused again. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** Provably nothing is in its queue; it may be tried again. */
  | { readonly kind: 'unsent'; readonly reason: string }
  /** It may be in the queue, or get there yet. */
  | { readonly kind: 'unclear'; readonly reason: string };

export type QueueResult =
  | { readonly kind: 'items'; readonly items: readonly QueueItem[] }
  /** ChirpStack has no such device, or the key may not see it. */
  | { readonly kind: 'gone'; readonly reason: string }
  | { readonly kind: 'unavailable'; readonly reason: string }
  /** This way to ChirpStack can never tell. */
  | { readonly kind: 'unknowable'; readonly reason: string };

export type FlushResult =
  | { readonly kind: 'flushed' }
  | { readonly kind: 'refused'; readonly reason: string }
  /** It may have been emptied or not. */
  | { readonly kind: 'unclear'; readonly reason: string };

/** The way to ChirpStack, by gRPC or otherwise. Never rejects. */
export interface Downlinks {
  enqueue(devEui: DevEui, item: DownlinkItem, signal: AbortSignal): Promise<EnqueueResult>;
  queue(devEui: DevEui, signal: AbortSignal): Promise<QueueResult>;
  /** Empties the queue of the device, pending items as well. */
  flush(devEui: DevEui, signal: AbortSignal): Promise<FlushResult>;
  /** Told when ChirpStack can be reached again. */
  onAvailable(listener: () => void): Unsubscribe;
}

/** The definitions that hold now (CommandDefinitions is one such). */
export interface DefinitionSource {
  find(devEui: DevEui, profileId: DeviceProfileId | undefined, name: string): CommandDefinition | undefined;
}

/** Looks a device up; `undefined` if ChirpStack has none of that EUI. */
export type DeviceLookup = (devEui: DevEui) => CommandDevice | undefined;
