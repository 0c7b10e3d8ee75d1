/** The administrator of the standalone gateway: one name and password for OPC UA, dashboard and editor. */
import { randomInt } from 'node:crypto';
import { chmodSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { errorText, hashPassword, InvalidInputError, isPasswordHash, verifyPassword } from '../model';
import { PRIVATE_FILE, writePrivateFile } from './data-folder';

const DEFAULT_NAME = 'admin';

/** Letters and digits that nobody mixes up when reading them from a screen. */
const ALPHABET = 'abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789';
/** Four groups of five: 116 bits. */
const GROUPS = 4;
const GROUP_LENGTH = 5;

const fileSchema = z.object({
  version: z.literal(1),
  users: z
    .array(z.object({ name: z.string().min(1), hash: z.string().refine(isPasswordHash, 'not a password hash') }))
    .length(1),
});

export interface Administrator {
  readonly name: string;
  /** Made by hashPassword. */
  readonly hash: string;
  /** Only right after it was generated: to be shown once and then forgotten. */
  readonly generatedPassword?: string;
  /** What happened to the stored account. */
  readonly outcome: 'created' | 'changed' | 'kept';
}

export function generatePassword(): string {
  const group = (): string => Array.from({ length: GROUP_LENGTH }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');
  return Array.from({ length: GROUPS }, group).join('-');
}

function readStored(path: string): { name: string; hash: string } | undefined {
  if (!existsSync(path)) return undefined;
  try {
    const [user] = fileSchema.parse(JSON.parse(readFileSync(path, 'utf8'))).users;
    return user;
  } catch (error) {
    throw new InvalidInputError([
      {
        field: path,
        value: 'not readable as the list of users',
        rule: `it must be as the gateway wrote it (${errorText(error).split('\n')[0] ?? ''})`,
        cure: 'Restore it from a backup, or delete it and start with GATEWAY_PASSWORD set.',
      },
    ]);
  }
}

/**
 * The administrator of a data folder: as stored in `users.json`, brought in step with what the environment says, or
 * made at the first start.
 * @throws InvalidInputError if `users.json` was damaged
 */
export async function settleAdministrator(
  folder: string,
  wanted: { readonly user: string | undefined; readonly password: string | undefined },
  hash: (password: string) => Promise<string> = hashPassword,
): Promise<Administrator> {
  const path = join(folder, 'users.json');
  const stored = readStored(path);
  const save = (name: string, passwordHash: string): void =>
    writePrivateFile(path, `${JSON.stringify({ version: 1, users: [{ name, hash: passwordHash }] }, undefined, 2)}\n`);

  if (stored === undefined) {
    const name = wanted.user ?? DEFAULT_NAME;
    const password = wanted.password ?? generatePassword();
    const passwordHash = await hash(password);
    save(name, passwordHash);
    return {
      name,
      hash: passwordHash,
      outcome: 'created',
      ...(wanted.password === undefined ? { generatedPassword: password } : {}),
    };
  }
  chmodSync(path, PRIVATE_FILE);
  const name = wanted.user ?? stored.name;
  const samePassword = wanted.password === undefined || (await verifyPassword(wanted.password, stored.hash));
  if (samePassword && name === stored.name) return { ...stored, outcome: 'kept' };
  const passwordHash = samePassword || wanted.password === undefined ? stored.hash : await hash(wanted.password);
  save(name, passwordHash);
  return { name, hash: passwordHash, outcome: 'changed' };
}
