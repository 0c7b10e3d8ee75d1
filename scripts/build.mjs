// Builds dist/: the compiled program, and beside each node what Node-RED's editor needs (html, icons, locales).
// `--if-changed` does nothing when dist/ is newer than every source.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildFlows } from './build-flows.mjs';
import { buildNodeHtml } from './build-node-html.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
process.chdir(root);

const SOURCES = [
  'lib',
  'nodes',
  'bin',
  'test',
  'bench',
  'types',
  'flows',
  'icons',
  'locales',
  'scripts',
  'package.json',
  'tsconfig.json',
];
const STAMP = 'dist/.built';

function newest(path) {
  if (!existsSync(path)) return 0;
  const stat = statSync(path);
  if (!stat.isDirectory()) return stat.mtimeMs;
  return readdirSync(path).reduce((latest, name) => Math.max(latest, newest(join(path, name))), stat.mtimeMs);
}

if (process.argv.includes('--if-changed') && existsSync(STAMP)) {
  const built = statSync(STAMP).mtimeMs;
  if (SOURCES.every((source) => newest(source) <= built)) process.exit(0);
}

rmSync('dist', { recursive: true, force: true });
// Called through Node itself: the shims of node_modules/.bin differ between platforms.
execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json'], { stdio: 'inherit' });

const languages = readdirSync('locales');
const packageJson = JSON.parse(readFileSync('package.json', 'utf8'));
for (const [set, script] of Object.entries(packageJson['node-red'].nodes)) {
  const folder = dirname(script);
  const base = script.slice(folder.length + 1, -'.js'.length);
  writeFileSync(join(folder, `${base}.html`), await buildNodeHtml(join('nodes', base), base));
  for (const language of languages)
    for (const extension of ['json', 'html']) {
      const source = join('locales', language, `${base}.${extension}`);
      if (!existsSync(source)) continue;
      mkdirSync(join(folder, 'locales', language), { recursive: true });
      cpSync(source, join(folder, 'locales', language, `${base}.${extension}`));
    }
  const icon = join('icons', `${set}.svg`);
  if (existsSync(icon)) {
    mkdirSync(join(folder, 'icons'), { recursive: true });
    cpSync(icon, join(folder, 'icons', `${set}.svg`));
  }
}
buildFlows();
writeFileSync(STAMP, '');
