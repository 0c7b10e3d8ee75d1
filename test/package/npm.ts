/** npm as the tests use it: the one that Node-RED brings, without network, with a cache of its own. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { repositoryRoot } from '../support/paths';

export interface PackResult {
  readonly name: string;
  readonly version: string;
  /** Name of the tarball. */
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

const run = promisify(execFile);

/** `npm pack` of the checkout as it is built: no script runs. */
export async function npmPack(options: readonly string[]): Promise<PackResult> {
  const npm = join(dirname(createRequire(__filename).resolve('npm/package.json')), 'bin', 'npm-cli.js');
  const cache = mkdtempSync(join(tmpdir(), 'lorua-npm-'));
  try {
    const { stdout } = await run(process.execPath, [npm, 'pack', '--json', '--ignore-scripts', ...options], {
      cwd: repositoryRoot,
      env: {
        ...process.env,
        npm_config_cache: cache,
        npm_config_offline: 'true',
        npm_config_update_notifier: 'false',
      },
      maxBuffer: 64 * 1024 * 1024,
    });
    return onlyResult(JSON.parse(stdout));
  } finally {
    rmSync(cache, { recursive: true, force: true });
  }
}

/** npm 11 gives a list, npm 12 an object by package name. */
function onlyResult(output: unknown): PackResult {
  const [result] = Object.values(output as Record<string, PackResult>);
  if (result === undefined) throw new Error('npm packed nothing');
  return result;
}
