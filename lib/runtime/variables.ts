/** Every environment variable of the standalone gateway, with the texts of docs/configuration.md and of its faults. */

export interface EnvironmentVariable {
  readonly name: string;
  /** Heading under which the documentation lists it. */
  readonly group: 'ChirpStack' | 'Gateway' | 'OPC UA' | 'Web' | 'Data' | 'Simulator' | 'Logs';
  /** What it means, one sentence, for the documentation. */
  readonly meaning: string;
  /** What holds when it is not set, for the documentation. */
  readonly default: string;
  /** What to do when its value breaks a rule. */
  readonly cure: string;
  /** Its value is never shown. */
  readonly secret?: true;
}

/** All variables, in the order of the documentation. A variable that is set but empty counts as not set. */
export const ENVIRONMENT_VARIABLES = [
  {
    name: 'CHIRPSTACK_URL',
    group: 'ChirpStack',
    meaning: 'Address of the ChirpStack API, `http[s]://host[:port]`.',
    default: 'the simulator runs instead',
    cure: 'Write it like http://chirpstack.example:8080.',
  },
  {
    name: 'CHIRPSTACK_API_TOKEN',
    group: 'ChirpStack',
    meaning: 'API key made in the ChirpStack web interface. Required with `CHIRPSTACK_URL`.',
    default: '–',
    cure: 'Make an API key in the ChirpStack web interface and set its token here.',
    secret: true,
  },
  {
    name: 'CHIRPSTACK_TENANT_ID',
    group: 'ChirpStack',
    meaning: 'Tenant to serve. A tenant API key needs this or `CHIRPSTACK_APPLICATION_IDS`.',
    default: 'every tenant that the API key may list',
    cure: 'Copy the id from the address bar of the ChirpStack web interface.',
  },
  {
    name: 'CHIRPSTACK_APPLICATION_IDS',
    group: 'ChirpStack',
    meaning: 'Applications to serve, ids separated by commas.',
    default: 'every application of the tenant',
    cure: 'Copy the ids from the address bar of the ChirpStack web interface.',
  },
  {
    name: 'CHIRPSTACK_CA_FILE',
    group: 'ChirpStack',
    meaning: 'PEM file with the certificate of the authority that signed the certificate of ChirpStack.',
    default: 'the authorities that Node.js trusts',
    cure: 'Name a PEM file that the gateway may read.',
  },
  {
    name: 'CHIRPSTACK_MQTT_URL',
    group: 'ChirpStack',
    meaning: 'Address of the MQTT broker of ChirpStack, `mqtt[s]://host[:port]`: events come by MQTT, not by gRPC.',
    default: 'events come by gRPC',
    cure: 'Write it like mqtt://broker.example:1883.',
  },
  {
    name: 'CHIRPSTACK_MQTT_USER',
    group: 'ChirpStack',
    meaning: 'User name at the MQTT broker.',
    default: 'no login',
    cure: 'Set it together with CHIRPSTACK_MQTT_URL.',
  },
  {
    name: 'CHIRPSTACK_MQTT_PASSWORD',
    group: 'ChirpStack',
    meaning: 'Password at the MQTT broker.',
    default: 'no login',
    cure: 'Set it together with CHIRPSTACK_MQTT_USER.',
    secret: true,
  },
  {
    name: 'POLL_INTERVAL_SECONDS',
    group: 'Gateway',
    meaning: 'Seconds between two reconciliations with ChirpStack.',
    default: '60',
    cure: 'Set a whole number of seconds.',
  },
  {
    name: 'STALE_SECONDS',
    group: 'Gateway',
    meaning: 'Seconds without a new value after which a value is stale, for all devices.',
    default: 'three uplink intervals of the device profile',
    cure: 'Set a whole number of seconds.',
  },
  {
    name: 'HISTORY_DAYS',
    group: 'Gateway',
    meaning: 'Days for which values are kept; 0 keeps them for ever.',
    default: '7',
    cure: 'Set a whole number of days.',
  },
  {
    name: 'HISTORY_MAX_MB',
    group: 'Gateway',
    meaning:
      'Size of the database, in MB of 1,000,000 bytes, from which on the oldest values go, however long they should be kept; 0 is no limit.',
    default: '0',
    cure: 'Set a whole number of megabytes from 10, or 0 for no limit.',
  },
  {
    name: 'OPCUA_PORT',
    group: 'OPC UA',
    meaning: 'TCP port of the OPC UA server.',
    default: '4840',
    cure: 'Set a port between 1 and 65535.',
  },
  {
    name: 'OPCUA_HOST',
    group: 'OPC UA',
    meaning: 'Address of the network interface on which the OPC UA server listens.',
    default: 'all interfaces',
    cure: 'Set an address of this machine, or leave it out.',
  },
  {
    name: 'OPCUA_ADVERTISED_HOSTS',
    group: 'OPC UA',
    meaning: 'Names and addresses under which clients reach the server, separated by commas.',
    default: 'the names and addresses of this machine',
    cure: 'Write host names or addresses, without opc.tcp:// and port.',
  },
  {
    name: 'OPCUA_SECURITY',
    group: 'OPC UA',
    meaning: 'Endpoints to offer, separated by commas. `None` and `Basic256/…` are obsolete and only offered if named.',
    default:
      '`Basic256Sha256`, `Aes128_Sha256_RsaOaep` and `Aes256_Sha256_RsaPss`, each with `/Sign` and `/SignAndEncrypt`',
    cure: 'Write it like Basic256Sha256/SignAndEncrypt,Aes256_Sha256_RsaPss/SignAndEncrypt.',
  },
  {
    name: 'OPCUA_TRUST_ALL_CLIENTS',
    group: 'OPC UA',
    meaning: '`true` trusts every client certificate. For test benches only; there is a warning at each start.',
    default: 'false',
    cure: 'Set true or false.',
  },
  {
    name: 'HTTP_PORT',
    group: 'Web',
    meaning: 'TCP port of the dashboard and the editor.',
    default: '1880',
    cure: 'Set a port between 1 and 65535.',
  },
  {
    name: 'HTTP_HOST',
    group: 'Web',
    meaning: 'Address on which they listen. `0.0.0.0` opens them to the network: put a TLS proxy in front.',
    default: '127.0.0.1',
    cure: 'Set an address of this machine.',
  },
  {
    name: 'METRICS_TOKEN',
    group: 'Web',
    meaning:
      'Token by which a monitoring system reads `GET /metrics` and nothing else, as `Authorization: Bearer …`; at least 16 characters. The login of the administrator opens it too.',
    default: 'only the login of the administrator',
    cure: 'Make one of random characters, for example by: openssl rand -hex 32.',
    secret: true,
  },
  {
    name: 'GATEWAY_DATA',
    group: 'Data',
    meaning: 'Folder of everything that is written: database, certificates, credentials, flow, logs.',
    default: '`./data` in a checkout, else `~/.lorua`',
    cure: 'Name a folder that the gateway may create and write.',
  },
  {
    name: 'GATEWAY_USER',
    group: 'Gateway',
    meaning: 'Name of the administrator of OPC UA, dashboard and editor.',
    default: 'admin',
    cure: 'Choose a name without colon and control characters.',
  },
  {
    name: 'GATEWAY_PASSWORD',
    group: 'Gateway',
    meaning: 'Password of the administrator, at least 8 characters. Kept as a hash; a new value replaces it.',
    default: 'generated and printed once at the first start',
    cure: 'Choose at least 8 characters that are not the user name, or leave it out to have one generated.',
    secret: true,
  },
  {
    name: 'GATEWAY_READ_ONLY',
    group: 'Gateway',
    meaning: '`true` runs the shipped flow, without the editor: for sealed appliances.',
    default: 'false',
    cure: 'Set true or false.',
  },
  {
    name: 'SIMULATOR_DEVICES',
    group: 'Simulator',
    meaning: 'How many devices the simulator has.',
    default: '30',
    cure: 'Set a whole number from 1 to 5000.',
  },
  {
    name: 'SIMULATOR_PERIOD_SECONDS',
    group: 'Simulator',
    meaning: 'Seconds between two uplinks of a simulated device.',
    default: '10',
    cure: 'Set a whole number of seconds.',
  },
  {
    name: 'LOG_LEVEL',
    group: 'Logs',
    meaning:
      'What is logged: `error`, `warn`, `info`, `debug` or `trace`, also for one module: `info,opcua=debug,flow=warn`.',
    default: 'info',
    cure: 'Write it like info or info,opcua=debug.',
  },
  {
    name: 'LOG_FORMAT',
    group: 'Logs',
    meaning: '`text` for people, `json` for machines: one object a line.',
    default: 'text',
    cure: 'Set text or json.',
  },
  {
    name: 'LOG_FILES',
    group: 'Logs',
    meaning: '`true` also writes the log to files in the data folder: five of 10 MB each, the oldest is deleted.',
    default: 'false',
    cure: 'Set true or false.',
  },
  {
    name: 'LOG_FOLDER',
    group: 'Logs',
    meaning: 'Folder of the log files. Setting it is as good as `LOG_FILES=true`.',
    default: '`logs` in the data folder',
    cure: 'Name a folder that the gateway may create and write.',
  },
] as const satisfies readonly EnvironmentVariable[];

export type VariableName = (typeof ENVIRONMENT_VARIABLES)[number]['name'];

/** What a variable means; its name is known at compile time. */
export function variable(name: VariableName): EnvironmentVariable {
  const found = ENVIRONMENT_VARIABLES.find((candidate) => candidate.name === name);
  if (found === undefined) throw new Error(`no variable ${name}`);
  return found;
}

const GROUPS = [...new Set(ENVIRONMENT_VARIABLES.map(({ group }) => group))];

/** The table of docs/configuration.md, in Markdown. */
export function configurationTables(): string {
  return GROUPS.map((group) => {
    const rows = ENVIRONMENT_VARIABLES.filter((candidate) => candidate.group === group).map(
      ({ name, meaning, default: standard }) => `| \`${name}\` | ${meaning} | ${standard} |`,
    );
    return [`### ${group}`, '', '| Variable | Meaning | Default |', '| --- | --- | --- |', ...rows, ''].join('\n');
  }).join('\n');
}
