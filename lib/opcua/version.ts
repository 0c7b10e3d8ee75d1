import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';

const manifest = z.object({ name: z.string(), version: z.string() });

/** Version of this package, from the package.json it was installed with; `0.0.0` if that cannot be found. */
export function packageVersion(folder: string = __dirname): string {
  try {
    const found = manifest.safeParse(JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')));
    if (found.success && found.data.name.includes('lorua')) return found.data.version;
  } catch {
    // Not here: look one folder up.
  }
  const parent = dirname(folder);
  return parent === folder ? '0.0.0' : packageVersion(parent);
}
