/**
 * The commands of one device: given to ChirpStack one after the other, in order. What concerns one command is decided by
 * its life cycle; the lane decides when something is asked, tried again, or given up.
 */
import { type Command, type DevEui, type DeviceEvent, errorText, type Reading, type Timer } from '../model';
import type { EnqueueResult, QueueResult } from './doors';
import {
  deadlineOf,
  type Entry,
  isAwaited,
  isLongOver,
  isOverdueNews,
  LONGEST_RETRY,
  lookLater,
  needsLook,
  nextDue,
  retryDelay,
  uniqueExpiry,
  wallTime,
} from './entry';
import type { LaneHost } from './lane-host';
import { advance, type CommandInput, isUnsent } from './life-cycle';
import { itemOf, Strangers } from './strangers';

/** How long an item must be missing in ChirpStack's queue before no event about it is awaited any more, ms. */
const ABSENCE = 10_000;
/** The same after a call that may have arrived: the server may be at work on it. */
const ABSENCE_AFTER_CALL = 15_000;
/** Between two looks at something that is missing, ms. */
const NEXT_LOOK = 3_000;
/** ms after an uplink or a join of the device, in which the events about its downlink have come. */
const LOOK_AFTER_UPLINK = 15_000;
/** Ended commands per device that late evidence may still change. */
const ENDED_KEPT = 32;
/** How long they are kept, ms. */
const ENDED_TIME = 24 * 3_600_000;

export class Lane {
  readonly devEui: DevEui;
  readonly #host: LaneHost;
  #entries: Entry[] = [];
  readonly #strangers = new Strangers();
  #busy = false;
  #work: Promise<void> = Promise.resolve();
  #timer: Timer | undefined;
  #notBefore = 0;
  /** Names of requests that are being stored. */
  readonly reserved: string[] = [];

  constructor(devEui: DevEui, host: LaneHost) {
    this.devEui = devEui;
    this.#host = host;
  }

  get entries(): readonly Entry[] {
    return this.#entries;
  }

  /** Those that have not ended, and requests that are being stored. */
  get openCount(): number {
    return this.#entries.filter(({ command }) => command.endedAt === undefined).length + this.reserved.length;
  }

  /** Settled when nothing is under way. */
  get idle(): Promise<void> {
    return this.#work;
  }

  find(id: string): Entry | undefined {
    return this.#entries.find(({ command }) => command.id === id);
  }

  /** The command as it is given to ChirpStack now. */
  dispatching(command: Command, left: number): Command {
    const { clock, random } = this.#host;
    const others = this.#entries.map((entry) => entry.command);
    return advance(
      command,
      { type: 'dispatching', expiry: uniqueExpiry(clock.now(), left, others, random) },
      wallTime(clock),
    );
  }

  /** Takes in a command that is durable. */
  add(entry: Entry): void {
    this.#entries.push(entry);
    this.#entries.sort((a, b) => a.command.sequence - b.command.sequence);
    const { command } = entry;
    if (command.coalescing !== 'replace') return;
    for (const other of this.#entries)
      if (other !== entry && other.command.name === command.name && other.command.sequence < command.sequence)
        this.apply(other, { type: 'superseded', by: command.id });
  }

  /**
   * Keeps the lane and a place for a call that is to be made at once; `undefined` if it cannot be. The function returned
   * goes to {@link callNow} or {@link letGo}.
   */
  hold(): (() => void) | undefined {
    const isFree = !this.#busy && this.reserved.length === 0 && !this.#host.isClosing();
    if (!isFree || this.#entries.some(isAwaited)) return undefined;
    const giveBack = this.#host.slots.tryTake();
    if (giveBack !== undefined) this.#busy = true;
    return giveBack;
  }

  /** The call is not made. */
  letGo(giveBack: () => void): void {
    giveBack();
    this.#busy = false;
    this.wake();
  }

  /** Gives a command that is stored as `Sending` to ChirpStack; the lane is held. */
  callNow(entry: Entry, giveBack: () => void): void {
    const call = this.#call(entry).finally(giveBack);
    this.#work = this.#ending(call.then(() => this.#run()));
  }

  /** Does what is due. */
  wake(): void {
    if (this.#busy || this.#host.isClosing()) return;
    this.#busy = true;
    this.#work = this.#ending(this.#run());
  }

  /** ChirpStack is back: what waits for it does not wait any longer. */
  available(): void {
    for (const entry of this.#entries) {
      if (isUnsent(entry.command)) entry.retryAt = 0;
      if (entry.command.call === 'unclear' && needsLook(entry)) entry.lookAt = 0;
    }
    this.wake();
  }

  received(event: DeviceEvent): void {
    const id = itemOf(event);
    if (id !== undefined) this.#aboutItem(event, id);
    else if (event.type === 'log' && event.code === 'DOWNLINK_GATEWAY' && !event.replayed) {
      // It names no item, but it can only be the one whose turn it is.
      const first = this.#entries.find(({ command }) => command.state === 'Enqueued');
      if (first !== undefined) this.apply(first, { type: 'event', event });
    } else if (event.type === 'join') this.#lookSoon();
    this.#schedule();
  }

  measured(reading: Reading): void {
    for (const entry of this.#entries) this.apply(entry, { type: 'reading', reading });
    this.#strangers.measured(reading, this.#entries);
    if (reading.origin === 'event') this.#lookSoon();
    this.#schedule();
  }

  /** Applies an input to one command. @returns whether anything changed */
  apply(entry: Entry, input: CommandInput): boolean {
    const { clock } = this.#host;
    const before = entry.command;
    const after = advance(before, input, wallTime(clock));
    if (after === before) return false;
    entry.command = { ...after, age: clock.monotonic() - entry.born };
    this.#took(entry, before);
    // What could not be stored is tried again by the writer.
    this.#host.store(entry.command).catch(() => undefined);
    return true;
  }

  /** Drops what has ended long ago. @returns whether nothing is left */
  prune(): boolean {
    const now = this.#host.clock.now();
    const ended = this.#entries.filter(({ command }) => command.endedAt !== undefined);
    const old = new Set(
      ended.filter(
        ({ command }, index) => index < ended.length - ENDED_KEPT || (command.endedAt ?? now) < now - ENDED_TIME,
      ),
    );
    this.#entries = this.#entries.filter((entry) => !old.has(entry));
    return this.#entries.length === 0 && this.reserved.length === 0 && !this.#busy;
  }

  close(): void {
    this.#timer?.cancel();
  }

  /** Stores ages anew: the wall clock, by which they would be judged after a restart, has stepped. */
  storeAges(): void {
    const { clock } = this.#host;
    for (const entry of this.#entries) {
      if (!isAwaited(entry)) continue;
      entry.command = { ...entry.command, age: clock.monotonic() - entry.born, changedAt: wallTime(clock) };
      this.#host.store(entry.command).catch(() => undefined);
    }
  }

  #aboutItem(event: DeviceEvent, id: string): void {
    const known = this.#entries.find(({ command }) => command.queueItemId === id);
    if (known !== undefined) {
      this.apply(known, { type: 'event', event });
      return;
    }
    if (!this.#entries.some(({ command }) => command.call === 'open' || command.call === 'unclear')) return;
    this.#strangers.add(event);
  }

  /** What follows from a change, for the lane. */
  #took(entry: Entry, before: Command): void {
    const { command } = entry;
    const now = this.#host.clock.monotonic();
    this.#host.changed(before, command);
    if (command.transmittedAt !== undefined && before.transmittedAt === undefined) {
      if (command.expected !== undefined) entry.verifyBy = now + command.expected.within;
      lookLater(entry, now);
      for (const reading of this.#strangers.readings) this.apply(entry, { type: 'reading', reading });
    }
    if (command.queueItemId === undefined || before.queueItemId !== undefined) return;
    lookLater(entry, now);
    for (const event of this.#strangers.take(command.queueItemId)) this.apply(entry, { type: 'event', event });
  }

  #lookSoon(): void {
    const at = this.#host.clock.monotonic() + LOOK_AFTER_UPLINK;
    for (const entry of this.#entries) if (needsLook(entry)) entry.lookAt = Math.min(entry.lookAt, at);
  }

  async #ending(work: Promise<void>): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.#host.failed(this.devEui, errorText(error));
      // It would fail again at once.
      this.#notBefore = this.#host.clock.monotonic() + LONGEST_RETRY;
    } finally {
      this.#busy = false;
      this.#schedule();
    }
  }

  async #run(): Promise<void> {
    while (!this.#host.isClosing()) {
      this.#judgeTimes();
      const now = this.#host.clock.monotonic();
      if (this.#entries.some((entry) => needsLook(entry) && entry.lookAt <= now)) {
        await this.#look();
        continue;
      }
      const next = this.#entries.find(isAwaited);
      if (next === undefined || !isUnsent(next.command) || next.retryAt > now) return;
      // The place first: what is stored as under way while it only waits for its turn would be in doubt after a crash.
      const giveBack = await this.#host.slots.take();
      try {
        await this.#dispatch(next);
      } finally {
        giveBack();
      }
    }
  }

  #judgeTimes(): void {
    const now = this.#host.clock.monotonic();
    for (const entry of this.#entries) {
      if ((isUnsent(entry.command) || isOverdueNews(entry)) && deadlineOf(entry) <= now) {
        entry.isOverdueNoted = true;
        this.apply(entry, { type: 'overdue', reason: 'Its deadline passed before it could be given to ChirpStack.' });
      }
      if (entry.verifyBy !== undefined && entry.verifyBy <= now && entry.command.endedAt === undefined)
        this.apply(entry, { type: 'verification-over' });
    }
  }

  async #dispatch(entry: Entry): Promise<void> {
    const { clock } = this.#host;
    // It may have been taken back or have grown old while it waited for a place.
    this.#judgeTimes();
    if (!isUnsent(entry.command) || this.#host.isClosing()) return;
    const before = entry.command;
    const command = this.dispatching(before, deadlineOf(entry) - clock.monotonic());
    entry.command = { ...command, age: clock.monotonic() - entry.born };
    this.#host.changed(before, entry.command);
    try {
      // Before the call, so that a crash in between is seen at the next start.
      await this.#host.store(entry.command);
    } catch (error) {
      this.#unsent(entry, `It cannot be stored: ${errorText(error)}`);
      return;
    }
    await this.#call(entry);
  }

  async #call(entry: Entry): Promise<void> {
    const result = await this.#enqueue(entry.command, deadlineOf(entry));
    switch (result.kind) {
      case 'accepted':
        this.apply(entry, {
          type: 'accepted',
          queueItemId: result.id,
          ...(result.reason === undefined ? {} : { reason: result.reason }),
        });
        return;
      case 'refused':
        this.apply(entry, { type: 'refused', reason: result.reason });
        return;
      case 'unsent':
        this.#unsent(entry, result.reason);
        return;
      case 'unclear':
        entry.lookAt = 0;
        entry.absentSince = undefined;
        this.apply(entry, {
          type: 'unclear',
          reason: `It may have reached ChirpStack or not: ${result.reason} Its queue is looked at.`,
        });
    }
  }

  async #enqueue({ id, fPort, confirmed, payload, expiry }: Command, deadline: number): Promise<EnqueueResult> {
    const { clock, downlinks, signal } = this.#host;
    // It may have waited for the storage.
    if (this.#host.isClosing()) return { kind: 'unsent', reason: 'The gateway stopped before it was sent.' };
    if (expiry === undefined || deadline <= clock.monotonic())
      return { kind: 'unsent', reason: 'Its deadline passed before it could be given to ChirpStack.' };
    try {
      return await downlinks.enqueue(this.devEui, { id, fPort, confirmed, payload, expiry }, signal);
    } catch (error) {
      return { kind: 'unclear', reason: errorText(error) };
    }
  }

  #unsent(entry: Entry, reason: string): void {
    entry.retryAt = this.#host.clock.monotonic() + retryDelay(entry, this.#host.random);
    this.apply(entry, { type: 'unsent', reason: `It did not reach ChirpStack and is tried again: ${reason}` });
  }

  async #look(): Promise<void> {
    const { clock, downlinks, slots, signal } = this.#host;
    const asked = this.#entries.filter((entry) => needsLook(entry));
    // The picture is of some instant during the call: what became known meanwhile is not absent by it.
    const result = await slots.run(async (): Promise<QueueResult> => {
      try {
        return await downlinks.queue(this.devEui, signal);
      } catch (error) {
        return { kind: 'unavailable', reason: errorText(error) };
      }
    });
    const now = clock.monotonic();
    if (result.kind === 'unavailable') {
      for (const entry of asked) entry.lookAt = now + retryDelay(entry, this.#host.random);
      return;
    }
    if (result.kind === 'unknowable') {
      for (const entry of asked) {
        lookLater(entry, now);
        this.apply(entry, { type: 'undecidable', reason: result.reason, isOver: isLongOver(entry, now) });
      }
      return;
    }
    const items = result.kind === 'items' ? result.items : [];
    const remark =
      result.kind === 'gone' ? `ChirpStack does not show the device any more: ${result.reason}` : undefined;
    for (const entry of asked) {
      if (!needsLook(entry)) continue;
      entry.failures = 0;
      this.#judgePicture(entry, items, remark, now);
    }
  }

  #judgePicture(
    entry: Entry,
    items: Extract<QueueResult, { kind: 'items' }>['items'],
    remark: string | undefined,
    now: number,
  ): void {
    const isUnclear = entry.command.call === 'unclear';
    const wait = isUnclear ? ABSENCE_AFTER_CALL : ABSENCE;
    const conclusive = entry.absentSince !== undefined && now - entry.absentSince >= wait;
    const note = [remark, ...(isUnclear ? [this.#strangers.hint()] : [])]
      .filter((text) => text !== undefined)
      .join(' ');
    const input: CommandInput = { type: 'picture', items, conclusive, ...(note === '' ? {} : { note }) };
    const isThere = items.some(({ id }) => id === entry.command.queueItemId);
    this.apply(entry, input);
    if (!needsLook(entry)) return;
    if (isThere || (entry.command.queueItemId !== undefined && isUnclear)) {
      lookLater(entry, now);
      return;
    }
    entry.absentSince ??= now;
    entry.lookAt = now + NEXT_LOOK;
  }

  #schedule(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#busy || this.#host.isClosing()) return;
    const { clock } = this.#host;
    let due = Math.min(...this.#entries.map((entry) => nextDue(entry)));
    const next = this.#entries.find(isAwaited);
    if (next !== undefined && isUnsent(next.command)) due = Math.min(due, next.retryAt);
    if (due === Number.POSITIVE_INFINITY) return;
    this.#timer = clock.after(Math.max(0, Math.max(due, this.#notBefore) - clock.monotonic()), () => this.wake());
  }
}
