/** One variable of the address space with what is known of it, so that it can be hidden and shown again. */
import type { UAVariable } from 'node-opcua';
import type { Quality } from '../../model';
import type { PlainValue, ValueType, ValueWriter } from './values';

function same(a: PlainValue, b: PlainValue): boolean {
  if (a instanceof Date && b instanceof Date) return a.getTime() === b.getTime();
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, index) => item === b[index]);
  return a === b;
}

/** Shows something else of the same value, with the same status and times. */
export type Follower = (value: PlainValue, quality: Quality, sourceTime: Date, serverTime: Date) => void;

export class LiveVariable {
  readonly variable: UAVariable;
  readonly #writer: ValueWriter;
  #type: ValueType | undefined;
  #value: PlainValue;
  #quality: Quality = 'BadWaitingForInitialData';
  /** Source time of the value, ms UTC; 0 while there is none. */
  #time = 0;
  /** When the quality was recognised, ms UTC. */
  #statusTime = 0;
  /** Source time of the last heartbeat, ms UTC; 0 if there never was one. */
  #beat = 0;
  #outOfService = false;
  #follower: Follower | undefined;

  /** @param type undefined = settled later by {@link settle} */
  constructor(writer: ValueWriter, variable: UAVariable, type: ValueType | undefined, made: Date) {
    this.#writer = writer;
    this.variable = variable;
    this.#type = type;
    writer.publishValue(variable, type ?? 'Double', undefined, this.#quality, made, made);
  }

  get type(): ValueType | undefined {
    return this.#type;
  }

  /** Source time of the value, ms UTC; 0 while there is none. */
  get time(): number {
    return this.#time;
  }

  get quality(): Quality {
    return this.#quality;
  }

  get hasValue(): boolean {
    return this.#value !== undefined;
  }

  /** Whether a client monitors the value now. */
  get isMonitored(): boolean {
    return this.variable.listenerCount('value_changed') > 0;
  }

  /** From now on tells what is shown, beginning with what is shown now; `undefined` ends that. */
  follow(follower: Follower | undefined, now: Date): void {
    this.#follower = follower;
    if (this.#outOfService) follower?.(undefined, 'BadOutOfService', now, now);
    else follower?.(this.#value, this.#quality, this.#statusTime === 0 ? now : new Date(this.#statusTime), now);
  }

  /** Fixes the data type once. */
  settle(type: ValueType): void {
    if (this.#type !== undefined) return;
    this.#type = type;
    this.#writer.setDataType(this.variable, type);
  }

  /** Changes the type; what was shown is forgotten, because it does not fit any more. */
  changeType(type: ValueType, now: Date): void {
    if (type === this.#type) return;
    this.#type = type;
    this.#value = undefined;
    this.#quality = 'BadWaitingForInitialData';
    this.#time = this.#statusTime = 0;
    this.#writer.setDataType(this.variable, type);
    if (!this.#outOfService) this.#show(now, now);
  }

  /** Shows a new value, whatever its time. It must fit the type, which must be settled. */
  set(value: PlainValue, quality: Quality, sourceTime: Date, serverTime: Date): void {
    this.#value = value;
    this.#time = this.#statusTime = sourceTime.getTime();
    this.#quality = quality;
    if (!this.#outOfService) this.#show(sourceTime, serverTime);
  }

  /** Shows a value as Good unless it is shown already: for states and counters that are told again and again. */
  update(value: PlainValue, sourceTime: Date, serverTime: Date): void {
    if (value === undefined || (this.#quality === 'Good' && same(value, this.#value))) return;
    this.set(value, 'Good', sourceTime, serverTime);
  }

  /** Shows another status of the value there is. The source time sent is that of the status (Part 4 §7.11.3). */
  setStatus(quality: Quality, recognised: Date, serverTime: Date): void {
    if (quality === this.#quality) return;
    this.#quality = quality;
    this.#statusTime = recognised.getTime();
    if (!this.#outOfService) this.#show(recognised, serverTime);
  }

  /** Hides value and status behind BadOutOfService, or shows again what is known. */
  setOutOfService(outOfService: boolean, now: Date): void {
    if (outOfService === this.#outOfService) return;
    this.#outOfService = outOfService;
    if (outOfService) this.#publish(undefined, 'BadOutOfService', now, now);
    else this.#show(this.#statusTime === 0 ? now : new Date(this.#statusTime), now);
  }

  /**
   * Shows a fresh value once more, as if it had been measured now: for clients that judge age by the SourceTimestamp.
   * What is known of the value, its true time among it, stays; a value that is not Good is left alone.
   */
  beat(now: Date): void {
    if (this.#quality !== 'Good' || this.#value === undefined || this.#outOfService) return;
    if (now.getTime() <= this.#time) return;
    this.#beat = now.getTime();
    this.#publish(this.#value, this.#quality, now, now);
  }

  /** True times from now on. */
  endBeat(now: Date): void {
    if (this.#beat === 0) return;
    this.#beat = 0;
    if (!this.#outOfService) this.#show(this.#statusTime === 0 ? now : new Date(this.#statusTime), now);
  }

  #show(sourceTime: Date, serverTime: Date): void {
    // The time of a value that took a while to get here must not go back behind that of the last heartbeat.
    const isBehind =
      this.#quality === 'Good' && this.#beat > sourceTime.getTime() && this.#beat <= serverTime.getTime();
    this.#publish(this.#value, this.#quality, isBehind ? new Date(this.#beat) : sourceTime, serverTime);
  }

  #publish(value: PlainValue, quality: Quality, sourceTime: Date, serverTime: Date): void {
    this.#writer.publishValue(this.variable, this.#type ?? 'Double', value, quality, sourceTime, serverTime);
    this.#follower?.(value, quality, sourceTime, serverTime);
  }
}
