/** Every policy × mode × identity, and every policy × mode × client certificate, with real handshakes. */
import assert from 'node:assert/strict';
import { randomBytes, X509Certificate } from 'node:crypto';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import {
  ClientSecureChannelLayer,
  CreateSessionRequest,
  MessageSecurityMode,
  SecurityPolicy,
  type UserIdentityInfo,
  UserTokenType,
} from 'node-opcua';
import { hashPassword } from '../../../lib/model';
import type { ClientEvent, GatewayServer } from '../../../lib/opcua';
import { ManualClock } from '../../support/manual-clock';
import { Authority, type Key, makeKey, selfSigned } from '../../support/test-certificates';
import {
  APPLICATION,
  CLIENT_URI,
  Clients,
  type Door,
  doorName,
  outcome,
  PERSON,
  put,
  SECURE_DOORS,
  tryLogin,
} from './security-support';
import { devEuiOf, readingOf, simpleSource, startServer, temporaryFolder, until, urlOf } from './support';

const { folder, remove } = temporaryFolder();
const PKI = join(folder, 'server-pki');
const VALUE = `ns=3;s=${devEuiOf(1)}/metric/temperature`;
const PASSWORD = 'Correct horse 1';
const DAY = 86_400_000;
const ALL_DOORS: readonly Door[] = [{ policy: 'None', mode: 'None' }, ...SECURE_DOORS];
const DEFAULTS = SECURE_DOORS.filter(({ policy }) => policy !== 'Basic256');

type Judged = readonly [certificate: Buffer, expected: string, key?: Key];

const clock = new ManualClock(Date.now());
let clients: Clients;
let key: Key;
let application: Buffer;
/** Application certificates by what is the matter with them, and what becomes of a client that has one. */
let applications: Readonly<Record<string, Judged>>;
let people: Readonly<Record<string, Judged>>;
/** Lets anonymous in, and offers everything that can be asked for. */
let open: GatewayServer;
/** As it is by default. */
let strict: GatewayServer;

before(async () => {
  clients = await Clients.create(folder);
  key = await makeKey();
  const plant = await Authority.create(await makeKey(), { name: 'Plant CA' });
  const listless = await Authority.create(await makeKey(), { name: 'CA without list' });
  const over = { from: Date.now() - 20 * DAY, to: Date.now() - DAY };
  const early = { from: Date.now() + DAY, to: Date.now() + 20 * DAY };

  application = await selfSigned(key, { name: 'SCADA', ...APPLICATION });
  const revoked = await plant.issue(key, { name: 'revoked', ...APPLICATION });
  const oldRevoked = await plant.issue(key, { name: 'revoked, old form', ...APPLICATION, hidesIssuerKey: true });
  // Trusted, but no authority: what it signs is nobody's.
  const greedyKey = await makeKey();
  const greedy = await selfSigned(greedyKey, { name: 'Greedy', ...APPLICATION });
  const pretender = Authority.pretend(greedyKey, 'Greedy', greedy);
  const mayNotSign = await Authority.create(await makeKey(), { name: 'CA without keyCertSign', usages: ['cRLSign'] });
  const trusted: Record<string, Judged> = {
    trusted: [application, 'Good'],
    'trusted, which would be an authority': [greedy, 'Good', greedyKey],
    expired: [await selfSigned(key, { name: 'expired', ...APPLICATION, ...over }), 'BadCertificateTimeInvalid'],
    early: [await selfSigned(key, { name: 'early', ...APPLICATION, ...early }), 'BadCertificateTimeInvalid'],
    'without key usage': [
      await selfSigned(key, { name: 'usages', ...APPLICATION, usages: undefined }),
      'BadCertificateUseNotAllowed',
    ],
    'without digitalSignature': [
      await selfSigned(key, { name: 'signature', ...APPLICATION, usages: ['keyEncipherment', 'dataEncipherment'] }),
      'BadCertificateUseNotAllowed',
    ],
    'without keyEncipherment': [
      await selfSigned(key, { name: 'encipherment', ...APPLICATION, usages: ['digitalSignature', 'dataEncipherment'] }),
      'BadCertificateUseNotAllowed',
    ],
    'for servers only': [
      await selfSigned(key, { name: 'servers', ...APPLICATION, extendedUsages: ['serverAuth'] }),
      'BadCertificateUseNotAllowed',
    ],
    'an authority that another issued': [
      await plant.issue(key, { name: 'sub', ...APPLICATION, isAuthority: true }),
      'BadCertificateUseNotAllowed',
    ],
    revoked: [revoked, 'BadCertificateRevoked'],
    'revoked, and it hides its issuer': [oldRevoked, 'BadCertificateRevoked'],
    'of an authority without a list': [
      await listless.issue(key, { name: 'unknown', ...APPLICATION }),
      'BadCertificateRevocationUnknown',
    ],
  };
  const refused = await plant.issue(key, { name: 'refused', ...APPLICATION });
  const refusedByHand = await plant.issue(key, { name: 'refused by hand', ...APPLICATION });
  applications = {
    ...trusted,
    untrusted: [await selfSigned(key, { name: 'untrusted', ...APPLICATION }), 'BadCertificateUntrusted'],
    'of a trusted authority': [await plant.issue(key, { name: 'issued', ...APPLICATION }), 'Good'],
    'of a trusted authority, but rejected': [refused, 'BadCertificateUntrusted'],
    'of a trusted authority, but rejected by hand': [refusedByHand, 'BadCertificateUntrusted'],
    'of an authority that nobody knows': [
      await (await Authority.create(await makeKey(), { name: 'Foreign CA' })).issue(key, {
        name: 'foreign',
        ...APPLICATION,
      }),
      'BadCertificateChainIncomplete',
    ],
    'signed by a program that is trusted': [
      await pretender.issue(key, { name: 'minted', ...APPLICATION }),
      'BadCertificateIssuerUseNotAllowed',
    ],
    'of an authority that may not sign': [
      await mayNotSign.issue(key, { name: 'unsigned', ...APPLICATION }),
      'BadCertificateIssuerUseNotAllowed',
    ],
  };
  for (const [name, [der]] of Object.entries(trusted)) put(PKI, 'server', 'trusted/certs', `${name}.der`, der);
  put(PKI, 'server', 'trusted/certs', 'plant.pem', plant.certificate);
  put(PKI, 'server', 'trusted/certs', 'may-not-sign.pem', mayNotSign.certificate);
  const thumbprint = new X509Certificate(refused).fingerprint.replaceAll(':', '').toLowerCase();
  put(PKI, 'server', 'rejected', `refused[${thumbprint}].pem`, refused);
  put(PKI, 'server', 'rejected', 'by hand.der', refusedByHand);
  put(PKI, 'server', 'issuers/certs', 'listless.pem', listless.certificate);
  put(PKI, 'server', 'issuers/crl', 'plant.pem', await plant.revocationList([revoked, oldRevoked]));
  put(PKI, 'server', 'trusted/crl', 'pretender.pem', await pretender.revocationList([]));
  put(PKI, 'server', 'trusted/crl', 'may-not-sign.der', await mayNotSign.revocationList([]));

  const known: Record<string, Judged> = {
    trusted: [await selfSigned(key, { name: 'carla', ...PERSON }), 'Good'],
    'of clientAuth alone': [await selfSigned(key, { name: 'carla', extendedUsages: ['clientAuth'] }), 'Good'],
    expired: [await selfSigned(key, { name: 'carla', ...PERSON, ...over }), 'BadIdentityTokenRejected'],
    early: [await selfSigned(key, { name: 'carla', ...PERSON, ...early }), 'BadIdentityTokenRejected'],
    'for encryption only': [
      await selfSigned(key, { name: 'carla', usages: ['keyEncipherment'] }),
      'BadIdentityTokenRejected',
    ],
    'for signing code': [
      await selfSigned(key, { name: 'carla', ...PERSON, extendedUsages: ['codeSigning'] }),
      'BadIdentityTokenRejected',
    ],
    'for nothing in particular': [await selfSigned(key, { name: 'carla' }), 'BadIdentityTokenRejected'],
    'an authority': [
      await selfSigned(key, { name: 'carla', ...PERSON, isAuthority: true }),
      'BadIdentityTokenRejected',
    ],
    'of nobody who is a user': [await selfSigned(key, { name: 'mallory', ...PERSON }), 'BadIdentityTokenRejected'],
    revoked: [await plant.issue(key, { name: 'carla', ...PERSON }), 'BadIdentityTokenRejected'],
  };
  people = {
    ...known,
    untrusted: [await selfSigned(key, { name: 'carla', ...PERSON }), 'BadIdentityTokenRejected'],
    'of a trusted authority': [await plant.issue(key, { name: 'carla', ...PERSON }), 'Good'],
  };
  for (const [name, [der]] of Object.entries(known)) put(PKI, 'user', 'trusted/certs', `${name}.der`, der);
  put(PKI, 'user', 'trusted/certs', 'plant.der', plant.certificate);
  put(PKI, 'user', 'issuers/crl', 'plant.der', await plant.revocationList([known['revoked']?.[0] ?? Buffer.alloc(0)]));

  const password = await hashPassword(PASSWORD, { N: 2 ** 4, r: 1, p: 1 });
  const settings = {
    users: [{ name: 'ann', password }, { name: 'locked', password }, { name: 'carla' }],
    trustAllClients: false,
    connectionsPerAddressPerMinute: 0,
  };
  strict = await startServer(folder, settings, { clock });
  open = await startServer(
    folder,
    { ...settings, endpoints: ALL_DOORS.map(doorName).join(','), allowAnonymous: true },
    { clock },
  );
  for (const server of [strict, open]) {
    server.attach(simpleSource());
    await server.settled();
    server.publish(readingOf(1, { temperature: 21.5 }, clock.now()));
  }
});
after(async () => {
  await open.stop();
  await strict.stop();
  await clients.dispose();
  remove();
});

function named(userName: string, password: string): UserIdentityInfo {
  return { type: UserTokenType.UserName, userName, password };
}

function bearerOf(certificateData: Buffer): UserIdentityInfo {
  return { type: UserTokenType.Certificate, certificateData, privateKey: key.pem };
}

const WRONG = 'BadUserAccessDenied';
const ANONYMOUS: UserIdentityInfo = { type: UserTokenType.Anonymous };

/** What each identity comes to at a door. */
async function tryIdentities(server: GatewayServer, door: Door): Promise<Record<string, string>> {
  const client = await clients.make(door, key, [application]);
  await client.connect(urlOf(server));
  const found: Record<string, string> = {};
  const attempt = async (name: string, identity: UserIdentityInfo): Promise<void> => {
    found[name] = await tryLogin(client, identity, VALUE);
  };
  try {
    await attempt('anonymous', ANONYMOUS);
    await attempt('good password', named('ann', PASSWORD));
    await attempt('wrong password', named('ann', 'wrong'));
    await attempt('empty password', named('ann', ''));
    await attempt('password of one who has none', named('carla', PASSWORD));
    await attempt('unknown user', named('eve', PASSWORD));
    for (let guess = 0; guess < 3; guess++) await attempt('guessing', named('locked', `guess ${guess}`));
    await attempt('good password while locked out', named('locked', PASSWORD));
    for (const [name, [der]] of Object.entries(people)) await attempt(`certificate ${name}`, bearerOf(der));
  } finally {
    await client.disconnect();
  }
  // Long enough for all failures to be forgotten.
  await clock.advance(31 * 60_000);
  return found;
}

const expectedOf = (anonymous: string): Record<string, string> => ({
  anonymous,
  'good password': 'Good',
  'wrong password': WRONG,
  'empty password': WRONG,
  'password of one who has none': WRONG,
  'unknown user': WRONG,
  guessing: WRONG,
  'good password while locked out': WRONG,
  ...Object.fromEntries(Object.entries(people).map(([name, [, expected]]) => [`certificate ${name}`, expected])),
});

for (const door of ALL_DOORS)
  test(`${doorName(door)}, where asked for: every identity`, async () => {
    assert.deepEqual(await tryIdentities(open, door), expectedOf('Good'));
  });

for (const door of DEFAULTS)
  test(`${doorName(door)}, by default: every identity`, async () => {
    const found = await tryIdentities(strict, door);
    assert.match(found['anonymous'] ?? '', /^Bad|not supported|anonymous/i);
    assert.deepEqual({ ...found, anonymous: '' }, expectedOf(''));
  });

/** What becomes of a client with a certificate, and what the server says of it. */
async function tryCertificate(door: Door, [certificate, , itsKey = key]: Judged): Promise<string> {
  const told: ClientEvent[] = [];
  const thumbprint = new X509Certificate(certificate).fingerprint.replaceAll(':', '').toLowerCase();
  const off = open.onClientEvent((event) => {
    if (event.type === 'certificate-refused' && event.thumbprint === thumbprint) told.push(event);
  });
  const client = await clients.make(door, itsKey, [certificate]);
  try {
    const status = await outcome(async () => {
      await client.connect(urlOf(open));
      const session = await client.createSession(named('ann', PASSWORD));
      await session.close();
    });
    if (status === 'Good') return status;
    await until(() => told.length > 0);
    return told[0]?.reason ?? '';
  } finally {
    off();
    await client.disconnect();
  }
}

for (const door of SECURE_DOORS)
  test(`${doorName(door)}: every certificate of a client`, async () => {
    const judged = Object.entries(applications);
    const found = await Promise.all(judged.map(async ([name, of]) => [name, await tryCertificate(door, of)] as const));
    assert.deepEqual(
      found,
      judged.map(([name, [, expected]]) => [name, expected]),
    );
  });

/** Asks without looking at what the server offers, as an attacker does. */
async function forceSession(server: GatewayServer): Promise<string> {
  const parent = await clients.make({ policy: 'None', mode: 'None' }, key, [application]);
  const channel = new ClientSecureChannelLayer({
    securityMode: MessageSecurityMode.None,
    securityPolicy: SecurityPolicy.None,
    defaultSecureTokenLifetime: 60_000,
    connectionStrategy: { maxRetry: 0 },
    parent,
  });
  return outcome(async () => {
    await promisify(channel.create.bind(channel))(urlOf(server));
    try {
      const request = new CreateSessionRequest({
        clientDescription: { applicationUri: CLIENT_URI },
        endpointUrl: urlOf(server),
        clientNonce: randomBytes(32),
        requestedSessionTimeout: 60_000,
      });
      const response = await promisify(channel.performMessageTransaction.bind(channel))(request);
      const status = response?.responseHeader.serviceResult;
      if (status?.isGood() !== true) throw new Error(status?.name);
    } finally {
      await promisify(channel.close.bind(channel))();
    }
  });
}

test('nothing beyond the defaults can be reached by default', async () => {
  const events: ClientEvent[] = [];
  const off = strict.onClientEvent((event) => events.push(event));
  assert.equal(await forceSession(strict), 'BadSecurityModeRejected');
  assert.equal(await forceSession(open), 'Good', 'where it was asked for');
  for (const door of ALL_DOORS.filter((one) => !DEFAULTS.includes(one))) {
    const client = await clients.make(door, key, [application]);
    const status = await outcome(async () => {
      await client.connect(urlOf(strict));
      await client.createSession(named('ann', PASSWORD));
    });
    await client.disconnect();
    assert.notEqual(status, 'Good', doorName(door));
  }
  off();
  assert.deepEqual(
    events.filter(({ type }) => type.startsWith('session-')),
    [],
  );
});

test('a certificate that names another application than the client says is refused', async () => {
  const other = await selfSigned(key, { name: 'other', ...APPLICATION, uri: `${CLIENT_URI}:other` });
  put(PKI, 'server', 'rejected', 'other.der', other);
  const thumbprint = new X509Certificate(other).fingerprint;
  await open.certificates?.trust(thumbprint, 'applications');
  const client = await clients.make({ policy: 'Basic256Sha256', mode: 'SignAndEncrypt' }, key, [other]);
  // The library's client would say what its certificate says.
  Object.assign(client, { _getApplicationUri: () => CLIENT_URI });
  const status = await outcome(async () => {
    await client.connect(urlOf(open));
    await client.createSession(named('ann', PASSWORD));
  });
  await client.disconnect();
  assert.equal(status, 'BadCertificateUriInvalid');
});
