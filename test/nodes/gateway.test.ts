/** The whole gateway as flow of our nodes, from a simulated ChirpStack to an OPC UA client. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, beforeEach, describe, test } from 'node:test';
import { DataType, type DataValue, type StatusCode, StatusCodes } from 'node-opcua';
import { silentLogger, systemClock } from '../../lib/model';
import { Simulator } from '../../lib/simulator';
import type { GatewayDatabaseNode } from '../../nodes/common/services';
import { eventually } from '../support/eventually';
import {
  collect,
  coreNode,
  deploy,
  errorOf,
  type FlowNode,
  give,
  logged,
  node,
  runtimeEvents,
  startFlow,
  stopFlow,
} from '../support/flow';
import { freePort } from '../support/free-port';
import { metricIdentifier } from '../support/node-ids';
import { TestClient } from '../support/opcua-client';

const DAY = 86_400_000;
const USER = 'scada';
const PASSWORD = 'correct horse battery';
const STRANGER = 'ffffffffffff0001';
const TO_FAHRENHEIT = 'msg.payload.temperature = msg.payload.temperature * 9 / 5 + 32; return msg;';

const functionNode = coreNode('function/10-function.js');
const folder = mkdtempSync(join(tmpdir(), 'lorua-nodes-'));
/** Own key and certificate are made once for all tests. */
const pkiFolder = join(folder, 'pki');

let simulator: Simulator;
let url: string;
let devEui: string;
let client: TestClient | undefined;

beforeEach(async () => {
  // Devices that send by themselves would disturb: a test says when.
  simulator = new Simulator({ devices: 6, period: DAY, seed: 3 }, { clock: systemClock, logger: silentLogger });
  ({ url } = await simulator.start());
  devEui = simulator.devicesOfKind('climate')[0]?.devEui ?? '';
  assert.notEqual(devEui, '');
});

afterEach(async () => {
  const open = client;
  client = undefined;
  try {
    await open?.close();
  } finally {
    await stopFlow();
    await simulator.stop();
  }
});

after(() => rmSync(folder, { recursive: true, force: true }));

interface Changes {
  readonly poller?: Record<string, unknown>;
  readonly convert?: string;
  readonly database?: Record<string, unknown>;
  readonly stale?: Record<string, unknown>;
  readonly server?: Record<string, unknown>;
}

function gatewayFlow({
  poller = {},
  convert = TO_FAHRENHEIT,
  database = {},
  stale = {},
  server = {},
}: Changes = {}): FlowNode[] {
  return [
    {
      id: 'connection',
      type: 'chirpstack-connection',
      url,
      tenantId: simulator.tenantId,
      applicationIds: '',
      caFile: '',
      callTimeout: '10',
    },
    { id: 'database', type: 'gateway-database', backend: 'memory', file: '', retentionDays: '7', ...database },
    {
      id: 'poller',
      type: 'chirpstack-poller',
      connection: 'connection',
      database: 'database',
      pollInterval: '1',
      streamEvents: true,
      pollMetrics: false,
      maximumStreams: '100',
      wires: [['convert'], ['stale'], ['server', 'health']],
      ...poller,
    },
    { id: 'convert', type: 'function', func: convert, outputs: 1, libs: [], wires: [['store']] },
    {
      id: 'store',
      type: 'metric-store',
      database: 'database',
      sendRestored: true,
      wires: [['stale', 'stored']],
    },
    { id: 'stored', type: 'helper', wires: [] },
    { id: 'health', type: 'helper', wires: [] },
    {
      id: 'stale',
      type: 'stale-detector',
      database: 'database',
      staleAfter: '',
      intervals: '3',
      deadFactor: '10',
      rules: [],
      wires: [['server']],
      ...stale,
    },
    {
      id: 'server',
      type: 'opcua-gateway-server',
      database: 'database',
      port: '0',
      host: '',
      advertisedHosts: '',
      endpoints: '',
      allowAnonymous: false,
      trustAllClients: true,
      pkiFolder,
      applicationName: 'Lorua',
      maxSessions: '50',
      wires: [['clients']],
      ...server,
    },
    { id: 'clients', type: 'helper', wires: [] },
    { id: 'catch', type: 'catch', scope: null, uncaught: false, wires: [['caught']] },
    { id: 'caught', type: 'helper', wires: [] },
  ];
}

function credentials(): Record<string, Record<string, string>> {
  return { connection: { token: simulator.tenantToken }, server: { user: USER, password: PASSWORD } };
}

function start(flow: readonly FlowNode[] = gatewayFlow()): Promise<void> {
  return startFlow(flow, { credentials: credentials(), coreNodes: [functionNode], userDir: folder });
}

function database(): NonNullable<GatewayDatabaseNode['service']> {
  const { service } = node('database') as GatewayDatabaseNode;
  assert.ok(service);
  return service;
}

/** Where the OPC UA server listens, once it does. */
function listeningPort(): Promise<number> {
  return eventually(() => {
    const endpoint = database().opcua?.endpointUrls[0];
    return endpoint === undefined ? undefined : Number(new URL(endpoint).port);
  }, 'the OPC UA server');
}

async function connectClient(): Promise<TestClient> {
  client = await TestClient.connect({
    url: `opc.tcp://127.0.0.1:${await listeningPort()}`,
    user: USER,
    password: PASSWORD,
  });
  return client;
}

async function metricNode(from: TestClient, key: string, of = devEui): Promise<string> {
  return from.gatewayNode(metricIdentifier(of, key));
}

/** Waits until a metric shows a value, and returns all of it. */
async function shows(from: TestClient, key: string, value: unknown, of = devEui): Promise<DataValue> {
  const nodeId = await metricNode(from, key, of);
  let last: DataValue | undefined;
  return eventually(
    async () => {
      last = await from.read(nodeId);
      return last.value.value === value ? last : undefined;
    },
    `${key} = ${String(value)} (it is ${String(last)})`,
    20_000,
  );
}

/** Waits until the streams of the fleet's devices are open, so that an uplink arrives live. */
async function streaming(): Promise<void> {
  await eventually(
    () =>
      [...database().connections.values()].some(
        ({ health }) => health.streamsWanted >= 6 && health.streamsOpen === health.streamsWanted,
      ),
    'event streams',
    20_000,
  );
  await eventually(() => database().store.inventory.merged().devices.size >= 6, 'the inventory', 20_000);
}

function portIsOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

describe('the gateway as a flow', () => {
  test('shows over OPC UA what a function node made of an uplink', async () => {
    await start();
    const opcua = await connectClient();
    await streaming();
    const uplink = simulator.sendUplink(devEui, { temperature: 20, humidity: 50 });
    const shown = await shows(opcua, 'temperature', 68);
    assert.equal(shown.statusCode, StatusCodes.Good);
    assert.equal(shown.value.dataType, DataType.Double);
    assert.equal(shown.sourceTimestamp?.getTime(), uplink?.time);
    await shows(opcua, 'humidity', 50);
    assert.deepEqual(logged(20), []);
  });

  test('makes variables of injected readings, with the types of their values', async () => {
    await start();
    const opcua = await connectClient();
    await streaming();
    give('store', {
      device: { devEui },
      payload: { dewPoint: 9.5, alarm: true, note: 'cleaned', pulses: 9_007_199_254_740_993n },
    });
    const [dewPoint, alarm, note, pulses] = [
      await shows(opcua, 'dewPoint', 9.5),
      await shows(opcua, 'alarm', true),
      await shows(opcua, 'note', 'cleaned'),
      await eventually(async () => {
        const value = await opcua.read(await metricNode(opcua, 'pulses'));
        return value.statusCode.isGood() ? value : undefined;
      }, 'the counter'),
    ];
    assert.deepEqual(
      [dewPoint, alarm, note, pulses].map(({ value }) => value.dataType),
      [DataType.Double, DataType.Boolean, DataType.String, DataType.Int64],
    );

    give('store', { device: { devEui: STRANGER, name: 'Bench' }, payload: { level: 3 } });
    await shows(opcua, 'level', 3, STRANGER);
    const others = await opcua.browseAll([await opcua.gatewayNode('application/other')]);
    assert.deepEqual(
      others.map(({ displayName }) => displayName.text).filter((name) => name !== 'NodeVersion'),
      ['Bench'],
    );
    assert.deepEqual(logged(20), []);
  });

  test('shows the quality that a function node gives, and leaves out what is no value', async () => {
    await start(
      gatewayFlow({
        convert: 'msg.quality = { temperature: "BadOutOfService" }; msg.payload.humidity = 0 / 0; return msg;',
      }),
    );
    const opcua = await connectClient();
    await streaming();
    const caught = collect('caught');
    simulator.sendUplink(devEui, { temperature: 20, humidity: 50, pressure: 1_013 });
    await shows(opcua, 'pressure', 1_013);
    const { statusCode } = await opcua.read(await metricNode(opcua, 'temperature'));
    assert.equal(statusCode, StatusCodes.BadOutOfService);
    await eventually(() => caught.some((message) => errorOf(message).includes('humidity')), 'the error for Catch');
  });

  test('shows that a codec fails, and that it works again', async () => {
    await start();
    const opcua = await connectClient();
    await streaming();
    const nodeId = await metricNode(opcua, 'temperature');
    simulator.sendUplink(devEui, { temperature: 20 });
    await shows(opcua, 'temperature', 68);
    simulator.sendUplink(devEui, new Uint8Array([1, 2, 3]));
    const doubtful = await eventually(async () => {
      const value = await opcua.read(nodeId);
      return value.statusCode === StatusCodes.UncertainSensorNotAccurate ? value : undefined;
    }, 'the codec error');
    assert.equal(doubtful.value.value, 68);
    simulator.sendUplink(devEui, { temperature: 25 });
    assert.equal((await shows(opcua, 'temperature', 77)).statusCode, StatusCodes.Good);
  });

  test('shows that a device is disabled, and enabled again', async () => {
    await start();
    const opcua = await connectClient();
    await streaming();
    const nodeId = await metricNode(opcua, 'temperature');
    simulator.sendUplink(devEui, { temperature: 20 });
    await shows(opcua, 'temperature', 68);
    simulator.disableDevice(devEui);
    const becomes = (wanted: StatusCode): Promise<true> =>
      eventually(async () => (await opcua.read(nodeId)).statusCode === wanted || undefined, wanted.name, 20_000);
    await becomes(StatusCodes.BadOutOfService);
    simulator.enableDevice(devEui);
    await becomes(StatusCodes.Good);
  });

  test('looks for devices only when triggered, if the interval is 0', async () => {
    await start(gatewayFlow({ poller: { pollInterval: '0' } }));
    assert.equal(database().store.inventory.merged().devices.size, 0);
    give('poller', { payload: 'now' });
    await eventually(() => database().store.inventory.merged().devices.size === 6, 'the inventory', 20_000);
    const added = simulator.addDevice({ kind: 'door', name: 'Gate' });
    give('poller', { payload: 'again' });
    await eventually(() => database().store.inventory.device(added)?.name === 'Gate', 'the new device', 20_000);
    assert.deepEqual(logged(20), []);
  });

  test('tells the flow about connection and clients', async () => {
    await start();
    const health = collect('health');
    const clients = collect('clients');
    await streaming();
    await connectClient();
    await eventually(() => health.some(({ topic }) => topic === 'health'), 'the health');
    await eventually(
      () =>
        clients.some(
          ({ topic, payload }) =>
            topic === 'client-event' && (payload as { type?: string }).type === 'session-activated',
        ),
      'the client event',
    );
  });
});

describe('a redeploy', () => {
  for (const type of ['nodes', 'full'] as const)
    test(`(${type}) keeps the session of OPC UA clients, and values go on`, async () => {
      await start();
      const opcua = await connectClient();
      const port = await listeningPort();
      await streaming();
      simulator.sendUplink(devEui, { temperature: 20 });
      await shows(opcua, 'temperature', 68);
      const notified: DataValue[] = [];
      await opcua.subscribe([await metricNode(opcua, 'temperature')], ({ dataValue }) => notified.push(dataValue));
      await eventually(() => notified.length === 1, 'the first notification');

      await deploy(
        gatewayFlow({ convert: 'msg.payload.temperature = msg.payload.temperature + 273; return msg;' }),
        type,
        credentials(),
      );
      assert.equal(await listeningPort(), port);
      await streaming();
      simulator.sendUplink(devEui, { temperature: 21 });
      await eventually(() => notified.some(({ value }) => value.value === 294), 'the value after the deploy');
      // Nothing was ever taken away from the client.
      assert.ok(
        notified.every(({ statusCode }) => statusCode.isGood()),
        String(notified),
      );
      assert.deepEqual(logged(20), []);
    });

  for (const type of ['nodes', 'full'] as const)
    test(`(${type}) without the server frees its port`, async () => {
      await start();
      const port = await listeningPort();
      assert.equal(await portIsOpen(port), true);
      await deploy(
        gatewayFlow().filter(({ id }) => id !== 'server'),
        type,
        credentials(),
      );
      assert.equal(await portIsOpen(port), false);
      assert.equal(database().opcua, undefined);
    });

  test('of the stale-detector judges values that came before it', async () => {
    await start();
    const opcua = await connectClient();
    await streaming();
    simulator.sendUplink(devEui, { temperature: 20 });
    assert.equal((await shows(opcua, 'temperature', 68)).statusCode, StatusCodes.Good);
    await deploy(gatewayFlow({ stale: { staleAfter: '1', deadFactor: '1000' } }), 'nodes', credentials());
    const nodeId = await metricNode(opcua, 'temperature');
    const stale = await eventually(async () => {
      const value = await opcua.read(nodeId);
      return value.statusCode === StatusCodes.UncertainLastUsableValue ? value : undefined;
    }, 'the judgement of the new detector');
    assert.equal(stale.value.value, 68);
    assert.ok((database().freshness?.().values.stale ?? 0) > 0);
    // Good for a second only: a subscription sees it in any case.
    const notified: DataValue[] = [];
    await opcua.subscribe([nodeId], ({ dataValue }) => notified.push(dataValue));
    simulator.sendUplink(devEui, { temperature: 25 });
    await eventually(
      () => notified.some(({ value, statusCode }) => value.value === 77 && statusCode === StatusCodes.Good),
      'a fresh value',
      20_000,
    );
  });

  test('of the function alone leaves streams and connection as they are', async () => {
    await start();
    await streaming();
    const health = (): unknown => [...database().connections.values()].map((known) => known.health.since);
    const before = health();
    await deploy(gatewayFlow({ convert: 'return msg;' }), 'nodes', credentials());
    await streaming();
    assert.deepEqual(health(), before);
  });

  for (const type of ['nodes', 'full'] as const)
    test(`(${type}) without the poller forgets its connection`, async () => {
      await start();
      await streaming();
      await deploy(
        gatewayFlow().filter(({ id }) => id !== 'poller'),
        type,
        credentials(),
      );
      assert.deepEqual([...database().connections.keys()], []);
    });

  test('many times leaves nothing behind', async () => {
    await start();
    const opcua = await connectClient();
    await streaming();
    const events = runtimeEvents();
    const listeners = (): number[] => events.eventNames().map((name) => events.listenerCount(name));
    await deploy(gatewayFlow({ convert: 'return msg; // 0' }), 'full', credentials());
    await streaming();
    const before = listeners();
    for (let round = 1; round <= 5; round++) {
      await deploy(gatewayFlow({ convert: `return msg; // ${round}` }), round % 2 ? 'nodes' : 'full', credentials());
      await streaming();
    }
    assert.deepEqual(listeners(), before);
    simulator.sendUplink(devEui, { temperature: 20 });
    await shows(opcua, 'temperature', 20);
    assert.deepEqual(logged(20), []);
  });

  test('with another port moves the server', async () => {
    await start();
    const port = await listeningPort();
    const successor = await freePort();
    await deploy(gatewayFlow({ server: { port: String(successor) } }), 'nodes', credentials());
    assert.equal(await listeningPort(), successor);
    assert.equal(await portIsOpen(port), false);
    assert.equal(await portIsOpen(successor), true);
  });
});

describe('a restart', () => {
  test('shows the last values of before from SQLite, without ChirpStack', async () => {
    const flow = gatewayFlow({ database: { backend: 'sqlite', file: 'restart.db' } });
    await start(flow);
    await listeningPort();
    await streaming();
    const stored = collect('stored');
    const uplink = simulator.sendUplink(devEui, { temperature: 20, humidity: 50 });
    await eventually(
      () => stored.some(({ payload }) => (payload as { temperature?: number }).temperature === 68),
      'the stored reading',
      20_000,
    );
    await stopFlow();
    await simulator.stop();

    await start(flow);
    const opcua = await connectClient();
    const shown = await shows(opcua, 'temperature', 68);
    assert.equal(shown.sourceTimestamp?.getTime(), uplink?.time);
    await eventually(
      async () => (await opcua.read(await metricNode(opcua, 'temperature'))).statusCode === StatusCodes.Good,
      'the judgement that the value is fresh',
      20_000,
    );
  });

  test('sends nothing restored if told so', async () => {
    const chain = (sendRestored: boolean): FlowNode[] => [
      { id: 'database', type: 'gateway-database', backend: 'sqlite', file: 'silent.db', retentionDays: '' },
      { id: 'store', type: 'metric-store', database: 'database', sendRestored, wires: [['stored']] },
      { id: 'stored', type: 'helper', wires: [] },
    ];
    const sends = async (sendRestored: boolean): Promise<unknown[]> => {
      await startFlow(chain(sendRestored), { userDir: folder });
      const stored = collect('stored');
      await database().opened;
      // It passes behind all that is restored.
      give('store', { device: { devEui: STRANGER }, payload: { mark: 1 } });
      await eventually(() => stored.some(({ payload }) => 'mark' in (payload as object)), 'the mark');
      await stopFlow();
      return stored.map((message) => message.origin);
    };
    assert.deepEqual(await sends(true), ['flow']);
    assert.deepEqual(await sends(true), ['restored', 'flow']);
    assert.deepEqual(await sends(false), ['flow']);
  });
});

describe('metric-store', () => {
  const FLOW: FlowNode[] = [
    { id: 'database', type: 'gateway-database', backend: 'memory', file: '', retentionDays: '7' },
    { id: 'store', type: 'metric-store', database: 'database', sendRestored: true, wires: [['stored']] },
    { id: 'stored', type: 'helper', wires: [] },
    { id: 'catch', type: 'catch', scope: null, uncaught: false, wires: [['caught']] },
    { id: 'caught', type: 'helper', wires: [] },
  ];
  const time = Date.UTC(2026, 0, 1);

  function stores(message: Record<string, unknown>): void {
    give('store', { device: { devEui: STRANGER }, ...message });
  }

  test('passes the same event on once, with what was known before', async () => {
    await startFlow(FLOW);
    const stored = collect('stored');
    stores({ payload: { level: 1 }, time, eventId: 'a', line: 4 });
    stores({ payload: { level: 1 }, time, eventId: 'a', line: 5 });
    stores({ payload: { level: 2 }, time: time + 1_000, eventId: 'b' });
    await eventually(() => stored.some((message) => message.eventId === 'b'), 'event b');
    const [first, second, ...more] = stored;
    assert.deepEqual(more, []);
    assert.equal(first?.line, 4);
    assert.deepEqual(first?.previous, {});
    assert.deepEqual(second?.payload, { level: 2 });
    assert.deepEqual(second?.previous, {
      level: { value: 1, quality: 'Good', time, statusTime: time, origin: 'flow' },
    });
  });

  test('keeps the last good value when a value of the wrong type comes, and tells Catch once', async () => {
    await startFlow(FLOW);
    const stored = collect('stored');
    const caught = collect('caught');
    stores({ payload: { level: 1, other: 1 }, time });
    stores({ payload: { level: 'full', other: 2 }, time: time + 1_000 });
    await eventually(() => stored.length === 2 && caught.length > 0, 'both readings');
    const second = stored[1];
    assert.deepEqual(second?.payload, { other: 2 });
    assert.deepEqual(second?.quality, { level: 'UncertainLastUsableValue' });
    const current = database().store.values;
    const level = [...current.ofDevice(STRANGER as never)].find(([key]) => key === 'level')?.[1];
    assert.deepEqual([level?.value, level?.quality], [1, 'UncertainLastUsableValue']);
    assert.equal(caught.length, 1);
    const message = errorOf(caught[0]);
    for (const part of [`${STRANGER}/level`, '"full"', 'Double', 'Let the codec'])
      assert.ok(message.includes(part), message);
  });

  test('uses what is usable of a message and refuses one without a device', async () => {
    await startFlow(FLOW);
    const stored = collect('stored');
    const caught = collect('caught');
    stores({ payload: { level: Number.NaN, other: 2 }, time });
    give('store', { payload: { level: 1 } });
    await eventually(() => caught.length === 2, 'both errors');
    await eventually(() => stored.length === 1, 'the reading');
    assert.deepEqual(stored[0]?.payload, { other: 2 });
    assert.match(errorOf(caught[1]), /msg\.device/);
  });
});
