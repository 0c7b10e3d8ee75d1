/** What a user says of metrics in a table: units, ranges and names of states, each rule for some metrics. */
import { type FaultCollector, isBlank } from './faults';
import type { DevEui, MetricKey } from './identifiers';
import { type OwnMeaning, type OwnMeanings, parseStates } from './metric-meaning';
import { type MetricRule, MetricRules, parseMetricRules, readNumber } from './metric-rules';
import { unitFromWords } from './units';

/** A row of the table; what is absent the row does not say. */
export interface MeaningRule extends MetricRule {
  /** In a form that units.ts reads; `-` = the metric has none, and none is guessed. */
  readonly unit?: string;
  readonly low?: number;
  /** With `low`: values in normal operation lie between the two. */
  readonly high?: number;
  /** `closed|open`, or `1=standby|4=running`. */
  readonly states?: string;
}

const NO_UNIT = '-';

/**
 * Reads the table as a form or JSON gives it, with all its fields still unknown. Faults are collected.
 * @param field how the user knows the table
 */
export function parseMeaningRules(collector: FaultCollector, field: string, given: unknown): MeaningRule[] {
  return parseMetricRules(collector, field, given, ['unit', 'low', 'high', 'states'], (row, at) => {
    const unit = readUnit(collector, `${at}.unit`, row['unit']);
    const range = readRange(collector, at, row);
    const states = readStates(collector, `${at}.states`, row['states']);
    const saysUnitOrRange = !isBlank(row['unit']) || !isBlank(row['low']) || !isBlank(row['high']);
    if (!saysUnitOrRange && isBlank(row['states']))
      collector.add(
        at,
        row,
        'a rule says a unit, a range or states',
        'Fill in what you know of the metric, or remove the rule.',
      );
    if (saysUnitOrRange && !isBlank(row['states']))
      collector.add(
        at,
        row,
        'a metric has states, or a unit and a range, not both',
        'Leave states empty for a measured value, unit, low and high empty for a state.',
      );
    return { ...(unit === undefined ? {} : { unit }), ...range, ...(states === undefined ? {} : { states }) };
  });
}

function readUnit(collector: FaultCollector, at: string, given: unknown): string | undefined {
  if (isBlank(given)) return undefined;
  const text = typeof given === 'string' ? given.trim() : '';
  if (text === NO_UNIT) return NO_UNIT;
  // The symbol stands for the unit from here on: a code or a name is understood in this table alone.
  const symbol = unitFromWords(text)?.symbol;
  if (symbol === undefined)
    collector.add(
      at,
      given,
      'a unit is a UNECE code, a symbol or a name of at most 32 characters',
      'Write for example °C, CEL or degree Celsius; - for a metric without a unit.',
    );
  return symbol;
}

function readRange(
  collector: FaultCollector,
  at: string,
  { low: givenLow, high: givenHigh }: Readonly<Record<string, unknown>>,
): { readonly low: number; readonly high: number } | undefined {
  if (isBlank(givenLow) && isBlank(givenHigh)) return undefined;
  const read = (field: 'low' | 'high', given: unknown): number | undefined => {
    const number = readNumber(given);
    if (number !== undefined && Number.isFinite(number)) return number;
    collector.add(
      `${at}.${field}`,
      given,
      'a range has two numbers',
      'Give low and high, or leave both empty where nobody knows them.',
    );
    return undefined;
  };
  const low = read('low', givenLow);
  const high = read('high', givenHigh);
  if (low === undefined || high === undefined) return undefined;
  if (low < high) return { low, high };
  collector.add(`${at}.high`, givenHigh, `it is above low, which is ${low}`, 'Give the lower number as low.');
  return undefined;
}

function readStates(collector: FaultCollector, at: string, given: unknown): string | undefined {
  if (isBlank(given)) return undefined;
  if (typeof given === 'string' && parseStates(given) !== undefined) return given.trim();
  collector.add(
    at,
    given,
    'states are 2 to 100 different texts of at most 100 characters, with numbers of their own or without',
    'Write for example closed|open, or 1=standby|4=running.',
  );
  return undefined;
}

/**
 * What the table says of each metric: unit, range and states each by itself, from the most specific rule that says
 * something of it. `undefined` where no rule does.
 */
export function ownMeanings(rules: readonly MeaningRule[]): OwnMeanings {
  const units = new MetricRules<string>();
  const ranges = new MetricRules<string>();
  const states = new MetricRules<string>();
  for (const rule of rules) {
    if (rule.unit !== undefined) units.add(rule, rule.unit);
    if (rule.low !== undefined && rule.high !== undefined) ranges.add(rule, `${rule.low}..${rule.high}`);
    if (rule.states !== undefined) states.add(rule, rule.states);
  }
  const most = (said: MetricRules<string>, devEui: DevEui, key: MetricKey): string | undefined =>
    said.named(devEui, key) ?? said.everywhere;
  return (devEui, key): OwnMeaning | undefined => {
    const unit = most(units, devEui, key);
    const range = most(ranges, devEui, key);
    const texts = most(states, devEui, key);
    if (unit === undefined && range === undefined && texts === undefined) return undefined;
    return {
      ...(unit === undefined ? {} : { unit }),
      ...(range === undefined ? {} : { range }),
      ...(texts === undefined ? {} : { states: texts }),
    };
  };
}
