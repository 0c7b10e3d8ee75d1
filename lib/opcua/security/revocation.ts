/**
 * Certificate revocation lists (RFC 5280 §5) in the folders of a certificate store. They are looked at whenever a
 * certificate is judged: the library reads a list once and does not notice that it was replaced, nor whether the
 * authority signed it.
 */
import { type KeyObject, verify, X509Certificate } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { certificateParts, DER_TAG, derItems, derTime, readDer } from './der';

/** `unknown`: the authority has not said, because there is no list of it. */
export type Revocation = 'good' | 'revoked' | 'unknown';

interface RevocationList {
  /** Name of the authority, DER. */
  readonly issuer: Buffer;
  readonly serialNumbers: ReadonlySet<string>;
  /** When the next one was due, ms UTC; NaN if it does not tell. */
  readonly nextUpdate: number;
  isSignedBy(key: KeyObject): boolean;
}

interface ListFile {
  readonly version: string;
  /** `undefined` for what is no list. */
  readonly list: RevocationList | undefined;
}

export interface ListFault {
  readonly file: string;
  readonly kind: 'unreadable' | 'outdated';
  readonly detail: string;
}

/** Hash functions of signature algorithms, by the DER content of their object identifier in hex. */
const HASHES: ReadonlyMap<string, string> = new Map([
  ['2a864886f70d010105', 'sha1'],
  ['2a864886f70d01010b', 'sha256'],
  ['2a864886f70d01010c', 'sha384'],
  ['2a864886f70d01010d', 'sha512'],
  ['2a8648ce3d040302', 'sha256'],
  ['2a8648ce3d040303', 'sha384'],
  ['2a8648ce3d040304', 'sha512'],
]);
const PEM = /-----BEGIN X509 CRL-----([\s\S]+?)-----END X509 CRL-----/;

export class RevocationLists {
  readonly #folders: readonly string[];
  #files: ReadonlyMap<string, ListFile> = new Map();

  constructor(folders: readonly string[]) {
    this.#folders = folders;
  }

  /**
   * Whether an authority has taken a certificate back. A list that is older than it promised counts all the same: a
   * plant must not stand still because nobody brought the next one; {@link faults} tells of it.
   * @param issuer the certificate of the authority; absent if it is not known, and then only `revoked` is sure
   */
  async check(certificate: Buffer, issuer: Buffer | undefined): Promise<Revocation> {
    const { serialNumber, issuer: name } = certificateParts(certificate);
    const lists = [...(await this.#read()).values()].flatMap(({ list }) => (list?.issuer.equals(name) ? [list] : []));
    // Whoever may write into this folder may refuse anybody, so signatures matter only for letting in.
    if (lists.some(({ serialNumbers }) => serialNumbers.has(serialNumber))) return 'revoked';
    if (issuer === undefined) return 'unknown';
    const { publicKey } = new X509Certificate(issuer);
    return lists.some((list) => list.isSignedBy(publicKey)) ? 'good' : 'unknown';
  }

  /** What is wrong with the files. */
  async faults(now: number): Promise<readonly ListFault[]> {
    const found: ListFault[] = [];
    for (const [file, { list }] of await this.#read())
      if (list === undefined) found.push({ file, kind: 'unreadable', detail: 'it is no certificate revocation list' });
      else if (list.nextUpdate < now)
        found.push({ file, kind: 'outdated', detail: new Date(list.nextUpdate).toISOString() });
    return found;
  }

  async #read(): Promise<ReadonlyMap<string, ListFile>> {
    const files = new Map<string, ListFile>();
    for (const folder of this.#folders)
      for (const name of await readdir(folder).catch((): string[] => [])) {
        const file = join(folder, name);
        try {
          const { mtimeMs, ctimeMs, size, ino } = await stat(file);
          const version = [mtimeMs, ctimeMs, size, ino].join(' ');
          const known = this.#files.get(file);
          files.set(file, known?.version === version ? known : { version, list: parse(await readFile(file)) });
        } catch {
          // Just moved.
        }
      }
    this.#files = files;
    return files;
  }
}

/** `undefined` for what is no list. */
function parse(bytes: Buffer): RevocationList | undefined {
  try {
    const pem = PEM.exec(bytes.toString('latin1'))?.[1];
    const [tbs, algorithm, signature] = derItems(readDer(pem === undefined ? bytes : Buffer.from(pem, 'base64')));
    if (tbs === undefined || algorithm === undefined || signature?.tag !== DER_TAG.bitString) return undefined;
    const fields = derItems(tbs);
    const [, issuer, , ...rest] = fields[0]?.tag === DER_TAG.integer ? fields.slice(1) : fields;
    if (issuer?.tag !== DER_TAG.sequence) return undefined;
    const revoked = rest.find(({ tag }) => tag === DER_TAG.sequence);
    const hash = HASHES.get(derItems(algorithm)[0]?.content.toString('hex') ?? '');
    return {
      issuer: issuer.raw,
      serialNumbers: new Set(
        (revoked === undefined ? [] : derItems(revoked)).map((entry) => readDer(entry.content).content.toString('hex')),
      ),
      nextUpdate: rest[0] === undefined ? Number.NaN : derTime(rest[0]),
      isSignedBy: (key) => hash !== undefined && isSignature(hash, tbs.raw, key, signature.content.subarray(1)),
    };
  } catch {
    return undefined;
  }
}

function isSignature(hash: string, signed: Buffer, key: KeyObject, signature: Buffer): boolean {
  try {
    return verify(hash, signed, key, signature);
  } catch {
    // A key of another kind than the signature.
    return false;
  }
}
