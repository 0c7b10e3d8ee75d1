/** The start with 100,000 last values: store open and all of them in memory, against a bare select of the same rows. */
import { join } from 'node:path';
import { silentLogger, systemClock } from '../lib/model';
import { GatewayStore, parseStoreSettings } from '../lib/store';
import { BareReader, fillHistory } from '../test/support/history-database';
import { compare, type Figures, inFolder } from './figures';

const METRICS = 100_000;

export function restore(): Promise<Figures> {
  return inFolder(async (folder) => {
    const file = join(folder, 'restore.db');
    await fillHistory(file, { metrics: METRICS, rows: 1, from: Date.now() - 60_000, step: 1_000 });
    const run = (bare: (reader: BareReader) => readonly unknown[]): ReturnType<typeof compare> => {
      let store: GatewayStore | undefined;
      return compare(
        async () => {
          await store?.close();
          const begun = performance.now();
          store = GatewayStore.create(parseStoreSettings({ file, retentionDays: 0 }), {
            clock: systemClock,
            logger: silentLogger,
          });
          await store.open();
          const milliseconds = performance.now() - begun;
          if (store.health().state !== 'healthy') throw new Error(store.health().reason);
          await store.close();
          return milliseconds;
        },
        () => {
          const reader = new BareReader(file);
          if (bare(reader).length !== METRICS) throw new Error('rows are missing');
          reader.close();
        },
      );
    };
    const values = await run((reader) => reader.currents());
    const withMetrics = await run((reader) => reader.currentsWithMetrics());
    return {
      title: `start with ${METRICS.toLocaleString('en')} last values`,
      figures: {
        open: withMetrics.ours,
        bareSelect: withMetrics.bare,
        ratio: withMetrics.ratio,
        bareSelectOfValuesAlone: values.bare,
        ratioToValuesAlone: values.ratio,
        loopDelayP99: withMetrics.loopDelayP99,
      },
      must: 'ratio ≤ 3: opening the store to selecting metrics and their values with better-sqlite3 alone',
    };
  });
}
