/** Settings of the simulator. */
import { FaultCollector } from '../model';

export const MAX_DEVICES = 5_000;
/** ms */
export const MIN_PERIOD = 100;
/** ms: a day */
export const MAX_PERIOD = 86_400_000;
export const DEFAULT_PORT = 8090;

export interface SimulatorSettings {
  /** 1…5,000 */
  readonly devices: number;
  /** ms between two uplinks of a device, 100…86,400,000 */
  readonly period: number;
  /** The same seed gives the same fleet, ids and tokens. 0…2³²−1 */
  readonly seed: number;
  /** 0 = chosen by the system, which is also the default for programs. */
  readonly port?: number;
}

export interface SimulatorInput {
  readonly devices?: unknown;
  /** s */
  readonly period?: unknown;
  readonly seed?: unknown;
  readonly port?: unknown;
}

interface Range {
  readonly low: number;
  readonly high: number;
  readonly fallback: number;
  readonly isWhole: boolean;
  readonly rule: string;
}

function parseNumber(faults: FaultCollector, field: string, value: unknown, range: Range): number {
  if (value === undefined || value === null || value === '') return range.fallback;
  const text = typeof value === 'string' ? value.trim() : value;
  const number = typeof text === 'string' && /^\d+(\.\d+)?$/.test(text) ? Number(text) : text;
  if (
    typeof number === 'number' &&
    number >= range.low &&
    number <= range.high &&
    (!range.isWhole || Number.isInteger(number))
  )
    return number;
  faults.add(field, value, range.rule, `Leave it empty for ${range.fallback}.`);
  return range.fallback;
}

/** The settings as a person gives them: texts, the period in seconds, anything left out. @throws InvalidInputError */
export function parseSimulatorSettings(input: SimulatorInput): SimulatorSettings & { readonly port: number } {
  const faults = new FaultCollector();
  const devices = parseNumber(faults, 'devices', input.devices, {
    low: 1,
    high: MAX_DEVICES,
    fallback: 30,
    isWhole: true,
    rule: `it is a whole number from 1 to ${MAX_DEVICES}`,
  });
  const seconds = parseNumber(faults, 'period', input.period, {
    low: MIN_PERIOD / 1_000,
    high: MAX_PERIOD / 1_000,
    fallback: 10,
    isWhole: false,
    rule: `it is a number of seconds from ${MIN_PERIOD / 1_000} to ${MAX_PERIOD / 1_000}`,
  });
  const port = parseNumber(faults, 'port', input.port, {
    low: 0,
    high: 65_535,
    fallback: DEFAULT_PORT,
    isWhole: true,
    rule: 'it is a port number from 0 (any free one) to 65535',
  });
  const seed = parseNumber(faults, 'seed', input.seed, {
    low: 0,
    high: 2 ** 32 - 1,
    fallback: 1,
    isWhole: true,
    rule: 'it is a whole number from 0 to 4294967295',
  });
  faults.throwIfAny();
  return { devices, period: Math.round(seconds * 1_000), seed, port };
}
