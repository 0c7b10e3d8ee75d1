/**
 * What people get wrong, and what plants do to a gateway: each gives one clear line in the log with the cure, and the
 * gateway goes on or ends as a person would want.
 */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { Server as GrpcServer, ServerCredentials } from '@grpc/grpc-js';
import { StatusCodes } from 'node-opcua';
import { parseTenantId, silentLogger, systemClock } from '../../lib/model';
import { Simulator } from '../../lib/simulator';
import { type BootedGateway, bootGateway, isPortFree, runGateway } from '../support/boot-gateway';
import { eventually } from '../support/eventually';
import { freePort } from '../support/free-port';
import { startWorld } from '../support/gateway-world';
import { connectionIdentifier } from '../support/node-ids';
import { TestClient } from '../support/opcua-client';
import { repositoryRoot } from '../support/paths';

/** ms in which a fault that is said again and again would be said again. */
const A_WHILE = 4_000;
const SHUTDOWN = 4;
const DISCONNECTED = 2;

function newFolder(): string {
  return mkdtempSync(join(tmpdir(), 'lorua-faults-'));
}

/** Lines of a level that say something. */
function linesOf(output: string, level: 'error' | 'warn'): string[] {
  return output.split('\n').filter((line) => new RegExp(`^\\S+ ${level} +\\w+: `).test(line));
}

function connectTo(gateway: BootedGateway, port = gateway.opcuaPort): Promise<TestClient> {
  return TestClient.connect({
    url: `opc.tcp://127.0.0.1:${port}`,
    user: gateway.user,
    password: gateway.password,
  });
}

function listenOn(port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', reject);
    server.listen(port, () => resolve(server));
  });
}

describe('faults of the connection to ChirpStack', () => {
  const simulator = new Simulator({ devices: 6, period: 1_000, seed: 3 }, { clock: systemClock, logger: silentLogger });
  let url = '';
  before(async () => {
    ({ url } = await simulator.start());
  });
  after(() => simulator.stop());

  /** Boots with these settings; looks for the one error line, twice with a while between, and for a gateway that is well. */
  async function assertOneError(settings: Record<string, string>, expected: RegExp, cure: RegExp): Promise<void> {
    const gateway = await bootGateway({
      environment: {
        CHIRPSTACK_URL: url,
        CHIRPSTACK_API_TOKEN: simulator.tenantToken,
        CHIRPSTACK_TENANT_ID: simulator.tenantId,
        OPCUA_TRUST_ALL_CLIENTS: 'true',
        POLL_INTERVAL_SECONDS: '5',
        ...settings,
      },
    });
    try {
      await eventually(() => linesOf(gateway.output(), 'error').length > 0, 'an error in the log');
      await pause(A_WHILE);
      const errors = linesOf(gateway.output(), 'error');
      assert.equal(errors.length, 1, errors.join('\n'));
      const [line = ''] = errors;
      assert.match(line, expected);
      assert.match(line, cure);
      if (settings.CHIRPSTACK_API_TOKEN) assert.ok(!gateway.output().includes(settings.CHIRPSTACK_API_TOKEN));
      const reasons = linesOf(gateway.output(), 'warn').filter((text) => text.includes('chirpstack:'));
      assert.deepEqual(reasons, [], 'it is said once, not again as a warning');

      // It goes on: web and OPC UA answer, and OPC UA says the same.
      assert.equal((await fetch(`${gateway.web}/editor/settings`)).status, 401);
      const client = await connectTo(gateway);
      const node = (name: string): Promise<string> => client.gatewayNode(connectionIdentifier(name));
      const reason = String((await client.read(await node('reason'))).value.value);
      const told = String((await client.read(await node('cure'))).value.value);
      assert.ok(line.includes(reason) && reason !== '', reason);
      assert.match(told, cure);
      await client.close();
    } finally {
      assert.equal((await gateway.stop()).code, 0);
    }
  }

  test('a wrong token', () =>
    assertOneError(
      { CHIRPSTACK_API_TOKEN: 'eyJ0eXAiOiJKV1QifQ.e30.wrong' },
      /refuses the API token/,
      /Make a new API key/,
    ));

  test('a host that does not answer', async () => {
    const port = await freePort();
    await assertOneError(
      { CHIRPSTACK_URL: `http://127.0.0.1:${port}` },
      new RegExp(`Nothing listens at http://127\\.0\\.0\\.1:${port}`),
      /Start ChirpStack, or correct host and port/,
    );
  });

  test('a name that nobody knows', () =>
    assertOneError(
      { CHIRPSTACK_URL: 'http://chirpstack.invalid:8080' },
      /chirpstack\.invalid/,
      /Correct the host name/,
    ));

  test('https to a server without TLS', () =>
    assertOneError(
      { CHIRPSTACK_URL: url.replace('http:', 'https:') },
      /does not speak TLS/,
      /Use http:\/\/ in the address/,
    ));

  test('a certificate of an authority that is not trusted', async () => {
    const certificates = join(repositoryRoot, 'test', 'lib', 'chirpstack', 'fixtures');
    const read = (name: string): Buffer => readFileSync(join(certificates, name));
    const server = new GrpcServer();
    const port = await new Promise<number>((resolve, reject) =>
      server.bindAsync(
        '127.0.0.1:0',
        ServerCredentials.createSsl(null, [
          { private_key: read('localhost-key.pem'), cert_chain: read('localhost.pem') },
        ]),
        (error, bound) => (error ? reject(error) : resolve(bound)),
      ),
    );
    try {
      await assertOneError(
        { CHIRPSTACK_URL: `https://127.0.0.1:${port}` },
        /is not signed by an authority that is trusted here/,
        /CA certificate/,
      );
    } finally {
      server.forceShutdown();
    }
  });

  test('a tenant without devices', async () => {
    const tenantId = parseTenantId('11111111-2222-4333-8444-555555555555');
    const now = { seconds: Math.floor(Date.now() / 1_000), nanos: 0 };
    simulator.server.world.addTenant({ id: tenantId, name: 'Empty', createdAt: now, updatedAt: now });
    const gateway = await bootGateway({
      environment: {
        CHIRPSTACK_URL: url,
        CHIRPSTACK_API_TOKEN: simulator.adminToken,
        CHIRPSTACK_TENANT_ID: tenantId,
        OPCUA_TRUST_ALL_CLIENTS: 'true',
        POLL_INTERVAL_SECONDS: '5',
      },
    });
    try {
      const warnings = (): string[] => linesOf(gateway.output(), 'warn').filter((line) => line.includes('chirpstack:'));
      await eventually(() => warnings().length > 0, 'a line about the empty tenant');
      await pause(A_WHILE);
      assert.equal(warnings().length, 1, warnings().join('\n'));
      assert.match(warnings()[0] ?? '', /reason=empty.*cure=/);
      assert.deepEqual(linesOf(gateway.output(), 'error'), []);
    } finally {
      assert.equal((await gateway.stop()).code, 0);
    }
  });
});

describe('faults of the machine', () => {
  test('an OPC UA port in use: said once, and taken when it is free', async () => {
    const port = await freePort();
    const squatter = await listenOn(port);
    let seen = '';
    let released = false;
    const gateway = await bootGateway({
      environment: { OPCUA_PORT: String(port), OPCUA_TRUST_ALL_CLIENTS: 'true', SIMULATOR_DEVICES: '6' },
      onOutput: (text) => {
        seen += text;
        if (released || !/port-in-use/.test(seen)) return;
        released = true;
        // Long enough for a second try to fail too.
        setTimeout(() => squatter.close(), 11_000);
      },
    });
    try {
      const client = await eventually(() => connectTo(gateway, port), 'the server to take the port');
      const errors = linesOf(gateway.output(), 'error');
      assert.equal(errors.length, 1, errors.join('\n'));
      assert.match(errors[0] ?? '', new RegExp(`${port}.*no other program may listen on it`));
      assert.match(errors[0] ?? '', /cure=.*choose another/i);
      await client.close();
    } finally {
      squatter.close();
      assert.equal((await gateway.stop()).code, 0);
    }
  });

  test('a data folder that cannot be written', async () => {
    const file = join(newFolder(), 'file');
    writeFileSync(file, '');
    const { code, errors } = await runGateway({
      GATEWAY_DATA: join(file, 'data'),
      HTTP_PORT: String(await freePort()),
      OPCUA_PORT: String(await freePort()),
    });
    assert.equal(code, 1);
    const lines = errors.trim().split('\n');
    assert.equal(lines.length, 2, errors);
    assert.match(lines[1] ?? '', /GATEWAY_DATA.*must be writable.*Set GATEWAY_DATA to a folder/);
  });

  test('a database file that cannot be opened: values go on without history', async () => {
    const dataFolder = newFolder();
    mkdirSync(join(dataFolder, 'lorua.db'));
    const gateway = await bootGateway({
      dataFolder,
      environment: { OPCUA_TRUST_ALL_CLIENTS: 'true', SIMULATOR_DEVICES: '6', SIMULATOR_PERIOD_SECONDS: '1' },
    });
    try {
      const client = await connectTo(gateway);
      await eventually(async () => {
        const variables = await client.variablesBelow(await client.gatewayNode('lorawan'));
        const values = await client.readAll(variables.filter((id) => id.includes('/metric/')));
        return values.some(({ statusCode }) => statusCode.equals(StatusCodes.Good));
      }, 'a Good value');
      await client.close();
      await pause(A_WHILE);
      const errors = linesOf(gateway.output(), 'error');
      assert.equal(errors.length, 1, errors.join('\n'));
      assert.match(errors[0] ?? '', /store: unable to open database file .*cure=.*lorua\.db/);
    } finally {
      assert.equal((await gateway.stop()).code, 0);
    }
  });

  test('a second gateway on the same web port ends, and the first goes on', async () => {
    const first = await bootGateway({ environment: { SIMULATOR_DEVICES: '6' } });
    try {
      const { code, errors } = await runGateway({
        GATEWAY_DATA: newFolder(),
        HTTP_PORT: String(first.httpPort),
        OPCUA_PORT: String(await freePort()),
      });
      assert.equal(code, 1);
      const lines = errors.trim().split('\n');
      assert.equal(lines.length, 2, errors);
      assert.match(lines[1] ?? '', new RegExp(`HTTP_PORT.*${first.httpPort}.*another gateway.*set HTTP_PORT`));
      assert.equal((await fetch(`${first.web}/editor/settings`)).status, 401);
    } finally {
      assert.equal((await first.stop()).code, 0);
    }
  });
});

describe('the end', () => {
  test('SIGTERM while ChirpStack is away and a client is connected: the client is told, all is freed, code 0', async (t) => {
    const world = await startWorld({ devices: 6, period: 1_000 });
    try {
      const client = await world.connect();
      await world.allMetricsKnown(client);
      const stateNode = await client.gatewayNode(connectionIdentifier('state'));
      const serverStates: number[] = [];
      const connectionStates: number[] = [];
      await client.subscribe(['i=2259', stateNode], ({ nodeId, dataValue }) =>
        (nodeId === stateNode ? connectionStates : serverStates).push(Number(dataValue.value.value)),
      );
      await world.simulator.stop();
      await eventually(() => connectionStates.at(-1) === DISCONNECTED, 'the health to say disconnected');
      const asked = Date.now();
      const { code, signal } = await world.gateway.stop('SIGTERM');
      t.diagnostic(`ended ${Date.now() - asked} ms after SIGTERM`);
      // The deadline of the program itself ends it with code 1.
      assert.deepEqual({ code, signal }, { code: 0, signal: null });
      assert.ok(serverStates.includes(SHUTDOWN), `states told: ${serverStates.join(', ')}`);
      assert.ok(await isPortFree(world.gateway.opcuaPort));
      assert.ok(await isPortFree(world.gateway.httpPort));
    } finally {
      await world.close();
    }
  });
});
