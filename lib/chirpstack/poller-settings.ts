import { FaultCollector, isBlank } from '../model';

export interface PollerSettings {
  /** Between two reconciliations, ms; 0 = only when triggered. */
  readonly pollInterval: number;
  /** Whether the events of each device are streamed over gRPC (InternalService.StreamDeviceEvents). */
  readonly streamEvents: boolean;
  /** Whether GetMetrics fills in, always as UncertainSubNormal, for devices whose values no event has brought. */
  readonly pollMetrics: boolean;
  /** Streams at most; beyond, MQTT is the way. */
  readonly maximumStreams: number;
}

export const DEFAULT_POLLER_SETTINGS: PollerSettings = {
  pollInterval: 60_000,
  streamEvents: true,
  pollMetrics: false,
  maximumStreams: 1_000,
};

/** Longest poll interval, s: a day. */
const MAX_INTERVAL = 86_400;
/** HTTP/2 connections and ChirpStack's Redis pool end well before this. */
const MAX_STREAMS = 10_000;

/** Settings as a form or an environment gives them, all still unknown. Blank means the default. */
export interface PollerInput {
  /** s, fractions allowed; 0 = only when triggered */
  readonly pollInterval?: unknown;
  readonly streamEvents?: unknown;
  readonly pollMetrics?: unknown;
  readonly maximumStreams?: unknown;
}

/**
 * @param fieldNames how the user knows each field
 * @throws InvalidInputError with every fault
 */
export function parsePollerSettings(
  input: PollerInput,
  fieldNames: Partial<Record<keyof PollerInput, string>> = {},
): PollerSettings {
  const faults = new FaultCollector();
  const number = (
    field: keyof PollerInput,
    fallback: number,
    [min, max]: readonly [number, number],
    whole: boolean,
    unit: string,
  ): number => {
    const given = input[field];
    if (isBlank(given)) return fallback;
    const value = typeof given === 'string' ? Number(given) : given;
    if (typeof value === 'number' && value >= min && value <= max && (!whole || Number.isInteger(value))) return value;
    faults.add(
      fieldNames[field] ?? field,
      given,
      `it must be a ${whole ? 'whole ' : ''}number ${unit}from ${min} to ${max}`,
      `Leave it empty for ${fallback}.`,
    );
    return fallback;
  };
  const flag = (field: keyof PollerInput, fallback: boolean): boolean => {
    const given = input[field];
    if (isBlank(given)) return fallback;
    if (given === true || given === 'true') return true;
    if (given === false || given === 'false') return false;
    faults.add(fieldNames[field] ?? field, given, 'it must be true or false', `Leave it empty for ${fallback}.`);
    return fallback;
  };
  const defaults = DEFAULT_POLLER_SETTINGS;
  const settings = {
    pollInterval: Math.round(
      number('pollInterval', defaults.pollInterval / 1_000, [0, MAX_INTERVAL], false, 'of seconds ') * 1_000,
    ),
    streamEvents: flag('streamEvents', defaults.streamEvents),
    pollMetrics: flag('pollMetrics', defaults.pollMetrics),
    maximumStreams: number('maximumStreams', defaults.maximumStreams, [1, MAX_STREAMS], true, ''),
  };
  faults.throwIfAny();
  return settings;
}
