/** The life of the own certificate while a server runs: taken over, renewed, and told of when it ends. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { OPCUAServer } from 'node-opcua';
import { type Clock, errorText, InvalidInputError, type LogEntry, type Logger, type Timer } from '../../model';
import type { Library } from '../library';
import type { FixedSettings } from '../live-settings';
import { type CertificateSummary, summaryOfCertificate } from './certificate-summary';
import { isOwnWork, makeOwnCertificate } from './own-certificate';
import type { Pki } from './pki';

const DAY = 86_400_000;
/** How long before its end a certificate is renewed, or told of, ms. */
export const EXPIRATION_LIMIT = 30 * DAY;
const INTERVAL = 3_600_000;
/** Listeners come right after the start. */
const FIRST_CHECK = 1_000;

interface Deps {
  readonly library: Library;
  readonly server: OPCUAServer;
  readonly pki: Pki;
  readonly settings: FixedSettings;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface CertificateListeners {
  /** Told once a day while the certificate ends soon or has ended, and cannot be renewed. */
  readonly onExpires: (certificate: CertificateSummary) => void;
  /** Told after each look. */
  readonly onState: (certificate: X509Certificate, state: 'valid' | 'soon' | 'over') => void;
}

export class CertificateLife {
  readonly #deps: Deps;
  readonly #listeners: CertificateListeners;
  readonly #timers: Timer[] = [];
  /** Complaints, and when they were made (monotonic, ms). */
  readonly #complained = new Map<string, number>();
  #certificate: X509Certificate | undefined;
  #isClosed = false;

  constructor(deps: Deps, listeners: CertificateListeners) {
    this.#deps = deps;
    this.#listeners = listeners;
  }

  /** `undefined` while it cannot be read. */
  get summary(): CertificateSummary | undefined {
    return this.#certificate && summaryOfCertificate(this.#certificate, 'applications', 'own', this.#deps.clock.now());
  }

  /** Renews a certificate that is due, and looks each hour from then on. */
  async start(): Promise<void> {
    const { clock } = this.#deps;
    await this.#look();
    if (await this.#isDue()) await this.#tryRenewal();
    this.#tellState();
    const check = (): void => {
      void this.check();
    };
    this.#timers.push(clock.after(FIRST_CHECK, check), clock.every(INTERVAL, check));
  }

  /** Idempotent. */
  close(): void {
    this.#isClosed = true;
    for (const timer of this.#timers.splice(0)) timer.cancel();
  }

  /** Never rejects. */
  async check(): Promise<void> {
    await this.#look();
    if (await this.#isDue()) await this.#tryRenewal();
    if (this.#isClosed) return;
    this.#tellState();
    const { summary } = this;
    const { clock, pki } = this.#deps;
    if (summary === undefined || summary.validTo - clock.now() > EXPIRATION_LIMIT) return;
    const isOver = summary.validTo <= clock.now();
    const isNews = this.#complain('expires', {
      message: `the certificate of the OPC UA server ${isOver ? 'ended' : 'ends'} on ${new Date(summary.validTo).toISOString()}`,
      cure: `Get a new one where this one came from, and put it in place of ${pki.certificateFile}; it is taken over within the hour.`,
      file: pki.certificateFile,
    });
    if (isNews) this.#listeners.onExpires(summary);
  }

  /** Takes over what somebody put in place of the certificate, if the key fits. */
  async #look(): Promise<void> {
    const { library, server, pki } = this.#deps;
    try {
      const certificate = new X509Certificate(await readFile(pki.certificateFile));
      if (this.#certificate?.fingerprint256 === certificate.fingerprint256) return;
      if (!certificate.checkPrivateKey(createPrivateKey(await readFile(pki.server.privateKey))))
        throw new Error('it does not belong to the private key');
      if (this.#certificate !== undefined) library.invalidateServerCertificateCache(server);
      this.#certificate = certificate;
    } catch (error) {
      this.#complain('unusable', {
        message: `the certificate of the OPC UA server cannot be used: ${errorText(error)}`,
        cure: 'Put a certificate and its private key there, as PEM.',
        file: pki.certificateFile,
      });
    }
  }

  #tellState(): void {
    // A look that was under way finds no address space any more.
    if (this.#certificate === undefined || this.#isClosed) return;
    const left = Date.parse(this.#certificate.validTo) - this.#deps.clock.now();
    this.#listeners.onState(this.#certificate, left <= 0 ? 'over' : left <= EXPIRATION_LIMIT ? 'soon' : 'valid');
  }

  /** Only what the gateway made itself is renewed. */
  async #isDue(): Promise<boolean> {
    const { clock, pki } = this.#deps;
    const certificate = this.#certificate;
    return (
      certificate !== undefined &&
      Date.parse(certificate.validTo) - clock.now() <= EXPIRATION_LIMIT &&
      (await isOwnWork(pki.certificateFile, certificate))
    );
  }

  async #tryRenewal(): Promise<void> {
    try {
      await this.renew();
    } catch (error) {
      this.#complain('renewal', {
        message: `the certificate of the OPC UA server could not be renewed: ${errorText(error)}`,
        cure: 'See that the folder can be written to.',
        file: this.#deps.pki.certificateFile,
      });
    }
  }

  /** @returns whether it was said now: the same is said once a day */
  #complain(topic: string, entry: Pick<LogEntry, 'message' | 'cure' | 'file'>): boolean {
    const now = this.#deps.clock.monotonic();
    if (now - (this.#complained.get(topic) ?? -DAY) < DAY) return false;
    this.#complained.set(topic, now);
    this.#deps.logger.warn({ operation: 'certificate', event: 'diagnostic', reason: 'bad-certificate', ...entry });
    return true;
  }

  /**
   * Makes a new certificate of the same key. Sessions go on; clients that trusted the old certificate by itself must
   * trust the new one when they connect next.
   * @throws InvalidInputError if the certificate is the work of somebody else
   */
  async renew(): Promise<CertificateSummary> {
    const { library, server, pki, settings, clock, logger } = this.#deps;
    await this.#look();
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
    this.#tellState();
    logger.info({
      operation: 'certificate',
      event: 'created',
      message: `renewed the certificate of the OPC UA server, valid until ${certificate.validTo}; clients must trust it anew`,
      file: pki.certificateFile,
    });
    return summaryOfCertificate(certificate, 'applications', 'own', clock.now());
  }
}
