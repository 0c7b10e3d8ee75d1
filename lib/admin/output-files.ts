/** Files that users ask for, in one folder each: nothing outside of it is ever read, written or deleted. */
import { randomUUID } from 'node:crypto';
import { link, mkdir, open, readdir, rename, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { display, InvalidInputError } from '../model';
import { optionalField } from './payload';

/** Neither separators nor a dot in front, and nothing that a shell or Windows takes for something else. */
const FILE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const DEVICE_NAME = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/i;
const PART = /^\.[0-9a-f-]{36}\.part$/;
/** A file that is being written is younger than this, ms: older ones were left behind by a crash. */
const PART_LIFETIME = 86_400_000;

/** Name of a file inside its folder. */
export const fileField: z.ZodType<string | undefined> = optionalField((value) => {
  if (typeof value === 'string' && FILE_NAME.test(value) && !DEVICE_NAME.test(value) && !value.endsWith('.'))
    return value;
  throw new InvalidInputError([
    {
      field: 'payload.file',
      value: display(value),
      rule: 'it is the name of a file, without folder: 1 to 128 letters, digits, "-", "_" and "."',
      cure: 'Write it like report.csv, or leave it out for a name with date and time.',
    },
  ]);
});

export const filesPayload = z.strictObject({
  offset: z.number().int().min(0).default(0),
  limit: z.number().int().min(1).max(1_000).default(100),
});

export interface OutputFile {
  readonly file: string;
  readonly bytes: number;
  /** When it was finished, ms UTC. */
  readonly time: number;
}

/** `name-20261124T120000Z.extension` */
export function datedName(name: string, time: number, extension: string): string {
  return `${name}-${new Date(time).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z.${extension}`;
}

/** The name that was asked for, with the extension that its contents need. */
export function withExtension(file: string, extension: string): string {
  return file.toLowerCase().endsWith(`.${extension}`) ? file : `${file}.${extension}`;
}

/** The files of one folder. A file appears when it is complete, under a name that no other file has. */
export class OutputFolder {
  readonly path: string;

  /** @param path absolute */
  constructor(path: string) {
    this.path = path;
  }

  /** Absolute path of a file in it. */
  pathOf(file: string): string {
    return join(this.path, file);
  }

  /**
   * Makes a file: `write` gets the path of a file that does not exist yet. If it fails, nothing is left behind.
   * @throws InvalidInputError if there is a file of that name
   */
  async make<T>(file: string, write: (path: string) => Promise<T>): Promise<T> {
    await mkdir(this.path, { recursive: true });
    await this.#removeLeftParts();
    const target = this.pathOf(file);
    if (await exists(target)) throw taken(file);
    const part = join(this.path, `.${randomUUID()}.part`);
    try {
      const result = await write(part);
      await publish(part, target, file);
      return result;
    } finally {
      // Gone already where it has become the file.
      await unlink(part).catch(() => undefined);
    }
  }

  /** Newest first. */
  async list(): Promise<readonly OutputFile[]> {
    const files: OutputFile[] = [];
    for (const file of await this.#names()) {
      if (!FILE_NAME.test(file)) continue;
      const found = await stat(join(this.path, file)).catch(() => undefined);
      if (found?.isFile()) files.push({ file, bytes: found.size, time: Math.round(found.mtimeMs) });
    }
    return files.sort((a, b) => b.time - a.time || (a.file < b.file ? 1 : -1));
  }

  /** Keeps the newest files whose names match and removes the others. @returns names of what was removed */
  async keepNewest(pattern: RegExp, count: number): Promise<readonly string[]> {
    // Dated names sort by their date, whatever was done to the files since.
    const dated = (await this.#names()).filter((name) => pattern.test(name)).sort();
    const surplus = dated.slice(0, Math.max(0, dated.length - count));
    for (const file of surplus) await unlink(join(this.path, file));
    return surplus;
  }

  async #names(): Promise<readonly string[]> {
    try {
      return await readdir(this.path);
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return [];
      throw error;
    }
  }

  async #removeLeftParts(): Promise<void> {
    for (const name of await this.#names()) {
      if (!PART.test(name)) continue;
      const path = join(this.path, name);
      const found = await stat(path).catch(() => undefined);
      // Age by the clock of the file system, against which the file was written.
      if (found !== undefined && Date.now() - found.mtimeMs > PART_LIFETIME) await unlink(path).catch(() => undefined);
    }
  }
}

/** Gives a finished file its name, unless another one took it meanwhile. */
async function publish(part: string, target: string, file: string): Promise<void> {
  const handle = await open(part, 'r+');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
  try {
    await link(part, target);
  } catch (error) {
    if (hasCode(error, 'EEXIST')) throw taken(file);
    // File systems of memory cards have no links.
    if (await exists(target)) throw taken(file);
    await rename(part, target);
  }
}

function taken(file: string): InvalidInputError {
  return new InvalidInputError([
    {
      field: 'payload.file',
      value: display(file),
      rule: 'no file of that name exists yet',
      cure: 'Choose another name, or leave it out for a name with date and time.',
    },
  ]);
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
