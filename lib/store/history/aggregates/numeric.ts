import { type MetricValue, QUALITY_CODES } from '../../../model';
import { type SampleColumns, SampleFlag, ValueType } from '../../columns';
import { numberOf } from '../points';
import { type ComputedValue, marked } from '../results';

/** A double, or a 64-bit integer without loss. */
export type Numeric = number | bigint;

export function numericAt({ flags, values }: SampleColumns, integers: BigInt64Array, index: number): Numeric {
  return ((flags[index] as number) & SampleFlag.TypeMask) === ValueType.Int64
    ? (integers[index] as bigint)
    : (values[index] as number);
}

/** The number of a value; a boolean is 0 or 1, as in columns. */
export function numericOf(value: MetricValue | undefined): Numeric {
  return typeof value === 'bigint' ? value : numberOf(value);
}

/** A difference in the type of the values; one that does not fit into 64 bits is BadOutOfRange. */
export function difference(
  time: number,
  minuend: Numeric,
  subtrahend: Numeric,
  status: number,
  bits: number,
): ComputedValue {
  if (typeof minuend !== 'bigint' || typeof subtrahend !== 'bigint')
    return { time, value: Number(minuend) - Number(subtrahend), status: marked(status, bits) };
  const value = minuend - subtrahend;
  return BigInt.asIntN(64, value) === value
    ? { time, value, status: marked(status, bits) }
    : { time, value: undefined, status: QUALITY_CODES.BadOutOfRange };
}
