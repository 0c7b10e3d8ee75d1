/** api.InternalService: what API keys may use of it; the rest is refused as ChirpStack refuses it. */
import { GatewayState } from '@chirpstack/chirpstack-api/api/gateway_pb';
import {
  type GetDevicesSummaryRequest,
  GetDevicesSummaryResponse,
  type GetGatewaysSummaryRequest,
  GetGatewaysSummaryResponse,
  type LogItem,
  SettingsResponse,
  type StreamDeviceEventsRequest,
} from '@chirpstack/chirpstack-api/api/internal_pb';
import type { UntypedServiceImplementation } from '@grpc/grpc-js';
import { type ServiceContext, streaming, unary } from '../caller';
import { milliseconds } from '../instant';
import { parseEui64, parseUuid } from '../parse';
import { administrator, nobody, readDevice, tenant } from '../permissions';
import type { EventStreams } from '../streams';
import { gatewayState } from './gateway';

/** A device counts as active until this many of its profile's uplink intervals went by without an uplink. */
const ACTIVE_INTERVALS = 1.5;

export function internalService(context: ServiceContext, streams: EventStreams): UntypedServiceImplementation {
  const { world, clock } = context;
  const refused = (method: string): UntypedServiceImplementation[string] =>
    unary(context, `InternalService/${method}`, (_request: unknown, caller) => {
      caller.require(nobody);
      return undefined;
    });
  return {
    streamDeviceEvents: streaming<StreamDeviceEventsRequest, LogItem>(
      context,
      'InternalService/StreamDeviceEvents',
      (stream, caller) => {
        const text = stream.request.getDevEui();
        caller.require(readDevice(parseEui64(text)));
        streams.follow(stream, world.events(text));
      },
    ),

    getDevicesSummary: unary(
      context,
      'InternalService/GetDevicesSummary',
      (request: GetDevicesSummaryRequest, caller) => {
        const tenantId = request.getTenantId() === '' ? undefined : parseUuid(request.getTenantId());
        caller.require(tenantId === undefined ? administrator : tenant(tenantId));
        let active = 0;
        let inactive = 0;
        let neverSeen = 0;
        const reply = new GetDevicesSummaryResponse();
        const dataRates = reply.getDrCountMap();
        for (const device of world.devices.values()) {
          if (tenantId !== undefined && world.tenantOf(device) !== tenantId) continue;
          const interval = (world.profiles.get(device.profileId)?.uplinkInterval ?? 0) * 1_000;
          if (device.lastSeenAt === undefined) neverSeen++;
          else if (clock.now() - milliseconds(device.lastSeenAt) < ACTIVE_INTERVALS * interval) active++;
          else inactive++;
          if (device.dataRate !== undefined) dataRates.set(device.dataRate, (dataRates.get(device.dataRate) ?? 0) + 1);
        }
        reply.setActiveCount(active);
        reply.setInactiveCount(inactive);
        reply.setNeverSeenCount(neverSeen);
        return reply;
      },
    ),

    getGatewaysSummary: unary(
      context,
      'InternalService/GetGatewaysSummary',
      (request: GetGatewaysSummaryRequest, caller) => {
        const tenantId = request.getTenantId() === '' ? undefined : parseUuid(request.getTenantId());
        caller.require(tenantId === undefined ? administrator : tenant(tenantId));
        const states = [...world.gateways.values()]
          .filter((gateway) => tenantId === undefined || gateway.tenantId === tenantId)
          .map((gateway) => gatewayState(gateway, clock.now()));
        const countOf = (state: (typeof states)[number]): number => states.filter((held) => held === state).length;
        const reply = new GetGatewaysSummaryResponse();
        reply.setOnlineCount(countOf(GatewayState.ONLINE));
        reply.setOfflineCount(countOf(GatewayState.OFFLINE));
        reply.setNeverSeenCount(countOf(GatewayState.NEVER_SEEN));
        return reply;
      },
    ),

    /** The web interface asks for it before anybody has logged in. */
    settings: unary(context, 'InternalService/Settings', () => new SettingsResponse()),

    profile: refused('Profile'),
    globalSearch: refused('GlobalSearch'),
    createApiKey: refused('CreateApiKey'),
    deleteApiKey: refused('DeleteApiKey'),
    listApiKeys: refused('ListApiKeys'),
    listRegions: refused('ListRegions'),
    getRegion: refused('GetRegion'),
    getVersion: refused('GetVersion'),
  };
}
