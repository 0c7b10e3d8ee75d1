import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import {
  compareInventories,
  type Device,
  type DeviceProfile,
  EMPTY_INVENTORY,
  type Inventory,
  isUnchanged,
  parseApplicationId,
  parseDevEui,
  parseDeviceProfileId,
  parseSourceId,
  parseTenantId,
  referenceTo,
} from '../../../lib/model';

const source = parseSourceId('c');
const applicationId = parseApplicationId('00000000-0000-0000-0000-00000000000a');
const profileId = parseDeviceProfileId('00000000-0000-0000-0000-00000000000b');

const device = (n: number, part: Partial<Device> = {}): Device => ({
  devEui: parseDevEui(n.toString(16).padStart(16, '0')),
  name: `Sensor ${n}`,
  description: '',
  applicationId,
  profileId,
  tags: { a: '1', b: '2' },
  isDisabled: false,
  deviceClass: 'C',
  ...part,
});
const profile: DeviceProfile = { id: profileId, name: 'Probe', uplinkInterval: 60, measurements: {}, tags: {} };
const inventory = (devices: readonly Device[], profiles: readonly DeviceProfile[] = [profile]): Inventory => ({
  applications: new Map([
    [
      applicationId,
      {
        id: applicationId,
        tenantId: parseTenantId('00000000-0000-0000-0000-00000000000c'),
        name: 'Farm',
        description: '',
      },
    ],
  ]),
  profiles: new Map(profiles.map((one) => [one.id, one])),
  devices: new Map(devices.map((one) => [one.devEui, one])),
  gateways: new Map(),
});

describe('comparing inventories', () => {
  test('a difference applied to the picture before gives the picture after', () => {
    const arbitrary = fc
      .uniqueArray(fc.record({ n: fc.integer({ min: 0, max: 12 }), name: fc.constantFrom('x', 'y') }), {
        selector: ({ n }) => n,
      })
      .map((rows) => inventory(rows.map(({ n, name }) => device(n, { name }))));
    fc.assert(
      fc.property(arbitrary, arbitrary, (before, after) => {
        const { devices } = compareInventories(source, before, after);
        const applied = new Map(before.devices);
        for (const devEui of devices.removed) assert.ok(applied.delete(devEui));
        for (const added of devices.added) {
          assert.ok(!applied.has(added.devEui));
          applied.set(added.devEui, added);
        }
        for (const changed of devices.changed) {
          assert.notDeepEqual(applied.get(changed.devEui), changed);
          applied.set(changed.devEui, changed);
        }
        const sorted = (map: ReadonlyMap<string, Device>): [string, Device][] =>
          [...map].sort(([a], [b]) => (a < b ? -1 : 1));
        assert.deepEqual(sorted(applied), sorted(after.devices));
      }),
    );
  });

  test('order of properties and the time of the last uplink are no change', () => {
    const before = inventory([device(1, { lastSeenAt: 1 })]);
    const after = inventory([device(1, { tags: { b: '2', a: '1' }, lastSeenAt: 2 })]);
    assert.ok(isUnchanged(compareInventories(source, before, after)));
    assert.ok(isUnchanged(compareInventories(source, before, before)));
  });

  test('applications, profiles and devices are told apart', () => {
    const change = compareInventories(source, EMPTY_INVENTORY, inventory([device(1)]));
    assert.deepEqual(
      [change.applications.added.length, change.profiles.added.length, change.devices.added.length],
      [1, 1, 1],
    );
    assert.ok(!isUnchanged(change));
    const profiles = [{ ...profile, measurements: { t: { name: 'T', kind: 'GAUGE' as const } } }];
    const renamed = compareInventories(source, inventory([]), inventory([], profiles));
    assert.deepEqual(renamed.profiles.changed, profiles);
  });
});

test('a reference says as much as the inventory knows', () => {
  const one = device(1);
  assert.deepEqual(referenceTo(one, inventory([one])), {
    devEui: one.devEui,
    name: 'Sensor 1',
    applicationId,
    applicationName: 'Farm',
    profileId,
    profileName: 'Probe',
    deviceClass: 'C',
    tags: { a: '1', b: '2' },
  });
  assert.equal(referenceTo(one, EMPTY_INVENTORY).applicationName, undefined);
});
