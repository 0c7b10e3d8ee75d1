/**
 * What history has to answer, computed as plainly as possible: every instant is looked up in the whole list of rows.
 * Nothing of the engine is used.
 */
import type {
  AggregateConfiguration,
  AtTimeHistoryRequest,
  MetricDataType,
  MetricValue,
  RawHistoryRequest,
} from '../../../lib/model';
import type { Answered, Row } from './history-support';

const INFO = 0x400;
export const INTERPOLATED = 0x02;
export const NO_DATA = 0x809b_0000;
export const SUB_NORMAL = 0x40a4_0000;
const NOT_FOUND = 0x80d7_0000;

export type Class = 'good' | 'uncertain' | 'bad';

export function classOf({ status, value }: Pick<Row, 'status' | 'value'>): Class {
  if (value === undefined || status >= 0x8000_0000) return 'bad';
  return status >= 0x4000_0000 ? 'uncertain' : 'good';
}

export function isBad(status: number): boolean {
  return status >= 0x8000_0000;
}

export function answer(time: number, value: MetricValue | undefined, status: number, bits = 0): Answered {
  return isBad(status) ? { time, value: undefined, status } : { time, value, status: (status | INFO | bits) >>> 0 };
}

export function rawAnswer(
  rows: readonly Row[],
  { order, start, end, bounds }: Omit<RawHistoryRequest, 'limit'>,
): Answered[] {
  const isForward = order === 'ascending';
  const isInside = ({ time }: Row): boolean => {
    if (start === end) return time === start;
    return isForward ? time >= start && time < end : time <= start && time > end;
  };
  const inside = rows.filter(isInside);
  const result: Answered[] = isForward ? inside : inside.toReversed();
  const nearest = (instant: number, wantsEarlier: boolean): Answered =>
    (wantsEarlier ? rows.findLast(({ time }) => time < instant) : rows.find(({ time }) => time > instant)) ?? {
      time: instant,
      value: undefined,
      status: NOT_FOUND,
    };
  const at = (instant: number): Answered | undefined => rows.find(({ time }) => time === instant);
  const before = bounds.start && Number.isFinite(start) && !at(start) ? [nearest(start, isForward)] : [];
  const isBoth = start === end && at(start) !== undefined;
  const behind = bounds.end && Number.isFinite(end) && !isBoth ? [at(end) ?? nearest(end, !isForward)] : [];
  return [...before, ...result, ...behind].map(({ time, value, status }) => ({ time, value, status }));
}

export interface Bound {
  readonly value: MetricValue | undefined;
  readonly status: number;
  readonly isRaw: boolean;
}

const NOTHING: Bound = { value: undefined, status: NO_DATA, isRaw: false };

export class Oracle {
  readonly #rows: readonly Row[];
  readonly #isStepped: boolean;

  constructor(rows: readonly Row[], dataType: MetricDataType) {
    this.#rows = rows;
    this.#isStepped = dataType !== 'Double';
  }

  atTime({ times, useSimpleBounds }: AtTimeHistoryRequest): Answered[] {
    return times.map((time) => {
      const exact = this.#at(time);
      if (exact !== undefined && (useSimpleBounds || classOf(exact) !== 'bad'))
        return answer(time, exact.value, exact.status);
      const last = this.#rows.at(-1);
      if (useSimpleBounds && last !== undefined && time > last.time && classOf(last) === 'good')
        return answer(time, last.value, SUB_NORMAL, INTERPOLATED);
      const bound = useSimpleBounds ? this.#simple(time, true) : this.#interpolated(time, true, this.#isStepped, false);
      return answer(time, bound.value, bound.status, bound.isRaw ? 0 : INTERPOLATED);
    });
  }

  #at(instant: number): Row | undefined {
    return this.#rows.find(({ time }) => time === instant);
  }

  /** Part 13 §3.1.9 */
  #simple(instant: number, treatUncertainAsBad: boolean): Bound {
    const usable = (row: Row): boolean => isUsable(row, treatUncertainAsBad);
    const exact = this.#at(instant);
    if (exact) return usable(exact) ? { value: exact.value, status: exact.status, isRaw: true } : NOTHING;
    const before = this.#rows.findLast(({ time }) => time < instant);
    const behind = this.#rows.find(({ time }) => time > instant);
    if (!before || !behind || !usable(before)) return NOTHING;
    const isGood = classOf(before) === 'good';
    if (this.#isStepped) return { value: before.value, status: isGood ? 0 : SUB_NORMAL, isRaw: false };
    if (!usable(behind)) return { value: before.value, status: SUB_NORMAL, isRaw: false };
    return {
      value: onLine(instant, before, behind),
      status: isGood && classOf(behind) === 'good' ? 0 : SUB_NORMAL,
      isRaw: false,
    };
  }

  simple(instant: number, { treatUncertainAsBad }: AggregateConfiguration): Bound {
    return this.#simple(instant, treatUncertainAsBad);
  }

  /** Part 13 §3.1.8 */
  #interpolated(instant: number, treatUncertainAsBad: boolean, isStepped: boolean, isSloped: boolean): Bound {
    const usable = this.#rows.filter((row) => isUsable(row, treatUncertainAsBad));
    const exact = usable.find(({ time }) => time === instant);
    if (exact) return { value: exact.value, status: exact.status, isRaw: true };
    const earlier = usable.filter(({ time }) => time < instant);
    const [before, second] = [earlier.at(-1), earlier.at(-2)];
    if (!before) return NOTHING;
    const behind = usable.find(({ time }) => time > instant);
    const isEnd = isStepped ? instant > (this.#rows.at(-1)?.time ?? 0) : behind === undefined;
    if (isEnd) {
      const goesOn = isSloped && second && typeof before.value === 'number';
      return { value: goesOn ? onLine(instant, second, before) : before.value, status: SUB_NORMAL, isRaw: false };
    }
    const until = isStepped || !behind ? instant : behind.time;
    const used = isStepped || !behind ? [before] : [before, behind];
    const skips =
      this.#rows.some((row) => row.time > before.time && row.time < until) || this.#at(instant) !== undefined;
    const isGood = !skips && used.every((row) => classOf(row) === 'good');
    return {
      value: isStepped || !behind ? before.value : onLine(instant, before, behind),
      status: isGood ? 0 : SUB_NORMAL,
      isRaw: false,
    };
  }

  interpolated(instant: number, configuration: AggregateConfiguration, isStepped: boolean): Bound {
    const { treatUncertainAsBad, useSlopedExtrapolation } = configuration;
    return this.#interpolated(instant, treatUncertainAsBad, isStepped, useSlopedExtrapolation);
  }
}

export function isUsable(row: Pick<Row, 'status' | 'value'>, treatUncertainAsBad: boolean): boolean {
  return classOf(row) === 'good' || (classOf(row) === 'uncertain' && !treatUncertainAsBad);
}

/** Part 13 §3.1.8, as its formula is written. */
export function onLine(instant: number, before: Row, behind: Row): number {
  const [first, second] = [Number(before.value), Number(behind.value)];
  return ((instant - before.time) * (second - first)) / (behind.time - before.time) + first;
}
