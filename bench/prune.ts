/** Half of a database is removed while samples come as fast as they are written, against the same without pruning. */
import { join } from 'node:path';
import { silentLogger, systemClock } from '../lib/model';
import { GatewayStore, parseStoreSettings } from '../lib/store';
import { BareReader, fillHistory, METRICS_PER_DEVICE, metricOf, valueOf } from '../test/support/history-database';
import { type LoopDelay, measured, median } from '../test/support/measure';
import { pruningClock } from '../test/support/pruning-clock';
import { type Figures, idleLoop, inFolder } from './figures';

const METRICS = 200;
const ROWS = 5_000;
const STEP = 1_000;
const DAY = 86_400_000;
const RUNS_HERE = 3;
/** Samples between two looks whether the disk keeps up. */
const SAMPLES_PER_TURN = 200 * METRICS_PER_DEVICE;
/** Samples that may wait: two transactions. */
const PENDING = 16_384;

interface Run {
  readonly samplesPerSecond: number;
  readonly seconds: number;
  readonly loop: LoopDelay;
}

function runOnce(prunes: boolean, seconds: number): Promise<Run> {
  return inFolder(async (folder) => {
    const file = join(folder, 'prune.db');
    const from = Date.now() - ROWS * STEP;
    await fillHistory(file, { metrics: METRICS, rows: ROWS, from, step: STEP });
    const pruning = pruningClock(systemClock);
    const store = GatewayStore.create(
      parseStoreSettings({ file, retentionDays: prunes ? (ROWS * STEP) / 2 / DAY : 0 }),
      { clock: pruning.clock, logger: pruning.watch(silentLogger) },
    );
    await store.open();
    if (prunes) pruning.begin();
    let count = 0;
    const { seconds: took, loop } = await measured(async () => {
      const begun = performance.now();
      const isOver = prunes
        ? (): boolean => pruning.rounds > 0
        : (): boolean => performance.now() - begun > seconds * 1_000;
      for (let time = Date.now() + 1; !isOver(); ) {
        if (store.health().pending < PENDING)
          for (let turn = 0; turn < SAMPLES_PER_TURN / METRICS; turn++, time++)
            for (let number = 0; number < METRICS; number += METRICS_PER_DEVICE) {
              const values: Record<string, number> = {};
              for (let index = number; index < number + METRICS_PER_DEVICE; index++)
                values[metricOf(index).key] = valueOf(index, time);
              store.accept({ device: { devEui: metricOf(number).devEui }, values, time, quality: {}, origin: 'event' });
              count += METRICS_PER_DEVICE;
            }
        await new Promise((resolve) => setImmediate(resolve));
      }
      await store.settled();
    });
    await store.close();
    const reader = new BareReader(file);
    const rows = reader.count();
    reader.close();
    const kept = rows - count;
    if (prunes ? kept > ROWS * METRICS * 0.55 : kept !== ROWS * METRICS) throw new Error(`${kept} old rows are there`);
    return { samplesPerSecond: count / took, seconds: took, loop };
  });
}

export async function prune(): Promise<Figures> {
  const idle = await idleLoop();
  const pruned: Run[] = [];
  const bare: Run[] = [];
  for (let run = 0; run < RUNS_HERE; run++) {
    const once = await runOnce(true, 0);
    pruned.push(once);
    bare.push(await runOnce(false, Math.min(once.seconds, 10)));
  }
  const rate = (runs: readonly Run[]): number => median(runs.map(({ samplesPerSecond }) => samplesPerSecond));
  return {
    title: `half of ${(METRICS * ROWS).toLocaleString('en')} rows removed while samples are written as fast as they can be`,
    figures: {
      removal: median(pruned.map(({ seconds }) => seconds)) * 1_000,
      samplesPerSecond: Math.round(rate(pruned)),
      ratioToNoPruning: rate(pruned) / rate(bare),
      loopDelayP99: median(pruned.map(({ loop }) => loop.p99)),
      loopDelayLongest: Math.max(...pruned.map(({ loop }) => loop.longest)),
      loopDelayP99Idle: idle.p99,
    },
    must: 'loopDelayP99 ≤ 30 above loopDelayP99Idle',
  };
}
