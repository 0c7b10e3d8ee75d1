/**
 * The command queue: takes requests, makes them durable, gives them to ChirpStack one after the other per device and
 * side by side across devices, and follows each to an end that says what is known and no more.
 *
 * Nothing is enqueued twice: a command is stored as `Sending` before the call, and called again only if the call
 * provably did not arrive. What is in doubt (a reply that was lost, a crash during the call) is decided by what
 * ChirpStack's queue and later events show, else it ends as `Uncertain`. Nothing old is sent: deadlines run on the
 * monotonic clock, and ChirpStack gets them as the expiry of its queue item.
 */
import {
  type CancelResult,
  type Clock,
  type Command,
  type CommandRequest,
  type CommandStatus,
  type DevEui,
  type DeviceEvent,
  type DeviceFlushResult,
  Emitter,
  endsWithin,
  errorText,
  type Logger,
  type QueueCounts,
  type Random,
  type Reading,
  refuseCommand,
  type Unsubscribe,
} from '../model';
import { auditEntry, sendEntry } from './audit';
import { countCommands } from './counts';
import type { CommandStore, DefinitionSource, DeviceLookup, Downlinks } from './doors';
import { type Entry, expectationOf, newEntry, restoredEntry, wallTime } from './entry';
import { makeId } from './ids';
import { Lane } from './lane';
import type { LaneHost } from './lane-host';
import { isBeforeTransmission, isUnsent } from './life-cycle';
import { logFault, logTransition } from './log-transition';
import { newCommand } from './new-command';
import { type JudgedRequest, RequestRates, Requests } from './requests';
import { restoreCommands } from './restore';
import { Slots } from './slots';
import { cancelResult, flushResult } from './taking-back';
import { CommandWriter } from './writer';

/** Calls to ChirpStack at once: a connection has eight, and others want to know things too. */
const MAX_CALLS = 6;
/** Open commands of one device. */
const DEFAULT_MAX_PER_DEVICE = 100;
/** Between two looks for what can be forgotten, ms. */
const PRUNE_INTERVAL = 600_000;
/** Between two comparisons of the clocks, ms. */
const CLOCK_CHECK = 30_000;
/** A step of the wall clock, ms. */
const CLOCK_STEP = 1_000;
/** How long calls under way may take to end when the queue closes, ms; then they are given up. */
const CALLS_END = 2_500;
/** How long the storage may take after that, ms. */
const STORE_ENDS = 2_000;

export interface CommandQueueDependencies {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly store: CommandStore;
  readonly downlinks: Downlinks;
  /** The definitions that hold now: asked at each request, so that they may change at any time. */
  readonly definitions: () => DefinitionSource;
  readonly devices: DeviceLookup;
  /** Open commands of one device, 100 if absent. */
  readonly maxPerDevice?: number;
}

export class CommandQueue {
  readonly #deps: CommandQueueDependencies;
  readonly #writer: CommandWriter;
  readonly #requests: Requests;
  readonly #rates = new RequestRates();
  readonly #slots = new Slots(MAX_CALLS);
  readonly #lanes = new Map<DevEui, Lane>();
  /** Where each command in memory is. */
  readonly #places = new Map<string, DevEui>();
  /** Requests with an own id that are being stored. */
  readonly #storing = new Map<string, Promise<Command>>();
  readonly #statuses: Emitter<CommandStatus>;
  readonly #abort = new AbortController();
  readonly #host: LaneHost;
  readonly #subscriptions: Unsubscribe[] = [];
  #state: 'new' | 'starting' | 'open' | 'closed' = 'new';
  #closing: Promise<void> | undefined;
  #sequence = 0;
  #clockOffset: number;

  constructor(deps: CommandQueueDependencies) {
    this.#deps = deps;
    const { clock, logger } = deps;
    this.#writer = new CommandWriter(deps.store, clock, logger);
    this.#requests = new Requests(deps);
    this.#clockOffset = clock.now() - clock.monotonic();
    this.#statuses = new Emitter((error) =>
      logFault(logger, `A listener of command states failed: ${errorText(error)}`),
    );
    this.#host = {
      clock,
      random: deps.random,
      downlinks: deps.downlinks,
      slots: this.#slots,
      signal: this.#abort.signal,
      isClosing: () => this.#state === 'closed',
      changed: (before, after) => this.#changed(before, after),
      store: (command) => this.#writer.change(command),
      failed: (devEui, message) => logFault(logger, `The commands of a device stopped: ${message}`, devEui),
    };
  }

  /**
   * Loads what an earlier process left, and goes on with it. May be called again after it failed.
   * @throws as the store does
   */
  async start(): Promise<void> {
    if (this.#state !== 'new') return;
    this.#state = 'starting';
    let commands: readonly Command[];
    try {
      commands = await restoreCommands(this.#deps.store, this.#deps.clock, this.#deps.logger);
    } catch (error) {
      if (this.#isState('starting')) this.#state = 'new';
      throw error;
    }
    if (!this.#isState('starting')) return;
    this.#state = 'open';
    for (const command of commands) this.#restore(command);
    const { clock, downlinks } = this.#deps;
    const prune = clock.every(PRUNE_INTERVAL, () => this.#prune());
    const check = clock.every(CLOCK_CHECK, () => this.#checkClock());
    this.#subscriptions.push(
      () => prune.cancel(),
      () => check.cancel(),
      downlinks.onAvailable(() => {
        for (const lane of this.#lanes.values()) lane.available();
      }),
    );
    for (const lane of this.#lanes.values()) lane.wake();
  }

  /**
   * Takes a command. Resolves when it is durable: from then on it is carried out, whatever happens to this process.
   * @throws CommandRefusedError if it is not taken; as the store does if it cannot be stored: then it never will be sent
   */
  async submit(request: CommandRequest): Promise<Command> {
    if (this.#state !== 'open')
      refuseCommand('not-ready', 'command', request.name, 'the command queue is not open', 'Try again in a moment.');
    const { id } = request;
    if (id === undefined) return this.#submit(request, makeId(this.#deps.clock, this.#deps.random));
    const storing = this.#storing.get(id);
    const known = storing === undefined ? this.command(id) : await storing;
    if (known !== undefined) {
      if (known.devEui === request.devEui && known.name === request.name) return known;
      refuseCommand('duplicate-id', 'id', id, 'it is the id of another command', 'Give each command an id of its own.');
    }
    const submitted = this.#submit(request, id);
    this.#storing.set(id, submitted);
    try {
      return await submitted;
    } finally {
      this.#storing.delete(id);
    }
  }

  /** A device event, live or replayed, of any device, also more than once and late. */
  receive(event: DeviceEvent): void {
    if (this.#state === 'open') this.#lanes.get(event.device.devEui)?.received(event);
  }

  /** A reading, for commands that expect a state. */
  measure(reading: Reading): void {
    if (this.#state === 'open') this.#lanes.get(reading.device.devEui)?.measured(reading);
  }

  /** Takes a command back if it is not yet with ChirpStack; the result says what really became of it. */
  async cancel(id: string, user: string): Promise<CancelResult> {
    const entry = this.#entry(id);
    if (entry === undefined)
      return { done: false, command: undefined, text: 'There is no such command, or it ended long ago.' };
    const lane = this.#lane(entry.command.devEui);
    lane.apply(entry, { type: 'cancel', user });
    await this.#writer.journal(
      auditEntry('command.cancel', entry.command, wallTime(this.#deps.clock), user, { id, state: entry.command.state }),
    );
    lane.wake();
    return cancelResult(entry.command);
  }

  /**
   * Takes all commands of a device back: those that wait here, and ChirpStack's whole queue of the device, also what
   * others put in there. What is in the air cannot be taken back.
   */
  async flush(devEui: DevEui, user: string): Promise<DeviceFlushResult> {
    const lane = this.#lane(devEui);
    for (const entry of lane.entries) if (isUnsent(entry.command)) lane.apply(entry, { type: 'cancel', user });
    const { downlinks } = this.#deps;
    const signal = this.#abort.signal;
    // What gets there after the call is not flushed by it.
    const there = lane.entries.filter(({ command }) => command.state === 'Enqueued');
    const before = await this.#slots.run(() => downlinks.queue(devEui, signal));
    const result = await this.#slots.run(() => downlinks.flush(devEui, signal));
    if (result.kind !== 'refused')
      for (const entry of there) if (lane.apply(entry, { type: 'flushed', user })) entry.lookAt = 0;
    await this.#writer.journal(
      auditEntry('command.flush', { devEui }, wallTime(this.#deps.clock), user, { result: result.kind }),
    );
    lane.wake();
    return flushResult(
      result,
      before,
      lane.entries.map(({ command }) => command),
    );
  }

  /** A command of the last day or one that has not ended; older ones are in the store. */
  command(id: string): Command | undefined {
    return this.#entry(id)?.command;
  }

  /** Commands in memory in order of their creation: all that have not ended, and the newest that have. */
  commands(devEui?: DevEui): readonly Command[] {
    const lanes = devEui === undefined ? [...this.#lanes.values()] : [this.#lanes.get(devEui)];
    const commands = lanes.flatMap((lane) => lane?.entries.map(({ command }) => command) ?? []);
    return commands.sort((a, b) => a.sequence - b.sequence);
  }

  counts(): QueueCounts {
    return countCommands(this.commands());
  }

  /** A command as listeners would get it. */
  status(command: Command): CommandStatus {
    return {
      command,
      transition: command.transitions.at(-1),
      expectation: expectationOf(command, this.#deps.devices(command.devEui), this.#deps.clock.now()),
    };
  }

  /** Told about each transition, and each time more is known in the same state. */
  onStatus(listener: (status: CommandStatus) => void): Unsubscribe {
    return this.#statuses.on(listener);
  }

  /** Ends within 5 s; what is under way and unanswered is found out at the next start. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#state = 'closed';
    for (const unsubscribe of this.#subscriptions) unsubscribe();
    for (const lane of this.#lanes.values()) lane.close();
    const { clock } = this.#deps;
    const idle = Promise.all(Array.from(this.#lanes.values(), (lane) => lane.idle));
    if (!(await endsWithin(clock, idle, CALLS_END))) {
      this.#abort.abort();
      // What was given up is noted, if that can be done at once.
      await endsWithin(clock, idle, 200);
    }
    this.#abort.abort();
    await this.#writer.close(STORE_ENDS);
  }

  async #submit(request: CommandRequest, id: string): Promise<Command> {
    const judged = this.#requests.judge(request);
    const lane = this.#lane(request.devEui);
    const born = this.#deps.clock.monotonic();
    const rate = `${request.devEui}/${request.name}`;
    this.#judgeLoad(lane, judged, rate, born);
    const command = newCommand(request, judged, { id, sequence: ++this.#sequence, now: wallTime(this.#deps.clock) });
    // One commit instead of two where it is sent at once.
    const giveBack = lane.hold();
    const stored = giveBack === undefined ? command : lane.dispatching(command, command.deadline);
    lane.reserved.push(request.name);
    if (judged.definition.rateLimit !== undefined) this.#rates.count(rate, born);
    try {
      await this.#writer.request(stored, [sendEntry(stored)]);
    } catch (error) {
      this.#rates.uncount(rate, born);
      if (giveBack !== undefined) lane.letGo(giveBack);
      throw error;
    } finally {
      lane.reserved.splice(lane.reserved.indexOf(request.name), 1);
    }
    const entry = newEntry(stored, born);
    this.#places.set(id, request.devEui);
    lane.add(entry);
    this.#changed({ ...stored, transitions: [] }, stored);
    if (giveBack === undefined) lane.wake();
    else lane.callNow(entry, giveBack);
    return stored;
  }

  #judgeLoad(lane: Lane, { definition }: JudgedRequest, rate: string, now: number): void {
    const limit = this.#deps.maxPerDevice ?? DEFAULT_MAX_PER_DEVICE;
    if (lane.openCount >= limit)
      refuseCommand(
        'overflow',
        'command',
        definition.name,
        `at most ${limit} commands wait for a device`,
        'Cancel some, or wait.',
      );
    const isPending =
      lane.reserved.includes(definition.name) ||
      lane.entries.some(({ command }) => command.name === definition.name && isBeforeTransmission(command));
    if (definition.coalescing === 'reject' && isPending)
      refuseCommand(
        'pending',
        'command',
        definition.name,
        'an older one is not yet transmitted',
        'Wait for its end, or cancel it.',
      );
    if (definition.rateLimit === undefined) return;
    const delay = this.#rates.delay(rate, definition.rateLimit, now);
    if (delay > 0)
      refuseCommand(
        'rate-limited',
        'command',
        definition.name,
        `at most ${definition.rateLimit.count} in ${definition.rateLimit.seconds} s`,
        `Try again in ${Math.ceil(delay / 1_000)} s.`,
      );
  }

  #restore(command: Command): void {
    const { entry, isAgeKnown } = restoredEntry(command, this.#deps.clock);
    const lane = this.#lane(command.devEui);
    this.#sequence = Math.max(this.#sequence, command.sequence);
    this.#places.set(command.id, command.devEui);
    this.#rates.count(`${command.devEui}/${command.name}`, entry.born);
    lane.add(entry);
    if (command.state === 'Sending' && command.call === 'open')
      lane.apply(entry, {
        type: 'unclear',
        reason: 'The gateway stopped while it was given to ChirpStack. Its queue is looked at.',
      });
    if (!isAgeKnown)
      lane.apply(entry, {
        type: 'overdue',
        reason: 'The clock was set back while the gateway was down: its age is not known, so it is not sent.',
      });
  }

  #lane(devEui: DevEui): Lane {
    const known = this.#lanes.get(devEui);
    if (known !== undefined) return known;
    const lane = new Lane(devEui, this.#host);
    this.#lanes.set(devEui, lane);
    return lane;
  }

  #entry(id: string): Entry | undefined {
    const devEui = this.#places.get(id);
    return devEui === undefined ? undefined : this.#lanes.get(devEui)?.find(id);
  }

  #changed(before: Command, after: Command): void {
    const status = this.status(after);
    const steps = after.transitions.slice(before.transitions.length);
    if (steps.length === 0) this.#statuses.emit({ ...status, transition: undefined });
    for (const transition of steps) {
      this.#statuses.emit({ ...status, transition });
      logTransition(this.#deps.logger, after, transition);
    }
  }

  #prune(): void {
    for (const [devEui, lane] of this.#lanes) {
      if (!lane.prune()) continue;
      lane.close();
      this.#lanes.delete(devEui);
    }
    for (const [id, devEui] of this.#places)
      if (this.#lanes.get(devEui)?.find(id) === undefined) this.#places.delete(id);
  }

  /** After a restart ages are judged by the wall clock: a step of it must not make a command younger. */
  #checkClock(): void {
    const { clock } = this.#deps;
    const offset = clock.now() - clock.monotonic();
    const step = Math.abs(offset - this.#clockOffset);
    this.#clockOffset = offset;
    if (step >= CLOCK_STEP) for (const lane of this.#lanes.values()) lane.storeAges();
  }

  #isState(state: string): boolean {
    return this.#state === state;
  }
}
