/** The very first start, as the README says it: no settings, the simulator, an empty folder. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StatusCodes } from 'node-opcua';
import { bootGateway, PASSWORD } from '../support/boot-gateway';
import { eventually } from '../support/eventually';
import { parseMetricNodeId } from '../support/node-ids';
import { TestClient } from '../support/opcua-client';

test('soon after the first start a client reads a Good value of every metric that a simulated device sent', async (t) => {
  const begun = performance.now();
  const gateway = await bootGateway({ environment: { OPCUA_TRUST_ALL_CLIENTS: 'true' } });
  try {
    t.diagnostic(`ready after ${((performance.now() - begun) / 1_000).toFixed(1)} s`);
    const client = await TestClient.connect({ url: gateway.endpointUrl, user: gateway.user, password: PASSWORD });
    const root = await client.gatewayNode('lorawan');
    const isMetric = (id: string): boolean => parseMetricNodeId(id) !== undefined;
    const { variables, waiting } = await eventually(async () => {
      const metrics = (await client.variablesBelow(root)).filter(isMetric);
      const values = await client.readAll(metrics);
      const count = (code: typeof StatusCodes.Good): number =>
        values.filter(({ statusCode }) => statusCode.equals(code)).length;
      const good = count(StatusCodes.Good);
      const none = count(StatusCodes.BadWaitingForInitialData);
      // The device that never sent waits; the one that fell silent and the one with codec errors are Uncertain.
      return metrics.length > 60 && good >= metrics.length - none - 12
        ? { variables: metrics.length, waiting: none }
        : undefined;
    }, 'Good values of the fleet');
    t.diagnostic(
      `${variables} metrics, ${waiting} never sent, Good after ${((performance.now() - begun) / 1_000).toFixed(1)} s`,
    );
    await client.close();
  } finally {
    const { code } = await gateway.stop();
    assert.equal(code, 0);
  }
});
