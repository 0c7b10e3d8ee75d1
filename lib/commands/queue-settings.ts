import { FaultCollector, isBlank } from '../model';
import { CommandDefinitions, parseCommandDefinitions } from './definitions';

/** `grpc`: handed to ChirpStack by its API, which answers. `message`: handed to a flow, which does not. */
export const DISPATCHES = ['grpc', 'message'] as const;
export type Dispatch = (typeof DISPATCHES)[number];

const DEFAULT_PER_DEVICE = 100;
const MOST_PER_DEVICE = 10_000;

export interface QueueSettings {
  readonly dispatch: Dispatch;
  readonly definitions: CommandDefinitions;
  /** Open commands of one device. */
  readonly maxPerDevice: number;
}

/**
 * Settings of a command queue as a form gives them; definitions also as JSON text.
 * @throws InvalidInputError with all faults of all fields
 */
export function parseQueueSettings(given: {
  readonly dispatch?: unknown;
  readonly definitions?: unknown;
  readonly maxPerDevice?: unknown;
}): QueueSettings {
  const faults = new FaultCollector();
  const dispatch = isBlank(given.dispatch) ? 'grpc' : DISPATCHES.find((word) => word === given.dispatch);
  if (dispatch === undefined)
    faults.add(
      'dispatch',
      given.dispatch,
      `it is one of ${DISPATCHES.join(', ')}`,
      'Choose how commands get to ChirpStack.',
    );
  const maxPerDevice = isBlank(given.maxPerDevice) ? DEFAULT_PER_DEVICE : Number(given.maxPerDevice);
  if (!Number.isSafeInteger(maxPerDevice) || maxPerDevice < 1 || maxPerDevice > MOST_PER_DEVICE)
    faults.add(
      'maxPerDevice',
      given.maxPerDevice,
      `it is a whole number from 1 to ${MOST_PER_DEVICE}`,
      `Leave it empty for ${DEFAULT_PER_DEVICE}.`,
    );
  const definitions = faults.attempt(() =>
    parseCommandDefinitions(listOf(given.definitions, faults, 'definitions'), 'definitions'),
  );
  faults.throwIfAny();
  return {
    dispatch: dispatch ?? 'grpc',
    definitions: new CommandDefinitions(definitions ?? []),
    maxPerDevice,
  };
}

function listOf(given: unknown, faults: FaultCollector, field: string): unknown {
  if (isBlank(given)) return [];
  if (typeof given !== 'string') return given;
  try {
    return JSON.parse(given);
  } catch (error) {
    faults.add(field, given, `as a text it is JSON (${String(error)})`, 'Correct the text, or use the form.');
    return [];
  }
}
