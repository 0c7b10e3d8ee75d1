import assert from 'node:assert/strict';
import { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, Socket } from 'node:net';
import { describe, it } from 'node:test';
import { hashPassword } from '../../../lib/model';
import {
  bannerLines,
  ENVIRONMENT_VARIABLES,
  findFreePort,
  findListenFault,
  flowVariables,
  Login,
  nodeRedSettings,
  parseEnvironment,
  webAddress,
} from '../../../lib/runtime';
import { capturedLogger } from '../../support/captured-logger';
import { ManualClock } from '../../support/manual-clock';

const environmentOf = (variables: NodeJS.ProcessEnv) => parseEnvironment(variables, '/data').environment;

async function settingsOf(variables: NodeJS.ProcessEnv) {
  const hash = await hashPassword('right horse', { N: 2 ** 10, r: 8, p: 1 });
  const entries: unknown[] = [];
  const settings = nodeRedSettings({
    environment: environmentOf(variables),
    packageRoot: '/package',
    flowFile: '/data/flows.json',
    credentialSecret: 'secret',
    login: new Login([{ name: 'admin', hash }], { clock: new ManualClock(), logger: capturedLogger().logger }),
    sink: (...entry) => entries.push(entry),
  });
  return { settings, entries };
}

type Middleware = (request: IncomingMessage, response: ServerResponse, next: () => void) => void;

function run(middleware: Middleware, method: string, url: string): { passed: boolean; response: ServerResponse } {
  const request = new IncomingMessage(new Socket());
  Object.assign(request, { method, url });
  const response = new ServerResponse(request);
  let passed = false;
  middleware(request, response, () => {
    passed = true;
  });
  return { passed, response };
}

describe('settings of Node-RED', () => {
  it('ask for a login everywhere and load nothing from outside', async () => {
    const { settings } = await settingsOf({ HTTP_PORT: '18800' });
    assert.equal(settings.uiPort, 18_800);
    assert.equal(settings.uiHost, '127.0.0.1');
    assert.deepEqual(settings.nodesDir, ['/package']);
    assert.ok(Array.isArray(settings.httpNodeAuth));
    assert.ok('ioMiddleware' in (settings.dashboard as object));
    assert.deepEqual((settings.externalModules as { palette: unknown }).palette, {
      allowInstall: false,
      allowUpload: false,
    });
    assert.ok((settings.nodeCloseTimeout as number) < 5_000);
  });

  it('give the editor to the administrator alone', async () => {
    const { settings } = await settingsOf({});
    const auth = settings.adminAuth as {
      users(name: string): Promise<unknown>;
      authenticate(name: string, password: string): Promise<unknown>;
    };
    const identity = { username: 'admin', permissions: '*' };
    assert.deepEqual(await auth.users('admin'), identity);
    assert.equal(await auth.users('eve'), null);
    assert.deepEqual(await auth.authenticate('admin', 'right horse'), identity);
    assert.equal(await auth.authenticate('admin', 'wrong'), null);
  });

  it('have no editor on a sealed appliance', async () => {
    const { settings } = await settingsOf({ GATEWAY_READ_ONLY: 'true' });
    assert.equal(settings.httpAdminRoot, false);
    assert.equal(settings.readOnly, true);
    assert.equal(settings.adminAuth, undefined);
  });

  it('lead from the bare address to the dashboard', async () => {
    const { settings } = await settingsOf({});
    const [, redirect] = settings.httpNodeAuth as [Middleware, Middleware];
    const { passed, response } = run(redirect, 'GET', '/');
    assert.equal(passed, false);
    assert.equal(response.statusCode, 302);
    assert.equal(run(redirect, 'GET', '/dashboard').passed, true);
    assert.equal(run(redirect, 'POST', '/').passed, true);
  });

  it('keep the editor out of frames of other sites', async () => {
    const { settings } = await settingsOf({});
    const { passed, response } = run(settings.httpAdminMiddleware as Middleware, 'GET', '/');
    assert.equal(passed, true);
    assert.equal(response.getHeader('X-Frame-Options'), 'SAMEORIGIN');
  });

  it('bring the records of Node-RED into our log', async () => {
    const { settings, entries } = await settingsOf({ LOG_LEVEL: 'warn,opcua=debug' });
    const { lorua } = settings.logging as { lorua: { level: string; handler(): (record: unknown) => void } };
    assert.equal(lorua.level, 'debug');
    lorua.handler()({ level: 40, msg: 'hello' });
    assert.equal(entries.length, 1);
  });
});

describe('variables of the flow', () => {
  const administrator = { name: 'admin', hash: 'scrypt$…' };

  it('are all set, the simulator standing in', () => {
    const variables = flowVariables(
      environmentOf({ GATEWAY_PASSWORD: 'right horse' }),
      administrator,
      { port: 1234, token: 'simulated', tenantId: 'tenant' },
      'lorua-1',
    );
    assert.equal(variables.CHIRPSTACK_URL, 'http://127.0.0.1:1234');
    assert.equal(variables.CHIRPSTACK_API_TOKEN, 'simulated');
    assert.equal(variables.LORUA_SIMULATOR, 'true');
    assert.equal(variables.LORUA_STREAM_EVENTS, 'true');
    assert.equal(variables.STALE_SECONDS, '');
    assert.ok(!JSON.stringify(variables).includes('right horse'));
  });

  it('name the real ChirpStack, and its broker', () => {
    const variables = flowVariables(
      environmentOf({
        CHIRPSTACK_URL: 'https://chirpstack.example',
        CHIRPSTACK_API_TOKEN: 'token',
        CHIRPSTACK_MQTT_URL: 'mqtt://broker.example',
        STALE_SECONDS: '90',
      }),
      administrator,
      undefined,
      'lorua-1',
    );
    assert.equal(variables.CHIRPSTACK_URL, 'https://chirpstack.example');
    assert.equal(variables.LORUA_SIMULATOR, 'false');
    assert.equal(variables.LORUA_SIMULATOR_PORT, '');
    assert.equal(variables.LORUA_MQTT, 'true');
    assert.equal(variables.LORUA_STREAM_EVENTS, 'false');
    assert.equal(variables.STALE_SECONDS, '90');
  });

  it('stay empty when there is neither a server nor a simulator', () => {
    assert.equal(flowVariables(environmentOf({}), administrator, undefined, '').CHIRPSTACK_URL, '');
  });
});

describe('the banner', () => {
  it('says where everything is', () => {
    const text = bannerLines({
      version: '1.2.3',
      environment: environmentOf({}),
      endpointUrls: ['opc.tcp://plant:4840'],
      user: 'admin',
      generatedPassword: 'abc-def',
    }).join('\n');
    for (const part of [
      '1.2.3',
      'opc.tcp://plant:4840',
      'http://127.0.0.1:1880/dashboard',
      'http://127.0.0.1:1880/editor',
      'admin',
      'abc-def',
      'simulator with 30 devices',
    ])
      assert.ok(text.includes(part), part);
  });

  it('says what is missing', () => {
    const text = bannerLines({
      version: '1.2.3',
      environment: environmentOf({
        CHIRPSTACK_URL: 'http://chirpstack:8080',
        CHIRPSTACK_API_TOKEN: 'token',
        GATEWAY_READ_ONLY: 'true',
      }),
      endpointUrls: [],
      user: 'admin',
      generatedPassword: undefined,
    }).join('\n');
    for (const part of ['not listening yet', 'off (GATEWAY_READ_ONLY)', 'http://chirpstack:8080'])
      assert.ok(text.includes(part), part);
    assert.ok(!text.includes('Password'));
    assert.ok(!text.includes('token'));
  });

  it('gives addresses that a browser takes', () => {
    assert.equal(webAddress({ host: '0.0.0.0', port: 1 }), 'http://localhost:1');
    assert.equal(webAddress({ host: '::', port: 1 }), 'http://localhost:1');
    assert.equal(webAddress({ host: '::1', port: 1 }), 'http://[::1]:1');
  });
});

describe('the check of the web port', () => {
  it('finds nothing wrong with a free port', async () =>
    assert.equal(await findListenFault('127.0.0.1', await findFreePort()), undefined));

  it('finds a port in use', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    assert.ok(address !== null && typeof address === 'object');
    const fault = await findListenFault('127.0.0.1', address.port);
    assert.equal(fault?.field, 'HTTP_PORT');
    assert.match(fault?.rule ?? '', /another program/);
    await new Promise((resolve) => server.close(resolve));
  });

  it('finds an address that is not of this machine', async () =>
    assert.equal((await findListenFault('192.0.2.1', 1880))?.field, 'HTTP_HOST'));
});

describe('the list of variables', () => {
  it('says of each what it means, what holds without it, and what to do when it is wrong', () => {
    for (const { name, meaning, default: standard, cure } of ENVIRONMENT_VARIABLES) {
      assert.match(name, /^[A-Z]+(_[A-Z]+)*$/);
      assert.match(meaning, /\.$/);
      assert.notEqual(standard, '');
      assert.match(cure, /\.$/);
    }
  });
});
