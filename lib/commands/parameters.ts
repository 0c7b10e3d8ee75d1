/** Judges the parameters of a request by their definitions: all faults at once, nothing is converted but what is the same. */
import {
  type CommandDefinition,
  type CommandParameter,
  FaultCollector,
  type NumberParameter,
  type ParameterValue,
  type ParameterValues,
} from '../model';

const CURE = 'Give a value that fits; the definition of the command says what it takes.';
const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 64n - 1n;
/** How far from a multiple of the step a number may be for the rounding of decimal fractions, in steps. */
const STEP_TOLERANCE = 1e-6;
/** The same for large numbers of steps, as a part of it: what a double can hold. */
const RELATIVE_TOLERANCE = 1e-12;

/**
 * @param field how the parameters are called where they come from, e.g. `msg.payload`
 * @throws InvalidInputError with all faults: wrong type, range, step, missing, unknown, NaN, infinite
 */
export function parseParameters(
  definition: CommandDefinition,
  given: Readonly<Record<string, unknown>>,
  field = 'parameters',
): ParameterValues {
  const faults = new FaultCollector();
  const values: [string, ParameterValue][] = [];
  const known = new Set(definition.parameters.map(({ name }) => name));
  for (const [name, value] of Object.entries(given))
    if (!known.has(name))
      faults.add(
        `${field}.${name}`,
        value,
        known.size === 0
          ? `${definition.name} takes no parameters`
          : `${definition.name} takes ${[...known].join(', ')}`,
        'Remove or rename it.',
      );
  for (const parameter of definition.parameters) {
    const { name } = parameter;
    const value = Object.hasOwn(given, name) ? given[name] : undefined;
    if (value === undefined || value === null) {
      if (parameter.default !== undefined) values.push([name, parameter.default]);
      else if (parameter.isRequired) faults.add(`${field}.${name}`, value, 'it is required', 'Give it.');
      continue;
    }
    const judged = judgeParameter(parameter, value, `${field}.${name}`, faults);
    if (judged !== undefined) values.push([name, judged]);
  }
  faults.throwIfAny();
  return Object.fromEntries(values);
}

/** The value in its canonical form, or `undefined` with a fault added. */
export function judgeParameter(
  parameter: CommandParameter,
  value: unknown,
  field: string,
  faults: FaultCollector,
): ParameterValue | undefined {
  const refuse = (rule: string): undefined => {
    faults.add(field, typeof value === 'number' ? String(value) : value, rule, CURE);
    return undefined;
  };
  switch (parameter.type) {
    case 'Double': {
      const number = typeof value === 'bigint' && BigInt(Number(value)) === value ? Number(value) : value;
      if (typeof number !== 'number') return refuse('it is a number (Double)');
      if (!Number.isFinite(number)) return refuse('it is a finite number');
      const rule = rangeFault(parameter, number);
      // −0 is 0: nothing on the way could tell them apart.
      return rule === undefined ? number + 0 : refuse(rule);
    }
    case 'Int': {
      const integer = integerOf(value);
      if (integer === undefined) return refuse('it is a whole number (Int)');
      const rule = rangeFault(parameter, integer);
      return rule === undefined ? integer : refuse(rule);
    }
    case 'Boolean':
      return typeof value === 'boolean' ? value : refuse('it is true or false (Boolean)');
    case 'String':
      if (typeof value !== 'string') return refuse('it is a text (String)');
      if (value.length > parameter.maxLength) return refuse(`it has at most ${parameter.maxLength} characters`);
      // A zero would end the text in fields of fixed length; half a surrogate pair has no UTF-8.
      if (value.includes('\u0000') || /\p{Surrogate}/u.test(value)) return refuse('it is well-formed text without NUL');
      return value;
    case 'Enumeration': {
      const { choices } = parameter;
      const choice =
        choices.find(({ name }) => name === value) ??
        (typeof value === 'string' ? undefined : choices.find((item) => item.value === asNumber(value)));
      return choice === undefined
        ? refuse(`it is one of ${choices.map(({ name, value: raw }) => `${name} (${raw})`).join(', ')}`)
        : choice.name;
    }
  }
}

function asNumber(value: unknown): unknown {
  return typeof value === 'bigint' ? Number(value) : value;
}

/** A number where it is exact, else a bigint; `undefined` if it is no whole number of 64 bits. */
function integerOf(value: unknown): number | bigint | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value + 0 : undefined;
  if (typeof value !== 'bigint' || value < INT64_MIN || value > INT64_MAX) return undefined;
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}

function rangeFault({ min, max, step, unit }: NumberParameter, value: number | bigint): string | undefined {
  const suffix = unit === '' ? '' : ` ${unit}`;
  if ((min !== undefined && value < min) || (max !== undefined && value > max)) {
    if (min === undefined) return `it is at most ${max}${suffix}`;
    return max === undefined ? `it is at least ${min}${suffix}` : `it is ${min} to ${max}${suffix}`;
  }
  if (step === undefined) return undefined;
  const start = min ?? 0;
  if (typeof value === 'bigint')
    return (value - BigInt(start)) % BigInt(step) === 0n
      ? undefined
      : `it is ${start} plus a multiple of ${step}${suffix}`;
  const steps = (value - start) / step;
  return Math.abs(steps - Math.round(steps)) <= Math.max(STEP_TOLERANCE, RELATIVE_TOLERANCE * Math.abs(steps))
    ? undefined
    : `it is ${start} plus a multiple of ${step}${suffix}`;
}
