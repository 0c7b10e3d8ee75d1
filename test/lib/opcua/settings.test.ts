import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { InvalidInputError } from '../../../lib/model';
import {
  DEFAULT_ENDPOINTS,
  endpointText,
  isWeak,
  LIMIT_RANGES,
  parseServerSettings,
  type ServerLimits,
} from '../../../lib/opcua';
import { fixedDigest } from '../../../lib/opcua/live-settings';

const PKI = '/var/lib/lorua/pki';

function faultsOf(input: unknown): readonly { field: string; value: string; rule: string; cure: string }[] {
  try {
    parseServerSettings(input);
  } catch (error) {
    assert.ok(error instanceof InvalidInputError);
    return error.faults;
  }
  assert.fail('it was accepted');
}

test('defaults are secure', () => {
  const settings = parseServerSettings({ pkiFolder: PKI });
  assert.equal(settings.port, 4840);
  assert.equal(settings.host, undefined);
  assert.equal(settings.allowAnonymous, false);
  assert.equal(settings.trustAllClients, false);
  assert.equal(settings.samplingRewrite, true);
  assert.equal(settings.maxSessions, 50);
  assert.equal(settings.maxConnectionsPerEndpoint, 75);
  assert.equal(settings.applicationUri, `urn:${hostname()}:lorua`);
  assert.deepEqual(settings.endpoints.map(endpointText), [
    'Basic256Sha256/Sign',
    'Basic256Sha256/SignAndEncrypt',
    'Aes128_Sha256_RsaOaep/Sign',
    'Aes128_Sha256_RsaOaep/SignAndEncrypt',
    'Aes256_Sha256_RsaPss/Sign',
    'Aes256_Sha256_RsaPss/SignAndEncrypt',
  ]);
  assert.ok(!settings.endpoints.some(isWeak));
});

test('texts of editor fields and environment variables are read', () => {
  const settings = parseServerSettings({
    pkiFolder: PKI,
    port: '4841',
    host: '0.0.0.0',
    endpoints: 'basic256sha256/signandencrypt, None ,Basic256',
    advertisedHosts: 'plant.example, 192.0.2.7:4899, [2001:db8::1]:4840, 2001:db8::2, opc.tcp://nat.example:1',
    allowAnonymous: 'true',
    trustAllClients: '',
    applicationUri: null,
  });
  assert.equal(settings.port, 4841);
  assert.equal(settings.allowAnonymous, true);
  assert.equal(settings.trustAllClients, false);
  assert.deepEqual(settings.endpoints.map(endpointText), [
    'Basic256Sha256/SignAndEncrypt',
    'None',
    'Basic256/Sign',
    'Basic256/SignAndEncrypt',
  ]);
  assert.deepEqual(settings.advertisedHosts, [
    { host: 'plant.example' },
    { host: '192.0.2.7', port: 4899 },
    { host: '2001:db8::1', port: 4840 },
    { host: '2001:db8::2' },
    { host: 'nat.example', port: 1 },
  ]);
});

test('typed values are read', () => {
  const settings = parseServerSettings({
    pkiFolder: PKI,
    port: 0,
    endpoints: [{ policy: 'None', mode: 'None' }, { policy: 'Aes256_Sha256_RsaPss', mode: 'Sign' }, 'None'],
    advertisedHosts: [{ host: '2001:db8::1', port: 4840 }, { host: 'a.example' }],
    users: [{ name: 'ann', password: 'x', roles: ['Operator'] }],
  });
  assert.deepEqual(settings.endpoints.map(endpointText), ['None', 'Aes256_Sha256_RsaPss/Sign']);
  assert.deepEqual(settings.advertisedHosts, [{ host: '2001:db8::1', port: 4840 }, { host: 'a.example' }]);
  assert.deepEqual(settings.users, [{ name: 'ann', password: 'x', roles: ['Operator'] }]);
  assert.deepEqual(parseServerSettings({ pkiFolder: PKI, endpoints: '' }).endpoints, DEFAULT_ENDPOINTS);
});

test('users are Observers unless roles are given, and may do without a password', () => {
  const { users } = parseServerSettings({
    pkiFolder: PKI,
    users: [{ name: 'ann' }, { name: 'bob', password: 'x', roles: ' engineer,OPERATOR, ' }, { name: 'eve', roles: [] }],
  });
  assert.deepEqual(
    users.map(({ roles }) => roles),
    [['Observer'], ['Operator', 'Engineer'], ['Observer']],
  );
});

test('each limit has a default within its range and refuses what is beyond it', () => {
  const defaults = parseServerSettings({ pkiFolder: PKI });
  for (const key of Object.keys(LIMIT_RANGES) as (keyof ServerLimits)[]) {
    const { fallback, maximum } = LIMIT_RANGES[key];
    assert.equal(defaults[key], fallback, key);
    assert.equal(faultsOf({ pkiFolder: PKI, [key]: maximum + 1 })[0]?.field, key);
    assert.equal(faultsOf({ pkiFolder: PKI, [key]: -1 })[0]?.field, key);
  }
  assert.equal(parseServerSettings({ pkiFolder: PKI, maxSessions: 10 }).maxConnectionsPerEndpoint, 35);
  assert.equal(faultsOf({ pkiFolder: PKI, maxSessions: 10, maxConnectionsPerEndpoint: 10 }).length, 1);
});

test('source times are true unless heartbeats are asked for', () => {
  const { sourceTime, heartbeatSeconds } = parseServerSettings({ pkiFolder: PKI });
  assert.deepEqual({ sourceTime, heartbeatSeconds }, { sourceTime: 'true', heartbeatSeconds: 60 });
  const other = parseServerSettings({ pkiFolder: PKI, sourceTime: ' Heartbeat', heartbeatSeconds: '10' });
  assert.deepEqual([other.sourceTime, other.heartbeatSeconds], ['heartbeat', 10]);
  assert.equal(faultsOf({ pkiFolder: PKI, sourceTime: 'now' })[0]?.field, 'sourceTime');
  assert.equal(faultsOf({ pkiFolder: PKI, heartbeatSeconds: 0 })[0]?.field, 'heartbeatSeconds');
});

test('all faults are told at once, and no password', () => {
  const faults = faultsOf({
    port: 65_536,
    host: 'not a host',
    pkiFolder: 'relative/pki',
    endpoints: 'Basic128Rsa15/Sign, None/Sign, Basic256Sha256/None',
    advertisedHosts: 'spa ce, host:99999',
    allowAnonymous: 'perhaps',
    maxSessions: 1.5,
    applicationName: 'urn:x',
    applicationUri: 'no uri',
    users: [
      { name: '', password: 'secret-1' },
      { name: 'bob', password: 17 },
      { name: 'eve', password: 'secret-2' },
      { name: 'eve', password: 'secret-3' },
      { name: 'kim', password: 'secret-4', roles: 'Observer, Boss' },
      { name: 'Anonymous', password: 'secret-5' },
    ],
    chunkSize: 10,
  });
  assert.deepEqual(
    [...new Set(faults.map(({ field }) => field))].sort(),
    [
      'advertisedHosts',
      'allowAnonymous',
      'applicationName',
      'applicationUri',
      'chunkSize',
      'endpoints',
      'host',
      'maxSessions',
      'pkiFolder',
      'port',
      'users[0].name',
      'users[1].password',
      'users[3].name',
      'users[4].roles',
      'users[5].name',
    ].sort(),
  );
  assert.equal(faults.filter(({ field }) => field === 'endpoints').length, 3);
  for (const fault of faults) {
    assert.ok(fault.rule !== '' && fault.cure !== '' && fault.value !== '');
    assert.ok(!/secret/.test(JSON.stringify(fault)));
  }
});

test('faults carry the names their user knows', () => {
  assert.throws(
    () => parseServerSettings({ pkiFolder: PKI, port: 'x' }, { port: 'OPCUA_PORT' }),
    (error: unknown) => error instanceof InvalidInputError && error.faults[0]?.field === 'OPCUA_PORT',
  );
});

test('a folder is needed, and things that are no settings are refused', () => {
  for (const input of [undefined, null, 7, 'x', []]) assert.equal(faultsOf(input)[0]?.field, 'pkiFolder');
  assert.equal(faultsOf({ pkiFolder: PKI, endpoints: 7 })[0]?.field, 'endpoints');
  assert.equal(faultsOf({ pkiFolder: PKI, endpoints: [7] })[0]?.field, 'endpoints');
  assert.equal(faultsOf({ pkiFolder: PKI, users: 'ann' })[0]?.field, 'users[0].name');
});

test('anything is either refused with faults or gives settings', () => {
  const keys = [
    'port',
    'host',
    'endpoints',
    'advertisedHosts',
    'users',
    'allowAnonymous',
    'maxSessions',
    'applicationUri',
  ];
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...keys), fc.anything()), (input) => {
      try {
        const settings = parseServerSettings({ ...input, pkiFolder: PKI });
        assert.ok(Number.isInteger(settings.port));
        assert.ok(settings.endpoints.length > 0);
      } catch (error) {
        assert.ok(error instanceof InvalidInputError);
        assert.ok(error.faults.length > 0);
      }
    }),
  );
});

test('the digest tells servers apart, users included, and neither limits nor the order of keys', () => {
  const base = { pkiFolder: PKI, users: [{ name: 'ann', password: 'x' }] };
  const digest = fixedDigest(parseServerSettings(base));
  const { pkiFolder, ...rest } = parseServerSettings(base);
  assert.equal(fixedDigest({ ...rest, pkiFolder }), digest);
  assert.equal(fixedDigest(parseServerSettings({ ...base, maxSessions: 7, samplingRewrite: false })), digest);
  assert.notEqual(fixedDigest(parseServerSettings({ ...base, port: 1 })), digest);
  assert.notEqual(fixedDigest(parseServerSettings({ ...base, users: [{ name: 'ann', password: 'y' }] })), digest);
});
