import assert from 'node:assert/strict';
import { createServer, type Server, type Socket } from 'node:net';
import { after, afterEach, before, describe, test } from 'node:test';
import { Aedes } from 'aedes';
import { decodeEvent } from '../../lib/chirpstack';
import { deviceEventMessage, readingMessage } from '../../lib/messages';
import type { GatewayHealth } from '../../lib/model';
import type { GatewayDatabaseNode } from '../../nodes/common/services';
import { eventually } from '../support/eventually';
import {
  collect,
  coreNode,
  deploy,
  errorOf,
  type FlowMessage,
  type FlowNode,
  give,
  node,
  startFlow,
  statuses,
  stopFlow,
} from '../support/flow';
import { recordedLines } from '../support/paths';

interface RecordedMessage {
  topic: string;
  payload: Record<string, unknown>;
}

const recorded = recordedLines('mqtt-events.ndjson') as RecordedMessage[];

/** What the gRPC stream would have made of a recorded event. */
function expected(message: RecordedMessage): Record<string, unknown> | undefined {
  const decoded = decodeEvent(message.topic.split('/').at(-1) ?? '', message.payload, { replayed: false });
  if (decoded.kind === 'ignored') return undefined;
  return decoded.kind === 'reading' ? readingMessage(decoded.reading) : deviceEventMessage(decoded.event);
}

function plain(message: FlowMessage): Record<string, unknown> {
  // What Node-RED, `mqtt in` (_topic only for a broker on this machine) and `http in` add.
  const { _msgid, _topic, qos, retain, responseTopic, correlationData, req, res, ...rest } = message;
  return JSON.parse(JSON.stringify(rest)) as Record<string, unknown>;
}

const wanted = recorded.map(expected).filter((message) => message !== undefined);
const wantedReadings = wanted.filter((message) => message.topic !== 'device-event');
const wantedEvents = wanted.filter((message) => message.topic === 'device-event');

const EVENTS_FLOW = [
  { id: 'events', type: 'chirpstack-events', wires: [['readings'], ['others']] },
  { id: 'readings', type: 'helper', wires: [] },
  { id: 'others', type: 'helper', wires: [] },
];

describe('chirpstack-events', () => {
  afterEach(stopFlow);

  for (const [form, payload] of [
    ['object', (body: unknown) => body],
    ['text', (body: unknown) => JSON.stringify(body)],
    ['Buffer', (body: unknown) => Buffer.from(JSON.stringify(body))],
  ] as const)
    test(`makes of MQTT messages (${form}) what the gRPC stream makes of the same events`, async () => {
      await startFlow(EVENTS_FLOW);
      const readings = collect('readings');
      const others = collect('others');
      for (const message of recorded) give('events', { topic: message.topic, payload: payload(message.payload) });
      await eventually(() => readings.length + others.length >= wanted.length, 'all recorded events');
      assert.deepEqual(readings.map(plain), JSON.parse(JSON.stringify(wantedReadings)));
      assert.deepEqual(others.map(plain), JSON.parse(JSON.stringify(wantedEvents)));
    });

  test('takes what the HTTP integration posts', async () => {
    await startFlow(EVENTS_FLOW);
    const readings = collect('readings');
    for (const message of recorded)
      give('events', {
        req: { query: { event: message.topic.split('/').at(-1) } },
        payload: message.payload,
      });
    await eventually(() => readings.length >= wantedReadings.length, 'all recorded uplinks');
    assert.deepEqual(readings.map(plain), JSON.parse(JSON.stringify(wantedReadings)));
  });

  test('keeps properties of the message that the contract does not name', async () => {
    await startFlow(EVENTS_FLOW);
    const readings = collect('readings');
    const up = recorded.find((message) => message.topic.endsWith('/up'));
    assert.ok(up);
    give('events', { ...up, line: 7, _msgid: 'abc' });
    await eventually(() => readings.length === 1, 'the reading');
    assert.equal(readings[0]?.line, 7);
    assert.equal(readings[0]?._msgid, 'abc');
  });

  test('ends a message that is no event in an error which a Catch node sees', async () => {
    await startFlow([
      ...EVENTS_FLOW,
      { id: 'catch', type: 'catch', scope: null, uncaught: false, wires: [['caught']] },
      { id: 'caught', type: 'helper', wires: [] },
    ]);
    const caught = collect('caught');
    give('events', { topic: 'application/x/device/y/event/up', payload: 'no JSON {' });
    await eventually(() => caught.length === 1, 'the caught message');
    assert.match(errorOf(caught[0]), /payload/);
  });
});

describe('chirpstack-events behind a real broker', () => {
  let broker: Aedes;
  let server: Server;
  let port: number;
  const sockets = new Set<Socket>();

  before(async () => {
    broker = await Aedes.createBroker();
    server = createServer((socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      broker.handle(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    assert.ok(typeof address === 'object' && address);
    port = address.port;
  });

  afterEach(stopFlow);

  after(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise<void>((resolve) => broker.close(() => resolve()));
    await new Promise<void>((resolve) => server.close(() => resolve()));
  });

  test('gives the readings of every recorded event through mqtt in', async () => {
    let subscribed = false;
    broker.once('subscribe', () => {
      subscribed = true;
    });
    await startFlow(
      [
        // The broker of this test speaks no MQTT 5.
        { id: 'broker', type: 'mqtt-broker', broker: '127.0.0.1', port, protocolVersion: '4', keepalive: '60' },
        {
          id: 'in',
          type: 'mqtt in',
          topic: 'application/+/device/+/event/+',
          qos: '0',
          datatype: 'auto-detect',
          broker: 'broker',
          inputs: 0,
          wires: [['events']],
        },
        ...EVENTS_FLOW,
      ],
      { coreNodes: [coreNode('network/10-mqtt.js')] },
    );
    const readings = collect('readings');
    const others = collect('others');
    await eventually(() => subscribed, 'the subscription of mqtt in', 20_000);
    for (const { topic, payload } of recorded)
      broker.publish(
        { cmd: 'publish', topic, payload: JSON.stringify(payload), qos: 0, retain: false, dup: false },
        () => undefined,
      );
    await eventually(() => readings.length + others.length >= wanted.length, 'all events through the broker', 20_000);
    assert.deepEqual(readings.map(plain), JSON.parse(JSON.stringify(wantedReadings)));
    assert.deepEqual(others.map(plain), JSON.parse(JSON.stringify(wantedEvents)));
  });

  test('tells the health of the gateway whether MQTT is connected, with what a status node hears', async () => {
    const flow = (inUse: boolean): FlowNode[] => [
      { id: 'database', type: 'gateway-database', backend: 'memory' },
      {
        id: 'broker',
        type: 'mqtt-broker',
        broker: '127.0.0.1',
        port,
        protocolVersion: '4',
        keepalive: '60',
        autoConnect: inUse,
      },
      {
        id: 'in',
        type: 'mqtt in',
        topic: 'application/+/device/+/event/+',
        qos: '0',
        datatype: 'auto-detect',
        broker: 'broker',
        inputs: 0,
        wires: [['events']],
      },
      { id: 'state', type: 'status', scope: ['in'], wires: [['events']] },
      { id: 'events', type: 'chirpstack-events', name: 'Plant', database: 'database', wires: [['readings'], []] },
      { id: 'readings', type: 'helper', wires: [] },
    ];
    const coreNodes = [coreNode('network/10-mqtt.js'), coreNode('common/25-status.js')];
    await startFlow(flow(false), { coreNodes });
    const health = (): GatewayHealth =>
      (node('database') as GatewayDatabaseNode).service?.health.current() ?? assert.fail('no health');
    const mqtt = () => health().mqtt[0];
    assert.deepEqual(health().mqtt, [], 'a broker that is not contacted is not missed');
    assert.equal(health().serviceLevel, 255);

    await deploy(flow(true), 'full');
    await eventually(() => mqtt()?.state === 'connected', 'MQTT to be connected', 20_000);
    assert.deepEqual([mqtt()?.id, mqtt()?.name, mqtt()?.lastEvent], ['events', 'Plant', undefined]);
    const readings = collect('readings');
    const up = recorded.find((message) => message.topic.endsWith('/up'));
    assert.ok(up);
    broker.publish(
      { cmd: 'publish', topic: up.topic, payload: JSON.stringify(up.payload), qos: 0, retain: false, dup: false },
      () => undefined,
    );
    await eventually(() => readings.length === 1, 'a reading');
    assert.ok(mqtt()?.lastEvent !== undefined);

    // What was known of MQTT outlives a deploy of the node that decodes the events.
    await deploy(
      flow(true).map((item) => (item.id === 'events' ? { ...item, name: 'Renamed' } : item)),
      'nodes',
    );
    assert.deepEqual([mqtt()?.name, mqtt()?.state], ['Renamed', 'connected']);

    for (const socket of sockets) socket.destroy();
    await eventually(() => mqtt()?.state === 'disconnected', 'MQTT to be lost');
    assert.deepEqual(health().serviceLevelReasons, ['mqtt-lost']);
    await eventually(() => statuses('events').at(-1)?.fill === 'red', 'the node to show it');
    await deploy([{ id: 'database', type: 'gateway-database', backend: 'memory' }], 'nodes');
    assert.deepEqual(health().mqtt, []);
  });
});
