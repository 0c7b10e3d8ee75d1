/** Rules that a user gives for metrics of devices: how they are read from a form, and which of them holds. */
import { type FaultCollector, isBlank } from './faults';
import { type DevEui, type MetricKey, parseDevEui, parseMetricKey } from './identifiers';

/** Which metrics a rule is about; `*` = all. */
export interface MetricRule {
  readonly device: DevEui | '*';
  readonly metric: MetricKey | '*';
}

/** What rules say about one matter. The most specific rule holds; of equal ones the last. */
export class MetricRules<Value> {
  readonly #values = new Map<string, Value>();

  add({ device, metric }: MetricRule, value: Value): void {
    this.#values.set(`${device}/${metric}`, value);
  }

  get size(): number {
    return this.#values.size;
  }

  values(): Iterable<Value> {
    return this.#values.values();
  }

  /** What a rule says that names the metric or the device: metric of a device, metric of all devices, device. */
  named(devEui: DevEui, key: MetricKey): Value | undefined {
    const values = this.#values;
    if (values.size === 0) return undefined;
    return values.get(`${devEui}/${key}`) ?? values.get(`*/${key}`) ?? values.get(`${devEui}/*`);
  }

  /** What the rule for everything says. */
  get everywhere(): Value | undefined {
    return this.#values.get('*/*');
  }
}

/**
 * Reads a list of rules as a node's properties give it: rows, or JSON of them; blank = none. Faults are collected.
 * @param fields of a row besides device and metric, as the user knows them
 * @param read what a row says; what it returns is left out if a fault was collected meanwhile
 */
export function parseMetricRules<Rule>(
  collector: FaultCollector,
  field: string,
  given: unknown,
  fields: readonly string[],
  read: (row: Readonly<Record<string, unknown>>, at: string) => Rule | undefined,
): (MetricRule & Rule)[] {
  if (isBlank(given)) return [];
  const shape = `{${['device', 'metric', ...fields].join(', ')}}`;
  const parseRow = (row: unknown, at: string): (MetricRule & Rule)[] => {
    if (typeof row !== 'object' || row === null || Array.isArray(row)) {
      collector.add(at, row, `a rule is ${shape}`, 'Correct or remove it.');
      return [];
    }
    const fieldsOfRow = row as Record<string, unknown>;
    const { device, metric } = fieldsOfRow;
    const faultsBefore = collector.faults.length;
    const devEui = collector.attempt(() => wildcardOr(device, (value) => parseDevEui(value, `${at}.device`)));
    const key = collector.attempt(() => wildcardOr(metric, (value) => parseMetricKey(value, `${at}.metric`)));
    const rule = read(fieldsOfRow, at);
    if (collector.faults.length > faultsBefore || devEui === undefined || key === undefined || rule === undefined)
      return [];
    return [{ device: devEui, metric: key, ...rule }];
  };
  const list = typeof given === 'string' ? fromJson(given) : given;
  if (Array.isArray(list)) return list.flatMap((row: unknown, index) => parseRow(row, `${field}[${index}]`));
  collector.add(field, given, `rules are a list of ${shape}`, 'Enter them in the form of the node, or as JSON.');
  return [];
}

/** A number, or the text of one as people write it, with a comma as well; `undefined` for anything else. */
export function readNumber(given: unknown): number | undefined {
  if (typeof given === 'number') return Number.isNaN(given) ? undefined : given;
  if (isBlank(given) || typeof given !== 'string') return undefined;
  const number = Number(given.trim().replace(',', '.'));
  return Number.isNaN(number) ? undefined : number;
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // No list, like anything else that is none.
    return undefined;
  }
}

function wildcardOr<T>(value: unknown, parse: (value: unknown) => T): T | '*' {
  return isBlank(value) || value === '*' ? '*' : parse(value);
}
