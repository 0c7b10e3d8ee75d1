/** Certificates in the stores of a server, and the acts of trust on them. They hold at once, without a restart. */
import { X509Certificate } from 'node:crypto';
import { readdir, readFile, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, display, InvalidInputError } from '../../model';
import type { CertificateLife } from './certificate-life';
import {
  CERTIFICATE_STORES,
  type CertificateStore,
  type CertificateSummary,
  summaryOfCertificate,
} from './certificate-summary';
import type { Pki } from './pki';

/** A certificate lost its trust: whoever came in with it must go. */
export type OnDistrusted = (store: CertificateStore, thumbprint: string) => void;

/** Anybody on the network can leave certificates here, so the oldest make room. */
const MOST_REJECTED = 200;
const CERTIFICATE_FILE = /\.(?:pem|der|crt|cer)$/i;

interface Found extends CertificateSummary {
  readonly file: string;
  readonly der: Buffer;
}

export class Certificates {
  readonly #pki: Pki;
  readonly #clock: Clock;
  readonly #life: CertificateLife;
  readonly #onDistrusted: OnDistrusted;
  /** One act after the other. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(pki: Pki, clock: Clock, life: CertificateLife, onDistrusted: OnDistrusted) {
    this.#pki = pki;
    this.#clock = clock;
    this.#life = life;
    this.#onDistrusted = onDistrusted;
  }

  /** The certificate of this server; `undefined` while its file cannot be read. */
  get own(): CertificateSummary | undefined {
    return this.#life.summary;
  }

  /**
   * Renews the certificate of this server, without a restart. Clients must trust the new one before they connect again.
   * @throws InvalidInputError if somebody else made the certificate
   */
  renew(): Promise<CertificateSummary> {
    return this.#inTurn(() => this.#life.renew());
  }

  /** All that are in the stores, those of this server first; files that are no certificates are left out. */
  async list(): Promise<readonly CertificateSummary[]> {
    const all = (await this.#all()).map(summaryOf);
    return [...all.filter(({ state }) => state === 'own'), ...all.filter(({ state }) => state !== 'own')];
  }

  /**
   * Lets in whoever holds the key of a rejected certificate.
   * @param store where it is; only needed if it is in both
   * @returns the certificate as it is now
   * @throws InvalidInputError if there is none, or if it is not one to be trusted by name
   */
  trust(thumbprint: string, store?: CertificateStore): Promise<CertificateSummary> {
    return this.#inTurn(async () => {
      const { found, copies } = await this.#find(thumbprint, store);
      if (found.state === 'own' || found.state === 'issuer') throw notFor(found, 'trusted');
      await this.#managerOf(found.store).trustCertificate(found.der);
      await unlinkAll(copies.filter(({ state }) => state === 'rejected'));
      return summaryOf({ ...found, state: 'trusted' });
    });
  }

  /**
   * Takes the trust back and ends what is connected by it.
   * @throws as {@link trust}
   */
  reject(thumbprint: string, store?: CertificateStore): Promise<CertificateSummary> {
    return this.#inTurn(async () => {
      const { found, copies } = await this.#find(thumbprint, store);
      if (found.state === 'own' || found.state === 'issuer') throw notFor(found, 'rejected');
      await this.#managerOf(found.store).rejectCertificate(found.der);
      await unlinkAll(copies.filter(({ state }) => state === 'trusted'));
      this.#onDistrusted(found.store, found.thumbprint);
      return summaryOf({ ...found, state: 'rejected' });
    });
  }

  /**
   * Deletes a certificate of somebody else; one that was trusted is no longer.
   * @returns what was deleted
   * @throws as {@link trust}
   */
  remove(thumbprint: string, store?: CertificateStore): Promise<CertificateSummary> {
    return this.#inTurn(async () => {
      const { found, copies } = await this.#find(thumbprint, store);
      if (found.state === 'own') throw notFor(found, 'removed');
      const manager = this.#managerOf(found.store);
      await manager.removeTrustedCertificate(found.thumbprint);
      await manager.removeIssuer(found.thumbprint);
      // What the library has not seen yet is deleted all the same.
      await unlinkAll(copies);
      this.#onDistrusted(found.store, found.thumbprint);
      return summaryOf(found);
    });
  }

  /** Deletes rejected certificates beyond the newest few hundred. */
  trimRejected(): Promise<void> {
    return this.#inTurn(async () => {
      for (const store of CERTIFICATE_STORES) {
        const folder = this.#managerOf(store).rejectedFolder;
        const names = await certificateFiles(folder);
        if (names.length <= MOST_REJECTED) continue;
        const dated = await Promise.all(
          names.map(async (name) => {
            const file = join(folder, name);
            return { file, time: (await stat(file).catch(() => undefined))?.mtimeMs ?? 0 };
          }),
        );
        dated.sort((a, b) => b.time - a.time);
        for (const { file } of dated.slice(MOST_REJECTED)) await unlink(file).catch(ignoreMissing);
      }
    });
  }

  async #all(): Promise<readonly Found[]> {
    const lists = await Promise.all(
      CERTIFICATE_STORES.flatMap((store) => {
        const manager = this.#managerOf(store);
        return [
          this.#read(store, 'own', manager.ownCertFolder),
          this.#read(store, 'trusted', manager.trustedFolder),
          this.#read(store, 'rejected', manager.rejectedFolder),
          this.#read(store, 'issuer', manager.issuersCertFolder),
        ];
      }),
    );
    return lists.flat();
  }

  async #read(store: CertificateStore, state: Found['state'], folder: string): Promise<Found[]> {
    const found: Found[] = [];
    for (const name of await certificateFiles(folder)) {
      const file = join(folder, name);
      try {
        const certificate = new X509Certificate(await readFile(file));
        found.push({
          ...summaryOfCertificate(certificate, store, state, this.#clock.now()),
          file,
          der: certificate.raw,
        });
      } catch {
        // Just moved, or no certificate.
      }
    }
    return found;
  }

  /** The certificate where it counts most, and all files of it in that store. */
  async #find(
    wanted: string,
    store: CertificateStore | undefined,
  ): Promise<{ readonly found: Found; readonly copies: readonly Found[] }> {
    const thumbprint = wanted.replaceAll(/[:\s]/g, '').toLowerCase();
    const found = (await this.#all()).filter(
      (candidate) => candidate.thumbprint === thumbprint && (store === undefined || candidate.store === store),
    );
    const [first] = found;
    if (first === undefined)
      throw new InvalidInputError([
        {
          field: 'thumbprint',
          value: display(wanted),
          rule: 'it is the SHA-1 thumbprint of a certificate that the server has',
          cure: 'Ask certificates.list; a client that is refused leaves its certificate among the rejected ones.',
        },
      ]);
    if (found.some((candidate) => candidate.store !== first.store))
      throw new InvalidInputError([
        {
          field: 'store',
          value: display(store),
          rule: 'a certificate that is in both stores is named with its store',
          cure: `Use one of ${CERTIFICATE_STORES.join(', ')}.`,
        },
      ]);
    const byState = (state: Found['state']): Found | undefined => found.find((candidate) => candidate.state === state);
    return { found: byState('own') ?? byState('trusted') ?? first, copies: found };
  }

  #managerOf(store: CertificateStore): Pki['server'] {
    return store === 'applications' ? this.#pki.server : this.#pki.user;
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(act);
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}

function summaryOf({ file: _file, der: _der, ...summary }: Found): CertificateSummary {
  return summary;
}

async function unlinkAll(copies: readonly Found[]): Promise<void> {
  for (const { file } of copies) await unlink(file).catch(ignoreMissing);
}

function notFor({ state, thumbprint }: Found, act: string): InvalidInputError {
  return new InvalidInputError([
    {
      field: 'thumbprint',
      value: display(thumbprint),
      rule: `${state === 'own' ? 'the certificate of this server' : 'the certificate of an authority'} is not ${act}`,
      cure:
        state === 'own'
          ? 'Choose the certificate of a client or a user; docs/security.md tells how the own one is replaced.'
          : 'Authorities complete chains; put one into trusted/certs to trust all that it issues.',
    },
  ]);
}

async function certificateFiles(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((): string[] => []);
  return names.filter((name) => CERTIFICATE_FILE.test(name)).sort();
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
}
