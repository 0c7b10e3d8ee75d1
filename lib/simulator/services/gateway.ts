/** api.GatewayService */
import {
  GatewayListItem,
  GatewayState,
  ListGatewaysRequest,
  ListGatewaysResponse,
} from '@chirpstack/chirpstack-api/api/gateway_pb';
import { Location } from '@chirpstack/chirpstack-api/common/common_pb';
import type { UntypedServiceImplementation } from '@grpc/grpc-js';
import { type ServiceContext, unary } from '../caller';
import { milliseconds, timestamp } from '../instant';
import { parseUuid } from '../parse';
import { administrator, gatewaysOf } from '../permissions';
import type { Gateway } from '../world';
import { byName, compareText, nameMatches, page } from './listing';

/** ms without a word (two intervals of stats, 30 s each) after which a gateway is offline. */
const OFFLINE_AFTER = 60_000;

function order(request: ListGatewaysRequest): (a: Gateway, b: Gateway) => number {
  const seen = (gateway: Gateway): number => (gateway.lastSeenAt === undefined ? 0 : milliseconds(gateway.lastSeenAt));
  const compare = (a: Gateway, b: Gateway): number => {
    switch (request.getOrderBy()) {
      case ListGatewaysRequest.OrderBy.GATEWAY_ID:
        return compareText(a.gatewayId, b.gatewayId);
      case ListGatewaysRequest.OrderBy.LAST_SEEN_AT:
        return seen(a) - seen(b) || byName(a, b);
      default:
        return byName(a, b);
    }
  };
  return (a, b) => (request.getOrderByDesc() ? compare(b, a) : compare(a, b));
}

/** As ChirpStack judges a gateway at an instant (ms UTC). */
export function gatewayState(
  { lastSeenAt }: Pick<Gateway, 'lastSeenAt'>,
  now: number,
): (typeof GatewayState)[keyof typeof GatewayState] {
  if (lastSeenAt === undefined) return GatewayState.NEVER_SEEN;
  return now - milliseconds(lastSeenAt) > OFFLINE_AFTER ? GatewayState.OFFLINE : GatewayState.ONLINE;
}

export function gatewayService(context: ServiceContext): UntypedServiceImplementation {
  const { world, clock } = context;
  return {
    list: unary(context, 'GatewayService/List', (request: ListGatewaysRequest, caller) => {
      const tenantId = request.getTenantId() === '' ? undefined : parseUuid(request.getTenantId());
      caller.require(tenantId === undefined ? administrator : gatewaysOf(tenantId));
      const found = [...world.gateways.values()]
        .filter(
          (gateway) =>
            (tenantId === undefined || gateway.tenantId === tenantId) &&
            // Nothing here is in a multicast group.
            request.getMulticastGroupId() === '' &&
            nameMatches(gateway.name, request.getSearch()),
        )
        .sort(order(request));
      const { total, items } = page(found, request.getLimit(), request.getOffset());
      const reply = new ListGatewaysResponse();
      reply.setTotalCount(total);
      reply.setResultList(
        items.map((gateway) => {
          const location = new Location();
          location.setLatitude(gateway.location.latitude);
          location.setLongitude(gateway.location.longitude);
          location.setAltitude(gateway.location.altitude);
          const item = new GatewayListItem();
          item.setTenantId(gateway.tenantId);
          item.setGatewayId(gateway.gatewayId);
          item.setName(gateway.name);
          item.setDescription(gateway.description);
          item.setLocation(location);
          item.setCreatedAt(timestamp(gateway.createdAt));
          item.setUpdatedAt(timestamp(gateway.updatedAt));
          if (gateway.lastSeenAt !== undefined) item.setLastSeenAt(timestamp(gateway.lastSeenAt));
          item.setState(gatewayState(gateway, clock.now()));
          item.setDownlinkPriority(10);
          return item;
        }),
      );
      return reply;
    }),
  };
}
