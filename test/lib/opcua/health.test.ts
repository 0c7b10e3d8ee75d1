/** Objects/Gateway as a real client sees it. */
import assert from 'node:assert/strict';
import { after, afterEach, beforeEach, test } from 'node:test';
import {
  AttributeIds,
  BrowseDirection,
  type ClientMonitoredItemBase,
  DataType,
  type DataValue,
  NodeClass,
  type ReferenceDescription,
  StatusCodes,
  TimestampsToReturn,
} from 'node-opcua';
import type { ConnectionHealth, ConnectionReport, GatewayHealth } from '../../../lib/model';
import type { GatewayServer } from '../../../lib/opcua';
import { healthOf } from '../../support/gateway-health';
import { ManualClock } from '../../support/manual-clock';
import { type Connected, connect, startServer, subscribe, temporaryFolder, until } from './support';

const { folder, remove } = temporaryFolder();
after(remove);

const MEBIBYTE = 1_048_576;

let clock: ManualClock;
let server: GatewayServer;
let client: Connected;

beforeEach(async () => {
  clock = new ManualClock();
  server = await startServer(folder, {}, { clock });
  client = await connect(server, folder);
});

afterEach(async () => {
  await client.close();
  await server.stop();
  assert.equal(clock.pendingTimers, 0, 'no timer is left');
});

function connection(changes: Partial<ConnectionHealth> = {}, report: Partial<ConnectionReport> = {}): ConnectionReport {
  return {
    id: report.name ?? 'Main',
    name: 'Main',
    health: {
      state: 'connected',
      since: clock.now(),
      reason: '',
      cure: '',
      errorCount: 6,
      errors: { network: 4, timeout: 2 },
      applications: 1,
      devices: 4,
      streamsOpen: 4,
      streamsWanted: 4,
      uplinks: 9,
      ...changes,
    },
    recentErrors: { timeout: 2 },
    ...report,
  };
}

function full(changes: Partial<GatewayHealth> = {}): GatewayHealth {
  return healthOf({
    connections: [connection()],
    lastEvent: clock.now() - 5_000,
    storeSize: { bytes: 2 ** 33, freeBytes: 4_096 },
    clients: { sessions: 1, channels: 2, subscriptions: 3, monitoredItems: 4 },
    eventLoop: { p50: 0.04, p99: 12.345, max: 99 },
    memory: { rss: 200 * MEBIBYTE + 3, heapUsed: 80 * MEBIBYTE - 5, heapTotal: 100 * MEBIBYTE },
    ...changes,
  });
}

const nodeId = (path: string): string => `ns=3;s=gateway/${path}`;
const read = async (path: string): Promise<unknown> => {
  const { value, statusCode } = await client.read(nodeId(path));
  assert.ok(statusCode.equals(StatusCodes.Good), `${path}: ${statusCode.toString()}`);
  // A number of 64 bits comes as its halves.
  const { value: plain } = value;
  return value.dataType === DataType.UInt64 ? Number(plain[0]) * 2 ** 32 + Number(plain[1]) : plain;
};
const unitOf = async (path: string): Promise<string> =>
  ((await client.read(nodeId(`${path}/EngineeringUnits`))).value.value as { displayName: { text: string } }).displayName
    .text;

test('the health of the gateway is shown with its types and units', async () => {
  assert.ok(
    (await client.read(nodeId('process/rss'))).statusCode.equals(StatusCodes.BadWaitingForInitialData),
    'nothing is claimed before it is known',
  );
  server.publishHealth(full());
  const shown: Readonly<Record<string, unknown>> = {
    uptime: 3_600,
    serviceLevel: 255,
    serviceLevelReasons: [],
    lastEvent: new Date(clock.now() - 5_000),
    'devices/total': 4,
    'devices/fresh': 2,
    'devices/stale': 1,
    'devices/dead': 0,
    'devices/valuesFresh': 20,
    'devices/valuesStale': 3,
    'devices/valuesDead': 0,
    'clients/channels': 2,
    'clients/subscriptions': 3,
    'clients/monitoredItems': 4,
    'process/eventLoopP50': 0,
    'process/eventLoopP99': 12.3,
    'process/eventLoopMax': 99,
    'process/rss': 200 * MEBIBYTE,
    'process/heapUsed': 80 * MEBIBYTE,
    'process/heapTotal': 100 * MEBIBYTE,
    'store/state': 1,
    'store/committed': 26,
    'store/size': 2 ** 33,
    'store/freeSize': 4_096,
    'connection/Main/state': 1,
    'connection/Main/errors/network': 4,
    'connection/Main/errors/timeout': 2,
    'connection/Main/errors/server': 0,
    'connection/Main/recentErrors/timeout': 2,
    'connection/Main/recentErrors/network': 0,
    'connection/Main/recentErrorCount': 2,
  };
  for (const [path, value] of Object.entries(shown)) {
    const found = await read(path);
    assert.deepEqual(Array.isArray(value) ? Array.from(found as Iterable<unknown>) : found, value, path);
    const description = await client.read(nodeId(path), AttributeIds.Description);
    assert.notEqual((description.value.value as { text: string }).text, '', path);
  }
  assert.equal(await unitOf('uptime'), 's');
  assert.equal(await unitOf('process/rss'), 'byte');
  assert.equal(await unitOf('process/eventLoopMax'), 'ms');
  assert.equal(await unitOf('store/size'), 'byte');
});

test('what is shown has all that its types promise, and nothing besides', async () => {
  server.publishHealth(full());
  const children = async (id: string): Promise<ReferenceDescription[]> => {
    const { references } = await client.session.browse({
      nodeId: id,
      referenceTypeId: 'HasComponent',
      includeSubtypes: true,
      browseDirection: BrowseDirection.Forward,
      resultMask: 63,
    });
    // Alarms are named by nobody's type.
    return (references ?? []).filter(({ browseName }) => browseName.namespaceIndex !== 3);
  };
  const brief = ({ browseName, nodeClass, typeDefinition }: ReferenceDescription): string =>
    `${browseName.toString()} ${NodeClass[nodeClass] ?? ''} ${typeDefinition.toString()}`;
  const fits = async (id: string, type: string): Promise<number> => {
    const own = await children(id);
    const promised = await children(type);
    assert.deepEqual(own.map(brief).sort(), promised.map(brief).sort(), id);
    let sum = own.length;
    for (const { nodeId: part, nodeClass, typeDefinition } of own)
      if (nodeClass.valueOf() === NodeClass.Object.valueOf() && typeDefinition.namespace !== 0)
        sum += await fits(part.toString(), typeDefinition.toString());
    return sum;
  };
  assert.ok((await fits('ns=3;s=gateway', 'ns=2;s=GatewayType')) > 35);
  assert.ok((await fits(nodeId('connection/Main'), 'ns=2;s=ChirpStackConnectionType')) > 25);
});

test('the service level falls with its reasons, and rises again', async () => {
  const level = async (): Promise<unknown> => (await client.read('i=2267')).value.value;
  const reasons = async (): Promise<unknown[]> => Array.from((await read('serviceLevelReasons')) as Iterable<unknown>);
  const told = async (changes: Partial<GatewayHealth>): Promise<unknown[]> => {
    server.publishHealth(full(changes));
    assert.equal(await read('serviceLevel'), await level());
    return [await level(), ...(await reasons())];
  };
  assert.deepEqual(await told({ connections: [connection({ state: 'connecting' })] }), [100, 'connecting']);
  assert.deepEqual(await told({}), [255]);
  assert.deepEqual(await told({ connections: [connection({ streamsOpen: 1 })] }), [180, 'streams-missing']);
  assert.deepEqual(await told({ eventLoop: { p50: 1, p99: 2_000, max: 3_000 } }), [190, 'overloaded']);
  const store = { ...healthOf().store, state: 'degraded', reason: 'disk full' } as const;
  assert.deepEqual(await told({ store }), [199, 'store-degraded']);
  assert.deepEqual(await told({ store, connections: [connection({ state: 'disconnected' })] }), [
    1,
    'no-connection',
    'store-degraded',
  ]);
  assert.deepEqual(await told({}), [255]);
});

test('the service level of the server is told to those who monitor it', async () => {
  server.publishHealth(full());
  const subscription = await subscribe(client.session);
  const levels: unknown[] = [];
  const item = await subscription.monitor(
    { nodeId: 'i=2267', attributeId: AttributeIds.Value },
    { samplingInterval: 50, queueSize: 10, discardOldest: true },
    TimestampsToReturn.Both,
  );
  item.on('changed', ({ value }: DataValue) => levels.push(value.value));
  await until(() => levels.length === 1);
  server.publishHealth(full({ connections: [connection({ state: 'disconnected' })] }));
  await until(() => levels.length === 2);
  assert.deepEqual(levels, [255, 1]);
  await subscription.terminate();
});

test('what is not known any more does not look known', async () => {
  server.publishHealth(full({ connections: [connection(), connection({}, { name: 'Old' })] }));
  const { storeSize: _, ...without } = full();
  server.publishHealth(without);
  server.publishHealth(without);
  assert.equal(await read('connection/Old/state'), 1, 'a deploy may bring it back');
  server.publishHealth(without);
  const size = await client.read(nodeId('store/size'));
  assert.ok(size.statusCode.equals(StatusCodes.UncertainLastUsableValue));
  const gone = async (path: string): Promise<boolean> =>
    (await client.read(nodeId(`connection/Old/${path}`))).statusCode.equals(StatusCodes.BadOutOfService);
  for (const path of ['state', 'errors/network', 'recentErrors/network']) assert.ok(await gone(path), path);
  assert.equal(await read('connection/Main/state'), 1);
  assert.equal(await read('serviceLevel'), 255);

  server.publishHealth(full({ connections: [connection(), connection({ state: 'disconnected' }, { name: 'Old' })] }));
  assert.equal(await read('connection/Old/state'), 2);
  assert.equal(await read('serviceLevel'), 150);
  assert.equal(await read('store/size'), 2 ** 33);
  // A flow that only sends messages is never in a picture, and never missing from one.
  server.publishConnectionHealth({ id: 'By message', name: 'By message' }, connection().health);
  for (let picture = 0; picture < 5; picture++) server.publishHealth(full());
  assert.equal(await read('connection/By%20message/state'), 1);
});

test('connections are told apart by their ids, whatever they are called', async () => {
  const named = (id: string, state: ConnectionHealth['state']): ConnectionReport =>
    connection({ state }, { id, name: 'Plant' });
  server.publishHealth(full({ connections: [named('a/1', 'connected'), named('b', 'disconnected')] }));
  assert.equal(await read('connection/a%2F1/state'), 1);
  assert.equal(await read('connection/b/state'), 2);
  assert.equal(await read('serviceLevel'), 150);
  const displayName = async (path: string): Promise<unknown> =>
    (await client.read(nodeId(path), AttributeIds.DisplayName)).value.value.text;
  assert.equal(await displayName('connection/b'), 'Plant');
  server.publishHealth(full({ connections: [connection({}, { id: 'b', name: 'Plant 2' })] }));
  assert.equal(await displayName('connection/b'), 'Plant 2');
});

test('inputs by MQTT, LoRa gateways and the own certificate are shown, and go when they are gone', async () => {
  const input = { id: 'm', name: 'Broker', state: 'connected', since: 5_000, lastEvent: 6_000 } as const;
  const validTo = clock.now() + 100 * 86_400_000;
  server.publishHealth(full({ mqtt: [input], certificate: { validTo } }));
  assert.equal(await read('mqtt/m/state'), 1);
  assert.deepEqual(await read('mqtt/m/lastEvent'), new Date(6_000));
  assert.deepEqual(await read('certificateValidTo'), new Date(validTo));
  assert.equal(await read('devices/gatewaysOnline'), 2);
  assert.equal(await read('devices/gatewaysOffline'), 1);
  assert.equal(await read('serviceLevel'), 255);
  server.publishHealth(full({ mqtt: [{ ...input, state: 'disconnected' }], certificate: { validTo: clock.now() } }));
  assert.equal(await read('mqtt/m/state'), 0);
  assert.deepEqual(Array.from((await read('serviceLevelReasons')) as Iterable<unknown>), [
    'mqtt-lost',
    'certificate-expired',
  ]);
  for (let picture = 0; picture < 3; picture++) server.publishHealth(full());
  const gone = await client.read(nodeId('mqtt/m/state'));
  assert.ok(gone.statusCode.equals(StatusCodes.BadOutOfService));
  assert.equal(await read('serviceLevel'), 255);
  server.publishHealth(full({ mqtt: [input] }));
  assert.equal(await read('mqtt/m/state'), 1);
});

test('nothing is published when nothing changes', async () => {
  server.publishHealth(full());
  const paths = [
    'uptime',
    'serviceLevel',
    'serviceLevelReasons',
    'devices/fresh',
    'process/rss',
    'process/eventLoopP99',
    'store/size',
    'connection/Main/errors/network',
  ];
  const subscription = await subscribe(client.session);
  const changes: string[] = [];
  const group = await subscription.monitorItems(
    paths.map((path) => ({ nodeId: nodeId(path), attributeId: AttributeIds.Value })),
    { samplingInterval: 0, queueSize: 100, discardOldest: true },
    TimestampsToReturn.Both,
  );
  group.on('changed', (item: ClientMonitoredItemBase) => changes.push(item.itemToMonitor.nodeId.value.toString()));
  await until(() => changes.length === paths.length);
  changes.length = 0;
  await clock.advance(10_000);
  server.publishHealth(full({ memory: { rss: 200 * MEBIBYTE - 7, heapUsed: 80 * MEBIBYTE, heapTotal: 1 } }));
  server.publishHealth(full({ devices: { total: 4, fresh: 3, stale: 0, dead: 0 } }));
  await until(() => changes.length > 0);
  assert.deepEqual(changes, ['gateway/devices/fresh']);
  await subscription.terminate();
});
