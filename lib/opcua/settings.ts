/** Settings of the OPC UA server. Everything is validated at once, before anything is started. */
import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { isAbsolute } from 'node:path';
import { FaultCollector, LARGEST_HISTORY_PAGE } from '../model';
import { parseEndpoints, type SecurityEndpoint } from './endpoints';
import { parseUsers, type ServerUser } from './users';

/** A host that clients use to reach the server, where it differs from the machine's own name (NAT, containers). */
export interface AdvertisedHost {
  /** Host name or IP address. */
  readonly host: string;
  /** Port that clients use; absent = the port the server listens on. */
  readonly port?: number;
}

/** How much clients may ask for. Beyond it they get the status codes of Part 4 (BadTooMany…). */
export interface ServerLimits {
  readonly maxSessions: number;
  /** TCP connections. More than sessions, because a client that only looks for endpoints opens one too. */
  readonly maxConnectionsPerEndpoint: number;
  readonly maxSubscriptionsPerSession: number;
  readonly maxMonitoredItems: number;
  readonly maxMonitoredItemsPerSubscription: number;
  /** Nodes in one Read, Write, Browse, TranslateBrowsePaths or Register call. */
  readonly maxNodesPerCall: number;
  /** Items in one CreateMonitoredItems, Modify or Delete call. */
  readonly maxMonitoredItemsPerCall: number;
  readonly maxNodesPerHistoryRead: number;
  /**
   * Values of one node in the answer to a HistoryRead; the rest follows by continuation points. Pages of this size are
   * the fastest to read as a whole: the next is got ready while the client takes in the last.
   */
  readonly maxHistoryValuesPerNode: number;
  /** Bytes of one chunk. Small chunks make small reads cheap; a message may have many. */
  readonly chunkSize: number;
}

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
}

const HOST = /^(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.?$/i;
const IPV6 = /^[0-9a-f:.]*:[0-9a-f:.]*$/i;
const HOST_WITH_PORT = /^(\[[^\]]+\]|[^:[\]]+)(?::(\d{1,5}))?$/;

export const SERVER_DEFAULTS = {
  port: 4840,
  maxSessions: 50,
  maxSubscriptionsPerSession: 10,
  maxMonitoredItems: 200_000,
  maxMonitoredItemsPerSubscription: 50_000,
  maxNodesPerCall: 5_000,
  maxMonitoredItemsPerCall: 5_000,
  maxNodesPerHistoryRead: 200,
  maxHistoryValuesPerNode: 5_000,
  chunkSize: 16_384,
  removedNodesKept: 24 * 3_600_000,
  applicationName: 'Lorua',
} as const;

/** Connections beyond sessions: for clients that look for endpoints and for those about to be refused. */
const SPARE_CONNECTIONS = 25;

/** Names of settings as their user knows them, for messages. */
export type SettingNames = Partial<Record<keyof ServerSettings, string>>;

class Reader {
  readonly faults = new FaultCollector();
  readonly #input: Record<string, unknown>;
  readonly #names: SettingNames;

  constructor(input: Record<string, unknown>, names: SettingNames) {
    this.#input = input;
    this.#names = names;
  }

  name(key: keyof ServerSettings): string {
    return this.#names[key] ?? key;
  }

  raw(key: keyof ServerSettings): unknown {
    const value = this.#input[key];
    return value === null || value === '' ? undefined : value;
  }

  integer(key: keyof ServerSettings, fallback: number, minimum: number, maximum: number): number {
    const raw = this.raw(key);
    if (raw === undefined) return fallback;
    const value = typeof raw === 'string' && /^\s*-?\d+\s*$/.test(raw) ? Number(raw) : raw;
    if (typeof value === 'number' && Number.isInteger(value) && value >= minimum && value <= maximum) return value;
    this.faults.add(
      this.name(key),
      raw,
      `it must be a whole number from ${minimum} to ${maximum}`,
      `Leave it empty for ${fallback}.`,
    );
    return fallback;
  }

  boolean(key: keyof ServerSettings, fallback: boolean): boolean {
    const raw = this.raw(key);
    if (raw === undefined) return fallback;
    if (typeof raw === 'boolean') return raw;
    if (raw === 'true' || raw === 'false') return raw === 'true';
    this.faults.add(this.name(key), raw, 'it must be true or false', `Leave it empty for ${fallback}.`);
    return fallback;
  }

  text(
    key: keyof ServerSettings,
    fallback: string,
    valid: (text: string) => boolean,
    rule: string,
    cure: string,
  ): string {
    const raw = this.raw(key);
    if (raw === undefined) return fallback;
    const value = typeof raw === 'string' ? raw.trim() : undefined;
    if (value !== undefined && valid(value)) return value;
    this.faults.add(this.name(key), raw, rule, cure);
    return fallback;
  }
}

function isHost(text: string): boolean {
  return HOST.test(text) || IPV6.test(text);
}

function parseAdvertisedHost(item: unknown, reader: Reader): AdvertisedHost[] {
  if (typeof item === 'object' && item !== null && 'host' in item && typeof item.host === 'string') {
    const { port: given = '' } = { port: '', ...item } as { port?: unknown };
    const port = typeof given === 'number' || (typeof given === 'string' && given !== '') ? `:${given}` : '';
    const host = item.host.includes(':') ? `[${item.host.replace(/^\[|\]$/g, '')}]` : item.host;
    return parseAdvertisedHost(`${host}${port}`, reader);
  }
  const text = typeof item === 'string' ? item.trim().replace(/^opc\.tcp:\/\//i, '') : '';
  // A bare IPv6 address has colons of its own and no port.
  if (IPV6.test(text) && text.split(':').length > 2) return [{ host: text }];
  const match = HOST_WITH_PORT.exec(text);
  const host = match?.[1]?.replace(/^\[|\]$/g, '') ?? '';
  const port = match?.[2] === undefined ? undefined : Number(match[2]);
  if (isHost(host) && (port === undefined || (port >= 1 && port <= 65_535)))
    return [{ host, ...(port === undefined ? {} : { port }) }];
  reader.faults.add(
    reader.name('advertisedHosts'),
    item,
    'it must be a host name or IP address, with :port where it differs',
    'Write what clients type to reach this server, e.g. gateway.plant.example or 192.0.2.7:4841.',
  );
  return [];
}

function parseAdvertisedHosts(reader: Reader): readonly AdvertisedHost[] {
  const raw = reader.raw('advertisedHosts');
  if (raw === undefined) return [];
  const items: readonly unknown[] = typeof raw === 'string' ? raw.split(',') : Array.isArray(raw) ? raw : [raw];
  const hosts = items
    .filter((item) => typeof item !== 'string' || item.trim() !== '')
    .flatMap((item) => parseAdvertisedHost(item, reader));
  return [...new Map(hosts.map((host) => [`${host.host.toLowerCase()}:${host.port ?? ''}`, host])).values()];
}

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
  const reader = new Reader(given, names);
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
  const maxSessions = reader.integer('maxSessions', SERVER_DEFAULTS.maxSessions, 1, 4_096);
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
    maxSessions,
    maxConnectionsPerEndpoint: reader.integer(
      'maxConnectionsPerEndpoint',
      maxSessions + SPARE_CONNECTIONS,
      maxSessions + 1,
      10_000,
    ),
    maxSubscriptionsPerSession: reader.integer(
      'maxSubscriptionsPerSession',
      SERVER_DEFAULTS.maxSubscriptionsPerSession,
      1,
      1_000,
    ),
    maxMonitoredItems: reader.integer('maxMonitoredItems', SERVER_DEFAULTS.maxMonitoredItems, 1, 10_000_000),
    maxMonitoredItemsPerSubscription: reader.integer(
      'maxMonitoredItemsPerSubscription',
      SERVER_DEFAULTS.maxMonitoredItemsPerSubscription,
      1,
      10_000_000,
    ),
    maxNodesPerCall: reader.integer('maxNodesPerCall', SERVER_DEFAULTS.maxNodesPerCall, 1, 1_000_000),
    maxMonitoredItemsPerCall: reader.integer(
      'maxMonitoredItemsPerCall',
      SERVER_DEFAULTS.maxMonitoredItemsPerCall,
      1,
      1_000_000,
    ),
    maxNodesPerHistoryRead: reader.integer(
      'maxNodesPerHistoryRead',
      SERVER_DEFAULTS.maxNodesPerHistoryRead,
      1,
      100_000,
    ),
    maxHistoryValuesPerNode: reader.integer(
      'maxHistoryValuesPerNode',
      SERVER_DEFAULTS.maxHistoryValuesPerNode,
      1,
      LARGEST_HISTORY_PAGE,
    ),
    chunkSize: reader.integer('chunkSize', SERVER_DEFAULTS.chunkSize, 8_192, 524_288),
  };
  reader.faults.throwIfAny();
  return settings;
}

/** Two settings with the same digest make the same server. Not a secret, though made from secrets. */
export function settingsDigest(settings: ServerSettings): string {
  const sorted = Object.entries(settings).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256').update(JSON.stringify(sorted)).digest('base64url');
}
