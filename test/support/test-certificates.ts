/** Certificates, authorities and revocation lists as tests need them: right ones, and wrong in one way each. */
import { randomBytes } from 'node:crypto';
import { x509 } from 'node-opcua-crypto';

const ALGORITHM = {
  name: 'RSASSA-PKCS1-v1_5',
  hash: 'SHA-256',
  publicExponent: new Uint8Array([1, 0, 1]),
  modulusLength: 2048,
} as const;
const DAY = 86_400_000;

export type Usage =
  | 'digitalSignature'
  | 'nonRepudiation'
  | 'keyEncipherment'
  | 'dataEncipherment'
  | 'keyCertSign'
  | 'cRLSign';
export const APPLICATION_USAGES: readonly Usage[] = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
];

export interface CertificateOptions {
  readonly name: string;
  /** Application URI. */
  readonly uri?: string;
  /** `undefined` leaves the extension out. */
  readonly usages?: readonly Usage[] | undefined;
  readonly extendedUsages?: readonly ('clientAuth' | 'serverAuth' | 'codeSigning')[] | undefined;
  readonly isAuthority?: boolean;
  readonly pathLength?: number;
  /** ms UTC; yesterday and in a year by default. */
  readonly from?: number;
  readonly to?: number;
  /** Leaves out what tells the issuer by its key, as old tools do. */
  readonly hidesIssuerKey?: boolean;
}

/** Making one takes a tenth of a second: tests share keys. */
export interface Key {
  readonly pair: CryptoKeyPair;
  /** PKCS #8, PEM. */
  readonly pem: string;
}

export async function makeKey(): Promise<Key> {
  const pair = await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const der = Buffer.from(await crypto.subtle.exportKey('pkcs8', pair.privateKey));
  return { pair, pem: pemOf(der, 'PRIVATE KEY') };
}

export function pemOf(der: Buffer, label = 'CERTIFICATE'): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

const EXTENDED = {
  clientAuth: '1.3.6.1.5.5.7.3.2',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  codeSigning: '1.3.6.1.5.5.7.3.3',
} as const;

export class Authority {
  readonly certificate: Buffer;
  readonly #name: string;
  readonly #key: Key;

  private constructor(name: string, key: Key, certificate: Buffer) {
    this.#name = name;
    this.#key = key;
    this.certificate = certificate;
  }

  /** One that has issued itself, or one below another. */
  static async create(key: Key, options: CertificateOptions, above?: Authority): Promise<Authority> {
    const whole: CertificateOptions = { isAuthority: true, usages: ['keyCertSign', 'cRLSign'], ...options };
    const certificate = await (above === undefined ? selfSigned(key, whole) : above.issue(key, whole));
    return new Authority(`CN=${options.name}`, key, certificate);
  }

  /** Passes a certificate off as an authority. */
  static pretend(key: Key, name: string, certificate: Buffer): Authority {
    return new Authority(`CN=${name}`, key, certificate);
  }

  issue(key: Key, options: CertificateOptions): Promise<Buffer> {
    return make(key, options, this.#name, this.#key);
  }

  /** @param nextUpdate ms UTC */
  async revocationList(
    revoked: readonly Buffer[],
    nextUpdate = Date.now() + 30 * DAY,
    key = this.#key,
  ): Promise<Buffer> {
    const list = await x509.X509CrlGenerator.create({
      issuer: this.#name,
      thisUpdate: new Date(Math.min(Date.now(), nextUpdate) - DAY),
      nextUpdate: new Date(nextUpdate),
      entries: revoked.map((der) => ({
        serialNumber: new x509.X509Certificate(new Uint8Array(der)).serialNumber,
        revocationDate: new Date(),
      })),
      signingAlgorithm: ALGORITHM,
      signingKey: key.pair.privateKey,
    });
    return Buffer.from(list.rawData);
  }
}

export function selfSigned(key: Key, options: CertificateOptions): Promise<Buffer> {
  return make(key, options, `CN=${options.name}`, key);
}

async function make(key: Key, options: CertificateOptions, issuer: string, signer: Key): Promise<Buffer> {
  const { name, uri, usages, extendedUsages, isAuthority = false, pathLength, from, to, hidesIssuerKey } = options;
  const extensions: x509.Extension[] = [
    new x509.BasicConstraintsExtension(isAuthority, pathLength, true),
    await x509.SubjectKeyIdentifierExtension.create(key.pair.publicKey),
  ];
  if (hidesIssuerKey !== true)
    extensions.push(await x509.AuthorityKeyIdentifierExtension.create(signer.pair.publicKey));
  if (usages !== undefined)
    extensions.push(
      new x509.KeyUsagesExtension(
        usages.reduce((flags, usage) => flags | x509.KeyUsageFlags[usage], 0),
        true,
      ),
    );
  if (extendedUsages !== undefined)
    extensions.push(new x509.ExtendedKeyUsageExtension(extendedUsages.map((usage) => EXTENDED[usage])));
  if (uri !== undefined) extensions.push(new x509.SubjectAlternativeNameExtension([{ type: 'url', value: uri }]));
  const certificate = await x509.X509CertificateGenerator.create({
    // Positive, and never with a zero in front.
    serialNumber: `4${randomBytes(8).toString('hex').slice(1)}`,
    subject: `CN=${name}`,
    issuer,
    notBefore: new Date(from ?? Date.now() - DAY),
    notAfter: new Date(to ?? Date.now() + 365 * DAY),
    publicKey: key.pair.publicKey,
    signingAlgorithm: ALGORITHM,
    signingKey: signer.pair.privateKey,
    extensions,
  });
  return Buffer.from(certificate.rawData);
}
