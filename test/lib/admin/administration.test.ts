import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import {
  Administration,
  type DeviceList,
  type GatewayStatus,
  type ReportedConnection,
  UserDirectory,
  type ValueList,
} from '../../../lib/admin';
import { verdict } from '../../../lib/admin/status';
import {
  type ConnectionHealth,
  type Device,
  type GatewayHealth,
  type Inventory,
  type OwnMeanings,
  parseApplicationId,
  parseDevEui,
  parseDeviceProfileId,
  parseSourceId,
  parseTenantId,
  type StoreHealth,
} from '../../../lib/model';
import { GatewayStore, MemoryBackend, parseStoreSettings } from '../../../lib/store';
import { capturedLogger } from '../../support/captured-logger';
import { healthOf } from '../../support/gateway-health';
import { ManualClock } from '../../support/manual-clock';

const T = Date.UTC(2026, 10, 24, 12);
const farm = parseApplicationId('00000000-0000-0000-0000-00000000000a');
const plant = parseApplicationId('00000000-0000-0000-0000-00000000000b');
const profileId = parseDeviceProfileId('00000000-0000-0000-0000-0000000000ff');
const tenantId = parseTenantId('00000000-0000-0000-0000-0000000000ee');
const eui = (n: number) => parseDevEui(n.toString(16).padStart(16, '0'));

const device = (n: number, name: string, part: Partial<Device> = {}): [Device['devEui'], Device] => [
  eui(n),
  {
    devEui: eui(n),
    name,
    description: '',
    applicationId: farm,
    profileId,
    tags: {},
    isDisabled: false,
    deviceClass: 'A',
    ...part,
  },
];
const inventory: Inventory = {
  gateways: new Map(),
  applications: new Map([
    [farm, { id: farm, tenantId, name: 'Farm', description: '' }],
    [plant, { id: plant, tenantId, name: 'plant', description: '' }],
  ]),
  profiles: new Map([
    [
      profileId,
      {
        id: profileId,
        name: 'Probe',
        uplinkInterval: 600,
        measurements: { t: { name: 'Temp', kind: 'GAUGE' } },
        tags: {},
      },
    ],
  ]),
  devices: new Map([
    device(1, 'beta', { lastSeenAt: T - 5, status: { margin: 1, externalPower: false, batteryLevel: 80 } }),
    device(2, 'Alpha', { applicationId: plant, isDisabled: true }),
    device(3, 'gamma', { lastSeenAt: T + 1 }),
  ]),
};
const connected: ConnectionHealth = {
  state: 'connected',
  since: T,
  reason: '',
  cure: '',
  errorCount: 0,
  applications: 2,
  devices: 3,
  streamsOpen: 3,
  streamsWanted: 3,
  uplinks: 9,
};

/** Nothing is written by these questions. */
const folders = { exports: '/nowhere/exports', backups: '/nowhere/backups' };
const retention = parseStoreSettings({ backend: 'memory' });

const NO_SERVER = { opcua: () => undefined, administrators: () => [] };

let store: GatewayStore;
let connections: ReportedConnection[];
let administration: Administration;
const clock = new ManualClock(T);
const { logger, entries } = capturedLogger('dashboard');

beforeEach(() => {
  store = new GatewayStore(new MemoryBackend(), { clock, logger }, { retentionDays: 0 });
  store.inventory.replace(parseSourceId('c'), inventory);
  connections = [{ id: 'main', name: 'Main', health: connected }];
  administration = new Administration({
    store,
    retention,
    folders,
    connections: () => connections,
    health: () => healthOf({ connections: [{ id: 'main', name: 'Main', health: connected, recentErrors: {} }] }),
    freshness: () => ({ fresh: 1, stale: 0, dead: 0 }),
    opcua: () => ({
      ownCertificate: undefined,
      counts: () => ({ sessions: 2, channels: 3, subscriptions: 4, monitoredItems: 5 }),
      endpointUrls: ['opc.tcp://h:4840'],
      certificates: undefined,
      sessions: undefined,
    }),
    administrators: () => [],
    users: new UserDirectory({ store, clock, logger }),
    commands: () => undefined,
    clock,
    logger,
  });
});

async function result<T>(topic: string, payload?: unknown): Promise<T> {
  const answer = await administration.handle(topic, payload);
  assert.ok(answer.ok, JSON.stringify(answer));
  return answer.result as T;
}
async function faults(topic: string, payload?: unknown): Promise<string[]> {
  const answer = await administration.handle(topic, payload);
  assert.ok(!answer.ok);
  assert.ok(answer.errors.every(({ rule, cure }) => rule !== '' && cure !== ''));
  return answer.errors.map(({ field }) => field);
}

describe('asking the gateway', () => {
  test('an unknown topic is a fault that names the known ones', async () => {
    const answer = await administration.handle('device.fly', {});
    assert.ok(!answer.ok);
    assert.match(answer.errors[0]?.cure ?? '', /status\.get, health\.get, metrics\.get, devices\.list, values\.list/);
    assert.deepEqual(await faults('', {}), ['topic']);
  });

  test('health comes as it is, and as text for Prometheus', async () => {
    const health = await result<GatewayHealth>('health.get');
    assert.equal(health.connections[0]?.name, 'Main');
    const { contentType, text } = await result<{ contentType: string; text: string }>('metrics.get', {});
    assert.equal(contentType, 'text/plain; version=0.0.4; charset=utf-8');
    assert.match(text, /^lorua_chirpstack_up\{connection="Main",id="main"\} 1$/m);
    assert.deepEqual(await faults('metrics.get', { job: 'x' }), ['payload']);
  });

  test('wrong payloads are told with all faults', async () => {
    assert.deepEqual(await faults('devices.list', { offset: -1, limit: 0, sort: 'colour' }), [
      'payload.offset',
      'payload.limit',
      'payload.sort',
    ]);
    assert.deepEqual(await faults('values.list', { applicationId: 'x', devEui: 'y', quality: 'Great' }), [
      'payload.applicationId',
      'payload.devEui',
      'payload.quality',
    ]);
    assert.deepEqual(await faults('devices.list', 'text'), ['payload']);
    assert.deepEqual(await faults('devices.list', { applicationId: 7 }), ['payload.applicationId']);
    assert.deepEqual(await faults('status.get', { typo: 1 }), ['payload']);
  });

  test('a fault of its own is an answer and a log entry', async () => {
    connections = undefined as never;
    assert.deepEqual(await faults('status.get'), ['topic']);
    assert.equal(entries.at(-1)?.code, 'status.get');
  });

  test('the revision grows with inventory and metrics', async () => {
    const { revision } = await administration.handle('status.get', '');
    store.accept({ device: { devEui: eui(1) }, values: { new: 1 }, time: T, quality: {}, origin: 'event' });
    assert.ok((await administration.handle('status.get', null)).revision > revision);
  });
});

describe('status.get', () => {
  test('tells how everything is', async () => {
    const status = await result<GatewayStatus>('status.get');
    assert.deepEqual(status.connections, connections);
    assert.equal(status.store.state, 'opening');
    assert.deepEqual(status.opcua, {
      sessions: 2,
      channels: 3,
      subscriptions: 4,
      monitoredItems: 5,
      endpointUrls: ['opc.tcp://h:4840'],
    });
    assert.deepEqual(status.counts, { fresh: 1, stale: 0, dead: 0, applications: 2, devices: 3, metrics: 3 });
    assert.match(status.version, /^\d+\.\d+\.\d+/);
    assert.ok(status.uptime > 0);
    assert.equal(status.time, T);
    const bare = new Administration({
      ...NO_SERVER,
      users: new UserDirectory({ store, clock, logger }),
      commands: () => undefined,
      store,
      retention,
      folders,
      connections: () => [],
      health: () => healthOf(),
      clock,
      logger,
    });
    const answer = await bare.handle('status.get', undefined);
    assert.ok(answer.ok);
    assert.equal((answer.result as GatewayStatus).opcua, undefined);
  });

  test('says what is worst first', () => {
    const ok: StoreHealth = { state: 'healthy', reason: '', cure: '', pending: 0, lost: 0, committed: 0 };
    const counts = { fresh: 1, stale: 0, dead: 0 };
    const withState = (state: ConnectionHealth['state']) => [
      { id: 'main', name: 'Main', health: { ...connected, state } },
    ];
    const cases: [ReturnType<typeof verdict>, string, RegExp][] = [
      [
        verdict(withState('unauthenticated'), { ...ok, state: 'degraded' }, counts, 0),
        'error',
        /Main.*unauthenticated/,
      ],
      [verdict(withState('disconnected'), ok, counts, 1), 'error', /disconnected/],
      [verdict([], { ...ok, state: 'degraded', reason: 'disk full' }, counts, 0), 'error', /disk full/],
      [verdict([], ok, counts, 0), 'warning', /No ChirpStack/],
      [verdict(withState('connecting'), ok, counts, 0), 'warning', /Connecting/],
      [verdict(connections, ok, counts, 0), 'warning', /no devices/],
      [verdict(connections, ok, { fresh: 0, stale: 2, dead: 3 }, 1, ['overloaded']), 'warning', /too much to do/],
      [verdict(connections, ok, { fresh: 0, stale: 2, dead: 3 }, 1, ['streams-missing']), 'warning', /streams/],
      [verdict(connections, ok, { fresh: 0, stale: 2, dead: 3 }, 1, ['mqtt-lost']), 'warning', /MQTT/],
      [verdict(connections, ok, counts, 1, ['certificate-expired']), 'warning', /certificate/],
      [verdict(connections, ok, { fresh: 0, stale: 2, dead: 3 }, 1), 'warning', /^3 values are lost/],
      [verdict(connections, ok, { fresh: 0, stale: 2, dead: 0 }, 1), 'warning', /^2 values are stale/],
      [verdict(connections, { ...ok, notice: 'set aside' }, counts, 1), 'warning', /set aside/],
      [verdict(connections, ok, counts, 1), 'ok', /fresh/],
    ];
    for (const [{ level, reason }, expected, pattern] of cases) {
      assert.equal(level, expected);
      assert.match(reason, pattern);
    }
  });
});

describe('devices.list', () => {
  const names = async (payload: object): Promise<string[]> =>
    (await result<DeviceList>('devices.list', payload)).rows.map(({ name }) => name);

  test('shows devices with the classes of their values', async () => {
    store.accept({
      device: { devEui: eui(1) },
      values: { t: 1, u: 2 },
      time: T,
      quality: { u: 'Uncertain' },
      origin: 'event',
    });
    const { rows, total, offset } = await result<DeviceList>('devices.list', { limit: 2, offset: 1 });
    assert.deepEqual([total, offset], [3, 1]);
    assert.deepEqual(rows[0], {
      devEui: eui(1),
      name: 'beta',
      applicationId: farm,
      applicationName: 'Farm',
      profileName: 'Probe',
      deviceClass: 'A',
      isDisabled: false,
      lastSeenAt: T,
      batteryLevel: 80,
      metrics: 2,
      good: 1,
      uncertain: 1,
      bad: 0,
    });
    assert.equal(rows[1]?.bad, 1);
  });

  test('is filtered and sorted', async () => {
    assert.deepEqual(await names({}), ['Alpha', 'beta', 'gamma']);
    assert.deepEqual(await names({ descending: true }), ['gamma', 'beta', 'Alpha']);
    assert.deepEqual(await names({ applicationId: plant.toUpperCase() }), ['Alpha']);
    assert.deepEqual(await names({ state: 'enabled', sort: 'devEui' }), ['beta', 'gamma']);
    assert.deepEqual(await names({ state: 'disabled' }), ['Alpha']);
    assert.deepEqual(await names({ search: ' BET ' }), ['beta']);
    assert.deepEqual(await names({ search: '0003' }), ['gamma']);
    assert.deepEqual(await names({ sort: 'lastSeenAt' }), ['beta', 'gamma', 'Alpha']);
    assert.deepEqual(await names({ sort: 'application' }), ['beta', 'gamma', 'Alpha']);
    assert.deepEqual(await names({ sort: 'profile' }), ['beta', 'Alpha', 'gamma']);
    store.accept({ device: { devEui: eui(3) }, values: { t: 1 }, time: T, quality: {}, origin: 'event' });
    assert.deepEqual(await names({ sort: 'state' }), ['beta', 'Alpha', 'gamma']);
  });
});

describe('values.list', () => {
  const keys = async (payload: object): Promise<string[]> =>
    (await result<ValueList>('values.list', payload)).rows.map(({ deviceName, key }) => `${deviceName}/${key}`);
  beforeEach(() => {
    store.accept({
      device: { devEui: eui(1) },
      values: { t: 1.5, n: 2n ** 60n },
      time: T - 10,
      quality: {},
      origin: 'event',
    });
    store.accept({
      device: { devEui: eui(3) },
      values: { t: 2 },
      time: T + 50,
      quality: { t: 'UncertainSubNormal' },
      origin: 'metrics',
    });
  });

  test('shows value, quality, source time and age; integers of 64 bits as text', async () => {
    const { rows, total } = await result<ValueList>('values.list', { devEui: '00-00-00-00-00-00-00-01' });
    assert.equal(total, 2);
    assert.deepEqual(rows[0], {
      devEui: eui(1),
      deviceName: 'beta',
      applicationId: farm,
      applicationName: 'Farm',
      key: 't',
      metricName: 'Temp',
      dataType: 'Double',
      value: 1.5,
      unit: null,
      unitGuessed: false,
      state: null,
      quality: 'Good',
      qualityClass: 'Good',
      time: T - 10,
      age: 10,
      origin: 'event',
    });
    assert.equal(rows[1]?.value, (2n ** 60n).toString());
    assert.doesNotThrow(() => JSON.stringify(rows));
  });

  test('shows the unit that is known, and the text of a state', async () => {
    const tags = { unit_t: '°C', states_door: 'closed|open', unit_n: 'count' };
    const [first] = inventory.devices.values();
    assert.ok(first);
    const devices = new Map(inventory.devices).set(first.devEui, { ...first, tags });
    store.inventory.replace(parseSourceId('c'), { ...inventory, devices });
    const values = { door: true, humidity: 40 };
    store.accept({ device: { devEui: eui(1) }, values, time: T, quality: {}, origin: 'event' });
    const { rows } = await result<ValueList>('values.list', { devEui: eui(1) });
    assert.deepEqual(
      rows.map(({ key, unit, unitGuessed, state }) => [key, unit, unitGuessed, state]),
      [
        ['t', '°C', false, null],
        ['n', null, false, null],
        ['door', null, false, 'open'],
        ['humidity', '%', true, null],
      ],
    );
    const ownMeanings: OwnMeanings = (device, key) =>
      device === eui(1) && key === 'humidity' ? { unit: 'g/m3' } : undefined;
    const other = new Administration({
      ...NO_SERVER,
      users: new UserDirectory({ store, clock, logger }),
      commands: () => undefined,
      store,
      retention,
      folders,
      connections: () => [],
      health: () => healthOf(),
      ownMeanings,
      clock,
      logger,
    });
    const answer = await other.handle('values.list', { devEui: eui(1), search: 'humidity' });
    assert.ok(answer.ok);
    assert.equal((answer.result as ValueList).rows[0]?.unit, 'g/m³');
  });

  test('a metric that waits has no value, a time in the future no negative age', async () => {
    const { rows } = await result<ValueList>('values.list', {});
    const { value, quality, time, age, origin } = rows[0] ?? {};
    assert.deepEqual([value, quality, time, age, origin], [null, 'BadWaitingForInitialData', null, null, null]);
    assert.equal(rows.at(-1)?.age, 0);
  });

  test('is filtered, sorted and paged', async () => {
    assert.deepEqual(await keys({}), ['Alpha/t', 'beta/t', 'beta/n', 'gamma/t']);
    assert.deepEqual(await keys({ descending: true, limit: 1 }), ['gamma/t']);
    assert.deepEqual(await keys({ offset: 3 }), ['gamma/t']);
    assert.deepEqual(await keys({ applicationId: plant }), ['Alpha/t']);
    assert.deepEqual(await keys({ quality: 'Good' }), ['beta/t', 'beta/n']);
    assert.deepEqual(await keys({ quality: 'Uncertain' }), ['gamma/t']);
    assert.deepEqual(await keys({ quality: 'BadWaitingForInitialData' }), ['Alpha/t']);
    assert.deepEqual(await keys({ search: 'temp' }), ['Alpha/t', 'beta/t', 'gamma/t']);
    assert.deepEqual(await keys({ search: 'BETA' }), ['beta/t', 'beta/n']);
    assert.deepEqual(await keys({ sort: 'metric' }), ['Alpha/t', 'beta/t', 'gamma/t', 'beta/n']);
    assert.deepEqual(await keys({ sort: 'quality', descending: true }), ['Alpha/t', 'gamma/t', 'beta/t', 'beta/n']);
    assert.deepEqual(await keys({ sort: 'time' }), ['beta/t', 'beta/n', 'gamma/t', 'Alpha/t']);
  });
});
