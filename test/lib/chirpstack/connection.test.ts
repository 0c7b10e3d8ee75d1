import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, test } from 'node:test';
import { ServerCredentials } from '@grpc/grpc-js';
import {
  CallError,
  ChirpstackConnection,
  type ConnectionInput,
  parseConnectionSettings,
} from '../../../lib/chirpstack';
import { ChirpstackApi } from '../../../lib/chirpstack/chirpstack-api';
import { type Clock, parseApplicationId, parseDevEui, parseTenantId, systemClock } from '../../../lib/model';
import { capturedLogger } from '../../support/captured-logger';
import { eventually } from '../../support/eventually';
import { freePort } from '../../support/free-port';
import { ManualClock } from '../../support/manual-clock';
import { repositoryRoot } from '../../support/paths';
import { ADMIN_TOKEN, APPLICATION, eui, FakeChirpstack, TENANT, TENANT_TOKEN } from './fake-chirpstack';

const fixture = (name: string): Buffer => readFileSync(join(repositoryRoot, 'test/lib/chirpstack/fixtures', name));
const certificate = (name: string): ServerCredentials =>
  ServerCredentials.createSsl(null, [{ private_key: fixture(`${name}-key.pem`), cert_chain: fixture(`${name}.pem`) }]);

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function fakeServer(...start: Parameters<FakeChirpstack['start']>): Promise<FakeChirpstack> {
  const server = new FakeChirpstack();
  server.addDevices(3);
  await server.start(...start);
  cleanups.push(() => server.stop());
  return server;
}

function connect(url: string, input: Partial<ConnectionInput> = {}, clock: Clock = systemClock) {
  const { logger, entries } = capturedLogger('chirpstack');
  const connection = new ChirpstackConnection(parseConnectionSettings({ url, token: ADMIN_TOKEN, ...input }), {
    clock,
    random: () => 0,
    logger,
  });
  cleanups.push(() => connection.close());
  return { connection, api: new ChirpstackApi(connection), entries };
}

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** A peer that takes connections and says nothing. */
async function hungPeer(): Promise<number> {
  const sockets = new Set<Socket>();
  const port = await listen(createServer((socket) => sockets.add(socket.on('error', () => undefined))));
  cleanups.push(() => sockets.forEach((socket) => socket.destroy()));
  return port;
}

async function failureOf(call: Promise<unknown>) {
  try {
    await call;
  } catch (error) {
    assert.ok(error instanceof CallError, String(error));
    return error.failure;
  }
  return assert.fail('the call did not fail');
}

describe('a connection', () => {
  test('says connected after the first answer, once', async () => {
    const server = await fakeServer();
    const { connection, api, entries } = connect(`http://127.0.0.1:${server.port}`);
    const states: string[] = [];
    const unsubscribe = connection.onState(({ state }) => states.push(state));
    assert.equal(connection.state().state, 'connecting');
    const listing = await api.devices(parseApplicationId(APPLICATION), {});
    assert.equal(listing.rows.length, 3);
    await api.device(parseDevEui(eui(1)), {});
    assert.deepEqual(states, ['connected']);
    assert.deepEqual(
      entries.map(({ event }) => event),
      ['succeeded'],
    );
    unsubscribe();
  });

  test('reaches a server by name, by IPv6 address and by TLS with a CA of its own', async () => {
    const server = await fakeServer(undefined, 'localhost');
    const { connection } = connect(`http://localhost:${server.port}`);
    assert.ok(await connection.probe(), connection.state().reason);
    const secure = await fakeServer(certificate('localhost'));
    for (const host of ['localhost', '127.0.0.1']) {
      const pem = fixture('localhost.pem').toString();
      const { connection } = connect(`https://${host}:${secure.port}`, { caCertificate: pem });
      assert.ok(await connection.probe(), connection.state().reason);
    }
  });

  test('lets eight calls run at once and not one more', async () => {
    const server = await fakeServer();
    server.latency = 10;
    const { api } = connect(`http://127.0.0.1:${server.port}`);
    await Promise.all(Array.from({ length: 50 }, () => api.device(parseDevEui(eui(1)), {})));
    assert.equal(server.calls.length, 50);
    assert.equal(server.mostInFlight, 8);
  });
});

describe('what keeps a connection from working is told in words', () => {
  async function expectFailure(url: string, state: string, reason: RegExp, input: Partial<ConnectionInput> = {}) {
    const { connection, entries } = connect(url, { callTimeout: 0.3, ...input });
    assert.equal(await connection.probe(), false);
    const status = connection.state();
    assert.equal(status.state, state);
    assert.match(status.reason, reason);
    assert.notEqual(status.cure, '');
    assert.equal(entries.length, 1);
    assert.ok(!JSON.stringify(entries).includes(ADMIN_TOKEN));
  }

  test('nothing listens', async () => {
    await expectFailure(`http://127.0.0.1:${await freePort()}`, 'disconnected', /Nothing listens/);
  });
  test('the name is not known', async () => {
    await expectFailure('http://no.such.host.invalid', 'disconnected', /not known to the DNS/, { callTimeout: 10 });
  });
  test('the peer says nothing', async () => {
    await expectFailure(`http://127.0.0.1:${await hungPeer()}`, 'disconnected', /did not answer in time/);
  });
  test('the port speaks HTTP/1', async () => {
    const port = await listen(createHttpServer((_request, response) => response.end('hello')));
    await expectFailure(`http://127.0.0.1:${port}`, 'disconnected', /not with HTTP\/2/);
  });
  test('TLS is asked of a port without', async () => {
    const server = await fakeServer();
    await expectFailure(`https://127.0.0.1:${server.port}`, 'disconnected', /TLS/);
  });
  test('plain HTTP is asked of a TLS port', async () => {
    const server = await fakeServer(certificate('localhost'));
    await expectFailure(`http://127.0.0.1:${server.port}`, 'disconnected', /closes it at once|broke/);
  });
  test('the certificate is self-signed', async () => {
    const server = await fakeServer(certificate('localhost'));
    await expectFailure(`https://localhost:${server.port}`, 'disconnected', /not signed by an authority/);
  });
  test('the certificate is made for another host', async () => {
    const server = await fakeServer(certificate('elsewhere'));
    const caCertificate = fixture('elsewhere.pem').toString();
    await expectFailure(`https://localhost:${server.port}`, 'disconnected', /another host name/, { caCertificate });
  });
  test('the token is wrong', async () => {
    const server = await fakeServer();
    await expectFailure(`http://127.0.0.1:${server.port}`, 'unauthenticated', /InvalidToken/, { token: 'nonsense' });
  });
  test('the key was deleted', async () => {
    const server = await fakeServer();
    server.deletedTokens.add(ADMIN_TOKEN);
    await expectFailure(`http://127.0.0.1:${server.port}`, 'unauthenticated', /deleted/);
  });
});

describe('one object is not the server', () => {
  test('a missing or foreign object leaves the connection connected', async () => {
    const server = await fakeServer();
    for (const token of [ADMIN_TOKEN, TENANT_TOKEN]) {
      const { connection, api } = connect(`http://127.0.0.1:${server.port}`, { token });
      await api.device(parseDevEui(eui(1)), {});
      const failure = await failureOf(api.device(parseDevEui(eui(99)), {}));
      assert.equal(failure.kind, token === ADMIN_TOKEN ? 'not-found' : 'not-permitted');
      assert.equal(connection.state().state, 'connected');
    }
  });

  test('an error of the server at one device is an answer', async () => {
    const server = await fakeServer();
    server.fail = (_method, subject) => (subject === eui(2) ? { code: 13, details: 'database is locked' } : undefined);
    const { connection, api } = connect(`http://127.0.0.1:${server.port}`);
    assert.equal((await failureOf(api.device(parseDevEui(eui(2)), {}))).kind, 'refused');
    assert.equal(connection.state().state, 'connected');
  });

  test('a reply that is no reply is told as one', async () => {
    const server = await fakeServer();
    const { api } = connect(`http://127.0.0.1:${server.port}`);
    server.distort = (rows) =>
      rows.slice(0, 1).map((row) => {
        row.setDeviceProfileId('x');
        return row;
      });
    assert.equal((await api.devices(parseApplicationId(APPLICATION), {})).rows.length, 1);
    assert.deepEqual((await api.applications(parseTenantId(TENANT), {})).rows.length, 1);
  });
});

describe('an outage', () => {
  test('is noticed by a call, found over by one probe, and said in two lines', async () => {
    const server = await fakeServer();
    const { connection, api, entries } = connect(`http://127.0.0.1:${server.port}`);
    await api.device(parseDevEui(eui(1)), {});
    server.stop();
    for (let call = 0; call < 20; call++) await failureOf(api.device(parseDevEui(eui(1)), {}));
    await eventually(() => connection.state().state === 'disconnected', 'the outage');
    await server.start();
    await eventually(() => connection.state().state === 'connected', 'the recovery');
    assert.deepEqual(
      entries.map(({ event }) => event).filter((event) => event !== 'repeated'),
      ['succeeded', 'lost', 'recovered'],
    );
  });

  test('ends the calls that wait, so that they do not queue for the next time-out', async () => {
    const port = await hungPeer();
    const clock = new ManualClock();
    const { connection, api } = connect(`http://127.0.0.1:${port}`, { callTimeout: 1 }, clock);
    const calls = Array.from({ length: 30 }, () => failureOf(api.device(parseDevEui(eui(1)), {})));
    await clock.advance(1_000);
    await clock.advance(1_000);
    const failures = await Promise.all(calls);
    assert.equal(failures.length, 30);
    // Eight were sent, and the one that took the place of the first.
    assert.equal(failures.filter(({ neverSent }) => neverSent).length, 21);
    assert.equal(connection.state().state, 'disconnected');
    const generation = connection.generation;
    assert.ok(generation > 0, 'a connection that swallows everything is given up');
    await connection.close();
    assert.equal(clock.pendingTimers, 0);
  });

  test('a deleted key is asked for again, but seldom', async () => {
    const server = await fakeServer();
    const clock = new ManualClock();
    const { connection } = connect(`http://127.0.0.1:${server.port}`, {}, clock);
    server.deletedTokens.add(ADMIN_TOKEN);
    assert.equal(await connection.probe(), false);
    await clock.advance(29_000);
    assert.equal(server.calls.length, 1);
    server.deletedTokens.delete(ADMIN_TOKEN);
    await clock.advance(1_000);
    await eventually(() => connection.state().state === 'connected', 'the second probe');
  });
});

describe('closing', () => {
  test('rejects what is under way at once, also with a hung peer, and may be done twice', async () => {
    const { connection, api } = connect(`http://127.0.0.1:${await hungPeer()}`);
    const calls = Array.from({ length: 12 }, () => failureOf(api.device(parseDevEui(eui(1)), {})));
    const ended: unknown[] = [];
    connection.openEventStream(parseDevEui(eui(1)), {
      onOpen: () => undefined,
      onItem: () => undefined,
      onEnd: () => ended.push(1),
    });
    await connection.close();
    await connection.close();
    for (const failure of await Promise.all(calls)) assert.equal(failure.kind, 'cancelled');
    assert.equal((await failureOf(api.device(parseDevEui(eui(1)), {}))).kind, 'cancelled');
    assert.equal(connection.state().state, 'disconnected');
    assert.deepEqual(ended, []);
    const stream = connection.openEventStream(parseDevEui(eui(1)), {
      onOpen: () => assert.fail('opened'),
      onItem: () => undefined,
      onEnd: () => undefined,
    });
    stream.cancel();
    stream.cancel();
  });

  test('a call given up by its caller ends alone', async () => {
    const server = await fakeServer();
    server.latency = 50;
    const { connection, api } = connect(`http://127.0.0.1:${server.port}`);
    const controller = new AbortController();
    const given = failureOf(api.device(parseDevEui(eui(1)), { signal: controller.signal }));
    const other = api.device(parseDevEui(eui(2)), {});
    controller.abort();
    assert.equal((await given).kind, 'cancelled');
    assert.equal((await other).devEui, eui(2));
    assert.equal(connection.state().state, 'connected');
  });
});
