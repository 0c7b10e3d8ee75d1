/** Revocation lists hold as they lie in the folder, for who comes and for who is there. */
import assert from 'node:assert/strict';
import { unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { type ClientSession, type OPCUAClient, type UserIdentityInfo, UserTokenType } from 'node-opcua';
import type { GatewayServer } from '../../../lib/opcua';
import { RevocationLists } from '../../../lib/opcua/security/revocation';
import { capturedLogger } from '../../support/captured-logger';
import { Authority, type Key, makeKey, selfSigned } from '../../support/test-certificates';
import { APPLICATION, Clients, type Door, outcome, PERSON, put } from './security-support';
import { startServer, temporaryFolder, until, urlOf } from './support';

const { folder, remove } = temporaryFolder();
const PKI = join(folder, 'server-pki');
const DOOR: Door = { policy: 'Basic256Sha256', mode: 'SignAndEncrypt' };
const PASSWORD = 'Correct horse 1';
const DAY = 86_400_000;
const LOGIN: UserIdentityInfo = { type: UserTokenType.UserName, userName: 'ann', password: PASSWORD };

const { logger, entries } = capturedLogger('opcua');
let clients: Clients;
let key: Key;
let authority: Authority;
let server: GatewayServer;
const connected: OPCUAClient[] = [];

before(async () => {
  clients = await Clients.create(folder);
  key = await makeKey();
  authority = await Authority.create(await makeKey(), { name: 'Plant CA' });
  put(PKI, 'server', 'trusted/certs', 'plant.pem', authority.certificate);
  put(PKI, 'user', 'trusted/certs', 'plant.pem', authority.certificate);
  put(PKI, 'server', 'trusted/crl', 'plant.crl', await authority.revocationList([]));
  put(PKI, 'user', 'issuers/crl', 'plant.crl', await authority.revocationList([]));
  server = await startServer(
    folder,
    { trustAllClients: false, users: [{ name: 'ann', password: PASSWORD }, { name: 'carla' }] },
    { logger },
  );
});
afterEach(async () => {
  for (const client of connected.splice(0)) await client.disconnect();
});
after(async () => {
  await server.stop();
  await clients.dispose();
  remove();
});

async function enter(certificate: Buffer, identity = LOGIN): Promise<ClientSession> {
  const client = await clients.make(DOOR, key, [certificate]);
  connected.push(client);
  await client.connect(urlOf(server));
  return client.createSession(identity);
}

const users = (): (string | undefined)[] => server.sessions?.list().map(({ user }) => user) ?? [];

test('a list that comes refuses at once, and ends what is open by what it takes back', async () => {
  const kept = await authority.issue(key, { name: 'kept', ...APPLICATION });
  const revoked = await authority.issue(key, { name: 'revoked', ...APPLICATION });
  await enter(kept);
  await enter(revoked);
  assert.deepEqual(users(), ['ann', 'ann']);
  // In place of the list that is there: the library would not see it.
  put(PKI, 'server', 'trusted/crl', 'plant.crl', await authority.revocationList([revoked]));
  assert.notEqual(await outcome(() => enter(revoked)), 'Good');
  await server.judgeCertificates();
  assert.deepEqual(users(), ['ann']);
  await enter(kept);
  // A new file is noticed without being asked.
  put(PKI, 'server', 'issuers/crl', 'more.crl', await authority.revocationList([kept]));
  await until(() => users().length === 0);
  assert.ok(entries.some(({ message, code }) => message.includes('BadCertificateRevoked') && code !== undefined));
  put(PKI, 'server', 'trusted/crl', 'plant.crl', await authority.revocationList([]));
  unlinkSync(join(PKI, 'server', 'issuers', 'crl', 'more.crl'));
  await enter(kept);
});

test('a list that somebody else signed does not stand for one of the authority', async () => {
  const issued = await authority.issue(key, { name: 'issued', ...APPLICATION });
  put(PKI, 'server', 'trusted/crl', 'plant.crl', await authority.revocationList([], undefined, key));
  assert.notEqual(await outcome(() => enter(issued)), 'Good');
  put(PKI, 'server', 'trusted/crl', 'plant.crl', await authority.revocationList([]));
  await enter(issued);
});

test('a list that is out of date counts, and is told once a day', async () => {
  const issued = await authority.issue(key, { name: 'late', ...APPLICATION });
  const file = put(PKI, 'server', 'trusted/crl', 'plant.crl', await authority.revocationList([], Date.now() - DAY));
  const broken = put(PKI, 'user', 'issuers/crl', 'broken.crl', Buffer.from('no list'));
  await enter(issued);
  await server.judgeCertificates();
  await server.judgeCertificates();
  for (const one of [file, broken])
    assert.equal(entries.filter((entry) => entry.file === one && entry.reason === 'bad-certificate').length, 1, one);
  unlinkSync(broken);
});

test('a person whose certificate is revoked is thrown out and not let in', async () => {
  const application = await selfSigned(key, { name: 'SCADA', ...APPLICATION });
  put(PKI, 'server', 'rejected', 'scada.der', application);
  await until(() => true);
  const { certificates } = server;
  assert.ok(certificates);
  const listed = (await certificates.list()).find(({ subject }) => subject === 'CN=SCADA');
  await certificates.trust(listed?.thumbprint ?? '', 'applications');
  const carla = await authority.issue(key, { name: 'carla', ...PERSON });
  const identity: UserIdentityInfo = {
    type: UserTokenType.Certificate,
    certificateData: carla,
    privateKey: key.pem,
  };
  await enter(application, identity);
  await enter(application, LOGIN);
  put(PKI, 'user', 'issuers/crl', 'plant.crl', await authority.revocationList([carla]));
  assert.equal(await outcome(() => enter(application, identity)), 'BadIdentityTokenRejected');
  await server.judgeCertificates();
  assert.ok(!users().includes('carla'));
  assert.ok(users().includes('ann'));
});

test('trust that is taken back by hand ends sessions too', async () => {
  const application = await selfSigned(key, { name: 'by hand', ...APPLICATION });
  const file = put(PKI, 'server', 'trusted/certs', 'by-hand.der', application);
  for (let tries = 0; (await outcome(() => enter(application))) !== 'Good'; tries++) assert.ok(tries < 50);
  unlinkSync(file);
  await until(() => users().length === 0);
});

test('where everybody is let in, it is without a trace, and not for what is wrong or revoked', async () => {
  const pkiFolder = join(folder, 'bench-pki');
  const bench = await startServer(folder, {
    pkiFolder,
    trustAllClients: true,
    users: [{ name: 'ann', password: PASSWORD }],
  });
  try {
    const revoked = await authority.issue(key, { name: 'revoked', ...APPLICATION });
    put(pkiFolder, 'server', 'issuers/crl', 'plant.crl', await authority.revocationList([revoked]));
    const attempt = async (certificate: Buffer): Promise<boolean> => {
      const client = await clients.make(DOOR, key, [certificate]);
      connected.push(client);
      const status = await outcome(async () => {
        await client.connect(urlOf(bench));
        await client.createSession(LOGIN);
      });
      return status === 'Good';
    };
    assert.ok(await attempt(await selfSigned(key, { name: 'anybody', ...APPLICATION })));
    assert.ok(await attempt(await authority.issue(key, { name: 'issued', ...APPLICATION })));
    assert.ok(!(await attempt(await selfSigned(key, { name: 'wrong', ...APPLICATION, usages: ['digitalSignature'] }))));
    assert.ok(!(await attempt(revoked)));
    assert.deepEqual(
      (await bench.certificates?.list())?.map(({ state }) => state),
      ['own'],
    );
  } finally {
    await bench.stop();
  }
});

test('lists of sub-authorities and of none', async () => {
  const lists = new RevocationLists([join(folder, 'nowhere')]);
  const issued = await authority.issue(key, { name: 'alone', ...APPLICATION });
  assert.equal(await lists.check(issued, authority.certificate), 'unknown');
  assert.deepEqual(await lists.faults(0), []);
});
