/** Stored events of one device: the redis stream behind StreamDeviceEvents (stream/event.rs). */
import type { Instant } from './instant';

export type EventType = 'up' | 'join' | 'ack' | 'txack' | 'status' | 'log' | 'location';

export interface LoggedEvent {
  /** `<server ms>-<sequence>`, rising within a device. */
  readonly id: string;
  readonly time: Instant;
  readonly type: EventType;
  /** JSON as the integrations get it, made when it is asked for: most events of a large fleet are read once or never. */
  readonly body: () => string;
  readonly properties: () => readonly (readonly [string, string])[];
}

/** Redis trims whole nodes of its stream (`MAXLEN ~`); events of this size come about four to a node. */
const EVENTS_PER_NODE = 4;
/** Old events are dropped so many at a time. */
const SLACK = 16;

export class EventLog {
  readonly #history: number;
  readonly #kept: number;
  #events: LoggedEvent[] = [];
  /** Number of events that were ever trimmed: the position of the first one kept. */
  #first = 0;
  #lastMs = 0;
  #sequence = 0;

  /**
   * @param history `per_device_event_log_max_history`; 0 = nothing is stored
   * @param kept how many events those who follow may lag behind
   */
  constructor(history: number, kept: number) {
    this.#history = history;
    this.#kept = Math.max(kept, history + EVENTS_PER_NODE);
  }

  append(serverMs: number, event: Omit<LoggedEvent, 'id'>): void {
    if (this.#history === 0) return;
    // As XADD does it: ids never go back, whatever the clock does.
    if (serverMs > this.#lastMs) {
      this.#lastMs = Math.floor(serverMs);
      this.#sequence = 0;
    } else this.#sequence++;
    this.#events.push({ ...event, id: `${this.#lastMs}-${this.#sequence}` });
    if (this.#events.length >= this.#kept + SLACK) {
      this.#first += this.#events.length - this.#kept;
      this.#events = this.#events.slice(-this.#kept);
    }
  }

  /** Position to read from for the whole stored history: about `history` events, as many as redis would still hold. */
  get start(): number {
    const excess = Math.max(0, this.end - this.#history);
    return Math.max(this.#first, excess - (excess % EVENTS_PER_NODE));
  }

  /** Position after the newest event. */
  get end(): number {
    return this.#first + this.#events.length;
  }

  /** At most `count` events from a position on, and the position to go on from. */
  read(position: number, count: number): { readonly events: readonly LoggedEvent[]; readonly next: number } {
    const from = Math.max(position - this.#first, 0);
    const events = this.#events.slice(from, from + count);
    return { events, next: this.#first + from + events.length };
  }

  all(): readonly LoggedEvent[] {
    return this.#events.slice(this.start - this.#first);
  }
}
