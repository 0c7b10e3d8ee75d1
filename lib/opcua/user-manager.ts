/** Lets node-opcua ask our authenticator, our users and their roles. */
import type {
  NodeId,
  OPCUAServer,
  OPCUAServerOptions,
  ServerSession,
  UAUserManagerBase,
  UserIdentityToken,
} from 'node-opcua';
import type { LoginResult } from '../model';
import type { Authenticator } from './authentication';
import { guardedServerClass, type ServerGuards } from './guarded-server';
import type { Identities } from './identities';
import type { Library } from './library';

export type LoginRefusal = Exclude<LoginResult, 'accepted'> | 'untrusted-certificate';
export type OnLoginRefused = (session: ServerSession, user: string, reason: LoginRefusal) => void;

export function createUserManager(
  library: Library,
  authenticator: Authenticator,
  identities: Identities,
  onRefused: OnLoginRefused,
): UAUserManagerBase {
  class UserManager extends library.UAUserManagerBase {
    override async isValidUser(session: ServerSession, user: string, password: string): Promise<boolean> {
      const result = await authenticator.authenticate(user, password, session.channel?.remoteAddress ?? '');
      if (result !== 'accepted') onRefused(session, user, result);
      return result === 'accepted';
    }
    override getUserRoles(user: string): NodeId[] {
      return identities.rolesOfUser(user);
    }
  }
  return new UserManager();
}

/** A server that lets in a certificate only if it is trusted, valid, and its common name is that of a user. */
export function createServer(
  library: Library,
  options: OPCUAServerOptions,
  identities: Identities,
  onRefused: OnLoginRefused,
  guards: ServerGuards,
): OPCUAServer {
  const { StatusCodes } = library;
  class Server extends guardedServerClass(library, guards) {
    protected override isValidX509IdentityToken(
      ...[channel, session, policy, token, signature, callback]: Parameters<OPCUAServer['isValidX509IdentityToken']>
    ): void {
      super.isValidX509IdentityToken(channel, session, policy, token, signature, (error, status) => {
        const user = identities.nameOf(token);
        const valid = error === null && status?.equals(StatusCodes.Good) === true;
        if (valid && identities.isUser(user)) return callback(null, status);
        onRefused(session, user, 'untrusted-certificate');
        // The same answer whether it is the certificate or its name that is not known.
        callback(error, valid ? StatusCodes.BadIdentityTokenRejected : status);
      });
    }
  }
  return new Server(options);
}

/**
 * Gives a session a context that knows its roles. The library's own asks for them at each node of each request, reads
 * a certificate each time, and takes names of certificates by rules of its own.
 */
export function setSessionRoles(
  library: Library,
  server: OPCUAServer,
  session: ServerSession,
  identities: Identities,
): void {
  type Options = ConstructorParameters<typeof library.SessionContext>[0];
  class RoleContext extends library.SessionContext {
    #token: UserIdentityToken | undefined;
    #roles: NodeId[] = [];
    #name = '';
    #revision = -1;

    override getUserName(): string {
      this.#read();
      return this.#name;
    }
    override getCurrentUserRoles(): NodeId[] {
      this.#read();
      return this.#roles;
    }
    override withRequestHeader(
      requestHeader: Parameters<InstanceType<Library['SessionContext']>['withRequestHeader']>[0],
    ): RoleContext {
      return new RoleContext({ ...optionsOf(this), requestHeader });
    }
    /** A session may log in anew as somebody else, and a user may be given other roles. */
    #read(): void {
      const token = session.userIdentityToken;
      if (token === this.#token && identities.revision === this.#revision) return;
      this.#token = token;
      this.#revision = identities.revision;
      this.#roles = token === undefined ? [] : identities.rolesOf(token);
      this.#name = token === undefined ? '' : identities.nameOf(token);
    }
  }
  const optionsOf = ({ object }: Pick<RoleContext, 'object'>): NonNullable<Options> => ({
    session,
    server,
    ...(object === undefined ? {} : { object }),
  });
  // Not by plain assignment: the library declares a context without object differently in two places.
  Object.assign(session, { sessionContext: new RoleContext({ session, server }) });
}
