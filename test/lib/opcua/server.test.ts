import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { DataValue, ModifyMonitoredItemsRequestOptions, ModifyMonitoredItemsResponse } from 'node-opcua';
import {
  AttributeIds,
  DataChangeFilter,
  DataChangeTrigger,
  MonitoringMode,
  MonitoringParameters,
  OPCUAServer,
  StatusCodes,
  TimestampsToReturn,
  UserTokenType,
} from 'node-opcua';
import { silentLogger, systemClock } from '../../../lib/model';
import { type ClientEvent, GatewayServer, PkiFolderError, PortInUseError } from '../../../lib/opcua';
import { capturedLogger } from '../../support/captured-logger';
import {
  type Connected,
  connect,
  depsOf,
  devEuiOf,
  makeClient,
  readingOf,
  settingsOf,
  simpleSource,
  startServer,
  subscribe,
  temporaryFolder,
  USER,
  until,
  urlOf,
} from './support';

type Modify = (request: ModifyMonitoredItemsRequestOptions) => Promise<ModifyMonitoredItemsResponse>;

/** The library declares an overload with a callback that hides the promise. */
function modify(session: Connected['session'], request: ModifyMonitoredItemsRequestOptions): ReturnType<Modify> {
  const call: Modify = session.modifyMonitoredItems.bind(session);
  return call(request);
}

const { folder, remove } = temporaryFolder();
after(remove);

const TEMPERATURE = `ns=3;s=${devEuiOf(1)}/metric/temperature`;

test('by default only endpoints that protect are there, and nobody gets in without a login', async () => {
  const server = await startServer(folder);
  try {
    const client = await makeClient(folder, { policy: 'None', mode: 'None' });
    await client.connect(urlOf(server));
    const endpoints = await client.getEndpoints();
    assert.deepEqual(
      endpoints
        .map(({ securityPolicyUri, securityMode }) => `${securityPolicyUri?.split('#')[1]} ${securityMode}`)
        .sort(),
      [
        'Aes128_Sha256_RsaOaep 2',
        'Aes128_Sha256_RsaOaep 3',
        'Aes256_Sha256_RsaPss 2',
        'Aes256_Sha256_RsaPss 3',
        'Basic256Sha256 2',
        'Basic256Sha256 3',
      ],
    );
    for (const { userIdentityTokens } of endpoints)
      assert.ok(
        !userIdentityTokens?.some(({ tokenType }) => tokenType === UserTokenType.Anonymous),
        'no anonymous token',
      );
    await assert.rejects(client.createSession({ type: UserTokenType.Anonymous }));
    await client.disconnect();
    await assert.rejects(connect(server, folder, { policy: 'None', mode: 'None' }));
    await assert.rejects(connect(server, folder, { user: undefined }));
    await assert.rejects(connect(server, folder, { policy: 'Basic256' }));
  } finally {
    await server.stop();
  }
});

test('the certificate names what clients use, and the folder is private', async () => {
  const own = join(folder, 'hosts');
  const server = await startServer(own, { advertisedHosts: 'plant.example, 192.0.2.99:4899' });
  try {
    const file = join(own, 'server-pki', 'server', 'own', 'certs', 'certificate.pem');
    const certificate = new X509Certificate(readFileSync(file));
    for (const host of ['localhost', hostname().toLowerCase(), 'plant.example'])
      assert.ok(certificate.checkHost(host), host);
    for (const address of ['127.0.0.1', '192.0.2.99']) assert.ok(certificate.checkIP(address), address);
    assert.match(certificate.subjectAltName ?? '', new RegExp(`URI:${server.settings.applicationUri}`));
    assert.ok(server.endpointUrls.includes('opc.tcp://192.0.2.99:4899'));
    assert.ok(server.endpointUrls.includes(`opc.tcp://plant.example:${server.port}`));
    const check = (path: string): void => {
      const stats = statSync(path);
      assert.equal(stats.mode & 0o777, stats.isDirectory() ? 0o700 : 0o600, path);
      if (stats.isDirectory()) for (const name of readdirSync(path)) check(join(path, name));
    };
    check(join(own, 'server-pki'));
  } finally {
    await server.stop();
  }
  const { logger, entries } = capturedLogger('opcua');
  const again = await startServer(own, { advertisedHosts: 'new.example', applicationUri: 'urn:other' }, { logger });
  await again.stop();
  assert.ok(entries.some(({ operation, message }) => operation === 'certificate' && /new\.example/.test(message)));
  assert.ok(entries.some(({ operation, message }) => operation === 'certificate' && /urn:other/.test(message)));
});

test('right and wrong logins, and what is told of them', async () => {
  const events: ClientEvent[] = [];
  const { logger, entries } = capturedLogger('opcua');
  const server = new GatewayServer(settingsOf(folder), depsOf({ logger }));
  const off = server.onClientEvent((event) => events.push(event));
  server.onClientEvent(() => {
    throw new Error('a listener that throws disturbs nobody');
  });
  await server.start();
  try {
    const good = await connect(server, folder, { mode: 'Sign' });
    assert.deepEqual(
      server
        .clients()
        .clients.map(({ user, application, security, address }) => ({ user, application, security, address })),
      [{ user: USER.name, application: 'TestClient', security: 'Basic256Sha256/Sign', address: '127.0.0.1' }],
    );
    assert.equal((await good.read('ns=3;s=gateway/sessions')).value.value, 1);
    await good.close();
    await assert.rejects(connect(server, folder, { user: { ...USER, password: 'wrong' } }), /BadUserAccessDenied/);
    await assert.rejects(
      connect(server, folder, { user: { name: 'eve', password: USER.password } }),
      /BadUserAccessDenied/,
    );
    assert.ok(
      ['session-opened', 'session-activated', 'session-closed', 'login-refused'].every((type) =>
        events.some((event) => event.type === type),
      ),
    );
    const refused = events.find(({ type }) => type === 'login-refused');
    assert.equal(refused?.user, USER.name);
    assert.equal(refused?.address, '127.0.0.1');
    const closed = events.find(({ type }) => type === 'session-closed');
    assert.equal(closed?.user, USER.name);
    assert.equal(closed?.address, '127.0.0.1');
    const text = JSON.stringify([events, entries]);
    assert.ok(!text.includes(USER.password) && !text.includes('wrong"'));
    assert.ok(entries.some(({ reason, level }) => reason === 'wrong-credentials' && level === 'warn'));
    const count = events.length;
    off();
    await (await connect(server, folder)).close();
    assert.equal(events.length, count);
  } finally {
    await server.stop();
  }
});

test('an unknown client is refused, its certificate kept, and trusted once it is moved', async () => {
  const events: ClientEvent[] = [];
  const { logger, entries } = capturedLogger('opcua');
  const server = new GatewayServer(
    settingsOf(folder, { trustAllClients: false, pkiFolder: join(folder, 'strict') }),
    depsOf({ logger }),
  );
  server.onClientEvent((event) => events.push(event));
  await server.start();
  try {
    await assert.rejects(connect(server, folder));
    await until(() => events.some(({ type }) => type === 'certificate-refused'));
    const refused = events.find(({ type }) => type === 'certificate-refused');
    const file = refused?.file ?? '';
    assert.match(file, /rejected.*\.pem$/);
    const logged = entries.find(({ reason }) => reason === 'untrusted-certificate');
    assert.equal(logged?.file, file);
    const trusted = join(folder, 'strict', 'server', 'trusted', 'certs');
    assert.ok(logged?.cure?.includes(trusted));
    renameSync(file, join(trusted, 'client.pem'));
    for (let tries = 0; ; tries++) {
      try {
        await (await connect(server, folder)).close();
        break;
      } catch (error) {
        if (tries > 20) throw error;
      }
    }
  } finally {
    await server.stop();
  }
});

test('None is there when asked for, with encrypted passwords', async () => {
  const { logger, entries } = capturedLogger('opcua');
  const server = await startServer(folder, { endpoints: 'None', allowAnonymous: true }, { logger });
  try {
    const anonymous = await connect(server, folder, { policy: 'None', mode: 'None', user: undefined });
    assert.equal(server.clients().clients[0]?.user, 'anonymous');
    assert.equal(server.clients().clients[0]?.security, 'None');
    const endpoints = await anonymous.client.getEndpoints();
    assert.deepEqual(
      endpoints.map(({ securityMode }) => securityMode),
      [1],
    );
    await anonymous.close();
    await (await connect(server, folder, { policy: 'None', mode: 'None' })).close();
    await assert.rejects(
      connect(server, folder, { policy: 'None', mode: 'None', user: { ...USER, password: 'wrong' } }),
    );
    await assert.rejects(connect(server, folder, { policy: 'Basic256Sha256' }));
    for (const part of ['without a login', 'do not protect: None', 'trusts every client'])
      assert.ok(
        entries.some(({ level, message }) => level === 'warn' && message.includes(part)),
        part,
      );
  } finally {
    await server.stop();
  }
});

test('exactly the endpoints asked for are offered', async () => {
  const server = await startServer(folder, {
    endpoints: 'Basic256Sha256/SignAndEncrypt, Aes256_Sha256_RsaPss/Sign',
    users: [],
  });
  try {
    const client = await makeClient(folder, { policy: 'None', mode: 'None' });
    await client.connect(urlOf(server));
    const endpoints = await client.getEndpoints();
    await client.disconnect();
    assert.deepEqual(
      endpoints
        .map(({ securityPolicyUri, securityMode }) => `${securityPolicyUri?.split('#')[1]} ${securityMode}`)
        .sort(),
      ['Aes256_Sha256_RsaPss 2', 'Basic256Sha256 3'],
    );
    await assert.rejects(connect(server, folder, { mode: 'Sign' }));
  } finally {
    await server.stop();
  }
});

test('a port in use is told apart, and freed by stop', async () => {
  const blocker: Server = createServer();
  await new Promise<void>((resolve) => {
    blocker.listen(0, '127.0.0.1', resolve);
  });
  const address = blocker.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const failed = new GatewayServer(settingsOf(folder, { port }), depsOf());
  await assert.rejects(failed.start(), (error: unknown) => error instanceof PortInUseError && error.port === port);
  assert.equal(failed.isRunning, false);
  await failed.stop();
  await new Promise((resolve) => blocker.close(resolve));
  const first = await startServer(folder, { port });
  assert.equal(first.port, port);
  await Promise.all([first.stop(), first.stop()]);
  const second = await startServer(folder, { port });
  await second.stop();
});

test('an address that is not of this machine is a wrong setting', async () => {
  await assert.rejects(
    new GatewayServer(settingsOf(folder, { host: '192.0.2.250' }), depsOf()).start(),
    /host is "192\.0\.2\.250"/,
  );
});

test('a folder that cannot be used is told with its cure', async () => {
  const file = join(folder, 'a-file');
  writeFileSync(file, '');
  await assert.rejects(
    new GatewayServer(settingsOf(folder, { pkiFolder: join(file, 'pki') }), depsOf()).start(),
    (error: unknown) => error instanceof PkiFolderError && /write access/.test(error.message),
  );
  const broken = join(folder, 'broken-pki');
  mkdirSync(broken);
  writeFileSync(join(broken, 'server'), 'not a folder');
  await assert.rejects(new GatewayServer(settingsOf(folder, { pkiFolder: broken }), depsOf()).start(), PkiFolderError);
  chmodSync(broken, 0o700);
});

test('clients are told of the shutdown before the connection ends', async () => {
  const server = await startServer(folder);
  const client = await connect(server, folder);
  const states: number[] = [];
  const subscription = await subscribe(client.session);
  const item = await subscription.monitor(
    { nodeId: 'i=2259', attributeId: AttributeIds.Value },
    { samplingInterval: 50, queueSize: 10 },
    TimestampsToReturn.Both,
  );
  item.on('changed', (value: DataValue) => states.push(value.value.value as number));
  await until(() => states.includes(0));
  await server.stop();
  assert.ok(states.includes(4), 'ServerState.Shutdown');
  assert.deepEqual(server.endpointUrls, []);
  await client.client.disconnect().catch(() => undefined);
});

for (const [what, outcome] of [
  ['fails', () => Promise.reject(new Error('something is left'))],
  ['does not end', () => new Promise<void>(() => undefined)],
] as const)
  test(`the port is free also when the shutdown of the library ${what}`, async (t) => {
    const { logger, entries } = capturedLogger('opcua');
    // Nobody waits for what never comes.
    const hasty = { ...systemClock, after: (_: number, callback: () => void) => systemClock.after(0, callback) };
    const server = await startServer(folder, {}, { logger, clock: hasty });
    const { client } = await connect(server, folder);
    const { port } = server;
    const left: OPCUAServer[] = [];
    const { mock } = t.mock.method(OPCUAServer.prototype, 'shutdown', function (this: OPCUAServer) {
      left.push(this);
      return outcome();
    });
    await server.stop();
    mock.restore();
    assert.match(entries.map(({ message }) => message).join(), /did not stop cleanly: (something is left|it takes)/);
    const next = await startServer(folder, { port });
    assert.equal(next.port, port);
    await next.stop();
    await client.disconnect().catch(() => undefined);
    for (const one of left) await one.shutdown();
  });

test('requests that would end the process are answered', async () => {
  const server = await startServer(folder);
  const client = await connect(server, folder);
  const off = server.attach(simpleSource());
  await server.settled();
  try {
    const subscription = await subscribe(client.session);
    const { subscriptionId } = subscription;
    const create = (nodeId: string, samplingInterval: number, more: object = {}, attributeId = AttributeIds.Value) =>
      client.session.createMonitoredItems({
        subscriptionId,
        timestampsToReturn: TimestampsToReturn.Both,
        itemsToCreate: [
          {
            itemToMonitor: { nodeId, attributeId },
            monitoringMode: MonitoringMode.Reporting,
            requestedParameters: { clientHandle: 1, samplingInterval, queueSize: 1, discardOldest: true, ...more },
          },
        ],
      });
    const intervals = [0, -1, -7.5, 1e-9, 250, 1e12, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    // A method's arguments have a MinimumSamplingInterval of -1.
    for (const nodeId of [TEMPERATURE, 'i=2259', 'i=11493', 'ns=3;s=lorawan/node-version'])
      for (const interval of intervals)
        for (const attribute of [AttributeIds.Value, AttributeIds.DisplayName]) {
          const { results } = await create(nodeId, interval, {}, attribute);
          const [result] = results ?? [];
          assert.ok(result !== undefined);
          assert.ok(result.statusCode.isGood(), `${nodeId} ${interval} ${result.statusCode.toString()}`);
          assert.ok(Number.isFinite(result.revisedSamplingInterval));
          if (nodeId === TEMPERATURE && attribute === AttributeIds.Value)
            assert.equal(result.revisedSamplingInterval, 0);
          for (const changed of intervals) {
            const request: ModifyMonitoredItemsRequestOptions = {
              subscriptionId,
              timestampsToReturn: TimestampsToReturn.Both,
              itemsToModify: [
                {
                  monitoredItemId: result.monitoredItemId,
                  requestedParameters: new MonitoringParameters({
                    clientHandle: 1,
                    samplingInterval: changed,
                    queueSize: 1,
                    discardOldest: true,
                  }),
                },
              ],
            };
            const modified = await modify(client.session, request);
            assert.ok(modified.results?.[0]?.statusCode.isGood(), `${nodeId} ${interval} to ${changed}`);
          }
        }
    for (const deadbandValue of [-1, Number.NaN, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]) {
      const filter = new DataChangeFilter({ trigger: DataChangeTrigger.StatusValue, deadbandType: 1, deadbandValue });
      const { results } = await create(TEMPERATURE, 0, { filter });
      assert.equal(results?.[0]?.statusCode, StatusCodes.BadDeadbandFilterInvalid, String(deadbandValue));
    }
    const { results } = await create(TEMPERATURE, 0, {
      filter: new DataChangeFilter({ trigger: DataChangeTrigger.StatusValue, deadbandType: 1, deadbandValue: 0.5 }),
    });
    assert.ok(results?.[0]?.statusCode.isGood());
    const write = await client.session.write({
      nodeId: TEMPERATURE,
      attributeId: AttributeIds.Value,
      value: { value: { dataType: 'Double', value: 1 } },
    });
    assert.equal(write, StatusCodes.BadUserAccessDenied);
    assert.ok((await client.read('i=2259')).statusCode.isGood(), 'alive');
  } finally {
    off();
    await client.close();
    await server.stop();
  }
});

test('samplingRewrite off leaves sampling to the client', async () => {
  const server = await startServer(folder, { samplingRewrite: false });
  const client = await connect(server, folder);
  server.attach(simpleSource());
  await server.settled();
  try {
    const subscription = await subscribe(client.session);
    const { results } = await client.session.createMonitoredItems({
      subscriptionId: subscription.subscriptionId,
      timestampsToReturn: TimestampsToReturn.Both,
      itemsToCreate: [
        {
          itemToMonitor: { nodeId: TEMPERATURE, attributeId: AttributeIds.Value },
          monitoringMode: MonitoringMode.Reporting,
          requestedParameters: { clientHandle: 1, samplingInterval: 500, queueSize: 1, discardOldest: true },
        },
      ],
    });
    assert.equal(results?.[0]?.revisedSamplingInterval, 500);
    assert.equal(server.clients().monitoredItems, 1);
    assert.equal(server.clients().subscriptions, 1);
  } finally {
    await client.close();
    await server.stop();
  }
});

test('before start and after stop everything is harmless', async () => {
  const server = new GatewayServer(settingsOf(folder), depsOf({ logger: silentLogger }));
  const source = simpleSource();
  const off = server.attach(source);
  server.publish(readingOf(1, { temperature: 1 }, 1));
  server.publishStoreHealth({ state: 'healthy', reason: '', cure: '', pending: 0, lost: 0, committed: 0 });
  assert.deepEqual(server.clients(), { sessions: 0, channels: 0, subscriptions: 0, monitoredItems: 0, clients: [] });
  assert.deepEqual(server.endpointUrls, []);
  assert.equal(server.port, 0);
  await server.settled();
  await server.start();
  await server.settled();
  assert.ok(source.listenerCount > 0);
  await server.stop();
  assert.equal(source.listenerCount, 0);
  off();
  off();
  server.publish(readingOf(1, { temperature: 1 }, 1));
  await server.stop();
});

test('server status tells who it is', async () => {
  const server = await startServer(folder);
  const client = await connect(server, folder);
  try {
    const info = (await client.read('i=2260')).value.value as {
      productName: string;
      manufacturerName: string;
      softwareVersion: string;
    };
    assert.equal(info.productName, 'Lorua');
    assert.equal(info.manufacturerName, 'Lorua');
    assert.match(info.softwareVersion, /^\d/);
    assert.deepEqual((await client.read('i=2255')).value.value, [
      'http://opcfoundation.org/UA/',
      server.settings.applicationUri,
      'urn:lorua:model',
      'urn:lorua:gateway',
      'http://opcfoundation.org/UA/DI/',
    ]);
  } finally {
    await client.close();
    await server.stop();
  }
});
