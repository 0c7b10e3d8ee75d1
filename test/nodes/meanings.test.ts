/** The table of units, ranges and states of gateway-database, changed by deploys while a client looks. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, describe, test } from 'node:test';
import type { Answer } from '../../lib/admin';
import type { GatewayDatabaseNode } from '../../nodes/common/services';
import { inventoryOf, sensor, source } from '../lib/store/support';
import { eventually } from '../support/eventually';
import { collect, deploy, type FlowNode, give, logged, node, startFlow, statuses, stopFlow } from '../support/flow';
import { TestClient } from '../support/opcua-client';

const DEVICE = sensor;
const CREDENTIALS = { server: { user: 'scada', password: 'correct horse battery' } };

const folder = mkdtempSync(join(tmpdir(), 'lorua-meanings-'));
after(() => rmSync(folder, { recursive: true, force: true }));
afterEach(stopFlow);

const flowWith = (meanings: unknown): FlowNode[] => [
  { id: 'database', type: 'gateway-database', backend: 'sqlite', file: join(folder, 'lorua.db'), meanings },
  { id: 'store', type: 'metric-store', database: 'database', sendRestored: true, wires: [['server'], []] },
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
  { id: 'admin', type: 'gateway-admin', database: 'database', wires: [['told']] },
  { id: 'told', type: 'helper', wires: [] },
];

const row = (changes: object) => ({ device: '*', metric: '*', unit: '', low: '', high: '', states: '', ...changes });

describe('own meanings', () => {
  test('reach clients that stay connected, deploy after deploy, and the lists of gateway-admin', async () => {
    await startFlow(flowWith([row({ metric: 'level', unit: 'cm' })]), { credentials: CREDENTIALS });
    const url = await eventually(
      () => (node('database') as GatewayDatabaseNode).service?.opcua?.endpointUrls[0],
      'the server to listen',
    );
    (node('database') as GatewayDatabaseNode).service?.store.inventory.replace(source, inventoryOf([sensor]));
    const client = await TestClient.connect({ url, ...CREDENTIALS.server });
    try {
      give('store', { device: { devEui: DEVICE }, payload: { level: 7.5, pump: true } });
      const metric = (key: string): Promise<string> => client.gatewayNode(`${DEVICE}/metric/${key}`);
      const property = async (key: string, name: string): Promise<unknown> => {
        const references = await client.browseAll([await metric(key)]);
        const found = references.find(({ browseName }) => browseName.name === name);
        return found && (await client.read(found.nodeId.toString())).value.value;
      };
      const unit = async (): Promise<unknown> =>
        ((await property('level', 'EngineeringUnits')) as { displayName?: { text?: string } } | undefined)?.displayName
          ?.text;
      await eventually(async () => (await unit()) === 'cm', 'the first unit');

      const table = [
        row({ unit: 'm' }),
        row({ device: DEVICE, metric: 'level', unit: 'MMT', low: '0', high: '2,5' }),
        row({ metric: 'pump', states: 'off|on' }),
      ];
      await deploy(flowWith(table), 'nodes', CREDENTIALS);
      await eventually(async () => (await unit()) === 'mm', 'the second unit');
      const range = (await property('level', 'EURange')) as { low: number; high: number };
      assert.deepEqual([range.low, range.high], [0, 2.5]);
      assert.equal(((await property('pump', 'TrueState')) as { text: string }).text, 'on');
      const told = collect('told');
      give('admin', { topic: 'values.list', payload: {} });
      await eventually(() => told.length === 1, 'the list of values');
      const answer = told[0]?.payload as Answer;
      assert.ok(answer.ok);
      const rows = (answer.result as { rows: { key: string; unit: string | null; state: string | null }[] }).rows;
      assert.deepEqual(
        rows.map(({ key, unit: shown, state }) => [key, shown, state]),
        [
          ['level', 'mm', null],
          ['pump', null, 'on'],
        ],
      );

      await deploy(flowWith('[]'), 'full', CREDENTIALS);
      await eventually(async () => (await unit()) === undefined, 'no unit any more');
      assert.deepEqual(client.troubles, []);
    } finally {
      await client.close();
    }
  });

  test('that are wrong are refused row by row, with whatever else is wrong', async () => {
    const meanings = [row({ unit: 'm' }), row({ low: '1' }), row({ device: 'x', states: 'a|b' })];
    await startFlow([
      { id: 'database', type: 'gateway-database', backend: 'sqlite', file: 'x', eventDays: '-1', meanings },
    ]);
    assert.equal(statuses('database').at(-1)?.fill, 'red');
    for (const field of ['meanings\\[1\\].high', 'meanings\\[2\\].device', 'eventDays'])
      assert.ok(
        logged(20).some((line) => new RegExp(`${field} is `).test(line)),
        field,
      );
    assert.equal((node('database') as GatewayDatabaseNode).service, undefined);
  });
});

test('gateway-admin answers also where its database does not work', async () => {
  await startFlow([
    { id: 'database', type: 'gateway-database', backend: 'paper' },
    { id: 'admin', type: 'gateway-admin', database: 'database', wires: [['told']] },
    { id: 'told', type: 'helper', wires: [] },
  ]);
  const told = collect('told');
  give('admin', { topic: 'metrics.get', payload: {}, res: 'kept' });
  await eventually(() => told.length === 1, 'an answer');
  const answer = told[0]?.payload as Answer;
  assert.ok(!answer.ok);
  assert.equal(answer.errors[0]?.field, 'database');
  assert.match(answer.errors[0]?.cure ?? '', /gateway-database/);
  assert.equal(told[0]?.['res'], 'kept');
});
