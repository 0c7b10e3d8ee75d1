// Writes the list of environment variables in docs/configuration.md from the program's own table (after a build).
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { configurationTables } = await import(join(root, process.argv[2] ?? 'dist', 'lib', 'runtime', 'index.js'));
const path = join(root, 'docs', 'configuration.md');
const document = readFileSync(path, 'utf8');
const between = /(<!-- variables -->\n\n)[\s\S]*?(\n<!-- \/variables -->)/;
writeFileSync(
  path,
  document.replace(between, (_all, start, end) => start + configurationTables() + end),
);
