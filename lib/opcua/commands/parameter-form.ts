/** How the parameters of a command look in OPC UA: as the value of a variable, and as arguments of Send. */
import type { Variant } from 'node-opcua';
import {
  type CommandDefinition,
  type CommandParameter,
  type MetricMeaning,
  NO_MEANING,
  type ParameterValue,
  type StateText,
  unitFromText,
} from '../../model';
import type { PlainValue, ScalarType } from '../address-space/values';
import type { Library } from '../library';

const INT32_MIN = -(2 ** 31);
const INT32_MAX = 2 ** 31 - 1;

/** What a variant holds that does not fit. */
export const MISMATCH = Symbol('mismatch');

/** The data type in which numbers of an Int are sent: the smaller one where the range says that it is enough. */
function integerType({ min, max }: { readonly min?: number; readonly max?: number }): 'Int32' | 'Int64' {
  return min !== undefined && max !== undefined && min >= INT32_MIN && max <= INT32_MAX ? 'Int32' : 'Int64';
}

/** Data type of the variable that one-parameter commands have. */
export function valueType(parameter: CommandParameter): ScalarType {
  switch (parameter.type) {
    case 'Int':
      return integerType(parameter);
    case 'Enumeration':
      return 'Int32';
    default:
      return parameter.type;
  }
}

/** Data type of the argument: choices are called by their names, since an argument cannot tell what numbers mean. */
export function argumentType(parameter: CommandParameter): ScalarType {
  return parameter.type === 'Enumeration' ? 'String' : valueType(parameter);
}

/** Numbers of the choices: those that are sent to the device if all are whole numbers, else their places. */
export function choiceNumbers({
  choices,
}: Extract<CommandParameter, { readonly type: 'Enumeration' }>): readonly StateText[] {
  const isWhole = ({ value }: (typeof choices)[number]): boolean =>
    typeof value === 'number' && Number.isInteger(value) && value >= INT32_MIN && value <= INT32_MAX;
  // Two names may stand for the same number; only the places tell them apart then.
  const areNumbers = choices.every(isWhole) && new Set(choices.map(({ value }) => value)).size === choices.length;
  return choices.map(({ name, value }, index) => [areNumbers ? Number(value) : index, name]);
}

/** Unit, range and choices, as they are shown with the variable. */
export function meaningOfParameter(parameter: CommandParameter): MetricMeaning {
  if (parameter.type === 'Enumeration') return { states: choiceNumbers(parameter) };
  if (parameter.type !== 'Double' && parameter.type !== 'Int') return NO_MEANING;
  const { min, max } = parameter;
  const unit = unitFromText(parameter.unit);
  return {
    ...(unit === undefined ? {} : { unit: { ...unit, source: 'user' as const } }),
    ...(min === undefined || max === undefined || min >= max ? {} : { range: { low: min, high: max } }),
  };
}

/** What the variable shows for the value of a parameter; `undefined` if it is of an older definition. */
export function shownValue(parameter: CommandParameter, value: ParameterValue | undefined): PlainValue {
  switch (parameter.type) {
    case 'Enumeration':
      return choiceNumbers(parameter).find(([, name]) => name === value)?.[0];
    case 'Int':
      if (typeof value !== 'number' && typeof value !== 'bigint') return undefined;
      if (integerType(parameter) === 'Int64') return BigInt(value);
      return value >= INT32_MIN && value <= INT32_MAX ? Number(value) : undefined;
    case 'Double':
      return typeof value === 'number' ? value : undefined;
    case 'Boolean':
      return typeof value === 'boolean' ? value : undefined;
    case 'String':
      return typeof value === 'string' ? value : undefined;
  }
}

/** What was written into the variable, for the queue to judge; MISMATCH if it is of another type. */
export function writtenValue(library: Library, parameter: CommandParameter, variant: Variant): unknown {
  const plain = plainValue(library, valueType(parameter), variant);
  if (parameter.type !== 'Enumeration' || typeof plain !== 'number') return plain;
  // A number that is none of them is left for the queue, which says what there is.
  return choiceNumbers(parameter).find(([number]) => number === plain)?.[1] ?? `${plain}`;
}

/** `undefined` where the argument is Null: not given. */
export function argumentValue(library: Library, parameter: CommandParameter, variant: Variant): unknown {
  if (isNull(library, variant)) return undefined;
  return plainValue(library, argumentType(parameter), variant);
}

export function isNull({ DataType }: Library, { dataType }: Variant): boolean {
  return dataType === DataType.Null;
}

/** The value of a scalar of just this type. */
export function plainValue({ DataType, VariantArrayType }: Library, type: ScalarType, variant: Variant): unknown {
  const { dataType, arrayType } = variant;
  const value: unknown = variant.value;
  if (arrayType !== VariantArrayType.Scalar || DataType[dataType] !== type) return MISMATCH;
  // A null String is none.
  if (value === null || value === undefined) return MISMATCH;
  if (type !== 'Int64') return value;
  if (!Array.isArray(value)) return MISMATCH;
  const [high, low] = value as readonly unknown[];
  if (typeof high !== 'number' || typeof low !== 'number') return MISMATCH;
  return BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low));
}

/** The parameter that can be written as a value, where there is just one. */
export function onlyParameter({ parameters }: CommandDefinition): CommandParameter | undefined {
  return parameters.length === 1 ? parameters[0] : undefined;
}

export function needsConfirmation({ interlock }: CommandDefinition): boolean {
  return interlock?.secondConfirmation === true;
}

/** For people: what an argument takes. */
export function argumentText(parameter: CommandParameter): string {
  const parts = [parameter.description];
  if (parameter.type === 'Double' || parameter.type === 'Int') {
    const { min, max, step, unit } = parameter;
    const suffix = unit === '' ? '' : ` ${unit}`;
    if (min !== undefined || max !== undefined) parts.push(`${min ?? '…'} to ${max ?? '…'}${suffix}`);
    else if (unit !== '') parts.push(`in ${unit}`);
    if (step !== undefined) parts.push(`in steps of ${step}`);
  }
  if (parameter.type === 'Enumeration') parts.push(`one of ${parameter.choices.map(({ name }) => name).join(', ')}`);
  if (parameter.default !== undefined) parts.push(`${String(parameter.default)} if Null`);
  else if (!parameter.isRequired) parts.push('optional: Null if not given');
  return parts.filter((part) => part !== '').join('; ');
}
