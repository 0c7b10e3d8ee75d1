/** Judges requests: who asks for what, with which parameters, how often. Nothing is stored before all of it is right. */
import {
  type Clock,
  type CommandDefinition,
  type CommandDevice,
  type CommandPayload,
  CommandRefusedError,
  type CommandRequest,
  InvalidInputError,
  type ParameterValues,
  type Random,
  type ResolvedExpectation,
  refuseCommand,
} from '../model';
import type { DefinitionSource, DeviceLookup } from './doors';
import { parseParameters } from './parameters';
import { encodePayload } from './payload';

/** How long the token of a first request holds, ms. */
const CONFIRMATION_TIME = 60_000;
const MAX_TOKENS = 1_000;
const OWN_ID = /^[A-Za-z0-9._:-]{1,64}$/;

/** A request that may be carried out. */
export interface JudgedRequest {
  readonly definition: CommandDefinition;
  readonly device: CommandDevice;
  readonly parameters: ParameterValues;
  readonly payload: CommandPayload;
  readonly expected: ResolvedExpectation | undefined;
  /** ms from now */
  readonly deadline: number;
}

export interface RequestDependencies {
  readonly clock: Clock;
  readonly random: Random;
  readonly definitions: () => DefinitionSource;
  readonly devices: DeviceLookup;
}

export class Requests {
  readonly #deps: RequestDependencies;
  readonly #tokens = new Map<string, { readonly content: string; readonly until: number }>();

  constructor(deps: RequestDependencies) {
    this.#deps = deps;
  }

  /** @throws CommandRefusedError with all that is wrong with the parameters, or the first other reason */
  judge(request: CommandRequest): JudgedRequest {
    const { devEui, name } = request;
    const device = this.#deps.devices(devEui);
    if (device === undefined)
      refuseCommand('unknown-device', 'devEui', devEui, 'ChirpStack knows no such device', 'Check the DevEUI.');
    const definition = this.#deps.definitions().find(devEui, device.profileId, name);
    if (definition === undefined)
      refuseCommand(
        'unknown-command',
        'name',
        name,
        'the device has no such command',
        'Define it for the device or its profile.',
      );
    if (request.id !== undefined && !OWN_ID.test(request.id))
      refuseCommand(
        'bad-parameter',
        'id',
        request.id,
        'an own id has 1 to 64 letters, digits, - _ . :',
        'Correct or omit it.',
      );
    if (device.isDisabled)
      refuseCommand('device-disabled', 'devEui', devEui, 'the device is disabled in ChirpStack', 'Enable it there.');
    const role = definition.interlock?.role;
    if (role !== undefined && request.roles !== undefined && !request.roles.includes(role))
      refuseCommand(
        'not-permitted',
        'user',
        request.user,
        `the command takes the role ${role}`,
        'Ask somebody who has it.',
      );
    const { parameters, payload } = parametersOf(definition, request);
    if (payload.kind === 'object' && device.hasCodec === false)
      refuseCommand(
        'no-codec',
        'payload',
        payload.object,
        'the device profile has no codec: ChirpStack would send an empty frame',
        'Give the profile a codec, or define the command by bytes.',
      );
    const deadline = this.#deadline(definition, request);
    if (definition.interlock?.secondConfirmation === true) this.#confirm(request, parameters);
    return { definition, device, parameters, payload, expected: expectationOf(definition, parameters), deadline };
  }

  #deadline(definition: CommandDefinition, { expiresAt }: CommandRequest): number {
    const deadline = definition.deadline * 1_000;
    if (expiresAt === undefined) return deadline;
    const left = expiresAt - this.#deps.clock.now();
    if (!(left > 0))
      refuseCommand(
        'expired',
        'expiresAt',
        expiresAt,
        'it is an instant to come, ms UTC',
        'Give a later one, or none.',
      );
    return Math.min(deadline, Math.floor(left));
  }

  /** The first request of something is answered by a token, the second one carries it. */
  #confirm(request: CommandRequest, parameters: ParameterValues): void {
    const now = this.#deps.clock.monotonic();
    const content = JSON.stringify([
      request.devEui,
      request.name,
      request.user,
      Object.entries(parameters).map(([key, value]) => [key, typeof value, String(value)]),
    ]);
    for (const [token, { until }] of this.#tokens) if (until <= now) this.#tokens.delete(token);
    const known = request.confirmation === undefined ? undefined : this.#tokens.get(request.confirmation);
    if (request.confirmation !== undefined && known?.content === content) {
      this.#tokens.delete(request.confirmation);
      return;
    }
    const token = Array.from({ length: 8 }, () =>
      Math.floor(this.#deps.random() * 65_536)
        .toString(16)
        .padStart(4, '0'),
    ).join('');
    const [oldest] = this.#tokens.keys();
    if (this.#tokens.size >= MAX_TOKENS && oldest !== undefined) this.#tokens.delete(oldest);
    this.#tokens.set(token, { content, until: now + CONFIRMATION_TIME });
    throw new CommandRefusedError(
      'confirmation-needed',
      [
        {
          field: 'confirmation',
          value: request.confirmation === undefined ? '(none)' : '(not of this request)',
          rule: 'the command must be asked for twice, the second time with the token of this answer',
          cure: 'Ask again for the same within a minute, with the token.',
        },
      ],
      token,
    );
  }
}

function parametersOf(
  definition: CommandDefinition,
  request: CommandRequest,
): { parameters: ParameterValues; payload: CommandPayload } {
  try {
    const parameters = parseParameters(definition, request.parameters);
    return { parameters, payload: encodePayload(definition, parameters) };
  } catch (error) {
    if (error instanceof InvalidInputError) throw new CommandRefusedError('bad-parameter', error.faults);
    throw error;
  }
}

function expectationOf({ expected }: CommandDefinition, parameters: ParameterValues): ResolvedExpectation | undefined {
  if (expected === undefined) return undefined;
  const value = expected.parameter === undefined ? expected.value : parameters[expected.parameter];
  if (value === undefined) return undefined;
  return {
    metric: expected.metric,
    value: typeof value === 'bigint' ? Number(value) : value,
    tolerance: expected.tolerance,
    within: expected.within * 1_000,
  };
}

/** Counts requests per device and command, so that a loop in a flow does not fill the air. */
export class RequestRates {
  readonly #times = new Map<string, number[]>();

  /** @param at monotonic ms @returns ms until one more is allowed; 0 = now */
  delay(key: string, limit: NonNullable<CommandDefinition['rateLimit']>, at: number): number {
    const window = limit.seconds * 1_000;
    const times = (this.#times.get(key) ?? []).filter((time) => time > at - window);
    if (times.length === 0) this.#times.delete(key);
    else this.#times.set(key, times);
    const first = times.at(-limit.count);
    return first === undefined ? 0 : first + window - at;
  }

  count(key: string, at: number): void {
    const times = this.#times.get(key);
    if (times === undefined) this.#times.set(key, [at]);
    else times.push(at);
  }

  /** Takes back a request that was not carried out. */
  uncount(key: string, at: number): void {
    const times = this.#times.get(key);
    const index = times?.lastIndexOf(at) ?? -1;
    if (index >= 0) times?.splice(index, 1);
  }
}
