import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';

let version: string | undefined;

/** The version in package.json, which lies above wherever this was compiled to. */
export function packageVersion(): string {
  if (version !== undefined) return version;
  let folder = __dirname;
  while (!existsSync(join(folder, 'package.json')) && dirname(folder) !== folder) folder = dirname(folder);
  const parsed = z
    .object({ version: z.string() })
    .safeParse(JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')));
  version = parsed.success ? parsed.data.version : 'unknown';
  return version;
}
