/** DateTimes of requests as whole milliseconds, the resolution of what is stored. */

/** 1601-01-01: the DateTime that stands for "not given" (Part 11 §6.5.3.1). */
const NOT_GIVEN = -11_644_473_600_000;
/** 9999-12-31T23:59:59: from here on a DateTime stands for the end of time (Part 6 §5.2.2.5). */
const END_OF_TIME = 253_402_300_799_000;

/** How an instant between two milliseconds becomes one of them. */
export type Rounding = 'up' | 'down';

/**
 * @returns ms UTC, `undefined` if none is given, infinite for the end of time
 */
export function instantOf(date: Date | null | undefined, rounding: Rounding): number | undefined {
  if (date === null || date === undefined) return undefined;
  const time = date.getTime();
  if (!Number.isFinite(time) || time <= NOT_GIVEN) return undefined;
  if (time >= END_OF_TIME) return Number.POSITIVE_INFINITY;
  // The library hangs what a Date cannot hold on it.
  const rest: unknown = 'picoseconds' in date ? date.picoseconds : 0;
  return rounding === 'up' && typeof rest === 'number' && rest > 0 ? time + 1 : time;
}

/** The same as a number that can be counted with. */
export function finiteInstant(instant: number): number {
  return Math.min(instant, END_OF_TIME);
}
