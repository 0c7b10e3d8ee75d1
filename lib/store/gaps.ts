/**
 * Gaps: "from here on nothing is known" (a metric grew stale, its device went out of service, samples were lost). A gap
 * is an entry without value in history, so that no line is drawn over it. It is no measurement:
 * - a sample of the same instant takes its place, it never takes the place of a sample;
 * - a gap right behind a gap says nothing new and is not entered.
 *
 * A gap by age stands at the time of the sample before it plus the stale threshold θ. When a sample comes in late, from
 * a replay say, more is known and the gap moves: to θ behind the late sample, or away if the next sample comes earlier.
 * In whichever order samples come, the same gaps are there in the end. Gaps for other reasons are facts of their own
 * instant and stay.
 */
import { QUALITY_CODES } from '../model';
import type { Sample } from './columns';

/** An entry of a metric's history without its value. */
export interface PlacedRow {
  readonly time: number;
  readonly status: number;
  readonly isGap: boolean;
}

/** History of all metrics, as gaps need it. */
export interface GapRows {
  at(metric: number, time: number): PlacedRow | undefined;
  /** The newest row older than `time`. */
  before(metric: number, time: number): PlacedRow | undefined;
  /** The oldest row newer than `time`. */
  behind(metric: number, time: number): PlacedRow | undefined;
  removeGap(metric: number, time: number): void;
  /** `isOpen`: there is no row behind it. */
  addGap(metric: number, time: number, status: number, isOpen: boolean): void;
}

/** Enters a gap, if it says something new and nothing came meanwhile that refutes it. */
export function enterGap(rows: GapRows, { metric, time, status, after }: Sample): void {
  const before = rows.before(metric, time);
  if (rows.at(metric, time) !== undefined || before?.isGap === true) return;
  // Readings overtake what is found out about their age: whoever watches the metric judges the newer one by itself.
  if (after !== undefined && before !== undefined && before.time > after) return;
  let behind = rows.behind(metric, time);
  if (behind?.isGap === true) {
    rows.removeGap(metric, behind.time);
    behind = rows.behind(metric, behind.time);
  }
  rows.addGap(metric, time, status, behind === undefined);
}

/**
 * Moves the gap beside a sample that was just entered between others.
 * @param filled the gap whose place it took, if it did
 */
export function repairGaps(rows: GapRows, metric: number, time: number, filled: PlacedRow | undefined): void {
  const before = rows.before(metric, time);
  const behind = rows.behind(metric, time);
  const gap = [filled, before, behind].find((row) => row?.isGap === true);
  if (gap?.status !== QUALITY_CODES.BadNoCommunication) return;
  // Gaps never stand side by side, so the row before one is a sample.
  const previous = gap === before ? rows.before(metric, gap.time) : before;
  // Without it the threshold is not known: what was known of the gap stands.
  if (previous === undefined || previous.isGap) return;
  if (gap === behind) rows.removeGap(metric, gap.time);
  const next = gap === behind ? rows.behind(metric, gap.time) : behind;
  const moved = time + gap.time - previous.time;
  // Without a sample behind it, whoever watches the metric says when it is not known any more.
  if (next !== undefined && !next.isGap && moved < next.time) rows.addGap(metric, moved, gap.status, false);
}
