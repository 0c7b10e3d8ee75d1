/** Bounding values: what a metric was worth at an instant that need not have a value (Part 13 §3.1.8, §3.1.9). */
import { HISTORIAN_BITS, HISTORY_STATUS, type MetricValue } from '../../model';
import { numberOf, type Point, Severity } from './points';
import type { RowWindow } from './row-window';

export interface BoundingValue {
  readonly time: number;
  readonly value: MetricValue | undefined;
  /** Status code without what says where it comes from. */
  readonly status: number;
  readonly severity: Severity;
  /** A stored value, not one that was estimated. */
  readonly isRaw: boolean;
}

export interface BoundsOptions {
  /** Whether Uncertain values are usable. */
  readonly treatUncertainAsBad: boolean;
  readonly useSlopedExtrapolation: boolean;
  /** Whether values hold until the next one, instead of lying on a line. */
  readonly isStepped: boolean;
}

/** Whether values of a severity are usable under TreatUncertainAsBad (Part 13 §4.2.1.2). */
export function usability(treatUncertainAsBad: boolean): (severity: Severity) => boolean {
  return treatUncertainAsBad ? (severity) => severity === Severity.Good : (severity) => severity !== Severity.Bad;
}

/** The bits that say where a bounding value comes from. */
export function originBits({ isRaw }: BoundingValue): number {
  return isRaw ? HISTORIAN_BITS.Raw : HISTORIAN_BITS.Interpolated;
}

export class Bounds {
  readonly #window: RowWindow;
  readonly #options: BoundsOptions;
  readonly #isUsable: (severity: Severity) => boolean;
  /** The end of one interval is the start of the next. */
  #lastSimple: BoundingValue | undefined;
  #lastInterpolated: { bound: BoundingValue; isStepped: boolean } | undefined;
  /** The usable value before the last one, for extrapolation. */
  #slope: { last: Point; second: Point | undefined } | undefined;

  constructor(window: RowWindow, options: BoundsOptions) {
    this.#window = window;
    this.#options = options;
    this.#isUsable = usability(options.treatUncertainAsBad);
  }

  /** From the rows next to the instant, whatever they are worth. */
  simple(time: number): BoundingValue {
    if (this.#lastSimple?.time !== time) this.#lastSimple = this.#simple(time);
    return this.#lastSimple;
  }

  /** From the nearest usable rows; beyond the last one it is extrapolated. */
  interpolated(time: number, isStepped = this.#options.isStepped): BoundingValue {
    if (this.#lastInterpolated?.bound.time !== time || this.#lastInterpolated.isStepped !== isStepped)
      this.#lastInterpolated = { bound: this.#interpolated(time, isStepped), isStepped };
    return this.#lastInterpolated.bound;
  }

  #simple(time: number): BoundingValue {
    const exact = this.#window.at(time);
    if (exact !== undefined) return this.#isUsable(exact.severity) ? raw(exact) : noData(time);
    const before = this.#window.before(time);
    const behind = this.#window.behind(time);
    if (before === undefined || behind === undefined || !this.#isUsable(before.severity)) return noData(time);
    if (this.#options.isStepped) return estimate(time, before.value, before.severity === Severity.Good);
    if (!this.#isUsable(behind.severity)) return estimate(time, before.value, false);
    const isGood = before.severity === Severity.Good && behind.severity === Severity.Good;
    return estimate(time, lineAt(time, before, behind), isGood);
  }

  #interpolated(time: number, isStepped: boolean): BoundingValue {
    const exact = this.#window.at(time);
    if (exact !== undefined && this.#isUsable(exact.severity)) return raw(exact);
    const { point: before, skipped } = this.#window.usableBefore(time);
    if (before === undefined) return noData(time);
    const isGood = !skipped && exact === undefined && before.severity === Severity.Good;
    if (isStepped && time <= this.#window.lastTime) return estimate(time, before.value, isGood);
    const { point: behind, skipped: skippedBehind } = isStepped
      ? { point: undefined, skipped: false }
      : this.#window.usableBehind(time);
    if (behind === undefined) return estimate(time, this.#extrapolated(time, before), false);
    return estimate(time, lineAt(time, before, behind), isGood && !skippedBehind && behind.severity === Severity.Good);
  }

  #extrapolated(time: number, last: Point): MetricValue | undefined {
    if (!this.#options.useSlopedExtrapolation || typeof last.value !== 'number') return last.value;
    if (this.#slope?.last.time !== last.time)
      this.#slope = { last, second: this.#window.usableBefore(last.time).point };
    const { second } = this.#slope;
    return second === undefined ? last.value : lineAt(time, second, last);
  }
}

function raw({ time, value, status, severity }: Point): BoundingValue {
  return { time, value, status, severity, isRaw: true };
}

function estimate(time: number, value: MetricValue | undefined, isGood: boolean): BoundingValue {
  return isGood
    ? { time, value, status: 0, severity: Severity.Good, isRaw: false }
    : { time, value, status: HISTORY_STATUS.UncertainDataSubNormal, severity: Severity.Uncertain, isRaw: false };
}

function noData(time: number): BoundingValue {
  return { time, value: undefined, status: HISTORY_STATUS.BadNoData, severity: Severity.Bad, isRaw: false };
}

/** Where the line through two values crosses an instant. */
function lineAt(time: number, first: Point, second: Point): number {
  const [from, to] = [numberOf(first.value), numberOf(second.value)];
  return from + ((to - from) * (time - first.time)) / (second.time - first.time);
}
