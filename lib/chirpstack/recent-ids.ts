/** Remembers the ids of the last events, so that what ChirpStack replays at each reconnect is passed on once. */
export class RecentIds {
  readonly #capacity: number;
  readonly #ids = new Set<string>();

  /** @param capacity more than ChirpStack replays: its history has about ten events, at most about a hundred */
  constructor(capacity = 256) {
    this.#capacity = capacity;
  }

  /** Whether an id is new; it is remembered from now on. */
  add(id: string): boolean {
    if (this.#ids.has(id)) return false;
    this.#ids.add(id);
    if (this.#ids.size > this.#capacity) {
      const oldest = this.#ids.values().next();
      if (oldest.done !== true) this.#ids.delete(oldest.value);
    }
    return true;
  }
}
