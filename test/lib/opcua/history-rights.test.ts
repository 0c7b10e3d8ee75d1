import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import * as opcua from 'node-opcua';
import { parseDevEui, parseMetricKey, silentLogger, systemClock } from '../../../lib/model';
import { HistoryService } from '../../../lib/opcua/history/service';
import { RepeatedEntries } from '../../../lib/opcua/repeated';
import { ChangingSettings } from './changing-settings';
import { ask, raw, statusOf } from './history-support';
import type { Connected } from './support';

const { AccessRestrictionsFlag, OPCUAClient, OPCUAServer, WellKnownRoles, makePermissionFlag } = opcua;

let server: opcua.OPCUAServer;
let client: opcua.OPCUAClient;
let session: opcua.ClientSession;
let history: HistoryService;

before(async () => {
  server = new OPCUAServer({
    port: 0,
    hostname: '127.0.0.1',
    securityPolicies: [opcua.SecurityPolicy.None],
    securityModes: [opcua.MessageSecurityMode.None],
  });
  await server.initialize();
  const { addressSpace } = server.engine;
  assert.ok(addressSpace);
  const namespace = addressSpace.getOwnNamespace();
  const add = (name: string, permissions: string, more: object = {}): void => {
    namespace.addVariable({
      nodeId: `s=${name}`,
      browseName: name,
      componentOf: addressSpace.rootFolder.objects.server,
      dataType: 'Double',
      accessLevel: 'CurrentRead | HistoryRead',
      rolePermissions: [{ roleId: WellKnownRoles.Anonymous, permissions: makePermissionFlag(permissions) }],
      ...more,
    });
  };
  add('open', 'Browse | Read | ReadHistory');
  add('closed', 'Browse | Read');
  add('encrypted', 'Browse | Read | ReadHistory', { accessRestrictions: AccessRestrictionsFlag.EncryptionRequired });
  history = new HistoryService({
    library: opcua,
    addressSpace,
    clock: systemClock,
    logger: silentLogger,
    repeated: new RepeatedEntries(systemClock),
    key: Buffer.alloc(32),
    settings: new ChangingSettings({ maxHistoryValuesPerNode: 10 }),
    metric: () => ({
      target: { devEui: parseDevEui('0000000000000001'), metric: parseMetricKey('x') },
      dataType: 'Double',
    }),
    source: () => ({ readHistory: () => Promise.resolve({ bytes: new Uint8Array(4), count: 0 }) }),
  });
  server.engine.historyRead = (context, request) => history.read(context, request);
  await server.start();
  client = OPCUAClient.create({ endpointMustExist: false });
  await client.connect(`opc.tcp://127.0.0.1:${server.endpoints[0]?.port}`);
  session = await client.createSession();
});

after(async () => {
  await session.close();
  await client.disconnect();
  history.close();
  await server.shutdown();
});

test('roles and restrictions decide who may read a history', async () => {
  const connected = { session } as Connected;
  const nodes = ['open', 'closed', 'encrypted'].map((name) => `ns=1;s=${name}`);
  assert.deepEqual((await ask(connected, { nodes, details: raw(0, 1) })).map(statusOf), [
    'GoodNoData',
    'BadUserAccessDenied',
    'BadSecurityModeInsufficient',
  ]);
});
