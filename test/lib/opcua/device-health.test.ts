/** DeviceHealth and LostFrames as a client sees them. */
import assert from 'node:assert/strict';
import { after, afterEach, beforeEach, test } from 'node:test';
import { AttributeIds } from 'node-opcua';
import { type DeviceEvent, parseEventId, type Quality } from '../../../lib/model';
import { type LiveModel, liveModel } from './live-model-support';
import { devEuiOf, deviceOf, readingOf, simpleSource, type TestSource, temporaryFolder } from './support';

const { folder, remove } = temporaryFolder();
after(remove);

const ID = devEuiOf(1);
let source: TestSource;
let model: LiveModel;
let T: number;

beforeEach(async () => {
  source = simpleSource();
  model = await liveModel(folder, source, { removedNodesKept: 60_000 });
  T = model.clock.now();
});
afterEach(() => model.close());

const health = async (): Promise<unknown[]> => [
  await model.value(`${ID}/health`),
  await model.value(`${ID}/status/healthReason`),
];
const judged = (quality: Quality): void =>
  model.server.publish(readingOf(1, {}, (T += 1_000), { origin: 'stale', quality: { temperature: quality } }));
const status = (batteryLevel: number, margin = 10): void => {
  const event: DeviceEvent = {
    device: { devEui: ID },
    replayed: false,
    eventId: parseEventId('e'),
    type: 'status',
    time: (T += 1_000),
    margin,
    externalPower: false,
    batteryLevel,
  };
  model.server.publishDeviceEvent(event);
};

test('the health of a device follows its values, its battery and what is done to it', async () => {
  assert.deepEqual(await health(), ['BadWaitingForInitialData', 'BadWaitingForInitialData']);
  const type = await model.client.read(`ns=3;s=${ID}/health`, AttributeIds.DataType);
  assert.match(type.value.value.toString(), /i=6244$/);
  model.server.publish(readingOf(1, { temperature: 20 }, T));
  assert.deepEqual(await health(), [0, '']);
  judged('UncertainLastUsableValue');
  assert.deepEqual(await health(), [3, 'The device is overdue: no value is fresh']);
  judged('BadNoCommunication');
  assert.equal((await health())[0], 1);
  model.server.publish(readingOf(1, { temperature: 20 }, (T += 1_000)));
  assert.equal((await health())[0], 0);
  judged('UncertainSensorNotAccurate');
  assert.equal((await health())[0], 3);
  model.server.publish(readingOf(1, { temperature: 21 }, (T += 1_000)));
  status(10);
  assert.deepEqual(await health(), [4, 'The battery is below 20 %']);
  status(100, 1);
  assert.equal((await health())[0], 4);
  status(100);
  assert.equal((await health())[0], 0);

  source.setDevice(deviceOf(1, { isDisabled: true }));
  await model.changed();
  assert.deepEqual(await health(), [2, 'The device is disabled in ChirpStack']);
  source.setDevice(deviceOf(2));
  source.devices.delete(ID);
  await model.changed();
  assert.equal((await health())[0], 'BadOutOfService');
  source.setDevice(deviceOf(1));
  await model.changed();
  assert.deepEqual(await health(), [0, '']);
});

test('of a device that was only ever disabled nothing is known when it is enabled', async () => {
  source.setDevice(deviceOf(1, { isDisabled: true }));
  await model.changed();
  assert.equal((await health())[0], 2);
  source.setDevice(deviceOf(1));
  await model.changed();
  assert.equal((await health())[0], 'BadWaitingForInitialData');
});

test('lost uplinks are counted, and taken off when they come late', async () => {
  const uplink = (fCnt: number, time: number, more = {}): void =>
    model.server.publish(readingOf(1, {}, time, { radio: { fCnt }, ...more }));
  const lost = (): Promise<unknown> => model.value(`${ID}/radio/lostFrames`);
  assert.equal(await lost(), 'BadWaitingForInitialData');
  uplink(5, T);
  assert.equal(await lost(), 0);
  uplink(9, T + 40_000);
  assert.equal(await lost(), 3);
  uplink(7, T + 20_000, { origin: 'replay' });
  assert.equal(await lost(), 2);
  assert.equal(await model.value(`${ID}/radio/fCnt`), 9);
  uplink(90, T + 41_000, { origin: 'flow' });
  assert.equal(await lost(), 2, 'a flow is no radio');
  model.server.publishDeviceEvent({
    device: { devEui: ID },
    replayed: false,
    eventId: parseEventId('j'),
    type: 'join',
    time: T + 50_000,
    devAddr: '01020304',
  });
  uplink(2, T + 60_000);
  assert.equal(await lost(), 2);
});
