import { HISTORIAN_BITS, HISTORY_STATUS, type MetricValue } from '../../model';
import { type SampleColumnsBuilder, sampleFlags } from '../columns';

/** A value of an answer that was computed. */
export interface ComputedValue {
  readonly time: number;
  readonly value: MetricValue | undefined;
  /** Complete status code. */
  readonly status: number;
}

/** Upper half of a status code: what happened. The lower half says what the value is. */
const CODE_MASK = 0xffff_0000;

/**
 * A status code with the bits of Part 13 §5.3.3 that say what a value is. Bad ones have no value and so no bits.
 * @param status any status code @param bits of HISTORIAN_BITS
 */
export function marked(status: number, bits: number): number {
  const code = (status & CODE_MASK) >>> 0;
  return code >>> 30 >= 2 ? code : (code | HISTORIAN_BITS.InfoTypeDataValue | bits) >>> 0;
}

/** No result for an interval. */
export function noData(time: number): ComputedValue {
  return { time, value: undefined, status: HISTORY_STATUS.BadNoData };
}

export function addResult(page: SampleColumnsBuilder, metric: number, { time, value, status }: ComputedValue): void {
  const given = status >>> 30 >= 2 ? undefined : value;
  page.add(metric, time, status, sampleFlags(given, 'flow', false), given);
}
