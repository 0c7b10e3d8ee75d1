import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import * as fc from 'fast-check';
import * as opcua from 'node-opcua';
import type { GatewayServer } from '../../../lib/opcua';
import { type Answer, encoded, nameOf, RawClient } from '../../support/raw-opcua';
import { devEuiOf, readingOf, simpleSource, startServer, temporaryFolder } from './support';

const { folder, remove } = temporaryFolder();
after(remove);

let server: GatewayServer;
const unhandled: unknown[] = [];
const note = (error: unknown): void => void unhandled.push(error);

before(async () => {
  process.on('unhandledRejection', note);
  server = await startServer(folder, {
    endpoints: 'None',
    allowAnonymous: true,
    connectionsPerAddressPerMinute: 0,
    users: [{ name: 'a', password: 'Correct horse 1' }],
  });
  server.attach(simpleSource());
  await server.settled();
  server.publish(readingOf(1, { temperature: 21.5 }, Date.now()));
});
after(async () => {
  await server.stop();
  process.off('unhandledRejection', note);
  assert.deepEqual(unhandled, []);
});

const TEMPERATURE = opcua.resolveNodeId(`ns=3;s=${devEuiOf(1)}/metric/temperature`);
/** Value, InputArguments of a method, an event source, server status, something that is not there. */
const NODES = [
  TEMPERATURE,
  opcua.resolveNodeId('i=11493'),
  opcua.resolveNodeId('i=2253'),
  opcua.resolveNodeId('i=2258'),
  opcua.resolveNodeId('i=2262'),
  opcua.resolveNodeId('ns=9;s=nothing'),
];
const INTERVALS = [0, -1, -0.5, Number.NaN, Infinity, -Infinity, 4_294_967_295, 1e300, 1e-300];

async function subscribe(client: RawClient): Promise<number> {
  const answer = await client.ask(
    new opcua.CreateSubscriptionRequest({
      requestedPublishingInterval: 100,
      requestedLifetimeCount: 1_000,
      requestedMaxKeepAliveCount: 10,
      maxNotificationsPerPublish: 0,
      publishingEnabled: true,
      priority: 0,
    }),
  );
  assert.ok(answer.kind === 'response');
  return (answer.response as opcua.CreateSubscriptionResponse).subscriptionId;
}

function responseOf<Class>(answer: Answer, type: new (...args: never[]) => Class): Class {
  if (answer.kind === 'response' && answer.response instanceof type) return answer.response;
  assert.fail(`${type.name} expected, got ${answer.kind === 'response' ? answer.name : ''} ${nameOf(answer)}`);
}

/** The server is well, and this client can still talk to it. */
async function isWell(client: RawClient): Promise<void> {
  const answer = await client.ask(
    new opcua.ReadRequest({ nodesToRead: [{ nodeId: TEMPERATURE, attributeId: opcua.AttributeIds.Value }] }),
  );
  assert.equal(responseOf(answer, opcua.ReadResponse).results?.[0]?.value.value, 21.5);
}

/** A request to watch, with numbers that the classes of the library would not take. */
function watch(
  subscriptionId: number,
  nodeId: opcua.NodeId,
  attributeId: number,
  parameters: Partial<Pick<opcua.MonitoringParameters, 'samplingInterval' | 'queueSize' | 'filter'>>,
): opcua.CreateMonitoredItemsRequest {
  const request = new opcua.CreateMonitoredItemsRequest({
    subscriptionId,
    timestampsToReturn: opcua.TimestampsToReturn.Both,
    itemsToCreate: [
      {
        itemToMonitor: { nodeId, attributeId: opcua.AttributeIds.Value },
        monitoringMode: opcua.MonitoringMode.Reporting,
        requestedParameters: { clientHandle: 1, samplingInterval: 0, queueSize: 1, discardOldest: true },
      },
    ],
  });
  for (const item of request.itemsToCreate ?? []) {
    item.itemToMonitor.attributeId = attributeId;
    Object.assign(item.requestedParameters, parameters);
  }
  return request;
}

async function made(
  client: RawClient,
  request: opcua.CreateMonitoredItemsRequest,
): Promise<opcua.MonitoredItemCreateResult> {
  const result = responseOf(await client.ask(request), opcua.CreateMonitoredItemsResponse).results?.[0];
  assert.ok(result !== undefined);
  return result;
}

test('any sampling interval is answered on any node and attribute, when items are made and when they are changed', async () => {
  const client = await RawClient.login(server.port);
  const subscriptionId = await subscribe(client);
  for (const nodeId of NODES)
    for (const attributeId of [13, 12, 4, 1, 0, 999])
      for (const samplingInterval of INTERVALS) {
        const queueSize = 4_294_967_295;
        const item = await made(client, watch(subscriptionId, nodeId, attributeId, { samplingInterval, queueSize }));
        if (!item.statusCode.isGood()) continue;
        assert.ok(Number.isFinite(item.revisedSamplingInterval) && item.revisedSamplingInterval >= 0);
        assert.ok(item.revisedQueueSize <= 5_000);
        for (const other of INTERVALS) {
          const request = new opcua.ModifyMonitoredItemsRequest({
            subscriptionId,
            timestampsToReturn: opcua.TimestampsToReturn.Both,
            itemsToModify: [{ monitoredItemId: item.monitoredItemId, requestedParameters: { queueSize } }],
          });
          for (const change of request.itemsToModify ?? []) change.requestedParameters.samplingInterval = other;
          const [changed] = responseOf(await client.ask(request), opcua.ModifyMonitoredItemsResponse).results ?? [];
          assert.ok(changed?.statusCode.isGood() && Number.isFinite(changed.revisedSamplingInterval));
        }
      }
  await isWell(client);
  client.close();
});

test('senseless dead-bands are refused', async () => {
  const client = await RawClient.login(server.port);
  const subscriptionId = await subscribe(client);
  const { Absolute, Percent } = opcua.DeadbandType;
  const filter = (deadbandType: number, deadbandValue: number): opcua.DataChangeFilter =>
    Object.assign(new opcua.DataChangeFilter({ trigger: opcua.DataChangeTrigger.StatusValue }), {
      deadbandType,
      deadbandValue,
    });
  const statusOf = async (type: number, value: number): Promise<string> =>
    (await made(client, watch(subscriptionId, TEMPERATURE, 13, { filter: filter(type, value) }))).statusCode.name;
  assert.equal(await statusOf(Absolute, 0.5), 'Good');
  for (const value of [-1, -0.001, Number.NaN, Infinity, -Infinity])
    for (const type of [Absolute, Percent]) assert.equal(await statusOf(type, value), 'BadDeadbandFilterInvalid');
  // The temperature has no EURange.
  assert.equal(await statusOf(Percent, 10), 'BadMonitoredItemFilterUnsupported');
  assert.equal(await statusOf(77, 1), 'BadDeadbandFilterInvalid');
  await isWell(client);
  client.close();
});

test('events are watched with a filter only, and a filter that is taken away harms nobody', async () => {
  const client = await RawClient.login(server.port);
  const subscriptionId = await subscribe(client);
  const source = opcua.resolveNodeId('i=2253');
  const statusOf = async (filter: opcua.MonitoringParameters['filter']): Promise<string> =>
    (await made(client, watch(subscriptionId, source, 12, { filter }))).statusCode.name;
  assert.equal(await statusOf(null), 'BadEventFilterInvalid');
  assert.notEqual(await statusOf(new opcua.DataChangeFilter()), 'Good');
  const item = await made(
    client,
    watch(subscriptionId, source, 12, { filter: opcua.constructEventFilter(['Message']) }),
  );
  assert.equal(item.statusCode.name, 'Good');
  for (const filter of [null, new opcua.DataChangeFilter()])
    await client.ask(
      new opcua.ModifyMonitoredItemsRequest({
        subscriptionId,
        timestampsToReturn: opcua.TimestampsToReturn.Both,
        itemsToModify: [{ monitoredItemId: item.monitoredItemId, requestedParameters: { queueSize: 1, filter } }],
      }),
    );
  // Raises events, where clients are audited.
  const other = await RawClient.login(server.port);
  await isWell(other);
  other.close();
  client.close();
});

test('what is no filter is refused, and its session can be closed', async () => {
  const client = await RawClient.login(server.port);
  const subscription = await subscribe(client);
  const filter = new opcua.Argument({ name: 'no filter' });
  const result = await made(client, watch(subscription, TEMPERATURE, opcua.AttributeIds.Value, { filter }));
  assert.equal(result.statusCode.name, 'BadMonitoredItemFilterInvalid');
  const closed = await client.ask(new opcua.CloseSessionRequest({ deleteSubscriptions: true }));
  assert.equal(nameOf(closed), 'Good');
  client.close();
});

test('numbers of subscriptions are revised', async () => {
  const client = await RawClient.login(server.port);
  for (const interval of INTERVALS)
    for (const count of [0, 1, 4_294_967_295]) {
      const numbers = {
        requestedPublishingInterval: interval,
        requestedLifetimeCount: count,
        requestedMaxKeepAliveCount: count,
        maxNotificationsPerPublish: count,
      };
      const request = Object.assign(new opcua.CreateSubscriptionRequest({ publishingEnabled: true }), numbers);
      const answer = responseOf(await client.ask(request), opcua.CreateSubscriptionResponse);
      const { subscriptionId } = answer;
      assert.ok(answer.revisedPublishingInterval >= 50 && answer.revisedPublishingInterval <= 60_000, `${interval}`);
      assert.ok(answer.revisedLifetimeCount >= 3 * answer.revisedMaxKeepAliveCount, `${count}`);
      assert.ok(answer.revisedMaxKeepAliveCount >= 1);
      const change = Object.assign(new opcua.ModifySubscriptionRequest({ subscriptionId }), numbers);
      const changed = responseOf(await client.ask(change), opcua.ModifySubscriptionResponse);
      assert.ok(changed.revisedPublishingInterval >= 50 && changed.revisedPublishingInterval <= 60_000);
      assert.ok(changed.revisedLifetimeCount >= 3 * changed.revisedMaxKeepAliveCount);
      const end = new opcua.DeleteSubscriptionsRequest({ subscriptionIds: [subscriptionId] });
      assert.ok(responseOf(await client.ask(end), opcua.DeleteSubscriptionsResponse).results?.[0]?.isGood());
    }
  await isWell(client);
  client.close();
});

test('requests that ask for nothing, and those of things that are not there, are refused', async () => {
  const client = await RawClient.login(server.port);
  const subscriptionId = await subscribe(client);
  const nothing = [
    new opcua.ReadRequest({ nodesToRead: [] }),
    new opcua.WriteRequest({ nodesToWrite: [] }),
    new opcua.BrowseRequest({ nodesToBrowse: [] }),
    new opcua.BrowseNextRequest({ continuationPoints: [] }),
    new opcua.TranslateBrowsePathsToNodeIdsRequest({ browsePaths: [] }),
    new opcua.CallRequest({ methodsToCall: [] }),
    new opcua.HistoryReadRequest({
      historyReadDetails: new opcua.ReadRawModifiedDetails(),
      timestampsToReturn: opcua.TimestampsToReturn.Both,
    }),
    new opcua.RegisterNodesRequest({ nodesToRegister: [] }),
    new opcua.UnregisterNodesRequest({ nodesToUnregister: [] }),
    new opcua.CreateMonitoredItemsRequest({ subscriptionId, itemsToCreate: [] }),
    new opcua.ModifyMonitoredItemsRequest({ subscriptionId, itemsToModify: [] }),
    new opcua.DeleteMonitoredItemsRequest({ subscriptionId, monitoredItemIds: [] }),
    new opcua.SetMonitoringModeRequest({ subscriptionId, monitoredItemIds: [] }),
    new opcua.DeleteSubscriptionsRequest({ subscriptionIds: [] }),
    new opcua.SetPublishingModeRequest({ subscriptionIds: [] }),
  ];
  for (const request of nothing) assert.equal(nameOf(await client.ask(request)), 'BadNothingToDo', request.schema.name);
  const unknown = [
    new opcua.CreateMonitoredItemsRequest({ subscriptionId: 4_000_000 }),
    new opcua.ModifyMonitoredItemsRequest({ subscriptionId: 4_000_000 }),
    new opcua.DeleteMonitoredItemsRequest({ subscriptionId: 4_000_000 }),
    new opcua.ModifySubscriptionRequest({ subscriptionId: 4_000_000 }),
    new opcua.SetTriggeringRequest({ subscriptionId: 4_000_000 }),
    new opcua.RepublishRequest({ subscriptionId: 4_000_000 }),
  ];
  for (const request of unknown)
    assert.equal(nameOf(await client.ask(request)), 'BadSubscriptionIdInvalid', request.schema.name);
  const invalid = new opcua.ReadRequest({ nodesToRead: [{ nodeId: TEMPERATURE, attributeId: 13 }] });
  Object.assign(invalid, { timestampsToReturn: 77 });
  assert.equal(nameOf(await client.ask(invalid)), 'BadTimestampsToReturnInvalid');
  const old = new opcua.ReadRequest({ maxAge: -1, nodesToRead: [{ nodeId: TEMPERATURE, attributeId: 13 }] });
  assert.equal(nameOf(await client.ask(old)), 'BadMaxAgeInvalid');
  const watching = watch(subscriptionId, TEMPERATURE, 13, {});
  Object.assign(watching, { timestampsToReturn: 77 });
  assert.equal(nameOf(await client.ask(watching)), 'BadTimestampsToReturnInvalid');
  await isWell(client);
  const token = client.authenticationToken;
  client.authenticationToken = opcua.resolveNodeId('ns=1;i=99');
  assert.equal(nameOf(await client.ask(old)), 'BadSessionIdInvalid');
  client.authenticationToken = token;
  await isWell(client);
  client.close();
});

test('an array does not go into a scalar', async () => {
  const client = await RawClient.login(server.port);
  const write = async (value: opcua.VariantOptions): Promise<string> => {
    const request = new opcua.WriteRequest({
      nodesToWrite: [{ nodeId: 'i=2294', attributeId: opcua.AttributeIds.Value, value: { value } }],
    });
    return responseOf(await client.ask(request), opcua.WriteResponse).results?.[0]?.name ?? '';
  };
  assert.equal(await write({ dataType: opcua.DataType.Boolean, arrayType: 1, value: [true] }), 'BadTypeMismatch');
  await isWell(client);
  client.close();
});

/** `depth` variants, each within the one before; the innermost is a number. */
function nestedVariant(depth: number): Buffer {
  // An array of one Variant, so that it may hold a Variant.
  const level = Buffer.from([0x80 | 24, 1, 0, 0, 0]);
  return Buffer.concat([...Array.from({ length: depth }, () => level), Buffer.from([3, 7])]);
}

/** A write of a value as it is encoded. */
function writeOf(client: RawClient, value: Buffer): Buffer {
  const request = new opcua.WriteRequest({
    requestHeader: { authenticationToken: client.authenticationToken, requestHandle: 1 },
    nodesToWrite: [{ nodeId: TEMPERATURE, attributeId: 13, value: { value: { dataType: opcua.DataType.Null } } }],
  });
  const bytes = encoded(request);
  // It ends with the value: a mask of what a DataValue has, then an empty Variant.
  return Buffer.concat([bytes.subarray(0, bytes.length - 2), Buffer.from([0x01]), value]);
}

test('lying counts and endless nesting are answered', async () => {
  const client = await RawClient.login(server.port);
  const lies = [0x7fffffff, -1, -2, -2147483648, 100_000_000].map((count) => {
    const array = Buffer.alloc(5);
    array[0] = 0x80 | 11;
    array.writeInt32LE(count, 1);
    return array;
  });
  const text = Buffer.alloc(5);
  text[0] = 12;
  text.writeInt32LE(0x7fffffff, 1);
  for (const value of [
    ...lies,
    text,
    nestedVariant(50),
    nestedVariant(127),
    nestedVariant(10_000),
    Buffer.from([63]),
  ]) {
    const answer = await client.askBytes(writeOf(client, value));
    assert.ok(answer.kind === 'response', `${value.length}: ${nameOf(answer)}`);
  }
  assert.equal(nameOf(await client.askBytes(writeOf(client, nestedVariant(10_000)))), 'BadDecodingError');
  await isWell(client);
  client.close();
});

test('filters of any size and relative paths of any length are answered', async () => {
  const client = await RawClient.login(server.port);
  const subscriptionId = await subscribe(client);
  const select = new opcua.SimpleAttributeOperand({
    typeDefinitionId: 'i=2041',
    browsePath: [{ name: 'Message' }],
    attributeId: 13,
  });
  const filter = (size: number): opcua.EventFilter =>
    new opcua.EventFilter({
      selectClauses: Array.from({ length: size }, () => select),
      whereClause: {
        elements: Array.from({ length: size }, (_, index) => ({
          filterOperator: opcua.FilterOperator.And,
          filterOperands: [
            new opcua.ElementOperand({ index: (index + 1) % size }),
            new opcua.ElementOperand({ index: 0 }),
          ],
        })),
      },
    });
  const events = opcua.resolveNodeId('i=2253');
  for (const size of [5_000, 10_000]) {
    const item = await made(client, watch(subscriptionId, events, 12, { filter: filter(size) }));
    assert.ok(!item.statusCode.isGood(), item.statusCode.name);
  }
  const element = { referenceTypeId: 'i=33', includeSubtypes: true, targetName: { name: 'Objects' } };
  const paths = (...sizes: number[]): opcua.TranslateBrowsePathsToNodeIdsRequest =>
    new opcua.TranslateBrowsePathsToNodeIdsRequest({
      browsePaths: sizes.map((length) => ({
        startingNode: 'i=84',
        relativePath: { elements: Array.from({ length }, () => element) },
      })),
    });
  const { results } = responseOf(await client.ask(paths(1_000, 0)), opcua.TranslateBrowsePathsToNodeIdsResponse);
  assert.deepEqual(
    results?.map(({ statusCode }) => statusCode.isGood()),
    [false, false],
  );
  // Neither one that is longer than any, nor many of which each is short enough.
  for (const sizes of [[1_001], Array.from({ length: 30 }, () => 1_000)])
    assert.equal(nameOf(await client.ask(paths(...sizes))), 'BadEncodingLimitsExceeded');
  await isWell(client);
  client.close();
});

test('unknown services and encodings are answered', async () => {
  for (const id of [
    Buffer.from([1, 0, 0xff, 0xff]),
    Buffer.from([0, 1]),
    Buffer.from([0x3f, 1, 2, 3]),
    Buffer.alloc(0),
  ]) {
    const client = await RawClient.login(server.port);
    const answer = await client.askBytes(Buffer.concat([id, Buffer.alloc(40)]));
    assert.ok(['response', 'error', 'closed'].includes(answer.kind), answer.kind);
    assert.notEqual(answer.kind, 'closed');
    client.close();
  }
  const client = await RawClient.login(server.port);
  // Known, and no service of this server, or no request at all.
  assert.equal(nameOf(await client.ask(new opcua.QueryFirstRequest())), 'BadServiceUnsupported');
  assert.equal(nameOf(await client.askBytes(encoded(new opcua.Argument()))), 'BadServiceUnsupported');
  assert.equal(nameOf(await client.askBytes(encoded(new opcua.ReadResponse()))), 'BadServiceUnsupported');
  await isWell(client);
  client.close();
});

test('truncated and changed requests are answered', async () => {
  let client = await RawClient.login(server.port);
  const subscriptionId = await subscribe(client);
  const samples = (): Buffer[] =>
    [
      new opcua.ReadRequest({ nodesToRead: [{ nodeId: TEMPERATURE, attributeId: 13 }] }),
      new opcua.BrowseRequest({ nodesToBrowse: [{ nodeId: 'i=85', resultMask: 63 }] }),
      watch(subscriptionId, TEMPERATURE, 13, { filter: new opcua.DataChangeFilter() }),
      new opcua.CallRequest({ methodsToCall: [{ objectId: 'i=2253', methodId: 'i=11492', inputArguments: [] }] }),
      new opcua.HistoryReadRequest({
        historyReadDetails: new opcua.ReadRawModifiedDetails(),
        nodesToRead: [{ nodeId: TEMPERATURE }],
      }),
      new opcua.TranslateBrowsePathsToNodeIdsRequest({
        browsePaths: [{ startingNode: 'i=84', relativePath: { elements: [{ targetName: { name: 'Objects' } }] } }],
      }),
      new opcua.WriteRequest({
        nodesToWrite: [{ nodeId: 'i=2294', attributeId: 13, value: { value: { dataType: 1, value: true } } }],
      }),
    ].map((request) => {
      request.requestHeader.authenticationToken = client.authenticationToken;
      return encoded(request);
    });
  await fc.assert(
    fc.asyncProperty(
      fc.nat(6),
      fc.array(fc.tuple(fc.nat(400), fc.constantFrom(0, 1, 0x7f, 0x80, 0xff)), { maxLength: 4 }),
      fc.option(fc.nat(400)),
      async (sample, changes, length) => {
        if (client.closed) client = await RawClient.login(server.port);
        const bytes = Buffer.from(samples()[sample] ?? []);
        // The type id and the header of the request stay.
        for (const [at, value] of changes) bytes[40 + (at % Math.max(bytes.length - 40, 1))] = value;
        const answer = await client.askBytes(length === null ? bytes : bytes.subarray(0, 4 + (length % bytes.length)));
        assert.ok(answer.kind === 'response' || answer.kind === 'error', answer.kind);
      },
    ),
    { numRuns: 300 },
  );
  client.close();
  client = await RawClient.login(server.port);
  await isWell(client);
  client.close();
});

test('whatever is sent in place of chunks, the connection is answered or ended', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('HEL', 'OPN', 'MSG', 'CLO', 'ERR', 'ACK', 'XYZ', '\0\0\0'),
      fc.constantFrom('F', 'C', 'A', 'x'),
      fc.uint8Array({ maxLength: 200 }),
      fc.constantFrom(0, 1, 2),
      async (type, kind, body, stage) => {
        const client = stage === 0 ? await RawClient.connect(server.port) : await RawClient.open(server.port);
        const bytes = Buffer.from(body);
        const header = Buffer.from(`${type}${kind}\0\0\0\0`, 'latin1');
        header.writeUInt32LE(8 + bytes.length, 4);
        client.write(Buffer.concat([header, bytes]));
        client.write(stage === 2 ? bytes : Buffer.from(header));
        client.socket.end();
        for (let last = await client.next(); last.kind !== 'closed'; last = await client.next())
          assert.notEqual(last.kind, 'silence');
        client.close();
      },
    ),
    { numRuns: 60 },
  );
  const client = await RawClient.login(server.port);
  await isWell(client);
  client.close();
});
