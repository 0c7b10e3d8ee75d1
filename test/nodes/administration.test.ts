/** gateway-admin in a flow: who may connect, who is connected and who may log in, changed while the server runs. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, beforeEach, describe, test } from 'node:test';
import type { Answer, EntryList, UserRow } from '../../lib/admin';
import type { CertificateSummary, SessionSummary } from '../../lib/opcua';
import type { GatewayDatabaseNode } from '../../nodes/common/services';
import { eventually } from '../support/eventually';
import { startExample } from '../support/example';
import { collect, type FlowMessage, give, node, startFlow, stopFlow } from '../support/flow';
import { TestClient } from '../support/opcua-client';

const USER = 'scada';
const PASSWORD = 'correct horse battery';

/** Keys and certificates of server and client are made once. */
const folder = mkdtempSync(join(tmpdir(), 'lorua-admin-nodes-'));
const client = join(folder, 'client');
after(() => rmSync(folder, { recursive: true, force: true }));

let told: FlowMessage[];
let url: string;
const open: TestClient[] = [];

async function startGateway(): Promise<void> {
  await startFlow(
    [
      { id: 'database', type: 'gateway-database', backend: 'memory', file: '', retentionDays: '0' },
      {
        id: 'server',
        type: 'opcua-gateway-server',
        database: 'database',
        port: '0',
        host: '127.0.0.1',
        advertisedHosts: '127.0.0.1',
        pkiFolder: join(folder, 'server'),
        wires: [['events']],
      },
      { id: 'admin', type: 'gateway-admin', database: 'database', wires: [['told']] },
      { id: 'told', type: 'helper', wires: [] },
      { id: 'events', type: 'helper', wires: [] },
    ],
    { credentials: { server: { user: USER, password: PASSWORD } } },
  );
  told = collect('told');
  const { service } = node('database') as GatewayDatabaseNode;
  url = await eventually(() => service?.opcua?.endpointUrls[0], 'the server to listen');
}

afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
  await stopFlow();
});

async function connect(user = USER, password = PASSWORD): Promise<TestClient> {
  const connected = await TestClient.connect({ url, user, password, pkiFolder: client });
  open.push(connected);
  return connected;
}

/** Asks as the dashboard does for a user, or as a flow does by itself. */
async function ask(topic: string, payload: unknown, user?: string): Promise<Answer> {
  const before = told.length;
  give('admin', { topic, payload, ...(user === undefined ? {} : { _client: { user: { userId: user } } }) });
  await eventually(() => told.length > before, `the answer to ${topic}`);
  return told[before]?.payload as Answer;
}

async function result<T>(topic: string, payload: unknown = {}, user?: string): Promise<T> {
  const answer = await ask(topic, payload, user);
  assert.ok(answer.ok, JSON.stringify(answer));
  return answer.result as T;
}

const rows = async <Row>(topic: string): Promise<readonly Row[]> => (await result<{ rows: Row[] }>(topic)).rows;
const sessionsOf = async (user: string): Promise<readonly SessionSummary[]> =>
  (await rows<SessionSummary>('sessions.list')).filter((session) => session.user === user);

/** The one certificate that was refused. */
async function refused(): Promise<CertificateSummary> {
  return eventually(
    async () => (await rows<CertificateSummary>('certificates.list')).find(({ state }) => state === 'rejected'),
    'the certificate of the client',
  );
}

describe('gateway-admin', { timeout: 120_000 }, () => {
  beforeEach(startGateway);

  test('trusts a client that was refused, ends its session, and takes the trust back', async () => {
    await assert.rejects(connect());
    const certificate = await refused();
    assert.equal(certificate.store, 'applications');
    assert.match(certificate.subject, /Lorua test client/);
    const [own] = await rows<CertificateSummary>('certificates.list');
    assert.equal(own?.state, 'own');

    const { thumbprint } = certificate;
    assert.equal((await result<CertificateSummary>('certificates.trust', { thumbprint }, 'admin')).state, 'trusted');
    await connect();
    const [session] = await sessionsOf(USER);
    assert.equal(session?.application, 'Lorua test client');
    assert.equal((await result<SessionSummary>('sessions.close', { id: session?.id })).id, session?.id);
    assert.ok((await rows<SessionSummary>('sessions.list')).every(({ id }) => id !== session?.id));
    assert.equal((await ask('sessions.close', { id: session?.id })).ok, false);

    await result('certificates.reject', { thumbprint });
    assert.deepEqual(await sessionsOf(USER), []);
    await assert.rejects(connect());
    const { entries } = await result<EntryList>('audit.list', {
      types: ['certificates.trust', 'certificates.reject', 'sessions.close'],
    });
    assert.deepEqual(
      entries.map(({ type, user }) => [type, user]),
      [
        ['certificates.reject', undefined],
        ['sessions.close', undefined],
        ['sessions.close', undefined],
        ['certificates.trust', 'admin'],
      ],
    );
    assert.match(JSON.stringify(entries[1]?.details), /"refused"/);
    await result('certificates.remove', { thumbprint });
    assert.ok((await rows<CertificateSummary>('certificates.list')).every((one) => one.thumbprint !== thumbprint));
  });

  test('keeps users, who may log in at once, and no longer when they are disabled or removed', async () => {
    await assert.rejects(connect());
    await result('certificates.trust', { thumbprint: (await refused()).thumbprint });
    await assert.rejects(connect('eva', 'a long secret'));
    await result('users.save', { name: 'eva', password: 'a long secret', roles: ['Observer'] });
    assert.deepEqual(
      (await rows<UserRow>('users.list')).map(({ name, isAdministrator }) => [name, isAdministrator]),
      [
        [USER, true],
        ['eva', false],
      ],
    );
    await connect('eva', 'a long secret');
    assert.equal((await sessionsOf('eva')).length, 1);

    await result('users.save', { name: 'eva', roles: ['Observer'], isDisabled: true });
    assert.deepEqual(await sessionsOf('eva'), []);
    await assert.rejects(connect('eva', 'a long secret'));
    await result('users.save', { name: 'eva', roles: ['Observer'], isDisabled: false });
    // The client that was thrown out has tried again by itself, and is slowed down for it.
    await eventually(() => connect('eva', 'a long secret'), 'the login after that');
    await result('users.remove', { name: 'eva' });
    assert.deepEqual(await sessionsOf('eva'), []);
    await assert.rejects(connect('eva', 'a long secret'));
  });

  test('lets no account of the gateway change these without the role', async () => {
    await result('users.save', { name: 'eva', roles: ['Engineer'] });
    for (const topic of ['users.list', 'certificates.list', 'certificates.renew']) {
      const answer = await ask(topic, {}, 'eva');
      assert.deepEqual(answer.ok ? [] : answer.errors.map(({ field }) => field), ['user'], topic);
    }
  });

  test('renews the certificate of the server', async () => {
    const before = await rows<CertificateSummary>('certificates.list');
    const renewed = await result<CertificateSummary>('certificates.renew');
    assert.equal(renewed.state, 'own');
    assert.ok(before.every(({ thumbprint }) => thumbprint !== renewed.thumbprint));
  });
});

describe('the example "security"', { timeout: 60_000 }, () => {
  test('does what its buttons say', async () => {
    const example = await startExample('09 - security.json', {
      coreNodes: ['common/20-inject.js', 'function/10-function.js'],
      userDir: folder,
      changes: {
        'opcua-gateway-server': { port: '0', host: '127.0.0.1', advertisedHosts: '127.0.0.1', pkiFolder: 'example' },
      },
      credentials: { 'opcua-gateway-server': { user: USER, password: PASSWORD } },
    });
    const { service } = node(example.ofType('gateway-database').id) as GatewayDatabaseNode;
    url = await eventually(() => service?.opcua?.endpointUrls[0], 'the server to listen');
    const answers = collect(example.named('Answers').id);
    const press = async (button: string): Promise<Answer> => {
      const before = answers.length;
      give(example.named(button).id, {});
      await eventually(() => answers.length > before, button);
      const answer = answers[before]?.payload as Answer;
      assert.ok(answer.ok, JSON.stringify(answer));
      return answer;
    };
    await assert.rejects(connect());
    await eventually(
      async () => JSON.stringify(await press('Which certificates there are')).includes('"rejected"'),
      'it',
    );
    await press('Trust all that were refused');
    await connect();
    assert.match(JSON.stringify(await press('Who is connected')), /Lorua test client/);
    await press('Add the user "operator"');
    await connect('operator', 'change me soon');
    await press('Do not let "operator" in');
    assert.doesNotMatch(JSON.stringify(await press('Who is connected')), /"user":"operator"/);
    assert.match(JSON.stringify(await press('Who may log in')), /"name":"operator".*"isDisabled":true/);
    await press('Remove "operator"');
    assert.match(JSON.stringify(await press('Who did what today')), /users\.remove.*users\.save.*certificates\.trust/s);
  });
});
