/** HistoryRead by a client in a process of its own, against better-sqlite3 reading the same rows in this one. */
import { join } from 'node:path';
import { AggregateFunction } from 'node-opcua';
import { HistorianClient } from '../test/support/history-client';
import { BareReader, fillHistory, inventoryOf, metricOf } from '../test/support/history-database';
import { type House, openHouse } from '../test/support/history-house';
import { type Comparison, compare, type Figures, idleLoop, inFolder } from './figures';

const WEEK = 7 * 86_400;
const SECOND = 1_000;
/** The week is that of one of several metrics, as on a real disk. */
const METRICS = 4;
const NUMBER = 1;
const HOUR = 3_600_000;

interface Week {
  readonly house: House;
  readonly historian: HistorianClient;
  readonly bare: BareReader;
  readonly nodeId: string;
  readonly from: number;
  readonly to: number;
  /** Event-loop delay p99 while nothing happens, ms. */
  readonly idle: number;
}

function withWeek<T>(run: (week: Week) => Promise<T>): Promise<T> {
  return inFolder(async (folder) => {
    const file = join(folder, 'week.db');
    const to = Math.floor(Date.now() / HOUR) * HOUR;
    const from = to - WEEK * SECOND;
    await fillHistory(file, { metrics: METRICS, rows: WEEK, from, step: SECOND });
    const house = await openHouse({ folder, file, inventory: inventoryOf(METRICS) });
    const historian = await HistorianClient.start(house.access);
    const bare = new BareReader(file);
    const { devEui, key } = metricOf(NUMBER);
    try {
      const idle = (await idleLoop()).p99;
      return await run({ house, historian, bare, nodeId: house.nodeId(devEui, key), from, to, idle });
    } finally {
      bare.close();
      await historian.stop();
      await house.close();
    }
  });
}

export function history(): Promise<Figures> {
  return withWeek(async ({ historian, bare, nodeId, from, to, idle }) => {
    let pages = 0;
    const readAgainst = (isRaw: boolean): Promise<Comparison> =>
      compare(
        async () => {
          const answer = await historian.ask({ nodeId, from, to });
          if (answer.count !== WEEK) throw new Error(`${answer.count} values of ${WEEK}`);
          pages = answer.pages;
          return answer.seconds * 1_000;
        },
        () => {
          if (bare.select(NUMBER, from, to, isRaw).length !== WEEK) throw new Error('rows are missing');
        },
      );
    const read = await readAgainst(false);
    const arrays = await readAgainst(true);
    return {
      title: `HistoryRead of ${WEEK.toLocaleString('en')} values by a client in its own process`,
      figures: {
        read: read.ours,
        pages,
        bareSelect: read.bare,
        ratio: read.ratio,
        ratioToSelectOfArrays: arrays.ratio,
        loopDelayP99: read.loopDelayP99,
        loopDelayP99Idle: idle,
      },
      must: 'ratio ≤ 3.5, to the rows as objects; loopDelayP99 ≤ 30 above loopDelayP99Idle',
    };
  });
}

const AGGREGATES = {
  averageOfHours: { type: AggregateFunction.Average, interval: HOUR },
  averageOf5Minutes: { type: AggregateFunction.Average, interval: HOUR / 12 },
  minimumOfHours: { type: AggregateFunction.Minimum, interval: HOUR },
  standardDeviationOfHours: { type: AggregateFunction.StandardDeviationSample, interval: HOUR },
};

export function aggregates(): Promise<Figures> {
  return withWeek(async ({ historian, bare, nodeId, from, to, idle }) => {
    const figures: Record<string, number> = {};
    let worst = 0;
    for (const [name, aggregate] of Object.entries(AGGREGATES)) {
      const ask = async (): Promise<number> => {
        const { count, seconds } = await historian.ask({ nodeId, from, to, aggregate });
        if (count !== (to - from) / aggregate.interval) throw new Error(`${name}: ${count} values`);
        return seconds * 1_000;
      };
      const select = await compare(ask, () => void bare.select(NUMBER, from, to));
      const grouped = await compare(ask, () => void bare.averages(NUMBER, from, to, aggregate.interval));
      figures[name] = select.ours;
      figures[`${name}RatioToSelect`] = select.ratio;
      figures[`${name}RatioToGroupBy`] = grouped.ratio;
      worst = Math.max(worst, select.loopDelayP99);
    }
    return {
      title: `HistoryRead of aggregates over ${WEEK.toLocaleString('en')} values`,
      figures: { ...figures, loopDelayP99: worst, loopDelayP99Idle: idle },
      must: 'loopDelayP99 ≤ 30 above loopDelayP99Idle',
    };
  });
}
