/** Small tools of the benchmarks: figures are ratios against something bare in the same run. */
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';

export interface Measured {
  readonly seconds: number;
  /** 99th percentile of the event-loop delay meanwhile, ms. */
  readonly loopDelay: number;
}

/** Runs something and tells how long it took and how much it blocked the event loop. */
export async function measured(run: () => Promise<void> | void): Promise<Measured> {
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  const begun = performance.now();
  await run();
  const seconds = (performance.now() - begun) / 1_000;
  // One more look, so that a run which never let go of the loop is seen.
  await new Promise((resolve) => setTimeout(resolve, 10));
  delay.disable();
  return { seconds, loopDelay: delay.percentile(99) / 1e6 };
}

/** The middle one. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
