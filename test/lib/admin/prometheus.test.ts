/** Every answer to a scrape must be read by Prometheus, whatever people call their connections. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { prometheusText } from '../../../lib/admin';
import {
  CONNECTION_ERROR_KINDS,
  type ConnectionHealth,
  type ConnectionReport,
  type GatewayHealth,
  type MqttReport,
  ORIGINS,
  SERVICE_LEVEL_REASONS,
  type ServiceLevelReason,
} from '../../../lib/model';
import { healthOf } from '../../support/gateway-health';
import { repositoryRoot } from '../../support/paths';

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const HELP = new RegExp(`^# HELP (${NAME}) (?:[^\\\\\\n]|\\\\\\\\|\\\\n)+$`);
const TYPE = new RegExp(`^# TYPE (${NAME}) (counter|gauge)$`);
const SAMPLE = new RegExp(
  `^(${NAME})(\\{(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\\\n]|\\\\["\\\\n])*"(?:,(?!\\})|(?=\\})))+\\})? (\\S+)$`,
);
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"/g;
const NUMBER = /^(?:[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|NaN|[+-]Inf)$/i;

interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

function unescaped(text: string): string {
  return text.replace(/\\(.)/g, (_, character: string) => (character === 'n' ? '\n' : character));
}

/** Reads the exposition format 0.0.4 as strictly as it is written down. */
function parse(text: string): { readonly samples: readonly Sample[]; readonly types: ReadonlyMap<string, string> } {
  assert.ok(text.endsWith('\n'), 'the last line ends too');
  const samples: Sample[] = [];
  const types = new Map<string, string>();
  const series = new Set<string>();
  let helped = '';
  let current = '';
  // Line feeds alone separate lines.
  for (const line of text.slice(0, -1).split('\n')) {
    if (line.startsWith('# HELP')) {
      helped = HELP.exec(line)?.[1] ?? assert.fail(line);
      assert.ok(!types.has(helped), `${helped} comes twice`);
    } else if (line.startsWith('# TYPE')) {
      const [, name = '', type = ''] = TYPE.exec(line) ?? assert.fail(line);
      assert.equal(name, helped);
      types.set(name, type);
      current = name;
    } else {
      const [, name = '', labels = '', value = ''] = SAMPLE.exec(line) ?? assert.fail(line);
      assert.equal(name, current, 'samples follow their own TYPE');
      assert.match(value, NUMBER);
      const key = `${name}${labels}`;
      assert.ok(!series.has(key), `${key} comes twice`);
      series.add(key);
      samples.push({
        name,
        labels: Object.fromEntries(
          Array.from(labels.matchAll(LABEL), ([, label = '', text = '']) => [label, unescaped(text)]),
        ),
        value: Number(value.replace('Inf', 'Infinity')),
      });
    }
  }
  return { samples, types };
}

const connected: ConnectionHealth = {
  state: 'connected',
  since: Date.UTC(2026, 10, 24, 11, 30),
  reason: '',
  cure: '',
  lastSuccessfulPoll: Date.UTC(2026, 10, 24, 11, 59, 30),
  errorCount: 3,
  errors: { network: 2, timeout: 1 },
  applications: 2,
  devices: 5,
  streamsOpen: 4,
  streamsWanted: 5,
  uplinks: 77,
};

const count = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const amount = fc.double({ min: 0 });
const ages = fc.record({ fresh: count, stale: count, dead: count });
const words = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.stringMatching(/^["\\\n{},= ]*$/),
  fc.constantFrom('Plant', '', 'a"b\\c\nd', '{x="y"} 1\n# TYPE z gauge'),
);
const errors = fc.dictionary(fc.constantFrom(...CONNECTION_ERROR_KINDS), count);
const connection: fc.Arbitrary<Omit<ConnectionReport, 'id'>> = fc.record({
  name: words,
  health: fc.record({
    state: fc.constantFrom('connecting', 'connected', 'disconnected', 'unauthenticated'),
    since: count,
    reason: words,
    cure: words,
    errorCount: count,
    errors,
    applications: count,
    devices: count,
    streamsOpen: count,
    streamsWanted: count,
    uplinks: count,
  }),
  recentErrors: errors,
});
const mqtt: fc.Arbitrary<Omit<MqttReport, 'id'>> = fc.record(
  { name: words, state: fc.constantFrom('connected', 'disconnected'), since: count, lastEvent: amount },
  { requiredKeys: ['name', 'state', 'since'] },
);
const numbered = <Item>(items: readonly Item[]): (Item & { readonly id: string })[] =>
  items.map((item, index) => ({ ...item, id: `id "${index}"` }));
const anyHealth: fc.Arbitrary<GatewayHealth> = fc
  .record(
    {
      version: words,
      startTime: amount,
      serviceLevel: fc.nat({ max: 255 }),
      serviceLevelReasons: fc.subarray(Object.keys(SERVICE_LEVEL_REASONS) as ServiceLevelReason[]),
      connections: fc.array(connection, { maxLength: 4 }).map(numbered),
      mqtt: fc.array(mqtt, { maxLength: 3 }).map(numbered),
      certificate: fc.record({ validTo: amount }),
      lastEvent: amount,
      devices: ages.map((known) => ({ ...known, total: known.fresh })),
      values: ages,
      storeSize: fc.record({ bytes: count, freeBytes: count }),
      commands: fc.record({ queued: count, sending: count, enqueued: count, awaiting: count }),
      clients: fc.record({ sessions: count, channels: count, subscriptions: count, monitoredItems: count }),
      eventLoop: fc.record({ p50: amount, p99: amount, max: amount }),
      cpu: amount,
    },
    { requiredKeys: [] },
  )
  .map((changes) => healthOf(changes));

describe('the text for Prometheus', () => {
  test('is read whatever is told', () => {
    fc.assert(
      fc.property(anyHealth, (health) => {
        const { samples, types } = parse(prometheusText(health));
        for (const [name, type] of types) {
          assert.equal(name.endsWith('_total'), type === 'counter', name);
          assert.doesNotMatch(name, /milliseconds|_ms|minutes|megabytes|percent/);
        }
        const uptime = samples.filter(({ name }) => name === 'lorua_chirpstack_up');
        assert.equal(uptime.length, health.connections.length);
        // Names come back as they are, also where another connection has the same.
        uptime.forEach(({ labels }, index) => {
          const { id, name } = health.connections[index] ?? assert.fail();
          assert.deepEqual(labels, { connection: name, id });
        });
        const mqtt = samples.filter(({ name }) => name === 'lorua_mqtt_up');
        assert.deepEqual(
          mqtt.map(({ labels, value }) => [labels, value]),
          health.mqtt.map(({ id, name, state }) => [{ node: name, id }, Number(state === 'connected')]),
        );
      }),
    );
  });

  test('has all of it in base units', () => {
    const { samples } = parse(
      prometheusText(
        healthOf({
          serviceLevel: 150,
          serviceLevelReasons: ['connection-lost'],
          connections: [
            { id: 'a', name: 'Main', health: connected, recentErrors: {} },
            { id: 'b', name: 'Main', health: { ...connected, state: 'disconnected' }, recentErrors: {} },
          ],
          mqtt: [{ id: 'm', name: 'Events', state: 'disconnected', since: 2_000, lastEvent: 1_000 }],
          certificate: { validTo: Date.UTC(2026, 10, 26) },
          lastEvent: 1_500,
          storeSize: { bytes: 4_096, freeBytes: 512 },
          commands: { queued: 1, sending: 2, enqueued: 3, awaiting: 4 },
          clients: { sessions: 1, channels: 2, subscriptions: 3, monitoredItems: 4 },
          eventLoop: { p50: 1, p99: 25, max: 1_250 },
        }),
      ),
    );
    const value = (name: string, labels: Readonly<Record<string, string>> = {}): number | undefined =>
      samples.find(
        (sample) =>
          sample.name === name && Object.entries(labels).every(([label, text]) => sample.labels[label] === text),
      )?.value;
    assert.equal(value('lorua_build_info', { version: '1.2.3' }), 1);
    assert.equal(value('lorua_service_level'), 150);
    assert.equal(value('lorua_service_degraded', { reason: 'connection-lost' }), 1);
    assert.equal(value('lorua_service_degraded', { reason: 'store-degraded' }), 0);
    assert.equal(value('lorua_chirpstack_up', { connection: 'Main', id: 'a' }), 1);
    assert.equal(value('lorua_chirpstack_up', { connection: 'Main', id: 'b' }), 0);
    assert.equal(value('lorua_chirpstack_state', { connection: 'Main', id: 'b', state: 'disconnected' }), 1);
    assert.equal(value('lorua_chirpstack_errors_total', { connection: 'Main', id: 'a', kind: 'network' }), 2);
    assert.equal(value('lorua_chirpstack_errors_total', { connection: 'Main', id: 'a', kind: 'server' }), 0);
    assert.equal(
      value('lorua_chirpstack_last_successful_poll_timestamp_seconds', { connection: 'Main', id: 'a' }),
      Date.UTC(2026, 10, 24, 11, 59, 30) / 1_000,
    );
    assert.equal(value('lorua_last_event_timestamp_seconds'), 1.5);
    assert.equal(value('lorua_readings_total', { origin: 'event' }), 5);
    assert.equal(samples.filter(({ name }) => name === 'lorua_readings_total').length, ORIGINS.length);
    assert.equal(value('lorua_devices_by_age', { age: 'stale' }), 1);
    assert.equal(value('lorua_store_state', { state: 'healthy' }), 1);
    assert.equal(value('lorua_store_committed_samples_total'), 26);
    assert.equal(value('lorua_store_size_bytes'), 4_096);
    assert.equal(value('lorua_commands', { place: 'enqueued' }), 3);
    assert.equal(value('lorua_opcua_up'), 1);
    assert.equal(value('lorua_opcua_monitored_items'), 4);
    assert.equal(value('lorua_mqtt_up', { node: 'Events', id: 'm' }), 0);
    assert.equal(value('lorua_mqtt_state_since_timestamp_seconds'), 2);
    assert.equal(value('lorua_mqtt_last_event_timestamp_seconds'), 1);
    assert.equal(value('lorua_lora_gateways', { state: 'offline' }), 1);
    assert.equal(value('lorua_opcua_certificate_days_left'), 1.5);
    assert.equal(value('lorua_opcua_certificate_valid_to_timestamp_seconds'), Date.UTC(2026, 10, 26) / 1_000);
    assert.equal(value('lorua_event_loop_delay_max_seconds'), 1.25);
    assert.equal(value('process_cpu_seconds_total'), 12.5);
    assert.equal(value('process_resident_memory_bytes'), 200_000_000);
  });

  test('is documented, name by name', () => {
    const page = readFileSync(join(repositoryRoot, 'docs', 'operations.md'), 'utf8');
    const full = healthOf({
      connections: [{ id: 'a', name: 'Main', health: connected, recentErrors: {} }],
      mqtt: [{ id: 'm', name: 'Events', state: 'connected', since: 1, lastEvent: 1 }],
      certificate: { validTo: 1 },
      lastEvent: 1,
      storeSize: { bytes: 1, freeBytes: 1 },
      commands: { queued: 1, sending: 1, enqueued: 1, awaiting: 1 },
      clients: { sessions: 1, channels: 1, subscriptions: 1, monitoredItems: 1 },
      eventLoop: { p50: 1, p99: 1, max: 1 },
    });
    const names = [...parse(prometheusText(full)).types.keys()];
    assert.deepEqual(
      names.filter((name) => !page.includes(`\`${name}\``)),
      [],
    );
    const written = [...page.matchAll(/\b(?:lorua_[a-z0-9_]+|process_[a-z_]+|nodejs_[a-z_]+)\b/g)].map(
      ([name]) => name,
    );
    assert.deepEqual(
      [...new Set(written)].filter((name) => !names.includes(name)),
      [],
      'and nothing else is',
    );
  });

  test('says nothing of what is not known', () => {
    const text = prometheusText(healthOf());
    for (const name of [
      'chirpstack',
      'mqtt',
      'opcua_certificate',
      'last_event',
      'store_size',
      'opcua_sessions',
      'event_loop',
    ])
      assert.doesNotMatch(text, new RegExp(`lorua_${name}`));
    assert.match(text, /^lorua_opcua_up 0$/m);
  });
});
