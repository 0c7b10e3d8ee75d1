import type { HistoryOrder } from '../../model';
import { integersOf, type SampleColumns, SampleColumnsBuilder } from '../columns';
import { type Point, pointAt, type Severity, severityAt } from './points';
import type { HistoryRows } from './rows';

/** Rows loaded at once: few where reading jumps about, many where it goes on. */
const FIRST_CHUNK = 32;
const LARGEST_CHUNK = 8_192;

const NO_ROWS: SampleColumns = new SampleColumnsBuilder(0);
const [BEGINNING, FOREVER] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];

/** The nearest usable row on one side of an instant. */
export interface Usable {
  readonly point: Point | undefined;
  /** Whether other rows lie between. */
  readonly skipped: boolean;
}

/** What a search found, so that the next one need not go through the same rows. */
interface Memory {
  /** The instant that was searched from. */
  readonly at: number;
  readonly point: Point | undefined;
}

/**
 * The rows of one metric around the instant that is looked at: neighbours on both sides, and all rows of a range one
 * after the other, in chunks, so that memory is bounded and going forward reads each row once.
 */
export class RowWindow {
  readonly #rows: HistoryRows;
  readonly #metric: number;
  readonly #isUsable: (severity: Severity) => boolean;
  #columns = NO_ROWS;
  #integers = integersOf(NO_ROWS);
  /** All rows with `from` ≤ time < `to` are in `columns`. */
  #from = FOREVER;
  #to = FOREVER;
  #chunk = FIRST_CHUNK;
  /** The last row before `from`; `null` if there is none, `undefined` if it was not looked for. */
  #before: Point | null | undefined;
  /** The last usable row before an instant. */
  #usableBefore: Memory | undefined;
  /** The first usable row from an instant on. */
  #usableBehind: Memory | undefined;
  #ends: { readonly first: number; readonly last: number } | undefined;
  /** Rows that were read. */
  scanned = 0;

  /** @param isUsable which rows values may be computed from */
  constructor(rows: HistoryRows, metric: number, isUsable: (severity: Severity) => boolean) {
    this.#rows = rows;
    this.#metric = metric;
    this.#isUsable = isUsable;
  }

  /** Time of the first row; infinite if there is none. */
  get firstTime(): number {
    return this.#findEnds().first;
  }

  /** Time of the last row; −infinite if there is none. */
  get lastTime(): number {
    return this.#findEnds().last;
  }

  /** The row at an instant. */
  at(time: number): Point | undefined {
    const index = this.#indexOf(time);
    return this.#isAt(index, time) ? this.#point(index) : undefined;
  }

  /** The last row before an instant. */
  before(time: number): Point | undefined {
    const index = this.#indexOf(time);
    if (index > 0) return this.#point(index - 1);
    if (this.#before === undefined) this.#before = firstOf(this.#read(BEGINNING, this.#from, 'descending', 1)) ?? null;
    return this.#before ?? undefined;
  }

  /** The first row behind an instant. */
  behind(time: number): Point | undefined {
    const place = this.#indexOf(time);
    const index = this.#isAt(place, time) ? place + 1 : place;
    if (index < this.#columns.length) return this.#point(index);
    return this.#to === FOREVER ? undefined : firstOf(this.#read(this.#to, FOREVER, 'ascending', 1));
  }

  /** The first row with `from` ≤ time < `to`. */
  firstIn(from: number, to: number): Point | undefined {
    const first = this.at(from) ?? this.behind(from);
    return first !== undefined && first.time < to ? first : undefined;
  }

  /** The last usable row before an instant. */
  usableBefore(time: number): Usable {
    const start = this.#indexOf(time) - 1;
    const point = this.#usableIn(this.#columns, this.#integers, start, -1) ?? this.#searchBefore(this.#from);
    return { point, skipped: point !== undefined && this.before(time)?.time !== point.time };
  }

  /** The first usable row behind an instant. */
  usableBehind(time: number): Usable {
    const place = this.#indexOf(time);
    const start = this.#isAt(place, time) ? place + 1 : place;
    const point = this.#usableIn(this.#columns, this.#integers, start, 1) ?? this.#searchBehind(this.#to);
    return { point, skipped: point !== undefined && this.behind(time)?.time !== point.time };
  }

  /** Gives all rows with `from` ≤ time < `to` (whole ms) in order, a stretch of columns at a time. */
  scan(
    from: number,
    to: number,
    visit: (columns: SampleColumns, integers: BigInt64Array, first: number, behind: number) => void,
  ): void {
    for (let next = from; next < to; next = this.#to) {
      const first = this.#indexOf(next);
      const behind = this.#to <= to ? this.#columns.length : this.#place(to);
      if (behind > first) visit(this.#columns, this.#integers, first, behind);
    }
  }

  /** Place of the first row from an instant on in the columns, which are loaded as needed. */
  #indexOf(time: number): number {
    if (time < this.#from || time >= this.#to) {
      // A little further on: by way of the rows between, so that going forward in small steps reads each row once.
      const isNear = time >= this.#to && time - this.#to <= this.#to - this.#from;
      if (isNear) while (time >= this.#to) this.#goOn();
      else this.#jump(time);
    }
    return this.#place(time);
  }

  #goOn(): void {
    const { length } = this.#columns;
    const usable = this.#usableIn(this.#columns, this.#integers, length - 1, -1);
    if (usable !== undefined) this.#usableBefore = { at: this.#to, point: usable };
    else if (this.#usableBefore?.at === this.#from) this.#usableBefore = { ...this.#usableBefore, at: this.#to };
    if (length > 0) this.#before = this.#point(length - 1);
    this.#chunk = Math.min(this.#chunk * 4, LARGEST_CHUNK);
    this.#load(this.#to);
  }

  #jump(time: number): void {
    this.#before = undefined;
    this.#chunk = FIRST_CHUNK;
    this.#load(time);
  }

  #load(from: number): void {
    this.#columns = this.#read(from, FOREVER, 'ascending', this.#chunk);
    this.#integers = integersOf(this.#columns);
    this.#from = from;
    const last = this.#columns.time[this.#columns.length - 1];
    this.#to = this.#columns.length < this.#chunk || last === undefined ? FOREVER : last + 1;
  }

  #place(time: number): number {
    const { time: times, length } = this.#columns;
    let low = 0;
    let high = length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((times[middle] as number) < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #isAt(index: number, time: number): boolean {
    return index < this.#columns.length && this.#columns.time[index] === time;
  }

  #point(index: number): Point {
    return pointAt(this.#columns, this.#integers, index);
  }

  #usableIn(columns: SampleColumns, integers: BigInt64Array, start: number, step: 1 | -1): Point | undefined {
    for (let index = start; index >= 0 && index < columns.length; index += step)
      if (this.#isUsable(severityAt(columns, index))) return pointAt(columns, integers, index);
    return undefined;
  }

  #searchBefore(edge: number): Point | undefined {
    const known = this.#usableBefore;
    const isKnown = known !== undefined && known.at >= edge && (known.point === undefined || known.point.time < edge);
    if (isKnown) return known.point;
    const reach = known !== undefined && known.at < edge ? known : undefined;
    const point = this.#search(reach?.at ?? BEGINNING, edge, 'descending') ?? reach?.point;
    this.#usableBefore = { at: edge, point };
    return point;
  }

  #searchBehind(edge: number): Point | undefined {
    const known = this.#usableBehind;
    const isKnown = known !== undefined && known.at <= edge && (known.point === undefined || known.point.time >= edge);
    if (isKnown) return known.point;
    const reach = known !== undefined && known.at > edge ? known : undefined;
    const point = this.#search(edge, reach?.at ?? FOREVER, 'ascending') ?? reach?.point;
    this.#usableBehind = { at: edge, point };
    return point;
  }

  /** The first usable row of a range, in longer and longer steps. */
  #search(from: number, to: number, order: HistoryOrder): Point | undefined {
    let [low, high] = [from, to];
    for (let limit = FIRST_CHUNK; low < high; limit = Math.min(limit * 4, LARGEST_CHUNK)) {
      const rows = this.#read(low, high, order, limit);
      const point = this.#usableIn(rows, integersOf(rows), 0, 1);
      const last = rows.time[rows.length - 1];
      if (point !== undefined || rows.length < limit || last === undefined) return point;
      if (order === 'ascending') low = last + 1;
      else high = last;
    }
    return undefined;
  }

  #findEnds(): { readonly first: number; readonly last: number } {
    this.#ends ??= {
      first: firstOf(this.#read(BEGINNING, FOREVER, 'ascending', 1))?.time ?? FOREVER,
      last: firstOf(this.#read(BEGINNING, FOREVER, 'descending', 1))?.time ?? BEGINNING,
    };
    return this.#ends;
  }

  #read(from: number, to: number, order: HistoryOrder, limit: number): SampleColumns {
    const columns = this.#rows.range(this.#metric, from, to, order, limit);
    this.scanned += columns.length;
    return columns;
  }
}

function firstOf(columns: SampleColumns): Point | undefined {
  return columns.length === 0 ? undefined : pointAt(columns, integersOf(columns), 0);
}
