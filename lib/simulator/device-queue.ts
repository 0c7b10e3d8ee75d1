/** Downlink queue of one device (storage/device_queue.rs): first in, first out, one in flight. */
import type { Instant } from './instant';

export interface QueueItem {
  /** UUID made by the server. */
  readonly id: string;
  readonly confirmed: boolean;
  readonly fPort: number;
  readonly data: Uint8Array;
  readonly isEncrypted: boolean;
  readonly expiresAt?: Instant;
  /** Sent as confirmed and waiting for the device's answer. */
  isPending: boolean;
  /** Set when the item was first picked to be sent. */
  fCntDown: number;
  /** ms UTC at which a pending item is given up; absent for class A, where the next uplink decides. */
  timeoutAfter?: number;
}

export class DeviceQueue {
  #items: QueueItem[] = [];

  get items(): readonly QueueItem[] {
    return this.#items;
  }

  add(item: QueueItem): void {
    this.#items.push(item);
  }

  remove(item: QueueItem): void {
    this.#items = this.#items.filter((other) => other !== item);
  }

  holds(item: QueueItem): boolean {
    return this.#items.includes(item);
  }

  /** Removes what is not pending: the `flush_queue` of an enqueue. */
  flushWaiting(): void {
    this.#items = this.#items.filter((item) => item.isPending);
  }

  /** Removes everything, pending or not. */
  flush(): void {
    this.#items = [];
  }

  /** The item to send or to judge next; none while the first waits for its acknowledgement. @param now ms UTC */
  next(now: number): QueueItem | undefined {
    const first = this.#items[0];
    if (first === undefined) return undefined;
    return first.isPending && first.timeoutAfter !== undefined && first.timeoutAfter > now ? undefined : first;
  }

  get pending(): QueueItem | undefined {
    return this.#items.find((item) => item.isPending);
  }
}
