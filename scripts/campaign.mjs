// The end-to-end tests at full length: `npm run campaign`, or `npm run campaign -- outage` for some of them.
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';

const words = process.argv.slice(2);
const all = globSync('dist/test/e2e/*.test.js').sort();
const files = words.length === 0 ? all : all.filter((file) => words.some((word) => file.includes(word)));
if (files.length === 0) {
  console.error(`no end-to-end test matches ${words.join(', ')}`);
  process.exit(1);
}
const result = spawnSync(
  process.execPath,
  // One after the other: they measure, and a second one would be measured with them.
  ['--enable-source-maps', '--test', '--test-concurrency=1', '--test-timeout=900000', ...files],
  { stdio: 'inherit', env: { ...process.env, LORUA_CAMPAIGN: 'full' } },
);
process.exit(result.status ?? 1);
