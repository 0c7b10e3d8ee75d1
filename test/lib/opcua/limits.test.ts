import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import * as opcua from 'node-opcua';
import type { ClientEvent, GatewayServer } from '../../../lib/opcua';
import { capturedLogger } from '../../support/captured-logger';
import { eventually } from '../../support/eventually';
import { encoded, nameOf, RawClient } from '../../support/raw-opcua';
import { connect, devEuiOf, readingOf, simpleSource, startServer, subscribe, temporaryFolder, until } from './support';

const { folder, remove } = temporaryFolder();
after(remove);

const PASSWORD = 'Correct horse 1';
const ADMINISTRATOR = { name: 'root', password: PASSWORD };
const OPERATOR = { name: 'otto', password: PASSWORD };
const SETTINGS = {
  endpoints: 'None,Basic256Sha256/SignAndEncrypt',
  allowAnonymous: true,
  connectionsPerAddressPerMinute: 0,
  users: [
    { ...ADMINISTRATOR, roles: ['SecurityAdmin'] },
    { ...OPERATOR, roles: ['Operator'] },
  ],
};

const TEMPERATURE = opcua.resolveNodeId(`ns=3;s=${devEuiOf(1)}/metric/temperature`);
const READ = { nodeId: TEMPERATURE, attributeId: opcua.AttributeIds.Value };

async function serve(more: Record<string, unknown>, logger = capturedLogger('opcua').logger): Promise<GatewayServer> {
  const server = await startServer(folder, { ...SETTINGS, ...more }, { logger });
  server.attach(simpleSource());
  await server.settled();
  server.publish(readingOf(1, { temperature: 21.5 }, Date.now()));
  return server;
}

function reads(count: number): opcua.ReadRequest {
  return new opcua.ReadRequest({ nodesToRead: Array.from({ length: count }, () => READ) });
}

let server: GatewayServer;
before(async () => {
  server = await serve({
    maxSessions: 20,
    maxNodesPerCall: 200,
    maxMonitoredItemsPerCall: 50,
    maxSubscriptionsPerSession: 3,
    maxMonitoredItemsPerSubscription: 40,
    maxMonitoredItems: 60,
    maxNodesPerHistoryRead: 5,
    maxMessageSize: 65_536,
  });
});
after(() => server.stop());

test('operations per call are BadTooManyOperations beyond the limit', async () => {
  const client = await RawClient.login(server.port);
  const { ask } = { ask: client.ask.bind(client) };
  assert.equal(nameOf(await ask(reads(200))), 'Good');
  assert.equal(nameOf(await ask(reads(201))), 'BadTooManyOperations');
  const nodes = Array.from({ length: 201 }, () => 'i=85');
  const beyond = [
    new opcua.BrowseRequest({ nodesToBrowse: nodes.map((nodeId) => ({ nodeId })) }),
    new opcua.RegisterNodesRequest({ nodesToRegister: nodes }),
    new opcua.TranslateBrowsePathsToNodeIdsRequest({ browsePaths: nodes.map((startingNode) => ({ startingNode })) }),
    new opcua.CallRequest({ methodsToCall: nodes.map((objectId) => ({ objectId, methodId: 'i=11492' })) }),
    new opcua.WriteRequest({
      nodesToWrite: nodes.map((nodeId) => ({
        nodeId,
        attributeId: 13,
        value: { value: { dataType: 1, value: true } },
      })),
    }),
    new opcua.HistoryReadRequest({
      timestampsToReturn: opcua.TimestampsToReturn.Both,
      historyReadDetails: new opcua.ReadRawModifiedDetails(),
      nodesToRead: nodes.slice(0, 6).map((nodeId) => ({ nodeId })),
    }),
  ];
  for (const request of beyond) assert.equal(nameOf(await ask(request)), 'BadTooManyOperations', request.schema.name);
  client.close();
});

test('subscriptions and monitored items are refused beyond their limits, and the rest goes on', async () => {
  const client = await connect(server, folder, { user: OPERATOR });
  const subscription = await subscribe(client.session);
  const create = async (count: number, of = client, { subscriptionId } = subscription): Promise<string[]> => {
    const { results } = await of.session.createMonitoredItems(
      new opcua.CreateMonitoredItemsRequest({
        subscriptionId,
        timestampsToReturn: opcua.TimestampsToReturn.Both,
        itemsToCreate: Array.from({ length: count }, () => ({
          itemToMonitor: READ,
          monitoringMode: opcua.MonitoringMode.Reporting,
          requestedParameters: { clientHandle: 1, samplingInterval: 0, queueSize: 1 },
        })),
      }),
    );
    return (results ?? []).map(({ statusCode }) => statusCode.name);
  };
  await assert.rejects(create(51), /BadTooManyOperations/);
  const statuses = await create(45);
  assert.deepEqual(
    [...new Set(statuses.slice(0, 40)), ...new Set(statuses.slice(40))],
    ['Good', 'BadTooManyMonitoredItems'],
  );
  // Who has taken its share leaves the rest to others.
  assert.deepEqual(await create(1, client, await subscribe(client.session)), ['BadTooManyMonitoredItems']);
  const other = await connect(server, folder, { user: OPERATOR });
  const others = await create(25, other, await subscribe(other.session));
  assert.equal(others.filter((name) => name === 'Good').length, 20);
  await other.close();
  await subscribe(client.session);
  await assert.rejects(subscribe(client.session), /BadTooManySubscriptions/);
  assert.ok((await client.read(TEMPERATURE.toString())).statusCode.isGood());
  await client.close();
});

test('continuation points of Browse are limited per session', async () => {
  const client = await RawClient.login(server.port);
  const browse = new opcua.BrowseRequest({
    requestedMaxReferencesPerNode: 1,
    nodesToBrowse: Array.from({ length: 150 }, () => ({ nodeId: 'i=85', browseDirection: 0, resultMask: 63 })),
  });
  const answer = await client.ask(browse);
  assert.ok(answer.kind === 'response' && answer.response instanceof opcua.BrowseResponse);
  const statuses = (answer.response.results ?? []).map(({ statusCode }) => statusCode.name);
  assert.deepEqual(
    [...new Set(statuses.slice(0, 100)), ...new Set(statuses.slice(100))],
    ['Good', 'BadNoContinuationPoints'],
  );
  // A node with no more references than were asked for needs no point; and the next Browse gets those of this one.
  const few = new opcua.BrowseRequest({
    requestedMaxReferencesPerNode: 1,
    nodesToBrowse: [...(browse.nodesToBrowse ?? []), { nodeId: 'i=2255', browseDirection: 1 }],
  });
  const again = await client.ask(few);
  assert.ok(again.kind === 'response' && again.response instanceof opcua.BrowseResponse);
  const names = (again.response.results ?? []).map(({ statusCode }) => statusCode.name);
  assert.deepEqual([names[0], names.at(-2), names.at(-1)], ['Good', 'BadNoContinuationPoints', 'Good']);
  assert.equal(nameOf(await client.ask(reads(1))), 'Good');
  client.close();
});

test('a Browse of many nodes finds what Browses of each find', async () => {
  const client = await connect(server, folder, { user: OPERATOR });
  const { references } = await client.session.browse({ nodeId: 'i=2253', resultMask: 63, browseDirection: 0 });
  const nodes = (references ?? []).map(({ nodeId }) => ({ nodeId, resultMask: 63, browseDirection: 2 }));
  const together = await client.session.browse([...nodes, ...nodes, ...nodes]);
  assert.equal(together.length, nodes.length * 3);
  for (const [index, node] of nodes.entries()) {
    const alone = JSON.stringify((await client.session.browse(node)).references);
    for (let at = index; at < together.length; at += nodes.length)
      assert.equal(JSON.stringify(together[at]?.references), alone, node.nodeId.toString());
  }
  await client.close();
});

test('many monitored items go with their subscription, and make room for others', async () => {
  const MANY = 900;
  const roomy = await serve({ maxMonitoredItems: MANY });
  const request = (subscriptionId: number): opcua.CreateMonitoredItemsRequest =>
    new opcua.CreateMonitoredItemsRequest({
      subscriptionId,
      timestampsToReturn: opcua.TimestampsToReturn.Both,
      itemsToCreate: Array.from({ length: MANY }, (_, index) => ({
        itemToMonitor: READ,
        monitoringMode: opcua.MonitoringMode.Reporting,
        requestedParameters: { clientHandle: index, samplingInterval: 0, queueSize: 1 },
      })),
    });
  const watchAll = async (): Promise<{ close: () => Promise<void>; good: number }> => {
    const client = await connect(roomy, folder, { user: OPERATOR });
    const { subscriptionId } = await subscribe(client.session);
    const { results } = await client.session.createMonitoredItems(request(subscriptionId));
    return {
      close: () => client.close(),
      good: (results ?? []).filter(({ statusCode }) => statusCode.isGood()).length,
    };
  };
  for (let round = 0; round < 3; round++)
    await eventually(async () => {
      const { good, close } = await watchAll();
      const closing = close();
      // Nobody is there any more who could be told.
      roomy.publish(readingOf(1, { temperature: round }, Date.now()));
      await closing;
      return good === MANY;
    }, 'those before to have gone');
  await roomy.stop();
});

test('a message that is too large ends the connection with the reason, and an answer is refused alone', async () => {
  const large = await RawClient.login(server.port);
  large.sendBytes(Buffer.concat([encoded(reads(1)), Buffer.alloc(70_000)]));
  assert.equal(nameOf(await large.next()), 'BadTcpMessageTooLarge');
  assert.equal(nameOf(await large.next()), 'closed');

  const endless = await RawClient.login(server.port);
  for (let count = 0; count < 100 && !endless.closed; count++)
    endless.write(endless.messageChunk(Buffer.alloc(1_000), 'C'));
  assert.equal(nameOf(await endless.next()), 'BadTcpMessageTooLarge');
  endless.close();

  const wide = await RawClient.login(server.port);
  wide.write(Buffer.concat([Buffer.from('MSGF'), Buffer.from([0, 0, 0, 0x10]), Buffer.alloc(100)]));
  assert.equal(nameOf(await wide.next()), 'BadTcpMessageTooLarge');
  wide.close();

  const narrow = await RawClient.login(server.port, { maxMessageSize: 8_192 });
  const browse = new opcua.BrowseRequest({
    nodesToBrowse: Array.from({ length: 100 }, () => ({ nodeId: 'i=85', resultMask: 63 })),
  });
  assert.equal(nameOf(await narrow.ask(browse)), 'BadResponseTooLarge');
  assert.equal(nameOf(await narrow.ask(reads(1))), 'Good');
  narrow.close();
});

test('what clients are told of the limits is true', async () => {
  const client = await connect(server, folder, { user: OPERATOR });
  const value = async (id: number): Promise<unknown> => (await client.read(`i=${id}`)).value.value;
  const { VariableIds: Ids } = opcua;
  const told = {
    [Ids.Server_ServerCapabilities_MaxSessions]: 20,
    [Ids.Server_ServerCapabilities_MaxSubscriptionsPerSession]: 3,
    [Ids.Server_ServerCapabilities_MaxMonitoredItems]: 60,
    [Ids.Server_ServerCapabilities_MaxMonitoredItemsPerSubscription]: 40,
    [Ids.Server_ServerCapabilities_MaxMonitoredItemsQueueSize]: 5_000,
    [Ids.Server_ServerCapabilities_MaxBrowseContinuationPoints]: 100,
    [Ids.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead]: 200,
    [Ids.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall]: 50,
    [Ids.Server_ServerCapabilities_OperationLimits_MaxNodesPerHistoryReadData]: 5,
  };
  for (const [id, expected] of Object.entries(told)) assert.equal(await value(Number(id)), expected, id);
  const profiles = await value(Ids.Server_ServerCapabilities_ServerProfileArray);
  assert.ok(Array.isArray(profiles));
  // Facets that would need services which are not there, or a certificate of conformance that nobody has given.
  for (const profile of profiles.map(String))
    assert.doesNotMatch(profile, /StandardUA|Methods|FileAccess|StateMachine|ComplexTypes|NodeManagement|Redundan/);
  await client.close();
});

test('an administrator gets in when all sessions are taken, and sessions that nobody logged in to take none', async () => {
  const small = await serve({ maxSessions: 2, maxConnectionsPerEndpoint: 40 });
  const idle: RawClient[] = [];
  for (let count = 0; count < 5; count++) {
    const client = await RawClient.open(small.port);
    await client.createSession();
    await client.createSession();
    await client.createSession();
    await client.createSession();
    idle.push(client);
  }
  const [first, second] = [
    await connect(small, folder, { user: OPERATOR }),
    await connect(small, folder, { user: OPERATOR }),
  ];
  await assert.rejects(connect(small, folder, { user: OPERATOR }), /BadTooManySessions/);
  const administrator = await connect(small, folder, { user: ADMINISTRATOR });
  assert.ok((await administrator.read('i=2259')).statusCode.isGood());
  await assert.rejects(connect(small, folder, { user: ADMINISTRATOR }), /BadTooManySessions/);
  await second.close();
  await administrator.close();
  await (await connect(small, folder, { user: OPERATOR })).close();
  await first.close();
  for (const client of idle) client.close();
  await small.stop();
});

test('a flood of connections is one event and one line, and prints nothing', async () => {
  const { logger, entries } = capturedLogger('opcua');
  const small = await serve({ connectionsPerAddressPerMinute: 30 }, logger);
  const events: ClientEvent[] = [];
  small.onClientEvent((event) => events.push(event));
  const client = await connect(small, folder, { user: OPERATOR });
  const flood = await Promise.all(
    Array.from({ length: 200 }, () => RawClient.connect(small.port).catch(() => undefined)),
  );
  await until(() => flood.filter((socket) => socket === undefined || socket.closed).length >= 150);
  assert.equal(events.filter(({ type }) => type === 'connection-refused').length, 1);
  assert.equal(entries.filter(({ message }) => message.includes('faster than allowed')).length, 1);
  assert.ok(entries.length < 40, `${entries.length} lines`);
  assert.ok((await client.read('i=2259')).statusCode.isGood());
  await client.close();
  for (const socket of flood) socket?.close();
  await small.stop();
});
