/** Objects/Gateway: how the program itself is doing, and the ServiceLevel that follows from it. */
import type { UAObject } from 'node-opcua';
import {
  CONNECTION_ERROR_KINDS,
  CONNECTION_STATES,
  type ConnectionErrors,
  type ConnectionHealth,
  type ConnectionReport,
  type EventLoopDelay,
  type GatewayHealth,
  judgeService,
  STORE_STATES,
  type StoreHealth,
} from '../model';
import type { Members } from './device-parts';
import { CONNECTION, GATEWAY, NAMEPLATE, STORE } from './gateway-types';
import { CLIENTS, DEVICES, ERRORS, PROCESS } from './health-types';
import type { NodeFactory } from './node-factory';
import type { PlainValue } from './values';

export { SERVICE_LEVELS } from '../model';

type Values<Key extends string> = Readonly<Partial<Record<Key, PlainValue>>>;

interface ConnectionNodes {
  readonly members: Members<keyof typeof CONNECTION>;
  readonly errors: Members<keyof typeof ERRORS>;
  readonly recentErrors: Members<keyof typeof ERRORS>;
  health: ConnectionHealth;
  /** From how many pictures of the whole in a row it has been missing; `undefined` if it never was in one. */
  missing: number | undefined;
}

const MAX_UINT32 = 0xffff_ffff;
/** A deploy takes a connection away and brings it back: it is gone when so many pictures lack it. */
const GONE_AFTER = 3;
/** Memory moves all the time: what is less is no news, bytes. */
const MEMORY_STEP = 1_048_576;

function uint32(value: number): number {
  return Math.min(Math.max(Math.trunc(value) || 0, 0), MAX_UINT32);
}

function uint64(value: number): bigint {
  return BigInt(Math.max(Math.trunc(value) || 0, 0));
}

function dateOf(time: number | undefined): Date | undefined {
  return time === undefined ? undefined : new Date(time);
}

/** Delays to a tenth of a millisecond: what is less is noise. */
function tenths(milliseconds: number | undefined): number | undefined {
  return milliseconds === undefined ? undefined : Math.round(milliseconds * 10) / 10;
}

export class GatewayNodes {
  readonly #factory: NodeFactory;
  readonly #connectionsFolder: UAObject;
  readonly #members: Members<keyof typeof GATEWAY>;
  readonly #store: Members<keyof typeof STORE>;
  readonly #devices: Members<keyof typeof DEVICES>;
  readonly #clients: Members<keyof typeof CLIENTS>;
  readonly #process: Members<keyof typeof PROCESS>;
  readonly #connections = new Map<string, ConnectionNodes>();
  /** Connections that are no part of the flow any more. */
  readonly #gone = new Set<string>();
  #storeState: StoreHealth['state'] = 'healthy';
  #eventLoop: EventLoopDelay | undefined;
  #serviceLevel = 0;

  constructor(factory: NodeFactory, version: string) {
    this.#factory = factory;
    const { types } = factory;
    const object = factory.object({
      id: 'gateway',
      browseName: 'Gateway',
      nameOf: 'model',
      displayName: 'Gateway',
      description: 'How the gateway itself is doing',
      type: types.gateway,
      parent: factory.addressSpace.rootFolder.objects,
      link: 'organizedBy',
    });
    const nameplate = { manufacturer: 'Lorua', model: 'Lorua', softwareRevision: version } as const;
    for (const key of ['manufacturer', 'model', 'softwareRevision'] as const)
      factory.property(object, `gateway/nameplate/${key}`, NAMEPLATE[key], nameplate[key]);
    this.#members = this.#factory.members(object, 'gateway', GATEWAY);
    this.#connectionsFolder = factory.part(object, 'gateway/connection', 'Connections', 'FolderType');
    factory.addNodeVersion(this.#connectionsFolder, 'gateway/node-version');
    const store = factory.part(object, 'gateway/store', 'Store', types.store);
    this.#store = this.#factory.members(store, 'gateway/store', STORE);
    const devices = factory.part(object, 'gateway/devices', 'Devices', types.devices);
    this.#devices = this.#factory.members(devices, 'gateway/devices', DEVICES);
    const clients = factory.part(object, 'gateway/clients', 'Clients', types.clients);
    this.#clients = this.#factory.members(clients, 'gateway/clients', CLIENTS);
    const process = factory.part(object, 'gateway/process', 'Process', types.process);
    this.#process = this.#factory.members(process, 'gateway/process', PROCESS);
    const now = factory.now();
    this.#members.version.update(version, now, now);
    this.#members.startTime.update(now, now, now);
    this.setSessions(0);
    this.#judge();
  }

  /** 0…255, from the health last told. */
  get serviceLevel(): number {
    return this.#serviceLevel;
  }

  setSessions(count: number): void {
    this.#update(this.#members, { sessions: uint32(count) });
  }

  setConnection(name: string, health: ConnectionHealth): void {
    this.#showConnection(name, health);
    this.#judge();
  }

  setStore(health: StoreHealth): void {
    this.#storeState = health.state;
    this.#update(this.#store, {
      state: STORE_STATES.indexOf(health.state),
      reason: health.reason,
      cure: health.cure,
      pending: uint32(health.pending),
      lost: uint64(health.lost),
      committed: uint64(health.committed),
    });
    this.#judge();
  }

  /** Shows a picture of the whole. What has not changed is not published. */
  setHealth(health: GatewayHealth): void {
    const { devices, values, clients, eventLoop, memory, storeSize } = health;
    this.#eventLoop = eventLoop;
    this.#showReports(health.connections);
    this.setStore(health.store);
    this.#showSize(storeSize);
    this.#update(this.#members, { uptime: uint32(health.uptime / 1_000), lastEvent: dateOf(health.lastEvent) });
    this.#update(this.#devices, {
      total: uint32(devices.total),
      fresh: uint32(devices.fresh),
      stale: uint32(devices.stale),
      dead: uint32(devices.dead),
      valuesFresh: uint32(values.fresh),
      valuesStale: uint32(values.stale),
      valuesDead: uint32(values.dead),
    });
    if (clients !== undefined)
      this.#update(this.#clients, {
        channels: uint32(clients.channels),
        subscriptions: uint32(clients.subscriptions),
        monitoredItems: uint32(clients.monitoredItems),
      });
    const stepped = (bytes: number): bigint => uint64(Math.round(bytes / MEMORY_STEP) * MEMORY_STEP);
    this.#update(this.#process, {
      eventLoopP50: tenths(eventLoop?.p50),
      eventLoopP99: tenths(eventLoop?.p99),
      eventLoopMax: tenths(eventLoop?.max),
      rss: stepped(memory.rss),
      heapUsed: stepped(memory.heapUsed),
      heapTotal: stepped(memory.heapTotal),
    });
  }

  #showReports(reports: readonly ConnectionReport[]): void {
    for (const { name, health, recentErrors } of reports) {
      const nodes = this.#showConnection(name, health);
      nodes.missing = 0;
      this.#update(nodes.recentErrors, errorValues(recentErrors));
      const recent = CONNECTION_ERROR_KINDS.reduce((sum, kind) => sum + (recentErrors[kind] ?? 0), 0);
      this.#update(nodes.members, { recentErrorCount: uint32(recent) });
    }
    // A connection that was taken out of the flow must not look connected for ever.
    const names = new Set(reports.map(({ name }) => name));
    for (const [name, nodes] of this.#connections)
      if (nodes.missing !== undefined && !names.has(name) && ++nodes.missing === GONE_AFTER) {
        this.#setOutOfService(nodes, true);
        this.#gone.add(name);
      }
  }

  #showConnection(name: string, health: ConnectionHealth): ConnectionNodes {
    let nodes = this.#connections.get(name);
    if (nodes === undefined) {
      nodes = this.#makeConnection(name, health);
      this.#connections.set(name, nodes);
    }
    if (this.#gone.delete(name)) this.#setOutOfService(nodes, false);
    nodes.health = health;
    this.#update(nodes.members, {
      state: CONNECTION_STATES.indexOf(health.state),
      since: new Date(health.since),
      reason: health.reason,
      cure: health.cure,
      lastSuccessfulPoll: dateOf(health.lastSuccessfulPoll),
      errorCount: uint32(health.errorCount),
      lastError: health.lastError ?? '',
      applications: uint32(health.applications),
      devices: uint32(health.devices),
      streamsOpen: uint32(health.streamsOpen),
      streamsWanted: uint32(health.streamsWanted),
      uplinks: uint64(health.uplinks),
    });
    if (health.errors !== undefined) this.#update(nodes.errors, errorValues(health.errors));
    return nodes;
  }

  #makeConnection(name: string, health: ConnectionHealth): ConnectionNodes {
    const { types } = this.#factory;
    // Names are free text; a slash in one must not look like a part of another.
    const id = `gateway/connection/${encodeURIComponent(name)}`;
    const object = this.#factory.object({
      id,
      browseName: name,
      displayName: name,
      type: types.connection,
      parent: this.#connectionsFolder,
      link: 'organizedBy',
    });
    const errorsOf = (part: string, browseName: string): Members<keyof typeof ERRORS> =>
      this.#factory.members(
        this.#factory.part(object, `${id}/${part}`, browseName, types.errors),
        `${id}/${part}`,
        ERRORS,
      );
    return {
      members: this.#factory.members(object, id, CONNECTION),
      errors: errorsOf('errors', 'Errors'),
      recentErrors: errorsOf('recentErrors', 'RecentErrors'),
      health,
      missing: undefined,
    };
  }

  #setOutOfService({ members, errors, recentErrors }: ConnectionNodes, outOfService: boolean): void {
    const now = this.#factory.now();
    for (const part of [members, errors, recentErrors])
      for (const variable of Object.values(part)) variable.setOutOfService(outOfService, now);
  }

  #showSize(size: GatewayHealth['storeSize']): void {
    if (size === undefined) {
      const now = this.#factory.now();
      for (const variable of [this.#store.size, this.#store.freeSize])
        if (variable.hasValue) variable.setStatus('UncertainLastUsableValue', now, now);
    } else this.#update(this.#store, { size: uint64(size.bytes), freeSize: uint64(size.freeBytes) });
  }

  #judge(): void {
    const { level, reasons } = judgeService({
      connections: [...this.#connections].filter(([name]) => !this.#gone.has(name)).map(([, { health }]) => health),
      storeState: this.#storeState,
      eventLoop: this.#eventLoop,
    });
    this.#serviceLevel = level;
    this.#update(this.#members, { serviceLevel: level, serviceLevelReasons: reasons });
  }

  /** What is not given stays as it is. */
  #update<Key extends string>(members: Members<Key>, values: Values<Key>): void {
    const now = this.#factory.now();
    for (const key of Object.keys(values) as Key[]) members[key].update(values[key], now, now);
  }
}

function errorValues(errors: ConnectionErrors): Readonly<Record<keyof typeof ERRORS, number>> {
  return Object.fromEntries(CONNECTION_ERROR_KINDS.map((kind) => [kind, uint32(errors[kind] ?? 0)])) as Record<
    keyof typeof ERRORS,
    number
  >;
}
