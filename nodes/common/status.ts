import type { Node, NodeStatusFill, NodeStatusShape } from 'node-red';
import { type Clock, systemClock, type Timer } from '../../lib/model';

export interface Status {
  readonly fill: NodeStatusFill;
  readonly shape: NodeStatusShape;
  readonly text: string;
}

/** Each status goes to every open editor and every Status node: not more often than this. */
const SHORTEST_INTERVAL = 500;

/**
 * Shows a node's status, but neither the same one twice nor more than two a second; the last one given always shows.
 */
export class StatusReporter {
  readonly #node: Node;
  readonly #clock: Clock;
  #shown = '';
  #pending: Status | undefined;
  #timer: Timer | undefined;
  #closed = false;

  constructor(node: Node, clock: Clock = systemClock) {
    this.#node = node;
    this.#clock = clock;
    node.on('close', () => this.close());
  }

  show(fill: NodeStatusFill, shape: NodeStatusShape, text: string): void {
    if (this.#closed) return;
    this.#pending = { fill, shape, text };
    if (this.#timer === undefined) this.#flush();
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #flush(): void {
    const status = this.#pending;
    this.#pending = undefined;
    this.#timer = undefined;
    if (status === undefined) return;
    const key = `${status.fill}/${status.shape}/${status.text}`;
    if (key === this.#shown) return;
    this.#shown = key;
    this.#node.status(status);
    this.#timer = this.#clock.after(SHORTEST_INTERVAL, () => this.#flush());
  }
}
