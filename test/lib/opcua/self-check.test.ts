import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';
import { after, test } from 'node:test';
import { type ClientEvent, GatewayServer, type Reachability } from '../../../lib/opcua';
import { hostAndPort } from '../../../lib/opcua/endpoint-probe';
import { capturedLogger } from '../../support/captured-logger';
import { freePort } from '../../support/free-port';
import { depsOf, settingsOf, startServer, temporaryFolder } from './support';

const { folder, remove } = temporaryFolder();
after(remove);

async function listener(onConnection: (server: Server) => void): Promise<{ port: number; server: Server }> {
  const server = createServer();
  onConnection(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  return { port: address.port, server };
}

function of(server: GatewayServer, part: string): Reachability {
  const found = server.reachability.find(({ url }) => url.includes(part));
  assert.ok(found, `${part} is not among ${server.reachability.map(({ url }) => url).join(', ')}`);
  return found;
}

test('each advertised URL is tried, and told where it does not lead to this server', async () => {
  const { logger, entries } = capturedLogger('opcua');
  const other = await startServer(folder, { applicationUri: 'urn:other', pkiFolder: `${folder}/other` });
  const web = await listener((server) => server.on('connection', (socket) => socket.end('HTTP/1.1 400 Bad Request')));
  const closed = await freePort();
  const port = await freePort();
  const events: ClientEvent[] = [];
  const settings = settingsOf(folder, {
    port,
    host: '0.0.0.0',
    advertisedHosts: [
      'localhost',
      `127.0.0.1:${port}`,
      'nothing.invalid',
      `127.0.0.1:${closed}`,
      `127.0.0.1:${other.port}`,
      `127.0.0.1:${web.port}`,
    ],
  });
  const server = new GatewayServer(settings, depsOf({ logger }));
  server.onClientEvent((event) => events.push(event));
  await server.start();
  assert.deepEqual(server.reachability, [], 'the start does not wait for it');
  await server.checked();
  assert.deepEqual(of(server, 'localhost'), { url: `opc.tcp://localhost:${port}`, reachable: true });
  assert.equal(of(server, `127.0.0.1:${port}`).reachable, true);
  for (const [part, reason] of [
    ['nothing.invalid', /name of the host is not known/],
    [`127.0.0.1:${closed}`, /nothing listens/],
    [`127.0.0.1:${other.port}`, /another OPC UA server/],
    [`127.0.0.1:${web.port}`, /no OPC UA server/],
  ] as const) {
    assert.equal(of(server, part).reachable, false);
    assert.match(of(server, part).reason ?? '', reason);
    assert.ok(
      entries.some(({ level, address = '', cure = '' }) => level === 'warn' && address.includes(part) && cure !== ''),
    );
    assert.ok(events.some(({ type, address }) => type === 'endpoint-unreachable' && address.includes(part)));
  }
  assert.ok(
    entries.some(({ cure = '' }) => cure.includes('behind NAT')),
    'what may be right behind NAT is a hint',
  );
  assert.ok(!events.some(({ type }) => type === 'channel-failed' || type === 'session-opened'));
  await server.stop();
  await other.stop();
  web.server.close();
});

test('a certificate that does not name an advertised host is told', async () => {
  await (await startServer(folder, { pkiFolder: `${folder}/named` })).stop();
  const server = await startServer(folder, {
    pkiFolder: `${folder}/named`,
    host: '0.0.0.0',
    advertisedHosts: ['127.0.0.7'],
  });
  await server.checked();
  const { reachable, reason = '' } = of(server, '127.0.0.7');
  assert.ok(reachable);
  assert.match(reason, /does not name this host/);
  await server.stop();
});

const hasIPv6 = Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === '::1'));

test('a server on one address says so, and IPv6 is reached too', { skip: !hasIPv6 }, async () => {
  const server = await startServer(folder, { host: '::1' });
  await server.checked();
  assert.deepEqual(
    server.reachability.map(({ url, reachable }) => [url, reachable]),
    [[`opc.tcp://[::1]:${server.port}`, true]],
  );
  await server.stop();
});

test('hosts and ports of URLs', () => {
  assert.deepEqual(hostAndPort('opc.tcp://[2001:db8::1]:4841/path'), { host: '2001:db8::1', port: 4841 });
  assert.deepEqual(hostAndPort(`opc.tcp://${hostname().toLowerCase()}`), {
    host: hostname().toLowerCase(),
    port: 4840,
  });
});
