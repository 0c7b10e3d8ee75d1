/** What ChirpStack knows of a site: applications, device profiles, devices. */
import type { ApplicationId, DevEui, DeviceProfileId, GatewayEui, SourceId, TenantId } from './identifiers';
import type { MeasurementKind } from './metric';
import type { DeviceClass, DeviceReference } from './reading';

export interface Application {
  readonly id: ApplicationId;
  readonly tenantId: TenantId;
  readonly name: string;
  readonly description: string;
}

export interface Measurement {
  /** As a person named it; empty if nobody did. */
  readonly name: string;
  readonly kind: MeasurementKind;
}

export interface DeviceProfile {
  readonly id: DeviceProfileId;
  readonly name: string;
  /** Expected time between two uplinks, s; 0 if not given. */
  readonly uplinkInterval: number;
  /** By metric key. */
  readonly measurements: Readonly<Record<string, Measurement>>;
  readonly tags: Readonly<Record<string, string>>;
  /** Whether ChirpStack makes bytes of an object; absent where that is not known. */
  readonly hasCodec?: boolean;
}

/** Answer of the device to DevStatusReq (TS001 §5.5). */
export interface DeviceStatus {
  /** dB, −32…31 */
  readonly margin: number;
  readonly externalPower: boolean;
  /** %, absent if the device cannot tell. */
  readonly batteryLevel?: number;
}

export interface Device {
  readonly devEui: DevEui;
  readonly name: string;
  readonly description: string;
  readonly applicationId: ApplicationId;
  readonly profileId: DeviceProfileId;
  readonly tags: Readonly<Record<string, string>>;
  readonly isDisabled: boolean;
  readonly deviceClass: DeviceClass;
  /** Server time of the last data uplink, ms UTC. */
  readonly lastSeenAt?: number;
  readonly status?: DeviceStatus;
}

export const GATEWAY_STATES = ['never-seen', 'online', 'offline'] as const;
/** As ChirpStack judges it by the gateway's statistics. */
export type GatewayState = (typeof GATEWAY_STATES)[number];

/** A LoRaWAN gateway: the radio that hears devices (not this program). */
export interface RadioGateway {
  readonly gatewayId: GatewayEui;
  readonly tenantId: TenantId;
  readonly name: string;
  readonly description: string;
  readonly state: GatewayState;
  /** When it last sent statistics, ms UTC. */
  readonly lastSeenAt?: number;
  /** WGS 84, degrees and m; absent where nobody gave a place. */
  readonly location?: { readonly latitude: number; readonly longitude: number; readonly altitude: number };
}

/** A complete picture of one source at one instant. */
export interface Inventory {
  readonly applications: ReadonlyMap<ApplicationId, Application>;
  readonly profiles: ReadonlyMap<DeviceProfileId, DeviceProfile>;
  readonly devices: ReadonlyMap<DevEui, Device>;
  /** Empty where the API key may not see them. */
  readonly gateways: ReadonlyMap<GatewayEui, RadioGateway>;
}

export const EMPTY_INVENTORY: Inventory = {
  applications: new Map(),
  profiles: new Map(),
  devices: new Map(),
  gateways: new Map(),
};

/** What differs between two pictures of a source. `changed` holds the new state. */
export interface InventoryChange {
  readonly source: SourceId;
  readonly inventory: Inventory;
  readonly applications: Difference<Application, ApplicationId>;
  readonly profiles: Difference<DeviceProfile, DeviceProfileId>;
  /** `lastSeenAt` alone is not a change: it moves with every uplink. */
  readonly devices: Difference<Device, DevEui>;
  /** As with devices, `lastSeenAt` alone is not a change. */
  readonly gateways: Difference<RadioGateway, GatewayEui>;
}

export interface Difference<Item, Id> {
  readonly added: readonly Item[];
  readonly changed: readonly Item[];
  readonly removed: readonly Id[];
}

function difference<Item, Id>(
  before: ReadonlyMap<Id, Item>,
  after: ReadonlyMap<Id, Item>,
  same: (a: Item, b: Item) => boolean,
): Difference<Item, Id> {
  const added: Item[] = [];
  const changed: Item[] = [];
  for (const [id, item] of after) {
    const old = before.get(id);
    if (old === undefined) added.push(item);
    else if (!same(old, item)) changed.push(item);
  }
  const removed = [...before.keys()].filter((id) => !after.has(id));
  return { added, changed, removed };
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

const sameContent = (a: unknown, b: unknown): boolean => a === b || canonical(a) === canonical(b);

/** When something was last seen moves all the time. */
function sameButSeen<Item extends { readonly lastSeenAt?: number }>(a: Item, b: Item): boolean {
  const { lastSeenAt: _seenA, ...restA } = a;
  const { lastSeenAt: _seenB, ...restB } = b;
  return sameContent(restA, restB);
}

/** Compares two pictures of one source. */
export function compareInventories(source: SourceId, before: Inventory, after: Inventory): InventoryChange {
  return {
    source,
    inventory: after,
    applications: difference(before.applications, after.applications, sameContent),
    profiles: difference(before.profiles, after.profiles, sameContent),
    devices: difference(before.devices, after.devices, sameButSeen),
    gateways: difference(before.gateways, after.gateways, sameButSeen),
  };
}

/** Whether a comparison found nothing. */
export function isUnchanged(change: InventoryChange): boolean {
  return [change.applications, change.profiles, change.devices, change.gateways].every(
    (part) => part.added.length + part.changed.length + part.removed.length === 0,
  );
}

/**
 * Gateways that sent statistics since the picture before, and that are otherwise the same. They do so all the time, so
 * that this is told apart from changes.
 */
export function gatewaysSeenSince(before: Inventory, after: Inventory): RadioGateway[] {
  return [...after.gateways.values()].filter((gateway) => {
    const old = before.gateways.get(gateway.gatewayId);
    return old !== undefined && old.lastSeenAt !== gateway.lastSeenAt && sameButSeen(old, gateway);
  });
}

/** The reference to a device that messages carry. */
export function referenceTo(device: Device, inventory: Inventory): DeviceReference {
  const application = inventory.applications.get(device.applicationId);
  const profile = inventory.profiles.get(device.profileId);
  return {
    devEui: device.devEui,
    name: device.name,
    applicationId: device.applicationId,
    ...(application ? { applicationName: application.name } : {}),
    profileId: device.profileId,
    ...(profile ? { profileName: profile.name } : {}),
    deviceClass: device.deviceClass,
    tags: device.tags,
  };
}
