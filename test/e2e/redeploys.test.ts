/**
 * People deploy while the plant runs: a connected client keeps its session and subscription, values go on, and nothing
 * piles up. LORUA_CAMPAIGN=full makes it fifty deploys.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import type { ClientSubscription } from 'node-opcua';
import { isPortFree } from '../support/boot-gateway';
import { eventually } from '../support/eventually';
import { type GatewayWorld, startWorld } from '../support/gateway-world';
import { parseMetricNodeId } from '../support/node-ids';
import type { TestClient } from '../support/opcua-client';

const FULL = process.env.LORUA_CAMPAIGN === 'full';
const DEVICES = 12;
const DEPLOYS = FULL ? 50 : 10;
/** What a deploy of modified nodes changes, one type after the other. */
const CHANGED_TYPES = [
  'chirpstack-poller',
  'stale-detector',
  'opcua-gateway-server',
  'gateway-database',
  'metric-store',
];
/** Descriptors that come and go by themselves: timers of the database, web connections of this test. */
const DESCRIPTOR_NOISE = 6;

interface FlowNode {
  readonly id: string;
  readonly type: string;
  readonly name?: string;
  readonly info?: string;
}

interface Flows {
  readonly flows: readonly FlowNode[];
  readonly rev: string;
}

interface Usage {
  /** Open file descriptors. */
  readonly descriptors: number;
  /** Resident memory, MiB. */
  readonly memory: number;
}

/** Of a process on Linux; undefined elsewhere. */
function usageOf(pid: number | undefined): Usage | undefined {
  if (!existsSync(`/proc/${pid}/fd`)) return undefined;
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return {
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    memory: Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1_024),
  };
}

describe(`${DEPLOYS} deploys under a subscribed client`, () => {
  let world: GatewayWorld;
  let client: TestClient;
  let subscription: ClientSubscription;
  let newestGood = 0;
  const goodTimes = new Map<string, number>();
  const doubled: string[] = [];
  const subscriptionTroubles: string[] = [];
  const statuses = new Map<string, number>();

  const readFlows = async (): Promise<Flows> => {
    const answer = await world.admin('/flows', { headers: { 'Node-RED-API-Version': 'v2' } });
    assert.equal(answer.status, 200);
    return (await answer.json()) as Flows;
  };
  const deploy = async (type: 'full' | 'nodes', { flows, rev }: Flows): Promise<void> => {
    const answer = await world.admin('/flows', {
      method: 'POST',
      headers: { 'Node-RED-API-Version': 'v2', 'Node-RED-Deployment-Type': type },
      body: JSON.stringify({ flows, rev }),
    });
    assert.equal(answer.status, 200, await answer.text());
  };

  before(async () => {
    world = await startWorld({ devices: DEVICES, period: 1_000 });
    client = await world.connect();
    const variables = await world.allMetricsKnown(client);
    subscription = await client.subscribe(variables, ({ nodeId, dataValue }) => {
      const { name } = dataValue.statusCode;
      statuses.set(name, (statuses.get(name) ?? 0) + 1);
      const metric = parseMetricNodeId(nodeId);
      if (!metric || name !== 'Good') return;
      const time = dataValue.sourceTimestamp?.getTime() ?? 0;
      const key = `${metric.devEui}/${metric.key} ${time}`;
      const seen = goodTimes.get(key);
      if (seen !== undefined) doubled.push(key);
      goodTimes.set(key, (seen ?? 0) + 1);
      newestGood = Math.max(newestGood, time);
    });
    subscription.on('terminated', () => subscriptionTroubles.push('terminated'));
    subscription.on('status_changed', (status) => subscriptionTroubles.push(status.name));
  });
  after(() => world?.close());

  test('session, subscription and values go on, and nothing leaks', async (t) => {
    const sessionId = client.session.sessionId.toString();
    const { subscriptionId } = subscription;
    const usages: (Usage | undefined)[] = [];

    for (let number = 1; number <= DEPLOYS; number++) {
      const isFull = number % 2 === 1;
      const type = isFull ? 'comment' : CHANGED_TYPES[(number / 2 - 1) % CHANGED_TYPES.length];
      const current = await readFlows();
      const target = current.flows.find((node) => node.type === type);
      assert.ok(target, `the flow has a ${type}`);
      const changed = isFull ? { info: `Deploy ${number}` } : { name: `Name ${number}` };
      const deployedAt = Date.now();
      await deploy(isFull ? 'full' : 'nodes', {
        ...current,
        flows: current.flows.map((node) => (node === target ? { ...node, ...changed } : node)),
      });
      await eventually(() => newestGood > deployedAt, `values after deploy ${number} (${isFull ? 'full' : type})`);
      await eventually(
        () => world.simulator.server.openStreams === DEVICES,
        `one event stream a device after deploy ${number}, not ${world.simulator.server.openStreams}`,
      );
      usages.push(usageOf(world.gateway.process.pid));
    }
    await world.quiet(() => client.troubles.length);

    assert.deepEqual(client.troubles, [], 'connection and session were never lost');
    assert.deepEqual(subscriptionTroubles, []);
    assert.equal(client.session.sessionId.toString(), sessionId);
    assert.equal(subscription.subscriptionId, subscriptionId);
    assert.deepEqual(doubled, [], 'no value came twice');
    assert.equal(world.simulator.server.openStreams, DEVICES);
    assert.doesNotMatch(world.gateway.output(), /uncaught|unhandled/i);
    t.diagnostic(`notifications by status: ${[...statuses].map(([name, count]) => `${name} ${count}`).join(', ')}`);

    const middle = usages[Math.floor(DEPLOYS / 2) - 1];
    const end = usages.at(-1);
    if (middle === undefined || end === undefined) {
      t.diagnostic('memory and descriptors were not looked at: this system has no /proc');
      return;
    }
    t.diagnostic(`descriptors ${usages.map((usage) => usage?.descriptors).join(' ')}`);
    t.diagnostic(`resident memory, MiB: ${usages.map((usage) => usage?.memory).join(' ')}`);
    assert.ok(end.descriptors <= middle.descriptors + DESCRIPTOR_NOISE, 'descriptors pile up');
    // Few deploys say nothing about memory: the collector takes its time.
    if (FULL) assert.ok(end.memory <= middle.memory * 1.2, 'memory piles up');
  });

  test('deleting the server node frees the port', async () => {
    const current = await readFlows();
    await deploy('nodes', {
      ...current,
      flows: current.flows.filter((node) => node.type !== 'opcua-gateway-server'),
    });
    await eventually(() => isPortFree(world.gateway.opcuaPort), 'the port to be free');
    await client.close();
  });
});
