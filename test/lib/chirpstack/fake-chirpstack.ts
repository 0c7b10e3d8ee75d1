/**
 * A small ChirpStack on real gRPC for tests: lists, single objects, metrics and event streams of a fleet that tests
 * change as they like, with the error codes of the real one (reference: chirpstack/src/api/auth/validator.rs).
 */
import { ApplicationServiceService } from '@chirpstack/chirpstack-api/api/application_grpc_pb';
import * as applications from '@chirpstack/chirpstack-api/api/application_pb';
import { DeviceServiceService } from '@chirpstack/chirpstack-api/api/device_grpc_pb';
import * as devices from '@chirpstack/chirpstack-api/api/device_pb';
import { DeviceProfileServiceService } from '@chirpstack/chirpstack-api/api/device_profile_grpc_pb';
import * as profiles from '@chirpstack/chirpstack-api/api/device_profile_pb';
import { GatewayServiceService } from '@chirpstack/chirpstack-api/api/gateway_grpc_pb';
import * as gateways from '@chirpstack/chirpstack-api/api/gateway_pb';
import { InternalServiceService } from '@chirpstack/chirpstack-api/api/internal_grpc_pb';
import * as internal from '@chirpstack/chirpstack-api/api/internal_pb';
import { TenantServiceService } from '@chirpstack/chirpstack-api/api/tenant_grpc_pb';
import * as tenants from '@chirpstack/chirpstack-api/api/tenant_pb';
import { Location, Metric, MetricDataset } from '@chirpstack/chirpstack-api/common/common_pb';
import * as grpc from '@grpc/grpc-js';
import { Timestamp } from 'google-protobuf/google/protobuf/timestamp_pb';

export const TENANT = '52f14cd4-c6f1-4fbd-8f87-4025e1d49242';
export const APPLICATION = '17c82e96-be03-4f38-aef3-f83d48582d97';
export const PROFILE = '14855bf7-d10d-4aee-b618-ebfcb64dc7ad';
export const ADMIN_TOKEN = 'admin-token';
export const TENANT_TOKEN = 'tenant-token';

export interface FakeDevice {
  devEui: string;
  name: string;
  applicationId: string;
  profileId: string;
  disabled: boolean;
  deviceClass: 0 | 1 | 2;
  updatedAt: number;
  lastSeenAt?: number;
  status?: { margin: number; external: boolean; battery: number };
  tags: Record<string, string>;
}

export interface FakeGateway {
  name: string;
  state: 0 | 1 | 2;
  lastSeenAt?: number;
  location: [latitude: number, longitude: number, altitude: number];
}

export interface FakeProfile {
  name: string;
  interval: number;
  updatedAt: number;
  measurements: Record<string, { name: string; kind: 0 | 1 | 2 | 3 | 4 }>;
}

type Failure = { code: number; details: string };
type Unary<Request, Reply> = (
  call: { request: Request; metadata: grpc.Metadata },
  callback: (error: Failure | null, reply?: Reply) => void,
) => void;

/** DevEUI of the device with this number. */
export function eui(number: number): string {
  return number.toString(16).padStart(16, '0');
}

/** Body of an uplink event. */
export function uplinkBody(device: FakeDevice, fields: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    deduplicationId: `dedup-${device.devEui}-${Math.random()}`,
    time: new Date().toISOString().replace('Z', '+00:00'),
    deviceInfo: {
      tenantId: TENANT,
      applicationId: device.applicationId,
      deviceProfileId: device.profileId,
      deviceName: device.name,
      devEui: device.devEui,
      deviceClassEnabled: 'CLASS_A',
      tags: device.tags,
    },
    dr: 5,
    fCnt: 1,
    fPort: 1,
    object: { temperature: 20.5 },
    rxInfo: [],
    ...fields,
  };
}

export class FakeChirpstack {
  readonly tenants = new Map<string, string>([[TENANT, 'Tenant']]);
  readonly applications = new Map<string, { name: string; tenantId: string }>([
    [APPLICATION, { name: 'Plant', tenantId: TENANT }],
  ]);
  readonly profiles = new Map<string, FakeProfile>([
    [
      PROFILE,
      { name: 'Sensor', interval: 60, updatedAt: 1, measurements: { temperature: { name: 'Temperature', kind: 3 } } },
    ],
  ]);
  readonly devices = new Map<string, FakeDevice>();
  /** By EUI, all of {@link TENANT}. */
  readonly gateways = new Map<string, FakeGateway>();
  readonly history = new Map<string, internal.LogItem[]>();
  readonly buckets = new Map<string, Record<string, [number, number][]>>();
  readonly states = new Map<string, Record<string, string>>();
  readonly tokens = new Map<string, 'admin' | 'tenant'>([
    [ADMIN_TOKEN, 'admin'],
    [TENANT_TOKEN, 'tenant'],
  ]);
  /** Tokens of keys that were deleted. */
  readonly deletedTokens = new Set<string>();
  /** Calls by `Service.Method`, and the greatest number that ever ran at once. */
  readonly calls: string[] = [];
  readonly streamsOpened: string[] = [];
  mostInFlight = 0;
  /** Answers are held back so long, ms. */
  latency = 0;
  /** Calls are taken and never answered. */
  hung = false;
  /** Gives an error instead of the answer. */
  fail: (method: string, subject: string) => Failure | undefined = () => undefined;
  /** Changes the rows of one page of devices before it is sent. */
  distort: (rows: devices.DeviceListItem[], offset: number) => devices.DeviceListItem[] = (rows) => rows;
  port = 0;
  #inFlight = 0;
  #server: grpc.Server | undefined;
  readonly #streams = new Map<
    string,
    Set<grpc.ServerWritableStream<internal.StreamDeviceEventsRequest, internal.LogItem>>
  >();

  addDevices(count: number, from = 1): void {
    for (let number = from; number < from + count; number++)
      this.devices.set(eui(number), {
        devEui: eui(number),
        name: `Device ${number}`,
        applicationId: APPLICATION,
        profileId: PROFILE,
        disabled: false,
        deviceClass: 0,
        updatedAt: 1_000,
        tags: {},
      });
  }

  device(number: number): FakeDevice {
    const device = this.devices.get(eui(number));
    if (device === undefined) throw new Error(`no device ${number}`);
    return device;
  }

  get openStreams(): number {
    return [...this.#streams.values()].reduce((sum, calls) => sum + calls.size, 0);
  }

  async start(credentials = grpc.ServerCredentials.createInsecure(), host = '127.0.0.1'): Promise<void> {
    const server = new grpc.Server();
    this.#server = server;
    this.#addServices(server);
    this.port = await new Promise<number>((resolve, reject) => {
      server.bindAsync(`${host}:${this.port}`, credentials, (error, port) => (error ? reject(error) : resolve(port)));
    });
  }

  /** Down at once, as when the process is killed. */
  stop(): void {
    this.#server?.forceShutdown();
    this.#server = undefined;
    this.#streams.clear();
    this.#inFlight = 0;
  }

  /** Ends the streams of all devices, or of one, with an error or without. */
  endStreams(failure?: Failure, devEui?: string): void {
    for (const [eui, calls] of this.#streams) {
      if (devEui !== undefined && eui !== devEui) continue;
      for (const call of calls) {
        if (failure) call.emit('error', failure);
        else call.end();
      }
      calls.clear();
    }
  }

  /** Stores an event in the history of a device and sends it to who listens. */
  push(devEui: string, type: string, body: unknown, options: { id?: string; time?: number } = {}): internal.LogItem {
    const item = new internal.LogItem();
    const time = options.time ?? Date.now();
    item.setId(options.id ?? `${time}-${this.calls.length + Math.floor(Math.random() * 1e9)}`);
    item.setTime(Timestamp.fromDate(new Date(time)));
    item.setDescription(type);
    item.setBody(typeof body === 'string' ? body : JSON.stringify(body));
    this.history.set(devEui, [...(this.history.get(devEui) ?? []), item].slice(-10));
    for (const call of this.#streams.get(devEui) ?? []) call.write(item);
    return item;
  }

  #addServices(server: grpc.Server): void {
    const all = server as unknown as { addService(service: unknown, implementation: unknown): void };
    all.addService(TenantServiceService, {
      list: this.#unary<tenants.ListTenantsRequest, tenants.ListTenantsResponse>(
        'TenantService.List',
        (request, admin) => {
          if (!admin) return denied();
          const reply = new tenants.ListTenantsResponse();
          reply.setResultList(
            page([...this.tenants], request).map(([id, name]) => {
              const item = new tenants.TenantListItem();
              item.setId(id);
              item.setName(name);
              return item;
            }),
          );
          return reply;
        },
      ),
    });
    all.addService(ApplicationServiceService, {
      list: this.#unary<applications.ListApplicationsRequest, applications.ListApplicationsResponse>(
        'ApplicationService.List',
        (request, admin) => {
          if (!admin && request.getTenantId() !== TENANT) return denied();
          const own = [...this.applications].filter(([, { tenantId }]) => tenantId === request.getTenantId());
          const reply = new applications.ListApplicationsResponse();
          reply.setResultList(
            page(own, request).map(([id, { name }]) => {
              const item = new applications.ApplicationListItem();
              item.setId(id);
              item.setName(name);
              return item;
            }),
          );
          return reply;
        },
      ),
      get: this.#unary<applications.GetApplicationRequest, applications.GetApplicationResponse>(
        'ApplicationService.Get',
        (request, admin) => {
          const found = this.applications.get(request.getId());
          if (found === undefined) return admin ? notFound(request.getId()) : denied();
          const application = new applications.Application();
          application.setId(request.getId());
          application.setName(found.name);
          application.setTenantId(found.tenantId);
          const reply = new applications.GetApplicationResponse();
          reply.setApplication(application);
          return reply;
        },
        (request) => request.getId(),
      ),
    });
    all.addService(DeviceProfileServiceService, {
      list: this.#unary<profiles.ListDeviceProfilesRequest, profiles.ListDeviceProfilesResponse>(
        'DeviceProfileService.List',
        (request) => {
          const reply = new profiles.ListDeviceProfilesResponse();
          reply.setResultList(
            page([...this.profiles], request).map(([id, { name, updatedAt }]) => {
              const item = new profiles.DeviceProfileListItem();
              item.setId(id);
              item.setName(name);
              item.setUpdatedAt(Timestamp.fromDate(new Date(updatedAt)));
              return item;
            }),
          );
          return reply;
        },
      ),
      get: this.#unary<profiles.GetDeviceProfileRequest, profiles.GetDeviceProfileResponse>(
        'DeviceProfileService.Get',
        (request, admin) => {
          const found = this.profiles.get(request.getId());
          if (found === undefined) return admin ? notFound(request.getId()) : denied();
          const profile = new profiles.DeviceProfile();
          profile.setId(request.getId());
          profile.setName(found.name);
          profile.setUplinkInterval(found.interval);
          for (const [key, { name, kind }] of Object.entries(found.measurements)) {
            const measurement = new profiles.Measurement();
            measurement.setName(name);
            measurement.setKind(kind);
            profile.getMeasurementsMap().set(key, measurement);
          }
          const reply = new profiles.GetDeviceProfileResponse();
          reply.setDeviceProfile(profile);
          return reply;
        },
        (request) => request.getId(),
      ),
    });
    all.addService(DeviceServiceService, {
      list: this.#unary<devices.ListDevicesRequest, devices.ListDevicesResponse>(
        'DeviceService.List',
        (request, admin) => {
          if (!admin && !this.applications.has(request.getApplicationId())) return denied();
          const own = [...this.devices.values()]
            .filter(({ applicationId }) => applicationId === request.getApplicationId())
            .sort((a, b) => (a.devEui < b.devEui ? -1 : 1));
          const reply = new devices.ListDevicesResponse();
          reply.setTotalCount(own.length);
          reply.setResultList(
            this.distort(
              page(own, request).map((device) => this.#row(device)),
              request.getOffset(),
            ),
          );
          return reply;
        },
        (request) => request.getApplicationId(),
      ),
      get: this.#unary<devices.GetDeviceRequest, devices.GetDeviceResponse>(
        'DeviceService.Get',
        (request, admin) => {
          const found = this.devices.get(request.getDevEui());
          if (found === undefined) return admin ? notFound(request.getDevEui()) : denied();
          const device = new devices.Device();
          device.setDevEui(found.devEui);
          device.setName(found.name);
          device.setApplicationId(found.applicationId);
          device.setDeviceProfileId(found.profileId);
          device.setIsDisabled(found.disabled);
          const reply = new devices.GetDeviceResponse();
          reply.setDevice(device);
          reply.setClassEnabled(found.deviceClass);
          return reply;
        },
        (request) => request.getDevEui(),
      ),
      getMetrics: this.#unary<devices.GetDeviceMetricsRequest, devices.GetDeviceMetricsResponse>(
        'DeviceService.GetMetrics',
        (request) => this.#metrics(request),
        (request) => request.getDevEui(),
      ),
    });
    all.addService(GatewayServiceService, {
      list: this.#unary<gateways.ListGatewaysRequest, gateways.ListGatewaysResponse>(
        'GatewayService.List',
        (request, admin) => {
          if (!admin && request.getTenantId() !== TENANT) return denied();
          const own = request.getTenantId() === TENANT ? [...this.gateways].sort(([a], [b]) => (a < b ? -1 : 1)) : [];
          const reply = new gateways.ListGatewaysResponse();
          reply.setResultList(page(own, request).map(([id, gateway]) => gatewayRow(id, gateway)));
          return reply;
        },
        (request) => request.getTenantId(),
      ),
    });
    all.addService(InternalServiceService, {
      streamDeviceEvents: (call: grpc.ServerWritableStream<internal.StreamDeviceEventsRequest, internal.LogItem>) => {
        const devEui = call.request.getDevEui();
        this.streamsOpened.push(devEui);
        const failure =
          this.#authenticate(call.metadata) ??
          this.fail('InternalService.StreamDeviceEvents', devEui) ??
          (this.devices.has(devEui) ? undefined : { code: 16, details: '' });
        if (failure) {
          call.emit('error', failure);
          return;
        }
        call.sendMetadata(new grpc.Metadata());
        for (const item of this.history.get(devEui) ?? []) call.write(item);
        const calls = this.#streams.get(devEui) ?? new Set();
        this.#streams.set(devEui, calls.add(call));
        call.on('cancelled', () => calls.delete(call));
        call.on('error', () => calls.delete(call));
      },
    });
  }

  #row(device: FakeDevice): devices.DeviceListItem {
    const item = new devices.DeviceListItem();
    item.setDevEui(device.devEui);
    item.setName(device.name);
    item.setDeviceProfileId(device.profileId);
    item.setDeviceProfileName(this.profiles.get(device.profileId)?.name ?? '');
    item.setUpdatedAt(Timestamp.fromDate(new Date(device.updatedAt)));
    if (device.lastSeenAt !== undefined) item.setLastSeenAt(Timestamp.fromDate(new Date(device.lastSeenAt)));
    if (device.status) {
      const status = new devices.DeviceStatus();
      status.setMargin(device.status.margin);
      status.setExternalPowerSource(device.status.external);
      status.setBatteryLevel(device.status.battery);
      item.setDeviceStatus(status);
    }
    for (const [key, value] of Object.entries(device.tags)) item.getTagsMap().set(key, value);
    return item;
  }

  #metrics(request: devices.GetDeviceMetricsRequest): devices.GetDeviceMetricsResponse | Failure {
    const start = request.getStart();
    const end = request.getEnd();
    if (start === undefined || end === undefined) return { code: 13, details: 'start is None' };
    const hour = 3_600_000;
    const reply = new devices.GetDeviceMetricsResponse();
    for (const [key, stored] of Object.entries(this.buckets.get(request.getDevEui()) ?? {})) {
      const metric = new Metric();
      const dataset = new MetricDataset();
      const first = Math.floor(start.toDate().getTime() / hour) * hour;
      for (let bucket = first; bucket <= end.toDate().getTime(); bucket += hour) {
        metric.addTimestamps(Timestamp.fromDate(new Date(bucket)));
        dataset.addData(stored.find(([time]) => time === bucket)?.[1] ?? 0);
      }
      metric.addDatasets(dataset);
      reply.getMetricsMap().set(key, metric);
    }
    for (const [key, value] of Object.entries(this.states.get(request.getDevEui()) ?? {})) {
      const state = new devices.DeviceState();
      state.setValue(value);
      reply.getStatesMap().set(key, state);
    }
    return reply;
  }

  #authenticate(metadata: grpc.Metadata): Failure | undefined {
    const header = metadata.get('authorization')[0];
    if (header === undefined) return { code: 16, details: 'no authorization provided' };
    const token = String(header).replace(/^Bearer /, '');
    if (this.deletedTokens.has(token)) return denied();
    return this.tokens.has(token) ? undefined : { code: 16, details: 'InvalidToken' };
  }

  #unary<Request, Reply>(
    method: string,
    answer: (request: Request, admin: boolean) => Reply | Failure,
    subject: (request: Request) => string = () => '',
  ): Unary<Request, Reply> {
    return (call, callback) => {
      this.calls.push(method);
      if (this.hung) return;
      this.#inFlight++;
      this.mostInFlight = Math.max(this.mostInFlight, this.#inFlight);
      const respond = (): void => {
        this.#inFlight--;
        const token = String(call.metadata.get('authorization')[0] ?? '').replace(/^Bearer /, '');
        const result =
          this.#authenticate(call.metadata) ??
          this.fail(method, subject(call.request)) ??
          answer(call.request, this.tokens.get(token) === 'admin');
        if (isFailure(result)) callback(result);
        else callback(null, result);
      };
      if (this.latency > 0) setTimeout(respond, this.latency);
      else setImmediate(respond);
    };
  }
}

function gatewayRow(id: string, { name, state, lastSeenAt, location }: FakeGateway): gateways.GatewayListItem {
  const item = new gateways.GatewayListItem();
  item.setGatewayId(id);
  item.setTenantId(TENANT);
  item.setName(name);
  item.setState(state);
  if (lastSeenAt !== undefined) item.setLastSeenAt(Timestamp.fromDate(new Date(lastSeenAt)));
  const place = new Location();
  place.setLatitude(location[0]);
  place.setLongitude(location[1]);
  place.setAltitude(location[2]);
  item.setLocation(place);
  return item;
}

function isFailure(value: unknown): value is Failure {
  return typeof value === 'object' && value !== null && 'code' in value;
}

function denied(): Failure {
  return { code: 16, details: '' };
}

function notFound(id: string): Failure {
  return { code: 5, details: `Object does not exist (id: ${id})` };
}

function page<Row>(rows: Row[], request: { getLimit(): number; getOffset(): number }): Row[] {
  return rows.slice(request.getOffset(), request.getOffset() + request.getLimit());
}
