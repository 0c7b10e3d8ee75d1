/** What each command and the list of all commands show. Keys are the last part of the node id. */
import type { Namespace, UAMethod, UAObjectType, Variant } from 'node-opcua';
import { COMMAND_STATES } from '../../model';
import type { VariableSpecification } from '../address-space/node-factory';
import { addProperty } from '../address-space/properties';
import type { Library } from '../library';

/** Of the last command of its name that was sent to the device; the value itself is apart. */
export const COMMAND = {
  state: {
    name: 'State',
    type: 'UInt32',
    states: COMMAND_STATES,
    description: 'What is known of the last one, and no more',
  },
  reason: { name: 'Reason', type: 'String', description: 'Why the last one is in that state' },
  lastId: { name: 'LastId', type: 'String', description: 'Id of the last one' },
  requested: { name: 'Requested', type: 'DateTime', description: 'When it was requested' },
  changed: { name: 'Changed', type: 'DateTime', description: 'When something was last learned of it' },
  expected: {
    name: 'Expected',
    type: 'DateTime',
    description: 'When the device can be expected to get it; no value where that cannot be told or is over',
  },
  user: { name: 'User', type: 'String', description: 'Who requested it; empty for a flow' },
  lastRefusal: {
    name: 'LastRefusal',
    type: 'String',
    description: 'Why the last request that was not taken was refused; the source time is that of the refusal',
  },
} as const satisfies Record<string, VariableSpecification>;

/** How many commands of all devices are where. */
export const COMMANDS = {
  queued: { name: 'Queued', type: 'UInt32', description: 'Commands that wait for their turn' },
  sending: { name: 'Sending', type: 'UInt32', description: 'Commands that are being given to ChirpStack' },
  enqueued: { name: 'Enqueued', type: 'UInt32', description: "Commands in ChirpStack's queues" },
  awaiting: {
    name: 'Awaiting',
    type: 'UInt32',
    description: 'Commands that were transmitted and of which something is still awaited',
  },
} as const satisfies Record<string, VariableSpecification>;

export interface CommandTypes {
  readonly command: UAObjectType;
  readonly commands: UAObjectType;
  readonly deviceCommands: UAObjectType;
  readonly commandEvent: UAObjectType;
}

/** Identifiers of methods that the types declare; each command and the list have their own. */
export const SEND_DECLARATION = 'LoRaWANCommandType/Send';
export const LIST_METHODS = ['GetCommands', 'Cancel', 'Flush'] as const;
export type ListMethod = (typeof LIST_METHODS)[number];
export const listDeclaration = (name: ListMethod): string => `LoRaWANCommandsType/${name}`;

const EVENT_FIELDS = {
  CommandId: 'Id of the command; empty where a request was refused',
  Command: 'Name of the command',
  State: 'State that it came into, or Refused',
  Reason: 'Why',
  User: 'Who requested it',
  Origin: 'Where it was requested: opcua, dashboard, flow',
  Parameters: 'Its parameters, as JSON',
} as const;
export type EventField = keyof typeof EVENT_FIELDS;

/** Adds to the types what is no variable: methods, the value, fields of events. */
export function completeCommandTypes(library: Library, model: Namespace, types: CommandTypes): void {
  const { command, commands, commandEvent } = types;
  const method = (of: UAObjectType, name: string, description: string): void => {
    model.addMethod(of, {
      nodeId: `s=${of.browseName.name}/${name}`,
      browseName: { name, namespaceIndex: model.index },
      description,
      modellingRule: 'Mandatory',
    });
  };
  method(command, 'Send', 'Sends the command; the arguments are its parameters');
  method(commands, 'GetCommands', 'Commands, the newest first');
  method(commands, 'Cancel', 'Takes a command back, if it can still be taken back');
  method(commands, 'Flush', 'Takes all commands of a device back');
  model.addVariable({
    nodeId: `s=${command.browseName.name}/Value`,
    browseName: { name: 'Value', namespaceIndex: model.index },
    description: 'Of commands with one parameter: writing it sends the command',
    componentOf: command,
    modellingRule: 'Optional',
    typeDefinition: 'BaseDataVariableType',
    dataType: 'BaseDataType',
    valueRank: -1,
    accessLevel: 'CurrentRead | CurrentWrite',
    userAccessLevel: 'CurrentRead | CurrentWrite',
    minimumSamplingInterval: 0,
  });
  for (const [name, description] of Object.entries(EVENT_FIELDS))
    addProperty(library, model, commandEvent, {
      id: `s=${commandEvent.browseName.name}/${name}`,
      name,
      nameIndex: model.index,
      description,
      dataType: 'String',
      modellingRule: 'Mandatory',
    });
}

/**
 * Lets clients see that a method can be called. CommandService answers all calls of it; whatever still reaches the
 * library itself is none, and sends nothing.
 */
export function bindServed({ StatusCodes }: Library, method: UAMethod): void {
  const answer = { statusCode: StatusCodes.BadMethodInvalid };
  method.bindMethod(async (_inputs: Variant[], _context: unknown) => Promise.resolve(answer));
}
