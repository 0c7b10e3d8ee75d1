/** Small tools for figures: they are ratios against something bare in the same run, because machines differ. */
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';

/** ms between two looks at the event loop, which the histogram counts as delay. */
const RESOLUTION = 5;

export interface LoopDelay {
  /** 99th percentile, ms. */
  readonly p99: number;
  readonly longest: number;
}

export interface Measured<T = void> {
  readonly seconds: number;
  /** How late the event loop of this thread was meanwhile. */
  readonly loop: LoopDelay;
  readonly result: T;
}

/** Runs something and tells how long it took and how much it blocked the event loop. */
export async function measured<T>(run: () => Promise<T> | T): Promise<Measured<T>> {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION });
  delay.enable();
  const begun = performance.now();
  const result = await run();
  const seconds = (performance.now() - begun) / 1_000;
  // One more look, so that a run which never let go of the loop is seen.
  await new Promise((resolve) => setTimeout(resolve, 2 * RESOLUTION));
  delay.disable();
  const late = (nanoseconds: number): number => Math.max(nanoseconds / 1e6 - RESOLUTION, 0);
  return { seconds, loop: { p99: late(delay.percentile(99)), longest: late(delay.max) }, result };
}

/** The middle one. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
