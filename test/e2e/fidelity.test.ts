/**
 * What an OPC UA client is notified of is exactly what the simulated fleet sent: every value, at its own source time,
 * none invented, none doubled. LORUA_CAMPAIGN=full makes it 60 s.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { StatusCodes } from 'node-opcua';
import { flatten } from '../../lib/model';
import { eventually } from '../support/eventually';
import { type GatewayWorld, startWorld } from '../support/gateway-world';
import { parseMetricNodeId } from '../support/node-ids';
import type { Notification } from '../support/opcua-client';

const FULL = process.env.LORUA_CAMPAIGN === 'full';
const DEVICES = 100;
const SECONDS = FULL ? 60 : 12;

describe(`a fleet of ${DEVICES} devices for ${SECONDS} s`, () => {
  let world: GatewayWorld;
  before(async () => {
    world = await startWorld({ devices: DEVICES, period: 2_000 });
  });
  after(() => world.close());

  test('arrives at an OPC UA client value by value and time by time', async () => {
    const client = await world.connect();
    const variables = await world.allMetricsKnown(client);

    const notified: Notification[] = [];
    await client.subscribe(variables, (notification) => notified.push(notification));
    await eventually(() => notified.length >= variables.length, 'the first notification of each variable');

    const sent = new Map<string, unknown>();
    // What was sent in this very millisecond may have been sent before anybody listened.
    const from = Date.now() + 1;
    const stop = world.simulator.onUplink((uplink) => {
      if (uplink.object === undefined) return;
      for (const [key, value] of Object.entries(flatten(uplink.object).values))
        sent.set(`${uplink.devEui} ${key} ${uplink.time}`, value);
    });
    await pause(SECONDS * 1_000);
    stop();
    // The server goes on: what was sent last is still under way.
    world.simulator.fleet.pause();
    await world.quiet(() => notified.length);

    const received = new Map<string, unknown>();
    for (const { nodeId, dataValue } of notified) {
      const metric = parseMetricNodeId(nodeId);
      const time = dataValue.sourceTimestamp?.getTime() ?? 0;
      // Values from before the test began, and changes of quality alone, are not uplinks of the test.
      if (!metric || time < from || !dataValue.statusCode.equals(StatusCodes.Good)) continue;
      const key = `${metric.devEui} ${metric.key} ${time}`;
      assert.ok(!received.has(key), `doubled: ${key}`);
      received.set(key, dataValue.value.value);
    }
    assert.ok(sent.size > DEVICES, 'the fleet sent');
    for (const [key, value] of sent)
      if (Number(key.split(' ')[2]) >= from) assert.deepEqual(received.get(key), value, `lost or changed: ${key}`);
    for (const key of received.keys()) assert.ok(sent.has(key), `invented: ${key}`);
    await client.close();
  });
});
