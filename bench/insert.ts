/**
 * Samples from message to committed row: what metric-store, stale-detector and store do for each, against a bare
 * better-sqlite3 loop that inserts the same rows.
 */
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { parseReadingMessage, type ReadingMessage, readingMessage } from '../lib/messages';
import { parseDevEui, silentLogger, systemClock } from '../lib/model';
import { parseStaleDetectorSettings, StaleDetector } from '../lib/quality';
import { GatewayStore, parseStoreSettings } from '../lib/store';
import { type Measured, measured, median } from '../test/support/measure';
import { type Figures, inFolder, RUNS } from './figures';

const DEVICES = 1_000;
const METRICS = 10;
const ROUNDS = 50;
const SAMPLES = DEVICES * METRICS * ROUNDS;
/** Messages between two turns of the event loop. */
const PER_TURN = 200;
const ROWS_PER_TRANSACTION = 5_000;

const devices = Array.from({ length: DEVICES }, (_, index) =>
  parseDevEui((0xa840_0000_0000_0000n + BigInt(index)).toString(16)),
);
const keys = Array.from({ length: METRICS }, (_, index) => `metric_${index}`);

function messages(round: number, start: number): ReadingMessage[] {
  return devices.map((devEui, device) => ({
    payload: Object.fromEntries(keys.map((key, index) => [key, round + device / 7 + index])),
    device: { devEui },
    time: start + round * 1_000,
    quality: {},
    origin: 'event',
    eventId: `${devEui}-${round}`,
  }));
}

async function wired(folder: string): Promise<Measured> {
  const store = GatewayStore.create(
    parseStoreSettings({ backend: 'sqlite', file: join(folder, 'wired.db'), retentionDays: 0 }),
    { clock: systemClock, logger: silentLogger },
  );
  await store.open();
  const detector = new StaleDetector({
    clock: systemClock,
    logger: silentLogger,
    settings: parseStaleDetectorSettings({}),
    inventory: () => store.inventory.merged(),
    keysOf: (devEui) =>
      store.metrics.ofDevice(devEui).map(({ key }) => ({ key, current: store.values.get(devEui, key) })),
  });
  const start = Date.now() - ROUNDS * 1_000;
  const rounds = Array.from({ length: ROUNDS }, (_, round) => messages(round, start));
  const result = await measured(async () => {
    let count = 0;
    for (const round of rounds)
      for (const message of round) {
        const accepted = store.accept(parseReadingMessage(message, systemClock).reading);
        if (accepted) readingMessage(detector.observe(accepted.reading), message);
        if (++count % PER_TURN === 0) await new Promise((resolve) => setImmediate(resolve));
      }
    await store.settled();
  });
  detector.close();
  await store.close();
  return result;
}

function bare(folder: string): Promise<Measured> {
  const database = new Database(join(folder, 'bare.db'));
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = NORMAL');
  database.exec(
    'CREATE TABLE history (metric INTEGER, time INTEGER, value REAL, status INTEGER, PRIMARY KEY (metric, time)) WITHOUT ROWID',
  );
  const insert = database.prepare('INSERT INTO history VALUES (?, ?, ?, ?)');
  const start = BigInt(Date.now() - ROUNDS * 1_000);
  return measured(() => {
    database.exec('BEGIN');
    let count = 0;
    for (let round = 0; round < ROUNDS; round++)
      for (let metric = 0; metric < DEVICES * METRICS; metric++) {
        insert.run(BigInt(metric), start + BigInt(round) * 1_000n, round + metric / 7, 0n);
        if (++count % ROWS_PER_TRANSACTION === 0) database.exec('COMMIT; BEGIN');
      }
    database.exec('COMMIT');
    database.close();
  });
}

/** One run of both, in turn. */
function insertOnce(): Promise<{ wired: Measured; bare: Measured }> {
  return inFolder(async (folder) => ({ bare: await bare(folder), wired: await wired(folder) }));
}

export async function insert(): Promise<Figures> {
  // The first run warms up and does not count.
  await insertOnce();
  const runs = [];
  for (let run = 0; run < RUNS; run++) runs.push(await insertOnce());
  const ratios = runs.map((once) => once.bare.seconds / once.wired.seconds);
  return {
    title: 'samples from message to committed row',
    figures: {
      samplesPerSecond: Math.round(median(runs.map((once) => SAMPLES / once.wired.seconds))),
      ratioToBareLoop: median(ratios),
      lowestRatio: Math.min(...ratios),
      highestRatio: Math.max(...ratios),
      loopDelayP99: median(runs.map((once) => once.wired.loop.p99)),
    },
    must: 'ratioToBareLoop ≥ 0.7: a better-sqlite3 loop that inserts the same rows takes the time of 1',
  };
}
