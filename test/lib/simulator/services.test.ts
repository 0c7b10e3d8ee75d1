import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { after, before, describe, test } from 'node:test';
import { z } from 'zod';
import { Simulator } from '../../../lib/simulator';
import { capturedLogger } from '../../support/captured-logger';
import { ManualClock } from '../../support/manual-clock';
import { Clients, quiet, until } from './clients';

const listSchema = z.object({
  totalCount: z.number(),
  resultList: z.array(z.looseObject({ name: z.string().default(''), devEui: z.string().default('') })),
});

describe('services over a fleet', () => {
  const clock = new ManualClock();
  const simulator = new Simulator({ devices: 60, period: 10_000, seed: 3 }, { clock, logger: capturedLogger().logger });
  const administrator = `Bearer ${simulator.adminToken}`;
  const tenant = `Bearer ${simulator.tenantToken}`;
  const readOnly = `Bearer ${simulator.readOnlyToken}`;
  let clients: Clients;
  const applications = [...simulator.server.world.applications.values()];
  const building = applications.find(({ name }) => name === 'Building services')?.id ?? '';

  before(async () => {
    clients = new Clients((await simulator.start()).port);
  });
  after(async () => {
    clients.close();
    await simulator.stop();
  });

  const list = async (request: object, authorization = tenant) => {
    const { reply, error } = await clients.call(
      'dev.list',
      { limit: 1_000, applicationId: building, ...request },
      authorization,
    );
    assert.equal(error, undefined);
    return listSchema.parse(reply);
  };

  test('four applications of one tenant hold all devices', async () => {
    const { reply } = await clients.call('app.list', { limit: 10, tenantId: simulator.tenantId }, tenant);
    assert.deepEqual(
      listSchema.parse(reply).resultList.map(({ name }) => name),
      ['Building services', 'Logistics', 'Tank farm', 'Utilities'],
    );
    let total = 0;
    for (const { id } of applications) total += (await list({ applicationId: id })).totalCount;
    assert.equal(total, 60);
  });

  test('pages put together are the whole list, in each order and in both directions', async () => {
    for (const orderBy of [0, 1, 2, 3])
      for (const orderByDesc of [false, true]) {
        const whole = await list({ orderBy, orderByDesc });
        const pages = [];
        for (let offset = 0; offset < whole.totalCount; offset += 7)
          pages.push(...(await list({ orderBy, orderByDesc, limit: 7, offset })).resultList);
        assert.deepEqual(pages, whole.resultList);
        assert.equal(new Set(pages.map(({ devEui }) => devEui)).size, 20);
      }
    const names = (await list({ orderByDesc: true })).resultList.map(({ name }) => name);
    assert.deepEqual(names, names.toSorted().toReversed());
    const euis = (await list({ orderBy: 1 })).resultList.map(({ devEui }) => devEui);
    assert.deepEqual(euis, euis.toSorted());
  });

  test('devices are found by name, tag and profile', async () => {
    assert.equal((await list({ search: 'cold store' })).totalCount, 2);
    assert.equal((await list({ tagsMap: [['area', 'cold-store']] })).totalCount, 2);
    assert.equal(
      (
        await list({
          tagsMap: [
            ['area', 'cold-store'],
            ['kind', 'door'],
          ],
        })
      ).totalCount,
      1,
    );
    assert.equal((await list({ tagsMap: [['constructor', 'x']] })).totalCount, 0);
    const profile = [...simulator.server.world.profiles.values()].find(({ name }) => name.startsWith('Door'));
    assert.equal((await list({ deviceProfileId: profile?.id })).totalCount, 10);
    assert.equal((await list({ multicastGroupId: simulator.tenantId })).totalCount, 0);
  });

  test('a device that was never seen has no last-seen time and comes first or last', async () => {
    const never = simulator.devices().find((device) => device.lastSeenAt === undefined);
    assert.ok(never);
    const request = { applicationId: never.applicationId, orderBy: 2 };
    const ascending = (await list(request)).resultList;
    assert.deepEqual([ascending[0]?.devEui, ascending[0]?.lastSeenAt], [never.devEui, undefined]);
    assert.equal((await list({ ...request, orderByDesc: true })).resultList.at(-1)?.devEui, never.devEui);
  });

  test('an application tells its profiles, its tags and its measurement keys', async () => {
    const profiles = await clients.call('app.listDeviceProfiles', { applicationId: building }, readOnly);
    assert.deepEqual(
      listSchema
        .omit({ totalCount: true })
        .parse(profiles.reply)
        .resultList.map(({ name }) => name),
      ['Climate sensor CS-20', 'Door contact DC-1'],
    );
    const tags = z.object({ resultList: z.array(z.object({ key: z.string(), valuesList: z.array(z.string()) })) });
    const { reply } = await clients.call('app.listDeviceTags', { applicationId: building }, readOnly);
    const [area, kind] = tags.parse(reply).resultList;
    assert.deepEqual([area?.key, kind], ['area', { key: 'kind', valuesList: ['climate', 'door'] }]);
    const application = await clients.call('app.get', { id: building }, tenant);
    const keys = z.object({ measurementKeysList: z.array(z.string()) }).parse(application.reply).measurementKeysList;
    assert.deepEqual(keys, [
      'battery_level',
      'battery_voltage',
      'humidity',
      'open',
      'openings',
      'state',
      'temperature',
    ]);
  });

  test('gateways have a state and can be ordered', async () => {
    for (const orderBy of [0, 1, 2]) {
      const { reply } = await clients.call(
        'gw.list',
        { limit: 5, tenantId: simulator.tenantId, orderBy, orderByDesc: true },
        tenant,
      );
      const gateways = listSchema.parse(reply).resultList;
      assert.deepEqual(
        gateways.map(({ state }) => state),
        // By name, by EUI, by their last sign of life, each from behind.
        [
          [0, 1, 2, 1],
          [0, 2, 1, 1],
          [1, 1, 2, 0],
        ][orderBy],
      );
    }
    assert.deepEqual((await clients.call('gw.list', { limit: 5 }, tenant)).error, { code: 16, details: '' });
    assert.equal(listSchema.parse((await clients.call('gw.list', { limit: 5 }, administrator)).reply).totalCount, 4);
    const { reply } = await clients.call('int.getGatewaysSummary', { tenantId: simulator.tenantId }, tenant);
    assert.deepEqual(reply, { onlineCount: 2, offlineCount: 1, neverSeenCount: 1 });
  });

  test('the summary counts who is active and who was never seen', async () => {
    const { reply } = await clients.call('int.getDevicesSummary', {}, administrator);
    const summary = z
      .object({ activeCount: z.number(), inactiveCount: z.number(), neverSeenCount: z.number() })
      .parse(reply);
    assert.deepEqual([summary.activeCount, summary.inactiveCount, summary.neverSeenCount], [59, 0, 1]);
    assert.deepEqual((await clients.call('int.getDevicesSummary', {}, tenant)).error, { code: 16, details: '' });
  });

  test('what nobody may call with a key is refused, and settings need none', async () => {
    assert.deepEqual((await clients.call('int.getVersion', {}, administrator)).error, { code: 16, details: '' });
    assert.deepEqual((await clients.call('int.getVersion', {}, undefined)).error, {
      code: 16,
      details: 'no authorization provided',
    });
    assert.equal((await clients.call('int.settings', {}, undefined)).error, undefined);
  });

  test('what does not exist is told to administrators only', async () => {
    const id = '00000000-0000-4000-8000-00000000000f';
    for (const method of ['tenant.get', 'app.get', 'dp.get']) {
      assert.deepEqual((await clients.call(method, { id }, administrator)).error, {
        code: 5,
        details: `Object does not exist (id: ${id})`,
      });
      assert.deepEqual((await clients.call(method, { id }, tenant)).error, { code: 16, details: '' });
    }
    const devEui = '';
    assert.equal((await clients.call('dev.get', { devEui }, administrator)).error?.code, 5);
    assert.deepEqual((await clients.call('dev.get', { devEui }, tenant)).error, { code: 16, details: '' });
    assert.equal((await clients.call('dp.list', { limit: 1 }, tenant)).error?.code, 16);
    assert.equal(listSchema.parse((await clients.call('dp.list', { limit: 1 }, administrator)).reply).totalCount, 6);
    const range = { start: { seconds: 1, nanos: 0 }, end: { seconds: 1, nanos: 0 } };
    const metrics = await clients.call('dev.getMetrics', { devEui: 'ffffffffffffffff', ...range }, administrator);
    assert.equal(metrics.error?.code, 5);
    const noEnd = { devEui: simulator.devices()[0]?.devEui, start: range.start };
    assert.deepEqual((await clients.call('dev.getMetrics', noEnd, administrator)).error, {
      code: 13,
      details: 'end is None',
    });
  });

  test('a class C device says so, with its tags and its status', async () => {
    const [valve] = simulator.devicesOfKind('valve');
    assert.ok(valve);
    simulator.server.network.status(valve, { margin: 7, externalPower: true });
    const { reply } = await clients.call('dev.get', { devEui: valve.devEui }, readOnly);
    const device = z
      .object({ classEnabled: z.number(), deviceStatus: z.unknown(), device: z.looseObject({ tagsMap: z.unknown() }) })
      .parse(reply);
    assert.equal(device.classEnabled, 2);
    assert.deepEqual(device.deviceStatus, { margin: 7, externalPowerSource: true, batteryLevel: -1 });
    assert.deepEqual(device.device.tagsMap, [
      ['area', 'boiler-house'],
      ['kind', 'valve'],
    ]);
  });

  test('metrics hide UNKNOWN, show STRING as states and hold the values of the past', async () => {
    const [door] = simulator.devicesOfKind('door');
    const [climate] = simulator.devicesOfKind('climate');
    assert.ok(door && climate);
    const now = { seconds: Math.floor(clock.now() / 1_000), nanos: 0 };
    const range = { start: now, end: now, aggregation: 2 };
    const metricsSchema = z.object({
      metricsMap: z.array(
        z.tuple([
          z.string(),
          z.object({ kind: z.number(), datasetsList: z.array(z.object({ dataList: z.array(z.number()) })) }),
        ]),
      ),
      statesMap: z.array(z.tuple([z.string(), z.object({ name: z.string(), value: z.string() })])),
    });
    const ofDoor = metricsSchema.parse(
      (await clients.call('dev.getMetrics', { devEui: door.devEui, ...range }, tenant)).reply,
    );
    assert.deepEqual(
      ofDoor.metricsMap.map(([key]) => key),
      ['battery_voltage', 'openings'],
    );
    const [state] = ofDoor.statesMap;
    assert.equal(state?.[0], 'state');
    assert.match(state?.[1].value ?? '', /^(open|closed|tamper)$/);
    const ofClimate = metricsSchema.parse(
      (await clients.call('dev.getMetrics', { devEui: climate.devEui, ...range }, tenant)).reply,
    );
    const [, temperature] = ofClimate.metricsMap.find(([key]) => key === 'temperature') ?? [];
    const [mean = 0] = temperature?.datasetsList[0]?.dataList ?? [];
    assert.ok(mean > 5 && mean < 40);
    assert.equal(Math.fround(mean), mean, 'floats of 32 bits');
  });

  test('a flush with an enqueue spares what is pending and happens even if the enqueue fails', async () => {
    const [climate] = simulator.devicesOfKind('climate');
    assert.ok(climate);
    const item = { devEui: climate.devEui, confirmed: false, fPort: 10, data: 'AQ==' };
    const queue = async () =>
      listSchema.parse((await clients.call('dev.getQueue', { devEui: climate.devEui }, readOnly)).reply).totalCount;
    await clients.call('dev.enqueue', { queueItem: { ...item, confirmed: true } }, tenant);
    simulator.sendUplink(climate.devEui);
    await clock.advance(200);
    await clients.call('dev.enqueue', { queueItem: item }, tenant);
    await clients.call('dev.enqueue', { queueItem: item }, tenant);
    assert.equal(await queue(), 3);
    const failed = await clients.call('dev.enqueue', { queueItem: { ...item, fPort: 256 }, flushQueue: true }, tenant);
    assert.deepEqual(failed.error, { code: 3, details: 'Validation error: FPort must be between 1 - 255' });
    assert.equal(await queue(), 1);
    const missing = await clients.call('dev.enqueue', {}, tenant);
    assert.deepEqual(missing.error, { code: 3, details: 'queue_item is missing' });
    const unknown = { devEui: 'ffffffffffffffff', fPort: 1, object: { fieldsMap: [['x', { boolValue: true }]] } };
    assert.equal((await clients.call('dev.enqueue', { queueItem: unknown }, administrator)).error?.code, 5);
    await clients.call('dev.flushQueue', { devEui: climate.devEui }, tenant);
    assert.equal(await queue(), 0);
    const { reply } = await clients.call('dev.getNextFCntDown', { devEui: climate.devEui }, readOnly);
    assert.deepEqual(reply, { fCntDown: 1 });
  });

  test('an object for a device without codec becomes an empty payload', async () => {
    const stored = { createdAt: { seconds: 0, nanos: 0 }, updatedAt: { seconds: 0, nanos: 0 } };
    const { world, network } = simulator.server;
    const profileId = '00000000-0000-4000-8000-0000000000aa';
    world.addProfile({ id: profileId, tenantId: simulator.tenantId, name: 'none', ...stored });
    const devEui = 'aaaaaaaaaaaaaaaa';
    const device = world.addDevice({
      devEui,
      devAddr: '00000000',
      applicationId: building,
      profileId,
      name: 'n',
      ...stored,
    });
    const queueItem = { devEui, fPort: 4, data: 'AQ==', object: { fieldsMap: [['x', { numberValue: 1 }]] } };
    await clients.call('dev.enqueue', { queueItem }, tenant);
    assert.equal(device.queue.items[0]?.data.length, 0);
    assert.equal(network.receive(device, { data: Buffer.of(1) })?.object, undefined);
    assert.equal(JSON.parse(world.events(devEui).all().at(-1)?.body() ?? '').object, undefined);
    world.deleteDevice(devEui);
    world.deleteDevice(devEui);
  });

  test('a stream with an upper-case DevEUI is open and silent; a wrong one, or without rights, fails', async () => {
    const [device] = simulator.devices();
    assert.ok(device);
    const silent = clients.streamDeviceEvents(device.devEui.toUpperCase(), tenant);
    const heard = clients.streamDeviceEvents(device.devEui, readOnly);
    await until(() => heard.items.length >= 10);
    const wrong = clients.streamDeviceEvents('zz', tenant);
    const stranger = clients.streamDeviceEvents('ffffffffffffffff', tenant);
    const anonymous = clients.streamDeviceEvents(device.devEui, undefined);
    await until(() => wrong.errors.length + stranger.errors.length + anonymous.errors.length === 3);
    assert.deepEqual(wrong.errors, [{ code: 13, details: 'Invalid string length' }]);
    assert.deepEqual(stranger.errors, [{ code: 16, details: '' }]);
    assert.deepEqual(anonymous.errors, [{ code: 16, details: 'no authorization provided' }]);
    await clock.advance(2_000);
    await quiet();
    assert.deepEqual([silent.items.length, silent.errors.length], [0, 0]);
    assert.equal(simulator.server.openStreams, 2);
    silent.cancel();
    heard.cancel();
    await until(() => simulator.server.openStreams === 0);
  });
});
