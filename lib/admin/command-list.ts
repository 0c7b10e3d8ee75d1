/** Which commands there are: those in memory, and those that the store keeps. */
import { z } from 'zod';
import {
  COMMAND_STATES,
  type Command,
  type CommandDoors,
  type CommandHistoryQuery,
  display,
  InvalidInputError,
} from '../model';
import { type CommandDetails, type CommandRow, commandDetails, commandRow } from './command-rows';
import type { AdministrationStore } from './dependencies';
import { devEuiField } from './targets';

export const idField = z.string().min(1).max(64);

export const commandsPayload = z.strictObject({
  devEui: devEuiField,
  states: z.array(z.enum(COMMAND_STATES)).min(1).max(COMMAND_STATES.length).optional(),
  /** `true`: only those of which something is still awaited; `false`: only those that have ended. */
  open: z.boolean().optional(),
  limit: z.number().int().min(1).max(1_000).default(50),
  /** Only commands before this one, as `next` gives it. */
  before: z.strictObject({ createdAt: z.number().min(0), id: idField }).optional(),
});
export const commandPayload = z.strictObject({ id: idField });

export interface CommandList {
  /** Newest first. */
  readonly rows: readonly CommandRow[];
  readonly complete: boolean;
  /** The payload that asks for the commands before these. */
  readonly next?: Readonly<Record<string, unknown>>;
}

type Place = NonNullable<CommandHistoryQuery['before']>;

/** Commands of one question to the store. */
const STORED_PAGE = 500;

export async function listCommands(
  doors: CommandDoors,
  store: AdministrationStore,
  { devEui, states, open, limit, before }: z.output<typeof commandsPayload>,
  signal: AbortSignal,
): Promise<CommandList> {
  const wants = (command: Command): boolean =>
    (states === undefined || states.includes(command.state)) &&
    (open === undefined || open === (command.endedAt === undefined)) &&
    (before === undefined || newestFirst(before, command) < 0);
  // What is in memory is newer than what the store has of the same command.
  const recent = doors.commands(devEui);
  const found = recent.filter(wants);
  // What is open is in memory.
  if (open !== true) {
    const known = new Set(recent.map(({ id }) => id));
    const filter = { ...(devEui === undefined ? {} : { devEui }), ...(states === undefined ? {} : { states }) };
    const isOlder = (command: Command): boolean => !known.has(command.id) && wants(command);
    found.push(...(await storedCommands(doors, filter, before, isOlder, limit + 1, signal)));
  }
  found.sort(newestFirst);
  const shown = found.slice(0, limit);
  const oldest = shown.at(-1);
  const complete = found.length <= limit || oldest === undefined;
  const inventory = store.inventory.merged();
  return {
    rows: shown.map((command) => commandRow(command, doors, inventory)),
    complete,
    ...(complete
      ? {}
      : {
          next: {
            ...(devEui === undefined ? {} : { devEui }),
            ...(states === undefined ? {} : { states }),
            ...(open === undefined ? {} : { open }),
            limit,
            before: { createdAt: oldest.createdAt, id: oldest.id },
          },
        }),
  };
}

/** @throws InvalidInputError if there is none of this id */
export async function findCommand(doors: CommandDoors, id: string): Promise<Command> {
  const command = doors.command(id) ?? (await doors.history({ id, limit: 1 })).at(0);
  if (command !== undefined) return command;
  throw new InvalidInputError([
    {
      field: 'payload.id',
      value: display(id),
      rule: 'it is a command that the gateway knows',
      cure: 'Ask commands.list; commands that ended long ago are not kept.',
    },
  ]);
}

export async function oneCommand(doors: CommandDoors, store: AdministrationStore, id: string): Promise<CommandDetails> {
  return commandDetails(await findCommand(doors, id), doors, store.inventory.merged());
}

/** The newest `most` of the store's commands that are wanted. */
async function storedCommands(
  doors: CommandDoors,
  filter: Pick<CommandHistoryQuery, 'devEui' | 'states'>,
  before: Place | undefined,
  wants: (command: Command) => boolean,
  most: number,
  signal: AbortSignal,
): Promise<readonly Command[]> {
  const found: Command[] = [];
  let place = before;
  while (found.length < most) {
    signal.throwIfAborted();
    const page = await doors.history({
      ...filter,
      limit: STORED_PAGE,
      ...(place === undefined ? {} : { before: place }),
    });
    found.push(...page.filter(wants));
    const last = page.at(-1);
    // A page may be short because some of it cannot be read.
    if (last === undefined) break;
    place = { createdAt: last.createdAt, id: last.id };
  }
  return found.slice(0, most);
}

function newestFirst(a: Place, b: Place): number {
  return b.createdAt - a.createdAt || (a.id < b.id ? 1 : a.id > b.id ? -1 : 0);
}
