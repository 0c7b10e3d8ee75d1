/** What an API key may do (api/auth/validator.rs). A key that was deleted has no rights at all. */
import type { ApiKey } from './keys';
import type { World } from './world';

export type Permission = (key: ApiKey | undefined, world: World) => boolean;

const belongs = (key: ApiKey | undefined, tenantId: string | undefined): boolean =>
  key !== undefined && (key.isAdmin || (tenantId !== undefined && key.tenantId === tenantId));

const mayWrite = (key: ApiKey | undefined): boolean => key !== undefined && !key.isReadOnly;

export const anyKey: Permission = (key) => key !== undefined;

export const nobody: Permission = () => false;

export const administrator: Permission = (key) => key?.isAdmin === true;

export const tenant =
  (tenantId: string): Permission =>
  (key) =>
    belongs(key, tenantId);

export const application =
  (applicationId: string): Permission =>
  (key, world) =>
    belongs(key, world.applications.get(applicationId)?.tenantId);

export const profile =
  (profileId: string): Permission =>
  (key, world) =>
    belongs(key, world.profiles.get(profileId)?.tenantId);

function tenantOfDevice(devEui: string, world: World): string | undefined {
  const device = world.devices.get(devEui);
  return device === undefined ? undefined : world.tenantOf(device);
}

export const readDevice =
  (devEui: string): Permission =>
  (key, world) =>
    belongs(key, tenantOfDevice(devEui, world));

export const writeDevice =
  (devEui: string): Permission =>
  (key, world) =>
    mayWrite(key) && belongs(key, tenantOfDevice(devEui, world));

/**
 * Seen on a real server: a key that was deleted still lists the gateways of a tenant. The query ties only the
 * administrator's branch to the caller's key, so that any key of the tenant opens the other one.
 */
export const gatewaysOf =
  (tenantId: string): Permission =>
  (key, world) =>
    key?.isAdmin === true || [...world.keys.values()].some((other) => other.tenantId === tenantId);
