/** The gateway's health for Prometheus: text exposition format 0.0.4. */
import {
  type AgeCounts,
  CONNECTION_ERROR_KINDS,
  CONNECTION_STATES,
  type ConnectionReport,
  type GatewayHealth,
  type MqttReport,
  SERVICE_LEVEL_REASONS,
  STORE_STATES,
} from '../model';

export const PROMETHEUS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** ms */
const DAY = 86_400_000;

type Labels = Readonly<Record<string, string>>;
type Sample = readonly [value: number | undefined, labels?: Labels];

interface Family {
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  readonly help: string;
  readonly samples: readonly Sample[];
}

/**
 * All metrics, in base units (seconds, bytes). What is not known has no sample. Label values are the users' own words;
 * the id beside them tells two of the same name apart, since a series that comes twice makes the whole scrape fail.
 */
export function prometheusText(health: GatewayHealth): string {
  return [
    ...gatewayFamilies(health),
    ...connectionFamilies(health),
    ...mqttFamilies(health),
    ...storeFamilies(health),
    ...processFamilies(health),
  ]
    .map(familyText)
    .join('');
}

function gatewayFamilies(health: GatewayHealth): Family[] {
  const { clients, certificate } = health;
  return [
    gauge('lorua_build_info', 'Version of Lorua; the value is always 1.', [[1, { version: health.version }]]),
    gauge('lorua_service_level', 'ServiceLevel of OPC UA: 200 to 255 healthy, 2 to 199 degraded, 1 no data.', [
      [health.serviceLevel],
    ]),
    gauge(
      'lorua_service_degraded',
      '1 for each reason that lowers the service level now.',
      Object.keys(SERVICE_LEVEL_REASONS).map((reason) => [
        Number(health.serviceLevelReasons.some((held) => held === reason)),
        { reason },
      ]),
    ),
    counter(
      'lorua_readings_total',
      'Readings stored since start, by where they came from.',
      Object.entries(health.readings).map(([origin, count]) => [count, { origin }]),
    ),
    gauge('lorua_last_event_timestamp_seconds', 'When the last event of a device came in, by whatever way.', [
      [seconds(health.lastEvent)],
    ]),
    gauge('lorua_devices', 'Devices that are known.', [[health.devices.total]]),
    gauge('lorua_devices_by_age', 'Devices that sent values, by the age of their newest value.', byAge(health.devices)),
    gauge('lorua_values_by_age', 'Values by age.', byAge(health.values)),
    gauge(
      'lorua_lora_gateways',
      'LoRa gateways by the state that ChirpStack gives them.',
      Object.entries(health.gateways).map(([state, count]) => [count, { state }]),
    ),
    gauge(
      'lorua_commands',
      'Commands that have not ended: here, on their way, in the queue of ChirpStack, or sent and something is awaited.',
      Object.entries(health.commands ?? {}).map(([place, count]) => [count, { place }]),
    ),
    gauge('lorua_opcua_up', '1 while the OPC UA server runs.', [[Number(clients !== undefined)]]),
    gauge('lorua_opcua_sessions', 'OPC UA sessions that are open.', [[clients?.sessions]]),
    gauge('lorua_opcua_channels', 'OPC UA secure channels that are open.', [[clients?.channels]]),
    gauge('lorua_opcua_subscriptions', 'Subscriptions of OPC UA clients.', [[clients?.subscriptions]]),
    gauge('lorua_opcua_monitored_items', 'Monitored items of OPC UA clients.', [[clients?.monitoredItems]]),
    gauge('lorua_opcua_certificate_valid_to_timestamp_seconds', 'When the own certificate of the OPC UA server ends.', [
      [seconds(certificate?.validTo)],
    ]),
    gauge('lorua_opcua_certificate_days_left', 'Days until it ends, negative when it has.', [
      [certificate === undefined ? undefined : (certificate.validTo - health.time) / DAY],
    ]),
  ];
}

function connectionFamilies({ connections }: GatewayHealth): Family[] {
  const each = (value: (report: ConnectionReport) => number | undefined): Sample[] =>
    connections.map((report) => [value(report), labelsOf(report)]);
  const eachOf = <Word extends string>(
    label: string,
    words: readonly Word[],
    value: (report: ConnectionReport, word: Word) => number,
  ): Sample[] =>
    connections.flatMap((report) =>
      words.map((word): Sample => [value(report, word), { ...labelsOf(report), [label]: word }]),
    );
  return [
    gauge(
      'lorua_chirpstack_up',
      '1 while ChirpStack is connected.',
      each(({ health }) => Number(health.state === 'connected')),
    ),
    gauge(
      'lorua_chirpstack_state',
      '1 for the state of the connection, 0 for the others.',
      eachOf('state', CONNECTION_STATES, ({ health }, state) => Number(health.state === state)),
    ),
    gauge(
      'lorua_chirpstack_state_since_timestamp_seconds',
      'Since when the connection is in its state.',
      each(({ health }) => seconds(health.since)),
    ),
    gauge(
      'lorua_chirpstack_last_successful_poll_timestamp_seconds',
      'When a reconciliation last succeeded as a whole.',
      each(({ health }) => seconds(health.lastSuccessfulPoll)),
    ),
    counter(
      'lorua_chirpstack_errors_total',
      'Failed calls and streams, by kind.',
      eachOf('kind', CONNECTION_ERROR_KINDS, ({ health: { errors = {} } }, kind) => errors[kind] ?? 0),
    ),
    counter(
      'lorua_chirpstack_uplinks_total',
      'Uplinks that came by streams.',
      each(({ health }) => health.uplinks),
    ),
    gauge(
      'lorua_chirpstack_streams_open',
      'Event streams that are open.',
      each(({ health }) => health.streamsOpen),
    ),
    gauge(
      'lorua_chirpstack_streams_wanted',
      'Event streams that should be open; 0 where events come by MQTT or HTTP.',
      each(({ health }) => health.streamsWanted),
    ),
    gauge(
      'lorua_chirpstack_applications',
      'Applications that are served.',
      each(({ health }) => health.applications),
    ),
    gauge(
      'lorua_chirpstack_devices',
      'Devices that are served.',
      each(({ health }) => health.devices),
    ),
  ];
}

function mqttFamilies({ mqtt }: GatewayHealth): Family[] {
  const each = (value: (report: MqttReport) => number | undefined): Sample[] =>
    mqtt.map((report) => [value(report), { node: report.name, id: report.id }]);
  return [
    gauge(
      'lorua_mqtt_up',
      '1 while MQTT is connected, for each node that takes events from it.',
      each(({ state }) => Number(state === 'connected')),
    ),
    gauge(
      'lorua_mqtt_state_since_timestamp_seconds',
      'Since when MQTT is connected or not.',
      each(({ since }) => seconds(since)),
    ),
    gauge(
      'lorua_mqtt_last_event_timestamp_seconds',
      'When the last event of a device came in by MQTT.',
      each(({ lastEvent }) => seconds(lastEvent)),
    ),
  ];
}

function storeFamilies({ store, storeSize }: GatewayHealth): Family[] {
  return [
    gauge(
      'lorua_store_state',
      '1 for the state of the database, 0 for the others.',
      STORE_STATES.map((state) => [Number(store.state === state), { state }]),
    ),
    gauge('lorua_store_pending_samples', 'Samples that wait for being written.', [[store.pending]]),
    counter('lorua_store_committed_samples_total', 'Samples written.', [[store.committed]]),
    counter('lorua_store_lost_samples_total', 'Samples given up because the buffer was full.', [[store.lost]]),
    gauge('lorua_store_size_bytes', 'What the data takes in the database.', [[storeSize?.bytes]]),
    gauge('lorua_store_free_bytes', 'Free space inside the files of the database.', [[storeSize?.freeBytes]]),
  ];
}

function processFamilies({ eventLoop, memory, cpu, startTime }: GatewayHealth): Family[] {
  return [
    gauge('lorua_event_loop_delay_p50_seconds', 'Median delay of the event loop in the last minute.', [
      [seconds(eventLoop?.p50)],
    ]),
    gauge('lorua_event_loop_delay_p99_seconds', '99th percentile of that delay.', [[seconds(eventLoop?.p99)]]),
    gauge('lorua_event_loop_delay_max_seconds', 'Longest delay of that minute.', [[seconds(eventLoop?.max)]]),
    // Names that Prometheus recommends to every program.
    gauge('process_start_time_seconds', 'Start time of the process since unix epoch in seconds.', [
      [seconds(startTime)],
    ]),
    counter('process_cpu_seconds_total', 'Total user and system CPU time spent in seconds.', [[seconds(cpu)]]),
    gauge('process_resident_memory_bytes', 'Resident memory size in bytes.', [[memory.rss]]),
    gauge('nodejs_heap_size_used_bytes', 'Used size of the heap of JavaScript in bytes.', [[memory.heapUsed]]),
    gauge('nodejs_heap_size_total_bytes', 'Size of the heap of JavaScript in bytes.', [[memory.heapTotal]]),
  ];
}

function gauge(name: string, help: string, samples: readonly Sample[]): Family {
  return { name, type: 'gauge', help, samples };
}

function counter(name: string, help: string, samples: readonly Sample[]): Family {
  return { name, type: 'counter', help, samples };
}

function byAge({ fresh, stale, dead }: AgeCounts): Sample[] {
  return Object.entries({ fresh, stale, dead }).map(([age, count]) => [count, { age }]);
}

/** ms → s */
function seconds(milliseconds: number | undefined): number | undefined {
  return milliseconds === undefined ? undefined : milliseconds / 1_000;
}

function labelsOf({ id, name }: { readonly id: string; readonly name: string }): Labels {
  return { connection: name, id };
}

function familyText({ name, type, help, samples }: Family): string {
  const lines = samples.flatMap(([value, labels]) =>
    value === undefined ? [] : [`${name}${labelsText(labels)} ${numberText(value)}\n`],
  );
  return lines.length === 0 ? '' : `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`;
}

function labelsText(labels: Labels = {}): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
}
