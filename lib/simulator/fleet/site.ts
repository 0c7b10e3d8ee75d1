/** The plant that a fleet is at: tenant, applications, gateways and profiles. */
import type { Random } from '../../model';
import { builtInCodec } from '../codec';
import type { SimulatorIdentity } from '../identity';
import { type Instant, instant } from '../instant';
import { randomUuid } from '../random';
import type { Profile, World } from '../world';
import type { DeviceKind } from './kind';
import { KINDS } from './kinds';

const DAY = 86_400_000;

export const AREAS = [
  'Boiler House',
  'Packaging Hall',
  'Cold Store',
  'Workshop',
  'Loading Dock',
  'Laboratory',
  'Pump Station',
  'Mill 2',
] as const;

const DESCRIPTIONS: Readonly<Record<string, string>> = {
  'Building services': 'Rooms and doors',
  Utilities: 'Electricity meters and valves',
  'Tank farm': 'Storage tanks',
  Logistics: 'Vehicles and load carriers',
};

const GATEWAYS = [
  { id: 'a84041ffff1f2a01', name: 'Gateway Silo Roof', latitude: 51.3402, longitude: 12.3718, altitude: 148 },
  { id: 'a84041ffff1f2a02', name: 'Gateway Gatehouse', latitude: 51.3386, longitude: 12.3752, altitude: 117 },
] as const;

/** Gateways that hear nothing: one broke down some days ago, the other was never switched on. */
const IDLE_GATEWAYS = [
  { id: 'a84041ffff1f2a03', name: 'Gateway Mill 2', silentFor: 3 * DAY },
  { id: 'a84041ffff1f2a04', name: 'Gateway Spare', silentFor: undefined },
] as const;

export interface Site {
  readonly createdAt: Instant;
  /** Those that hear devices. */
  readonly gatewayIds: readonly string[];
  readonly applicationOf: (kind: DeviceKind) => string;
  readonly profileOf: (kind: DeviceKind) => Profile;
}

/** Class C devices that do not acknowledge are given up after this, s. */
const CLASS_C_TIMEOUT = 10;

/** @param period ms between two uplinks @param now ms UTC */
export function buildSite(
  world: World,
  identity: SimulatorIdentity,
  random: Random,
  period: number,
  now: number,
): Site {
  const createdAt = instant(now - 30 * DAY);
  const stored = { createdAt, updatedAt: createdAt };
  const { tenantId } = identity;
  world.addTenant({ id: tenantId, name: 'Simulated plant', description: 'Made by the simulator', ...stored });
  world.addKey({ id: identity.adminKeyId, name: 'administrator', isAdmin: true, isReadOnly: false });
  world.addKey({ id: identity.tenantKeyId, name: 'gateway', isAdmin: false, isReadOnly: false, tenantId });
  world.addKey({ id: identity.readOnlyKeyId, name: 'viewer', isAdmin: false, isReadOnly: true, tenantId });
  for (const { id, name, latitude, longitude, altitude } of GATEWAYS)
    world.addGateway({
      tenantId,
      gatewayId: id,
      name,
      location: { latitude, longitude, altitude },
      lastSeenAt: instant(now),
      ...stored,
    });
  for (const { id, name, silentFor } of IDLE_GATEWAYS)
    world.addGateway({
      tenantId,
      gatewayId: id,
      name,
      ...(silentFor === undefined ? {} : { lastSeenAt: instant(now - silentFor) }),
      ...stored,
    });
  const applications = new Map<string, string>();
  const profiles = new Map<DeviceKind, Profile>();
  for (const kind of KINDS) {
    if (!applications.has(kind.application)) {
      const id = randomUuid(random);
      applications.set(kind.application, id);
      world.addApplication({
        id,
        tenantId,
        name: kind.application,
        description: DESCRIPTIONS[kind.application] ?? '',
        tags: { plant: 'leipzig' },
        ...stored,
      });
    }
    profiles.set(
      kind,
      world.addProfile({
        id: randomUuid(random),
        tenantId,
        name: kind.profileName,
        description: kind.profileDescription,
        script: kind.codec,
        codec: builtInCodec(kind.codec),
        uplinkInterval: Math.max(1, Math.round(period / 1_000)),
        deviceStatusReqInterval: 1,
        supportsOtaa: true,
        supportsClassC: kind.deviceClass === 'C',
        classCTimeout: kind.deviceClass === 'C' ? CLASS_C_TIMEOUT : 0,
        measurements: kind.measurements,
        tags: kind.profileTags,
        ...stored,
      }),
    );
  }
  const found = <Value>(value: Value | undefined): Value => {
    if (value === undefined) throw new Error('a kind that is not in KINDS');
    return value;
  };
  return {
    createdAt,
    gatewayIds: GATEWAYS.map(({ id }) => id),
    applicationOf: (kind) => found(applications.get(kind.application)),
    profileOf: (kind) => found(profiles.get(kind)),
  };
}
