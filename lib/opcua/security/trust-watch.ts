/**
 * Ends what goes on by a certificate that has lost its trust: revoked by its authority, or taken out of the folder by
 * hand. The library judges a certificate when a channel is opened and not again.
 */
import type { OPCUAServer, StatusCode } from 'node-opcua';
import { type Clock, errorText, type Logger, type Unsubscribe } from '../../model';
import type { Library } from '../library';
import type { CertificateManager } from './certificate-manager';
import { type CertificateStore, thumbprintOfDer } from './certificate-summary';
import type { Pki } from './pki';

/** A list that is put into a folder is seen at once; where nobody is told of files (network drives), after so long, ms. */
const INTERVAL = 60_000;
const DAY = 86_400_000;

/**
 * What does not end a session: that a certificate has run out, or that nobody knows whether it was revoked. The
 * client cannot come back with it, but a plant that works is not cut off for it.
 */
const TOLERATED: ReadonlySet<string> = new Set([
  'Good',
  'BadCertificateTimeInvalid',
  'BadCertificateIssuerTimeInvalid',
  'BadCertificateRevocationUnknown',
  'BadCertificateIssuerRevocationUnknown',
]);

interface Deps {
  readonly library: Library;
  readonly server: OPCUAServer;
  readonly pki: Pki;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Ends sessions and channels. */
  readonly end: (store: CertificateStore, thumbprint: string) => void;
}

export class TrustWatch {
  readonly #deps: Deps;
  readonly #stops: Unsubscribe[] = [];
  /** Files that were complained of, and when (monotonic, ms). */
  readonly #complained = new Map<string, number>();
  #looking: Promise<void> = Promise.resolve();
  #isWaiting = false;

  constructor(deps: Deps) {
    this.#deps = deps;
    const { clock, pki } = deps;
    const timer = clock.every(INTERVAL, () => this.#soon());
    this.#stops.push(() => timer.cancel());
    const soon = (): void => this.#soon();
    for (const manager of [pki.server, pki.user])
      for (const event of ['crlAdded', 'certificateRemoved', 'certificateAdded'] as const) {
        manager.on(event, soon);
        this.#stops.push(() => manager.removeListener(event, soon));
      }
  }

  /** Resolves when all that is connected has been judged by what the folders hold now. */
  look(): Promise<void> {
    const turn = this.#looking.then(() => this.#look());
    this.#looking = turn.catch(() => undefined);
    return turn;
  }

  /** Idempotent. */
  close(): void {
    for (const stop of this.#stops.splice(0)) stop();
  }

  /** Many files may come at once; one look sees them all. */
  #soon(): void {
    if (this.#isWaiting || this.#stops.length === 0) return;
    this.#isWaiting = true;
    void this.#looking
      .then(() => {
        this.#isWaiting = false;
        return this.look();
      })
      .catch((error: unknown) =>
        this.#deps.logger.warn({
          operation: 'certificate',
          event: 'failed',
          reason: 'internal',
          message: `certificates of clients could not be judged anew: ${errorText(error)}`,
        }),
      );
  }

  async #look(): Promise<void> {
    if (this.#stops.length === 0) return;
    const { library, server, pki } = this.#deps;
    const programs = server.endpoints
      .flatMap((endpoint) => endpoint.getChannels())
      // Those being refused are told of elsewhere.
      .filter(({ isOpened }) => isOpened)
      .map(({ clientCertificate }) => clientCertificate);
    const people = server.engine
      .getSessions()
      .map(({ userIdentityToken }) =>
        userIdentityToken instanceof library.X509IdentityToken ? userIdentityToken.certificateData : undefined,
      );
    await this.#judge('applications', pki.server, programs);
    await this.#judge('users', pki.user, people);
    await this.#inspectLists();
  }

  async #judge(
    store: CertificateStore,
    manager: CertificateManager,
    certificates: readonly (Buffer | null | undefined)[],
  ): Promise<void> {
    const different = new Map<string, Buffer>();
    for (const certificate of certificates)
      if (certificate && certificate.length > 0) different.set(thumbprintOfDer(certificate), certificate);
    for (const [thumbprint, certificate] of different) {
      const status = await manager.judge(certificate);
      if (!TOLERATED.has(status.name)) this.#end(store, thumbprint, status);
    }
  }

  #end(store: CertificateStore, thumbprint: string, status: StatusCode): void {
    const { logger, end } = this.#deps;
    logger.warn({
      operation: 'certificate',
      event: 'closed',
      reason: 'untrusted-certificate',
      message: `ended what was open by a certificate (of ${store}) that is trusted no more: ${status.name}`,
      code: thumbprint,
    });
    end(store, thumbprint);
  }

  /** Once a day for each file. */
  async #inspectLists(): Promise<void> {
    const { clock, logger, pki } = this.#deps;
    for (const { revocationLists } of [pki.server, pki.user])
      for (const { file, kind, detail } of await revocationLists.faults(clock.now())) {
        const now = clock.monotonic();
        if (now - (this.#complained.get(file) ?? -DAY) < DAY) continue;
        this.#complained.set(file, now);
        logger.warn({
          operation: 'certificate',
          event: 'diagnostic',
          reason: 'bad-certificate',
          message:
            kind === 'outdated'
              ? `a certificate revocation list should have been replaced by ${detail}; it counts all the same`
              : `a file among the certificate revocation lists does not count: ${detail}`,
          file,
          cure:
            kind === 'outdated'
              ? 'Put the newest list of this authority there.'
              : 'Put a list in PEM or DER form there, or take the file away.',
        });
      }
  }
}
