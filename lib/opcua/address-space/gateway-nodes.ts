/** Objects/Gateway: how the program itself is doing, and the ServiceLevel that follows from it. */
import {
  type ConnectionHealth,
  type EventLoopDelay,
  type GatewayHealth,
  judgeService,
  STORE_STATES,
  type StoreHealth,
} from '../../model';
import { ConnectionNodes, MqttNodes } from './connection-nodes';
import type { Members } from './device-parts';
import { GATEWAY, NAMEPLATE, STORE } from './gateway-types';
import { CLIENTS, DEVICES, PROCESS } from './health-types';
import { dateOf, uint32, uint64, updateMembers } from './member-values';
import type { NodeFactory } from './node-factory';
import type { PlainValue } from './values';

export { SERVICE_LEVELS } from '../../model';

/** Memory moves all the time: what is less is no news, bytes. */
const MEMORY_STEP = 1_048_576;

/** Delays to a tenth of a millisecond: what is less is noise. */
function tenths(milliseconds: number | undefined): number | undefined {
  return milliseconds === undefined ? undefined : Math.round(milliseconds * 10) / 10;
}

export class GatewayNodes {
  readonly #factory: NodeFactory;
  readonly #members: Members<keyof typeof GATEWAY>;
  readonly #store: Members<keyof typeof STORE>;
  readonly #devices: Members<keyof typeof DEVICES>;
  readonly #clients: Members<keyof typeof CLIENTS>;
  readonly #process: Members<keyof typeof PROCESS>;
  readonly #connections: ConnectionNodes;
  readonly #mqtt: MqttNodes;
  #storeState: StoreHealth['state'] = 'healthy';
  #eventLoop: EventLoopDelay | undefined;
  /** When the own certificate of the server ends, ms UTC. */
  #certificateEnd: number | undefined;
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
    this.#members = factory.members(object, 'gateway', GATEWAY);
    this.#connections = new ConnectionNodes(factory, object);
    this.#mqtt = new MqttNodes(factory, object);
    const store = factory.part(object, 'gateway/store', 'Store', types.store);
    this.#store = factory.members(store, 'gateway/store', STORE);
    const devices = factory.part(object, 'gateway/devices', 'Devices', types.devices);
    this.#devices = factory.members(devices, 'gateway/devices', DEVICES);
    const clients = factory.part(object, 'gateway/clients', 'Clients', types.clients);
    this.#clients = factory.members(clients, 'gateway/clients', CLIENTS);
    const process = factory.part(object, 'gateway/process', 'Process', types.process);
    this.#process = factory.members(process, 'gateway/process', PROCESS);
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

  setConnection(connection: { readonly id: string; readonly name: string }, health: ConnectionHealth): void {
    this.#connections.show(connection, health);
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
    this.#certificateEnd = health.certificate?.validTo;
    this.#connections.showAll(health.connections);
    this.#mqtt.showAll(health.mqtt);
    this.setStore(health.store);
    this.#showSize(storeSize);
    this.#update(this.#members, {
      uptime: uint32(health.uptime / 1_000),
      lastEvent: dateOf(health.lastEvent),
      certificateValidTo: dateOf(health.certificate?.validTo),
    });
    this.#update(this.#devices, {
      total: uint32(devices.total),
      fresh: uint32(devices.fresh),
      stale: uint32(devices.stale),
      dead: uint32(devices.dead),
      valuesFresh: uint32(values.fresh),
      valuesStale: uint32(values.stale),
      valuesDead: uint32(values.dead),
      gatewaysOnline: uint32(health.gateways.online),
      gatewaysOffline: uint32(health.gateways.offline),
      gatewaysNeverSeen: uint32(health.gateways['never-seen']),
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

  #showSize(size: GatewayHealth['storeSize']): void {
    if (size === undefined) {
      const now = this.#factory.now();
      for (const variable of [this.#store.size, this.#store.freeSize])
        if (variable.hasValue) variable.setStatus('UncertainLastUsableValue', now, now);
    } else this.#update(this.#store, { size: uint64(size.bytes), freeSize: uint64(size.freeBytes) });
  }

  #judge(): void {
    const { level, reasons } = judgeService({
      connections: this.#connections.healths,
      mqtt: this.#mqtt.states,
      storeState: this.#storeState,
      eventLoop: this.#eventLoop,
      certificateLeft:
        this.#certificateEnd === undefined ? undefined : this.#certificateEnd - this.#factory.clock.now(),
    });
    this.#serviceLevel = level;
    this.#update(this.#members, { serviceLevel: level, serviceLevelReasons: reasons });
  }

  #update<Key extends string>(members: Members<Key>, values: Readonly<Partial<Record<Key, PlainValue>>>): void {
    updateMembers(members, values, this.#factory.now());
  }
}
