/** Something that falls due at an instant of the monotonic clock. */
export interface Scheduled {
  /** When it really falls due; `undefined` = never. May move at any time. */
  deadline: number | undefined;
  /** When the queue will look at it; the queue's own. */
  queuedFor: number | undefined;
}

interface Entry<Item> {
  readonly due: number;
  readonly item: Item;
}

/**
 * Ordered by deadline, for 100,000 items whose deadline moves with each uplink. A later deadline costs nothing: the
 * queue finds out when it looks at the item. Only an earlier one is queued again.
 */
export class DeadlineQueue<Item extends Scheduled> {
  /** Binary heap: the parent of n is (n − 1) / 2. */
  readonly #heap: Entry<Item>[] = [];

  /** The item's deadline was set or moved. */
  schedule(item: Item): void {
    const { deadline, queuedFor } = item;
    if (deadline === undefined || (queuedFor !== undefined && queuedFor <= deadline)) return;
    item.queuedFor = deadline;
    this.#push({ due: deadline, item });
  }

  /** When to look next; never later than the earliest deadline. */
  get next(): number | undefined {
    return this.#heap[0]?.due;
  }

  /** An item whose deadline has come; `undefined` if there is none (any more). */
  takeDue(now: number): Item | undefined {
    for (let top = this.#heap[0]; top !== undefined && top.due <= now; top = this.#heap[0]) {
      this.#pop();
      const { item, due } = top;
      // Queued again for an earlier instant, and looked at then.
      if (item.queuedFor !== due) continue;
      item.queuedFor = undefined;
      if (item.deadline === undefined) continue;
      if (item.deadline <= now) return item;
      this.schedule(item);
    }
    return undefined;
  }

  #push(entry: Entry<Item>): void {
    const heap = this.#heap;
    let place = heap.length;
    heap.push(entry);
    while (place > 0) {
      const parent = (place - 1) >> 1;
      const above = heap[parent] as Entry<Item>;
      if (above.due <= entry.due) break;
      heap[place] = above;
      place = parent;
    }
    heap[place] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let place = 0;
    for (;;) {
      let child = place * 2 + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && (heap[child + 1] as Entry<Item>).due < (heap[child] as Entry<Item>).due) child++;
      const below = heap[child] as Entry<Item>;
      if (below.due >= last.due) break;
      heap[place] = below;
      place = child;
    }
    heap[place] = last;
  }
}
