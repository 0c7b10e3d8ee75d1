/** The flow of a data folder: the reference flow at first, the user's own from then on. */
import { createCipheriv, createHash, randomBytes } from 'node:crypto';
import { copyFileSync, existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { writePrivateFile } from './data-folder';

/** The reference flow as it is shipped. */
export interface ShippedFlow {
  /** Absolute path of the flow, and of its credentials (which hold only `${NAME}` of the environment). */
  readonly flow: string;
  readonly credentials: string;
  /** Version of the package. */
  readonly version: string;
}

export interface UserFlow {
  /** Absolute path of the flow that runs. */
  readonly file: string;
  readonly outcome:
    | { readonly kind: 'created' }
    | { readonly kind: 'kept' }
    /** A new version of the reference flow lies beside the user's flow. */
    | { readonly kind: 'offered'; readonly file: string };
}

const noteSchema = z.object({ version: z.string(), sha256: z.string() });

function digest(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

function readNote(path: string): z.infer<typeof noteSchema> | undefined {
  try {
    return noteSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    // Without a readable note the flow that is shipped now counts as new: it is offered once more, nothing is lost.
    return undefined;
  }
}

/**
 * Writes credentials the way Node-RED keeps them (@node-red/runtime credentials.js: AES-256-CTR, key = SHA-256 of the
 * secret, `$` = IV in hex, then base64).
 */
export function writeCredentials(path: string, shipped: string, secret: string): void {
  const content: unknown = JSON.parse(readFileSync(shipped, 'utf8'));
  const iv = randomBytes(16);
  const cipher = createCipheriv('aes-256-ctr', createHash('sha256').update(secret).digest(), iv);
  const text = cipher.update(JSON.stringify(content), 'utf8', 'base64') + cipher.final('base64');
  writePrivateFile(path, `${JSON.stringify({ $: iv.toString('hex') + text })}\n`);
}

/**
 * Copies the reference flow into the data folder at the first start. From then on the copy is the user's and is never
 * touched: a later reference flow is put beside it under its version, once.
 * @param secret Node-RED's credentialSecret
 */
export function settleUserFlow(folder: string, shipped: ShippedFlow, secret: string): UserFlow {
  const file = join(folder, 'flows.json');
  const note = join(folder, 'reference-flow.json');
  const sha256 = digest(shipped.flow);
  const remember = (): void =>
    writePrivateFile(note, `${JSON.stringify({ version: shipped.version, sha256 }, undefined, 2)}\n`);

  if (!existsSync(file) || statSync(file).size === 0) {
    writePrivateFile(file, readFileSync(shipped.flow, 'utf8'));
    const credentials = join(folder, 'flows_cred.json');
    if (!existsSync(credentials)) writeCredentials(credentials, shipped.credentials, secret);
    remember();
    return { file, outcome: { kind: 'created' } };
  }
  if (readNote(note)?.sha256 === sha256) return { file, outcome: { kind: 'kept' } };
  remember();
  if (digest(file) === sha256) return { file, outcome: { kind: 'kept' } };
  const offered = join(folder, `gateway-${shipped.version}.json`);
  copyFileSync(shipped.flow, offered);
  return { file, outcome: { kind: 'offered', file: offered } };
}

/**
 * The reference flow itself, for appliances on which nobody may change it. Node-RED looks for credentials in its user
 * folder first.
 */
export function sealedFlow(folder: string, shipped: ShippedFlow, secret: string): string {
  writeCredentials(join(folder, 'gateway_cred.json'), shipped.credentials, secret);
  // Node-RED makes this list of additional packages itself, but not if it may write nothing; then it complains.
  const packages = join(folder, 'package.json');
  if (!existsSync(packages))
    writePrivateFile(packages, '{"name":"lorua-gateway-data","version":"0.0.1","private":true}\n');
  return shipped.flow;
}
