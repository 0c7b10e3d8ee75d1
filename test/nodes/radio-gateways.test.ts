/** LoRa gateways on their way from ChirpStack through the store to an OPC UA client. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { silentLogger, systemClock } from '../../lib/model';
import { Simulator } from '../../lib/simulator';
import type { GatewayDatabaseNode } from '../../nodes/common/services';
import { eventually } from '../support/eventually';
import { type FlowNode, give, node, startFlow, stopFlow } from '../support/flow';
import { TestClient } from '../support/opcua-client';

const folder = mkdtempSync(join(tmpdir(), 'lorua-radio-gateways-'));
const simulator = new Simulator({ devices: 2, period: 600_000, seed: 3 }, { clock: systemClock, logger: silentLogger });
let url: string;

before(async () => {
  ({ url } = await simulator.start());
});
afterEach(stopFlow);
after(async () => {
  await simulator.stop();
  rmSync(folder, { recursive: true, force: true });
});

const login = { user: 'scada', password: 'correct horse battery' };

const flow = (): FlowNode[] => [
  { id: 'database', type: 'gateway-database', backend: 'sqlite', file: join(folder, 'lorua.db') },
  { id: 'chirpstack', type: 'chirpstack-connection', name: 'Plant', url, tenantId: simulator.tenantId },
  {
    id: 'poller',
    type: 'chirpstack-poller',
    connection: 'chirpstack',
    database: 'database',
    pollInterval: '0',
    wires: [[], [], []],
  },
  {
    id: 'server',
    type: 'opcua-gateway-server',
    database: 'database',
    port: '0',
    host: '127.0.0.1',
    advertisedHosts: '127.0.0.1',
    pkiFolder: join(folder, 'pki'),
    trustAllClients: true,
    wires: [[]],
  },
];

const start = (): Promise<void> =>
  startFlow(flow(), { credentials: { server: login, chirpstack: { token: simulator.tenantToken } } });
const service = () => (node('database') as GatewayDatabaseNode).service ?? assert.fail('no database');

async function connect(): Promise<TestClient> {
  const endpoint = await eventually(() => service().opcua?.endpointUrls[0], 'the server to listen');
  return TestClient.connect({ url: endpoint, ...login });
}

test('are shown with state and last sign of life, which moves at each poll without being a change', async () => {
  await start();
  const client = await connect();
  try {
    const [roof] = simulator.gateways();
    assert.ok(roof);
    const member = async (gatewayId: string, name: string) => {
      const references = await client.browseAll([await client.gatewayNode(`lora-gateway/${gatewayId}`)]);
      const found = references.find(({ browseName }) => browseName.name === name);
      return found && (await client.read(found.nodeId.toString()));
    };
    const seen = async (): Promise<number> => {
      const value: unknown = (await member(roof.gatewayId, 'LastSeen'))?.value.value;
      return value instanceof Date ? value.getTime() : 0;
    };
    const first = await eventually(seen, 'the last sign of life');
    assert.deepEqual(service().health.current().gateways, { online: 2, offline: 1, 'never-seen': 1 });
    const states = await Promise.all(
      simulator.gateways().map(async ({ gatewayId }) => (await member(gatewayId, 'State'))?.value.value as number),
    );
    assert.deepEqual(states, [1, 1, 2, 0]);

    const { revision } = service().store;
    simulator.wakeGateway(roof.gatewayId);
    give('poller', {});
    await eventually(async () => (await seen()) > first, 'the next sign of life');
    assert.equal(service().store.revision, revision, 'being heard is no change');

    simulator.renameGateway(roof.gatewayId, 'Roof');
    give('poller', {});
    await eventually(async () => (await member(roof.gatewayId, 'Name'))?.value.value === 'Roof', 'the new name');
  } finally {
    await client.close();
  }
});

test('are known after a restart, also while ChirpStack does not answer', async () => {
  await simulator.stop();
  await start();
  await service().opened;
  assert.deepEqual(
    [...service().store.inventory.merged().gateways.values()].map(({ name, state }) => [name, state]),
    [
      ['Roof', 'online'],
      ['Gateway Gatehouse', 'online'],
      ['Gateway Mill 2', 'offline'],
      ['Gateway Spare', 'never-seen'],
    ],
  );
});
