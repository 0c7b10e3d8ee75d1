/** Settings of the OPC UA server. Everything is validated at once, before anything is started. */
import { hostname } from 'node:os';
import { isAbsolute } from 'node:path';
import { type AdvertisedHost, isHost, parseAdvertisedHosts } from './advertised-hosts';
import { parseEndpoints, type SecurityEndpoint } from './endpoints';
import { parseLimits, type ServerLimits } from './limits';
import { parseUsers, type ServerUser } from './security/users';
import { SettingsReader } from './settings-reader';

export interface ServerSettings extends ServerLimits {
  /** TCP port; 0 = the system chooses. */
  readonly port: number;
  /** Address to listen on; absent = all interfaces. */
  readonly host?: string;
  readonly advertisedHosts: readonly AdvertisedHost[];
  readonly endpoints: readonly SecurityEndpoint[];
  /** Lets clients in without a login; they may look as an Observer may. */
  readonly allowAnonymous: boolean;
  /** Accepts every client certificate. For test benches: anybody on the network may then connect. */
  readonly trustAllClients: boolean;
  readonly users: readonly ServerUser[];
  /** Absolute path of the folder for own key, own certificate, trusted and rejected certificates. */
  readonly pkiFolder: string;
  readonly applicationName: string;
  /** Globally unique name of this server (Part 4 §7.2); stays the same for its whole life. */
  readonly applicationUri: string;
  /**
   * Answers every change of a value at once instead of looking at it by a timer per client: same values, a fraction of
   * the load. Off = values are sampled as each client asks.
   */
  readonly samplingRewrite: boolean;
  /** How long nodes of removed devices stay, as BadOutOfService, so that clients see why, ms. */
  readonly removedNodesKept: number;
  /**
   * The SourceTimestamp of fresh values, where a device or its profile says nothing by the tag `source_time`: `true` =
   * when the device measured; `heartbeat` = set to now at each heartbeat, for clients that judge age by it. History has
   * the true times in any case.
   */
  readonly sourceTime: SourceTime;
  /** s between two heartbeats. */
  readonly heartbeatSeconds: number;
}

/** What {@link ServerSettings.sourceTime} may be. */
export const SOURCE_TIMES = ['true', 'heartbeat'] as const;
export type SourceTime = (typeof SOURCE_TIMES)[number];

export const SERVER_DEFAULTS = {
  port: 4840,
  removedNodesKept: 24 * 3_600_000,
  sourceTime: 'true',
  heartbeatSeconds: 60,
  applicationName: 'Lorua',
} as const;

/** Names of settings as their user knows them, for messages. */
export type SettingNames = Readonly<Partial<Record<keyof ServerSettings, string>>>;

/** `urn:<host name>:lorua`, the same after every start on the same machine. */
export function defaultApplicationUri(): string {
  return `urn:${hostname().replace(/[^a-zA-Z0-9._-]/g, '-')}:lorua`;
}

/**
 * Reads settings from anything: editor fields and environment variables are texts, code gives typed values.
 * @param names how the settings are called where their user sees them, for messages
 * @throws InvalidInputError with all faults
 */
export function parseServerSettings(input: unknown, names: SettingNames = {}): ServerSettings {
  const given = typeof input === 'object' && input !== null ? (input as Record<string, unknown>) : {};
  const reader = new SettingsReader(given, names);
  const endpoints = parseEndpoints(reader.raw('endpoints'), reader.name('endpoints'), reader.faults);
  const host = reader.text(
    'host',
    '',
    isHost,
    'it must be an address of this machine',
    'Leave it empty to listen on all interfaces.',
  );
  const pkiFolder = reader.text(
    'pkiFolder',
    '',
    isAbsolute,
    'it must be an absolute path',
    'Name a folder that only this program uses.',
  );
  if (reader.raw('pkiFolder') === undefined)
    reader.faults.add(
      reader.name('pkiFolder'),
      given['pkiFolder'],
      'keys and certificates need a folder',
      'Name an absolute path.',
    );
  const users = parseUsers(reader.raw('users'), reader.name('users'), reader.faults);
  const settings: ServerSettings = {
    port: reader.integer('port', SERVER_DEFAULTS.port, 0, 65_535),
    ...(host === '' ? {} : { host }),
    advertisedHosts: parseAdvertisedHosts(reader),
    endpoints,
    allowAnonymous: reader.boolean('allowAnonymous', false),
    trustAllClients: reader.boolean('trustAllClients', false),
    users,
    pkiFolder,
    applicationName: reader.text(
      'applicationName',
      SERVER_DEFAULTS.applicationName,
      (text) => text.length <= 64 && !/^urn:/i.test(text) && !/[/,=+<>#;"\\]/.test(text),
      'it must be a plain name of at most 64 characters',
      'It is shown to people; the application URI is a setting of its own.',
    ),
    applicationUri: reader.text(
      'applicationUri',
      defaultApplicationUri(),
      (text) => /^[a-z][a-z0-9+.-]*:\S+$/i.test(text) && text.length <= 255,
      'it must be a URI without spaces',
      'Leave it empty for one made from the host name.',
    ),
    samplingRewrite: reader.boolean('samplingRewrite', true),
    removedNodesKept: reader.integer('removedNodesKept', SERVER_DEFAULTS.removedNodesKept, 0, 365 * 24 * 3_600_000),
    sourceTime: reader.choice('sourceTime', SERVER_DEFAULTS.sourceTime, SOURCE_TIMES),
    heartbeatSeconds: reader.integer('heartbeatSeconds', SERVER_DEFAULTS.heartbeatSeconds, 1, 86_400),
    ...parseLimits(reader),
  };
  reader.faults.throwIfAny();
  return settings;
}
