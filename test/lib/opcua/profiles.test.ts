/** An object type for each device profile, kept in step while clients look. */
import assert from 'node:assert/strict';
import { after, afterEach, beforeEach, test } from 'node:test';
import { AttributeIds } from 'node-opcua';
import type { DeviceProfile } from '../../../lib/model';
import { type LiveModel, liveModel } from './live-model-support';
import {
  devEuiOf,
  deviceOf,
  OTHER_PROFILE,
  PROFILE,
  readingOf,
  simpleSource,
  type TestSource,
  temporaryFolder,
  until,
} from './support';

const { folder, remove } = temporaryFolder();
after(remove);

const KEPT = 60_000;
const DEVICE = `ns=3;s=${devEuiOf(1)}`;
const TYPE = `ns=3;s=profile/${PROFILE}`;
const OTHER: DeviceProfile = {
  id: OTHER_PROFILE,
  name: 'Level',
  uplinkInterval: 600,
  measurements: { level: { name: 'Fill level', kind: 'GAUGE' } },
  tags: {},
};

let source: TestSource;
let model: LiveModel;

beforeEach(async () => {
  source = simpleSource();
  model = await liveModel(folder, source, { removedNodesKept: KEPT });
});
afterEach(async () => {
  await model.close();
  assert.equal(model.clock.pendingTimers, 0, 'no timer is left');
});

async function typeOf(node: string): Promise<string | undefined> {
  const references = await model.browse(node, 'HasTypeDefinition');
  assert.equal(references.length, 1, 'one type definition');
  return references[0]?.nodeId.toString();
}

async function declared(profile: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const { nodeId, browseName } of await model.browse(`ns=3;s=profile/${profile}/metric`)) {
    const { value } = await model.client.read(nodeId.toString(), AttributeIds.DataType);
    found[browseName.name ?? ''] = value.value.toString();
  }
  return found;
}

test('a profile is a subtype of all devices, named like the profile, with what its devices have shown', async () => {
  assert.equal(await typeOf(DEVICE), TYPE);
  const subtypes = await model.browse('ns=2;s=LoRaWANDeviceType', 'HasSubtype');
  assert.deepEqual(
    subtypes.map(({ displayName }) => displayName.text),
    ['TH-1'],
  );
  assert.deepEqual(await declared(PROFILE), { temperature: 'ns=0;i=11', door: 'ns=0;i=24' });
  const [rule] = await model.browse(`${TYPE}/metric/temperature`, 'HasModellingRule');
  assert.equal(rule?.browseName.name, 'Optional');
  const unit = (await model.client.read(`ns=3;s=profile/${PROFILE}/property/temperature/EngineeringUnits`)).value.value;
  assert.equal(unit.displayName.text, '°C');

  const changes = await model.watchModel();
  model.server.publish(readingOf(1, { door: true, extra: 1 }, model.clock.now()));
  await until(() => changes.includes(`${TYPE}/metric/door 16`) && changes.includes(`${TYPE}/metric/extra 17`));
  assert.deepEqual(await declared(PROFILE), {
    temperature: 'ns=0;i=11',
    door: 'ns=0;i=1',
    extra: 'ns=0;i=11',
  });
});

test('devices that disagree about a type leave it open', async () => {
  source.setDevice(deviceOf(2));
  source.define(2, 'temperature', 'String');
  await model.changed();
  assert.equal((await declared(PROFILE))['temperature'], 'ns=0;i=24');
  const unit = await model.value(`profile/${PROFILE}/property/temperature/EngineeringUnits`);
  assert.equal(unit, 'BadNodeIdUnknown', 'a unit of something that may be a text');
});

test('profiles come, are renamed, and go when no device is left', async () => {
  const changes = await model.watchModel();
  source.profiles.set(OTHER_PROFILE, OTHER);
  await model.changed();
  await until(() => changes.includes(`ns=3;s=profile/${OTHER_PROFILE} 1`));
  assert.deepEqual(await declared(OTHER_PROFILE), { level: 'ns=0;i=24' });

  source.profiles.set(OTHER_PROFILE, {
    ...OTHER,
    name: 'Level radar',
    measurements: { level: { name: 'Level', kind: 'GAUGE' }, echo: { name: '', kind: 'GAUGE' } },
  });
  await model.changed();
  const subtypes = await model.browse('ns=2;s=LoRaWANDeviceType', 'HasSubtype');
  assert.deepEqual(
    subtypes.map(({ displayName }) => displayName.text),
    ['TH-1', 'Level radar'],
  );
  const names = await model.browse(`ns=3;s=profile/${OTHER_PROFILE}/metric`);
  assert.deepEqual(
    names.map(({ displayName }) => displayName.text),
    ['Level', 'echo'],
  );

  source.profiles.delete(OTHER_PROFILE);
  await model.changed();
  await until(() => changes.includes(`ns=3;s=profile/${OTHER_PROFILE} 2`));
  assert.equal((await model.browse('ns=2;s=LoRaWANDeviceType', 'HasSubtype')).length, 1);

  source.profiles.delete(PROFILE);
  source.devices.delete(devEuiOf(1));
  source.setDevice(deviceOf(2));
  await model.changed();
  assert.equal(await typeOf(DEVICE), TYPE, 'a removed device is what it was');
  assert.equal(await typeOf(`ns=3;s=${devEuiOf(2)}`), 'ns=2;s=LoRaWANDeviceType');
  await model.clock.advance(KEPT);
  await model.server.settled();
  assert.deepEqual(await model.browse('ns=2;s=LoRaWANDeviceType', 'HasSubtype'), []);
});

test('a device that gets another profile is of another type, and its values go on', async () => {
  source.profiles.set(OTHER_PROFILE, OTHER);
  await model.changed();
  model.server.publish(readingOf(1, { temperature: 20 }, model.clock.now()));
  const changes = await model.watchModel();
  source.setDevice(deviceOf(1, { profileId: OTHER_PROFILE }));
  await model.changed();
  await until(() => changes.includes(`${DEVICE} 12`));
  assert.equal(await typeOf(DEVICE), `ns=3;s=profile/${OTHER_PROFILE}`);
  assert.deepEqual(await declared(OTHER_PROFILE), {
    level: 'ns=0;i=24',
    temperature: 'ns=0;i=11',
    door: 'ns=0;i=24',
  });
  assert.equal(await model.value(`${devEuiOf(1)}/metric/temperature`), 20);
  assert.equal(await model.value(`${devEuiOf(1)}/identification/profile`), 'Level');
});
