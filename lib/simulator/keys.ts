/** API keys: HS256 tokens without expiry, known by their id (api/auth/claims.rs); rights are looked up at each call. */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { unauthenticated } from './errors';

export interface ApiKey {
  /** UUID, `sub` of the token. */
  readonly id: string;
  readonly name: string;
  readonly isAdmin: boolean;
  readonly isReadOnly: boolean;
  /** Absent for a global administrator's key. */
  readonly tenantId?: string;
}

const base64url = (text: string): string => Buffer.from(text).toString('base64url');

function signature(secret: string, signed: string): Buffer {
  return createHmac('sha256', secret).update(signed).digest();
}

/** The token of a key. */
export function signToken(keyId: string, secret: string): string {
  const header = base64url(JSON.stringify({ typ: 'JWT', alg: 'HS256' }));
  const claims = base64url(JSON.stringify({ aud: 'chirpstack', iss: 'chirpstack', sub: keyId, typ: 'key' }));
  const signed = `${header}.${claims}`;
  return `${signed}.${signature(secret, signed).toString('base64url')}`;
}

const headerSchema = z.object({ alg: z.string() });
const claimsSchema = z.object({ aud: z.string(), iss: z.string().optional(), sub: z.string(), typ: z.string() });

function decodePart(part: string): unknown {
  if (!/^[A-Za-z0-9_-]*$/.test(part)) {
    const wrong = part.search(/[^A-Za-z0-9_-]/);
    throw unauthenticated(`Base64 error: Invalid symbol ${part.charCodeAt(wrong)}, offset ${wrong}.`);
  }
  try {
    return JSON.parse(Buffer.from(part, 'base64url').toString('utf8')) as unknown;
  } catch {
    throw unauthenticated('JSON error: expected value at line 1 column 1');
  }
}

/** The id of the key that a token was made for. @throws ServiceError UNAUTHENTICATED */
export function verifyToken(token: string, secret: string): string {
  const [header, claims, given, ...rest] = token.split('.');
  if (header === undefined || claims === undefined || given === undefined || rest.length > 0)
    throw unauthenticated('InvalidToken');
  const parsedHeader = headerSchema.safeParse(decodePart(header));
  if (!parsedHeader.success) throw unauthenticated('JSON error: missing field `alg` at line 1 column 2');
  if (parsedHeader.data.alg !== 'HS256') throw unauthenticated('InvalidAlgorithm');
  const expected = signature(secret, `${header}.${claims}`);
  const actual = Buffer.from(given, 'base64url');
  if (actual.length !== expected.length || !timingSafeEqual(actual, expected))
    throw unauthenticated('InvalidSignature');
  const parsed = claimsSchema.safeParse(decodePart(claims));
  if (!parsed.success) throw unauthenticated('JSON error: missing field `sub` at line 1 column 2');
  if (parsed.data.aud !== 'chirpstack') throw unauthenticated('InvalidAudience');
  if (parsed.data.typ !== 'key') throw unauthenticated(`invalid token typ: ${parsed.data.typ}`);
  return parsed.data.sub;
}

/** The key id in the value of the metadata `authorization`. @throws ServiceError UNAUTHENTICATED */
export function authenticate(authorization: string, secret: string): string {
  const [scheme, token, ...rest] = authorization.split(' ');
  if (scheme !== 'Bearer' || token === undefined || rest.length > 0)
    throw unauthenticated("authorization metadata must be in format 'Bearer <TOKEN>");
  return verifyToken(token, secret);
}
