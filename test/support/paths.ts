import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

function findRoot(folder: string): string {
  if (existsSync(join(folder, 'package-lock.json'))) return folder;
  const parent = dirname(folder);
  if (parent === folder) throw new Error('the tests run inside the checkout');
  return findRoot(parent);
}

/** Top folder of the checkout. */
export const repositoryRoot = findRoot(__dirname);

/** A recording of a real ChirpStack, parsed. */
export function recording(name: string): unknown {
  return JSON.parse(readFileSync(join(repositoryRoot, 'test', 'recordings', name), 'utf8'));
}

/** Lines of a recording in NDJSON, parsed. */
export function recordedLines(name: string): unknown[] {
  return readFileSync(join(repositoryRoot, 'test', 'recordings', name), 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => JSON.parse(line) as unknown);
}
