import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type {
  ClientSession,
  ClientSessionRawSubscriptionService,
  ClientSubscription,
  DataValue,
  OPCUAClient,
  UserIdentityInfo,
} from 'node-opcua';
import {
  type Application,
  type ApplicationId,
  type CurrentValue,
  type DevEui,
  type Device,
  type DeviceProfile,
  type DeviceProfileId,
  Emitter,
  type GatewayEui,
  type Inventory,
  type MetricDefinition,
  type MetricKey,
  parseApplicationId,
  parseDevEui,
  parseDeviceProfileId,
  parseMetricKey,
  parseTenantId,
  type RadioGateway,
  type Reading,
  silentLogger,
  systemClock,
} from '../../../lib/model';
import {
  GatewayServer,
  type MetricsChange,
  type ModelSource,
  parseServerSettings,
  type ServerDeps,
} from '../../../lib/opcua';

/** A folder for one test file: making keys takes longer than most tests. */
export function temporaryFolder(): { folder: string; remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'lorua-opcua-'));
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

export const USER = { name: 'operator', password: 'Correct horse 1' } as const;

export function settingsOf(folder: string, more: Record<string, unknown> = {}): ReturnType<typeof parseServerSettings> {
  return parseServerSettings({
    port: 0,
    host: '127.0.0.1',
    users: [USER],
    pkiFolder: join(folder, 'server-pki'),
    trustAllClients: true,
    ...more,
  });
}

export function depsOf(more: Partial<ServerDeps> = {}): ServerDeps {
  return { clock: systemClock, random: Math.random, logger: silentLogger, ...more };
}

export async function startServer(
  folder: string,
  more: Record<string, unknown> = {},
  deps: Partial<ServerDeps> = {},
): Promise<GatewayServer> {
  const server = new GatewayServer(settingsOf(folder, more), depsOf(deps));
  await server.start();
  return server;
}

export const APPLICATION = parseApplicationId('00000000-0000-4000-8000-000000000001');
export const OTHER_APPLICATION = parseApplicationId('00000000-0000-4000-8000-000000000002');
export const PROFILE = parseDeviceProfileId('00000000-0000-4000-8000-0000000000aa');
export const OTHER_PROFILE = parseDeviceProfileId('00000000-0000-4000-8000-0000000000ab');
export const TENANT = parseTenantId('00000000-0000-4000-8000-0000000000ff');

export function devEuiOf(index: number): DevEui {
  return parseDevEui(index.toString(16).padStart(16, '0'));
}

export function deviceOf(index: number, more: Partial<Device> = {}): Device {
  return {
    devEui: devEuiOf(index),
    name: `Sensor ${index}`,
    description: 'in the hall',
    applicationId: APPLICATION,
    profileId: PROFILE,
    tags: { floor: '2' },
    isDisabled: false,
    deviceClass: 'A',
    ...more,
  };
}

/** A source that a test changes by hand. */
export class TestSource implements ModelSource {
  readonly applications = new Map<ApplicationId, Application>([
    [APPLICATION, { id: APPLICATION, tenantId: TENANT, name: 'Hall', description: '' }],
    [OTHER_APPLICATION, { id: OTHER_APPLICATION, tenantId: TENANT, name: 'Yard', description: '' }],
  ]);
  readonly profiles = new Map<DeviceProfileId, DeviceProfile>([
    [PROFILE, { id: PROFILE, name: 'TH-1', uplinkInterval: 60, measurements: {}, tags: {} }],
  ]);
  readonly devices = new Map<DevEui, Device>();
  readonly gateways = new Map<GatewayEui, RadioGateway>();
  readonly definitions = new Map<string, MetricDefinition>();
  readonly values = new Map<string, CurrentValue>();
  readonly #inventory = new Emitter<void>(() => undefined);
  readonly #metrics = new Emitter<MetricsChange>(() => undefined);

  inventory(): Inventory {
    return {
      applications: new Map(this.applications),
      profiles: this.profiles,
      devices: new Map(this.devices),
      gateways: new Map(this.gateways),
    };
  }
  onInventory(listener: () => void): () => void {
    return this.#inventory.on(listener);
  }
  *metrics(): Iterable<MetricDefinition> {
    yield* this.definitions.values();
  }
  onMetrics(listener: (change: MetricsChange) => void): () => void {
    return this.#metrics.on(listener);
  }
  value(devEui: DevEui, key: MetricKey): CurrentValue | undefined {
    return this.values.get(`${devEui}/${key}`);
  }
  get listenerCount(): number {
    return this.#inventory.listenerCount + this.#metrics.listenerCount;
  }

  setDevice(device: Device): void {
    this.devices.set(device.devEui, device);
  }
  define(index: number, key: string, dataType: MetricDefinition['dataType'], name = key): MetricDefinition {
    const definition: MetricDefinition = {
      devEui: devEuiOf(index),
      key: parseMetricKey(key),
      name,
      dataType,
      kind: 'UNKNOWN',
    };
    this.definitions.set(`${definition.devEui}/${key}`, definition);
    return definition;
  }
  changed(): void {
    this.#inventory.emit();
  }
  metricsAdded(...added: MetricDefinition[]): void {
    this.#metrics.emit({ added, changed: [] });
  }
  metricsChanged(...changed: MetricDefinition[]): void {
    this.#metrics.emit({ added: [], changed });
  }
}

/** A source with one device that measures temperature (Double) and door (not yet known). */
export function simpleSource(): TestSource {
  const source = new TestSource();
  source.setDevice(deviceOf(1));
  source.define(1, 'temperature', 'Double', 'Temperature');
  source.define(1, 'door', undefined);
  return source;
}

export function readingOf(
  index: number,
  values: Reading['values'],
  time: number,
  more: Partial<Reading> = {},
): Reading {
  return { device: { devEui: devEuiOf(index) }, values, time, quality: {}, origin: 'event', ...more };
}

export interface ClientOptions {
  readonly policy?: 'None' | 'Basic256Sha256' | 'Aes128_Sha256_RsaOaep' | 'Aes256_Sha256_RsaPss' | 'Basic256';
  readonly mode?: 'None' | 'Sign' | 'SignAndEncrypt';
  readonly user?: { name: string; password: string } | undefined;
  readonly name?: string;
}

/** A real client with a certificate of its own. */
export async function makeClient(folder: string, options: ClientOptions = {}): Promise<OPCUAClient> {
  const opcua = await import('node-opcua');
  const certificates = new opcua.OPCUACertificateManager({
    rootFolder: join(folder, `${options.name ?? 'client'}-pki`),
    automaticallyAcceptUnknownCertificate: true,
    disableFileWatchers: true,
  });
  return opcua.OPCUAClient.create({
    applicationName: options.name ?? 'TestClient',
    endpointMustExist: false,
    securityPolicy: opcua.SecurityPolicy[options.policy ?? 'Basic256Sha256'],
    securityMode: opcua.MessageSecurityMode[options.mode ?? 'SignAndEncrypt'],
    clientCertificateManager: certificates,
    connectionStrategy: { maxRetry: 0 },
    requestedSessionTimeout: 60_000,
    keepSessionAlive: false,
  });
}

export async function identity(user: { name: string; password: string } | undefined): Promise<UserIdentityInfo> {
  const { UserTokenType } = await import('node-opcua');
  return user === undefined
    ? { type: UserTokenType.Anonymous }
    : { type: UserTokenType.UserName, userName: user.name, password: user.password };
}

/** With the services that the library's client offers below its own subscriptions. */
type RawSession = ClientSession & ClientSessionRawSubscriptionService;

export interface Connected {
  readonly client: OPCUAClient;
  readonly session: RawSession;
  read(id: string, attribute?: number): Promise<DataValue>;
  close(): Promise<void>;
}

export function urlOf(server: GatewayServer): string {
  return `opc.tcp://127.0.0.1:${server.port}`;
}

export async function connect(server: GatewayServer, folder: string, options: ClientOptions = {}): Promise<Connected> {
  const client = await makeClient(folder, options);
  try {
    await client.connect(urlOf(server));
    const session = (await client.createSession(await identity('user' in options ? options.user : USER))) as RawSession;
    return {
      client,
      session,
      read: (id, attributeId = 13) => session.read({ nodeId: id, attributeId }),
      async close() {
        await session.close();
        await client.disconnect();
      },
    };
  } catch (error) {
    await client.disconnect();
    throw error;
  }
}

export function subscribe(session: ClientSession): Promise<ClientSubscription> {
  return session.createSubscription2({
    requestedPublishingInterval: 50,
    requestedLifetimeCount: 1_000,
    requestedMaxKeepAliveCount: 10,
    maxNotificationsPerPublish: 1_000,
    publishingEnabled: true,
    priority: 1,
  });
}

/** Waits until something holds; the library works on its own timers. */
export async function until(holds: () => boolean): Promise<void> {
  for (let tries = 0; !holds(); tries++) {
    if (tries > 500) throw new Error(`did not come true: ${holds.toString()}`);
    await new Promise<void>((resolve) => {
      setTimeout(resolve, 10);
    });
  }
}
