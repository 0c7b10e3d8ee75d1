import type { EventId } from '../model';
import { EVENTS_PER_DEVICE } from './backend';

/** The last events of one device: enough to know the same event by stream, replay, MQTT and restart again. */
export class EventMemory {
  /** In order of arrival, which a Set keeps. */
  readonly #ids = new Set<EventId>();
  #sequence = 0;

  /** Sequence number of a new event; `undefined` for one that was seen. */
  add(id: EventId): number | undefined {
    if (this.#ids.has(id)) return undefined;
    this.restore(id, this.#sequence + 1);
    return this.#sequence;
  }

  /** Takes over an event that was seen earlier. */
  restore(id: EventId, sequence: number): void {
    this.#ids.add(id);
    this.#sequence = Math.max(this.#sequence, sequence);
    if (this.#ids.size <= EVENTS_PER_DEVICE) return;
    const [oldest] = this.#ids;
    if (oldest !== undefined) this.#ids.delete(oldest);
  }
}
