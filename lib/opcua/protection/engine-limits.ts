/** Limits in the words of node-opcua, which keeps most of them itself and shows them in ServerCapabilities. */
import type { OPCUAServer } from 'node-opcua';
import type { Unsubscribe } from '../../model';
import type { ServerLimits } from '../limits';
import type { LiveSettings } from '../live-settings';
import { PENDING_SESSIONS } from './session-places';

/** What the library may count more than there is, for a moment. */
const SPARE = 256;

/** Beyond what ConnectionGuard allows: that one chooses better whom to end. */
export function engineConnections({ maxConnectionsPerEndpoint }: ServerLimits): number {
  return maxConnectionsPerEndpoint + SPARE;
}

/** What all clients together, a session and a subscription may have. */
export function engineLimits(limits: ServerLimits) {
  const maxSessions = limits.maxSessions + limits.reservedForAdministrators;
  return {
    // Beyond what SessionPlaces allows: that one chooses better whom to end.
    maxSessions: maxSessions + PENDING_SESSIONS + SPARE,
    maxSubscriptionsPerSession: limits.maxSubscriptionsPerSession,
    maxSubscriptions: maxSessions * limits.maxSubscriptionsPerSession,
    maxMonitoredItems: limits.maxMonitoredItems,
    maxMonitoredItemsPerSubscription: limits.maxMonitoredItemsPerSubscription,
  };
}

/** What one call may ask for. */
export function operationLimits(limits: ServerLimits) {
  const { maxNodesPerCall, maxMonitoredItemsPerCall, maxNodesPerHistoryRead } = limits;
  return {
    maxNodesPerRead: maxNodesPerCall,
    maxNodesPerWrite: maxNodesPerCall,
    // Each has many references.
    maxNodesPerBrowse: Math.min(maxNodesPerCall, 1_000),
    maxNodesPerRegisterNodes: maxNodesPerCall,
    maxNodesPerTranslateBrowsePathsToNodeIds: maxNodesPerCall,
    maxNodesPerMethodCall: maxNodesPerCall,
    maxMonitoredItemsPerCall,
    maxNodesPerHistoryReadData: maxNodesPerHistoryRead,
    maxNodesPerHistoryReadEvents: maxNodesPerHistoryRead,
  };
}

/**
 * Keeps a server that is initialized in step with its settings, until the returned function is called. The library looks
 * at a limit when a client asks for more, so that what a client has already stays.
 */
export function followLimits(server: OPCUAServer, settings: LiveSettings): Unsubscribe {
  const follow = (): void => {
    const { serverCapabilities, historyServerCapabilities } = server.engine;
    const limits = settings.current;
    Object.assign(serverCapabilities, engineLimits(limits));
    Object.assign(serverCapabilities.operationLimits, operationLimits(limits));
    historyServerCapabilities.maxReturnDataValues = limits.maxHistoryValuesPerNode;
    server.maxConnectionsPerEndpoint = engineConnections(limits);
    for (const endpoint of server.endpoints) endpoint.maxConnections = engineConnections(limits);
  };
  follow();
  return settings.onChange(follow);
}
