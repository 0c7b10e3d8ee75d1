import {
  type DevEui,
  display,
  type Fault,
  FaultCollector,
  InvalidInputError,
  isBlank,
  type MetricKey,
  parseDevEui,
  parseMetricKey,
} from '../model';

/** How long the values of a metric or device stay fresh. The most specific rule holds; of equal ones the last. */
export interface ThresholdRule {
  readonly device: DevEui | '*';
  readonly metric: MetricKey | '*';
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
  if (typeof value !== 'number' && typeof value !== 'string') return undefined;
  const number = typeof value === 'number' ? value : Number(value.trim().replace(',', '.') || Number.NaN);
  return number >= least && number <= most ? number : undefined;
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
  if (isBlank(given)) return [];
  let list = given;
  if (typeof given === 'string') {
    try {
      list = JSON.parse(given);
    } catch {
      // Reported below like everything else that is not a list.
    }
  }
  if (!Array.isArray(list)) {
    collector.add(
      field,
      given,
      'rules are a list of {device, metric, seconds}',
      'Enter them in the form of the node, or as JSON.',
    );
    return [];
  }
  return list.flatMap((rule: unknown, index) => parseRule(rule, `${field}[${index}]`, collector));
}

function parseRule(rule: unknown, field: string, collector: FaultCollector): ThresholdRule[] {
  if (typeof rule !== 'object' || rule === null) {
    collector.add(field, rule, 'a rule is {device, metric, seconds}', 'Correct or remove it.');
    return [];
  }
  const { device, metric, seconds } = rule as { device?: unknown; metric?: unknown; seconds?: unknown };
  const faultsBefore = collector.faults.length;
  const devEui = collector.attempt(() => wildcardOr(device, (value) => parseDevEui(value, `${field}.device`)));
  const key = collector.attempt(() => wildcardOr(metric, (value) => parseMetricKey(value, `${field}.metric`)));
  const threshold = collector.attempt(() => parseSeconds(seconds, `${field}.seconds`));
  if (collector.faults.length > faultsBefore || devEui === undefined || key === undefined || threshold === undefined)
    return [];
  return [{ device: devEui, metric: key, staleAfter: threshold * 1_000 }];
}

function wildcardOr<T>(value: unknown, parse: (value: unknown) => T): T | '*' {
  return isBlank(value) || value === '*' ? '*' : parse(value);
}

function parseSeconds(value: unknown, field: string): number {
  const seconds = numberIn(value, 1, YEAR);
  if (seconds !== undefined) return seconds;
  const fault: Fault = {
    field,
    value: display(value),
    rule: `it is a number of seconds from 1 to ${YEAR}`,
    cure: 'Correct or remove the rule.',
  };
  throw new InvalidInputError([fault]);
}
