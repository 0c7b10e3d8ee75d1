/** ChirpStack's queue of a device as GetQueue shows it, and which of its items is a command of ours. */
import type { Command } from '../model';

export interface QueueItem {
  readonly id: string;
  readonly fPort: number;
  readonly confirmed: boolean;
  readonly hex: string;
  /** Sent as confirmed, waits for the acknowledgement. */
  readonly isPending: boolean;
  /** µs UTC */
  readonly expiry?: number;
}

/** ChirpStack keeps microseconds (PostgreSQL) or more; a storage that cut them off would leave milliseconds. */
const MICROSECONDS = 1_000;

/** Whether an item carries the expiry of a command, which no other has. */
function bearsExpiry(item: QueueItem, expiry: number): boolean {
  return item.expiry === expiry || item.expiry === expiry - (expiry % MICROSECONDS);
}

/**
 * The item of a command. Enqueue takes no id from the client, so that one whose reply was lost is known by the expiry it
 * was given: unique among the commands of the device to the millisecond, and told from those of others by microseconds,
 * port and bytes.
 */
export function findItem(items: readonly QueueItem[], command: Command): QueueItem | undefined {
  const { queueItemId, expiry, payload } = command;
  if (queueItemId !== undefined) return items.find(({ id }) => id === queueItemId);
  if (expiry === undefined) return undefined;
  const matches = items.filter(
    (item) =>
      bearsExpiry(item, expiry) &&
      item.confirmed === command.confirmed &&
      // A codec may choose port and bytes.
      (payload.kind === 'object' || (item.hex === payload.hex && item.fPort === command.fPort)),
  );
  return matches.length === 1 ? matches[0] : undefined;
}
