/** Puts up what protects a server from its clients: guards of connections, sessions and requests. */
import { Server } from 'node:net';
import type { OPCUAServer, ServerSecureChannelLayer, ServerSession, UAVariable } from 'node-opcua';
import { type Clock, errorText, type LogEntry, type Logger, type LogReason } from '../../model';
import type { Library } from '../library';
import type { LiveSettings } from '../live-settings';
import type { RepeatedEntries } from '../repeated';
import { fitChunkBuffers } from './chunk-buffers';
import { ConnectionGuard, type RefusalReason } from './connection-guard';
import { guardDecoder } from './decoder-guard';
import { guardEngine } from './engine-guard';
import { followLimits } from './engine-limits';
import type { ServerGuards } from './guarded-server';
import { guardMonitoredItems } from './monitored-item-guard';
import { SessionPlaces } from './session-places';
import { guardSubscriptions } from './subscription-guard';

interface ProtectionOptions {
  readonly library: Library;
  readonly server: OPCUAServer;
  readonly settings: LiveSettings;
  readonly guards: ServerGuards;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly repeated: RepeatedEntries;
  /** A client is told about in the ways that clients are told about. */
  readonly onConnectionRefused: (address: string, reason: string) => void;
}

export interface Protection {
  close(): void;
  /** Ends all connections and frees the port, where the library does not. */
  freePort(): void;
}

const REASONS: Readonly<Record<RefusalReason, { text: string; reason: LogReason; cure: string }>> = {
  'too-fast': {
    text: 'it opens connections faster than allowed',
    reason: 'overflow',
    cure: 'Find out what runs there; if it is many clients behind one address, raise the connections per address.',
  },
  'too-many': {
    text: 'there are as many connections as allowed',
    reason: 'overflow',
    cure: 'Find out who opens connections and does not log in, or raise the number of connections.',
  },
  silent: {
    text: 'it connected and asked for nothing in time',
    reason: 'timeout',
    cure: 'Find out what runs there; a port scanner or a monitoring tool does this.',
  },
  'too-large': {
    text: 'it sent more than a client needs to log in',
    reason: 'bad-message',
    cure: 'Find out what runs there; it is no well-behaved OPC UA client.',
  },
};

/** To be called when the server is initialized and does not listen yet. */
export function protect(options: ProtectionOptions): Protection {
  const { library, server, settings, guards, clock } = options;
  guardDecoder(library);
  guardMonitoredItems(library);
  guardSubscriptions(library);
  guardEngine(library, server.engine, clock);
  fitChunkBuffers(library);
  const unfollow = followLimits(server, settings);
  const places = new SessionPlaces<ServerSession>({
    clock,
    settings,
    sessions: () => server.engine.getSessions(),
    // Its subscriptions wait for a client that comes back and takes them over, until their lifetime ends.
    end: (session) => server.engine.closeSession(session.authenticationToken, session.status !== 'active', 'Forcing'),
  });
  guards.places = places;
  showMaxSessions(options);
  const connections = new ConnectionGuard({
    clock,
    limits: settings,
    onRefused: (address, reason, count) => tell(options, address, reason, count),
  });
  for (const endpoint of server.endpoints) {
    const listener: unknown = Reflect.get(endpoint, '_server');
    if (!(listener instanceof Server)) throw new TypeError('this version of node-opcua listens in another way');
    connections.watch(listener);
    endpoint.on('message', (_message: unknown, channel: ServerSecureChannelLayer) => connections.requested(channel));
  }
  server.on('newChannel', (channel: ServerSecureChannelLayer) => connections.channelMade(channel));
  const { ServiceFault, StatusCodes } = library;
  server.on('response', (response: unknown) => {
    // Part 4 §7.39: the library says of an answer what is said of requests.
    if (response instanceof ServiceFault && response.responseHeader.serviceResult === StatusCodes.BadTcpMessageTooLarge)
      response.responseHeader.serviceResult = StatusCodes.BadResponseTooLarge;
  });
  return {
    close() {
      unfollow();
      places.close();
      connections.close();
    },
    freePort: () => connections.freePort(),
  };
}

/** The library counts sessions that have not logged in too; what clients are told is how many may. */
function showMaxSessions({ library, server, settings }: ProtectionOptions): void {
  const { DataType, VariableIds, Variant } = library;
  const id = library.resolveNodeId(`i=${VariableIds.Server_ServerCapabilities_MaxSessions}`);
  const node = server.engine.addressSpace?.findNode(id) as UAVariable | null | undefined;
  node?.bindVariable(
    { get: () => new Variant({ dataType: DataType.UInt32, value: settings.current.maxSessions }) },
    true,
  );
}

/** The first of a flood is told at once; the others as a count when it is over. */
function tell(options: ProtectionOptions, address: string, reason: RefusalReason, count: number): void {
  const { logger, repeated, onConnectionRefused } = options;
  const { text, ...more } = REASONS[reason];
  const from = address === '' ? 'many addresses' : address;
  const entry: LogEntry = {
    operation: 'session',
    event: count === 1 ? 'refused' : 'repeated',
    message: `OPC UA connections of ${from} closed: ${text}`,
    address: from,
    ...(count === 1 ? {} : { count }),
    ...more,
  };
  repeated.write(`connection ${reason} ${from} ${entry.event}`, entry, (one) => logger.warn(one));
  if (count === 1) onConnectionRefused(address, text);
}

/** Told once a minute for each service: it is a fault of the server, not of the client. */
export function tellFailure(logger: Logger, repeated: RepeatedEntries, service: string, error: unknown): void {
  repeated.write(
    `failure ${service}`,
    {
      operation: 'session',
      event: 'failed',
      reason: 'internal',
      message: `${service} was answered with BadInternalError: ${errorText(error)}`,
    },
    (entry) => logger.error(entry),
  );
}
