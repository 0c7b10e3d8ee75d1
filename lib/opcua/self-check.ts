/** Connects to every URL that clients are told, as they would, and says where that does not lead to this server. */
import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { EndpointDescription } from 'node-opcua';
import { type Clock, errorText, type Logger, type Timer } from '../model';
import { askForEndpoints, hostAndPort, ProbeError, type ProbeFailure } from './endpoint-probe';
import type { Library } from './library';

export interface Reachability {
  readonly url: string;
  /** Whether this server answers there, seen from its own machine. */
  readonly reachable: boolean;
  /** What is wrong, for people; also where the server answers and some clients will refuse it. */
  readonly reason?: string;
}

export interface SelfCheckOptions {
  readonly library: Library;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly urls: readonly string[];
  readonly applicationUri: string;
  /** Told when a URL has become unreachable. */
  readonly onUnreachable: (result: Reachability) => void;
}

/** ms until what failed is tried again: the network of a machine may come later than its programs. */
const FIRST_RETRY = 60_000;
const RETRY = 15 * 60_000;

const HINT =
  'Seen from this machine; behind NAT or in a container clients may reach it all the same. Try it from where they are, or set the advertised hosts to what they use.';

const FAILURES: Readonly<Record<ProbeFailure | 'other-server' | 'certificate', { reason: string; cure: string }>> = {
  'name-unknown': {
    reason: 'the name of the host is not known',
    cure: 'Enter it in the DNS, or set the advertised hosts to a name or address that clients know.',
  },
  refused: { reason: 'nothing listens on that port', cure: HINT },
  'no-answer': { reason: 'nobody answers there', cure: HINT },
  'not-opc-ua': { reason: 'what answers there is no OPC UA server', cure: HINT },
  'other-server': {
    reason: 'another OPC UA server answers there',
    cure: 'Correct the advertised host or its port, or the forwarding to this machine.',
  },
  certificate: {
    reason: 'the certificate of the server does not name this host, so that clients which check it refuse the server',
    cure: 'Renew the certificate of the server; clients must trust the new one.',
  },
};

export class SelfCheck {
  readonly #options: SelfCheckOptions;
  #results: readonly Reachability[] = [];
  #timer: Timer | undefined;
  #isClosed = false;
  /** The check that is under way. */
  #running: Promise<void> = Promise.resolve();

  constructor(options: SelfCheckOptions) {
    this.#options = options;
  }

  /** Empty until the first check is over. */
  get results(): readonly Reachability[] {
    return this.#results;
  }

  /** Begins in the background. Never rejects. */
  start(): void {
    this.#running = this.#check(FIRST_RETRY);
  }

  /** Resolves when the check that is under way is over. */
  settled(): Promise<void> {
    return this.#running;
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  async #check(retry: number): Promise<void> {
    const before = new Map(this.#results.map((result) => [result.url, result.reason]));
    const results = await Promise.all(this.#options.urls.map((url) => this.#look(url)));
    if (this.#isClosed) return;
    this.#results = results.map(({ result }) => result);
    for (const { result, cure } of results) if (before.get(result.url) !== result.reason) this.#tell(result, cure);
    if (results.some(({ result }) => result.reason !== undefined))
      this.#timer = this.#options.clock.after(retry, () => {
        this.#running = this.#check(RETRY);
      });
  }

  async #look(url: string): Promise<{ result: Reachability; cure?: string }> {
    const { library, clock, applicationUri } = this.#options;
    try {
      const endpoints = await askForEndpoints(library, clock, url);
      const own = endpoints.filter(({ server }) => server.applicationUri === applicationUri);
      if (own.length === 0) return failed(url, 'other-server');
      return own.every((endpoint) => names(endpoint, hostAndPort(url).host))
        ? { result: { url, reachable: true } }
        : failed(url, 'certificate');
    } catch (error) {
      return failed(url, error instanceof ProbeError ? error.failure : 'no-answer', error);
    }
  }

  #tell(result: Reachability, cure: string | undefined): void {
    const { logger, onUnreachable } = this.#options;
    if (result.reason === undefined) {
      logger.info({
        operation: 'start',
        event: 'recovered',
        message: `OPC UA clients reach the server at ${result.url}`,
        address: result.url,
      });
      return;
    }
    logger.warn({
      operation: 'start',
      event: 'diagnostic',
      reason: 'unreachable',
      message: `OPC UA clients may not reach the server at ${result.url}: ${result.reason}`,
      address: result.url,
      ...(cure === undefined ? {} : { cure }),
    });
    onUnreachable(result);
  }
}

function failed(url: string, failure: keyof typeof FAILURES, error?: unknown): { result: Reachability; cure: string } {
  const { reason, cure } = FAILURES[failure];
  const cause = error instanceof Error && error.cause !== undefined ? ` (${errorText(error.cause)})` : '';
  return { result: { url, reachable: failure === 'certificate', reason: `${reason}${cause}` }, cure };
}

/** Whether the certificate of an endpoint names a host; one without security has none that matters. */
function names({ serverCertificate }: EndpointDescription, host: string): boolean {
  if (!serverCertificate || serverCertificate.length === 0) return true;
  const certificate = new X509Certificate(serverCertificate);
  return (isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host)) !== undefined;
}
