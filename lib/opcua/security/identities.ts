/** From what a client logs in with to a user and the user's roles. */
import { X509Certificate } from 'node:crypto';
import type { NodeId, UserIdentityToken } from 'node-opcua';
import type { Library } from '../library';
import type { Accounts } from './accounts';
import { roleIds } from './roles';

export const ANONYMOUS_USER = 'anonymous';

/**
 * The common name of a certificate; `undefined` if there is none or more than one, or if it cannot be read.
 * @param chain DER, the certificate first
 */
export function commonNameOf(chain: Buffer): string | undefined {
  try {
    const { CN } = new X509Certificate(chain).toLegacyObject().subject;
    return typeof CN === 'string' && CN !== '' ? CN : undefined;
  } catch {
    return undefined;
  }
}

export class Identities {
  readonly #library: Library;
  readonly #accounts: Accounts;

  constructor(library: Library, accounts: Accounts) {
    this.#library = library;
    this.#accounts = accounts;
  }

  /** Name of the user that a token stands for: `anonymous` without login; empty where a certificate names nobody. */
  nameOf(token: UserIdentityToken | undefined): string {
    const { UserNameIdentityToken, X509IdentityToken } = this.#library;
    if (token instanceof UserNameIdentityToken) return token.userName ?? '';
    if (token instanceof X509IdentityToken) return commonNameOf(token.certificateData) ?? '';
    return ANONYMOUS_USER;
  }

  isUser(name: string): boolean {
    return this.#accounts.find(name) !== undefined;
  }

  /** Grows when anybody's roles may have changed. */
  get revision(): number {
    return this.#accounts.revision;
  }

  /** Roles of the user that a token stands for. */
  rolesOf(token: UserIdentityToken | undefined): NodeId[] {
    const { UserNameIdentityToken, X509IdentityToken } = this.#library;
    return token instanceof UserNameIdentityToken || token instanceof X509IdentityToken
      ? this.rolesOfUser(this.nameOf(token))
      : this.#library.makeRoles(['Anonymous']);
  }

  /** Whoever is no user has no role but that of having logged in. */
  rolesOfUser(name: string): NodeId[] {
    return roleIds(this.#library, this.#accounts.find(name)?.roles ?? []);
  }
}
