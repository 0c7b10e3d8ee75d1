import type { MetricValue } from '../../model';
import { type SampleColumns, SampleFlag, ValueType, valueAt } from '../columns';

/** What a value is good for (Part 4 §7.39.1): the two top bits of its status. */
export const Severity = { Good: 0, Uncertain: 1, Bad: 2 } as const;
export type Severity = (typeof Severity)[keyof typeof Severity];

/** One stored value, taken out of its row because it is needed beyond it. */
export interface Point {
  readonly time: number;
  readonly status: number;
  readonly severity: Severity;
  readonly value: MetricValue | undefined;
}

/** Severity of a row. Where there is no value, or no number in a double, nothing can be computed: Bad. */
export function severityAt({ status, flags, values }: SampleColumns, index: number): Severity {
  const severity = (status[index] as number) >>> 30;
  const type = (flags[index] as number) & SampleFlag.TypeMask;
  if (severity >= Severity.Bad || type === ValueType.None) return Severity.Bad;
  if (type === ValueType.Double && Number.isNaN(values[index])) return Severity.Bad;
  return severity === 0 ? Severity.Good : Severity.Uncertain;
}

export function pointAt(columns: SampleColumns, integers: BigInt64Array, index: number): Point {
  return {
    time: columns.time[index] as number,
    status: columns.status[index] as number,
    severity: severityAt(columns, index),
    value: valueAt(columns, integers, index),
  };
}

/** The number that a row stands for in computations; a boolean is 0 or 1 (Part 13 §5.4.2.3). */
export function numberAt({ flags, values }: SampleColumns, integers: BigInt64Array, index: number): number {
  const type = (flags[index] as number) & SampleFlag.TypeMask;
  if (type === ValueType.Int64) return Number(integers[index]);
  return type === ValueType.String ? Number.NaN : (values[index] as number);
}

/** The number that a value stands for. */
export function numberOf(value: MetricValue | undefined): number {
  return value === undefined || typeof value === 'string' ? Number.NaN : Number(value);
}
