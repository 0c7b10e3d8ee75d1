/** How much clients may ask for. */
import { LARGEST_HISTORY_PAGE } from '../model';
import type { SettingsReader } from './settings-reader';

/** Beyond each limit clients get the status code that Part 4 has for it. */
export interface ServerLimits {
  /** Sessions of everybody; beyond: BadTooManySessions. */
  readonly maxSessions: number;
  /** Sessions beyond {@link maxSessions} that only users with the role SecurityAdmin can log in to. */
  readonly reservedForAdministrators: number;
  /** TCP connections. More than sessions, because a client that only looks for endpoints opens one too. */
  readonly maxConnectionsPerEndpoint: number;
  /** New TCP connections of one IP address within a minute; more are closed at once. 0 = no limit. */
  readonly connectionsPerAddressPerMinute: number;
  /** Beyond: BadTooManySubscriptions. */
  readonly maxSubscriptionsPerSession: number;
  /** Of all sessions; beyond: BadTooManyMonitoredItems for each item. */
  readonly maxMonitoredItems: number;
  readonly maxMonitoredItemsPerSubscription: number;
  /** Nodes in one Read, Write, Browse, TranslateBrowsePaths or Register call; beyond: BadTooManyOperations. */
  readonly maxNodesPerCall: number;
  /** Items in one CreateMonitoredItems, Modify or Delete call; beyond: BadTooManyOperations. */
  readonly maxMonitoredItemsPerCall: number;
  /** Beyond: BadTooManyOperations. */
  readonly maxNodesPerHistoryRead: number;
  /**
   * Values of one node in the answer to a HistoryRead; the rest follows by continuation points. Pages of this size are
   * the fastest to read as a whole: the next is got ready while the client takes in the last.
   */
  readonly maxHistoryValuesPerNode: number;
  /** Bytes of one chunk. Small chunks make small reads cheap; a message may have many. */
  readonly chunkSize: number;
  /**
   * Bytes of one message. A larger request ends the connection with BadTcpMessageTooLarge, a larger answer is
   * BadResponseTooLarge. Who has not logged in may send far less.
   */
  readonly maxMessageSize: number;
}

export interface LimitRange {
  readonly minimum: number;
  readonly maximum: number;
  readonly fallback: number;
}

const MIB = 1_024 * 1_024;

/** What each limit may be, and what it is when nothing is said. */
export const LIMIT_RANGES: Readonly<Record<keyof ServerLimits, LimitRange>> = {
  maxSessions: { fallback: 50, minimum: 1, maximum: 4_096 },
  reservedForAdministrators: { fallback: 1, minimum: 0, maximum: 16 },
  // The fallback is reckoned from the sessions.
  maxConnectionsPerEndpoint: { fallback: 75, minimum: 2, maximum: 10_000 },
  connectionsPerAddressPerMinute: { fallback: 300, minimum: 0, maximum: 1_000_000 },
  maxSubscriptionsPerSession: { fallback: 10, minimum: 1, maximum: 1_000 },
  maxMonitoredItems: { fallback: 200_000, minimum: 1, maximum: 10_000_000 },
  maxMonitoredItemsPerSubscription: { fallback: 50_000, minimum: 1, maximum: 10_000_000 },
  maxNodesPerCall: { fallback: 5_000, minimum: 1, maximum: 1_000_000 },
  maxMonitoredItemsPerCall: { fallback: 5_000, minimum: 1, maximum: 1_000_000 },
  maxNodesPerHistoryRead: { fallback: 200, minimum: 1, maximum: 100_000 },
  maxHistoryValuesPerNode: { fallback: 5_000, minimum: 1, maximum: LARGEST_HISTORY_PAGE },
  chunkSize: { fallback: 16_384, minimum: 8_192, maximum: 524_288 },
  maxMessageSize: { fallback: 4 * MIB, minimum: 65_536, maximum: 256 * MIB },
};

/** Connections beyond sessions: for clients that look for endpoints and for those about to be refused. */
const SPARE_CONNECTIONS = 25;

export function parseLimits(reader: SettingsReader): ServerLimits {
  const limit = (key: keyof ServerLimits): number => {
    const { fallback, minimum, maximum } = LIMIT_RANGES[key];
    return reader.integer(key, fallback, minimum, maximum);
  };
  const maxSessions = limit('maxSessions');
  const reservedForAdministrators = limit('reservedForAdministrators');
  return {
    maxSessions,
    reservedForAdministrators,
    maxConnectionsPerEndpoint: reader.integer(
      'maxConnectionsPerEndpoint',
      maxSessions + SPARE_CONNECTIONS,
      maxSessions + 1,
      LIMIT_RANGES.maxConnectionsPerEndpoint.maximum,
    ),
    connectionsPerAddressPerMinute: limit('connectionsPerAddressPerMinute'),
    maxSubscriptionsPerSession: limit('maxSubscriptionsPerSession'),
    maxMonitoredItems: limit('maxMonitoredItems'),
    maxMonitoredItemsPerSubscription: limit('maxMonitoredItemsPerSubscription'),
    maxNodesPerCall: limit('maxNodesPerCall'),
    maxMonitoredItemsPerCall: limit('maxMonitoredItemsPerCall'),
    maxNodesPerHistoryRead: limit('maxNodesPerHistoryRead'),
    maxHistoryValuesPerNode: limit('maxHistoryValuesPerNode'),
    chunkSize: limit('chunkSize'),
    maxMessageSize: limit('maxMessageSize'),
  };
}
