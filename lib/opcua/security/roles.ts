/**
 * Who may do what, by the well-known roles of Part 3 §4.9. Rights are set once per namespace (DefaultRolePermissions,
 * Part 5 §6.3.13), not per node: a hundred thousand nodes cost nothing.
 */
import type { AddressSpace, NodeId, RolePermissionTypeOptions, UAMethod } from 'node-opcua';
import type { Role } from '../../model';
import { DI_NAMESPACE, GATEWAY_NAMESPACE, MODEL_NAMESPACE } from '../address-space/namespaces';
import type { Library } from '../library';

/** Every session has the rights of Anonymous, every one with a login also those of AuthenticatedUser. */
type Grantee = Role | 'Anonymous' | 'AuthenticatedUser';
type Rights = Readonly<Partial<Record<Grantee, string>>>;

const LOOK = 'Browse | Read | ReceiveEvents';
const OBSERVE = `${LOOK} | ReadHistory`;
const OPERATE = `${OBSERVE} | Write | Call`;

/**
 * What clients need of namespace 0 to find their way: browse, types, capabilities, methods for their own subscriptions.
 * Nodes to which the standard itself gives rights (ServerConfiguration, RoleSet, …) keep those.
 */
const STANDARD: Rights = { Anonymous: `${LOOK} | Call`, SecurityAdmin: `${LOOK} | Write | Call | ReadRolePermissions` };

/** Types are no secret to those who have logged in. */
const MODEL: Rights = { AuthenticatedUser: LOOK };

const INSTANCES: Rights = {
  Observer: OBSERVE,
  Operator: OPERATE,
  Engineer: OPERATE,
  SecurityAdmin: `${OBSERVE} | ReadRolePermissions`,
};

/** Who is connected from where, and what they look at. */
const DIAGNOSTICS: Rights = { Engineer: LOOK, SecurityAdmin: `${LOOK} | ReadRolePermissions` };

/**
 * SubscriptionDiagnosticsArray, SessionsDiagnosticsSummary, SessionDiagnosticsArray and SessionSecurityDiagnosticsArray
 * (Part 5 §6.3.3); the objects of sessions lie in namespace 1.
 */
const DIAGNOSTICS_NODES = [2290, 3706, 3707, 3708] as const;

/**
 * Sets the rights on all namespaces. Anonymous, where it is let in at all, may look as an Observer may.
 */
export function grantRights(library: Library, addressSpace: AddressSpace, allowAnonymous: boolean): void {
  const grant = (uri: string, rights: Rights): void =>
    addressSpace.getNamespace(uri).setDefaultRolePermissions(permissions(library, rights));
  grant('http://opcfoundation.org/UA/', STANDARD);
  grant(addressSpace.getOwnNamespace().namespaceUri, DIAGNOSTICS);
  for (const uri of [MODEL_NAMESPACE, DI_NAMESPACE]) grant(uri, allowAnonymous ? { ...MODEL, Anonymous: LOOK } : MODEL);
  grant(GATEWAY_NAMESPACE, allowAnonymous ? { ...INSTANCES, Anonymous: OBSERVE } : INSTANCES);
  const diagnostics = permissions(library, DIAGNOSTICS);
  for (const id of DIAGNOSTICS_NODES) addressSpace.findNode(`i=${id}`)?.setRolePermissions(diagnostics);
}

/** Whoever may look at a method of an instance may call it, too: for those by which clients only ask. */
export function grantCall({ PermissionFlag }: Library, method: UAMethod): void {
  const rights = method.namespace.getDefaultRolePermissions() ?? [];
  method.setRolePermissions(
    rights.map(({ roleId, permissions: granted }) => ({ roleId, permissions: granted | PermissionFlag.Call })),
  );
}

function permissions(library: Library, rights: Rights): RolePermissionTypeOptions[] {
  return Object.entries(rights).map(([grantee, flags]) => ({
    roleId: library.resolveNodeId(`i=${library.WellKnownRoles[grantee as Grantee]}`),
    permissions: library.makePermissionFlag(flags),
  }));
}

/** Node ids of roles (Part 3 §4.9.2), of a user who has logged in. */
export function roleIds(library: Library, roles: readonly Role[]): NodeId[] {
  return library.makeRoles(['AuthenticatedUser', ...roles]);
}
