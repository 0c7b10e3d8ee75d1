/** The calls of ChirpStack's API that Lorua reads with: domain words in, parsed plain data out. */
import type { z } from 'zod';
import type { ApplicationId, DevEui, DeviceProfileId, TenantId } from '../model';
import { CallError } from './call-failure';
import type { CallSettings, ChirpstackConnection } from './connection';
import {
  applicationMessages,
  deviceMessages,
  gatewayMessages,
  profileMessages,
  tenantMessages,
  timestamps,
} from './grpc-modules';
import {
  applicationReply,
  type DeviceItem,
  deviceItem,
  deviceReply,
  type GatewayItem,
  gatewayItem,
  listReply,
  metricsReply,
  namedItem,
  profileItem,
  profileReply,
} from './replies';

/** Rows asked for at once: well below every message limit, and few calls for thousands of devices. */
export const PAGE_SIZE = 500;
/** A server that ignores the offset must not keep us reading for ever. */
const MAX_PAGES = 1_000;

/** All rows of a list, and those that could not be read. */
export interface Listing<Row> {
  readonly rows: readonly Row[];
  readonly unreadable: number;
}

export class ChirpstackApi {
  readonly #connection: ChirpstackConnection;

  constructor(connection: ChirpstackConnection) {
    this.#connection = connection;
  }

  /** Only for global admin keys. */
  tenants(settings: CallSettings): Promise<Listing<z.infer<typeof namedItem>>> {
    return this.#pages(namedItem, 'TenantService.List', (limit, offset) =>
      this.#connection.call(
        'TenantService.List',
        (clients, metadata, options, callback) => {
          const request = new (tenantMessages().ListTenantsRequest)();
          request.setLimit(limit);
          request.setOffset(offset);
          return clients.tenants.list(request, metadata, options, callback);
        },
        settings,
      ),
    );
  }

  applications(tenantId: TenantId, settings: CallSettings): Promise<Listing<z.infer<typeof namedItem>>> {
    return this.#pages(namedItem, 'ApplicationService.List', (limit, offset) =>
      this.#connection.call(
        'ApplicationService.List',
        (clients, metadata, options, callback) => {
          const request = new (applicationMessages().ListApplicationsRequest)();
          request.setTenantId(tenantId);
          request.setLimit(limit);
          request.setOffset(offset);
          return clients.applications.list(request, metadata, options, callback);
        },
        settings,
      ),
    );
  }

  async application(id: ApplicationId, settings: CallSettings) {
    const reply = await this.#connection.call(
      'ApplicationService.Get',
      (clients, metadata, options, callback) => {
        const request = new (applicationMessages().GetApplicationRequest)();
        request.setId(id);
        return clients.applications.get(request, metadata, options, callback);
      },
      settings,
    );
    return parseReply(applicationReply, 'ApplicationService.Get', reply).application;
  }

  /** Profiles of a tenant and the global ones, with the version of each. */
  profiles(tenantId: TenantId, settings: CallSettings): Promise<Listing<z.infer<typeof profileItem>>> {
    return this.#pages(profileItem, 'DeviceProfileService.List', (limit, offset) =>
      this.#connection.call(
        'DeviceProfileService.List',
        (clients, metadata, options, callback) => {
          const request = new (profileMessages().ListDeviceProfilesRequest)();
          request.setTenantId(tenantId);
          request.setLimit(limit);
          request.setOffset(offset);
          return clients.profiles.list(request, metadata, options, callback);
        },
        settings,
      ),
    );
  }

  async profile(id: DeviceProfileId, settings: CallSettings) {
    const reply = await this.#connection.call(
      'DeviceProfileService.Get',
      (clients, metadata, options, callback) => {
        const request = new (profileMessages().GetDeviceProfileRequest)();
        request.setId(id);
        return clients.profiles.get(request, metadata, options, callback);
      },
      settings,
    );
    return parseReply(profileReply, 'DeviceProfileService.Get', reply).deviceProfile;
  }

  /** By EUI, the primary key, for the same reason as {@link devices}. */
  gateways(tenantId: TenantId, settings: CallSettings): Promise<Listing<GatewayItem>> {
    return this.#pages(gatewayItem, 'GatewayService.List', (limit, offset) =>
      this.#connection.call(
        'GatewayService.List',
        (clients, metadata, options, callback) => {
          const { ListGatewaysRequest } = gatewayMessages();
          const request = new ListGatewaysRequest();
          request.setTenantId(tenantId);
          request.setOrderBy(ListGatewaysRequest.OrderBy.GATEWAY_ID);
          request.setLimit(limit);
          request.setOffset(offset);
          return clients.gateways.list(request, metadata, options, callback);
        },
        settings,
      ),
    );
  }

  /** By DevEUI, the primary key: names are not unique, so that an order by name shifts rows between pages. */
  devices(applicationId: ApplicationId, settings: CallSettings): Promise<Listing<DeviceItem>> {
    return this.#pages(deviceItem, 'DeviceService.List', (limit, offset) =>
      this.#connection.call(
        'DeviceService.List',
        (clients, metadata, options, callback) => {
          const { ListDevicesRequest } = deviceMessages();
          const request = new ListDevicesRequest();
          request.setApplicationId(applicationId);
          request.setOrderBy(ListDevicesRequest.OrderBy.DEV_EUI);
          request.setLimit(limit);
          request.setOffset(offset);
          return clients.devices.list(request, metadata, options, callback);
        },
        settings,
      ),
    );
  }

  async device(devEui: DevEui, settings: CallSettings) {
    const reply = await this.#connection.call(
      'DeviceService.Get',
      (clients, metadata, options, callback) => {
        const request = new (deviceMessages().GetDeviceRequest)();
        request.setDevEui(devEui);
        return clients.devices.get(request, metadata, options, callback);
      },
      settings,
    );
    const { device, classEnabled } = parseReply(deviceReply, 'DeviceService.Get', reply);
    return { ...device, deviceClass: classEnabled };
  }

  /**
   * Buckets by the hour of the server's time zone that touch `start`…`end` (ms UTC), both ends included. A bucket
   * without data reads 0.
   */
  async hourlyMetrics(devEui: DevEui, start: number, end: number, settings: CallSettings) {
    const reply = await this.#connection.call(
      'DeviceService.GetMetrics',
      (clients, metadata, options, callback) => {
        const { Timestamp } = timestamps();
        const request = new (deviceMessages().GetDeviceMetricsRequest)();
        request.setDevEui(devEui);
        request.setStart(Timestamp.fromDate(new Date(start)));
        request.setEnd(Timestamp.fromDate(new Date(end)));
        // common.Aggregation.HOUR; MINUTE is never written for devices.
        request.setAggregation(0);
        return clients.devices.getMetrics(request, metadata, options, callback);
      },
      settings,
    );
    const { metricsMap, statesMap } = parseReply(metricsReply, 'DeviceService.GetMetrics', reply);
    return { metrics: metricsMap, states: statesMap };
  }

  // `total_count` is not to be relied upon: it counts devices once per multicast group, and it is older than the page.
  async #pages<Row>(
    schema: z.ZodType<Row>,
    method: string,
    page: (limit: number, offset: number) => Promise<unknown>,
  ): Promise<Listing<Row>> {
    const rows: Row[] = [];
    let unreadable = 0;
    for (let number = 0; number < MAX_PAGES; number++) {
      const { resultList } = parseReply(listReply, method, await page(PAGE_SIZE, number * PAGE_SIZE));
      for (const item of resultList) {
        const row = schema.safeParse(item);
        if (row.success) rows.push(row.data);
        else unreadable++;
      }
      if (resultList.length < PAGE_SIZE) return { rows, unreadable };
    }
    throw badAnswer(method, `The list does not end after ${MAX_PAGES} pages.`);
  }
}

function parseReply<Schema extends z.ZodType>(schema: Schema, method: string, reply: unknown): z.infer<Schema> {
  const parsed = schema.safeParse(reply);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw badAnswer(method, `The reply cannot be read: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`);
}

function badAnswer(method: string, reason: string): CallError {
  return new CallError(method, {
    kind: 'bad-answer',
    code: 2,
    reason,
    cure: 'Check that the address is that of ChirpStack v4, and its version.',
    neverSent: false,
  });
}
