import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  AttributeIds,
  BrowseDirection,
  DataType,
  NodeClass,
  OPCUACertificateManager,
  StatusCodes,
  type UserIdentityInfo,
  UserTokenType,
} from 'node-opcua';
import type { ClientEvent, GatewayServer } from '../../../lib/opcua';
import { ask, raw, statusOf } from './history-support';
import {
  type Connected,
  connect,
  devEuiOf,
  makeClient,
  readingOf,
  simpleSource,
  startServer,
  temporaryFolder,
  urlOf,
} from './support';

const { folder, remove } = temporaryFolder();
after(remove);

const DEVICE = `ns=3;s=${devEuiOf(1)}`;
const TEMPERATURE = `${DEVICE}/metric/temperature`;
const ENABLED_FLAG = 'i=2294';
/** SubscriptionDiagnosticsArray, SessionsDiagnosticsSummary and its two arrays. */
const DIAGNOSTICS = ['ns=0;i=2290', 'ns=0;i=3706', 'ns=0;i=3707', 'ns=0;i=3708'];
const DAY = 86_400_000;

const PASSWORD = 'Correct horse 1';
const USERS = [
  { name: 'ann', password: PASSWORD, roles: ['Observer'] },
  { name: 'otto', password: PASSWORD, roles: ['Operator'] },
  { name: 'emma', password: PASSWORD, roles: 'Engineer' },
  { name: 'root', password: PASSWORD, roles: ['SecurityAdmin'] },
  { name: 'all', password: PASSWORD, roles: 'Observer, Operator, Engineer, SecurityAdmin' },
  // Logs in with a certificate only.
  { name: 'carla', roles: ['Operator'] },
];

let server: GatewayServer;

before(async () => {
  server = await startServer(folder, { users: USERS, allowAnonymous: true });
  server.attach(
    Object.assign(simpleSource(), {
      history: { readHistory: () => Promise.resolve({ bytes: new Uint8Array(4), count: 0 }) },
    }),
  );
  await server.settled();
  server.publish(readingOf(1, { temperature: 21.5 }, Date.now()));
});
after(() => server.stop());

/** As one of the users; without a name as nobody. */
function as(name: string | undefined): Promise<Connected> {
  return connect(server, folder, { user: name === undefined ? undefined : { name, password: PASSWORD } });
}

async function statusOfWrite({ session }: Connected, nodeId: string, value: object): Promise<string> {
  return (await session.write({ nodeId, attributeId: AttributeIds.Value, value: { value } })).name;
}

/** All that is reached from the root by hierarchical references and types. */
async function walk({ session }: Connected): Promise<Set<string>> {
  const seen = new Set(['ns=0;i=84']);
  for (let wave = ['i=84']; wave.length > 0; ) {
    const found: string[] = [];
    for (let start = 0; start < wave.length; start += 500) {
      const results = await session.browse(
        wave.slice(start, start + 500).map((nodeId) => ({
          nodeId,
          browseDirection: BrowseDirection.Forward,
          includeSubtypes: true,
          nodeClassMask: 0,
          resultMask: 0,
        })),
      );
      for (const { references } of results)
        for (const { nodeId } of references ?? []) {
          const id = nodeId.toString();
          if (!seen.has(id)) found.push(id);
          seen.add(id);
        }
    }
    wave = found;
  }
  return seen;
}

test('every role and anonymous, where it is let in, may look; write and call are for Operator and Engineer', async () => {
  const expected: [string | undefined, string][] = [
    [undefined, 'BadUserAccessDenied'],
    ['ann', 'BadUserAccessDenied'],
    ['root', 'BadUserAccessDenied'],
    // These may write; this variable is not one to be written.
    ['otto', 'BadNotWritable'],
    ['emma', 'BadNotWritable'],
    ['all', 'BadNotWritable'],
  ];
  for (const [name, write] of expected) {
    const connected = await as(name);
    const { statusCode, value } = await connected.read(TEMPERATURE);
    assert.deepEqual([statusCode.name, value.value], ['Good', 21.5], name);
    const { references } = await connected.session.browse(DEVICE);
    assert.ok((references?.length ?? 0) > 3, name);
    assert.equal(await statusOfWrite(connected, TEMPERATURE, { dataType: DataType.Double, value: 1 }), write, name);
    await connected.close();
  }
});

test('clients find their way through the standard nodes whatever their role; sessions are seen by those in charge', async () => {
  const all = await as('all');
  const everything = await walk(all);
  const shown = [...everything];
  for (const id of DIAGNOSTICS) assert.ok(everything.has(id), id);
  assert.ok(
    shown.some((id) => id.startsWith('ns=1;g=')),
    'the objects of sessions',
  );
  for (const name of ['ann', undefined]) {
    const connected = await as(name);
    const seen = await walk(connected);
    const isDiagnostics = (id: string): boolean => id.startsWith('ns=1;') || DIAGNOSTICS.includes(id);
    assert.deepEqual([...seen].filter(isDiagnostics), []);
    const hidden = shown.filter((id) => !seen.has(id) && !isDiagnostics(id));
    // The standard itself keeps ServerConfiguration and the methods of roles for administrators.
    assert.deepEqual(
      hidden.filter((id) => !id.startsWith('ns=0;')),
      [],
      'nothing of ours is hidden',
    );
    assert.ok(seen.size > 4_000 && hidden.length < 250, `${seen.size} seen, ${hidden.length} hidden`);
    for (const id of DIAGNOSTICS)
      assert.notEqual((await connected.read(id)).statusCode.name, 'Good', `${id} for ${name}`);
    const sessionObject = shown.find((id) => id.startsWith('ns=1;g=')) ?? '';
    // The library shows the name of one of its members to all, not its value.
    for (const { nodeId } of (await connected.session.browse(sessionObject)).references ?? [])
      assert.equal((await connected.read(nodeId.toString())).statusCode.name, 'BadUserAccessDenied');
    // What every client asks first.
    for (const id of ['i=2254', 'i=2255', 'i=2256', 'i=2259', 'i=2267', 'i=2269', 'i=11705'])
      assert.equal((await connected.read(id)).statusCode.name, 'Good', id);
    assert.equal((await connected.read('i=58', AttributeIds.NodeClass)).value.value, NodeClass.ObjectType);
    await connected.close();
  }
  const root = await as('root');
  for (const id of ['i=3707', 'i=3708', 'i=2290']) assert.equal((await root.read(id)).statusCode.name, 'Good', id);
  await root.close();
  await all.close();
});

test('whoever may look at values may look at their history', async () => {
  for (const name of ['ann', 'root', undefined]) {
    const connected = await as(name);
    const HISTORY_READ = 4;
    const { value } = await connected.read(TEMPERATURE, AttributeIds.UserAccessLevel);
    assert.equal(Number(value.value) & HISTORY_READ, HISTORY_READ);
    const answers = await ask(connected, { nodes: [TEMPERATURE], details: raw(0, 1) });
    assert.deepEqual(answers.map(statusOf), ['GoodNoData']);
    await connected.close();
  }
});

test('a SecurityAdmin sees which role may do what', async () => {
  const root = await as('root');
  const names = await root.session.readNamespaceArray();
  for (const uri of ['urn:lorua:model', 'urn:lorua:gateway']) {
    const node = `ns=${names.indexOf(uri)};s=NamespaceMetadata/DefaultRolePermissions`;
    const { statusCode, value } = await root.read(node);
    assert.equal(statusCode.name, 'Good', uri);
    assert.ok(Array.isArray(value.value) && value.value.length > 0, uri);
  }
  const { statusCode, value } = await root.read('i=3707', AttributeIds.RolePermissions);
  assert.equal(statusCode.name, 'Good');
  assert.equal(Array.isArray(value.value) && value.value.length, 2);
  const ann = await as('ann');
  assert.notEqual((await ann.read('i=3707', AttributeIds.RolePermissions)).statusCode.name, 'Good');
  await ann.close();
  await root.close();
});

test('only a SecurityAdmin changes what the standard lets administrators change', async () => {
  const off = { dataType: DataType.Boolean, value: false };
  for (const name of ['ann', 'otto', 'emma', undefined]) {
    const connected = await as(name);
    assert.equal(await statusOfWrite(connected, ENABLED_FLAG, off), 'BadUserAccessDenied', name);
    await connected.close();
  }
  const root = await as('root');
  assert.equal(await statusOfWrite(root, ENABLED_FLAG, { ...off, value: true }), 'Good');
  await root.close();
});

interface Person {
  readonly certificate: Buffer;
  readonly thumbprint: string;
  readonly info: UserIdentityInfo;
}

/** A certificate of a person, with its key. */
async function person(name: string, file: string, startDate = new Date(Date.now() - DAY), days = 365): Promise<Person> {
  const manager = new OPCUACertificateManager({ rootFolder: join(folder, 'people'), disableFileWatchers: true });
  await manager.initialize();
  const outputFile = join(folder, `${file}.pem`);
  await manager.createSelfSignedCertificate({
    applicationUri: `urn:${file}`,
    dns: [],
    startDate,
    validity: days,
    subject: `/CN=${name}`,
    outputFile,
  });
  const certificate = new X509Certificate(readFileSync(outputFile));
  const privateKey = readFileSync(manager.privateKey, 'utf8');
  await manager.dispose();
  return {
    certificate: certificate.raw,
    thumbprint: certificate.fingerprint.replaceAll(':', '').toLowerCase(),
    info: { type: UserTokenType.Certificate, certificateData: certificate.raw, privateKey },
  };
}

async function logIn({ info }: Person): Promise<Connected> {
  const client = await makeClient(folder);
  await client.connect(urlOf(server));
  try {
    const session = await client.createSession(info);
    return {
      client,
      session: session as Connected['session'],
      read: (nodeId, attributeId = AttributeIds.Value) => session.read({ nodeId, attributeId }),
      async close() {
        await session.close();
        await client.disconnect();
      },
    };
  } catch (error) {
    await client.disconnect();
    throw error;
  }
}

test('a person logs in with a certificate once it is trusted, and has the roles of the user it names', async () => {
  const certificates = server.certificates;
  assert.ok(certificates);
  const events: ClientEvent[] = [];
  const off = server.onClientEvent((event) => events.push(event));
  const carla = await person('carla', 'carla');
  const refused = /BadIdentityTokenRejected/;
  await assert.rejects(logIn(carla), refused);
  assert.deepEqual(
    events.filter(({ type }) => type === 'login-refused').map(({ user, reason }) => [user, reason]),
    [['carla', 'untrusted-certificate']],
  );
  const listed = (await certificates.list()).find(({ thumbprint }) => thumbprint === carla.thumbprint);
  assert.deepEqual(
    [listed?.store, listed?.state, listed?.subject, listed?.validity],
    ['users', 'rejected', 'CN=carla', 'valid'],
  );

  assert.equal((await certificates.trust(carla.thumbprint)).state, 'trusted');
  const connected = await logIn(carla);
  assert.equal((await connected.read(TEMPERATURE)).statusCode, StatusCodes.Good);
  // As the Operator that carla is.
  assert.equal(await statusOfWrite(connected, TEMPERATURE, { dataType: DataType.Double, value: 1 }), 'BadNotWritable');
  assert.ok(server.sessions?.list().some(({ user }) => user === 'carla'));

  await certificates.reject(carla.thumbprint);
  assert.ok(!server.sessions?.list().some(({ user }) => user === 'carla'), 'the session went with the trust');
  await connected.client.disconnect();
  await assert.rejects(logIn(carla), refused);

  // A certificate of somebody who is no user, one that is over, and one that is not valid yet: trusted, yet refused.
  const stranger = await person('mallory', 'mallory');
  const expired = await person('carla', 'expired', new Date(Date.now() - 30 * DAY), 10);
  const early = await person('carla', 'early', new Date(Date.now() + 10 * DAY), 10);
  const nobody = await person('anonymous', 'nobody');
  for (const someone of [stranger, expired, early, nobody]) {
    writeFileSync(join(folder, 'server-pki', 'user', 'rejected', `${someone.thumbprint}.der`), someone.certificate);
    await certificates.trust(someone.thumbprint);
    await assert.rejects(logIn(someone), refused);
  }
  assert.deepEqual(
    (await certificates.list())
      .filter(({ state, store }) => store === 'users' && state === 'trusted')
      .map(({ subject, validity }) => `${subject} ${validity}`)
      .sort(),
    ['CN=anonymous valid', 'CN=carla expired', 'CN=carla not-yet-valid', 'CN=mallory valid'],
  );
  off();
});

test('a certificate of carla without her key lets nobody in', async () => {
  const carla = await person('carla', 'copied');
  const other = new OPCUACertificateManager({ rootFolder: join(folder, 'other-key'), disableFileWatchers: true });
  await other.initialize();
  const info: UserIdentityInfo = {
    type: UserTokenType.Certificate,
    certificateData: carla.certificate,
    privateKey: readFileSync(other.privateKey, 'utf8'),
  };
  await other.dispose();
  await assert.rejects(logIn({ ...carla, info }), /BadUserSignatureInvalid|BadIdentityTokenRejected/);
});

test('sessions are listed and ended by their id; own and unknown certificates are no matter of trust', async () => {
  const { sessions, certificates } = server;
  assert.ok(sessions && certificates);
  const connected = await as('ann');
  const [session] = sessions.list().filter(({ user }) => user === 'ann');
  assert.ok(session);
  assert.equal(session.security, 'Basic256Sha256/SignAndEncrypt');
  assert.equal(sessions.close(session.id.toUpperCase()).user, 'ann');
  assert.deepEqual(sessions.list(), []);
  assert.throws(() => sessions.close(session.id), /sessions\.list/);
  await connected.client.disconnect();

  const own = (await certificates.list()).find(({ state }) => state === 'own');
  assert.equal(own?.applicationUri, server.settings.applicationUri);
  for (const act of ['trust', 'reject', 'remove'] as const) {
    await assert.rejects(certificates[act](own?.thumbprint ?? ''), /certificate of this server/);
    await assert.rejects(certificates[act]('00'.repeat(20)), /certificates\.list/);
  }
  const person = (await certificates.list()).find(({ subject }) => subject === 'CN=mallory');
  const removed = await certificates.remove(person?.thumbprint.toUpperCase().replace(/..(?=.)/g, '$&:') ?? '');
  assert.equal(removed.subject, 'CN=mallory');
  assert.ok(!(await certificates.list()).some(({ subject }) => subject === 'CN=mallory'));
});
