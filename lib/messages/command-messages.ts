/** Messages that ask for commands, and those that tell what became of them (design §5). */
import { z } from 'zod';
import {
  type CancelResult,
  type Command,
  type CommandExpectation,
  type CommandState,
  type CommandStatus,
  type DevEui,
  type DeviceFlushResult,
  type DeviceReference,
  display,
  type Fault,
  InvalidInputError,
  parseDevEui,
} from '../model';
import { type BaseMessage, compact, deviceSchema, timeSchema } from './reading-messages';

/** What a message of topic `command` asks for. */
export interface CommandAsked {
  readonly device: DeviceReference;
  readonly name: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly id?: string;
  readonly user?: string;
  readonly source?: string;
  /** ms UTC */
  readonly expiresAt?: number;
  readonly confirmation?: string;
}

/** What is known of a command now. */
export interface CommandSummary {
  readonly id: string;
  readonly name: string;
  readonly state: CommandState;
  /** For people. */
  readonly reason: string;
  /** When it came into each of its states, ms UTC. */
  readonly times: Readonly<Partial<Record<CommandState, number>>>;
  /** Calls to ChirpStack. */
  readonly attempts: number;
  /** Nothing is awaited any more; late evidence may still come. */
  readonly ended: boolean;
  readonly user: string;
  readonly source: string;
  /** When the device can be expected to get it, as long as it waits. */
  readonly expectation?: CommandExpectation;
}

/** Output of command-queue: a command changed its state, or more is known in the same state. */
export interface CommandStatusMessage extends BaseMessage {
  topic: 'command-status';
  command: CommandSummary;
  device: DeviceReference;
}

const word = z.string().max(256);
/** An empty text says nothing, as in a form. */
const optionalWord = word
  .nullish()
  .transform((text) => (text === null || text === undefined || text === '' ? undefined : text));

const commandSchema = z.object({
  device: deviceSchema,
  command: z.object({
    name: word.min(1),
    id: optionalWord,
    user: optionalWord,
    source: optionalWord,
    confirmation: optionalWord,
    expiresAt: timeSchema.nullish(),
  }),
  payload: z.record(z.string(), z.unknown()).nullish(),
});
const cancelSchema = z.object({ command: z.object({ id: word.min(1), user: optionalWord }) });
const flushSchema = z.object({
  device: z.looseObject({ devEui: deviceSchema.shape.devEui }),
  command: z.object({ user: optionalWord }).nullish(),
});

const CURES: Readonly<Record<string, string>> = {
  device: 'Set msg.device = {devEui: "…"} with the 16 hexadecimal digits of the device.',
  command: 'Set msg.command = {name: "…"} for a command, {id: "…"} to cancel one.',
  expiresAt: 'Set it to ms since 1970 UTC or an ISO 8601 text, or leave it out.',
  payload: 'Set msg.payload = {parameter: value}, or leave it out where the command has no parameters.',
};

function parsed<T>(schema: z.ZodType<T>, message: unknown): T {
  const result = schema.safeParse(message);
  if (result.success) return result.data;
  throw new InvalidInputError(result.error.issues.map((issue) => faultOf(issue, message)));
}

function faultOf(issue: z.core.$ZodIssue, message: unknown): Fault {
  const value = issue.path.reduce<unknown>(
    (inner, step) => (inner as Record<PropertyKey, unknown> | undefined)?.[step],
    message,
  );
  const [rule = issue.message, cure] = issue.message.split('|');
  return {
    field: ['msg', ...issue.path.map(String)].join('.'),
    value: display(value),
    rule,
    cure: cure ?? CURES[String(issue.path.at(-1))] ?? CURES[String(issue.path[0])] ?? 'Correct the message.',
  };
}

/** Which device a message is about, of whatever kind it is; `undefined` if it is about none. */
export function devEuiOf(message: unknown): DevEui | undefined {
  const { device } = message as { readonly device?: { readonly devEui?: unknown } | null };
  try {
    return parseDevEui(device?.devEui);
  } catch {
    return undefined;
  }
}

/** @throws InvalidInputError */
export function parseCommandMessage(message: unknown): CommandAsked {
  const { device, command, payload } = parsed(commandSchema, message);
  const { name, expiresAt, ...rest } = command;
  return {
    device: compact(device),
    name,
    parameters: payload ?? {},
    ...compact(rest),
    ...(expiresAt === undefined || expiresAt === null ? {} : { expiresAt }),
  };
}

/** Who wants which command back. @throws InvalidInputError */
export function parseCancelMessage(message: unknown): { readonly id: string; readonly user?: string } {
  return compact(parsed(cancelSchema, message).command);
}

/** Who wants all commands of which device back. @throws InvalidInputError */
export function parseFlushMessage(message: unknown): { readonly devEui: DevEui; readonly user?: string } {
  const { device, command } = parsed(flushSchema, message);
  return { devEui: device.devEui, ...(command?.user === undefined ? {} : { user: command.user }) };
}

export function commandSummary(command: Command, expectation: CommandExpectation | undefined): CommandSummary {
  const { id, name, state, reason, transitions, attempts, endedAt, user, source } = command;
  return {
    id,
    name,
    state,
    reason,
    times: Object.fromEntries(transitions.map((transition) => [transition.state, transition.time])),
    attempts,
    ended: endedAt !== undefined,
    user,
    source,
    ...(expectation === undefined ? {} : { expectation }),
  };
}

/**
 * The message of a command's state; other properties of the message that asked for it are kept.
 * A status of several transitions at once tells each of them with its own state and reason.
 */
export function commandStatusMessage(
  { command, transition, expectation }: CommandStatus,
  device: DeviceReference,
  base: BaseMessage = {},
): CommandStatusMessage {
  const summary = commandSummary(command, expectation);
  const { state, reason } = transition ?? command;
  return {
    ...base,
    topic: 'command-status',
    command: { ...summary, state, reason, ended: summary.ended && state === command.state },
    device,
    payload: { ...command.parameters },
  };
}

/** The answer to a message that wants a command back. */
export function cancelMessage({ done, command, text }: CancelResult, base: BaseMessage): BaseMessage {
  return {
    ...base,
    ...(command === undefined ? {} : { command: commandSummary(command, undefined) }),
    payload: { done, text },
  };
}

/** The answer to a message that wants all commands of a device back. */
export function flushMessage(
  { done, items, cancelled, beyond, text }: DeviceFlushResult,
  base: BaseMessage,
): BaseMessage {
  return { ...base, payload: { done, ...(items === undefined ? {} : { items }), cancelled, beyond, text } };
}

/** What ChirpStack's MQTT integration reads: its topic, and the JSON text that was made of the downlink. */
export function downlinkMessage(downlink: { readonly devEui: DevEui }, device: DeviceReference): BaseMessage {
  if (device.applicationId === undefined)
    throw new Error('The application of the device is not known, so that its topic is not either.');
  return {
    topic: `application/${device.applicationId}/device/${downlink.devEui}/command/down`,
    payload: downlink,
    device,
  };
}
