import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { afterEach, describe, test } from 'node:test';
import {
  ChirpstackConnection,
  type ConnectionInput,
  Poller,
  type PollerSettings,
  parseConnectionSettings,
  ScopeError,
} from '../../../lib/chirpstack';
import {
  type Clock,
  type ConnectionHealth,
  type DeviceEvent,
  type Inventory,
  parseApplicationId,
  parseDevEui,
  parseDeviceProfileId,
  parseSourceId,
  type Reading,
  systemClock,
} from '../../../lib/model';
import { capturedLogger } from '../../support/captured-logger';
import { eventually } from '../../support/eventually';
import { freePort } from '../../support/free-port';
import { ManualClock } from '../../support/manual-clock';
import {
  ADMIN_TOKEN,
  APPLICATION,
  eui,
  FakeChirpstack,
  PROFILE,
  TENANT,
  TENANT_TOKEN,
  uplinkBody,
} from './fake-chirpstack';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function fakeServer(devices = 3): Promise<FakeChirpstack> {
  const server = new FakeChirpstack();
  server.addDevices(devices);
  await server.start();
  cleanups.push(() => server.stop());
  return server;
}

interface PollerOptions {
  readonly input?: Partial<ConnectionInput>;
  readonly settings?: Partial<PollerSettings>;
  readonly known?: Inventory;
  readonly clock?: Clock;
}

function pollerOf(
  server: { port: number },
  { input = {}, settings = {}, known, clock = systemClock }: PollerOptions = {},
) {
  const { logger, entries } = capturedLogger('chirpstack');
  const deps = { clock, random: () => 0.5, logger };
  const connection = new ChirpstackConnection(
    parseConnectionSettings({ url: `http://127.0.0.1:${server.port}`, token: ADMIN_TOKEN, tenantId: TENANT, ...input }),
    deps,
  );
  const poller = new Poller({
    ...deps,
    connection,
    source: parseSourceId('source'),
    settings: { pollInterval: 0, streamEvents: false, pollMetrics: false, maximumStreams: 1_000, ...settings },
    ...(known === undefined ? {} : { known }),
  });
  const readings: Reading[] = [];
  const events: DeviceEvent[] = [];
  const inventories: Inventory[] = [];
  const healths: ConnectionHealth[] = [];
  poller.onReading((reading) => readings.push(reading));
  poller.onDeviceEvent((event) => events.push(event));
  poller.onInventory((inventory) => inventories.push(inventory));
  poller.onHealth((health) => healths.push(health));
  cleanups.push(() => connection.close());
  cleanups.push(() => poller.close());
  return { poller, connection, readings, events, inventories, healths, entries };
}

const countOf = (server: FakeChirpstack, method: string): number =>
  server.calls.filter((call) => call === method).length;
const names = (inventory: Inventory | undefined): string[] =>
  [...(inventory?.devices.values() ?? [])].map(({ name }) => name);

describe('the inventory', () => {
  test('is complete, with profiles, states and tags', async () => {
    const server = await fakeServer(2);
    const device = server.device(1);
    device.disabled = true;
    device.deviceClass = 2;
    device.tags = { site: 'north' };
    device.lastSeenAt = 1_795_448_136_365;
    device.status = { margin: -3, external: false, battery: Math.fround(78.74) };
    const { poller, inventories } = pollerOf(server);
    await poller.pollNow();
    const [inventory] = inventories;
    assert.ok(inventory);
    assert.deepEqual(inventory.devices.get(parseDevEui(eui(1))), {
      devEui: eui(1),
      name: 'Device 1',
      description: '',
      applicationId: APPLICATION,
      profileId: PROFILE,
      tags: { site: 'north' },
      isDisabled: true,
      deviceClass: 'C',
      lastSeenAt: 1_795_448_136_365,
      status: { margin: -3, externalPower: false, batteryLevel: 78.74 },
    });
    assert.equal(inventory.devices.get(parseDevEui(eui(2)))?.isDisabled, false);
    assert.deepEqual(inventory.applications.get(parseApplicationId(APPLICATION)), {
      id: APPLICATION,
      tenantId: TENANT,
      name: 'Plant',
      description: '',
    });
    assert.deepEqual(inventory.profiles.get(parseDeviceProfileId(PROFILE)), {
      id: PROFILE,
      name: 'Sensor',
      uplinkInterval: 60,
      measurements: { temperature: { name: 'Temperature', kind: 'GAUGE' } },
      tags: {},
      hasCodec: false,
    });
  });

  test('of 1,200 unchanged devices costs a handful of calls, eight at most at once', async () => {
    const server = await fakeServer(1_200);
    const { poller, inventories, healths } = pollerOf(server);
    await poller.pollNow();
    assert.equal(inventories[0]?.devices.size, 1_200);
    assert.ok(server.mostInFlight <= 8);
    server.calls.length = 0;
    for (const device of server.devices.values()) device.lastSeenAt = Date.now();
    await poller.pollNow();
    assert.deepEqual(server.calls.slice().sort(), [
      'ApplicationService.List',
      'DeviceProfileService.List',
      'DeviceService.List',
      'DeviceService.List',
      'DeviceService.List',
      'GatewayService.List',
    ]);
    assert.equal(inventories.length, 1, 'nothing changed but when they were last seen');
    assert.equal(healths.at(-1)?.devices, 1_200);
  });

  test('follows what is added, renamed, disabled, moved and deleted', async () => {
    const server = await fakeServer(3);
    const { poller, inventories } = pollerOf(server);
    await poller.pollNow();
    server.addDevices(1, 4);
    server.device(1).name = 'Renamed';
    server.device(2).disabled = true;
    server.device(2).updatedAt = 2_000;
    server.devices.delete(eui(3));
    await poller.pollNow();
    assert.deepEqual(names(inventories.at(-1)), ['Renamed', 'Device 2', 'Device 4']);
    assert.equal(inventories.at(-1)?.devices.get(parseDevEui(eui(2)))?.isDisabled, true);
    const second = '27c82e96-be03-4f38-aef3-f83d48582d97';
    server.applications.set(second, { name: 'Second', tenantId: TENANT });
    server.device(4).applicationId = second;
    await poller.pollNow();
    assert.equal(inventories.at(-1)?.devices.get(parseDevEui(eui(4)))?.applicationId, second);
    server.applications.delete(second);
    server.devices.delete(eui(4));
    await poller.pollNow();
    assert.deepEqual(names(inventories.at(-1)), ['Renamed', 'Device 2']);
    assert.equal(inventories.at(-1)?.applications.size, 1);
  });

  test('one odd page removes nothing: a row that moved is looked for', async () => {
    const server = await fakeServer(600);
    const { poller, inventories } = pollerOf(server);
    await poller.pollNow();
    // As when a row before is deleted while the pages are read.
    server.distort = (rows, offset) => (offset === 0 ? rows : rows.slice(1));
    await poller.pollNow();
    await poller.pollNow();
    assert.equal(inventories.length, 1);
    // And a row may come twice.
    server.distort = (rows, offset) => (offset === 0 ? [...rows.slice(0, 499), ...rows.slice(0, 1)] : rows);
    await poller.pollNow();
    assert.equal(inventories.length, 1);
  });

  test('many that are missing at once must be missing twice', async () => {
    const server = await fakeServer(100);
    const { poller, inventories } = pollerOf(server);
    await poller.pollNow();
    server.devices.clear();
    await poller.pollNow();
    assert.equal(inventories.at(-1)?.devices.size, 50, 'fifty were looked up one by one');
    await poller.pollNow();
    assert.equal(inventories.at(-1)?.devices.size, 0);
  });

  test('a row that cannot be read costs neither the others nor the connection', async () => {
    const server = await fakeServer(3);
    server.distort = (rows) =>
      rows.map((row, index) => {
        if (index === 1) row.setDevEui('not hex');
        return row;
      });
    const { poller, inventories, healths } = pollerOf(server);
    await poller.pollNow();
    assert.deepEqual(names(inventories[0]), ['Device 1', 'Device 3']);
    assert.equal(healths.at(-1)?.state, 'connected');
    assert.match(healths.at(-1)?.reason ?? '', /cannot be read/);
  });

  test('one device that fails leaves the rest, and the success is not called one', async () => {
    const server = await fakeServer(3);
    server.fail = (method, subject) =>
      method === 'DeviceService.Get' && subject === eui(2) ? { code: 13, details: 'odd hex' } : undefined;
    const { poller, inventories, connection } = pollerOf(server);
    await poller.pollNow();
    assert.equal(inventories[0]?.devices.size, 3);
    assert.equal(connection.state().state, 'connected');
    assert.equal(poller.health().lastSuccessfulPoll, undefined);
    assert.ok(poller.health().errorCount > 0);
    assert.deepEqual(poller.health().errors, { server: poller.health().errorCount });
    server.fail = () => undefined;
    const calls = countOf(server, 'DeviceService.Get');
    await poller.pollNow();
    assert.equal(countOf(server, 'DeviceService.Get'), calls + 1, 'only that one is asked for again');
    assert.notEqual(poller.health().lastSuccessfulPoll, undefined);
  });

  test('a locked database is tried again before it is called a failure', async () => {
    const server = await fakeServer(2);
    let locked = 2;
    server.fail = (method) =>
      method === 'DeviceService.List' && locked-- > 0 ? { code: 13, details: 'database is locked' } : undefined;
    const { poller } = pollerOf(server);
    await poller.pollNow();
    assert.equal(poller.health().devices, 2);
    assert.notEqual(poller.health().lastSuccessfulPoll, undefined);
  });

  test('an application whose devices cannot be listed keeps what is known of them', async () => {
    const server = await fakeServer(2);
    const { poller, inventories } = pollerOf(server);
    await poller.pollNow();
    server.fail = (method) => (method === 'DeviceService.List' ? { code: 3, details: 'no' } : undefined);
    await poller.pollNow();
    assert.equal(inventories.length, 1);
    assert.equal(poller.health().devices, 2);
  });

  test('profiles are read again when they change, and for their age', async () => {
    const server = await fakeServer(1);
    const clock = new ManualClock();
    const { poller, inventories } = pollerOf(server, { clock });
    await poller.pollNow();
    await poller.pollNow();
    assert.equal(countOf(server, 'DeviceProfileService.Get'), 1);
    const profile = server.profiles.get(PROFILE);
    assert.ok(profile);
    profile.interval = 900;
    profile.updatedAt = 2;
    await poller.pollNow();
    assert.equal(inventories.at(-1)?.profiles.get(parseDeviceProfileId(PROFILE))?.uplinkInterval, 900);
    // ChirpStack detects measurements without a new updated_at.
    profile.measurements['door'] = { name: '', kind: 0 };
    await poller.pollNow();
    assert.equal(countOf(server, 'DeviceProfileService.Get'), 2);
    await clock.advance(600_000);
    await poller.pollNow();
    assert.ok(inventories.at(-1)?.profiles.get(parseDeviceProfileId(PROFILE))?.measurements['door']);
  });

  test('a deleted key does not empty it', async () => {
    const server = await fakeServer(3);
    for (const applicationIds of ['', APPLICATION]) {
      const { poller, inventories, connection } = pollerOf(server, { input: { token: TENANT_TOKEN, applicationIds } });
      await poller.pollNow();
      server.deletedTokens.add(TENANT_TOKEN);
      await assert.rejects(poller.pollNow());
      assert.equal(connection.state().state, 'unauthenticated');
      assert.equal(inventories.length, 1);
      assert.equal(poller.health().devices, 3);
      server.deletedTokens.clear();
    }
  });
});

describe('what a key may see', () => {
  test('an admin key without tenant shows all tenants', async () => {
    const server = await fakeServer(1);
    const tenant = '62f14cd4-c6f1-4fbd-8f87-4025e1d49242';
    server.tenants.set(tenant, 'Other');
    server.applications.set('37c82e96-be03-4f38-aef3-f83d48582d97', { name: 'Other', tenantId: tenant });
    const { poller, inventories } = pollerOf(server, { input: { tenantId: '' } });
    await poller.pollNow();
    assert.equal(inventories[0]?.applications.size, 2);
  });

  test('a tenant key needs its tenant or applications, which is told so', async () => {
    const server = await fakeServer(1);
    const { poller, healths, connection } = pollerOf(server, { input: { token: TENANT_TOKEN, tenantId: '' } });
    await assert.rejects(poller.pollNow(), ScopeError);
    assert.equal(connection.state().state, 'connected');
    const health = healths.at(-1);
    assert.equal(health?.state, 'unauthenticated');
    assert.match(health?.reason ?? '', /tenant/);
    assert.match(health?.cure ?? '', /tenant id/);
    const other = pollerOf(server, { input: { token: TENANT_TOKEN, tenantId: '', applicationIds: APPLICATION } });
    await other.poller.pollNow();
    assert.equal(other.inventories[0]?.devices.size, 1);
    assert.equal(other.healths.at(-1)?.state, 'connected');
  });

  test('another tenant, or applications that are not there, are named', async () => {
    const server = await fakeServer(1);
    const foreign = pollerOf(server, {
      input: { token: TENANT_TOKEN, tenantId: '62f14cd4-c6f1-4fbd-8f87-4025e1d49242' },
    });
    await assert.rejects(foreign.poller.pollNow(), /may not see the tenant/);
    const unknown = '47c82e96-be03-4f38-aef3-f83d48582d97';
    const none = pollerOf(server, { input: { applicationIds: unknown } });
    await assert.rejects(none.poller.pollNow(), /None of the applications/);
    const some = pollerOf(server, { input: { applicationIds: [unknown, APPLICATION] } });
    await some.poller.pollNow();
    assert.equal(some.poller.health().state, 'connected');
    assert.match(some.poller.health().reason, new RegExp(unknown));
    const otherTenant = pollerOf(server, {
      input: { tenantId: '62f14cd4-c6f1-4fbd-8f87-4025e1d49242', applicationIds: APPLICATION },
    });
    await assert.rejects(otherTenant.poller.pollNow(), ScopeError);
  });

  test('an empty tenant is connected, with a word about it', async () => {
    const server = await fakeServer(0);
    const { poller, healths, inventories, entries } = pollerOf(server);
    await poller.pollNow();
    await poller.pollNow();
    assert.equal(inventories.length, 1);
    assert.equal(healths.at(-1)?.state, 'connected');
    assert.match(healths.at(-1)?.reason ?? '', /no application has a device/);
    assert.equal(entries.filter(({ reason }) => reason === 'empty').length, 1);
    server.applications.clear();
    await poller.pollNow();
    assert.match(poller.health().reason, /no application/);
  });
});

describe('events', () => {
  test('come once each, history as replayed, news as live', async () => {
    const server = await fakeServer(2);
    const old = uplinkBody(server.device(1), { object: { temperature: 1 }, deduplicationId: 'old' });
    server.push(eui(1), 'up', old, { time: Date.now() - 60_000 });
    const { poller, readings, events } = pollerOf(server, { settings: { streamEvents: true } });
    poller.start();
    await eventually(() => server.openStreams === 2 && readings.length === 1, 'the replay');
    assert.equal(readings[0]?.origin, 'replay');
    server.push(eui(2), 'up', uplinkBody(server.device(2), { deduplicationId: 'new' }));
    server.push(eui(2), 'ack', { ...uplinkBody(server.device(2)), deduplicationId: 'new', queueItemId: 'q' });
    await eventually(() => readings.length === 2 && events.length === 1, 'the live ones');
    assert.equal(readings[1]?.origin, 'event');
    assert.deepEqual(readings[1]?.values, { temperature: 20.5 });
    // Sent again under another stream id, and by the replay of a new stream.
    server.push(eui(2), 'up', uplinkBody(server.device(2), { deduplicationId: 'new' }));
    server.endStreams({ code: 14, details: 'Connection dropped' });
    await eventually(() => server.streamsOpened.length >= 4 && server.openStreams === 2, 'the streams to come back');
    server.push(eui(1), 'up', uplinkBody(server.device(1)));
    await eventually(() => readings.length === 3, 'the value after that');
    assert.equal(poller.health().uplinks, 3);
    assert.equal(poller.health().state, 'connected');
  });

  test('one that cannot be read is told once and costs nothing else', async () => {
    const server = await fakeServer(1);
    const { poller, readings, entries } = pollerOf(server, { settings: { streamEvents: true } });
    poller.start();
    await eventually(() => server.openStreams === 1, 'the stream');
    for (let index = 0; index < 5; index++) server.push(eui(1), 'up', '{');
    server.push(eui(1), 'strange', {});
    server.push(eui(1), 'up', uplinkBody(server.device(1), { object: { ['k'.repeat(300)]: 1, ok: 2 } }));
    await eventually(() => readings.length === 1, 'the good one');
    const told = entries.filter(({ operation }) => operation === 'decode');
    assert.equal(told.length, 2);
    assert.ok(told.every(({ device }) => device === eui(1)));
  });

  test('open with the devices known from before, without waiting for the listing', async () => {
    const server = await fakeServer(2);
    const first = pollerOf(server);
    await first.poller.pollNow();
    server.fail = (method) => (method === 'DeviceService.List' ? { code: 3, details: 'no' } : undefined);
    const second = pollerOf(server, {
      settings: { streamEvents: true },
      ...(first.inventories[0] ? { known: first.inventories[0] } : {}),
    });
    second.poller.start();
    second.poller.start();
    await eventually(() => server.openStreams === 2, 'the streams');
  });

  test('a class that an event contradicts is read again', async () => {
    const server = await fakeServer(1);
    const { poller, inventories, readings } = pollerOf(server, { settings: { streamEvents: true } });
    poller.start();
    await eventually(() => server.openStreams === 1, 'the stream');
    server.device(1).deviceClass = 2;
    const body = uplinkBody(server.device(1));
    server.push(eui(1), 'up', {
      ...body,
      deviceInfo: { ...(body['deviceInfo'] as object), deviceClassEnabled: 'CLASS_C' },
    });
    await eventually(() => readings.length === 1, 'the uplink');
    await poller.pollNow();
    assert.equal(inventories.at(-1)?.devices.get(parseDevEui(eui(1)))?.deviceClass, 'C');
  });

  test('beyond the maximum the health says so', async () => {
    const server = await fakeServer(3);
    const { poller } = pollerOf(server, { settings: { streamEvents: true, maximumStreams: 1 } });
    poller.start();
    await eventually(() => server.openStreams === 1, 'the stream');
    await eventually(() => poller.health().streamsOpen === 1, 'its confirmation');
    assert.equal(poller.health().streamsWanted, 3);
    assert.match(poller.health().reason, /2 devices have no event stream/);
  });
});

describe('an outage', () => {
  test('is noticed at once through the streams, and values flow again soon after', async () => {
    const server = await fakeServer(5);
    const { poller, readings, healths } = pollerOf(server, { settings: { streamEvents: true, pollInterval: 60_000 } });
    poller.start();
    await eventually(() => poller.health().streamsOpen === 5, 'the streams');
    server.stop();
    await eventually(() => poller.health().state === 'disconnected', 'the outage');
    assert.equal(poller.health().streamsOpen, 0);
    const errors = poller.health().errorCount;
    server.addDevices(1, 6);
    await server.start();
    await eventually(() => server.openStreams >= 5, 'the streams to open again');
    server.push(eui(1), 'up', uplinkBody(server.device(1)));
    await eventually(() => readings.length === 1, 'the first fresh value');
    assert.ok(errors >= 5);
    const { network = 0, timeout = 0 } = poller.health().errors ?? {};
    assert.ok(network + timeout >= 5);
    assert.ok(poller.health().errorCount >= errors);
    assert.ok(healths.some(({ state }) => state === 'disconnected'));
    await eventually(() => healths.at(-1)?.streamsOpen === 5, 'the health to say so');
  });

  test('at start is waited out, and the inventory comes by itself', async () => {
    const server = new FakeChirpstack();
    server.addDevices(2);
    server.port = await freePort();
    const { poller, inventories, healths, entries } = pollerOf(server, { settings: { pollInterval: 60_000 } });
    poller.start();
    await eventually(() => healths.at(-1)?.state === 'disconnected', 'the outage');
    await assert.rejects(poller.pollNow(), /Nothing listens/);
    const told = entries.filter(({ level }) => level === 'error' || level === 'warn');
    assert.equal(told.length, 1, 'the connection says it, and the poller does not say it again');
    assert.equal(poller.health().lastSuccessfulPoll, undefined);
    await server.start();
    cleanups.push(() => server.stop());
    await eventually(() => inventories.length === 1, 'the inventory');
    assert.equal(poller.health().state, 'connected');
    assert.notEqual(poller.health().lastSuccessfulPoll, undefined);
  });
});

describe('polling', () => {
  test('a poll that runs is shared', async () => {
    const server = await fakeServer(1);
    const { poller } = pollerOf(server);
    await Promise.all([poller.pollNow(), poller.pollNow(), poller.pollNow()]);
    assert.equal(countOf(server, 'ApplicationService.List'), 1);
  });

  test('goes on at its interval, and only when triggered if that is 0', async () => {
    const server = await fakeServer(1);
    for (const [pollInterval, expected] of [
      [60_000, 2],
      [0, 1],
    ] as const) {
      server.calls.length = 0;
      const clock = new ManualClock();
      const { poller, healths } = pollerOf(server, { clock, settings: { pollInterval } });
      poller.start();
      await eventually(
        () => healths.some(({ lastSuccessfulPoll }) => lastSuccessfulPoll !== undefined),
        'the first poll',
      );
      await clock.advance(59_000);
      assert.equal(countOf(server, 'ApplicationService.List'), 1);
      await clock.advance(2_000);
      await eventually(() => countOf(server, 'ApplicationService.List') === expected, 'the second poll');
      await poller.close();
      await clock.advance(120_000);
      assert.equal(countOf(server, 'ApplicationService.List'), expected);
    }
  });

  test('closes at once with a hung peer, twice if need be, and then does nothing more', async () => {
    const sockets = new Set<Socket>();
    const hung = createServer((socket) => sockets.add(socket.on('error', () => undefined)));
    hung.listen(0, '127.0.0.1');
    await once(hung, 'listening');
    cleanups.push(() => {
      for (const socket of sockets) socket.destroy();
      hung.close();
    });
    const { poller, healths, connection } = pollerOf(hung.address() as AddressInfo, {
      settings: { streamEvents: true, pollInterval: 1_000 },
    });
    poller.start();
    await poller.close();
    await poller.close();
    await connection.close();
    const count = healths.length;
    await poller.pollNow();
    poller.start();
    assert.equal(healths.length, count);
  });
});

describe('metrics', () => {
  const hour = 3_600_000;
  const bucket = Math.floor(Date.now() / hour) * hour - hour;

  async function metricsServer(): Promise<FakeChirpstack> {
    const server = await fakeServer(4);
    const profile = server.profiles.get(PROFILE);
    if (profile)
      profile.measurements = {
        temperature: { name: '', kind: 3 },
        valve: { name: '', kind: 3 },
        state: { name: '', kind: 4 },
      };
    server.device(1).lastSeenAt = bucket + 600_000;
    server.buckets.set(eui(1), { temperature: [[bucket, 21.3]], valve: [] });
    server.states.set(eui(1), { state: 'alarm', door: 'false', other: '' });
    // Seen too long ago: its buckets are gone and read 0.
    server.device(2).lastSeenAt = Date.now() - 50 * hour;
    server.buckets.set(eui(2), { temperature: [] });
    // Seen just after the full hour: its uplink may lie in the bucket before.
    server.device(3).lastSeenAt = bucket + 2_000;
    server.buckets.set(eui(3), { temperature: [[bucket - hour, 7]] });
    return server;
  }

  test('stand in for what no event told: uncertain, with the time of their bucket, and never a zero', async () => {
    const server = await metricsServer();
    const { poller, readings } = pollerOf(server, { settings: { pollMetrics: true } });
    await poller.pollNow();
    assert.deepEqual(
      readings
        .map(({ device, values, time, quality, origin }) => ({ devEui: device.devEui, values, time, quality, origin }))
        .sort((a, b) => (a.devEui < b.devEui ? -1 : 1)),
      [
        {
          devEui: eui(1),
          values: { temperature: 21.3, state: 'alarm', door: false },
          time: bucket,
          quality: {
            temperature: 'UncertainSubNormal',
            state: 'UncertainSubNormal',
            door: 'UncertainSubNormal',
          },
          origin: 'metrics',
        },
        {
          devEui: eui(3),
          values: { temperature: 7 },
          time: bucket - hour,
          quality: { temperature: 'UncertainSubNormal' },
          origin: 'metrics',
        },
      ],
    );
    assert.equal(countOf(server, 'DeviceService.GetMetrics'), 2);
    await poller.pollNow();
    assert.equal(countOf(server, 'DeviceService.GetMetrics'), 2, 'nothing new was seen of them');
    server.device(1).lastSeenAt = bucket + 700_000;
    await poller.pollNow();
    assert.equal(countOf(server, 'DeviceService.GetMetrics'), 3);
  });

  test('are not asked for where events bring values', async () => {
    const server = await metricsServer();
    server.push(eui(1), 'up', uplinkBody(server.device(1)), { time: Date.now() - 60_000 });
    const clock = new ManualClock(Date.now());
    const { poller, readings } = pollerOf(server, { clock, settings: { pollMetrics: true, streamEvents: true } });
    poller.start();
    await eventually(async () => {
      await clock.advance(20);
      return poller.health().streamsOpen === 4 && readings.length === 1;
    }, 'the replay');
    assert.equal(countOf(server, 'DeviceService.GetMetrics'), 0, 'events get their time to come first');
    await clock.advance(6_000);
    await poller.pollNow();
    assert.equal(countOf(server, 'DeviceService.GetMetrics'), 1);
    assert.deepEqual(
      readings.map(({ device, origin }) => [device.devEui, origin]),
      [
        [eui(1), 'replay'],
        [eui(3), 'metrics'],
      ],
    );
  });

  test('of one device that fails leave the others', async () => {
    const server = await metricsServer();
    server.fail = (method, subject) =>
      method === 'DeviceService.GetMetrics' && subject === eui(1) ? { code: 13, details: 'x' } : undefined;
    const { poller, readings } = pollerOf(server, { settings: { pollMetrics: true } });
    await poller.pollNow();
    assert.deepEqual(
      readings.map(({ device }) => device.devEui),
      [eui(3)],
    );
    assert.equal(poller.health().lastSuccessfulPoll, undefined);
    assert.equal(poller.health().lastError, 'ChirpStack reports INTERNAL: x');
  });
});
