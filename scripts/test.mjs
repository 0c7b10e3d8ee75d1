// Runs the test suite on what was built: `npm test`, or `npm run test:only -- store quality` for some rooms.
import { globSync } from 'node:fs';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';

/** Files at a time. On two cores: those that boot the whole mostly wait, and share the time with those that reckon. */
const AT_A_TIME = 3;

const words = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const all = globSync('dist/test/**/*.test.js').sort();
const files = words.length === 0 ? all : all.filter((file) => words.some((word) => file.includes(word)));
if (files.length === 0) {
  console.error(`no test file matches ${words.join(', ')}`);
  process.exit(1);
}

/** Those that boot the whole evenly among the others, so that there is always something to do for both cores. */
function mixed(paths) {
  const waiting = paths.filter((path) => /test\/(e2e|flow)\//.test(path));
  const others = paths.filter((path) => !waiting.includes(path));
  const placed = [waiting, others].flatMap((kind) => kind.map((path, index) => ({ path, place: index / kind.length })));
  return placed.sort((a, b) => a.place - b.place).map(({ path }) => path);
}

const coverage =
  words.length > 0 ? {} : { coverage: true, coverageIncludeGlobs: ['lib/**', 'dist/lib/**'], lineCoverage: 95 };
run({ files: mixed(files), concurrency: AT_A_TIME, timeout: 300_000, execArgv: ['--enable-source-maps'], ...coverage })
  .on('test:fail', () => {
    process.exitCode = 1;
  })
  .compose(spec)
  .pipe(process.stdout);
