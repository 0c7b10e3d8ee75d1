/**
 * People deploy while the plant runs: a connected client keeps its session and subscription, values go on, and nothing
 * piles up. LORUA_CAMPAIGN=full makes it fifty deploys.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { ClientSubscription } from 'node-opcua';
import { isPortFree } from '../support/boot-gateway';
import { eventually } from '../support/eventually';
import { type GatewayWorld, startWorld } from '../support/gateway-world';
import { type MemoryUse, memoryProbe, readMemoryProbe } from '../support/memory-probe';
import { parseMetricNodeId } from '../support/node-ids';
import { TestClient } from '../support/opcua-client';

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
/** Settings that a running OPC UA server takes over, in the words of its form. */
const LIVE_SETTINGS = { maxSessions: '61', maxSubscriptionsPerSession: '11', removedNodesKeptHours: '2' };
/** Descriptors and handles that come and go by themselves: web connections of this test, streams being opened. */
const NOISE = 6;
/** MiB; what a heap differs by after a collection. */
const HEAP_NOISE = 5;

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

/** What a process holds open, and its resident memory in MiB; undefined where there is no /proc. */
function openFiles(pid: number | undefined): { descriptors: number; resident: number } | undefined {
  if (!existsSync(`/proc/${pid}/fd`)) return undefined;
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const resident = Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1_024);
  return { descriptors: readdirSync(`/proc/${pid}/fd`).length, resident };
}

describe(`${DEPLOYS} deploys under a subscribed client`, () => {
  let world: GatewayWorld;
  let client: TestClient;
  let subscription: ClientSubscription;
  let newestGood = 0;
  const probe = join(mkdtempSync(join(tmpdir(), 'lorua-memory-')), 'memory.json');
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

  /** A measurement that began after now. */
  const memory = (): Promise<MemoryUse> => {
    const before = readMemoryProbe(probe)?.number ?? 0;
    return eventually(() => {
      const now = readMemoryProbe(probe);
      return now && now.number > before + 1 ? now : undefined;
    }, 'the gateway to measure its memory');
  };

  before(async () => {
    world = await startWorld({ devices: DEVICES, period: 1_000, environment: memoryProbe(probe) });
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
    let middle: MemoryUse | undefined;
    const files: ReturnType<typeof openFiles>[] = [];

    for (let number = 1; number <= DEPLOYS; number++) {
      const isFull = number % 2 === 1;
      const type = isFull ? 'comment' : CHANGED_TYPES[(number / 2 - 1) % CHANGED_TYPES.length];
      const current = await readFlows();
      const target = current.flows.find((node) => node.type === type);
      assert.ok(target, `the flow has a ${type}`);
      const changed = isFull
        ? { info: `Deploy ${number}` }
        : { name: `Name ${number}`, ...(type === 'opcua-gateway-server' ? LIVE_SETTINGS : {}) };
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
      files.push(openFiles(world.gateway.process.pid));
      if (number === DEPLOYS / 2) middle = await memory();
    }
    await world.quiet(() => client.troubles.length);

    assert.deepEqual(client.troubles, [], 'connection and session were never lost');
    assert.deepEqual(subscriptionTroubles, []);
    assert.equal(client.session.sessionId.toString(), sessionId);
    assert.equal(subscription.subscriptionId, subscriptionId);
    assert.equal((await client.read('i=24095')).value.value, 61, 'MaxSessions as it was deployed');
    assert.deepEqual(doubled, [], 'no value came twice');
    assert.equal(world.simulator.server.openStreams, DEVICES);
    assert.doesNotMatch(world.gateway.output(), /uncaught|unhandled/i);
    t.diagnostic(`notifications by status: ${[...statuses].map(([name, count]) => `${name} ${count}`).join(', ')}`);

    const end = await memory();
    assert.ok(middle);
    t.diagnostic(
      `heap ${middle.heap} MiB and ${middle.handles} handles half-way, ${end.heap} and ${end.handles} at the end`,
    );
    assert.ok(end.heap <= middle.heap + HEAP_NOISE, 'memory piles up');
    assert.ok(end.handles <= middle.handles + NOISE, 'handles pile up');
    const [filesHalfway, filesAtEnd] = [files[DEPLOYS / 2 - 1], files.at(-1)];
    if (filesHalfway === undefined || filesAtEnd === undefined) {
      t.diagnostic('descriptors were not looked at: this system has no /proc');
      return;
    }
    t.diagnostic(`descriptors ${filesHalfway.descriptors} half-way, ${filesAtEnd.descriptors} at the end`);
    t.diagnostic(`resident memory ${filesHalfway.resident} MiB half-way, ${filesAtEnd.resident} at the end`);
    assert.ok(filesAtEnd.descriptors <= filesHalfway.descriptors + NOISE, 'descriptors pile up');
  });

  test('other security restarts the server: clients come back by themselves, and their subscriptions go on', async (t) => {
    const persistent = await TestClient.connect({
      url: world.gateway.endpointUrl,
      user: world.gateway.user,
      password: world.gateway.password,
      isPersistent: true,
    });
    let newest = 0;
    const variables = await world.allMetricsKnown(persistent);
    await persistent.subscribe(variables, ({ dataValue }) => {
      if (dataValue.statusCode.name === 'Good')
        newest = Math.max(newest, dataValue.sourceTimestamp?.getTime() ?? newest);
    });
    await eventually(() => newest > 0, 'values');
    const current = await readFlows();
    const server = current.flows.find((node) => node.type === 'opcua-gateway-server');
    assert.ok(server);
    const endpoints = 'Basic256Sha256/SignAndEncrypt,Aes256_Sha256_RsaPss/SignAndEncrypt';
    const deployedAt = Date.now();
    await deploy('nodes', {
      ...current,
      flows: current.flows.map((node) => (node === server ? { ...node, endpoints } : node)),
    });
    await eventually(() => persistent.troubles.includes('connection lost'), 'the server to end the connection');
    await eventually(() => newest > deployedAt + 2_000, 'values over the subscription that was there before');
    t.diagnostic(`values again ${Date.now() - deployedAt} ms after the deploy`);
    assert.ok((await persistent.read('i=2259')).statusCode.isGood());
    await persistent.close();
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
