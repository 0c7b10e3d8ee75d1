/** Sessions that are open, and ending them. */
import type { OPCUAServer } from 'node-opcua';
import { display, InvalidInputError } from '../../model';
import type { Library } from '../library';
import { type CertificateStore, thumbprintOfDer } from './certificate-summary';
import type { ClientWatch, ConnectedClient } from './client-events';

type Session = ReturnType<OPCUAServer['engine']['getSessions']>[number];

export interface SessionSummary extends ConnectedClient {
  /** GUID of the session, as in its node id. */
  readonly id: string;
  readonly subscriptions: number;
  readonly monitoredItems: number;
}

export class Sessions {
  readonly #library: Library;
  readonly #server: OPCUAServer;
  readonly #clients: ClientWatch;

  constructor(library: Library, server: OPCUAServer, clients: ClientWatch) {
    this.#library = library;
    this.#server = server;
    this.#clients = clients;
  }

  list(): readonly SessionSummary[] {
    return this.#server.engine.getSessions().map((session) => this.#summary(session));
  }

  /**
   * Ends a session with its subscriptions. The client may open another one: take its trust or its user for good.
   * @returns the session as it was
   * @throws InvalidInputError if there is none of this id
   */
  close(id: string): SessionSummary {
    const wanted = id.trim().toLowerCase();
    const session = this.#server.engine.getSessions().find((candidate) => idOf(candidate).toLowerCase() === wanted);
    if (session === undefined)
      throw new InvalidInputError([
        {
          field: 'id',
          value: display(id),
          rule: 'it is the id of a session that is open',
          cure: 'Ask sessions.list; the client may have gone already.',
        },
      ]);
    const summary = this.#summary(session);
    this.#end(session);
    return summary;
  }

  /** Ends what came in by a certificate that is not trusted any more: sessions, and channels of programs. */
  endThoseOf(store: CertificateStore, thumbprint: string): void {
    for (const session of this.#server.engine.getSessions()) {
      const { channel, userIdentityToken } = session;
      const certificate =
        store === 'applications'
          ? channel?.clientCertificate
          : userIdentityToken instanceof this.#library.X509IdentityToken
            ? userIdentityToken.certificateData
            : undefined;
      if (!certificate || thumbprintOfDer(certificate) !== thumbprint) continue;
      this.#end(session);
    }
    if (store === 'users') return;
    // Also channels without a session: one could be opened on them without another look at the certificate.
    for (const channel of this.#server.endpoints.flatMap((endpoint) => endpoint.getChannels()))
      if (channel.clientCertificate && thumbprintOfDer(channel.clientCertificate) === thumbprint) channel.close();
  }

  /** Ends the sessions of users, however they logged in. */
  endThoseOfUsers(names: ReadonlySet<string>): void {
    for (const session of this.#server.engine.getSessions()) {
      const { userIdentityToken } = session;
      const { UserNameIdentityToken, X509IdentityToken } = this.#library;
      const isLogin =
        userIdentityToken instanceof UserNameIdentityToken || userIdentityToken instanceof X509IdentityToken;
      if (isLogin && names.has(this.#clients.describe(session).user)) this.#end(session);
    }
  }

  #end(session: Session): void {
    this.#server.engine.closeSession(session.authenticationToken, true, 'Forcing');
  }

  #summary(session: Session): SessionSummary {
    return {
      id: idOf(session),
      ...this.#clients.describe(session),
      subscriptions: session.publishEngine.subscriptions.length,
      monitoredItems: monitoredItemsOf(session),
    };
  }
}

/** How many monitored items a session has in all of its subscriptions. */
export function monitoredItemsOf({ publishEngine }: Session): number {
  return publishEngine.subscriptions.reduce((sum, { monitoredItemCount }) => sum + monitoredItemCount, 0);
}

function idOf({ nodeId }: Session): string {
  return String(nodeId.value);
}
