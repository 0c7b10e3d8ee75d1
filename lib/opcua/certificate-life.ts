/** The life of the own certificate while a server runs: seen, and renewed without a restart. */
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { OPCUAServer } from 'node-opcua';
import { type Clock, InvalidInputError, type Logger } from '../model';
import { type CertificateSummary, summaryOfCertificate } from './certificate-summary';
import type { Library } from './library';
import { isOwnWork, makeOwnCertificate } from './own-certificate';
import type { Pki } from './pki';
import type { ServerSettings } from './settings';

interface Deps {
  readonly library: Library;
  readonly server: OPCUAServer;
  readonly pki: Pki;
  readonly settings: ServerSettings;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class CertificateLife {
  readonly #deps: Deps;
  #certificate: X509Certificate | undefined;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** `undefined` while it cannot be read. */
  get summary(): CertificateSummary | undefined {
    return this.#certificate && summaryOfCertificate(this.#certificate, 'applications', 'own', this.#deps.clock.now());
  }

  /** Looks at the file, which somebody may have exchanged. */
  async look(): Promise<void> {
    const { pki } = this.#deps;
    try {
      this.#certificate = new X509Certificate(await readFile(pki.certificateFile));
    } catch {
      this.#certificate = undefined;
    }
  }

  /**
   * Makes a new certificate of the same key. Sessions go on; clients that trusted the old certificate by itself must
   * trust the new one when they connect next.
   * @throws InvalidInputError if the certificate is the work of somebody else
   */
  async renew(): Promise<CertificateSummary> {
    const { library, server, pki, settings, clock, logger } = this.#deps;
    await this.look();
    if (this.#certificate !== undefined && !(await isOwnWork(pki.certificateFile, this.#certificate)))
      throw new InvalidInputError([
        {
          field: 'certificate',
          value: this.#certificate.subject.replaceAll('\n', ', '),
          rule: 'the gateway renews only what it made itself',
          cure: `Get a new one where this one came from, and put it in place of ${pki.certificateFile}.`,
        },
      ]);
    const certificate = await makeOwnCertificate(library, pki.server, pki.certificateFile, settings, clock);
    this.#certificate = certificate;
    library.invalidateServerCertificateCache(server);
    logger.info({
      operation: 'certificate',
      event: 'created',
      message: `renewed the certificate of the OPC UA server, valid until ${certificate.validTo}; clients must trust it anew`,
      file: pki.certificateFile,
    });
    return summaryOfCertificate(certificate, 'applications', 'own', clock.now());
  }
}
