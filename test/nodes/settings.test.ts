/** What each node does with properties as people, imported flows and the environment give them. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import type { Answer } from '../../lib/admin';
import type { ChirpstackConnectionNode, GatewayDatabaseNode } from '../../nodes/common/services';
import { eventually } from '../support/eventually';
import {
  type Credentials,
  collect,
  type FlowNode,
  give,
  logRecords,
  node,
  sent,
  startFlow,
  statuses,
  stopFlow,
} from '../support/flow';

const TOKEN = 'eyJhbGciOiJIUzI1NiJ9.very-secret-token';
const PASSWORD = 'very secret password';
const folder = mkdtempSync(join(tmpdir(), 'lorua-settings-'));
const plainFile = join(folder, 'file.txt');
writeFileSync(plainFile, 'no certificate');

after(() => rmSync(folder, { recursive: true, force: true }));
afterEach(stopFlow);

const DATABASE: FlowNode = { id: 'database', type: 'gateway-database', backend: 'memory', file: '', retentionDays: '' };
/** Nobody answers there: the address is kept for documentation (RFC 5737). */
const CONNECTION: FlowNode = {
  id: 'connection',
  type: 'chirpstack-connection',
  url: 'http://192.0.2.1:8080',
  tenantId: '',
  applicationIds: '',
  caFile: '',
  callTimeout: '',
};
const POLLER: FlowNode = {
  id: 'poller',
  type: 'chirpstack-poller',
  connection: 'connection',
  database: 'database',
  pollInterval: '',
  streamEvents: '',
  pollMetrics: '',
  maximumStreams: '',
  wires: [[], [], []],
};
const STORE: FlowNode = { id: 'store', type: 'metric-store', database: 'database', sendRestored: '', wires: [[]] };
const STALE: FlowNode = {
  id: 'stale',
  type: 'stale-detector',
  database: 'database',
  staleAfter: '',
  intervals: '',
  deadFactor: '',
  rules: '',
  wires: [[]],
};
const SERVER: FlowNode = {
  id: 'server',
  type: 'opcua-gateway-server',
  database: 'database',
  port: '0',
  host: '127.0.0.1',
  advertisedHosts: '',
  endpoints: '',
  allowAnonymous: '',
  trustAllClients: '',
  pkiFolder: '',
  applicationName: '',
  maxSessions: '',
  wires: [[]],
};
const SIMULATOR: FlowNode = {
  id: 'simulator',
  type: 'chirpstack-simulator',
  enabled: '',
  devices: '3',
  period: '86400',
  port: '0',
  seed: '',
  wires: [['told']],
};
const ADMIN: FlowNode = { id: 'admin', type: 'gateway-admin', database: 'database', wires: [['answers']] };
const TOLD: FlowNode = { id: 'told', type: 'helper', wires: [] };
const ANSWERS: FlowNode = { id: 'answers', type: 'helper', wires: [] };

const CREDENTIALS: Credentials = { connection: { token: TOKEN }, server: { user: 'scada', password: PASSWORD } };

function start(nodes: readonly FlowNode[], credentials: Credentials = CREDENTIALS): Promise<void> {
  return startFlow(nodes, { credentials, userDir: folder });
}

/** Errors that a node has written, each with a cure or the test fails. */
function errorsOf(id: string): string[] {
  const errors = logRecords().filter((record) => record.level === 20 && record.id === id);
  for (const { lorua, msg } of errors) assert.ok(lorua?.entry.cure, `no cure: ${String(msg)}`);
  return errors.map(({ lorua }) => String(lorua?.entry.message));
}

function assertNoSecret(...more: unknown[]): void {
  const ids = [CONNECTION, DATABASE, POLLER, STORE, STALE, SERVER, SIMULATOR, ADMIN].map(({ id }) => id);
  const text = JSON.stringify(
    [logRecords(), ids.map((id) => [statuses(id), sent(id)]), more],
    (_key, value: unknown) => (typeof value === 'bigint' ? value.toString() : value),
  );
  for (const secret of [TOKEN, 'very-secret', PASSWORD, 'very secret', 'hunter2'])
    assert.ok(!text.includes(secret), `${secret} is shown`);
}

interface WrongCase {
  readonly what: string;
  readonly node: FlowNode;
  readonly others?: readonly FlowNode[];
  readonly credentials?: Credentials;
  /** One for each fault. */
  readonly errors: readonly RegExp[];
}

const WRONG: readonly WrongCase[] = [
  {
    what: 'an address that is none and no token',
    node: { ...CONNECTION, url: 'chirpstack' },
    credentials: {},
    errors: [/^url is "chirpstack": it must be http/, /^token is "": it is required/],
  },
  {
    what: 'an address with a password in it',
    node: { ...CONNECTION, url: 'http://admin:hunter2@chirpstack:8080' },
    errors: [/^url is \(hidden\): it must be http/],
  },
  {
    what: 'a variable that is not set',
    node: { ...CONNECTION, url: '${LORUA_TEST_MISSING}' },
    errors: [/^url is "\$\{LORUA_TEST_MISSING\}": it must be http/],
  },
  {
    what: 'a token with a blank in it',
    node: CONNECTION,
    credentials: { connection: { token: `${TOKEN} ${TOKEN}` } },
    errors: [/^token is \(hidden\): /],
  },
  {
    what: 'ids that are none, a time-out that is none',
    node: { ...CONNECTION, tenantId: 'mine', applicationIds: 'a', callTimeout: 'long' },
    errors: [/^tenantId is "mine"/, /^applicationIds is "a"/, /^callTimeout is "long"/],
  },
  {
    what: 'a CA file that is not there',
    node: { ...CONNECTION, url: 'https://chirpstack', caFile: join(folder, 'missing.pem') },
    errors: [/^caFile is .*missing\.pem": it must be a readable file/],
  },
  {
    what: 'a CA file that holds no certificate',
    node: { ...CONNECTION, url: 'https://chirpstack', caFile: plainFile },
    errors: [/PEM/],
  },
  {
    what: 'a backend and a retention that are none',
    node: { ...DATABASE, backend: 'oracle', retentionDays: '-1' },
    errors: [/^backend is "oracle": it is sqlite or memory/, /^retentionDays is "-1"/],
  },
  {
    what: 'numbers out of range',
    node: { ...POLLER, pollInterval: '-1', maximumStreams: '0', streamEvents: 'yes' },
    others: [DATABASE, CONNECTION],
    errors: [/^pollInterval is "-1"/, /^streamEvents is "yes"/, /^maximumStreams is "0"/],
  },
  {
    what: 'no connection',
    node: { ...POLLER, connection: '' },
    others: [DATABASE],
    errors: [/^connection is not set/],
  },
  {
    what: 'a connection that does not work',
    node: POLLER,
    others: [DATABASE, { ...CONNECTION, url: 'x' }],
    errors: [/^connection is not set, or the node it names does not work/],
  },
  {
    what: 'no database',
    node: { ...POLLER, database: '' },
    others: [CONNECTION],
    errors: [/^database is not set/],
  },
  {
    what: 'a switch that is none',
    node: { ...STORE, sendRestored: 'perhaps' },
    others: [DATABASE],
    errors: [/^sendRestored is "perhaps": it is true or false/],
  },
  { what: 'no database', node: { ...STORE, database: '' }, errors: [/^database is not set/] },
  {
    what: 'a database that is something else',
    node: { ...STORE, database: 'connection' },
    others: [CONNECTION],
    errors: [/^database is not set, or the node it names does not work/],
  },
  {
    what: 'a database that does not work',
    node: STORE,
    others: [{ ...DATABASE, backend: 'oracle' }],
    errors: [/^database is not set, or the node it names does not work/],
  },
  {
    what: 'thresholds and rules that are none',
    node: {
      ...STALE,
      staleAfter: '0',
      intervals: 'x',
      deadFactor: '0.5',
      rules: [{ device: 'hall', metric: '*', seconds: '60' }, { seconds: 'never' }],
    },
    others: [DATABASE],
    errors: [
      /^staleAfter is "0"/,
      /^intervals is "x"/,
      /^deadFactor is "0\.5"/,
      /^rules\[0\]\.device is "hall"/,
      /^rules\[1\]\.seconds is "never"/,
    ],
  },
  {
    what: 'rules that are no list',
    node: { ...STALE, rules: '{' },
    others: [DATABASE],
    errors: [/^rules is "\{"/],
  },
  { what: 'no database', node: { ...STALE, database: '' }, errors: [/^database is not set/] },
  {
    what: 'a port, endpoints and numbers that are none',
    node: { ...SERVER, port: '99999', endpoints: 'Basic128/Sign', maxSessions: '0', allowAnonymous: 'no' },
    others: [DATABASE],
    errors: [/^endpoints is "Basic128\/Sign"/, /^maxSessions is "0"/, /^port is "99999"/, /^allowAnonymous is "no"/],
  },
  {
    what: 'a user without a password',
    node: SERVER,
    others: [DATABASE],
    credentials: { server: { user: 'scada' } },
    errors: [/^password is \(hidden\): a password is a text that is not empty/],
  },
  {
    what: 'a password without a user',
    node: SERVER,
    others: [DATABASE],
    credentials: { server: { password: PASSWORD } },
    errors: [/^user is undefined: a user has a name/],
  },
  { what: 'no database', node: { ...SERVER, database: '' }, errors: [/^database is not set/] },
  {
    what: 'a switch and numbers that are none',
    node: { ...SIMULATOR, enabled: 'yes', devices: '0', period: 'x', port: '-1', seed: '1.5' },
    errors: [/^enabled is "yes"/, /^devices is "0"/, /^period is "x"/, /^port is "-1"/, /^seed is "1\.5"/],
  },
  { what: 'no database', node: { ...ADMIN, database: '' }, others: [ANSWERS], errors: [/^database is not set/] },
];

describe('wrong properties: one error with a cure for each fault, a red status, nothing else', () => {
  for (const wrong of WRONG)
    test(`${wrong.node.type}: ${wrong.what}`, async () => {
      await start([wrong.node, ...(wrong.others ?? [])], wrong.credentials);
      const { id } = wrong.node;
      const errors = errorsOf(id);
      assert.equal(errors.length, wrong.errors.length, errors.join('\n'));
      for (const expected of wrong.errors)
        assert.ok(
          errors.some((error) => expected.test(error)),
          `${String(expected)} is not in\n${errors.join('\n')}`,
        );
      const status = statuses(id).at(-1);
      assert.deepEqual([status?.fill, status?.shape], ['red', 'ring']);
      // It exists, and messages do not make it worse.
      assert.ok(node(id));
      give(id, { topic: 'status.get', payload: {} });
      assertNoSecret();
      assert.deepEqual(errorsOf(id), errors);
    });
});

/** Texts of the errors of the whole flow, save that nobody answers where the connection looks for ChirpStack. */
function unexpected(): string[] {
  return logRecords()
    .filter(({ level, lorua }) => level <= 20 && lorua?.entry.reason !== 'unreachable')
    .map(({ msg }) => String(msg));
}

describe('properties as the environment and older flows give them', () => {
  test('empty texts are the defaults', async () => {
    await start([DATABASE, CONNECTION, { ...POLLER, pollInterval: '0' }, STORE, STALE, SERVER]);
    await eventually(() => statuses('server').at(-1)?.shape === 'dot', 'the server');
    assert.equal(statuses('store').at(-1)?.fill, 'green');
    assert.deepEqual(unexpected(), []);
    assertNoSecret();
  });

  test('properties that a flow does not have are the defaults', async () => {
    const { url } = CONNECTION;
    await start([
      { id: 'connection', type: 'chirpstack-connection', url },
      { id: 'database', type: 'gateway-database', backend: 'memory' },
      { id: 'poller', type: 'chirpstack-poller', connection: 'connection', database: 'database', wires: [[], [], []] },
      { id: 'store', type: 'metric-store', database: 'database', wires: [[]] },
      { id: 'stale', type: 'stale-detector', database: 'database', wires: [[]] },
      { id: 'server', type: 'opcua-gateway-server', database: 'database', port: 0, wires: [[]] },
    ]);
    await eventually(() => statuses('server').at(-1)?.shape === 'dot', 'the server');
    assert.ok((node('connection') as ChirpstackConnectionNode).connection);
    assert.ok((node('database') as GatewayDatabaseNode).service);
    assert.deepEqual(unexpected(), []);
  });

  test('${NAME} is taken from the environment, and empty ones are the defaults', async () => {
    const variables = {
      LORUA_TEST_URL: 'https://[fd00::7]:8443',
      LORUA_TEST_TIMEOUT: '2.5',
      LORUA_TEST_OFF: 'false',
      LORUA_TEST_EMPTY: '',
    };
    Object.assign(process.env, variables);
    try {
      await start([
        DATABASE,
        {
          ...CONNECTION,
          url: '${LORUA_TEST_URL}',
          callTimeout: '${LORUA_TEST_TIMEOUT}',
          tenantId: '${LORUA_TEST_EMPTY}',
          caFile: '${LORUA_TEST_EMPTY}',
        },
        { ...STORE, sendRestored: '${LORUA_TEST_OFF}' },
        { ...STALE, rules: '${LORUA_TEST_EMPTY}', intervals: '${LORUA_TEST_EMPTY}' },
        { ...SIMULATOR, enabled: '${LORUA_TEST_OFF}', port: '${LORUA_TEST_EMPTY}' },
      ]);
      const { connection } = node('connection') as ChirpstackConnectionNode;
      assert.deepEqual(connection?.settings.address, { host: 'fd00::7', port: 8443, tls: true });
      assert.equal(connection?.settings.callTimeout, 2_500);
      assert.equal(statuses('simulator').at(-1)?.fill, 'grey');
      assert.deepEqual(unexpected(), []);
    } finally {
      for (const name of Object.keys(variables)) delete process.env[name];
    }
  });

  for (const [on, off] of [
    [true, false],
    ['true', 'false'],
  ])
    test(`switches are ${JSON.stringify(on)} and ${JSON.stringify(off)}`, async () => {
      await start([
        DATABASE,
        CONNECTION,
        { ...POLLER, pollInterval: '0', streamEvents: off, pollMetrics: on },
        { ...STORE, sendRestored: off },
        { ...SERVER, allowAnonymous: off, trustAllClients: on },
        { ...SIMULATOR, enabled: on },
      ]);
      await eventually(() => statuses('simulator').at(-1)?.fill === 'green', 'the simulator');
      await eventually(() => statuses('server').at(-1)?.shape === 'dot', 'the server');
      assert.deepEqual(unexpected(), []);
    });
});

describe('chirpstack-simulator', () => {
  test('tells where it listens and which tenant it has, when it is enabled', async () => {
    await start([SIMULATOR, TOLD]);
    const status = await eventually(
      () => statuses('simulator').find(({ fill }) => fill === 'green'),
      'the address in the status',
    );
    assert.match(String(status.text), /^http:\/\/127\.0\.0\.1:\d+$/);
    const [message] = sent('simulator') as { topic: string; payload: { url: string; tenantId: string } }[];
    assert.equal(message?.topic, 'simulator');
    assert.equal(message?.payload.url, status.text);
    assert.match(message?.payload.tenantId ?? '', /^[0-9a-f-]{36}$/);
  });

  test('does nothing when it is disabled', async () => {
    await start([{ ...SIMULATOR, enabled: false }, TOLD]);
    assert.deepEqual(
      statuses('simulator').map(({ fill, shape }) => [fill, shape]),
      [['grey', 'ring']],
    );
    assert.deepEqual(sent('simulator'), []);
    assert.deepEqual(
      logRecords().filter(({ id }) => id === 'simulator'),
      [],
    );
  });
});

describe('a port that another program has', () => {
  let other: Server;
  let port: string;

  before(async () => {
    other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const address = other.address();
    assert.ok(typeof address === 'object' && address);
    port = String(address.port);
  });

  after(() => new Promise<void>((resolve) => other.close(() => resolve())));

  for (const [taker, others] of [
    [SIMULATOR, []],
    [SERVER, [DATABASE]],
  ] as const)
    test(`is one error of ${taker.type}, and a red status`, async () => {
      await start([{ ...taker, port }, ...others]);
      await eventually(() => statuses(taker.id).at(-1)?.fill === 'red', 'the red status');
      const errors = logRecords().filter(({ level, id }) => level === 20 && id === taker.id);
      assert.deepEqual(
        errors.map(({ lorua }) => lorua?.entry.reason),
        ['port-in-use'],
      );
      assert.equal(errorsOf(taker.id).length, 1);
      assertNoSecret();
    });

  test('is taken by opcua-gateway-server once it is free, and waiting is not an error each time', async () => {
    await start([DATABASE, { ...SERVER, port }]);
    await eventually(() => statuses('server').at(-1)?.fill === 'red', 'the red status');
    // Tried again twice: 10 s each.
    await eventually(() => statuses('server').filter(({ fill }) => fill === 'yellow').length >= 2, 'the next try');
    await eventually(() => statuses('server').at(-1)?.fill === 'red', 'the red status again');
    assert.equal(errorsOf('server').length, 1);
    await new Promise<void>((resolve) => other.close(() => resolve()));
    await eventually(() => statuses('server').at(-1)?.shape === 'dot', 'the server');
  });
});

describe('closing', () => {
  test('ends quickly and may be asked for twice while ChirpStack does not answer', { timeout: 20_000 }, async () => {
    const calls = new Set<Socket>();
    // Takes calls and never answers.
    const silent = createServer((socket) => {
      calls.add(socket);
      socket.on('error', () => undefined);
    });
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const address = silent.address();
    assert.ok(typeof address === 'object' && address);
    try {
      const connection = { ...CONNECTION, url: `http://127.0.0.1:${address.port}`, callTimeout: '120' };
      await start([DATABASE, connection, POLLER, STORE, STALE, SERVER, ADMIN, ANSWERS]);
      await eventually(() => statuses('server').at(-1)?.shape === 'dot', 'the server');
      await eventually(() => calls.size > 0, 'the call of the poller');
      const ids = ['poller', 'store', 'stale', 'server', 'admin', 'connection', 'database'];
      const nodes = ids.map(node);
      await Promise.all(nodes.map((each) => each.close(false)));
      await Promise.all(nodes.map((each) => each.close(true)));
      assert.deepEqual(unexpected(), []);
      assertNoSecret();
    } finally {
      for (const socket of calls) socket.destroy();
      await new Promise<void>((resolve) => silent.close(() => resolve()));
    }
  });

  test('works right after the start, before anything is open', { timeout: 20_000 }, async () => {
    await start([DATABASE, CONNECTION, POLLER, STORE, STALE, SERVER, SIMULATOR]);
    await stopFlow();
  });
});

describe('a ChirpStack that refuses', () => {
  test('is said in the status of the poller, without the token', async () => {
    await start([SIMULATOR]);
    const { text: url } = await eventually(
      () => statuses('simulator').find(({ fill }) => fill === 'green'),
      'the simulator',
    );
    const simulator = { ...SIMULATOR, port: new URL(String(url)).port };
    await stopFlow();
    await start([simulator, DATABASE, { ...CONNECTION, url }, POLLER, ADMIN, ANSWERS]);
    await eventually(
      () => statuses('poller').some(({ text }) => text === 'chirpstack-poller.status.unauthenticated'),
      'the refusal',
    );
    assertNoSecret();
  });
});

describe('gateway-admin', () => {
  async function ask(topic: string | undefined, payload: unknown): Promise<Answer> {
    const answers = collect('answers');
    give('admin', { ...(topic === undefined ? {} : { topic }), payload, kept: 7 });
    const message = await eventually(() => answers[0], `the answer to ${topic}`);
    assert.equal(message.kept, 7);
    return message.payload as Answer;
  }

  test('answers what it is asked, and says what can be asked', async () => {
    await start([DATABASE, STORE, ADMIN, ANSWERS]);
    give('store', { device: { devEui: 'ffffffffffff0002' }, payload: { level: 3 } });
    const status = await ask('status.get', {});
    assert.ok(status.ok);
    const { verdict, version, store } = status.result as {
      verdict: { level: string };
      version: string;
      store: { state: string };
    };
    assert.equal(verdict.level, 'warning');
    assert.match(version, /^\d+\.\d+\.\d+/);
    assert.equal(store.state, 'healthy');

    const values = await ask('values.list', {});
    assert.ok(values.ok);
    assert.equal((values.result as { total: number }).total, 0, 'devices that ChirpStack does not know are not listed');

    for (const topic of ['coffee.make', undefined]) {
      const unknown = await ask(topic, {});
      assert.ok(!unknown.ok);
      assert.equal(unknown.errors[0]?.field, 'topic');
      assert.match(unknown.errors[0]?.cure ?? '', /status\.get, health\.get, metrics\.get/);
    }
    const wrong = await ask('values.list', { limit: -1, surprise: true });
    assert.ok(!wrong.ok);
    assert.equal(wrong.errors.length, 2);
    assert.deepEqual(unexpected(), []);
  });
});
