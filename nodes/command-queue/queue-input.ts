/** What a command-queue does with the messages that it gets. */
import type { NodeMessageInFlow } from 'node-red';
import { type CommandQueue, type KnownDevices, makeId } from '../../lib/commands';
import {
  cancelMessage,
  devEuiOf,
  deviceEventFromMessage,
  flushMessage,
  parseCancelMessage,
  parseCommandMessage,
  parseFlushMessage,
  parseReadingMessage,
} from '../../lib/messages';
import {
  type CommandDoors,
  type CommandRequest,
  type CommandStatus,
  endsWithin,
  type Role,
  refuseCommand,
  systemClock,
} from '../../lib/model';
import { userOf } from '../common/administration';
import type { Send } from '../common/input';
import type { DatabaseService } from '../common/services';
import { isRequest, notOpen, refuseRequest } from './refusals';

/** How long a request waits for the queue to open, ms. */
const LONGEST_WAIT = 2_000;
/** Messages that asked for commands and are remembered for their statuses. */
const MAX_ASKED = 1_000;
/** Who of the gateway's own users may send commands. */
const SENDERS: readonly Role[] = ['Operator', 'Engineer'];

export interface QueueInputDependencies {
  readonly queue: CommandQueue;
  readonly doors: CommandDoors;
  readonly devices: KnownDevices;
  readonly users: DatabaseService['users'];
}

type Message = NodeMessageInFlow & Readonly<Record<string, unknown>>;

export class QueueInput {
  readonly #deps: QueueInputDependencies;
  /** By id of the command, oldest first. */
  readonly #asked = new Map<string, Message>();
  /** Settled when it is known whether there are commands to wait for. */
  readonly #settled: Promise<void>;
  #settle: () => void = () => undefined;
  #isOpen = false;

  constructor(deps: QueueInputDependencies) {
    this.#deps = deps;
    this.#settled = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  /** Messages that came before are dealt with now. */
  open(): void {
    this.#isOpen = true;
    this.#settle();
  }

  /** The queue cannot be loaded for now: nothing waits for it, requests are refused. */
  giveUp(): void {
    this.#settle();
  }

  close(): void {
    this.#isOpen = false;
    this.#settle();
    this.#asked.clear();
  }

  /** The message that asked for a command, as far as it is known. */
  askedBy({ command: { id, endedAt, state }, transition }: CommandStatus): Message | undefined {
    const message = this.#asked.get(id);
    // Late evidence may still come, but it is for those who remember the command by its id.
    if (endedAt !== undefined && (transition?.state ?? state) === state) this.#asked.delete(id);
    return message;
  }

  async take(given: NodeMessageInFlow, send: Send): Promise<void> {
    const message = given as Message;
    if (!isRequest(message.topic)) {
      await this.#settled;
      this.#hear(message);
      return;
    }
    // Whoever asks is told soon: a command that waited here would be carried out late.
    await endsWithin(systemClock, this.#settled, LONGEST_WAIT);
    try {
      if (!this.#isOpen) throw notOpen(message.topic);
      await this.#request(message, send);
    } catch (error) {
      refuseRequest(message, error);
    }
  }

  async #request(message: Message, send: Send): Promise<void> {
    const { doors } = this.#deps;
    if (message.topic === 'command') return this.#command(message);
    if (message.topic === 'command-cancel') {
      const { id, user = '' } = parseCancelMessage(message);
      this.#judgeSender(message, id);
      send([cancelMessage(await doors.cancel(id, userOf(message) ?? user), message), null]);
      return;
    }
    const { devEui, user = '' } = parseFlushMessage(message);
    this.#judgeSender(message, devEui);
    send([flushMessage(await doors.flush(devEui, userOf(message) ?? user), message), null]);
  }

  #hear(message: Message): void {
    switch (message.topic) {
      case 'device-event': {
        const event = deviceEventFromMessage(message);
        this.#deps.devices.heard(event.device);
        this.#deps.queue.receive(event);
        return;
      }
      case 'health':
      case 'command-status':
        return;
      default:
        this.#reading(message);
    }
  }

  async #command(message: Message): Promise<void> {
    const { device, name, parameters, user = '', source = 'flow', ...rest } = parseCommandMessage(message);
    const { refusal: _, error: __, ...base } = message;
    const id = rest.id ?? makeId(systemClock, Math.random);
    const vouched = userOf(message);
    // A flow that knows where a device belongs need not wait until it was heard.
    if (device.applicationId !== undefined) this.#deps.devices.heard(device);
    const request: CommandRequest = {
      ...rest,
      id,
      devEui: device.devEui,
      name,
      parameters,
      user: vouched ?? user,
      source: vouched === undefined ? source : 'dashboard',
    };
    const isKnown = this.#deps.doors.command(id) !== undefined;
    // Its first states are told before it is answered.
    if (!isKnown) this.#remember(id, base);
    try {
      const roles = this.#judgeSender(message, name);
      await this.#deps.doors.submit(roles === undefined ? request : { ...request, roles });
    } catch (error) {
      if (!isKnown) this.#asked.delete(id);
      throw error;
    }
  }

  /** Readings are many: only those that a command waits for are looked at. */
  #reading(message: Message): void {
    const { queue, devices } = this.#deps;
    const devEui = devEuiOf(message);
    if (devEui === undefined) return;
    const isExpected = queue.commands(devEui).some(({ expected }) => expected !== undefined);
    if (!isExpected && !devices.wants(devEui)) return;
    const { reading } = parseReadingMessage(message, systemClock);
    devices.heard(reading.device, reading);
    if (isExpected) queue.measure(reading);
  }

  /** Roles of the user who is logged in at the dashboard that the message comes from; a flow may do everything. */
  #judgeSender(message: Message, subject: string): readonly Role[] | undefined {
    const name = userOf(message);
    const account = name === undefined ? undefined : this.#deps.users.find(name);
    if (account === undefined) return undefined;
    if (account.isDisabled || !account.roles.some((role) => SENDERS.includes(role)))
      refuseCommand(
        'not-permitted',
        'user',
        name,
        `only an ${SENDERS.join(' or ')} sends commands and takes them back (${subject})`,
        'Log in as one.',
      );
    return account.roles;
  }

  #remember(id: string, message: Message): void {
    const [oldest] = this.#asked.keys();
    if (this.#asked.size >= MAX_ASKED && oldest !== undefined) this.#asked.delete(oldest);
    this.#asked.set(id, message);
  }
}
