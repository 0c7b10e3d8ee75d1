/** The folder of everything that the gateway writes, and how single files in it are written. */
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { display, errorText, InvalidInputError } from '../model';

/** Readable and writable by its owner alone. */
export const PRIVATE_FILE = 0o600;
export const PRIVATE_FOLDER = 0o700;

/**
 * Makes sure that the folder is there and can be written.
 * @throws InvalidInputError with the cure
 */
export function openDataFolder(folder: string): void {
  const probe = join(folder, `.probe-${randomBytes(6).toString('hex')}`);
  try {
    if (!existsSync(folder)) mkdirSync(folder, { recursive: true, mode: PRIVATE_FOLDER });
    writeFileSync(probe, '', { mode: PRIVATE_FILE });
    rmSync(probe);
  } catch (error) {
    throw new InvalidInputError([
      {
        field: 'GATEWAY_DATA',
        value: display(folder),
        rule: `the data folder must be writable (${errorText(error)})`,
        cure: 'Set GATEWAY_DATA to a folder that the gateway may write, or correct its owner and permissions.',
      },
    ]);
  }
}

/** Writes a file so that it is there with all of its content or not at all, and nobody else can read it. */
export function writePrivateFile(path: string, content: string): void {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    writeFileSync(temporary, content, { mode: PRIVATE_FILE, flush: true });
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** A secret that belongs to this data folder: made at the first start, the same ever after. */
export function lastingSecret(path: string): string {
  if (existsSync(path)) {
    const secret = readFileSync(path, 'utf8').trim();
    if (secret !== '') {
      chmodSync(path, PRIVATE_FILE);
      return secret;
    }
  }
  const secret = randomBytes(32).toString('base64url');
  writePrivateFile(path, `${secret}\n`);
  return secret;
}
