/** Boots the real program and looks at it from outside. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import {
  type BootedGateway,
  basicAuthorization,
  bootGateway,
  editorToken,
  isPortFree,
  PASSWORD,
  runGateway,
} from '../support/boot-gateway';
import { DashboardSocket } from '../support/dashboard-socket';
import { eventually } from '../support/eventually';
import { freePort } from '../support/free-port';
import { repositoryRoot } from '../support/paths';

const { version } = JSON.parse(readFileSync(join(repositoryRoot, 'package.json'), 'utf8')) as { version: string };
const folder = () => mkdtempSync(join(tmpdir(), 'lorua-start-'));

interface FlowNode {
  id: string;
  type: string;
  name?: string;
  label?: string;
}

describe('the first start', () => {
  let gateway: BootedGateway;
  before(async () => {
    gateway = await bootGateway({ environment: { GATEWAY_PASSWORD: '' } });
  });
  after(() => gateway.stop());

  const password = () => /Password +(\S+)/.exec(gateway.output())?.[1] ?? '';
  const authorization = () => basicAuthorization('admin', password());

  it('prints where everything is, and a password', () => {
    const output = gateway.output();
    assert.match(output, new RegExp(`Lorua gateway ${version} is running`));
    assert.match(output, new RegExp(`OPC UA .*opc\\.tcp://127\\.0\\.0\\.1:${gateway.opcuaPort}\\b`));
    assert.match(output, new RegExp(`Dashboard +${gateway.web}/dashboard\\n`));
    assert.match(output, new RegExp(`Editor +${gateway.web}/editor\\n`));
    assert.match(output, /User +admin\n/);
    assert.match(password(), /^(\w{5}-){3}\w{5}$/);
    assert.match(output, /ChirpStack +simulator with 30 devices/);
  });

  it('logs neither error nor warning', () => {
    const troubles = gateway
      .output()
      .split('\n')
      .filter((line) => / (error|warn) +\w+: /.test(line));
    assert.deepEqual(troubles, []);
  });

  it('keeps everything it writes for its owner alone, and the password nowhere', () => {
    assert.equal(statSync(gateway.dataFolder).mode & 0o777, 0o700);
    for (const name of readdirSync(gateway.dataFolder, { recursive: true, encoding: 'utf8' })) {
      const path = join(gateway.dataFolder, name);
      const stat = statSync(path);
      assert.equal(stat.mode & 0o077, 0, path);
      if (stat.isFile()) assert.ok(!readFileSync(path).includes(password()), path);
    }
  });

  it('asks for the login at the dashboard and at everything else', async () => {
    for (const path of ['/', '/dashboard', '/dashboard/overview', '/dashboard/_setup', '/nothing']) {
      assert.equal((await fetch(`${gateway.web}${path}`)).status, 401, path);
      // By a name of its own each: who guesses again and again is locked out.
      const wrong = await fetch(`${gateway.web}${path}`, { headers: basicAuthorization(`user of ${path}`, 'wrong') });
      assert.equal(wrong.status, 401, path);
    }
    const page = await fetch(`${gateway.web}/dashboard`, { headers: authorization() });
    assert.equal(page.status, 200);
    const bare = await fetch(gateway.web, { headers: authorization(), redirect: 'manual' });
    assert.equal(bare.headers.get('location'), '/dashboard');
  });

  it('asks for the login at the editor from the start', async () => {
    assert.equal((await fetch(`${gateway.web}/editor/`)).status, 200, 'the empty editor asks by itself');
    for (const path of ['flows', 'nodes', 'settings', 'diagnostics'])
      assert.equal((await fetch(`${gateway.web}/editor/${path}`)).status, 401, path);
    assert.equal(await editorToken(gateway.web, 'admin', 'wrong'), 403);
    assert.equal(await editorToken(gateway.web, 'nobody', password()), 403);
    const token = await editorToken(gateway.web, 'admin', password());
    const flows = await fetch(`${gateway.web}/editor/flows`, { headers: { authorization: `Bearer ${token}` } });
    const nodes = (await flows.json()) as FlowNode[];
    assert.deepEqual(
      nodes.filter(({ type }) => type === 'tab').map(({ label }) => label),
      ['Gateway', 'Dashboard'],
    );
  });

  it('lets nobody onto the dashboard’s socket without the login, nor pages of other sites with it', async () => {
    await assert.rejects(DashboardSocket.open(gateway.web, {}), /unauthorised/);
    await assert.rejects(DashboardSocket.open(gateway.web, basicAuthorization('admin', 'wrong')), /unauthorised/);
    const foreign = { ...authorization(), origin: 'https://evil.example' };
    await assert.rejects(DashboardSocket.open(gateway.web, foreign), /unauthorised/);
  });

  it('knows who asks, whatever the browser says', async () => {
    const token = await editorToken(gateway.web, 'admin', password());
    const flows = await fetch(`${gateway.web}/editor/flows`, { headers: { authorization: `Bearer ${token}` } });
    const page = ((await flows.json()) as FlowNode[]).find(({ type }) => type === 'ui-template');
    assert.ok(page);
    const socket = await DashboardSocket.open(gateway.web, authorization());
    const forged = { topic: 'status.get', payload: {}, _client: { user: { userId: 'somebody else' } } };
    await socket.emit('widget-send', page.id, forged);
    const [, answer] = await socket.next(`msg-input:${page.id}`);
    const { _client: client, payload } = answer as { _client: { user: unknown }; payload: { ok: boolean } };
    assert.deepEqual(client.user, { userId: 'admin', username: 'admin' });
    assert.equal(payload.ok, true);
    await socket.close();
  });

  it('ends in good order: code 0, ports free', async () => {
    const { code, signal, output } = await gateway.stop('SIGTERM');
    assert.deepEqual([code, signal], [0, null]);
    assert.doesNotMatch(output, /did not stop in time|Close timed out/);
    assert.equal(await isPortFree(gateway.httpPort), true);
    assert.equal(await isPortFree(gateway.opcuaPort), true);
  });

  it('is not repeated: the second start keeps the password and its silence', async () => {
    const second = await bootGateway({ dataFolder: gateway.dataFolder, environment: { GATEWAY_PASSWORD: '' } });
    try {
      assert.doesNotMatch(second.output(), /Password/);
      assert.ok(!second.output().includes(password()));
      assert.equal((await fetch(`${second.web}/dashboard`, { headers: authorization() })).status, 200);
      const troubles = second
        .output()
        .split('\n')
        .filter((line) => / (error|warn) +\w+: /.test(line));
      assert.deepEqual(troubles, []);
    } finally {
      const { code } = await second.stop('SIGINT');
      assert.equal(code, 0);
    }
  });
});

describe('what a user changes', () => {
  it('in the editor is kept, and a new password from the environment holds', async () => {
    const first = await bootGateway();
    const headers = {
      authorization: `Bearer ${await editorToken(first.web, 'admin', PASSWORD)}`,
      'Content-Type': 'application/json',
      'Node-RED-API-Version': 'v2',
    };
    const { flows, rev } = (await (await fetch(`${first.web}/editor/flows`, { headers })).json()) as {
      flows: FlowNode[];
      rev: string;
    };
    const changed = flows.map((node) => (node.label === 'Gateway' ? { ...node, label: 'My gateway' } : node));
    const body = JSON.stringify({ flows: changed, rev });
    const saved = await fetch(`${first.web}/editor/flows`, { method: 'POST', headers, body });
    assert.equal(saved.status, 200);
    assert.equal((await first.stop()).code, 0);

    const other = 'another fine password';
    const second = await bootGateway({ dataFolder: first.dataFolder, environment: { GATEWAY_PASSWORD: other } });
    try {
      assert.equal(await editorToken(second.web, 'admin', PASSWORD), 403);
      const token = await editorToken(second.web, 'admin', other);
      const again = await fetch(`${second.web}/editor/flows`, { headers: { authorization: `Bearer ${token}` } });
      assert.ok(((await again.json()) as FlowNode[]).some(({ label }) => label === 'My gateway'));
    } finally {
      assert.equal((await second.stop()).code, 0);
    }
  });
});

describe('a sealed appliance', () => {
  it('has a dashboard and no editor', async () => {
    const gateway = await bootGateway({ environment: { GATEWAY_READ_ONLY: 'true' } });
    try {
      const headers = basicAuthorization('admin', PASSWORD);
      assert.equal((await fetch(`${gateway.web}/dashboard`, { headers })).status, 200);
      assert.equal((await fetch(`${gateway.web}/editor/`, { headers })).status, 404);
      assert.equal((await fetch(`${gateway.web}/editor/flows`, { headers })).status, 404);
      assert.match(gateway.output(), /Editor +off/);
      assert.doesNotMatch(gateway.output(), / (error|warn) +\w+: /);
      assert.ok(!readdirSync(gateway.dataFolder).includes('flows.json'));
    } finally {
      assert.equal((await gateway.stop()).code, 0);
    }
  });
});

describe('npm start', () => {
  it('ends with the signal that npm got', async () => {
    const gateway = await bootGateway({ byNpm: true });
    const { output } = await gateway.stop('SIGTERM');
    assert.match(output, /the gateway stops/);
    for (const port of [gateway.httpPort, gateway.opcuaPort]) assert.equal(await isPortFree(port), true);
  });
});

describe('a start that cannot work', () => {
  it('says everything that is wrong at once and ends with code 1', async () => {
    const data = join(folder(), 'data');
    const { code, output, errors } = await runGateway({
      GATEWAY_DATA: data,
      CHIRPSTACK_URL: 'chirpstack',
      GATEWAY_PASSWORD: 'short',
      OPCUA_PORT: 'x',
    });
    assert.equal(code, 1);
    assert.equal(output, '');
    for (const name of ['CHIRPSTACK_URL', 'CHIRPSTACK_API_TOKEN', 'GATEWAY_PASSWORD', 'OPCUA_PORT'])
      assert.match(errors, new RegExp(`^ {2}${name} is .+: .+\\. .+\\.$`, 'm'));
    assert.ok(!errors.includes('short'));
    assert.equal(errors.trimEnd().split('\n').length, 5, 'one line each');
    assert.throws(() => statSync(data), 'nothing was made');
  });

  it('names a data folder that cannot be written', async () => {
    const path = join(folder(), 'data');
    writeFileSync(path, '');
    const { code, errors } = await runGateway({ GATEWAY_DATA: path });
    assert.equal(code, 1);
    assert.match(errors, /GATEWAY_DATA is .+ must be writable/);
  });

  it('names a web port in use', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    assert.ok(address !== null && typeof address === 'object');
    const { code, errors } = await runGateway({ GATEWAY_DATA: folder(), HTTP_PORT: String(address.port) });
    assert.equal(code, 1);
    assert.match(errors, new RegExp(`HTTP_PORT is ${address.port}: another program listens`));
    server.close();
  });

  it('knows no arguments but two', async () => {
    const unknown = await runGateway({}, ['--port=1']);
    assert.equal(unknown.code, 1);
    assert.match(unknown.errors, /Argument is --port=1/);
    const help = await runGateway({}, ['--help']);
    assert.equal(help.code, 0);
    assert.match(help.output, /CHIRPSTACK_URL/);
    const told = await runGateway({}, ['--version']);
    assert.deepEqual([told.code, told.output], [0, `${version}\n`]);
  });
});

describe('the log', () => {
  it('is JSON on standard output if wanted, and goes to files too', async () => {
    const gateway = await bootGateway({
      environment: { LOG_FORMAT: 'json', LOG_FILES: 'true', LOG_LEVEL: 'info,flow=warn', OPCUA_PROT: '1' },
      readyOn: 'errors',
    });
    const { code, output, errors } = await gateway.stop();
    assert.equal(code, 0);
    assert.match(errors, /is running/, 'the banner is for people: it does not disturb the JSON');
    const entries = output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    for (const { time, level, module, operation, event, message } of entries) {
      assert.match(String(time), /^\d{4}-\d\d-\d\dT/);
      for (const word of [level, module, operation, event, message]) assert.equal(typeof word, 'string');
    }
    assert.ok(entries.some(({ module, event }) => module === 'opcua' && event === 'ready'));
    assert.ok(
      entries.some(({ message, cure }) => /OPCUA_PROT/.test(String(message)) && /OPCUA_PORT/.test(String(cure))),
    );
    assert.ok(!entries.some(({ module }) => module === 'flow'));
    // What was being written when the program ended is written again, rather than cut off.
    const lines = (text: string): string[] => [...new Set(text.trim().split('\n'))];
    const logged = readFileSync(join(gateway.dataFolder, 'logs', 'gateway.log'), 'utf8');
    assert.deepEqual(lines(logged), lines(output));
  });

  it('says why when a node of the flow fails where nobody catches it, and the gateway ends with code 1', async () => {
    const gateway = await bootGateway();
    const headers = {
      authorization: `Bearer ${await editorToken(gateway.web, 'admin', PASSWORD)}`,
      'Content-Type': 'application/json',
    };
    const flow = {
      label: 'broken',
      nodes: [
        {
          id: 'f1',
          type: 'function',
          func: '',
          initialize: 'Promise.reject(new Error("thrown on purpose"));',
          wires: [],
        },
      ],
    };
    await fetch(`${gateway.web}/editor/flow`, { method: 'POST', headers, body: JSON.stringify(flow) }).catch(
      () => undefined,
    );
    const { code, output } = await gateway.ended;
    assert.equal(code, 1);
    assert.match(output, / error +runtime: uncaught error, the gateway ends: Error: thrown on purpose/);
  });
});

describe('a ChirpStack that cannot be reached', () => {
  it('is one error with its cure, and the gateway runs', async () => {
    const gateway = await bootGateway({
      environment: {
        CHIRPSTACK_URL: `http://127.0.0.1:${await freePort()}`,
        CHIRPSTACK_API_TOKEN: 'token',
        CHIRPSTACK_TENANT_ID: '52f14cd4-c6f1-4fbd-8f87-4025e1d49242',
      },
    });
    try {
      assert.doesNotMatch(gateway.output(), /simulator/);
      const errors = () =>
        gateway
          .output()
          .split('\n')
          .filter((line) => / error +\w+: /.test(line));
      await eventually(() => errors().length > 0, 'the log entry');
      assert.equal(errors().length, 1, errors().join('\n'));
      assert.match(errors()[0] ?? '', / chirpstack: .*reason=unreachable .*cure="/);
    } finally {
      assert.equal((await gateway.stop()).code, 0);
    }
  });
});
