/** What every benchmark gives, and the few things that all of them need. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type LoopDelay, measured, median } from '../test/support/measure';

/** Runs that count, of which the median is taken. */
export const RUNS = 5;
/** ms */
const IDLE = 1_000;

export interface Figures {
  readonly title: string;
  /** Times in ms, ratios without a unit, rates a second. */
  readonly figures: Readonly<Record<string, number>>;
  /** Which figure must be what. */
  readonly must: string;
}

/** Runs something with a folder of its own, which is gone afterwards. */
export async function inFolder<T>(run: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'lorua-bench-'));
  try {
    return await run(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What one run left behind is not to be collected in the time of another. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
}

/** How late the event loop is while nothing happens. */
export async function idleLoop(): Promise<LoopDelay> {
  return (await measured(() => pause(IDLE))).loop;
}

export interface Comparison {
  /** ms, medians */
  readonly ours: number;
  readonly bare: number;
  /** Median of the ratios of each run. */
  readonly ratio: number;
  /** ms, the median of all runs of ours */
  readonly loopDelayP99: number;
}

/**
 * Times something of ours and something bare in turn.
 * @param ours gives ms if it was timed elsewhere, e.g. by a client
 */
export async function compare(
  ours: () => Promise<number | undefined>,
  bare: () => Promise<void> | void,
): Promise<Comparison> {
  const runs: { ours: number; bare: number; loop: LoopDelay }[] = [];
  for (let run = 0; run <= RUNS; run++) {
    const bareRun = await measured(bare);
    collectGarbage();
    const ourRun = await measured(ours);
    collectGarbage();
    // The first run warms up and does not count.
    if (run > 0)
      runs.push({
        ours: ourRun.result ?? ourRun.seconds * 1_000,
        bare: bareRun.seconds * 1_000,
        loop: ourRun.loop,
      });
  }
  return {
    ours: median(runs.map((once) => once.ours)),
    bare: median(runs.map((once) => once.bare)),
    ratio: median(runs.map((once) => once.ours / once.bare)),
    loopDelayP99: median(runs.map((once) => once.loop.p99)),
  };
}
