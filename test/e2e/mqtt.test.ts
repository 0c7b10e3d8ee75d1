/** With CHIRPSTACK_MQTT_URL the reference flow takes events from a real broker instead of gRPC streams. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { Aedes } from 'aedes';
import { StatusCodes } from 'node-opcua';
import { basicAuthorization } from '../support/boot-gateway';
import { eventually } from '../support/eventually';
import { type GatewayWorld, startWorld } from '../support/gateway-world';
import { connectionIdentifier, metricIdentifier } from '../support/node-ids';
import { recordedLines } from '../support/paths';

interface RecordedMessage {
  readonly topic: string;
  readonly payload: { readonly object?: { readonly temperature?: number } };
}

const recorded = recordedLines('mqtt-events.ndjson') as RecordedMessage[];
const DEVICE = 'a0b0c0d000000001';

describe('events by MQTT', () => {
  let broker: Aedes;
  let world: GatewayWorld;
  let closeServer: () => Promise<void>;
  let logins: (string | undefined)[];

  before(async () => {
    logins = [];
    broker = await Aedes.createBroker({
      authenticate: (_client, user, password, done) => {
        logins.push(user);
        done(null, user === 'gateway' && password?.toString() === 'a broker secret');
      },
    });
    const server = createServer(broker.handle);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closeServer = () => new Promise((resolve) => server.close(() => resolve()));
    const address = server.address();
    assert.ok(typeof address === 'object' && address !== null);
    world = await startWorld({
      devices: 10,
      period: 60_000,
      environment: {
        CHIRPSTACK_MQTT_URL: `mqtt://127.0.0.1:${address.port}`,
        CHIRPSTACK_MQTT_USER: 'gateway',
        CHIRPSTACK_MQTT_PASSWORD: 'a broker secret',
      },
    });
  });

  after(async () => {
    await world.close();
    await new Promise<void>((resolve) => broker.close(() => resolve()));
    await closeServer();
  });

  test('become OPC UA values with their own time, the inventory still comes by gRPC, and no stream is opened', async () => {
    await eventually(() => broker.connectedClients > 0, 'the gateway at the broker');
    const last = recorded.findLast(({ topic }) => topic.includes(DEVICE) && topic.endsWith('/up'));
    assert.ok(last?.payload.object?.temperature !== undefined);
    const client = await world.connect();
    const nodeId = await client.gatewayNode(metricIdentifier(DEVICE, 'temperature'));
    const time = new Date();
    const payload = JSON.stringify({ ...last.payload, deduplicationId: randomUUID(), time: time.toISOString() });
    const value = await eventually(async () => {
      // Sent again until the subscription stands: the same event is taken once all the same.
      broker.publish(
        { cmd: 'publish', topic: last.topic, payload, qos: 0, retain: false, dup: false },
        () => undefined,
      );
      const read = await client.read(nodeId);
      return read.statusCode.equals(StatusCodes.Good) ? read : undefined;
    }, 'the temperature');
    assert.equal(value.value.value, last.payload.object.temperature);
    assert.equal(value.sourceTimestamp?.getTime(), time.getTime());
    const streams = await client.read(await client.gatewayNode(connectionIdentifier('streamsOpen')));
    assert.equal(streams.value.value, 0);
    const devices = await client.read(await client.gatewayNode(connectionIdentifier('devices')));
    assert.equal(devices.value.value, 10);
    const { web, user, password } = world.gateway;
    const answer = await fetch(`${web}/metrics`, { headers: basicAuthorization(user, password) });
    const metrics = await answer.text();
    assert.match(metrics, /^lorua_mqtt_up\{node="Decode events",id="[0-9a-f]{16}"\} 1$/m);
    assert.match(metrics, /^lorua_mqtt_last_event_timestamp_seconds\{/m);
    assert.match(metrics, /^lorua_service_level 255$/m);
    assert.deepEqual([...new Set(logins)], ['gateway']);
    assert.ok(!world.gateway.output().includes('a broker secret'));
  });
});
