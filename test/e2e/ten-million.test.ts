/**
 * A database as large as it gets: half of it is removed while values come in, without holding up the event loop, and a
 * day of it is read as fast as before. LORUA_CAMPAIGN=full makes it ten million rows.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { silentLogger, systemClock } from '../../lib/model';
import { HistorianClient } from '../support/history-client';
import {
  BareReader,
  fillHistory,
  inventoryOf,
  METRICS_PER_DEVICE,
  metricOf,
  valueOf,
} from '../support/history-database';
import { type House, openHouse } from '../support/history-house';
import { measured, median } from '../support/measure';
import { pruningClock } from '../support/pruning-clock';

const FULL = process.env.LORUA_CAMPAIGN === 'full';
const METRICS = 20;
const ROWS = FULL ? 500_000 : 10_000;
const STEP = 1_000;
const DAY = 86_400_000;
/** What is read, ms: a day, or what a short history has of it. */
const READ = FULL ? DAY : 2_000 * STEP;
const RUNS = FULL ? 5 : 1;
/** Read of a client, in terms of a bare select of the same rows. */
const SLOWEST_READ = 3.5;
/** ms */
const LONGEST_STALL = 50;
const SAMPLES_PER_SECOND = 2_000;
/** ms between two batches of values */
const TICK = 20;
const NUMBER = 7;

describe(`a database of ${(METRICS * ROWS).toLocaleString('en')} rows`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'lorua-large-'));
  const file = join(folder, 'large.db');
  const pruning = pruningClock(systemClock);
  const from = Date.now() - ROWS * STEP;
  const half = from + (ROWS * STEP) / 2;
  let house: House;
  let historian: HistorianClient;

  before(async () => {
    await fillHistory(file, { metrics: METRICS, rows: ROWS, from, step: STEP });
    house = await openHouse({
      folder,
      file,
      inventory: inventoryOf(METRICS),
      retentionDays: (Date.now() - half) / DAY,
      clock: pruning.clock,
      logger: pruning.watch(silentLogger),
    });
    historian = await HistorianClient.start(house.access);
  });
  after(async () => {
    await historian?.stop();
    await house?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** @returns the time that a client needs to read the newest day, in terms of a bare select */
  const readRatio = async (): Promise<{ ratio: number; milliseconds: number }> => {
    const { devEui, key } = metricOf(NUMBER);
    const to = from + ROWS * STEP;
    const question = { nodeId: house.nodeId(devEui, key), from: to - READ, to };
    const runs: { ours: number; bare: number }[] = [];
    // The first run warms up and does not count.
    for (let run = 0; run <= RUNS; run++) {
      const bare = new BareReader(file);
      const { seconds, result } = await measured(() => bare.select(NUMBER, question.from, question.to));
      bare.close();
      const answer = await historian.ask(question);
      assert.equal(answer.count, READ / STEP);
      assert.equal(result.length, READ / STEP);
      let sum = 0;
      for (let time = question.from; time < to; time += STEP) sum += valueOf(NUMBER, time);
      assert.equal(answer.sum, sum, 'the values are those that were stored');
      if (run > 0) runs.push({ ours: answer.seconds, bare: seconds });
    }
    return {
      ratio: median(runs.map(({ ours, bare }) => ours / bare)),
      milliseconds: Math.round(median(runs.map(({ ours }) => ours)) * 1_000),
    };
  };

  /** Values come in until `isOver`. @returns how many */
  const load = async (isOver: () => boolean): Promise<number> => {
    const perTick = (SAMPLES_PER_SECOND * TICK) / 1_000;
    let count = 0;
    for (let time = from + ROWS * STEP; !isOver(); time += STEP) {
      for (let number = 0; number < Math.min(METRICS, perTick); number += METRICS_PER_DEVICE) {
        const values: Record<string, number> = {};
        for (let index = number; index < number + METRICS_PER_DEVICE; index++)
          values[metricOf(index).key] = valueOf(index, time);
        house.take({ device: { devEui: metricOf(number).devEui }, values, time, quality: {}, origin: 'event' });
        count += METRICS_PER_DEVICE;
      }
      await pause(TICK / Math.max(1, perTick / METRICS));
    }
    return count;
  };

  test('is read, loses its older half while values come in, and is read as before', async (t) => {
    const before = await readRatio();
    const size = statSync(file).size;
    pruning.begin();
    const { seconds, loop, result: count } = await measured(() => load(() => pruning.rounds > 0));
    await house.store.settled();
    const after = await readRatio();

    const reader = new BareReader(file);
    const rows = reader.count();
    reader.close();
    const kept = rows - count;
    // Retention goes on while it is being removed: a little more than half may go.
    assert.ok(kept <= (METRICS * ROWS) / 2, `${kept} old rows are left`);
    assert.ok(kept > METRICS * (ROWS / 2 - (60 + seconds)), `only ${kept} old rows are left`);
    assert.equal(house.store.health().lost, 0);
    t.diagnostic(
      `${(METRICS * ROWS - kept).toLocaleString('en')} rows removed in ${seconds.toFixed(1)} s while ` +
        `${Math.round(count / seconds)} samples/s came in; event loop held up for at most ${loop.longest.toFixed(0)} ms`,
    );
    t.diagnostic(
      `${(READ / STEP).toLocaleString('en')} values read by a client: ${before.milliseconds} ms, ${before.ratio.toFixed(2)} × ` +
        `a bare select before; ${after.milliseconds} ms, ${after.ratio.toFixed(2)} × after`,
    );
    t.diagnostic(`file ${Math.round(size / 1e6)} MB before, ${Math.round(statSync(file).size / 1e6)} MB after`);
    if (!FULL) return;
    assert.ok(loop.longest <= LONGEST_STALL, `the event loop stood still for ${loop.longest} ms`);
    assert.ok(Math.max(before.ratio, after.ratio) <= SLOWEST_READ, 'a day is read fast enough');
  });
});
