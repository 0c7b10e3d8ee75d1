/**
 * A process of its own that commits commands one after the other, as fast as it can, and prints the id of each when it is
 * told that it is durable: `node commit-until-killed.js <database> <prefix of ids>`. It never ends by itself.
 */
import { silentLogger, systemClock } from '../../lib/model';
import { GatewayStore, parseStoreSettings, type StoredRecord } from '../../lib/store';

/** Commits under way at a time: several users write at once. */
const CONCURRENT = 4;

export function commandRecord(id: string, createdAt: number): StoredRecord {
  return {
    kind: 'command',
    id,
    devEui: undefined,
    state: 'Queued',
    createdAt,
    changedAt: createdAt,
    endedAt: undefined,
    body: JSON.stringify({ id, payload: 'AQID' }),
  };
}

async function main(file: string, prefix: string): Promise<void> {
  const store = GatewayStore.create(parseStoreSettings({ backend: 'sqlite', file }), {
    clock: systemClock,
    logger: silentLogger,
  });
  await store.open();
  let number = 0;
  const commitForEver = async (): Promise<never> => {
    for (;;) {
      const id = `${prefix}-${String(++number).padStart(8, '0')}`;
      await store.commit({ records: [commandRecord(id, Date.now())], removed: [], journal: [] });
      // To a pipe this is written before it returns: what was printed is there when the process is gone.
      process.stdout.write(`${id}\n`);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENT }, commitForEver));
}

if (require.main === module) {
  const [file = '', prefix = ''] = process.argv.slice(2);
  main(file, prefix).catch((error: unknown) => {
    process.stderr.write(`${String(error)}\n`);
    process.exitCode = 1;
  });
}
