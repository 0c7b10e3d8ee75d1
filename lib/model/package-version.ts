import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const versions = new Map<string, string>();

/** Version of this package, from the package.json it was installed with; `0.0.0` if that cannot be found. */
export function packageVersion(folder: string = __dirname): string {
  let version = versions.get(folder);
  if (version === undefined) {
    version = versionIn(folder) ?? (dirname(folder) === folder ? '0.0.0' : packageVersion(dirname(folder)));
    versions.set(folder, version);
  }
  return version;
}

function versionIn(folder: string): string | undefined {
  try {
    const manifest: unknown = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    if (typeof manifest !== 'object' || manifest === null || !('name' in manifest) || !('version' in manifest))
      return undefined;
    const { name, version } = manifest;
    return String(name).includes('lorua') && typeof version === 'string' ? version : undefined;
  } catch {
    // Not here: one folder up.
    return undefined;
  }
}
