/** The certificate of the server: made, renewed, taken over, and told of when it ends. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  AttributeIds,
  ClientMonitoredItem,
  constructEventFilter,
  DataType,
  resolveNodeId,
  TimestampsToReturn,
} from 'node-opcua';
import type { ClientEvent, GatewayServer } from '../../../lib/opcua';
import { type CapturedEntry, capturedLogger } from '../../support/captured-logger';
import { ManualClock } from '../../support/manual-clock';
import { APPLICATION_USAGES, type Key, makeKey, pemOf, selfSigned } from '../../support/test-certificates';
import { connect, startServer, subscribe, temporaryFolder } from './support';

const { folder, remove } = temporaryFolder();
const OWN = join(folder, 'server-pki', 'server', 'own');
const FILE = join(OWN, 'certs', 'certificate.pem');
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

let foreignKey: Key;
before(async () => {
  foreignKey = await makeKey();
});
after(remove);

async function withServer(
  now: number,
  use: (given: {
    server: GatewayServer;
    clock: ManualClock;
    entries: CapturedEntry[];
    events: ClientEvent[];
  }) => Promise<void>,
): Promise<void> {
  const clock = new ManualClock(now);
  const { logger, entries } = capturedLogger('opcua');
  const server = await startServer(folder, {}, { clock, logger });
  const events: ClientEvent[] = [];
  server.onClientEvent((event) => events.push(event));
  try {
    await use({ server, clock, entries, events });
  } finally {
    await server.stop();
  }
}

const complaints = (entries: readonly CapturedEntry[]): CapturedEntry[] =>
  entries.filter(({ reason, level }) => level === 'warn' && reason === 'bad-certificate');

test('it is private, names the server, and is renewed on demand without disturbing anybody', async () => {
  await withServer(Date.now(), async ({ server, entries }) => {
    const before = server.ownCertificate;
    assert.equal(before?.state, 'own');
    assert.equal(before.applicationUri, server.settings.applicationUri);
    assert.ok(before.validTo - Date.now() > 9 * 365 * DAY);
    const there = await connect(server, folder);
    const renewed = await server.certificates?.renew();
    assert.ok(renewed);
    assert.notEqual(renewed.thumbprint, before.thumbprint);
    assert.deepEqual(server.ownCertificate, renewed);
    assert.deepEqual((await server.certificates?.list())?.[0], renewed);
    assert.equal((await there.read('i=2256')).statusCode.name, 'Good', 'who is there stays');
    const next = await connect(server, folder, { name: 'Next' });
    const shown = (await next.client.getEndpoints()).map(({ serverCertificate }) => serverCertificate?.toString('hex'));
    assert.equal(new Set(shown).size, 1);
    assert.ok(entries.some(({ event, message }) => event === 'created' && message.startsWith('renewed')));
    await there.close();
    await next.close();
    for (const path of [OWN, join(OWN, 'certs'), join(OWN, 'private'), join(folder, 'server-pki')])
      assert.equal(statSync(path).mode & 0o777, 0o700, path);
    for (const path of [FILE, join(OWN, 'private', 'private_key.pem')])
      assert.equal(statSync(path).mode & 0o777, 0o600, path);
    assert.deepEqual(readdirSync(join(OWN, 'certs')), ['certificate.pem', 'made-by-gateway.txt']);
  });
});

test('what the gateway made is renewed 30 days before its end, at the start and while it runs', async () => {
  let thumbprint: string | undefined;
  await withServer(Date.now(), async ({ server, clock, events }) => {
    const made = server.ownCertificate;
    assert.ok(made);
    clock.step(made.validTo - clock.now() - 30 * DAY - 2 * HOUR);
    await clock.advance(HOUR);
    await settled();
    assert.equal(server.ownCertificate?.thumbprint, made.thumbprint, 'not yet');
    await clock.advance(HOUR);
    await clock.advance(HOUR);
    await eventually(() => server.ownCertificate?.thumbprint !== made.thumbprint);
    assert.ok((server.ownCertificate?.validTo ?? 0) > made.validTo + 9 * 365 * DAY);
    assert.deepEqual(events, []);
    thumbprint = server.ownCertificate?.thumbprint;
  });
  await withServer(Date.now() + 20 * 365 * DAY, ({ server }) => {
    assert.notEqual(server.ownCertificate?.thumbprint, thumbprint);
    assert.equal(server.ownCertificate?.validity, 'valid');
    return Promise.resolve();
  });
});

test('what somebody else made is taken over and never replaced; its end is told once a day', async () => {
  await withServer(Date.now(), async ({ server, clock, entries, events }) => {
    const foreign = await selfSigned(foreignKey, {
      name: 'Plant server',
      uri: server.settings.applicationUri,
      usages: APPLICATION_USAGES,
      extendedUsages: ['serverAuth', 'clientAuth'],
      to: clock.now() + 10 * DAY,
    });
    const made = server.ownCertificate?.thumbprint;
    writeFileSync(FILE, pemOf(foreign));
    await clock.advance(HOUR);
    await eventually(() => complaints(entries).length > 0);
    assert.match(complaints(entries)[0]?.message ?? '', /does not belong to the private key/);
    assert.equal(server.ownCertificate?.thumbprint, made, 'half of a change is no change');

    writeFileSync(join(OWN, 'private', 'private_key.pem'), foreignKey.pem);
    await clock.advance(HOUR);
    await eventually(() => server.ownCertificate?.subject === 'CN=Plant server');
    await eventually(() => events.length > 0);
    const there = await connect(server, folder, { name: 'Later' });
    await there.close();

    await assert.rejects(server.certificates?.renew() ?? Promise.resolve(), /renews only what it made/);
    await clock.advance(20 * HOUR);
    await settled();
    const told = (): ClientEvent[] => events.filter(({ type }) => type === 'certificate-expires');
    assert.equal(told().length, 1);
    assert.equal(told()[0]?.validTo, server.ownCertificate?.validTo);
    await clock.advance(5 * HOUR);
    await eventually(() => told().length === 2);
    assert.equal(complaints(entries).filter(({ message }) => message.includes('ends on')).length, 2);
    clock.step(12 * DAY);
    await clock.advance(25 * HOUR);
    await eventually(() => complaints(entries).some(({ message }) => message.includes('ended on')));
    assert.ok(readFileSync(FILE, 'utf8') === pemOf(foreign));
  });
});

test('OPC UA tells of a certificate that ends by a condition', async () => {
  await withServer(Date.now(), async ({ server, clock }) => {
    const connected = await connect(server, folder, { name: 'Alarms' });
    const subscription = await subscribe(connected.session);
    const told: string[] = [];
    const item = ClientMonitoredItem.create(
      subscription,
      { nodeId: resolveNodeId('i=2253'), attributeId: AttributeIds.EventNotifier },
      {
        queueSize: 100,
        filter: constructEventFilter(['EventType', 'ConditionName', 'Message', 'Severity', 'ActiveState.Id', 'Retain']),
      },
      TimestampsToReturn.Both,
    );
    item.on('changed', (values) => {
      const [type, name, message, severity, active, retain] = Array.isArray(values) ? values : [];
      if (String(type?.value) === 'ns=0;i=13225')
        told.push([name?.value, message?.value.text, severity?.value, active?.value, retain?.value].join(', '));
    });
    await new Promise<void>((resolve) => item.once('initialized', resolve));
    const end = server.ownCertificate?.validTo ?? 0;
    assert.ok(end < Date.now() + 30 * DAY, 'the foreign one');
    // It was so before anybody listened: a client asks for what is retained.
    await connected.session.call({
      objectId: 'i=2782',
      methodId: 'i=3875',
      inputArguments: [{ dataType: DataType.UInt32, value: subscription.subscriptionId }],
    });
    await eventually(() => told.length === 1);
    const date = new Date(end).toISOString();
    assert.deepEqual(told, [
      `ServerCertificateExpires, the certificate of the OPC UA server ends on ${date}, 500, true, true`,
    ]);
    const ns = `ns=${(await connected.session.readNamespaceArray()).indexOf('urn:lorua:gateway')}`;
    const alarm = `${ns};s=gateway/certificate-expires`;
    assert.equal((await connected.read(`${alarm}-ExpirationLimit`)).value.value, 30 * DAY);
    clock.step(15 * DAY);
    await clock.advance(HOUR);
    await eventually(() => told.length === 2);
    assert.match(told[1] ?? '', /ended on .*900, true, true/);
    writeFileSync(
      FILE,
      pemOf(
        await selfSigned(foreignKey, {
          name: 'Plant server',
          uri: server.settings.applicationUri,
          usages: APPLICATION_USAGES,
        }),
      ),
    );
    await clock.advance(HOUR);
    await eventually(() => told.length === 3);
    assert.match(told[2] ?? '', /is valid until .*1, false, false/);
    await connected.close();
  });
});

test('rejected certificates that strangers leave do not pile up', async () => {
  await withServer(Date.now(), async ({ server, clock }) => {
    const rejected = join(folder, 'server-pki', 'server', 'rejected');
    const certificate = pemOf(await selfSigned(foreignKey, { name: 'stranger', usages: APPLICATION_USAGES }));
    for (let index = 0; index < 250; index++) writeFileSync(join(rejected, `${index}.pem`), certificate);
    await clock.advance(60_000);
    await eventually(() => readdirSync(rejected).length === 200);
    assert.ok(server.isRunning);
  });
});

/** Files are read in real time, whatever the clock. */
async function eventually(holds: () => boolean): Promise<void> {
  for (let turn = 0; turn < 3_000 && !holds(); turn++) await settled();
  assert.ok(holds(), holds.toString());
}

async function settled(): Promise<void> {
  await new Promise<void>((resolve) => {
    setTimeout(resolve, 5);
  });
}
