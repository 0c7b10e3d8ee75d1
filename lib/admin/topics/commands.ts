/** What devices can be told, what they were told, and what became of it: `commands`. */
import { z } from 'zod';
import {
  type CommandDefinition,
  type CommandDoors,
  CommandRefusedError,
  type DevEui,
  type DeviceFlushResult,
  display,
  InvalidInputError,
  parseDevEui,
  type Role,
} from '../../model';
import type { Acts, Asker } from '../acts';
import { commandDevicesPayload, listCommandDevices } from '../command-devices';
import { commandPayload, commandsPayload, findCommand, idField, listCommands, oneCommand } from '../command-list';
import { type CommandRow, commandRow, definitionRow } from '../command-rows';
import type { AdministrationDependencies } from '../dependencies';
import { parsedField } from '../payload';
import { devEuiField } from '../targets';
import { question, type UseCases } from '../use-cases';

const ROLES_THAT_SEND: readonly Role[] = ['Operator', 'Engineer'];
const MOST_PARAMETERS = 100;

const deviceField = parsedField((value) => parseDevEui(value));
const definitionsPayload = z.strictObject({ devEui: devEuiField });
const flushPayload = z.strictObject({ devEui: deviceField });
const sendPayload = z.strictObject({
  devEui: deviceField,
  name: z.string().min(1).max(256),
  /** By their names; the command itself judges the values. */
  parameters: z
    .record(z.string().max(256), z.unknown())
    .refine((given) => Object.keys(given).length <= MOST_PARAMETERS, `at most ${MOST_PARAMETERS} parameters`)
    .default({}),
  /** An own id: the same again is not a second command. */
  id: idField.optional(),
  /** ms UTC; shortens the deadline of the definition. */
  expiresAt: z.number().optional(),
  /** Of the answer to the first request, where the command must be asked for twice. */
  confirmation: z.string().max(256).optional(),
});

/** What came of a try to take a command back. */
export interface CancelledCommand {
  /** Whether it was taken back: it will not reach the device. */
  readonly done: boolean;
  /** For people. */
  readonly text: string;
  readonly command: CommandRow;
}

export function commandTopics(deps: AdministrationDependencies, acts: Acts, signal: AbortSignal): UseCases {
  const { store } = deps;
  const doors = (topic: string): CommandDoors => deps.commands() ?? noQueue(topic);
  return [
    question('commands.definitions', definitionsPayload, ({ devEui }) => {
      const queue = doors('commands.definitions');
      const definitions = devEui === undefined ? queue.definitions() : queue.definitionsOf(devEui);
      return { rows: definitions.map(definitionRow) };
    }),
    question('commands.devices', commandDevicesPayload, (payload) =>
      listCommandDevices(doors('commands.devices'), store, payload),
    ),
    question('commands.list', commandsPayload, (payload) =>
      listCommands(doors('commands.list'), store, payload, signal),
    ),
    question('commands.get', commandPayload, ({ id }) => oneCommand(doors('commands.get'), store, id)),
    acts.useCase({
      ...COMMAND_ACT,
      topic: 'commands.send',
      entryType: 'command.send',
      about: ['devEui', 'name', 'parameters', 'id'],
      schema: sendPayload,
      run: async (payload, asker): Promise<CommandRow> => {
        const queue = doors('commands.send');
        const { devEui, name, parameters, id, expiresAt, confirmation } = payload;
        const command = await withPayloadFields(() =>
          queue.submit({
            devEui,
            name,
            parameters: withLargeIntegers(parameters, definitionOf(queue, devEui, name)),
            user: asker.name ?? '',
            ...(asker.roles === undefined ? {} : { roles: asker.roles }),
            source: asker.name === undefined ? 'flow' : 'dashboard',
            ...(id === undefined ? {} : { id }),
            ...(expiresAt === undefined ? {} : { expiresAt }),
            ...(confirmation === undefined ? {} : { confirmation }),
          }),
        );
        return commandRow(command, queue, store.inventory.merged());
      },
    }),
    acts.useCase({
      ...COMMAND_ACT,
      topic: 'commands.cancel',
      entryType: 'command.cancel',
      about: ['id'],
      schema: commandPayload,
      run: async ({ id }, asker): Promise<CancelledCommand> => {
        const queue = doors('commands.cancel');
        const known = await findCommand(queue, id);
        const { done, command, text } = await queue.cancel(id, userOf(asker));
        return { done, text, command: commandRow(command ?? known, queue, store.inventory.merged()) };
      },
    }),
    acts.useCase({
      ...COMMAND_ACT,
      topic: 'commands.flush',
      entryType: 'command.flush',
      about: ['devEui'],
      schema: flushPayload,
      run: ({ devEui }, asker): Promise<DeviceFlushResult> => {
        const queue = doors('commands.flush');
        // A device that ChirpStack knows no more may still have commands here.
        if (!store.inventory.merged().devices.has(devEui) && queue.commands(devEui).length === 0) unknownDevice(devEui);
        return queue.flush(devEui, userOf(asker));
      },
    }),
  ];
}

/** What they have in common. The queue itself enters in the audit what it did. */
const COMMAND_ACT = { operation: 'enqueue' as const, roles: ROLES_THAT_SEND };

function userOf({ name }: Asker): string {
  return name ?? '';
}

function definitionOf(queue: CommandDoors, devEui: DevEui, name: string): CommandDefinition | undefined {
  return queue.definitionsOf(devEui).find((definition) => definition.name === name);
}

const INTEGER = /^[+-]?\d{1,20}$/;

/** Int64 come as text, as answers have them too. */
function withLargeIntegers(
  given: Readonly<Record<string, unknown>>,
  definition: CommandDefinition | undefined,
): Readonly<Record<string, unknown>> {
  const integers = new Set(definition?.parameters.filter(({ type }) => type === 'Int').map(({ name }) => name));
  return Object.fromEntries(
    Object.entries(given).map(([name, value]) => [
      name,
      integers.has(name) && typeof value === 'string' && INTEGER.test(value) ? BigInt(value) : value,
    ]),
  );
}

/** The queue names fields of its request; here they are those of the payload. */
async function withPayloadFields<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof CommandRefusedError)) throw error;
    const faults = error.faults.map((fault) => ({ ...fault, field: payloadField(fault.field) }));
    throw new CommandRefusedError(error.refusal, faults, error.confirmation);
  }
}

function payloadField(field: string): string {
  if (field === 'user') return field;
  // What is wrong with the command as a whole is wrong with what it is called by.
  return field === 'command' || field === 'payload' ? 'payload.name' : `payload.${field}`;
}

function unknownDevice(devEui: DevEui): never {
  throw new InvalidInputError([
    {
      field: 'payload.devEui',
      value: display(devEui),
      rule: 'it is a device that the gateway knows',
      cure: 'Ask devices.list for the devices.',
    },
  ]);
}

function noQueue(topic: string): never {
  throw new InvalidInputError([
    {
      field: 'topic',
      value: display(topic),
      rule: 'it is for a command queue that runs',
      cure: 'Deploy a command-queue with this gateway-database, and look at its status.',
    },
  ]);
}
