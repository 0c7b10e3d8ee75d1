/**
 * The server of the library with an answer to every request: whatever a service throws or rejects with becomes a
 * ServiceFault, and a session gets a place only if there is one for its user.
 */
import type {
  Message,
  OPCUAServer,
  OPCUAServerOptions,
  ServerSecureChannelLayer,
  ServerSession,
  UserIdentityToken,
} from 'node-opcua';
import { type Clock, wait } from '../../model';
import type { Library } from '../library';
import { browseService } from './browse-service';
import { refusalOf } from './decoder-guard';
import { encodedInTurns, FEW_ELEMENTS } from './encoded-elements';
import type { SessionPlaces } from './session-places';
import { inTurns, Turns } from './turns';

/**
 * Monitored items of all clients on one node: each costs the others time when it goes. Fifty clients with ten
 * subscriptions each are far below.
 */
const MAX_ITEMS_PER_NODE = 1_000;

/**
 * ms that belong to others after each turn of making monitored items: what stays of them fills the memory so fast that
 * cleaning up would stop everybody again and again.
 */
const REST = 3;
/** ms until a client is told that it has as many monitored items as it may have. */
const REST_OF_REFUSED = 200;

/** Monitored items of one session: half of all, so that nobody takes those of others, or what one subscription may have. */
function mostItemsPerSession(limits: { maxMonitoredItems: number; maxMonitoredItemsPerSubscription: number }): number {
  return Math.max(limits.maxMonitoredItems / 2, limits.maxMonitoredItemsPerSubscription);
}

export interface ServerGuards {
  /** Undefined until the server has sessions at all. */
  places: SessionPlaces<ServerSession> | undefined;
  readonly isAdministrator: (token: UserIdentityToken) => boolean;
  readonly clock: Clock;
  /** A service failed in a way that is a fault of ours. */
  readonly onFailure: (service: string, error: unknown) => void;
}

type Handler = (message: Message, channel: ServerSecureChannelLayer) => unknown;

type ServerClass = new (options?: OPCUAServerOptions) => OPCUAServer;

export function guardedServerClass(library: Library, guards: ServerGuards): ServerClass {
  const { ServiceFault, StatusCodes, ReadRequest } = library;
  // As a plain number, which is what a request carries.
  const eventNotifier: number = library.AttributeIds.EventNotifier;
  type StatusCode = (typeof StatusCodes)['Good'];

  function fault(channel: ServerSecureChannelLayer, message: Message, serviceResult: StatusCode): void {
    // The library needs the header of a request to answer it.
    const isRequest = 'requestHeader' in message.request;
    const request = isRequest ? message.request : new ReadRequest();
    try {
      channel.send_response('MSG', new ServiceFault({ responseHeader: { serviceResult } }), { ...message, request });
    } catch {
      // Nothing can be said on this channel.
      channel.close();
    }
  }

  /** Whether it is none, or one that the library knows: it throws for others, when the item is half made. */
  function isFilter(filter: unknown): boolean {
    const { AggregateFilter, DataChangeFilter, EventFilter } = library;
    return (
      !filter ||
      filter instanceof DataChangeFilter ||
      filter instanceof EventFilter ||
      filter instanceof AggregateFilter
    );
  }

  class GuardedServer extends library.OPCUAServer {
    readonly #answered = new WeakSet<Message>();
    readonly #handlers = new Map<string, Handler>();
    readonly #browse = browseService(library, guards.clock);

    override on_request(message: Message, channel: ServerSecureChannelLayer): void {
      const { request } = message;
      const refusal = refusalOf(request);
      if (refusal !== undefined)
        return fault(
          channel,
          message,
          refusal === 'too-large' ? StatusCodes.BadEncodingLimitsExceeded : StatusCodes.BadDecodingError,
        );
      const handler = this.#handlerOf(request);
      if (handler === undefined) return fault(channel, message, StatusCodes.BadServiceUnsupported);
      try {
        this.prepare(message, channel);
        this.emit('request', request, channel);
        const outcome: unknown = Reflect.apply(handler, this, [message, channel]);
        if (outcome instanceof Promise) outcome.catch((error: unknown) => this.#fail(message, channel, error));
      } catch (error) {
        this.#fail(message, channel, error);
      }
    }

    #handlerOf(request: object & { readonly schema: { readonly name: string } }): Handler | undefined {
      const { name } = request.schema;
      const known = this.#handlers.get(name);
      if (known !== undefined) return known;
      const handler: unknown = 'requestHeader' in request ? Reflect.get(this, `_on_${name}`) : undefined;
      if (typeof handler !== 'function') return undefined;
      this.#handlers.set(name, handler as Handler);
      return handler as Handler;
    }

    #fail(message: Message, channel: ServerSecureChannelLayer, error: unknown): void {
      guards.onFailure(message.request.schema.name, error);
      if (this.#answered.has(message)) return;
      this.#answered.add(message);
      fault(channel, message, StatusCodes.BadInternalError);
    }

    /** Services of the library start this and let it go: what it rejects with would be nobody's. */
    protected override async _apply_on_SessionObject(
      ...[ResponseClass, message, channel, action]: Parameters<OPCUAServer['_apply_on_SessionObject']>
    ): Promise<void> {
      try {
        await super._apply_on_SessionObject(ResponseClass, message, channel, (session, sendResponse, sendError) =>
          action(
            session,
            (response) => {
              sendResponse(response);
              this.#answered.add(message);
            },
            (status) => {
              sendError(status);
              this.#answered.add(message);
            },
          ),
        );
      } catch (error) {
        this.#fail(message, channel, error);
      }
    }

    protected override async _on_CreateSessionRequest(
      message: Message,
      channel: ServerSecureChannelLayer,
    ): Promise<void> {
      if (guards.places?.mayCreate() === false) return fault(channel, message, StatusCodes.BadTooManySessions);
      await super._on_CreateSessionRequest(message, channel);
    }

    protected override _on_BrowseRequest(message: Message, channel: ServerSecureChannelLayer): void {
      const { BrowseRequest, BrowseResponse, NodeClass } = library;
      const { request } = message;
      const { addressSpace, serverCapabilities } = this.engine;
      if (!(request instanceof BrowseRequest) || addressSpace === null) return;
      const { view, requestedMaxReferencesPerNode } = request;
      const nodes = request.nodesToBrowse ?? [];
      // Answers whatever happens, and never rejects.
      void this._apply_on_SessionObject(BrowseResponse, message, channel, async (session, sendResponse, sendError) => {
        if (!view.viewId.isEmpty() && addressSpace.findNode(view.viewId)?.nodeClass !== NodeClass.View)
          return sendError(StatusCodes.BadViewIdUnknown);
        if (nodes.length === 0) return sendError(StatusCodes.BadNothingToDo);
        if (nodes.length > serverCapabilities.operationLimits.maxNodesPerBrowse)
          return sendError(StatusCodes.BadTooManyOperations);
        const answer = await this.#browse(this.engine, session, nodes, requestedMaxReferencesPerNode);
        if (answer instanceof BrowseResponse) sendResponse(answer);
        else sendError(answer);
      });
    }

    /** As the library does it, in turns with other requests. */
    protected override _on_CreateMonitoredItemsRequest(message: Message, channel: ServerSecureChannelLayer): void {
      const { CreateMonitoredItemsRequest, CreateMonitoredItemsResponse, MonitoredItemCreateResult } = library;
      const { request } = message;
      const { addressSpace, serverCapabilities } = this.engine;
      if (!(request instanceof CreateMonitoredItemsRequest) || addressSpace === null) return;
      const { timestampsToReturn, subscriptionId } = request;
      const items = request.itemsToCreate ?? [];
      const refused = (statusCode: StatusCode) => new MonitoredItemCreateResult({ statusCode });
      // Answers whatever happens, and never rejects.
      void this._apply_on_Subscription(
        CreateMonitoredItemsResponse,
        message,
        channel,
        async (session, subscription, sendResponse, sendError) => {
          if (timestampsToReturn === library.TimestampsToReturn.Invalid)
            return sendError(StatusCodes.BadTimestampsToReturnInvalid);
          if (items.length === 0) return sendError(StatusCodes.BadNothingToDo);
          if (items.length > serverCapabilities.operationLimits.maxMonitoredItemsPerCall)
            return sendError(StatusCodes.BadTooManyOperations);
          const results = await inTurns(
            guards.clock,
            items,
            (part) =>
              part.map((item) => {
                // Either may have ended meanwhile.
                if (session.status !== 'active' || session.getSubscription(subscriptionId) !== subscription)
                  return refused(StatusCodes.BadSubscriptionIdInvalid);
                // Part 4 §7.22.3: events without a filter have no fields.
                if (
                  item.itemToMonitor.attributeId === eventNotifier &&
                  !(item.requestedParameters.filter instanceof library.EventFilter)
                )
                  return refused(StatusCodes.BadEventFilterInvalid);
                const node = addressSpace.findNode(item.itemToMonitor.nodeId);
                if (
                  (node !== null && node.listenerCount('dispose') >= MAX_ITEMS_PER_NODE) ||
                  session.currentMonitoredItemCount >= mostItemsPerSession(serverCapabilities)
                )
                  return refused(StatusCodes.BadTooManyMonitoredItems);
                if (!isFilter(item.requestedParameters.filter))
                  return refused(StatusCodes.BadMonitoredItemFilterInvalid);
                const made = subscription.preCreateMonitoredItem(addressSpace, timestampsToReturn, item);
                if (made.monitoredItem)
                  subscription.postCreateMonitoredItem(made.monitoredItem, item, made.createResult);
                return made.createResult;
              }),
            REST,
          );
          const isLong = results.length > FEW_ELEMENTS;
          // Who goes on asking for many when there are no more, has to wait.
          if (isLong && results.at(-1)?.statusCode === StatusCodes.BadTooManyMonitoredItems)
            await wait(guards.clock, REST_OF_REFUSED);
          const encoded = isLong ? await encodedInTurns(library, results, new Turns(guards.clock)) : results;
          if (session.status !== 'active') return sendError(StatusCodes.BadSessionClosed);
          const response = new CreateMonitoredItemsResponse({ results: [] });
          // The constructor would copy them.
          Reflect.set(response, 'results', encoded);
          sendResponse(response);
        },
      );
    }

    protected override isUserAuthorized(
      ...[channel, session, token, callback]: Parameters<OPCUAServer['isUserAuthorized']>
    ): void {
      super.isUserAuthorized(channel, session, token, (error, isAuthorized, status) => {
        if (isAuthorized !== true || guards.places?.mayActivate(session, guards.isAdministrator(token)) !== false)
          return callback(error, isAuthorized, status);
        callback(null, false, StatusCodes.BadTooManySessions);
        // It would only wait for its time-out.
        this.engine.closeSession(session.authenticationToken, true, 'Forcing');
      });
    }
  }
  return GuardedServer;
}
