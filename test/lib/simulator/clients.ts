/** Generated clients of a simulated ChirpStack, and requests made of their recorded form (`toObject()`). */
import { ApplicationServiceClient } from '@chirpstack/chirpstack-api/api/application_grpc_pb';
import {
  GetApplicationRequest,
  ListApplicationDeviceProfilesRequest,
  ListApplicationDeviceTagsRequest,
  ListApplicationsRequest,
} from '@chirpstack/chirpstack-api/api/application_pb';
import { DeviceServiceClient } from '@chirpstack/chirpstack-api/api/device_grpc_pb';
import {
  DeviceQueueItem,
  EnqueueDeviceQueueItemRequest,
  FlushDeviceQueueRequest,
  GetDeviceLinkMetricsRequest,
  GetDeviceMetricsRequest,
  GetDeviceNextFCntDownRequest,
  GetDeviceQueueItemsRequest,
  GetDeviceRequest,
  ListDevicesRequest,
} from '@chirpstack/chirpstack-api/api/device_pb';
import { DeviceProfileServiceClient } from '@chirpstack/chirpstack-api/api/device_profile_grpc_pb';
import { GetDeviceProfileRequest, ListDeviceProfilesRequest } from '@chirpstack/chirpstack-api/api/device_profile_pb';
import { GatewayServiceClient } from '@chirpstack/chirpstack-api/api/gateway_grpc_pb';
import { ListGatewaysRequest } from '@chirpstack/chirpstack-api/api/gateway_pb';
import { InternalServiceClient } from '@chirpstack/chirpstack-api/api/internal_grpc_pb';
import {
  GetDevicesSummaryRequest,
  GetGatewaysSummaryRequest,
  type LogItem,
  StreamDeviceEventsRequest,
} from '@chirpstack/chirpstack-api/api/internal_pb';
import { TenantServiceClient } from '@chirpstack/chirpstack-api/api/tenant_grpc_pb';
import { GetTenantRequest, ListTenantsRequest } from '@chirpstack/chirpstack-api/api/tenant_pb';
import { credentials, Metadata } from '@grpc/grpc-js';
import { Empty } from 'google-protobuf/google/protobuf/empty_pb';
import { Struct } from 'google-protobuf/google/protobuf/struct_pb';
import { Timestamp } from 'google-protobuf/google/protobuf/timestamp_pb';
import { z } from 'zod';

const REQUESTS: Readonly<Record<string, new () => object>> = {
  'tenant.list': ListTenantsRequest,
  'tenant.get': GetTenantRequest,
  'app.list': ListApplicationsRequest,
  'app.get': GetApplicationRequest,
  'app.listDeviceProfiles': ListApplicationDeviceProfilesRequest,
  'app.listDeviceTags': ListApplicationDeviceTagsRequest,
  'dp.list': ListDeviceProfilesRequest,
  'dp.get': GetDeviceProfileRequest,
  'dev.list': ListDevicesRequest,
  'dev.get': GetDeviceRequest,
  'dev.getMetrics': GetDeviceMetricsRequest,
  'dev.getLinkMetrics': GetDeviceLinkMetricsRequest,
  'dev.enqueue': EnqueueDeviceQueueItemRequest,
  'dev.flushQueue': FlushDeviceQueueRequest,
  'dev.getQueue': GetDeviceQueueItemsRequest,
  'dev.getNextFCntDown': GetDeviceNextFCntDownRequest,
  'gw.list': ListGatewaysRequest,
  'int.getDevicesSummary': GetDevicesSummaryRequest,
  'int.getGatewaysSummary': GetGatewaysSummaryRequest,
  'int.getVersion': Empty,
  'int.settings': Empty,
};

const instantSchema = z.object({ seconds: z.number(), nanos: z.number() });
const fieldsSchema = z.array(
  z.tuple([
    z.string(),
    z.object({
      numberValue: z.number().optional(),
      stringValue: z.string().optional(),
      boolValue: z.boolean().optional(),
    }),
  ]),
);
const mapSchema = z.array(z.tuple([z.string(), z.string()]));

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

function apply(target: object, method: string, ...values: unknown[]): unknown {
  const found: unknown = Reflect.get(target, method);
  if (typeof found !== 'function') throw new Error(`there is no ${method}`);
  return Reflect.apply(found, target, values) as unknown;
}

/** Sets the fields of a message from its recorded form. */
function fill<Message extends object>(message: Message, fields: unknown): Message {
  if (!isRecord(fields)) return message;
  for (const [name, value] of Object.entries(fields)) {
    const setter = `set${name.charAt(0).toUpperCase()}${name.slice(1)}`;
    if (name.endsWith('Map')) {
      const map = apply(message, `get${name.charAt(0).toUpperCase()}${name.slice(1)}`);
      if (isRecord(map)) for (const [key, text] of mapSchema.parse(value)) apply(map, 'set', key, text);
    } else if (name === 'queueItem') apply(message, setter, fill(new DeviceQueueItem(), value));
    else if (name === 'object' && isRecord(value)) {
      const entries = fieldsSchema.parse(value.fieldsMap);
      const plain = entries.map(
        ([key, held]) => [key, held.numberValue ?? held.stringValue ?? held.boolValue ?? null] as const,
      );
      apply(message, setter, Struct.fromJavaScript(Object.fromEntries(plain)));
    } else if (isRecord(value)) {
      const { seconds, nanos } = instantSchema.parse(value);
      const timestamp = new Timestamp();
      timestamp.setSeconds(seconds);
      timestamp.setNanos(nanos);
      apply(message, setter, timestamp);
    } else apply(message, setter, value);
  }
  return message;
}

export interface Answer {
  readonly reply?: unknown;
  readonly error?: { readonly code: number; readonly details: string };
}

export interface OpenStream {
  readonly items: LogItem[];
  readonly errors: { readonly code: number; readonly details: string }[];
  cancel(): void;
}

const errorSchema = z.object({ code: z.number(), details: z.string() });

export class Clients {
  readonly #clients: Readonly<Record<string, { close(): void }>>;
  readonly #internal: InternalServiceClient;

  constructor(port: number) {
    const address = `127.0.0.1:${port}`;
    const insecure = credentials.createInsecure();
    this.#internal = new InternalServiceClient(address, insecure);
    this.#clients = {
      tenant: new TenantServiceClient(address, insecure),
      app: new ApplicationServiceClient(address, insecure),
      dp: new DeviceProfileServiceClient(address, insecure),
      dev: new DeviceServiceClient(address, insecure),
      gw: new GatewayServiceClient(address, insecure),
      int: this.#internal,
    };
  }

  /** Calls, e.g. `dev.list`. @param authorization value of the metadata, absent for none */
  call(method: string, request: unknown, authorization: string | undefined): Promise<Answer> {
    const [service = '', name = ''] = method.split('.');
    const client = this.#clients[service];
    const Request = REQUESTS[method];
    if (client === undefined || Request === undefined) throw new Error(`no such method: ${method}`);
    const message = fill(new Request(), request);
    return new Promise((resolve) => {
      apply(client, name, message, metadata(authorization), (error: unknown, reply: unknown) => {
        if (error !== null) resolve({ error: errorSchema.parse(error) });
        else resolve({ reply: isRecord(reply) ? plain(apply(reply, 'toObject')) : reply });
      });
    });
  }

  streamDeviceEvents(devEui: string, authorization: string | undefined): OpenStream {
    const request = new StreamDeviceEventsRequest();
    request.setDevEui(devEui);
    const stream = this.#internal.streamDeviceEvents(request, metadata(authorization));
    const items: LogItem[] = [];
    const errors: { code: number; details: string }[] = [];
    stream.on('data', (item: LogItem) => items.push(item));
    stream.on('error', (error) => errors.push(errorSchema.parse(error)));
    return { items, errors, cancel: () => stream.cancel() };
  }

  close(): void {
    for (const client of Object.values(this.#clients)) client.close();
  }
}

function metadata(authorization: string | undefined): Metadata {
  const result = new Metadata();
  if (authorization !== undefined) result.set('authorization', authorization);
  return result;
}

/** As a recording holds it: without `undefined`. */
export function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value)) as unknown;
}

/** Lets the sockets work until something holds; real time only guards against hanging. */
export async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`never came true: ${condition.toString()}`);
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

/** Gives the sockets time to bring what is on its way; for showing that nothing comes. */
export async function quiet(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}
