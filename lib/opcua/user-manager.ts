/** Lets node-opcua ask our authenticator. */
import type { NodeId, ServerSession, UAUserManagerBase } from 'node-opcua';
import type { AuthenticationResult, Authenticator } from './authentication';
import type { Library } from './library';

export type OnLoginRefused = (
  session: ServerSession,
  user: string,
  result: Exclude<AuthenticationResult, 'accepted'>,
) => void;

export function createUserManager(
  library: Library,
  authenticator: Authenticator,
  onRefused: OnLoginRefused,
): UAUserManagerBase {
  const roles = library.makeRoles('AuthenticatedUser;Observer');
  class UserManager extends library.UAUserManagerBase {
    override async isValidUser(session: ServerSession, user: string, password: string): Promise<boolean> {
      const result = await authenticator.authenticate(user, password, session.channel?.remoteAddress ?? '');
      if (result !== 'accepted') onRefused(session, user, result);
      return result === 'accepted';
    }
    override getUserRoles(): NodeId[] {
      return roles;
    }
  }
  return new UserManager();
}
