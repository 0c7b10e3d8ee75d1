/** `npm run bench`: prints figures for people, then one line of JSON for machines. */
import { insertOnce } from './insert';
import { median } from './measure';

const RUNS = 5;

async function main(): Promise<void> {
  // The first run warms up and does not count.
  await insertOnce();
  const runs = [];
  for (let run = 0; run < RUNS; run++) runs.push(await insertOnce());
  const ratio = median(runs.map(({ wired, bare }) => bare.seconds / wired.seconds));
  const rate = median(runs.map(({ samples, wired }) => samples / wired.seconds));
  const loopDelay = median(runs.map(({ wired }) => wired.loopDelay));
  console.log(`samples from message to committed row: ${Math.round(rate).toLocaleString('en')}/s, median of ${RUNS}`);
  console.log(`  ${ratio.toFixed(2)} × a bare better-sqlite3 loop of the same rows (must be ≥ 0.7)`);
  console.log(`  event-loop delay p99 ${loopDelay.toFixed(0)} ms`);
  console.log(JSON.stringify({ insert: { samplesPerSecond: Math.round(rate), ratio, loopDelayP99: loopDelay } }));
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
