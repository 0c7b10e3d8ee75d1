import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, it } from 'node:test';
import { assert as assertProperty, constantFrom, dictionary, property, string } from 'fast-check';
import { InvalidInputError } from '../../../lib/model';
import { ENVIRONMENT_VARIABLES, nearestName, parseEnvironment } from '../../../lib/runtime';

const UUID = '6f1c1a9e-6a0e-4f38-8a53-2f1a7f0f9b11';
const parse = (variables: NodeJS.ProcessEnv) => parseEnvironment(variables, '/default/data');

function faultsOf(variables: NodeJS.ProcessEnv): Record<string, { value: string; rule: string; cure: string }> {
  try {
    parse(variables);
  } catch (error) {
    assert.ok(error instanceof InvalidInputError);
    return Object.fromEntries(error.faults.map((fault) => [fault.field, fault]));
  }
  return {};
}

describe('environment', () => {
  it('has a default for everything', () => {
    const { environment, warnings } = parse({});
    assert.deepEqual(warnings, []);
    assert.deepEqual(environment, {
      chirpstack: undefined,
      mqtt: undefined,
      pollIntervalSeconds: 60,
      staleSeconds: undefined,
      historyDays: 7,
      historyMaximumMegabytes: 0,
      opcua: {
        port: 4840,
        host: '',
        advertisedHosts: [],
        endpoints: [
          'Basic256Sha256/Sign',
          'Basic256Sha256/SignAndEncrypt',
          'Aes128_Sha256_RsaOaep/Sign',
          'Aes128_Sha256_RsaOaep/SignAndEncrypt',
          'Aes256_Sha256_RsaPss/Sign',
          'Aes256_Sha256_RsaPss/SignAndEncrypt',
        ],
        trustAllClients: false,
      },
      http: { port: 1880, host: '127.0.0.1' },
      metricsToken: undefined,
      dataFolder: resolve('/default/data'),
      administrator: { user: undefined, password: undefined },
      readOnly: false,
      simulator: { devices: 30, periodSeconds: 10 },
      log: { levels: { standard: 'info', modules: new Map() }, format: 'text', folder: undefined },
    });
  });

  it('takes a size of the database that is 0, no limit, or has room for history', () => {
    for (const [size, expected] of [
      ['0', 0],
      ['10', 10],
      ['', 0],
    ] as const)
      assert.equal(parse({ HISTORY_MAX_MB: size }).environment.historyMaximumMegabytes, expected);
    for (const size of ['9', '-1', '1.5', 'all'])
      assert.throws(
        () => parse({ HISTORY_MAX_MB: size }),
        /HISTORY_MAX_MB is ".*": it must be 0 or a whole number from 10/,
      );
  });

  it('reads every variable', () => {
    const folder = mkdtempSync(join(tmpdir(), 'lorua-environment-'));
    const caFile = join(folder, 'ca.pem');
    writeFileSync(caFile, 'a certificate');
    const { environment } = parse({
      CHIRPSTACK_URL: ' https://chirpstack.example ',
      CHIRPSTACK_API_TOKEN: 'token',
      CHIRPSTACK_TENANT_ID: UUID.toUpperCase(),
      CHIRPSTACK_APPLICATION_IDS: `${UUID}, ${UUID.toUpperCase()},`,
      CHIRPSTACK_CA_FILE: caFile,
      CHIRPSTACK_MQTT_URL: 'mqtts://broker.example:8883',
      CHIRPSTACK_MQTT_USER: 'reader',
      CHIRPSTACK_MQTT_PASSWORD: ' with blanks ',
      POLL_INTERVAL_SECONDS: '30',
      STALE_SECONDS: '600',
      HISTORY_DAYS: '0',
      HISTORY_MAX_MB: '5000',
      OPCUA_PORT: '14840',
      OPCUA_HOST: '::1',
      OPCUA_ADVERTISED_HOSTS: 'plant.example,10.0.0.4',
      OPCUA_SECURITY: 'none, basic256/sign,Basic256Sha256/SignAndEncrypt,None',
      OPCUA_TRUST_ALL_CLIENTS: 'TRUE',
      HTTP_PORT: '18800',
      HTTP_HOST: '0.0.0.0',
      METRICS_TOKEN: ' 0123456789abcdef ',
      GATEWAY_DATA: folder,
      GATEWAY_USER: 'Jörg',
      GATEWAY_PASSWORD: 'long enough',
      GATEWAY_READ_ONLY: 'true',
      SIMULATOR_DEVICES: '5000',
      SIMULATOR_PERIOD_SECONDS: '1',
      LOG_LEVEL: 'warn,opcua=debug',
      LOG_FORMAT: 'JSON',
      LOG_FILES: 'true',
    });
    assert.deepEqual(environment, {
      chirpstack: {
        url: 'https://chirpstack.example',
        token: 'token',
        tenantId: UUID.toUpperCase(),
        applicationIds: [UUID, UUID],
        caFile,
      },
      mqtt: { url: 'mqtts://broker.example:8883', user: 'reader', password: ' with blanks ' },
      pollIntervalSeconds: 30,
      staleSeconds: 600,
      historyDays: 0,
      historyMaximumMegabytes: 5_000,
      opcua: {
        port: 14840,
        host: '::1',
        advertisedHosts: ['plant.example', '10.0.0.4'],
        endpoints: ['None', 'Basic256/Sign', 'Basic256Sha256/SignAndEncrypt'],
        trustAllClients: true,
      },
      http: { port: 18800, host: '0.0.0.0' },
      metricsToken: '0123456789abcdef',
      dataFolder: folder,
      administrator: { user: 'Jörg', password: 'long enough' },
      readOnly: true,
      simulator: { devices: 5000, periodSeconds: 1 },
      log: {
        levels: { standard: 'warn', modules: new Map([['opcua', 'debug']]) },
        format: 'json',
        folder: join(folder, 'logs'),
      },
    });
  });

  it('takes LOG_FOLDER as the wish for log files', () => {
    assert.equal(parse({ LOG_FOLDER: 'here' }).environment.log.folder, resolve('here'));
  });

  it('reports every fault at once, each with value, rule and cure', () => {
    const faults = faultsOf({
      CHIRPSTACK_URL: 'chirpstack:8080',
      CHIRPSTACK_TENANT_ID: 'no uuid',
      CHIRPSTACK_APPLICATION_IDS: `${UUID},nor this`,
      CHIRPSTACK_CA_FILE: '/nowhere/ca.pem',
      CHIRPSTACK_MQTT_USER: 'reader',
      POLL_INTERVAL_SECONDS: '1.5',
      OPCUA_PORT: '65536',
      OPCUA_HOST: 'a b',
      OPCUA_ADVERTISED_HOSTS: 'opc.tcp://plant.example',
      OPCUA_SECURITY: 'Basic128/Sign,Basic256Sha256',
      OPCUA_TRUST_ALL_CLIENTS: 'yes',
      GATEWAY_USER: 'a:b',
      GATEWAY_PASSWORD: 'short',
      SIMULATOR_DEVICES: '0',
      LOG_LEVEL: 'info,everything=debug',
      LOG_FORMAT: 'xml',
    });
    assert.deepEqual(Object.keys(faults).sort(), [
      'CHIRPSTACK_API_TOKEN',
      'CHIRPSTACK_APPLICATION_IDS',
      'CHIRPSTACK_CA_FILE',
      'CHIRPSTACK_MQTT_URL',
      'CHIRPSTACK_TENANT_ID',
      'CHIRPSTACK_URL',
      'GATEWAY_PASSWORD',
      'GATEWAY_USER',
      'LOG_FORMAT',
      'LOG_LEVEL',
      'OPCUA_ADVERTISED_HOSTS',
      'OPCUA_HOST',
      'OPCUA_PORT',
      'OPCUA_SECURITY',
      'OPCUA_TRUST_ALL_CLIENTS',
      'POLL_INTERVAL_SECONDS',
      'SIMULATOR_DEVICES',
    ]);
    for (const { rule, cure } of Object.values(faults)) {
      assert.notEqual(rule, '');
      assert.match(cure, /\.$/);
    }
    assert.equal(faults.POLL_INTERVAL_SECONDS?.value, '"1.5"');
  });

  it('shows no secret', () => {
    const faults = faultsOf({
      CHIRPSTACK_API_TOKEN: 'top secret',
      GATEWAY_PASSWORD: 'geheim',
      METRICS_TOKEN: 'secret',
    });
    assert.equal(faults.METRICS_TOKEN?.value, '(hidden)');
    assert.equal(faults.CHIRPSTACK_API_TOKEN?.value, '(hidden)');
    assert.equal(faults.GATEWAY_PASSWORD?.value, '(hidden)');
  });

  for (const [name, variables, field] of [
    ['a token without an address', { CHIRPSTACK_API_TOKEN: 'x' }, 'CHIRPSTACK_URL'],
    ['an address without a token', { CHIRPSTACK_URL: 'http://a' }, 'CHIRPSTACK_API_TOKEN'],
    ['a broker without an API', { CHIRPSTACK_MQTT_URL: 'mqtt://a' }, 'CHIRPSTACK_URL'],
    [
      'a broker password without a user',
      {
        CHIRPSTACK_URL: 'http://a',
        CHIRPSTACK_API_TOKEN: 'x',
        CHIRPSTACK_MQTT_URL: 'mqtt://a',
        CHIRPSTACK_MQTT_PASSWORD: 'x',
      },
      'CHIRPSTACK_MQTT_USER',
    ],
    ['a token for the metrics that is short', { METRICS_TOKEN: 'short' }, 'METRICS_TOKEN'],
    ['a token for the metrics with blanks', { METRICS_TOKEN: 'a b c d e f g h i j' }, 'METRICS_TOKEN'],
    ['the user name as the password', { GATEWAY_USER: 'operator1', GATEWAY_PASSWORD: 'operator1' }, 'GATEWAY_PASSWORD'],
    ['the web port for OPC UA', { OPCUA_PORT: '1880' }, 'OPCUA_PORT'],
    ['the OPC UA port for the web', { HTTP_PORT: '4840' }, 'HTTP_PORT'],
    ['a path behind the address', { CHIRPSTACK_URL: 'http://a/b', CHIRPSTACK_API_TOKEN: 'x' }, 'CHIRPSTACK_URL'],
    ['a password in the address', { CHIRPSTACK_URL: 'http://a:b@c', CHIRPSTACK_API_TOKEN: 'x' }, 'CHIRPSTACK_URL'],
    ['a foreign scheme', { CHIRPSTACK_URL: 'ftp://a', CHIRPSTACK_API_TOKEN: 'x' }, 'CHIRPSTACK_URL'],
    ['a folder as CA file', { CHIRPSTACK_CA_FILE: tmpdir() }, 'CHIRPSTACK_CA_FILE'],
    ['a policy with a foreign mode', { OPCUA_SECURITY: 'Basic256Sha256/Signed' }, 'OPCUA_SECURITY'],
    ['a level that does not exist', { LOG_LEVEL: 'loud' }, 'LOG_LEVEL'],
    ['a module with a level that does not exist', { LOG_LEVEL: 'opcua=loud' }, 'LOG_LEVEL'],
    ['too many equal signs', { LOG_LEVEL: 'opcua=debug=info' }, 'LOG_LEVEL'],
  ] as const)
    it(`refuses ${name}`, () => assert.deepEqual(Object.keys(faultsOf(variables)), [field]));

  it('counts an empty variable as not set', () => {
    const empty = Object.fromEntries(ENVIRONMENT_VARIABLES.map(({ name }) => [name, '']));
    assert.deepEqual(parse(empty), parse({}));
  });

  it('warns of unknown names with our prefixes and knows what was meant', () => {
    const { warnings } = parse({ OPCUA_PROT: '1', GATEWAY_ZZZZZZZZZZZZZZ: 'secret', PATH: '/bin', LOG_X: '1' });
    assert.deepEqual(
      warnings.map(({ field, value, cure }) => [field, value, cure]),
      [
        ['GATEWAY_ZZZZZZZZZZZZZZ', '(hidden)', 'Remove it.'],
        ['OPCUA_PROT', '(hidden)', 'Did you mean OPCUA_PORT?'],
      ],
    );
  });

  it('throws nothing but faults, whatever it is given', () => {
    const names = ENVIRONMENT_VARIABLES.map(({ name }) => name);
    assertProperty(
      property(dictionary(constantFrom(...names), string()), (variables) => {
        try {
          parse(variables);
        } catch (error) {
          assert.ok(error instanceof InvalidInputError);
          assert.ok(error.faults.length > 0);
        }
      }),
    );
  });
});

describe('nearestName', () => {
  it('finds the one with the fewest slips', () =>
    assert.equal(nearestName('HTTP_PROT', ['OPCUA_PORT', 'HTTP_PORT']), 'HTTP_PORT'));
  it('finds none when nothing resembles', () => assert.equal(nearestName('ABCDEF', ['UVWXYZ']), undefined));
  it('finds none among none', () => assert.equal(nearestName('ABCDEF', []), undefined));
});
