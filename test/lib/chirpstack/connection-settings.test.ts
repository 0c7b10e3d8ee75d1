import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { addressText, type ConnectionInput, parseConnectionSettings } from '../../../lib/chirpstack';
import { grpcTarget } from '../../../lib/chirpstack/connection-settings';
import { InvalidInputError } from '../../../lib/model';
import { repositoryRoot } from '../../support/paths';

const PEM = readFileSync(join(repositoryRoot, 'test/lib/chirpstack/fixtures/localhost.pem'), 'utf8');
const TENANT = '52f14cd4-c6f1-4fbd-8f87-4025e1d49242';
const APPLICATION = '17c82e96-be03-4f38-aef3-f83d48582d97';

function faultsOf(input: ConnectionInput, names?: Parameters<typeof parseConnectionSettings>[1]) {
  try {
    parseConnectionSettings(input, names);
  } catch (error) {
    assert.ok(error instanceof InvalidInputError);
    return error.faults;
  }
  return assert.fail('no fault was found');
}

describe('settings of a connection', () => {
  for (const [url, address, target] of [
    ['http://chirpstack.local', { host: 'chirpstack.local', port: 8080, tls: false }, 'dns:chirpstack.local:8080'],
    ['https://cs.example.com', { host: 'cs.example.com', port: 443, tls: true }, 'dns:cs.example.com:443'],
    ['http://10.0.0.5:80', { host: '10.0.0.5', port: 80, tls: false }, 'ipv4:10.0.0.5:80'],
    ['https://[fd00::1]:8443/', { host: 'fd00::1', port: 8443, tls: true }, 'ipv6:[fd00::1]:8443'],
    [' HTTP://Host_1:8080/ ', { host: 'host_1', port: 8080, tls: false }, 'dns:host_1:8080'],
    ['http://[::1]', { host: '::1', port: 8080, tls: false }, 'ipv6:[::1]:8080'],
  ] as const)
    test(`reads ${url}`, () => {
      const settings = parseConnectionSettings({ url, token: 'x' });
      assert.deepEqual(settings.address, address);
      assert.equal(grpcTarget(settings.address), target);
      assert.deepEqual(parseConnectionSettings({ url: addressText(address), token: 'x' }).address, address);
    });

  for (const url of [
    undefined,
    '',
    7,
    'chirpstack:8080',
    'ftp://host',
    'http://',
    'http://host/api',
    'http://host?x',
    'http://host#x',
    'http://host:0',
    'http://host:65536',
    'http://host:',
    'http://host:8o8o',
    'http://fd00::1:8080',
    'http://[fd00::zz]',
    'http://256.1.1.1',
    'http://a..b',
    'http://-a',
    `http://${'a'.repeat(64)}`,
  ])
    test(`refuses the address ${JSON.stringify(url)}`, () => {
      const [fault] = faultsOf({ url, token: 'x' }, { url: 'CHIRPSTACK_URL' });
      assert.equal(fault?.field, 'CHIRPSTACK_URL');
      assert.notEqual(fault?.rule, '');
      assert.notEqual(fault?.cure, '');
    });

  test('shows nothing of an address that holds a password', () => {
    const [fault] = faultsOf({ url: 'http://user:secret@host', token: 'x' });
    assert.ok(!JSON.stringify(fault).includes('secret'));
  });

  test('trims the token and takes one copied with its header word', () => {
    const token = (value: string) => parseConnectionSettings({ url: 'http://h', token: value }).token;
    assert.equal(token(' abc.def\n'), 'abc.def');
    assert.equal(token('Bearer abc.def'), 'abc.def');
  });

  test('never shows a token that is refused', () => {
    for (const token of ['se cret', 'secret\u0000', 'sécret', 's'.repeat(9000), { secret: 1 }]) {
      const faults = faultsOf({ url: 'http://h', token });
      assert.ok(!JSON.stringify(faults).includes('cret'), JSON.stringify(faults));
    }
  });

  test('reads tenant, applications, certificate and time-out', () => {
    const settings = parseConnectionSettings({
      url: 'https://h',
      token: 'x',
      tenantId: TENANT.toUpperCase(),
      applicationIds: ` ${APPLICATION} ,, ${APPLICATION.toUpperCase()}`,
      caCertificate: `comment\n${PEM}\n${PEM}`,
      callTimeout: '2.5',
    });
    assert.equal(settings.tenantId, TENANT);
    assert.deepEqual(settings.applicationIds, [APPLICATION]);
    assert.equal(settings.caCertificate?.match(/BEGIN/g)?.length, 2);
    assert.equal(settings.callTimeout, 2500);
    assert.deepEqual(
      parseConnectionSettings({ url: 'http://h', token: 'x', applicationIds: [APPLICATION] }).applicationIds,
      [APPLICATION],
    );
  });

  test('has defaults for what is left out', () => {
    assert.deepEqual(parseConnectionSettings({ url: 'http://h', token: 'x', tenantId: '', callTimeout: null }), {
      address: { host: 'h', port: 8080, tls: false },
      token: 'x',
      applicationIds: [],
      callTimeout: 10_000,
    });
  });

  test('finds all faults at once, by the names the user knows', () => {
    const faults = faultsOf(
      { url: 'x', token: '', tenantId: '1', applicationIds: '2,3', caCertificate: 'y', callTimeout: 500 },
      { url: 'URL', token: 'TOKEN', tenantId: 'TENANT' },
    );
    assert.deepEqual(
      faults.map(({ field }) => field),
      ['URL', 'TOKEN', 'TENANT', 'applicationIds', 'applicationIds', 'caCertificate', 'callTimeout'],
    );
  });

  test('refuses a damaged certificate, a private key, and a certificate without TLS', () => {
    const damaged = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----';
    assert.match(
      faultsOf({ url: 'https://h', token: 'x', caCertificate: damaged })[0]?.rule ?? '',
      /must be a certificate/,
    );
    const key = '-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----';
    assert.ok(!JSON.stringify(faultsOf({ url: 'https://h', token: 'x', caCertificate: key })).includes('secret'));
    assert.match(faultsOf({ url: 'http://h', token: 'x', caCertificate: PEM })[0]?.rule ?? '', /only with https/);
    assert.match(
      faultsOf({ url: 'http://h', token: 'x', applicationIds: 7 })[0]?.rule ?? '',
      /list of application ids/,
    );
  });

  test('throws nothing but InvalidInputError whatever it is given', () => {
    fc.assert(
      fc.property(fc.anything(), fc.anything(), fc.anything(), (url, token, other) => {
        try {
          parseConnectionSettings({
            url,
            token,
            tenantId: other,
            applicationIds: other,
            caCertificate: other,
            callTimeout: other,
          });
        } catch (error) {
          assert.ok(error instanceof InvalidInputError);
        }
      }),
    );
    fc.assert(
      fc.property(fc.webUrl({ withFragments: true, withQueryParameters: true }), (url) => {
        try {
          const { address } = parseConnectionSettings({ url, token: 'x' });
          assert.deepEqual(parseConnectionSettings({ url: addressText(address), token: 'x' }).address, address);
        } catch (error) {
          assert.ok(error instanceof InvalidInputError);
        }
      }),
    );
  });
});
