/** A folder of keys for servers whose doors are tried, and clients that try them. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { OPCUAClient, UserIdentityInfo } from 'node-opcua';
import { type CertificateOptions, type Key, pemOf } from '../../support/test-certificates';

export type StoreFolder = 'trusted/certs' | 'trusted/crl' | 'issuers/certs' | 'issuers/crl' | 'rejected';

/** Puts a certificate or a revocation list where a server will find it. */
export function put(pki: string, store: 'server' | 'user', folder: StoreFolder, name: string, der: Buffer): string {
  const path = join(pki, store, folder);
  mkdirSync(path, { recursive: true });
  const file = join(path, name);
  writeFileSync(file, name.endsWith('.pem') ? pemOf(der, folder.endsWith('crl') ? 'X509 CRL' : 'CERTIFICATE') : der);
  return file;
}

export const CLIENT_URI = 'urn:test:client';

/** All that an application certificate must have. */
export const APPLICATION: Omit<CertificateOptions, 'name'> = {
  uri: CLIENT_URI,
  usages: ['digitalSignature', 'nonRepudiation', 'keyEncipherment', 'dataEncipherment'],
  extendedUsages: ['clientAuth', 'serverAuth'],
};

export const PERSON: Omit<CertificateOptions, 'name'> = {
  usages: ['digitalSignature'],
  extendedUsages: ['clientAuth'],
};

export interface Door {
  readonly policy: 'None' | 'Basic256' | 'Basic256Sha256' | 'Aes128_Sha256_RsaOaep' | 'Aes256_Sha256_RsaPss';
  readonly mode: 'None' | 'Sign' | 'SignAndEncrypt';
}

export const SECURE_DOORS: readonly Door[] = (
  ['Basic256', 'Basic256Sha256', 'Aes128_Sha256_RsaOaep', 'Aes256_Sha256_RsaPss'] as const
).flatMap((policy) => (['Sign', 'SignAndEncrypt'] as const).map((mode) => ({ policy, mode })));

export const doorName = ({ policy, mode }: Door): string => (policy === 'None' ? 'None' : `${policy}/${mode}`);

/** Makes clients that share what is slow to make. */
export class Clients {
  readonly #folder: string;
  readonly #manager: import('node-opcua').OPCUACertificateManager;

  private constructor(folder: string, manager: import('node-opcua').OPCUACertificateManager) {
    this.#folder = folder;
    this.#manager = manager;
  }

  static async create(folder: string): Promise<Clients> {
    const { OPCUACertificateManager } = await import('node-opcua');
    const manager = new OPCUACertificateManager({
      rootFolder: join(folder, 'clients-pki'),
      automaticallyAcceptUnknownCertificate: true,
      disableFileWatchers: true,
    });
    await manager.initialize();
    return new Clients(folder, manager);
  }

  /** A client with a certificate (or a chain, that of the client first), not yet connected. */
  async make(door: Door, key: Key, certificates: readonly Buffer[]): Promise<OPCUAClient> {
    const opcua = await import('node-opcua');
    const name = opcua.getThumbprint(certificates[0] ?? Buffer.alloc(0))?.toString('hex') ?? 'none';
    const certificateFile = join(this.#folder, `${name}.pem`);
    const privateKeyFile = join(this.#folder, `${name}.key`);
    writeFileSync(certificateFile, certificates.map((der) => pemOf(der)).join(''));
    writeFileSync(privateKeyFile, key.pem);
    chmodSync(privateKeyFile, 0o600);
    return opcua.OPCUAClient.create({
      applicationName: 'Matrix',
      applicationUri: CLIENT_URI,
      endpointMustExist: false,
      securityPolicy: opcua.SecurityPolicy[door.policy],
      securityMode: opcua.MessageSecurityMode[door.mode],
      clientCertificateManager: this.#manager,
      certificateFile,
      privateKeyFile,
      connectionStrategy: { maxRetry: 0 },
      requestedSessionTimeout: 60_000,
      keepSessionAlive: false,
    });
  }

  async dispose(): Promise<void> {
    await this.#manager.dispose();
  }
}

/** Name of the status code that an attempt ended with, or `Good`. */
export async function outcome(attempt: () => Promise<unknown>): Promise<string> {
  try {
    await attempt();
    return 'Good';
  } catch (error) {
    return /\b(Bad[A-Za-z0-9]+)/.exec(error instanceof Error ? error.message : String(error))?.[1] ?? String(error);
  }
}

/** Logs in, reads what every user may read, and goes. */
export async function tryLogin(client: OPCUAClient, identity: UserIdentityInfo, node: string): Promise<string> {
  return outcome(async () => {
    const session = await client.createSession(identity);
    try {
      const { statusCode } = await session.read({ nodeId: node });
      if (!statusCode.isGood()) throw new Error(statusCode.name);
    } finally {
      await session.close();
    }
  });
}
