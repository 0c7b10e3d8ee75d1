/** What clients do is told to whoever is a SecurityAdmin, and to nobody else. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  AttributeIds,
  ClientMonitoredItem,
  constructEventFilter,
  DataType,
  resolveNodeId,
  TimestampsToReturn,
  type Variant,
} from 'node-opcua';
import type { ClientEvent, GatewayServer } from '../../../lib/opcua';
import { makeKey, selfSigned } from '../../support/test-certificates';
import { APPLICATION, Clients, outcome } from './security-support';
import {
  type Connected,
  connect,
  devEuiOf,
  readingOf,
  simpleSource,
  startServer,
  subscribe,
  temporaryFolder,
  until,
  urlOf,
} from './support';

const { folder, remove } = temporaryFolder();
const PASSWORD = 'Correct horse 1';
const VALUE = `ns=3;s=${devEuiOf(1)}/metric/temperature`;
const ENABLED_FLAG = 'i=2294';
const FIELDS = [
  'EventType',
  'SourceName',
  'SourceNode',
  'Message',
  'Status',
  'ClientUserId',
  'ClientAuditEntryId',
  'AttributeId',
  'OldValue',
  'NewValue',
  'MethodId',
  'InputArguments',
  'UserIdentityToken',
] as const;
type Told = Readonly<Record<(typeof FIELDS)[number], Variant | undefined>>;

let server: GatewayServer;
const open: Connected[] = [];
const events: ClientEvent[] = [];

before(async () => {
  const roles = { ann: ['Observer'], otto: ['Operator'], emma: ['Engineer'], root: ['SecurityAdmin'] };
  server = await startServer(folder, {
    users: Object.entries(roles).map(([name, role]) => ({ name, password: PASSWORD, roles: role })),
    trustAllClients: false,
    allowAnonymous: true,
  });
  server.attach(simpleSource());
  await server.settled();
  server.publish(readingOf(1, { temperature: 21.5 }, Date.now()));
  server.onClientEvent((event) => events.push(event));
  // All tests use one client program, and it must be trusted.
  assert.notEqual(await outcome(() => connect(server, folder, { user: undefined })), 'Good');
  await until(() => events.some(({ type }) => type === 'certificate-refused'));
  const thumbprint = events.find(({ type }) => type === 'certificate-refused')?.thumbprint ?? '';
  await server.certificates?.trust(thumbprint);
});
after(async () => {
  for (const { client } of open) await client.disconnect();
  await server.stop();
  remove();
});

async function as(name: string | undefined): Promise<Connected> {
  const connected = await connect(server, folder, {
    user: name === undefined ? undefined : { name, password: PASSWORD },
  });
  open.push(connected);
  return connected;
}

/** Listens to all events of the server. */
async function listen(connected: Connected): Promise<Told[]> {
  const told: Told[] = [];
  const subscription = await subscribe(connected.session);
  const item = ClientMonitoredItem.create(
    subscription,
    { nodeId: resolveNodeId('i=2253'), attributeId: AttributeIds.EventNotifier },
    { queueSize: 1_000, filter: constructEventFilter([...FIELDS]) },
    TimestampsToReturn.Both,
  );
  item.on('changed', (values) => {
    const fields: readonly unknown[] = Array.isArray(values) ? values : [];
    told.push(
      Object.fromEntries(FIELDS.map((field, index) => [field, fields[index]])) as Record<
        keyof Told,
        Variant | undefined
      >,
    );
  });
  await new Promise<void>((resolve, reject) => {
    item.once('initialized', resolve);
    item.once('err', (message: string) => reject(new Error(message)));
  });
  return told;
}

const TYPES: Readonly<Record<string, string>> = {
  'ns=0;i=2069': 'AuditSessionEventType',
  'ns=0;i=2071': 'AuditCreateSessionEventType',
  'ns=0;i=2075': 'AuditActivateSessionEventType',
  'ns=0;i=2087': 'AuditCertificateUntrustedEventType',
  'ns=0;i=2100': 'AuditWriteUpdateEventType',
  'ns=0;i=2127': 'AuditUpdateMethodEventType',
};
const typeOf = ({ EventType }: Told): string => TYPES[String(EventType?.value)] ?? String(EventType?.value);

test('audit events reach a SecurityAdmin and nobody else', async () => {
  const others = await Promise.all([as('ann'), as('otto'), as('emma'), as(undefined)]);
  const root = await as('root');
  const unseen = await Promise.all(others.map((connected) => listen(connected)));
  const seen = await listen(root);
  const [ann] = others;
  assert.ok(ann);
  assert.equal((await root.read('i=2994')).value.value, true, 'Server.Auditing');

  const write = (connected: Connected, nodeId: string, value: object): Promise<{ name: string }> =>
    connected.session.write({ nodeId, attributeId: AttributeIds.Value, value: { value } });
  assert.equal((await write(ann, VALUE, { dataType: DataType.Double, value: 99 })).name, 'BadUserAccessDenied');
  assert.equal((await write(root, ENABLED_FLAG, { dataType: DataType.Boolean, value: true })).name, 'Good');
  // Server.SetSubscriptionDurable, with arguments; a session may call it, this server does not know it.
  await ann.session.call({
    objectId: 'i=2253',
    methodId: 'i=12749',
    inputArguments: [
      { dataType: DataType.UInt32, value: 1 },
      { dataType: DataType.UInt32, value: 1 },
    ],
  });
  await assert.rejects(connect(server, folder, { user: { name: 'ann', password: 'a wrong secret' } }));

  const clients = await Clients.create(folder);
  const key = await makeKey();
  const stranger = await clients.make({ policy: 'Basic256Sha256', mode: 'Sign' }, key, [
    await selfSigned(key, { name: 'stranger', ...APPLICATION }),
  ]);
  assert.notEqual(await outcome(() => stranger.connect(urlOf(server))), 'Good');
  await stranger.disconnect();
  await clients.dispose();

  await until(() => seen.some((told) => typeOf(told) === 'AuditCertificateUntrustedEventType'));
  const found = seen.map((told) => `${typeOf(told)} ${String(told.Status?.value)} ${String(told.ClientUserId?.value)}`);
  for (const expected of [
    'AuditWriteUpdateEventType false ann',
    'AuditWriteUpdateEventType true root',
    'AuditUpdateMethodEventType false ann',
    'AuditCreateSessionEventType true ',
    'AuditActivateSessionEventType false ann',
  ])
    assert.ok(
      found.some((text) => text.startsWith(expected)),
      `${expected} is not among\n${found.join('\n')}`,
    );

  const refused = seen.find((told) => typeOf(told) === 'AuditWriteUpdateEventType');
  assert.equal(refused?.AttributeId?.value, 13);
  assert.equal(refused.OldValue?.value, 21.5);
  assert.equal(refused.NewValue?.value, 99);
  assert.equal(String(refused.SourceNode?.value), VALUE);
  const called = seen.find((told) => typeOf(told) === 'AuditUpdateMethodEventType');
  assert.equal(String(called?.MethodId?.value), 'ns=0;i=12749');
  assert.ok(!JSON.stringify(seen).includes('wrong secret'));
  assert.ok(!JSON.stringify(seen).includes(Buffer.from('a wrong secret').toString('base64')));

  for (const told of unseen)
    assert.deepEqual(
      told.map(typeOf).filter((type) => type.startsWith('Audit')),
      [],
    );
});

test('client events tell of writes and calls, with who, what and how it ended', async () => {
  const written = events.filter(({ type }) => type === 'written');
  assert.deepEqual(
    written.map(({ user, node, attribute, value, status }) => [user, node, attribute, value, status]),
    [
      ['ann', VALUE, 'Value', '99', 'BadUserAccessDenied'],
      ['root', 'ns=0;i=2294', 'Value', 'true', 'Good'],
    ],
  );
  assert.equal(written[0]?.address, '127.0.0.1');
  const [called] = events.filter(({ type }) => type === 'called');
  assert.deepEqual([called?.user, called?.node, called?.method], ['ann', 'ns=0;i=2253', 'ns=0;i=12749']);
  assert.equal(called?.value, undefined, 'arguments of methods of the standard may be secret');
  // Thousands that are refused are told of by some.
  const before = events.length;
  const ann = await as('ann');
  const many = Array.from({ length: 500 }, () => ({
    nodeId: VALUE,
    attributeId: AttributeIds.Value,
    value: { value: { dataType: DataType.Double, value: 1 } },
  }));
  assert.equal((await ann.session.write(many)).length, 500);
  assert.equal(events.slice(before).filter(({ type }) => type === 'written').length, 20);
});
