/** The mode for clients that judge the age of a value by its SourceTimestamp. */
import assert from 'node:assert/strict';
import { after, afterEach, test } from 'node:test';
import { DataChangeFilter, DataChangeTrigger, type DataValue, TimestampsToReturn } from 'node-opcua';
import type { SourceTime } from '../../../lib/opcua';
import { type Beating, Heartbeat, sourceTimeOf } from '../../../lib/opcua/address-space/heartbeat';
import { ManualClock } from '../../support/manual-clock';
import { ChangingSettings } from './changing-settings';
import { type LiveModel, liveModel } from './live-model-support';
import {
  devEuiOf,
  deviceOf,
  PROFILE,
  readingOf,
  simpleSource,
  subscribe,
  type TestSource,
  temporaryFolder,
  until,
} from './support';

const { folder, remove } = temporaryFolder();
after(remove);

const BEAT = 30_000;
let source: TestSource;
let model: LiveModel;
let isOpen = false;
let T: number;

async function begin(settings: Record<string, unknown> = {}): Promise<void> {
  model = await liveModel(folder, source, { heartbeatSeconds: BEAT / 1_000, ...settings });
  isOpen = true;
  T = model.clock.now();
}
afterEach(async () => {
  if (!isOpen) return;
  isOpen = false;
  await model.close();
  assert.equal(model.clock.pendingTimers, 0, 'no timer is left');
});

const TEMPERATURE = `ns=3;s=${devEuiOf(1)}/metric/temperature`;
const time = async (id = TEMPERATURE): Promise<number> =>
  ((await model.client.read(id)).sourceTimestamp?.getTime() ?? 0) - T;
const beat = async (count = 1): Promise<void> => {
  for (let done = 0; done < count; done++) {
    await model.clock.advance(BEAT);
    await model.server.settled();
  }
};

test('tags of the device come before those of its profile and before the setting', () => {
  const tags = (value: string): { tags: Record<string, string> } => ({ tags: { source_time: value } });
  assert.equal(sourceTimeOf(undefined, undefined), undefined);
  assert.equal(sourceTimeOf(tags('true'), tags('heartbeat')), 'true');
  assert.equal(sourceTimeOf(tags('nonsense'), tags(' heartbeat ')), 'heartbeat');
});

test('only devices in the mode cost anything', async () => {
  const clock = new ManualClock();
  const work: Iterator<void>[] = [];
  const settings = new ChangingSettings<{ heartbeatSeconds: number; sourceTime: SourceTime }>({
    heartbeatSeconds: BEAT / 1_000,
    sourceTime: 'true',
  });
  const heartbeat = new Heartbeat({ clock, settings, schedule: (item) => work.push(item) });
  const beats: string[] = [];
  const device: Beating = { beat: () => beats.push('beat'), endBeat: () => beats.push('end') };
  heartbeat.follow(device, undefined, undefined);
  assert.equal(clock.pendingTimers, 0);
  const tags = { tags: { source_time: 'heartbeat' } };
  heartbeat.follow(device, tags, undefined);
  heartbeat.follow(device, tags, undefined);
  assert.equal(clock.pendingTimers, 1);
  await clock.advance(3 * BEAT);
  assert.equal(work.length, 1, 'a beat that is not done yet is not begun again');
  while (work[0]?.next().done === false);
  assert.deepEqual(beats, ['beat']);
  heartbeat.follow(device, undefined, undefined);
  assert.deepEqual(beats, ['beat', 'end']);
  assert.equal(clock.pendingTimers, 0);
  heartbeat.follow(device, tags, undefined);
  heartbeat.delete(device);
  assert.equal(clock.pendingTimers, 0);
  heartbeat.follow(device, tags, undefined);
  heartbeat.close();
  assert.equal(clock.pendingTimers, 0);
  assert.equal(settings.listenerCount, 0);
});

test('other settings hold at once, for those of whom no tag says otherwise', async () => {
  const clock = new ManualClock();
  const settings = new ChangingSettings<{ heartbeatSeconds: number; sourceTime: SourceTime }>({
    heartbeatSeconds: 60,
    sourceTime: 'true',
  });
  const heartbeat = new Heartbeat({
    clock,
    settings,
    schedule: (work) => {
      while (work.next().done === false);
    },
  });
  const beats: string[] = [];
  const follow = (name: string, said?: string): void =>
    heartbeat.follow(
      { beat: () => beats.push(name), endBeat: () => beats.push(`end of ${name}`) },
      said === undefined ? undefined : { tags: { source_time: said } },
      undefined,
    );
  follow('silent');
  follow('true', 'true');
  follow('beating', 'heartbeat');
  const during = async (seconds: number): Promise<string[]> => {
    await clock.advance(seconds * 1_000);
    return beats.splice(0);
  };
  assert.deepEqual(await during(60), ['beating']);
  settings.change({ heartbeatSeconds: 10 });
  assert.deepEqual(await during(10), ['beating']);
  settings.change({ sourceTime: 'heartbeat' });
  assert.deepEqual(await during(10), ['beating', 'silent']);
  settings.change({ sourceTime: 'true' });
  assert.deepEqual(await during(10), ['end of silent', 'beating']);
  heartbeat.close();
  settings.change({ heartbeatSeconds: 5 });
  assert.equal(clock.pendingTimers, 0);
});

test('without a word about it times are true', async () => {
  source = simpleSource();
  await begin();
  model.server.publish(readingOf(1, { temperature: 20 }, T - 1_000));
  await beat();
  assert.equal(await time(), -1_000);
});

test('fresh values are stamped at each heartbeat, and nothing else is', async () => {
  source = simpleSource();
  source.setDevice(deviceOf(1, { tags: { source_time: 'heartbeat' } }));
  source.setDevice(deviceOf(2));
  source.define(2, 'temperature', 'Double');
  await begin();
  for (const index of [1, 2])
    model.server.publish(readingOf(index, { temperature: 20 }, T - 1_000, { radio: { rssi: -90 } }));
  assert.equal(await time(), -1_000);
  const subscription = await subscribe(model.client.session);
  const item = await subscription.monitor(
    { nodeId: TEMPERATURE, attributeId: 13 },
    {
      samplingInterval: 0,
      queueSize: 100,
      filter: new DataChangeFilter({
        trigger: DataChangeTrigger.StatusValueTimestamp,
        deadbandType: 0,
        deadbandValue: 0,
      }),
    },
    TimestampsToReturn.Both,
  );
  const values: DataValue[] = [];
  item.on('changed', (value: DataValue) => values.push(value));
  await until(() => values.length === 1);
  await beat(2);
  await until(() => values.length === 3);
  assert.deepEqual(
    values.map(({ sourceTimestamp }) => (sourceTimestamp?.getTime() ?? 0) - T),
    [-1_000, BEAT, 2 * BEAT],
  );
  assert.ok(values.every(({ value, statusCode }) => value.value === 20 && statusCode.isGood()));
  assert.equal(await time(`ns=3;s=${devEuiOf(2)}/metric/temperature`), -1_000, 'another device');
  assert.equal(await time(`ns=3;s=${devEuiOf(1)}/radio/rssi`), -1_000, 'of the last uplink, however old');
  assert.equal(await model.value(`${devEuiOf(1)}/metric/door`), 'BadWaitingForInitialData');

  // On its way for longer than the last heartbeat is ago: newer than what is shown, and never a step back.
  model.server.publish(readingOf(1, { temperature: 21 }, T + 2 * BEAT - 1_000));
  await until(() => values.length === 4);
  assert.equal(values[3]?.value.value, 21);
  assert.equal(await time(), 2 * BEAT);

  model.server.publish(
    readingOf(1, {}, T + 2 * BEAT + 10, { origin: 'stale', quality: { temperature: 'UncertainLastUsableValue' } }),
  );
  await beat();
  assert.equal(await time(), 2 * BEAT + 10, 'a stale value is not stamped');
});

test('a device leaves the mode with the tag of its profile', async () => {
  source = simpleSource();
  const profile = source.profiles.get(PROFILE);
  assert.ok(profile);
  source.profiles.set(PROFILE, { ...profile, tags: { source_time: 'heartbeat' } });
  await begin();
  model.server.publish(readingOf(1, { temperature: 20 }, T - 1_000));
  await beat();
  assert.equal(await time(), BEAT);
  source.profiles.set(PROFILE, profile);
  await model.changed();
  assert.equal(await time(), -1_000);
});

test('the setting holds for all of whom no tag says otherwise', async () => {
  source = simpleSource();
  source.setDevice(deviceOf(2, { tags: { source_time: 'true' } }));
  source.define(2, 'temperature', 'Double');
  await begin({ sourceTime: 'heartbeat' });
  for (const index of [1, 2, 77]) model.server.publish(readingOf(index, { temperature: 20 }, T - 1_000));
  await beat();
  assert.equal(await time(), BEAT);
  assert.equal(await time(`ns=3;s=${devEuiOf(77)}/metric/temperature`), BEAT, 'a device that a flow made');
  assert.equal(await time(`ns=3;s=${devEuiOf(2)}/metric/temperature`), -1_000);
});
