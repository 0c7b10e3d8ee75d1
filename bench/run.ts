/**
 * `npm run bench`: prints figures for people, then one line of JSON for machines. `npm run bench -- history restore`
 * measures these alone.
 */
import { commands } from './commands';
import type { Figures } from './figures';
import { aggregates, history } from './history';
import { insert } from './insert';
import { notification, reads, sampling } from './opcua';
import { prune } from './prune';
import { restore } from './restore';
import { scale } from './scale';

const BENCHMARKS: Readonly<Record<string, () => Promise<Figures>>> = {
  insert,
  restore,
  prune,
  history,
  aggregates,
  commands,
  notification,
  sampling,
  scale,
  reads,
};

function shown(value: number): string {
  if (value >= 1_000) return Math.round(value).toLocaleString('en');
  return value.toFixed(value >= 100 ? 0 : 2);
}

async function main(words: readonly string[]): Promise<void> {
  const unknown = words.filter((word) => !Object.hasOwn(BENCHMARKS, word));
  if (unknown.length > 0)
    throw new Error(`${unknown.join(', ')}: there are ${Object.keys(BENCHMARKS).join(', ')} to be measured`);
  const all: Record<string, Figures['figures']> = {};
  for (const [name, benchmark] of Object.entries(BENCHMARKS)) {
    if (words.length > 0 && !words.includes(name)) continue;
    const { title, figures, must } = await benchmark();
    console.log(`${name}: ${title}`);
    for (const [figure, value] of Object.entries(figures)) console.log(`  ${figure.padEnd(36)} ${shown(value)}`);
    console.log(`  must: ${must}`);
    all[name] = figures;
  }
  console.log(JSON.stringify(all));
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
