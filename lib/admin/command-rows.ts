/** Commands and their definitions as plain data, for wires, HTTP and browsers. */
import type {
  Command,
  CommandDefinition,
  CommandDoors,
  CommandExpectation,
  CommandPayload,
  CommandState,
  CommandTransition,
  DevEui,
  Inventory,
  ParameterValue,
} from '../model';

/** Int64 as text, because JSON has no 64-bit integers. */
type PlainValue = number | boolean | string;

/** Data without bigint: JSON has no 64-bit integers, so they become text. */
export type Plain<T> = T extends bigint
  ? string
  : T extends string | number | boolean
    ? T
    : T extends object
      ? { readonly [Key in keyof T]: Plain<T[Key]> }
      : T;

export interface CommandRow {
  readonly id: string;
  readonly devEui: DevEui;
  /** Empty if ChirpStack knows no such device any more. */
  readonly deviceName: string;
  readonly name: string;
  /** Of the definition as it is now; the name where there is none. */
  readonly title: string;
  readonly parameters: Readonly<Record<string, PlainValue>>;
  /** Of the parameters that have one, for people. */
  readonly units: Readonly<Record<string, string>>;
  /** Empty where nobody was logged in. */
  readonly user: string;
  readonly source: string;
  readonly confirmed: boolean;
  readonly state: CommandState;
  readonly reason: string;
  /** Something is still awaited. */
  readonly isOpen: boolean;
  /** It is provably not with ChirpStack yet: it can be taken back. */
  readonly isUnsent: boolean;
  /** Times are ms UTC. */
  readonly createdAt: number;
  readonly changedAt: number;
  /** After that it is not sent any more. */
  readonly expiresAt: number;
  readonly transmittedAt: number | null;
  readonly endedAt: number | null;
  /** When the device can be expected to get it, while it has not. */
  readonly expectation: CommandExpectation | null;
  readonly transitions: readonly CommandTransition[];
}

export interface CommandDetails extends CommandRow {
  readonly fPort: number;
  readonly payload: CommandPayload;
  readonly attempts: number;
  readonly queueItemId: string | null;
  readonly fCntDown: number | null;
  readonly expected: Command['expected'] | null;
  /** Last value of the expected metric. */
  readonly observed: PlainValue | null;
}

export type DefinitionRow = Plain<CommandDefinition>;

export function commandRow(command: Command, doors: CommandDoors, { devices }: Inventory): CommandRow {
  const { id, devEui, name, parameters, user, source, confirmed, state, reason, createdAt, changedAt } = command;
  const definition = doors.definitionsOf(devEui).find((candidate) => candidate.name === name);
  const isOpen = command.endedAt === undefined;
  return {
    id,
    devEui,
    deviceName: devices.get(devEui)?.name ?? '',
    name,
    title: definition === undefined || definition.title === '' ? name : definition.title,
    parameters: plain(parameters),
    units: Object.fromEntries(
      (definition?.parameters ?? []).flatMap((parameter) =>
        parameter.unit === '' ? [] : [[parameter.name, parameter.unit]],
      ),
    ),
    user,
    source,
    confirmed,
    state,
    reason,
    isOpen,
    isUnsent: state === 'Queued' || (state === 'Sending' && command.call === 'unsent'),
    createdAt,
    changedAt,
    expiresAt: createdAt + command.deadline,
    transmittedAt: command.transmittedAt ?? null,
    endedAt: command.endedAt ?? null,
    expectation: isOpen ? (doors.status(command).expectation ?? null) : null,
    transitions: command.transitions,
  };
}

export function commandDetails(command: Command, doors: CommandDoors, inventory: Inventory): CommandDetails {
  const { fPort, payload, attempts, queueItemId, fCntDown, expected, observed } = command;
  return {
    ...commandRow(command, doors, inventory),
    fPort,
    payload,
    attempts,
    queueItemId: queueItemId ?? null,
    fCntDown: fCntDown ?? null,
    expected: expected ?? null,
    observed: observed === undefined ? null : plainOf(observed),
  };
}

export function definitionRow(definition: CommandDefinition): DefinitionRow {
  return plain(definition);
}

function plainOf(value: ParameterValue): PlainValue {
  return typeof value === 'bigint' ? value.toString() : value;
}

function plain<T>(data: T): Plain<T> {
  return JSON.parse(
    JSON.stringify(data, (_key, value: unknown) => (typeof value === 'bigint' ? value.toString() : value)),
  ) as Plain<T>;
}
