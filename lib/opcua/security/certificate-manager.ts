/** The library's certificate store, with rules that it lacks: uses of certificates, and revocation lists as they are now. */
import { X509Certificate } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { StatusCode } from 'node-opcua';
import type { Library } from '../library';
import { isForUse, mayIssue } from './certificate-rules';
import { type CertificateStore, thumbprintOfDer } from './certificate-summary';
import { readDer } from './der';
import { RevocationLists } from './revocation';

type LibraryManager = InstanceType<Library['OPCUACertificateManager']>;

export interface CertificateManager extends LibraryManager {
  /** What {@link LibraryManager.checkCertificate} would say, without moving the certificate to the rejected ones. */
  judge(chain: Buffer): Promise<StatusCode>;
  readonly revocationLists: RevocationLists;
}

interface Options {
  readonly folder: string;
  readonly store: CertificateStore;
  /** Takes every certificate that is good for its use and not revoked, without remembering that it did. */
  readonly acceptAll: boolean;
}

/** As the library names files. */
const NAMED_BY_THUMBPRINT = /\[[0-9a-f]{40}\]/i;
/** Authorities above a certificate, at most. */
const LONGEST_CHAIN = 5;

const TAKEN: ReadonlySet<string> = new Set(['Good']);
/** What is forgiven where everybody is let in. */
const MATTERS_OF_TRUST: ReadonlySet<string> = new Set([
  'BadCertificateUntrusted',
  'BadCertificateChainIncomplete',
  'BadCertificateRevocationUnknown',
  'BadCertificateIssuerRevocationUnknown',
]);

export function createCertificateManager(library: Library, { folder, store, acceptAll }: Options): CertificateManager {
  type Verify = LibraryManager['verifyCertificateAsync'];
  type Status = Awaited<ReturnType<Verify>>;
  type IsRevoked = LibraryManager['isCertificateRevoked'];

  class Manager extends library.OPCUACertificateManager {
    readonly revocationLists = new RevocationLists([join(folder, 'trusted', 'crl'), join(folder, 'issuers', 'crl')]);

    protected override async verifyCertificateAsync(...[given, options]: Parameters<Verify>): Promise<Status> {
      const chain = certificatesOf(given);
      const [certificate] = chain;
      if (certificate === undefined) return 'BadCertificateInvalid' as Status;
      const status = await super.verifyCertificateAsync(chain, options);
      const isTaken = TAKEN.has(status) || (acceptAll && MATTERS_OF_TRUST.has(status));
      if (!isTaken) return status;
      if (!isForUse(certificate, store)) return 'BadCertificateUseNotAllowed' as Status;
      // Also of one that names no authority to the library, and one that is trusted by itself.
      if ((await this.revocationLists.check(certificate, undefined)) === 'revoked')
        return 'BadCertificateRevoked' as Status;
      if (acceptAll) return 'Good' as Status;
      // To the library, a trusted authority counts for more than the word of whoever rejected the certificate.
      if (await this.#isRejected(certificate)) return 'BadCertificateUntrusted' as Status;
      return await this.#checkIssuers(chain);
    }

    override async isCertificateRevoked(...[given, known]: Parameters<IsRevoked>): Promise<Status> {
      const chain = certificatesOf(given);
      const [certificate] = chain;
      if (certificate === undefined) return 'BadCertificateInvalid' as Status;
      const issuer = known ?? (await this.#issuerOf(certificate, chain));
      if (issuer === undefined) return 'BadCertificateChainIncomplete' as Status;
      if (issuer.equals(certificate)) return 'Good' as Status;
      const revocation = await this.revocationLists.check(certificate, issuer);
      return (
        revocation === 'good'
          ? 'Good'
          : revocation === 'revoked'
            ? 'BadCertificateRevoked'
            : 'BadCertificateRevocationUnknown'
      ) as Status;
    }

    async judge(chain: Buffer): Promise<StatusCode> {
      return library.StatusCodes[await this.verifyCertificate(chain, { acceptCertificateWithValidIssuerChain: true })];
    }

    async #checkIssuers(chain: readonly Buffer[]): Promise<Status> {
      let [current] = chain;
      for (let below = 0; below < LONGEST_CHAIN && current !== undefined; below++) {
        const issuer: Buffer | undefined = await this.#issuerOf(current, chain);
        if (issuer?.equals(current)) break;
        if (issuer !== undefined && !mayIssue(issuer, below)) return 'BadCertificateIssuerUseNotAllowed' as Status;
        current = issuer;
      }
      return 'Good' as Status;
    }

    async #isRejected(certificate: Buffer): Promise<boolean> {
      const thumbprint = thumbprintOfDer(certificate);
      for (const name of await readdir(this.rejectedFolder).catch((): string[] => [])) {
        if (name.toLowerCase().includes(thumbprint)) return true;
        // The library names files by their thumbprints, people do as they like.
        if (NAMED_BY_THUMBPRINT.test(name)) continue;
        const content = await readFile(join(this.rejectedFolder, name)).catch(() => undefined);
        if (content !== undefined && thumbprintOfDer(content) === thumbprint) return true;
      }
      return false;
    }

    /** A certificate that has issued itself is its own issuer. */
    async #issuerOf(certificate: Buffer, chain: readonly Buffer[]): Promise<Buffer | undefined> {
      const known = await this.findIssuerCertificate(certificate);
      if (known !== null) return certificatesOf(known)[0];
      const parsed = new X509Certificate(certificate);
      return chain.find((candidate) => parsed.checkIssued(new X509Certificate(candidate)));
    }
  }
  return new Manager({ rootFolder: folder });
}

/** Single certificates, from one or from chains of them. */
function certificatesOf(given: Buffer | readonly Buffer[]): Buffer[] {
  const found: Buffer[] = [];
  for (const bytes of Buffer.isBuffer(given) ? [given] : given)
    for (let offset = 0; offset < bytes.length; ) {
      const { raw } = readDer(bytes, offset);
      found.push(raw);
      offset += raw.length;
    }
  return found;
}
