/** What clients do: sessions, failed logins, refused certificates — told as events and logged. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ServerSecureChannelLayer as Channel, OPCUAServer, StatusCode } from 'node-opcua';
import {
  type ClientAct,
  type Clock,
  Emitter,
  errorText,
  type LogEntry,
  type Logger,
  type Unsubscribe,
} from '../../model';
import type { Library } from '../library';
import type { RepeatedEntries } from '../repeated';
import { thumbprintOfDer } from './certificate-summary';
import type { Identities } from './identities';
import type { Pki } from './pki';
import type { LoginRefusal } from './user-manager';

export interface ClientEvent extends ClientAct {
  readonly type:
    | 'session-opened'
    | 'session-activated'
    | 'session-closed'
    | 'login-refused'
    | 'certificate-refused'
    | 'connection-refused'
    /** One of the URLs that clients are told does not lead here; `address` is the URL. */
    | 'endpoint-unreachable'
    | 'channel-failed'
    /** A client wrote an attribute, or tried to. */
    | 'written'
    /** A client called a method, or tried to. */
    | 'called'
    /** The certificate of the server itself ends soon, or has ended. */
    | 'certificate-expires';
  /** The file that a refused certificate lies in. */
  readonly file?: string;
}

export interface ConnectedClient {
  readonly session: string;
  readonly application: string;
  readonly address: string;
  readonly user: string;
  readonly security: string;
  /** ms UTC */
  readonly since: number;
}

type Session = ReturnType<OPCUAServer['engine']['getSessions']>[number];

interface Deps {
  readonly library: Library;
  readonly server: OPCUAServer;
  readonly pki: Pki;
  readonly identities: Identities;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly repeated: RepeatedEntries;
  /** Told of a certificate for which a channel was refused. */
  readonly onCertificateRefused?: (certificate: Buffer, status: StatusCode) => void;
}

const LOGIN_CURES: Readonly<Record<LoginRefusal, string>> = {
  'locked-out': 'Too many failed logins: wait some minutes, then log in with the right password.',
  'wrong-credentials': 'Check user name and password in the client.',
  'untrusted-certificate':
    'If you know this certificate, trust it among those of users, and give the server a user of its common name.',
};

const RENEW = (): string => 'Renew the certificate of the client, and see that the clocks of both are right.';
/** What helps where trusting the certificate does not, by the status code that refused it. */
const CERTIFICATE_CURES: Readonly<Record<string, (folder: string) => string>> = {
  BadCertificateTimeInvalid: RENEW,
  BadCertificateIssuerTimeInvalid: RENEW,
  BadCertificateUseNotAllowed: () =>
    'Give the client a certificate with the key usages digitalSignature, keyEncipherment and dataEncipherment and the extended key usage clientAuth.',
  BadCertificateIssuerUseNotAllowed: () => 'Its issuer is no authority: give the client another certificate.',
  BadCertificateRevoked: () => 'Its authority has taken the certificate back: give the client another one.',
  BadCertificateChainIncomplete: (folder) =>
    `Put the certificates of its authorities into ${join(folder, 'issuers', 'certs')}, and their revocation lists into ${join(folder, 'issuers', 'crl')}.`,
  BadCertificateRevocationUnknown: (folder) =>
    `Put the revocation list of its authority into ${join(folder, 'issuers', 'crl')}.`,
  BadCertificateIssuerRevocationUnknown: (folder) =>
    `Put the revocation lists of all its authorities into ${join(folder, 'issuers', 'crl')}.`,
};

export class ClientWatch {
  readonly #deps: Deps;
  readonly #events: Emitter<ClientEvent>;
  readonly #known = new WeakMap<Session, Omit<ConnectedClient, 'since'>>();

  constructor(deps: Deps, onSessions: (count: number) => void) {
    this.#deps = deps;
    const { server, logger } = deps;
    this.#events = new Emitter((error) =>
      logger.error({
        operation: 'session',
        event: 'failed',
        reason: 'internal',
        message: `a listener to client events threw: ${errorText(error)}`,
      }),
    );
    server.on('create_session', (session: Session) => {
      this.#session('session-opened', session);
      onSessions(server.currentSessionCount);
    });
    server.on('session_activated', (session: Session) => this.#session('session-activated', session));
    server.on('session_closed', (session: Session) => {
      this.#session('session-closed', session);
      onSessions(server.engine.currentSessionCount);
    });
    server.on(
      'openSecureChannelFailure',
      ({ remoteAddress = '', reason }: { remoteAddress?: string; reason: string }) =>
        this.#channelFailed(remoteAddress, reason),
    );
    server.on('newChannel', (channel: Channel) => this.#watchChannel(channel));
  }

  on(listener: (event: ClientEvent) => void): Unsubscribe {
    return this.#events.on(listener);
  }

  /** Sessions that are open now. */
  connected(): ConnectedClient[] {
    return this.#deps.server.engine.getSessions().map((session) => this.describe(session));
  }

  describe(session: Session): ConnectedClient {
    return { ...this.#facts(session), since: session.creationDate.getTime() };
  }

  /** What others see clients do, or what concerns them. */
  tell(event: ClientEvent): void {
    this.#events.emit(event);
  }

  /** A connection was closed before it came to a session; one event for many of them. It is logged where it is known. */
  connectionRefused(address: string, reason: string): void {
    this.#events.emit({ type: 'connection-refused', time: this.#deps.clock.now(), address, reason });
  }

  /** Logged where it is known. */
  endpointUnreachable(url: string, reason: string): void {
    this.#events.emit({ type: 'endpoint-unreachable', time: this.#deps.clock.now(), address: url, reason });
  }

  /** A password or certificate that was not accepted. */
  loginRefused(session: Session, user: string, result: LoginRefusal): void {
    const { address, application, session: name, security } = this.#facts(session);
    this.#refused(
      {
        type: 'login-refused',
        time: this.#deps.clock.now(),
        address,
        session: name,
        application,
        user,
        security,
        reason: result,
      },
      {
        reason: result,
        cure: LOGIN_CURES[result],
      },
    );
  }

  #facts(session: Session): Omit<ConnectedClient, 'since'> {
    const { library, identities } = this.#deps;
    const channel = session.channel;
    const known = this.#known.get(session);
    // A session that is closed has no channel any more.
    if (channel === undefined && known !== undefined) return known;
    const policy = channel?.securityPolicy.split('#')[1] ?? 'None';
    const facts = {
      session: session.sessionName,
      application: session.clientDescription?.applicationName.text ?? '',
      address: channel?.remoteAddress ?? '',
      user: identities.nameOf(session.userIdentityToken),
      security: policy === 'None' ? 'None' : `${policy}/${library.MessageSecurityMode[channel?.securityMode ?? 1]}`,
    };
    this.#known.set(session, facts);
    return facts;
  }

  #session(type: 'session-opened' | 'session-activated' | 'session-closed', session: Session): void {
    const facts = this.#facts(session);
    this.#events.emit({ type, time: this.#deps.clock.now(), ...facts });
    const entry: LogEntry = {
      operation: 'session',
      event: type === 'session-closed' ? 'closed' : type === 'session-opened' ? 'opened' : 'succeeded',
      message: `OPC UA ${type.replace('-', ' ')} (${facts.application || 'unnamed client'}, ${facts.security})`,
      session: facts.session,
      address: facts.address,
      ...(type === 'session-opened' ? {} : { user: facts.user }),
    };
    if (type === 'session-opened') this.#deps.logger.debug(entry);
    else this.#deps.logger.info(entry);
  }

  /** The library tells nobody that it refuses a certificate: it shows as a channel that ends before it is secured. */
  #watchChannel(channel: Channel): void {
    let secured = false;
    channel.once('open', () => {
      secured = true;
    });
    channel.once('abort', () => {
      if (secured) return;
      // Gone when the channel is disposed of.
      const { remoteAddress, clientCertificate } = channel;
      if (clientCertificate === null) this.#channelFailed(remoteAddress, 'it ended before it was secured');
      else
        this.#certificateFailed(remoteAddress, clientCertificate).catch((error: unknown) =>
          this.#channelFailed(remoteAddress, errorText(error)),
        );
    });
  }

  async #certificateFailed(address: string, certificate: Buffer): Promise<void> {
    const { library, pki, clock } = this.#deps;
    const time = clock.now();
    const status = await pki.server.judge(certificate);
    if (status.equals(library.StatusCodes.Good)) {
      this.#channelFailed(address, 'it ended before it was secured, though the certificate is trusted');
      return;
    }
    this.#deps.onCertificateRefused?.(certificate, status);
    const thumbprint = thumbprintOfDer(certificate);
    const { rejectedFolder, trustedFolder } = pki.server;
    const files = await readdir(rejectedFolder).catch((): string[] => []);
    const name = files.find((file) => file.toLowerCase().includes(thumbprint));
    const file = name === undefined ? rejectedFolder : join(rejectedFolder, name);
    this.#refused(
      { type: 'certificate-refused', time, address, reason: status.name, thumbprint, file },
      {
        reason: name === undefined ? 'bad-certificate' : 'untrusted-certificate',
        file,
        code: thumbprint,
        cure:
          CERTIFICATE_CURES[status.name]?.(pki.server.rootDir) ??
          `If you know this client, trust it among the certificates, or move the file to ${trustedFolder}; it may connect at once.`,
      },
    );
  }

  #channelFailed(address: string, reason: string): void {
    this.#refused({ type: 'channel-failed', time: this.#deps.clock.now(), address, reason }, { reason: 'bad-message' });
  }

  #refused(event: ClientEvent, more: Pick<LogEntry, 'reason' | 'cure' | 'file' | 'code'>): void {
    this.#events.emit(event);
    const { logger, repeated } = this.#deps;
    repeated.write(
      `${event.type} ${event.address} ${event.user ?? ''} ${event.thumbprint ?? ''} ${more.reason ?? ''}`,
      {
        operation:
          event.type === 'certificate-refused'
            ? 'certificate'
            : event.type === 'login-refused'
              ? 'authenticate'
              : 'session',
        event: 'refused',
        message: `OPC UA ${event.type.replace('-', ' ')}${event.type === 'login-refused' ? '' : `: ${event.reason ?? ''}`}`,
        address: event.address,
        ...(event.user === undefined ? {} : { user: event.user.slice(0, 64) }),
        ...more,
      },
      (entry) => (event.type === 'channel-failed' ? logger.debug(entry) : logger.warn(entry)),
    );
  }
}
