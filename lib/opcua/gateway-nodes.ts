/** Objects/Gateway: how the program itself is doing, and the ServiceLevel that follows from it. */
import type { UAObject } from 'node-opcua';
import type { ConnectionHealth, StoreHealth } from '../model';
import type { LiveVariable } from './live-variable';
import type { NodeFactory, VariableSpecification } from './node-factory';
import { CONNECTION, CONNECTION_STATES, GATEWAY, STORE, STORE_STATES } from './object-types';
import type { PlainValue } from './values';

type Members<Key extends string> = Readonly<Record<Key, LiveVariable>>;

const MAX_UINT32 = 0xffff_ffff;

function uint32(value: number): number {
  return Math.min(Math.max(Math.trunc(value) || 0, 0), MAX_UINT32);
}

function uint64(value: number): bigint {
  return BigInt(Math.max(Math.trunc(value) || 0, 0));
}

/** ServiceLevel (Part 4 §6.6.2.4.2): 255 healthy, 2–199 degraded, 1 no data. */
export const SERVICE_LEVELS = { healthy: 255, storeDegraded: 199, someConnectionsLost: 150, noConnection: 1 } as const;

export class GatewayNodes {
  readonly #factory: NodeFactory;
  readonly #connectionsFolder: UAObject;
  readonly #members: Members<keyof typeof GATEWAY>;
  readonly #store: Members<keyof typeof STORE>;
  readonly #connections = new Map<
    string,
    { members: Members<keyof typeof CONNECTION>; state: ConnectionHealth['state'] }
  >();
  #storeState: StoreHealth['state'] = 'healthy';

  constructor(factory: NodeFactory, version: string) {
    this.#factory = factory;
    const object = factory.object({
      id: 'gateway',
      browseName: 'Gateway',
      inModel: true,
      displayName: 'Gateway',
      description: 'How the gateway itself is doing',
      type: factory.types.gateway,
      parent: factory.addressSpace.rootFolder.objects,
      link: 'organizedBy',
    });
    this.#members = this.#make(object, 'gateway', GATEWAY);
    this.#connectionsFolder = factory.part(object, 'gateway/connection', 'Connections', 'FolderType');
    factory.addNodeVersion(this.#connectionsFolder, 'gateway/node-version');
    const store = factory.part(object, 'gateway/store', 'Store', factory.types.store);
    this.#store = this.#make(store, 'gateway/store', STORE);
    const now = factory.now();
    this.#members.version.update(version, now, now);
    this.#members.startTime.update(now, now, now);
    this.setSessions(0);
  }

  /** 0…255, from the health last told. */
  get serviceLevel(): number {
    const states = [...this.#connections.values()].map(({ state }) => state);
    const lost = states.filter((state) => state === 'disconnected' || state === 'unauthenticated').length;
    if (lost > 0 && lost === states.length) return SERVICE_LEVELS.noConnection;
    if (lost > 0) return SERVICE_LEVELS.someConnectionsLost;
    return this.#storeState === 'degraded' ? SERVICE_LEVELS.storeDegraded : SERVICE_LEVELS.healthy;
  }

  setSessions(count: number): void {
    const now = this.#factory.now();
    this.#members.sessions.update(uint32(count), now, now);
  }

  setConnection(name: string, health: ConnectionHealth): void {
    let connection = this.#connections.get(name);
    if (connection === undefined) {
      // Names are free text; a slash in one must not look like a part of another.
      const id = `gateway/connection/${encodeURIComponent(name)}`;
      const object = this.#factory.object({
        id,
        browseName: name,
        displayName: name,
        type: this.#factory.types.connection,
        parent: this.#connectionsFolder,
        link: 'organizedBy',
      });
      connection = { members: this.#make(object, id, CONNECTION), state: health.state };
      this.#connections.set(name, connection);
    }
    connection.state = health.state;
    this.#update(connection.members, {
      state: CONNECTION_STATES.indexOf(health.state),
      since: new Date(health.since),
      reason: health.reason,
      cure: health.cure,
      lastSuccessfulPoll: health.lastSuccessfulPoll === undefined ? undefined : new Date(health.lastSuccessfulPoll),
      errorCount: uint32(health.errorCount),
      lastError: health.lastError ?? '',
      applications: uint32(health.applications),
      devices: uint32(health.devices),
      streamsOpen: uint32(health.streamsOpen),
      streamsWanted: uint32(health.streamsWanted),
      uplinks: uint64(health.uplinks),
    });
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
  }

  #update<Key extends string>(members: Members<Key>, values: Readonly<Record<Key, PlainValue>>): void {
    const now = this.#factory.now();
    for (const key of Object.keys(values) as Key[]) members[key].update(values[key], now, now);
  }

  #make<Key extends string>(
    parent: UAObject,
    id: string,
    specifications: Readonly<Record<Key, VariableSpecification>>,
  ): Members<Key> {
    const keys = Object.keys(specifications) as Key[];
    return Object.fromEntries(
      keys.map((key) => [key, this.#factory.member(parent, `${id}/${key}`, specifications[key])]),
    ) as Members<Key>;
  }
}
