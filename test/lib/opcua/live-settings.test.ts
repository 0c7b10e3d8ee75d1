/** Settings that change under clients which are connected. */
import assert from 'node:assert/strict';
import { after, afterEach, beforeEach, test } from 'node:test';
import * as opcua from 'node-opcua';
import type { HistoryRequest } from '../../../lib/model';
import { type ModelSource, parseServerSettings, ServerRegistry, type ServerSettings } from '../../../lib/opcua';
import { type CapturedEntry, capturedLogger } from '../../support/captured-logger';
import { freePort } from '../../support/free-port';
import { ManualClock } from '../../support/manual-clock';
import { nameOf, RawClient } from '../../support/raw-opcua';
import { askOne, raw } from './history-support';
import {
  type Connected,
  connect,
  depsOf,
  devEuiOf,
  deviceOf,
  readingOf,
  settingsOf,
  simpleSource,
  subscribe,
  type TestSource,
  temporaryFolder,
  until,
} from './support';

const { folder, remove } = temporaryFolder();
after(remove);

const { VariableIds: Ids } = opcua;
const TEMPERATURE = `ns=3;s=${devEuiOf(1)}/metric/temperature`;
const READ = { nodeId: TEMPERATURE, attributeId: opcua.AttributeIds.Value };

/** A server as a node has it, redeployed with one setting after the other, while a client looks at a value. */
class Deployment {
  readonly clock = new ManualClock();
  readonly registry = new ServerRegistry();
  readonly source: TestSource = simpleSource();
  readonly entries: CapturedEntry[] = [];
  readonly seen: number[] = [];
  readonly #logger = capturedLogger('opcua');
  #settings: ServerSettings;
  #value = 0;

  private constructor(settings: ServerSettings) {
    this.#settings = settings;
    this.entries = this.#logger.entries;
  }

  static async begin(more: Record<string, unknown> = {}): Promise<Deployment> {
    const deployment = new Deployment(
      settingsOf(folder, {
        port: await freePort(),
        endpoints: 'None,Basic256Sha256/SignAndEncrypt',
        allowAnonymous: true,
        connectionsPerAddressPerMinute: 0,
        ...more,
      }),
    );
    await deployment.deploy({});
    return deployment;
  }

  /** @returns whether the server was adopted */
  async deploy(more: Record<string, unknown>): Promise<boolean> {
    this.#settings = parseServerSettings({ ...this.#settings, ...more });
    await this.lease?.release({ final: false });
    this.lease = await this.registry.acquire(
      'node',
      this.#settings,
      depsOf({ clock: this.clock, logger: this.#logger.logger }),
    );
    if (!this.lease.adopted) this.lease.server.attach(this.source);
    await this.lease.server.settled();
    return this.lease.adopted;
  }

  lease: Awaited<ReturnType<ServerRegistry['acquire']>> | undefined;

  get server() {
    assert.ok(this.lease);
    return this.lease.server;
  }

  /** A session with a subscription that notes what it is told. */
  async watch(): Promise<Connected> {
    const client = await connect(this.server, folder);
    const subscription = await subscribe(client.session);
    const item = await subscription.monitor(READ, { samplingInterval: 0, queueSize: 100 }, 2);
    item.on('changed', (value: opcua.DataValue) => {
      if (typeof value.value.value === 'number') this.seen.push(value.value.value);
    });
    await this.notified();
    return client;
  }

  /** Resolves when the client has seen a new value, over the subscription that it has. */
  async notified(): Promise<void> {
    const value = ++this.#value;
    this.server.publish(readingOf(1, { temperature: value }, this.clock.now() + value));
    await until(() => this.seen.includes(value));
  }

  /** The last line about settings. */
  told(): string | undefined {
    return this.entries.findLast(({ operation, event }) => operation === 'configure' && event === 'changed')?.message;
  }
}

/** A source with a history that notes how many values are asked of it. */
function historian(): { source: ModelSource; limits: number[] } {
  const limits: number[] = [];
  const source: ModelSource = Object.assign(simpleSource(), {
    history: {
      readHistory(request: HistoryRequest) {
        if (request.kind === 'raw') limits.push(request.limit);
        return Promise.resolve({ bytes: new Uint8Array(4), count: 0 });
      },
    },
  });
  return { source, limits };
}

let deployment: Deployment;
let client: Connected;
beforeEach(async () => {
  deployment = await Deployment.begin({ maxSessions: 2, reservedForAdministrators: 0, maxConnectionsPerEndpoint: 20 });
  client = await deployment.watch();
});
afterEach(async () => {
  // The one that was connected at first has come through all of it.
  await deployment.notified();
  assert.equal(client.client.isReconnecting, false);
  await client.close();
  await deployment.registry.shutdownAll();
});

const shown = async (id: number): Promise<unknown> => (await client.read(`i=${id}`)).value.value;

test('sessions: a higher limit helps at once, a lower one ends nothing', async () => {
  const second = await connect(deployment.server, folder);
  await assert.rejects(connect(deployment.server, folder), /BadTooManySessions/);
  assert.equal(await deployment.deploy({ maxSessions: 3, maxConnectionsPerEndpoint: 30 }), true);
  assert.match(deployment.told() ?? '', /without a restart: maxSessions 2 → 3, maxConnectionsPerEndpoint 20 → 30$/);
  assert.equal(await shown(Ids.Server_ServerCapabilities_MaxSessions), 3);
  const third = await connect(deployment.server, folder);
  await deployment.deploy({ maxSessions: 1 });
  assert.equal(await shown(Ids.Server_ServerCapabilities_MaxSessions), 1);
  for (const one of [second, third]) {
    assert.ok((await one.read('i=2259')).statusCode.isGood());
    await one.close();
  }
  await assert.rejects(connect(deployment.server, folder), /BadTooManySessions/);
  assert.equal(deployment.entries.filter(({ event }) => event === 'ready').length, 1, 'it started once');
});

test('subscriptions and monitored items of a session that is open', async () => {
  const { session } = client;
  await deployment.deploy({ maxSubscriptionsPerSession: 2 });
  assert.equal(await shown(Ids.Server_ServerCapabilities_MaxSubscriptionsPerSession), 2);
  const subscription = await subscribe(session);
  await assert.rejects(subscribe(session), /BadTooManySubscriptions/);
  const add = async (count: number): Promise<string> => {
    const { results } = await session.createMonitoredItems(
      new opcua.CreateMonitoredItemsRequest({
        subscriptionId: subscription.subscriptionId,
        timestampsToReturn: opcua.TimestampsToReturn.Both,
        itemsToCreate: Array.from({ length: count }, () => ({
          itemToMonitor: READ,
          monitoringMode: opcua.MonitoringMode.Reporting,
          requestedParameters: { clientHandle: 1, samplingInterval: 0, queueSize: 1 },
        })),
      }),
    );
    return (results ?? []).map(({ statusCode }) => statusCode.name).join();
  };
  assert.equal(await add(3), 'Good,Good,Good');
  await deployment.deploy({ maxMonitoredItemsPerSubscription: 2 });
  assert.equal(await shown(Ids.Server_ServerCapabilities_MaxMonitoredItemsPerSubscription), 2);
  assert.equal(await add(1), 'BadTooManyMonitoredItems');
  await deployment.deploy({ maxMonitoredItemsPerSubscription: 100, maxMonitoredItems: 5 });
  assert.equal(await shown(Ids.Server_ServerCapabilities_MaxMonitoredItems), 5);
  assert.equal(await add(2), 'Good,BadTooManyMonitoredItems', 'with the one of the first subscription');
  await deployment.deploy({ maxMonitoredItems: 6, maxMonitoredItemsPerCall: 2 });
  assert.equal(await shown(Ids.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall), 2);
  await assert.rejects(add(3), /BadTooManyOperations/);
  assert.equal(await add(2), 'Good,BadTooManyMonitoredItems');
});

test('operations of a call, and sizes of connections that come next', async () => {
  const other = await RawClient.login(deployment.server.port);
  const reads = (count: number): opcua.ReadRequest =>
    new opcua.ReadRequest({ nodesToRead: Array.from({ length: count }, () => READ) });
  await deployment.deploy({ maxNodesPerCall: 5, maxNodesPerHistoryRead: 3 });
  for (const [id, expected] of [
    [Ids.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead, 5],
    [Ids.Server_ServerCapabilities_OperationLimits_MaxNodesPerBrowse, 5],
    [Ids.Server_ServerCapabilities_OperationLimits_MaxNodesPerMethodCall, 5],
    [Ids.Server_ServerCapabilities_OperationLimits_MaxNodesPerHistoryReadData, 3],
  ] as const)
    assert.equal(await shown(id), expected);
  assert.equal(nameOf(await other.ask(reads(6))), 'BadTooManyOperations');
  await deployment.deploy({ maxNodesPerCall: 6_000 });
  assert.equal(nameOf(await other.ask(reads(6))), 'Good');
  other.close();

  const agreed = async (): Promise<{ chunk: number; message: number }> => {
    const stranger = await RawClient.connect(deployment.server.port);
    stranger.hello();
    const answer = await stranger.next();
    assert.ok(answer.kind === 'acknowledged');
    stranger.close();
    return { chunk: answer.chunkSize, message: answer.maxMessageSize };
  };
  assert.deepEqual(await agreed(), { chunk: 16_384, message: 4_194_304 });
  await deployment.deploy({ chunkSize: 8_192, maxMessageSize: 65_536 });
  assert.deepEqual(await agreed(), { chunk: 8_192, message: 65_536 });
});

test('pages of histories', async () => {
  const { source, limits } = historian();
  deployment.server.attach(source);
  await deployment.server.settled();
  await askOne(client, TEMPERATURE, raw(0, 1_000));
  await deployment.deploy({ maxHistoryValuesPerNode: 77 });
  assert.equal(await shown(Ids.HistoryServerCapabilities_MaxReturnDataValues), 77);
  await askOne(client, TEMPERATURE, raw(0, 1_000));
  assert.deepEqual(limits, [5_000, 77]);
});

test('connections per address', async () => {
  await deployment.deploy({ connectionsPerAddressPerMinute: 1 });
  (await RawClient.open(deployment.server.port)).close();
  await assert.rejects(RawClient.open(deployment.server.port));
  await deployment.deploy({ connectionsPerAddressPerMinute: 0 });
  (await RawClient.open(deployment.server.port)).close();
});

test('how values are shown: sampling, times, and how long removed devices stay', async () => {
  const { source, server, clock } = deployment;
  const revised = async (): Promise<number | undefined> => {
    const subscription = await subscribe(client.session);
    const item = await subscription.monitor(READ, { samplingInterval: 1_000, queueSize: 1 }, 2);
    return item.result?.revisedSamplingInterval;
  };
  assert.equal(await revised(), 0);
  await deployment.deploy({ samplingRewrite: false });
  assert.equal(await revised(), 1_000);

  const before = (await client.read(TEMPERATURE)).sourceTimestamp?.getTime();
  await deployment.deploy({ sourceTime: 'heartbeat', heartbeatSeconds: 5 });
  await clock.advance(5_000);
  await server.settled();
  assert.notEqual((await client.read(TEMPERATURE)).sourceTimestamp?.getTime(), before);
  await deployment.deploy({ sourceTime: 'true' });
  assert.equal((await client.read(TEMPERATURE)).sourceTimestamp?.getTime(), before);

  source.setDevice(deviceOf(2));
  source.define(2, 'temperature', 'Double');
  source.changed();
  await server.settled();
  source.devices.delete(devEuiOf(2));
  source.definitions.delete(`${devEuiOf(2)}/temperature`);
  source.changed();
  await server.settled();
  const status = async (): Promise<string> =>
    (await client.read(`ns=3;s=${devEuiOf(2)}/metric/temperature`)).statusCode.name;
  await clock.advance(60_000);
  await server.settled();
  assert.equal(await status(), 'BadOutOfService');
  await deployment.deploy({ removedNodesKept: 30_000 });
  await clock.advance(30_000);
  await server.settled();
  assert.equal(await status(), 'BadNodeIdUnknown');
});

test('one line says all that has changed, none that nothing has', async () => {
  await deployment.deploy({});
  assert.equal(deployment.told(), undefined);
  await deployment.deploy({ removedNodesKept: 0, sourceTime: 'heartbeat' });
  assert.match(deployment.told() ?? '', /: removedNodesKept 86400000 → 0, sourceTime true → heartbeat$/);
});

test('what says where the server is or whom it lets in needs another server', async () => {
  const { server } = deployment;
  const { settings } = server;
  for (const more of [
    { port: 1 },
    { host: '127.0.0.2' },
    { advertisedHosts: 'gateway' },
    { endpoints: 'Basic256Sha256/Sign' },
    { allowAnonymous: false },
    { trustAllClients: false },
    { users: [{ name: 'ann', password: 'Correct horse 2' }] },
    { pkiFolder: '/elsewhere' },
    { applicationName: 'Other' },
    { applicationUri: 'urn:other' },
  ])
    assert.throws(() => server.apply(parseServerSettings({ ...settings, maxSessions: 9, ...more })), RangeError);
  assert.equal(server.settings, settings);
});
