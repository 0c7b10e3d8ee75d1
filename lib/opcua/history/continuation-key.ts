/** The secret behind continuation points, kept beside the other keys of the server. */
import { randomBytes } from 'node:crypto';
import { link, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const FILE = 'history.key';
const SIZE = 32;

/**
 * Reads the key, or makes one. A file that is no key is replaced: continuation points made before are invalid then,
 * and clients begin anew.
 * @param folder of the server's keys; exists
 */
export async function continuationKey(folder: string): Promise<Buffer> {
  const file = join(folder, FILE);
  const known = await readKey(file);
  if (known !== undefined) return known;
  await rm(file, { force: true });
  const key = randomBytes(SIZE);
  const fresh = `${file}.${randomBytes(6).toString('hex')}`;
  await writeFile(fresh, key, { mode: 0o600 });
  try {
    // Whole or not at all, and the first of two servers that share a folder wins.
    await link(fresh, file);
    return key;
  } catch (error) {
    const theirs = await readKey(file);
    if (theirs !== undefined) return theirs;
    throw error;
  } finally {
    await rm(fresh, { force: true });
  }
}

async function readKey(file: string): Promise<Buffer | undefined> {
  const key = await readFile(file).catch(() => undefined);
  return key?.length === SIZE ? key : undefined;
}
