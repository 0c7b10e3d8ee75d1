import { FaultCollector, isBlank, type MetricRule, parseMetricRules, readNumber } from '../model';

/** How long the values of a metric or device stay fresh. The most specific rule holds; of equal ones the last. */
export interface ThresholdRule extends MetricRule {
  /** ms */
  readonly staleAfter: number;
}

export interface StaleDetectorSettings {
  readonly rules: readonly ThresholdRule[];
  /** For all metrics without a rule, ms; absent = each profile's own uplink interval tells. */
  readonly staleAfter?: number;
  /** Uplink intervals of the profile until a value is stale. */
  readonly intervals: number;
  /** Where the profile tells no uplink interval, ms. */
  readonly fallback: number;
  /** A value is dead after this many times its stale threshold. */
  readonly deadFactor: number;
}

/** As in a node's properties: numbers may be text, times are in seconds, rules may be JSON. */
export interface StaleDetectorInput {
  /** s */
  readonly staleAfter?: unknown;
  readonly intervals?: unknown;
  readonly deadFactor?: unknown;
  /** s */
  readonly fallback?: unknown;
  /** `[{device, metric, seconds}]` */
  readonly rules?: unknown;
}

const YEAR = 31_536_000;
const DEFAULTS = { intervals: 3, deadFactor: 10, fallback: 3_600 } as const;

function numberIn(value: unknown, least: number, most: number): number | undefined {
  const number = readNumber(value);
  return number !== undefined && number >= least && number <= most ? number : undefined;
}

/**
 * Reads the settings of a stale detector as people give them.
 * @throws InvalidInputError with all faults
 */
export function parseStaleDetectorSettings(
  input: StaleDetectorInput,
  fieldNames: Partial<Record<keyof StaleDetectorInput, string>> = {},
): StaleDetectorSettings {
  const collector = new FaultCollector();
  const read = (name: 'staleAfter' | 'intervals' | 'deadFactor' | 'fallback', least: number, most: number) => {
    const value = input[name];
    if (isBlank(value)) return undefined;
    const number = numberIn(value, least, most);
    if (number === undefined)
      collector.add(
        fieldNames[name] ?? name,
        value,
        `it is a number from ${least} to ${most}`,
        'Correct it, or leave it empty for the default.',
      );
    return number;
  };
  const staleAfter = read('staleAfter', 1, YEAR);
  const intervals = read('intervals', 1, 100) ?? DEFAULTS.intervals;
  const deadFactor = read('deadFactor', 1, 1_000) ?? DEFAULTS.deadFactor;
  const fallback = read('fallback', 1, YEAR) ?? DEFAULTS.fallback;
  const rules = parseRules(input.rules, fieldNames.rules ?? 'rules', collector);
  collector.throwIfAny();
  return {
    rules,
    ...(staleAfter === undefined ? {} : { staleAfter: staleAfter * 1_000 }),
    intervals,
    fallback: fallback * 1_000,
    deadFactor,
  };
}

function parseRules(given: unknown, field: string, collector: FaultCollector): ThresholdRule[] {
  return parseMetricRules(collector, field, given, ['seconds'], ({ seconds: value }, at) => {
    const seconds = numberIn(value, 1, YEAR);
    if (seconds !== undefined) return { staleAfter: seconds * 1_000 };
    collector.add(`${at}.seconds`, value, `it is a number of seconds from 1 to ${YEAR}`, 'Correct or remove the rule.');
    return undefined;
  });
}
