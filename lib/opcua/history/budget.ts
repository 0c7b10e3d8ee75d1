/** How much of one response each node may fill. */
export interface Share {
  readonly values: number;
  bytes: number;
}

/**
 * Divides a response among the nodes of a request. Each gets the same of what is left; what one does not need goes to
 * those behind it.
 */
export class ResponseBudget {
  #bytes: number;
  #values: number;
  #waiting: number;

  constructor(bytes: number, values: number, nodes: number) {
    this.#bytes = Math.max(bytes, 0);
    this.#values = values;
    this.#waiting = nodes;
  }

  /** The share of the next node. */
  reserve(): Share {
    const nodes = Math.max(this.#waiting, 1);
    const share = { values: Math.floor(this.#values / nodes), bytes: Math.floor(this.#bytes / nodes) };
    this.#waiting--;
    this.#values -= share.values;
    this.#bytes -= share.bytes;
    return share;
  }

  /** Enlarges a share for a value that is larger, at the cost of the nodes behind. @returns whether it could be done */
  extend(share: Share, bytes: number): boolean {
    const missing = bytes - share.bytes;
    if (missing > this.#bytes) return false;
    this.#bytes -= missing;
    share.bytes = bytes;
    return true;
  }

  /** Gives back what was not needed. */
  settle(share: Share, values: number, bytes: number): void {
    this.#values += Math.max(share.values - values, 0);
    this.#bytes += Math.max(share.bytes - bytes, 0);
  }
}
