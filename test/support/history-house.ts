/** Store and OPC UA server in this process, wired as the flow wires them, without the flow. */
import { join } from 'node:path';
import {
  type Clock,
  type Inventory,
  type Logger,
  parseSourceId,
  type Reading,
  silentLogger,
  systemClock,
} from '../../lib/model';
import { GATEWAY_NAMESPACE, GatewayServer, parseServerSettings } from '../../lib/opcua';
import { GatewayStore, parseStoreSettings, SqliteBackend, type StorageBackend } from '../../lib/store';
import type { HistorianAccess } from './history-client';
import { metricIdentifier } from './node-ids';

export interface HouseOptions {
  readonly folder: string;
  /** Database file. */
  readonly file: string;
  readonly inventory: Inventory;
  /** 0 = nothing is removed, which is the default. */
  readonly retentionDays?: number;
  readonly clock?: Clock;
  readonly logger?: Logger;
  /** What stands between the store and its disk. */
  readonly disk?: (backend: StorageBackend) => StorageBackend;
  /** Of the OPC UA server, in place of those of this house. */
  readonly settings?: Readonly<Record<string, unknown>>;
}

export interface House {
  readonly store: GatewayStore;
  readonly server: GatewayServer;
  readonly access: HistorianAccess;
  /** What the flow does with a reading. */
  take(reading: Reading): void;
  nodeId(devEui: string, metric: string): string;
  close(): Promise<void>;
}

const USER = { name: 'historian', password: 'correct horse battery' };

/** Index of the namespace of instances, looked up as clients do it. */
async function namespaceOf(server: GatewayServer): Promise<number> {
  const { OPCUAClient } = await import('node-opcua');
  const client = OPCUAClient.create({ endpointMustExist: false });
  await client.connect(`opc.tcp://127.0.0.1:${server.port}`);
  const session = await client.createSession();
  const index = (await session.readNamespaceArray()).indexOf(GATEWAY_NAMESPACE);
  await session.close();
  await client.disconnect();
  return index;
}

export async function openHouse(options: HouseOptions): Promise<House> {
  const { folder, file, inventory, retentionDays = 0, clock = systemClock, logger = silentLogger, disk } = options;
  const deps = { clock, logger };
  const store =
    disk === undefined
      ? GatewayStore.create(parseStoreSettings({ file, retentionDays }), deps)
      : new GatewayStore(disk(new SqliteBackend(file, clock)), deps, { retentionDays, file });
  await store.open();
  store.inventory.replace(parseSourceId('house'), inventory);
  const server = new GatewayServer(
    parseServerSettings({
      port: 0,
      host: '127.0.0.1',
      users: [USER],
      pkiFolder: join(folder, 'pki'),
      trustAllClients: true,
      endpoints: ['None', 'Basic256Sha256/SignAndEncrypt'],
      allowAnonymous: true,
      ...options.settings,
    }),
    { ...deps, random: Math.random },
  );
  await server.start();
  server.attach({
    inventory: () => store.inventory.merged(),
    onInventory: (listener) => store.inventory.onChange(() => listener()),
    metrics: () => store.metrics.all(),
    onMetrics: (listener) => store.metrics.onChange(listener),
    value: (devEui, key) => store.values.get(devEui, key),
    history: {
      readHistory: (request, encoding, signal) => store.readEncodedHistory(request, encoding, signal),
    },
  });
  await server.settled();
  const namespace = await namespaceOf(server);
  return {
    store,
    server,
    access: { url: `opc.tcp://127.0.0.1:${server.port}`, user: USER.name, password: USER.password },
    take(reading) {
      const accepted = store.accept(reading);
      if (accepted !== undefined) server.publish(accepted.reading);
    },
    nodeId: (devEui, metric) => `ns=${namespace};s=${metricIdentifier(devEui, metric)}`,
    async close() {
      await server.stop();
      await store.close();
    },
  };
}
