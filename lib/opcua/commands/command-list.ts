/** Objects/LoRaWAN/Commands: how many commands are where, and what can be asked of all of them. */
import type { Argument, UAMethod, UAObject } from 'node-opcua';
import {
  type Clock,
  COMMAND_STATES,
  type Command,
  type CommandState,
  InvalidInputError,
  parseDevEui,
  type Timer,
} from '../../model';
import type { LiveVariable } from '../address-space/live-variable';
import type { NodeFactory } from '../address-space/node-factory';
import { addProperty } from '../address-space/properties';
import type { ScalarType } from '../address-space/values';
import { grantCall } from '../security/roles';
import { jsonOf } from './command-events';
import type { CommandSource } from './command-source';
import { bindServed, COMMANDS, type ListMethod } from './command-types';

/** ms between two counts: each takes a look at all commands. */
const COUNT_INTERVAL = 500;
const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1_000;

interface Field {
  readonly name: string;
  readonly type: ScalarType;
  readonly isArray?: boolean;
  readonly description: string;
}

interface MethodSpecification {
  readonly key: string;
  readonly description: string;
  readonly inputs: readonly Field[];
  readonly outputs: readonly Field[];
}

export const LIST: Readonly<Record<ListMethod, MethodSpecification>> = {
  GetCommands: {
    key: 'get',
    description: 'Commands, the newest first, each as JSON',
    inputs: [
      { name: 'DevEUI', type: 'String', description: 'Only of this device; empty or Null: of all' },
      { name: 'State', type: 'String', description: 'Only those in this state; empty or Null: in any' },
      {
        name: 'Limit',
        type: 'UInt32',
        description: `At most so many, 1 to ${MAX_LIMIT}; 0 or Null: ${DEFAULT_LIMIT}`,
      },
    ],
    outputs: [{ name: 'Commands', type: 'String', isArray: true, description: 'One JSON object each' }],
  },
  Cancel: {
    key: 'cancel',
    description: 'Takes a command back, if it can still be taken back',
    inputs: [{ name: 'CommandId', type: 'String', description: 'Id of the command' }],
    outputs: [
      { name: 'Done', type: 'Boolean', description: 'Whether it was taken back: it will not reach the device' },
      { name: 'Text', type: 'String', description: 'What really became of it' },
    ],
  },
  Flush: {
    key: 'flush',
    description: 'Takes all commands of a device back, also those of others in the queue of ChirpStack',
    inputs: [{ name: 'DevEUI', type: 'String', description: 'DevEUI of the device' }],
    outputs: [
      { name: 'Done', type: 'Boolean', description: 'Whether ChirpStack emptied its queue of the device' },
      { name: 'Text', type: 'String', description: 'What really became of them' },
      { name: 'Cancelled', type: 'String', isArray: true, description: 'Ids of commands that were taken back' },
      {
        name: 'Beyond',
        type: 'String',
        isArray: true,
        description: 'Ids of commands that were sent or may have been sent',
      },
    ],
  },
};

export class CommandList {
  readonly object: UAObject;
  readonly methods: Readonly<Record<ListMethod, UAMethod>>;
  readonly #factory: NodeFactory;
  readonly #clock: Clock;
  readonly #source: CommandSource;
  readonly #members: Readonly<Record<keyof typeof COMMANDS, LiveVariable>>;
  #timer: Timer | undefined;
  #closed = false;

  constructor(factory: NodeFactory, network: UAObject, clock: Clock, source: CommandSource) {
    this.#factory = factory;
    this.#clock = clock;
    this.#source = source;
    const id = 'lorawan/commands';
    this.object = factory.part(network, id, 'Commands', factory.types.commands);
    this.#members = factory.members(this.object, id, COMMANDS);
    const method = (name: ListMethod): UAMethod => this.#addMethod(id, name);
    this.methods = { GetCommands: method('GetCommands'), Cancel: method('Cancel'), Flush: method('Flush') };
    // Whoever may look may ask; what they do is for those who operate.
    grantCall(factory.library, this.methods.GetCommands);
    this.setServed(false);
  }

  /** Shows the counts of the queue there is, or that there is none. */
  setServed(isServed: boolean): void {
    const now = this.#factory.now();
    for (const live of Object.values(this.#members)) live.setOutOfService(!isServed, now);
    if (!this.#closed) this.#count();
  }

  /** Something became of a command. */
  changed(): void {
    if (this.#closed || this.#timer !== undefined) return;
    this.#timer = this.#clock.after(COUNT_INTERVAL, () => {
      this.#timer = undefined;
      this.#count();
    });
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /**
   * @param inputs by the names of the arguments, of the right types; `undefined` = not given
   * @throws InvalidInputError (the field is the name of the argument), NotConnectedError, AnswerTimeoutError, as the
   * store does
   */
  async run(name: ListMethod, inputs: Readonly<Record<string, unknown>>, user: string): Promise<readonly unknown[]> {
    switch (name) {
      case 'GetCommands':
        return [await this.#get(inputs)];
      case 'Cancel': {
        const { done, text } = await this.#source.cancel(textOf(inputs['CommandId']), user);
        return [done, text];
      }
      case 'Flush': {
        const { done, text, cancelled, beyond } = await this.#source.flush(
          parseDevEui(inputs['DevEUI'], 'DevEUI'),
          user,
        );
        return [done, text, cancelled, beyond];
      }
    }
  }

  async #get(inputs: Readonly<Record<string, unknown>>): Promise<readonly string[]> {
    const devEui = isGiven(inputs['DevEUI']) ? parseDevEui(inputs['DevEUI'], 'DevEUI') : undefined;
    const state = isGiven(inputs['State']) ? parseState(inputs['State']) : undefined;
    const asked = typeof inputs['Limit'] === 'number' ? inputs['Limit'] : 0;
    const limit = asked === 0 ? DEFAULT_LIMIT : Math.min(asked, MAX_LIMIT);
    const doors = this.#source.current;
    const isWanted = (command: Command): boolean => state === undefined || command.state === state;
    const known = (doors?.commands(devEui) ?? []).filter(isWanted).toReversed().slice(0, limit);
    const kept =
      known.length >= limit
        ? []
        : await this.#source.history({
            limit,
            ...(devEui === undefined ? {} : { devEui }),
            ...(state === undefined ? {} : { states: [state] }),
          });
    // What is in memory is ahead of what is kept.
    const older = kept.filter(({ id }) => doors?.command(id) === undefined);
    return [...known, ...older]
      .sort((a, b) => b.createdAt - a.createdAt || b.sequence - a.sequence)
      .slice(0, limit)
      .map((command) => this.#row(command));
  }

  #row(command: Command): string {
    const { id, devEui, name, state, reason, user, source, parameters, createdAt, changedAt, endedAt } = command;
    const expected = endedAt === undefined ? this.#source.current?.status(command).expectation?.at : undefined;
    return jsonOf({
      id,
      devEui,
      name,
      state,
      reason,
      user,
      source,
      parameters,
      requested: iso(createdAt),
      changed: iso(changedAt),
      ...(endedAt === undefined ? {} : { ended: iso(endedAt) }),
      ...(expected === undefined ? {} : { expected: iso(expected) }),
    });
  }

  #count(): void {
    const counts = this.#source.current?.counts();
    if (counts === undefined) return;
    const now = this.#factory.now();
    for (const key of ['queued', 'sending', 'enqueued', 'awaiting'] as const)
      this.#members[key].update(counts[key], now, now);
  }

  #addMethod(id: string, name: ListMethod): UAMethod {
    const { key, description, inputs, outputs } = LIST[name];
    const { library, namespaces, writer } = this.#factory;
    const method = namespaces.gateway.addMethod(this.object, {
      nodeId: `s=${id}/${key}`,
      browseName: { name, namespaceIndex: namespaces.model.index },
      description,
    });
    bindServed(library, method);
    const argument = ({ name: field, type, isArray, description: text }: Field): Argument =>
      new library.Argument({
        name: field,
        description: this.#factory.text(text),
        dataType: writer.dataTypeId(type),
        valueRank: isArray === true ? 1 : -1,
      });
    for (const [property, fields] of [
      ['InputArguments', inputs],
      ['OutputArguments', outputs],
    ] as const) {
      const list = addProperty(library, namespaces.gateway, method, {
        id: `s=${id}/${key}/${property}`,
        name: property,
        description: property === 'InputArguments' ? 'What the method takes' : 'What it answers',
        dataType: 'Argument',
        valueRank: 1,
      });
      list.arrayDimensions = [fields.length];
      list.setValueFromSource({
        dataType: library.DataType.ExtensionObject,
        arrayType: library.VariantArrayType.Array,
        value: fields.map(argument),
      });
    }
    return method;
  }
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== '';
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function iso(time: number): string {
  return new Date(time).toISOString();
}

function parseState(value: unknown): CommandState {
  const state = COMMAND_STATES.find((name) => name === value);
  if (state !== undefined) return state;
  throw new InvalidInputError([
    {
      field: 'State',
      value: String(value),
      rule: `it is one of ${COMMAND_STATES.join(', ')}`,
      cure: 'Give one of them, or none.',
    },
  ]);
}
