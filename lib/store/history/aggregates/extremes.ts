/** Minimum, Maximum, their actual times, Range: of stored values (Part 13 §5.4.3.10 to §5.4.3.14). */
import { HISTORIAN_BITS, HISTORY_STATUS } from '../../../model';
import type { Interval } from '../intervals';
import { Severity, severityAt } from '../points';
import { type ComputedValue, marked, noData } from '../results';
import { difference, type Numeric, numericAt } from './numeric';
import { type AggregateFunction, type AggregateSource, partialBit } from './source';

const { Calculated, MultiValue } = HISTORIAN_BITS;

export type Extreme = 'minimum' | 'maximum';

/** Whether one value takes the place of another one. */
export function surpasses(extreme: Extreme, value: Numeric, known: Numeric): boolean {
  return extreme === 'minimum' ? value < known : value > known;
}

/** The first of the Good values of an interval that none surpasses. */
class Best {
  readonly #extreme: Extreme;
  value: Numeric | undefined;
  time = 0;
  isMultiple = false;
  #uncertain: Numeric | undefined;

  constructor(extreme: Extreme) {
    this.#extreme = extreme;
  }

  /** An Uncertain value goes further. */
  get isSurpassed(): boolean {
    const { value } = this;
    return value !== undefined && this.#uncertain !== undefined && surpasses(this.#extreme, this.#uncertain, value);
  }

  offer(value: Numeric, time: number): void {
    if (this.value === undefined || surpasses(this.#extreme, value, this.value)) {
      this.value = value;
      this.time = time;
      this.isMultiple = false;
    } else if (value === this.value) this.isMultiple = true;
  }

  offerUncertain(value: Numeric): void {
    if (this.#uncertain === undefined || surpasses(this.#extreme, value, this.#uncertain)) this.#uncertain = value;
  }
}

/** @returns status: Uncertain if unusable values were passed over, or Uncertain ones that go further */
function find({ rows, isUsable }: AggregateSource, { from, to }: Interval, extremes: readonly Best[]): number {
  let isDoubtful = false;
  rows.scan(from, to, (columns, integers, first, behind) => {
    for (let index = first; index < behind; index++) {
      const severity = severityAt(columns, index);
      if (!isUsable(severity)) {
        isDoubtful = true;
        continue;
      }
      const value = numericAt(columns, integers, index);
      for (const best of extremes)
        if (severity === Severity.Good) best.offer(value, columns.time[index] as number);
        else best.offerUncertain(value);
    }
  });
  return isDoubtful || extremes.some((best) => best.isSurpassed) ? HISTORY_STATUS.UncertainDataSubNormal : 0;
}

/** Raw if it stands at the start of the interval and nothing is doubtful, Calculated otherwise. */
export function extremeOf(extreme: Extreme): AggregateFunction {
  return (source, interval): ComputedValue => {
    const best = new Best(extreme);
    const status = find(source, interval, [best]);
    if (best.value === undefined) return noData(interval.start);
    const isRaw = best.time === interval.start && status === 0;
    const bits = (isRaw ? 0 : Calculated) | (best.isMultiple ? MultiValue : 0) | partialBit(source, interval);
    return { time: interval.start, value: best.value, status: marked(status, bits) };
  };
}

/** The value at its own time, the oldest one of several. */
export function actualTimeOf(extreme: Extreme): AggregateFunction {
  return (source, interval): ComputedValue => {
    const best = new Best(extreme);
    const status = find(source, interval, [best]);
    if (best.value === undefined) return noData(interval.start);
    const bits = (best.isMultiple ? MultiValue : 0) | partialBit(source, interval);
    return { time: best.time, value: best.value, status: marked(status, bits) };
  };
}

export const range: AggregateFunction = (source, interval) => {
  const [minimum, maximum] = [new Best('minimum'), new Best('maximum')];
  const status = find(source, interval, [minimum, maximum]);
  if (minimum.value === undefined || maximum.value === undefined) return noData(interval.start);
  const bits = Calculated | partialBit(source, interval);
  return difference(interval.start, maximum.value, minimum.value, status, bits);
};
