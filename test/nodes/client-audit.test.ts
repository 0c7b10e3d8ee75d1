/** What OPC UA clients do, as the journal of audit has it. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { AttributeIds, DataType } from 'node-opcua';
import type { Answer, EntryList, ListedEntry } from '../../lib/admin';
import type { GatewayDatabaseNode } from '../../nodes/common/services';
import { eventually } from '../support/eventually';
import { collect, give, node, startFlow, stopFlow } from '../support/flow';
import { TestClient } from '../support/opcua-client';

const USER = 'scada';
const PASSWORD = 'correct horse battery';
const folder = mkdtempSync(join(tmpdir(), 'lorua-client-audit-'));
after(async () => {
  await stopFlow();
  rmSync(folder, { recursive: true, force: true });
});

test('logins, refusals, writes and ends of sessions are there, and no password', { timeout: 120_000 }, async () => {
  await startFlow(
    [
      { id: 'database', type: 'gateway-database', backend: 'memory', file: '', retentionDays: '0' },
      {
        id: 'server',
        type: 'opcua-gateway-server',
        database: 'database',
        port: '0',
        host: '127.0.0.1',
        pkiFolder: join(folder, 'server'),
        trustAllClients: 'true',
        wires: [[]],
      },
      { id: 'admin', type: 'gateway-admin', database: 'database', wires: [['told']] },
      { id: 'told', type: 'helper', wires: [] },
    ],
    { credentials: { server: { user: USER, password: PASSWORD } } },
  );
  const { service } = node('database') as GatewayDatabaseNode;
  const url = await eventually(() => service?.opcua?.endpointUrls[0], 'the server to listen');
  const options = { url, user: USER, pkiFolder: join(folder, 'client') };
  await assert.rejects(TestClient.connect({ ...options, password: 'a wrong secret' }));
  const client = await TestClient.connect({ ...options, password: PASSWORD });
  await client.session.write({
    nodeId: 'i=2294',
    attributeId: AttributeIds.Value,
    value: { value: { dataType: DataType.Boolean, value: true } },
  });
  await client.close();

  const told = collect('told');
  const audit = async (): Promise<readonly ListedEntry[]> => {
    const before = told.length;
    give('admin', { topic: 'audit.list', payload: { limit: 100 } });
    await eventually(() => told.length > before, 'the answer');
    const answer = told[before]?.payload as Answer;
    assert.ok(answer.ok, JSON.stringify(answer));
    return (answer.result as EntryList).entries;
  };
  const entries = await eventually(async () => {
    const found = await audit();
    return found.some(({ type, user }) => type === 'opcua.session-closed' && user === USER) ? found : undefined;
  }, 'the end of the session');
  const shown = entries.map(({ type, user }) => `${type} ${user}`);
  for (const expected of ['opcua.login-refused', 'opcua.session-activated', 'opcua.written', 'opcua.session-closed'])
    assert.ok(shown.includes(`${expected} ${USER}`), `${expected} is not among ${shown.join(', ')}`);
  assert.ok(!JSON.stringify(entries).includes('secret') && !JSON.stringify(entries).includes(PASSWORD));
  const written = entries.find(({ type }) => type === 'opcua.written')?.details;
  assert.deepEqual(
    Object.entries(written ?? {}).filter(([key]) => ['node', 'value', 'status'].includes(key)),
    [
      ['node', 'ns=0;i=2294'],
      ['value', 'true'],
      ['status', 'Good'],
    ],
  );
});
