// Runs the test suite on what was built: `npm test`, or `npm run test:only -- store quality` for some rooms.
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';

const words = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const all = globSync('dist/test/**/*.test.js').sort();
const files = words.length === 0 ? all : all.filter((file) => words.some((word) => file.includes(word)));
if (files.length === 0) {
  console.error(`no test file matches ${words.join(', ')}`);
  process.exit(1);
}
const coverage =
  words.length > 0
    ? []
    : [
        '--experimental-test-coverage',
        '--test-coverage-include=lib/**',
        '--test-coverage-include=dist/lib/**',
        '--test-coverage-lines=95',
      ];
// Three at a time on two cores: the end-to-end tests mostly wait.
const result = spawnSync(
  process.execPath,
  ['--enable-source-maps', '--test', '--test-concurrency=3', '--test-timeout=300000', ...coverage, ...files],
  { stdio: 'inherit' },
);
process.exit(result.status ?? 1);
