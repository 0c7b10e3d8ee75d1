/**
 * What came before it was known which command it is about: events about queue items that no command is known to be, as
 * the reply to a call may be slower than they are; and readings that overtook the report of a transmission, as they
 * have another way through a flow.
 */
import type { Command, DeviceEvent, Reading } from '../model';

/** Per device. */
const KEPT = 32;
const READINGS_KEPT = 8;

/** The queue item that an event is about, if it names one. */
export function itemOf(event: DeviceEvent): string | undefined {
  if (event.type === 'txack' || event.type === 'ack') return event.queueItemId;
  return event.type === 'log' ? event.context.queue_item_id : undefined;
}

export class Strangers {
  #events: DeviceEvent[] = [];
  #readings: Reading[] = [];

  add(event: DeviceEvent): void {
    this.#events.push(event);
    if (this.#events.length > KEPT) this.#events.shift();
  }

  /** Takes out the events about an item that has turned out to be a command. */
  take(queueItemId: string): readonly DeviceEvent[] {
    const mine = this.#events.filter((event) => itemOf(event) === queueItemId);
    this.#events = this.#events.filter((event) => !mine.includes(event));
    return mine;
  }

  /** What speaks for an unclear command having been sent, though it proves nothing: somebody else may have sent it. */
  hint(): string | undefined {
    const sent = this.#events.find(({ type }) => type === 'txack' || type === 'ack');
    const id = sent === undefined ? undefined : itemOf(sent);
    return id === undefined
      ? undefined
      : `A downlink that this gateway does not know (${id}) was sent to the device in that time; it may be this one.`;
  }

  /**
   * Keeps a reading that may turn out to be later than the transmission of one of the commands.
   * @param entries all of the device
   */
  measured(reading: Reading, entries: readonly { readonly command: Command }[]): void {
    this.#readings = entries.some(
      ({ command }) => command.expected !== undefined && command.transmittedAt === undefined,
    )
      ? [...this.#readings, reading].slice(-READINGS_KEPT)
      : [];
  }

  get readings(): readonly Reading[] {
    return this.#readings;
  }
}
