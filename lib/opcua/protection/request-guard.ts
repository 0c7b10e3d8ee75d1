/**
 * Makes requests harmless before the library serves them: node-opcua 2.186 asserts on some sampling intervals (NaN,
 * infinite, some negative ones, 0 where a node has no minimum), which ends the process or leaves the client without an
 * answer.
 */
import type { Library } from '../library';

/** Longest sampling interval the library knows, ms. */
const LONGEST_INTERVAL = 3_600_000;
/** Shortest interval of a sampling timer, ms. */
const SHORTEST_INTERVAL = 50;

export interface GuardOptions {
  /** Whether values of nodes in a namespace are pushed, so that nobody needs to sample them. */
  readonly isPushed: (namespaceIndex: number) => boolean;
  readonly samplingRewrite: boolean;
  /** What an existing monitored item looks at; undefined if there is none. */
  readonly findItem: (subscriptionId: number, itemId: number) => { namespace: number; attribute: number } | undefined;
}

/**
 * What a client asks for, as a number that the library can stand. Anything negative means "as fast as the
 * subscription publishes" (Part 4 §5.13.1.2), and so does what is no number at all.
 */
export function harmlessInterval(requested: number): number {
  if (Number.isNaN(requested) || requested < 0) return -1;
  return Math.min(requested, LONGEST_INTERVAL);
}

/** Repairs one request in place. Requests of other services are left alone. */
export function guardRequest(library: Library, request: unknown, options: GuardOptions): void {
  const { CreateMonitoredItemsRequest, DataChangeFilter, HistoryReadRequest, ModifyMonitoredItemsRequest } = library;
  if (request instanceof HistoryReadRequest) {
    // Part 4 §5.11.3.2 wants the request refused as a whole; the library refuses nothing but the value Invalid.
    const { timestampsToReturn: timestamps, historyReadDetails: details } = request;
    if (timestamps === library.TimestampsToReturn.Neither && !(details instanceof library.ReadEventDetails))
      request.timestampsToReturn = library.TimestampsToReturn.Invalid;
    return;
  }
  if (!(request instanceof CreateMonitoredItemsRequest || request instanceof ModifyMonitoredItemsRequest)) return;
  // As plain numbers, which is what a request carries.
  const value: number = library.AttributeIds.Value;
  const none: number = library.DeadbandType.None;
  const percent: number = library.DeadbandType.Percent;

  const guard = (
    parameters: { samplingInterval: number; filter: unknown },
    namespace: number,
    attribute: number,
  ): void => {
    const interval = harmlessInterval(parameters.samplingInterval);
    if (attribute !== value) parameters.samplingInterval = Math.max(interval, 0);
    else if (options.isPushed(namespace))
      // With 0 each change is delivered when it happens, and no timer runs while nothing does.
      parameters.samplingInterval = options.samplingRewrite ? 0 : interval;
    else parameters.samplingInterval = interval < 0 ? interval : Math.max(interval, SHORTEST_INTERVAL);

    const { filter } = parameters;
    if (
      filter instanceof DataChangeFilter &&
      filter.deadbandType !== none &&
      !(filter.deadbandType <= percent && Number.isFinite(filter.deadbandValue) && filter.deadbandValue >= 0)
    ) {
      // The one senseless dead-band that the library answers as it should, with BadDeadbandFilterInvalid.
      filter.deadbandType = library.DeadbandType.Percent;
      filter.deadbandValue = -1;
    }
  };

  if (request instanceof CreateMonitoredItemsRequest)
    for (const { itemToMonitor, requestedParameters } of request.itemsToCreate ?? [])
      guard(requestedParameters, itemToMonitor.nodeId.namespace, itemToMonitor.attributeId);
  else
    for (const { monitoredItemId, requestedParameters } of request.itemsToModify ?? []) {
      const item = options.findItem(request.subscriptionId, monitoredItemId);
      guard(requestedParameters, item?.namespace ?? 0, item?.attribute ?? value);
    }
}
