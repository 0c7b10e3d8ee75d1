/** Passwords at rest: scrypt (RFC 7914) with a random salt, written as `scrypt$N$r$p$salt$hash` in base64url. */
import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto';

const FORMAT = /^scrypt\$(\d{2,8})\$(\d{1,3})\$(\d{1,3})\$([A-Za-z0-9_-]{16,})\$([A-Za-z0-9_-]{32,})$/;
const HASH_LENGTH = 32;

/** Costs of OWASP's recommendation for scrypt: 2^15, 8, 3 — some 100 ms and 32 MiB. */
const DEFAULT_COST = { N: 2 ** 15, r: 8, p: 3 } as const;

function derive(
  password: string,
  salt: Buffer,
  length: number,
  cost: { N: number; r: number; p: number },
): Promise<Buffer> {
  const options: ScryptOptions = { ...cost, maxmem: 256 * cost.N * cost.r };
  return new Promise((resolve, reject) => {
    // NFC, so that the same password typed on different keyboards and systems is the same bytes.
    scrypt(password.normalize('NFC'), salt, length, options, (error, key) => (error ? reject(error) : resolve(key)));
  });
}

/** Whether a text has the form that {@link hashPassword} makes. */
export function isPasswordHash(text: string): boolean {
  return FORMAT.test(text);
}

/** A new hash of a password. */
export async function hashPassword(
  password: string,
  cost: { N: number; r: number; p: number } = DEFAULT_COST,
): Promise<string> {
  const salt = randomBytes(16);
  const hash = await derive(password, salt, HASH_LENGTH, cost);
  return ['scrypt', cost.N, cost.r, cost.p, salt.toString('base64url'), hash.toString('base64url')].join('$');
}

/** Whether a password fits a hash. Takes the same time whether it does or not; `false` for a malformed hash. */
export async function verifyPassword(password: string, hash: string): Promise<boolean> {
  const match = FORMAT.exec(hash);
  if (match === null) return false;
  const [, N, r, p, salt = '', expected = ''] = match;
  const expectedBytes = Buffer.from(expected, 'base64url');
  try {
    const actual = await derive(password, Buffer.from(salt, 'base64url'), expectedBytes.length, {
      N: Number(N),
      r: Number(r),
      p: Number(p),
    });
    return timingSafeEqual(actual, expectedBytes);
  } catch {
    // Costs that scrypt refuses: somebody edited the hash.
    return false;
  }
}
