/** Lets node-opcua ask our authenticator, our users and their roles. */
import type {
  BaseNode,
  NodeId,
  OPCUAServer,
  OPCUAServerOptions,
  ServerSession,
  UAUserManagerBase,
  UserIdentityToken,
} from 'node-opcua';
import type { LoginResult } from '../../model';
import type { Library } from '../library';
import { guardedServerClass, type ServerGuards } from '../protection/guarded-server';
import type { Authenticator } from './authentication';
import type { Identities } from './identities';

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
 * Gives a session a context that knows its roles and rights. The library's own asks for them at each node of each
 * request: it reads a certificate each time, takes names of certificates by rules of its own, and looks through the
 * address space for the defaults of the namespace, which takes longer than to read a value.
 */
export function setSessionRoles(
  library: Library,
  server: OPCUAServer,
  session: ServerSession,
  identities: Identities,
): void {
  type Base = InstanceType<typeof library.SessionContext>;
  type Options = ConstructorParameters<typeof library.SessionContext>[0];
  /** What all contexts of the session share: each request has one. */
  let token: UserIdentityToken | undefined;
  let revision = -1;
  let roles: NodeId[] = [];
  let name = '';
  /** By namespace index, of nodes without rights of their own: what {@link grantRights} has set once. */
  const permissions = new Map<number, ReturnType<Base['getPermissions']>>();
  const restrictions = new Map<number, ReturnType<Base['getAccessRestrictions']>>();

  /** A session may log in anew as somebody else, and a user may be given other roles. */
  const look = (): void => {
    if (session.userIdentityToken === token && identities.revision === revision) return;
    token = session.userIdentityToken;
    revision = identities.revision;
    roles = token === undefined ? [] : identities.rolesOf(token);
    name = token === undefined ? '' : identities.nameOf(token);
    permissions.clear();
  };

  class RoleContext extends library.SessionContext {
    override getUserName(): string {
      look();
      return name;
    }
    override getCurrentUserRoles(): NodeId[] {
      look();
      return roles;
    }
    override getPermissions(node: BaseNode): ReturnType<Base['getPermissions']> {
      if (node.rolePermissions !== undefined) return super.getPermissions(node);
      look();
      const { namespace } = node.nodeId;
      const known = permissions.get(namespace) ?? super.getPermissions(node);
      permissions.set(namespace, known);
      return known;
    }
    override getAccessRestrictions(node: BaseNode): ReturnType<Base['getAccessRestrictions']> {
      if (node.accessRestrictions !== undefined) return node.accessRestrictions;
      const { namespace } = node.nodeId;
      const known = restrictions.get(namespace) ?? super.getAccessRestrictions(node);
      restrictions.set(namespace, known);
      return known;
    }
    override withRequestHeader(requestHeader: Parameters<Base['withRequestHeader']>[0]): RoleContext {
      return new RoleContext({ ...optionsOf(this), requestHeader });
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
