/** What the simulated ChirpStack has in its database: tenants, applications, profiles, devices, gateways, API keys. */
import type { MeasurementKind } from '../model';
import { type Codec, type CodecRuntime, noCodec, scriptCodec } from './codec';
import { DeviceQueue } from './device-queue';
import { EventLog } from './event-log';
import type { Instant } from './instant';
import type { ApiKey } from './keys';
import { LinkMetrics } from './link-metrics';
import { MeasurementStore } from './measurement-store';

interface Stored {
  createdAt: Instant;
  updatedAt: Instant;
}

export interface Tenant extends Stored {
  readonly id: string;
  name: string;
  description: string;
}

export interface Application extends Stored {
  readonly id: string;
  readonly tenantId: string;
  name: string;
  description: string;
  tags: Readonly<Record<string, string>>;
}

export interface Profile extends Stored {
  readonly id: string;
  readonly tenantId: string;
  name: string;
  description: string;
  readonly runtime: CodecRuntime;
  readonly script: string;
  readonly codec: Codec;
  /** s */
  uplinkInterval: number;
  /** Status requests a day. */
  deviceStatusReqInterval: number;
  readonly supportsOtaa: boolean;
  readonly supportsClassC: boolean;
  /** s until an unacknowledged confirmed downlink is given up. */
  readonly classCTimeout: number;
  measurements: Readonly<Record<string, { readonly name: string; readonly kind: MeasurementKind }>>;
  tags: Readonly<Record<string, string>>;
}

export interface DeviceStatus {
  /** dB */
  readonly margin: number;
  readonly externalPower: boolean;
  /** %, −1 if the device cannot tell or is powered from outside. */
  readonly batteryLevel: number;
}

export interface Device extends Stored {
  /** Lower case. */
  readonly devEui: string;
  readonly devAddr: string;
  readonly joinEui: string;
  readonly applicationId: string;
  readonly profileId: string;
  name: string;
  description: string;
  tags: Readonly<Record<string, string>>;
  variables: Readonly<Record<string, string>>;
  isDisabled: boolean;
  readonly skipFCntCheck: boolean;
  readonly deviceClass: 'A' | 'B' | 'C';
  lastSeenAt?: Instant;
  status?: DeviceStatus;
  /** Data rate of the last uplink. */
  dataRate?: number;
  /** Counter of the next uplink. */
  fCntUp: number;
  /** Counter of the next downlink. */
  fCntDown: number;
  /** ms UTC of the last uplink: event times rise strictly within a device. */
  lastUplink: number;
  readonly queue: DeviceQueue;
  readonly measurements: MeasurementStore;
  readonly link: LinkMetrics;
}

export interface Gateway extends Stored {
  readonly tenantId: string;
  /** EUI-64, lower case. */
  readonly gatewayId: string;
  name: string;
  description: string;
  readonly location: { readonly latitude: number; readonly longitude: number; readonly altitude: number };
  lastSeenAt?: Instant;
}

/** What may be left out when something is added. */
type Input<Item, Defaulted extends keyof Item> = Omit<Item, Defaulted> & Partial<Pick<Item, Defaulted>>;

export interface WorldOptions {
  /** `per_device_event_log_max_history` of ChirpStack, 10. */
  readonly eventHistory?: number;
  /** How many events a follower may lag behind before it loses some, 200. */
  readonly eventsKept?: number;
  /** HS256 secret of the API, `[api] secret`. */
  readonly secret: string;
}

export class World {
  readonly tenants = new Map<string, Tenant>();
  readonly applications = new Map<string, Application>();
  readonly profiles = new Map<string, Profile>();
  readonly devices = new Map<string, Device>();
  readonly gateways = new Map<string, Gateway>();
  readonly keys = new Map<string, ApiKey>();
  readonly secret: string;
  readonly #devicesOfApplication = new Map<string, Map<string, Device>>();
  readonly #logs = new Map<string, EventLog>();
  readonly #eventHistory: number;
  readonly #eventsKept: number;

  constructor(options: WorldOptions) {
    this.secret = options.secret;
    this.#eventHistory = options.eventHistory ?? 10;
    this.#eventsKept = options.eventsKept ?? 200;
  }

  addTenant(input: Input<Tenant, 'description'>): Tenant {
    const tenant = { description: '', ...input };
    this.tenants.set(tenant.id, tenant);
    return tenant;
  }

  addApplication(input: Input<Application, 'description' | 'tags'>): Application {
    const application = { description: '', tags: {}, ...input };
    this.applications.set(application.id, application);
    this.#devicesOfApplication.set(application.id, new Map());
    return application;
  }

  addProfile(
    input: Input<
      Omit<Profile, 'runtime'>,
      | 'description'
      | 'script'
      | 'codec'
      | 'uplinkInterval'
      | 'deviceStatusReqInterval'
      | 'supportsOtaa'
      | 'supportsClassC'
      | 'classCTimeout'
      | 'measurements'
      | 'tags'
    >,
  ): Profile {
    const script = input.script ?? '';
    const profile: Profile = {
      description: '',
      script,
      runtime: script === '' ? 'NONE' : 'JS',
      codec: script === '' ? noCodec : scriptCodec(script),
      uplinkInterval: 3600,
      deviceStatusReqInterval: 1,
      supportsOtaa: false,
      supportsClassC: false,
      classCTimeout: 0,
      measurements: {},
      tags: {},
      ...input,
    };
    this.profiles.set(profile.id, profile);
    return profile;
  }

  addDevice(
    input: Input<
      Omit<Device, 'queue' | 'measurements' | 'link' | 'lastUplink'>,
      | 'description'
      | 'tags'
      | 'variables'
      | 'isDisabled'
      | 'skipFCntCheck'
      | 'deviceClass'
      | 'joinEui'
      | 'fCntUp'
      | 'fCntDown'
    >,
  ): Device {
    const device: Device = {
      description: '',
      tags: {},
      variables: {},
      isDisabled: false,
      skipFCntCheck: false,
      deviceClass: 'A',
      joinEui: '0000000000000000',
      fCntUp: 0,
      fCntDown: 0,
      lastUplink: 0,
      ...input,
      queue: new DeviceQueue(),
      measurements: new MeasurementStore(),
      link: new LinkMetrics(),
    };
    this.devices.set(device.devEui, device);
    this.#devicesOfApplication.get(device.applicationId)?.set(device.devEui, device);
    return device;
  }

  /** The stored events stay for those who still follow them, as they do in redis. */
  deleteDevice(devEui: string): void {
    const device = this.devices.get(devEui);
    if (device === undefined) return;
    this.devices.delete(devEui);
    this.#devicesOfApplication.get(device.applicationId)?.delete(devEui);
  }

  addGateway(input: Input<Gateway, 'description' | 'location'>): Gateway {
    const gateway = { description: '', location: { latitude: 0, longitude: 0, altitude: 0 }, ...input };
    this.gateways.set(gateway.gatewayId, gateway);
    return gateway;
  }

  addKey(key: ApiKey): ApiKey {
    this.keys.set(key.id, key);
    return key;
  }

  devicesOf(applicationId: string): Iterable<Device> {
    return this.#devicesOfApplication.get(applicationId)?.values() ?? [];
  }

  tenantOf(device: Device): string | undefined {
    return this.applications.get(device.applicationId)?.tenantId;
  }

  /** Events stored under a stream key. ChirpStack builds that key from the request's text as it is. */
  events(streamKey: string): EventLog {
    let log = this.#logs.get(streamKey);
    if (log === undefined) {
      log = new EventLog(this.#eventHistory, this.#eventsKept);
      this.#logs.set(streamKey, log);
    }
    return log;
  }
}
