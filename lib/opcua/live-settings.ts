/**
 * Settings of a server that runs. What clients must be able to rely on while they are connected, where the server is
 * and whom it trusts, is fixed for its life; all else is looked up where it is needed, so that it may change.
 */
import { createHash } from 'node:crypto';
import { Emitter, type Unsubscribe } from '../model';
import type { ServerSettings } from './settings';

/** What each setting takes to become true; a new setting has to say it here. */
const TAKES_EFFECT = {
  port: 'by restart',
  host: 'by restart',
  advertisedHosts: 'by restart',
  endpoints: 'by restart',
  allowAnonymous: 'by restart',
  trustAllClients: 'by restart',
  users: 'by restart',
  pkiFolder: 'by restart',
  applicationName: 'by restart',
  applicationUri: 'by restart',
  samplingRewrite: 'at once',
  removedNodesKept: 'at once',
  sourceTime: 'at once',
  heartbeatSeconds: 'at once',
  maxSessions: 'at once',
  reservedForAdministrators: 'at once',
  maxConnectionsPerEndpoint: 'at once',
  connectionsPerAddressPerMinute: 'at once',
  maxSubscriptionsPerSession: 'at once',
  maxMonitoredItems: 'at once',
  maxMonitoredItemsPerSubscription: 'at once',
  maxNodesPerCall: 'at once',
  maxMonitoredItemsPerCall: 'at once',
  maxNodesPerHistoryRead: 'at once',
  maxHistoryValuesPerNode: 'at once',
  chunkSize: 'at once',
  maxMessageSize: 'at once',
} as const satisfies Record<keyof ServerSettings, 'by restart' | 'at once'>;

type Effects = typeof TAKES_EFFECT;
type Taking<Effect> = { [Key in keyof Effects]: Effects[Key] extends Effect ? Key : never }[keyof Effects];
export type LiveKey = Taking<'at once'>;

/** Where the server is, who it is, and whom it lets in. */
export type FixedSettings = Pick<ServerSettings, Taking<'by restart'>>;

/** What a part of the server needs to know: to be read each time, never to be kept. */
export interface LiveView<Key extends LiveKey> {
  readonly current: Readonly<Pick<ServerSettings, Key>>;
  /** Told after a change, for what does not look by itself. */
  onChange(listener: () => void): Unsubscribe;
}

function isLive(key: string): key is LiveKey {
  return Object.hasOwn(TAKES_EFFECT, key) && TAKES_EFFECT[key as keyof ServerSettings] === 'at once';
}

/**
 * Settings with the same digest can be served by the same server without a restart. Not a secret, though made from
 * secrets.
 */
export function fixedDigest(settings: ServerSettings): string {
  const fixed = Object.entries(settings)
    .filter(([key]) => !isLive(key))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256').update(JSON.stringify(fixed)).digest('base64url');
}

export class LiveSettings implements LiveView<LiveKey> {
  readonly fixed: FixedSettings;
  readonly #changed: Emitter<void>;
  #all: ServerSettings;

  /** @param onError told what listeners throw */
  constructor(settings: ServerSettings, onError: (error: unknown) => void) {
    this.fixed = settings;
    this.#all = settings;
    this.#changed = new Emitter(onError);
  }

  get all(): ServerSettings {
    return this.#all;
  }

  get current(): Readonly<Pick<ServerSettings, LiveKey>> {
    return this.#all;
  }

  onChange(listener: () => void): Unsubscribe {
    return this.#changed.on(listener);
  }

  /**
   * @returns what has changed, in words
   * @throws RangeError if a restart is needed; nothing has changed then
   */
  replace(settings: ServerSettings): readonly string[] {
    if (fixedDigest(settings) !== fixedDigest(this.#all))
      throw new RangeError('these settings need another OPC UA server');
    const before = this.#all;
    const changes = Object.keys(TAKES_EFFECT)
      .filter(isLive)
      .filter((key) => before[key] !== settings[key])
      .map((key) => `${key} ${before[key]} → ${settings[key]}`);
    if (changes.length === 0) return changes;
    this.#all = settings;
    this.#changed.emit();
    return changes;
  }
}
