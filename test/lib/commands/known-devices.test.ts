import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { KnownDevices, parseQueueSettings } from '../../../lib/commands';
import {
  EMPTY_INVENTORY,
  InvalidInputError,
  type Inventory,
  parseApplicationId,
  parseDevEui,
  parseDeviceProfileId,
} from '../../../lib/model';

const devEui = parseDevEui('0102030405060708');
const applicationId = parseApplicationId('17c82e96-be03-4f38-aef3-f83d48582d97');
const profileId = parseDeviceProfileId('14855bf7-d10d-4aee-b618-ebfcb64dc7ad');

const listed: Inventory = {
  ...EMPTY_INVENTORY,
  profiles: new Map([[profileId, { id: profileId, name: 'Valve', uplinkInterval: 60, measurements: {}, tags: {} }]]),
  devices: new Map([
    [
      devEui,
      {
        devEui,
        name: 'Valve 1',
        description: '',
        applicationId,
        profileId,
        tags: {},
        isDisabled: true,
        deviceClass: 'C' as const,
        lastSeenAt: 1_000,
      },
    ],
  ]),
};

describe('devices that commands go to', () => {
  test('are those of the list, heard of at once', () => {
    const devices = new KnownDevices(() => listed, true);
    const known = { devEui, profileId, deviceClass: 'C', isDisabled: true, uplinkInterval: 60_000 };
    assert.deepEqual(devices.find(devEui), { ...known, lastSeenAt: 1_000 });
    devices.heard({ devEui }, { origin: 'event', time: 5_000 });
    devices.heard({ devEui }, { origin: 'replay', time: 3_000 });
    devices.heard({ devEui }, { origin: 'flow', time: 9_000 });
    assert.deepEqual(devices.find(devEui), { ...known, lastSeenAt: 5_000 });
    assert.equal(devices.reference(devEui).name, 'Valve 1');
    assert.equal(devices.wants(devEui), false);
  });

  test('have a codec, or none, if ChirpStack said so of their profile', () => {
    for (const hasCodec of [true, false]) {
      const [profile] = listed.profiles.values();
      assert.ok(profile);
      const inventory = { ...listed, profiles: new Map([[profileId, { ...profile, hasCodec }]]) };
      assert.equal(new KnownDevices(() => inventory, true).find(devEui)?.hasCodec, hasCodec);
    }
    assert.equal(new KnownDevices(() => listed, true).find(devEui)?.hasCodec, undefined);
  });

  test('are not those that were only heard, where ChirpStack can be asked', () => {
    const devices = new KnownDevices(() => EMPTY_INVENTORY, true);
    devices.heard({ devEui, applicationId });
    assert.equal(devices.find(devEui), undefined);
    assert.equal(devices.wants(devEui), false);
  });

  test('are those that were heard, where nobody lists them', () => {
    const devices = new KnownDevices(() => EMPTY_INVENTORY, false);
    assert.equal(devices.find(devEui), undefined);
    assert.deepEqual(devices.reference(devEui), { devEui });
    assert.equal(devices.wants(devEui), true);
    devices.heard({ devEui, applicationId, profileId, deviceClass: 'C' }, { origin: 'event', time: 5_000 });
    // What one message does not say the one before it did.
    devices.heard({ devEui });
    assert.deepEqual(devices.find(devEui), {
      devEui,
      profileId,
      deviceClass: 'C',
      isDisabled: false,
      lastSeenAt: 5_000,
    });
    assert.equal(devices.reference(devEui).applicationId, applicationId);
  });
});

describe('settings of the queue', () => {
  test('have defaults, and take definitions as JSON', () => {
    const settings = parseQueueSettings({ dispatch: '', definitions: '', maxPerDevice: '' });
    assert.deepEqual([settings.dispatch, settings.maxPerDevice, settings.definitions.all()], ['grpc', 100, []]);
    const definition = { devEui, preset: 'valve' };
    const { definitions, maxPerDevice, dispatch } = parseQueueSettings({
      dispatch: 'message',
      definitions: JSON.stringify([definition]),
      maxPerDevice: '5',
    });
    assert.deepEqual([dispatch, maxPerDevice, definitions.all()[0]?.name], ['message', 5, 'valve']);
  });

  test('are refused with all that is wrong', () => {
    for (const [given, fields] of [
      [{ dispatch: 'pigeon', maxPerDevice: '0', definitions: '[' }, ['dispatch', 'maxPerDevice', 'definitions']],
      [{ maxPerDevice: '1.5' }, ['maxPerDevice']],
      [{ maxPerDevice: '10001', definitions: [{ devEui, preset: 'door' }] }, ['maxPerDevice', 'definitions[0].preset']],
      [{ definitions: {} }, ['definitions']],
    ] as const)
      assert.throws(
        () => parseQueueSettings(given),
        (error) => {
          assert.ok(error instanceof InvalidInputError);
          assert.deepEqual(
            error.faults.map(({ field }) => field),
            fields,
          );
          return true;
        },
      );
  });
});
