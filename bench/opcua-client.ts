/** An OPC UA client in a process of its own: it subscribes, and reads, and tells what it saw. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import {
  AttributeIds,
  type ClientSession,
  ClientSubscription,
  OPCUACertificateManager,
  OPCUAClient,
  TimestampsToReturn,
} from 'node-opcua';
import { offer, Remote } from '../test/support/remote';
import { preciseNow } from './opcua-plant';

export interface Subscribing {
  /** Whose session; any word. */
  readonly name: string;
  readonly nodeIds: readonly string[];
  /** ms */
  readonly publishing: number;
  readonly sampling: number;
}

export interface Seen {
  readonly count: number;
  /** ms from the instant that a value holds until it was here. */
  readonly p50: number;
  readonly p99: number;
}

/** Items in one call, below the limit of every server. */
const PER_CALL = 1_000;
/** ms without a notification after which nothing comes any more. */
const QUIET = 500;

interface Connection {
  readonly client: OPCUAClient;
  readonly session: ClientSession;
  delays: number[];
}

const connections = new Map<string, Connection>();
const folder = mkdtempSync(join(tmpdir(), 'lorua-bench-client-'));
let certificates: OPCUACertificateManager | undefined;

async function certificateManager(): Promise<OPCUACertificateManager> {
  if (certificates === undefined) {
    certificates = new OPCUACertificateManager({
      rootFolder: join(folder, 'pki'),
      automaticallyAcceptUnknownCertificate: true,
    });
    await certificates.initialize();
  }
  return certificates;
}

function connectionOf(name: string): Connection {
  const connection = connections.get(name);
  if (connection === undefined) throw new Error(`${name} is not connected`);
  return connection;
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

const services = {
  async connect({ name, url }: { name: string; url: string }): Promise<void> {
    const client = OPCUAClient.create({
      clientCertificateManager: await certificateManager(),
      endpointMustExist: false,
      connectionStrategy: { maxRetry: 1 },
      requestedSessionTimeout: 120_000,
    });
    await client.connect(url);
    connections.set(name, { client, session: await client.createSession(), delays: [] });
  },

  async subscribe({ name, nodeIds, publishing, sampling }: Subscribing): Promise<void> {
    const connection = connectionOf(name);
    const subscription = ClientSubscription.create(connection.session, {
      requestedPublishingInterval: publishing,
      requestedLifetimeCount: 10_000,
      requestedMaxKeepAliveCount: 20,
      maxNotificationsPerPublish: 0,
      publishingEnabled: true,
      priority: 1,
    });
    for (let from = 0; from < nodeIds.length; from += PER_CALL) {
      const group = await subscription.monitorItems(
        nodeIds.slice(from, from + PER_CALL).map((nodeId) => ({ nodeId, attributeId: AttributeIds.Value })),
        { samplingInterval: sampling, queueSize: 100, discardOldest: true },
        TimestampsToReturn.Both,
      );
      group.on('changed', (_item, { value }) => {
        if (typeof value.value === 'number') connection.delays.push(preciseNow() - value.value);
      });
    }
    await services.seen({ name });
  },

  /** What came since it was asked last; waits until nothing comes any more. */
  async seen({ name }: { name: string }): Promise<Seen> {
    const connection = connectionOf(name);
    for (let before = -1; before !== connection.delays.length; ) {
      before = connection.delays.length;
      await pause(QUIET);
    }
    const { delays } = connection;
    connection.delays = [];
    const sorted = delays.toSorted((a, b) => a - b);
    return { count: sorted.length, p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99) };
  },

  /** Reads so many nodes a call, one call after the other. @returns values a second */
  async read({
    name,
    nodeIds,
    seconds,
  }: {
    name: string;
    nodeIds: readonly string[];
    seconds: number;
  }): Promise<number> {
    const { session } = connectionOf(name);
    const nodes = nodeIds.map((nodeId) => ({ nodeId, attributeId: AttributeIds.Value }));
    const begun = performance.now();
    let [count, took] = [0, 0];
    while (took < seconds) {
      for (const { statusCode } of await session.read(nodes))
        if (statusCode.isGood()) count++;
        else throw new Error(`a value is ${statusCode.name}`);
      took = (performance.now() - begun) / 1_000;
    }
    return count / took;
  },

  /** Connects and reads the state of the server until the first answer. @returns ms */
  async firstAnswer({ url }: { url: string }): Promise<number> {
    const begun = performance.now();
    await services.connect({ name: 'first', url });
    await connectionOf('first').session.read({ nodeId: 'i=2259', attributeId: AttributeIds.Value });
    return performance.now() - begun;
  },
} as const;

export type RemoteClient = Remote<typeof services>;

export function startClient(): RemoteClient {
  return new Remote(__filename);
}

if (require.main === module)
  void offer(services, async () => {
    for (const { client, session } of connections.values()) {
      await session.close(true).catch(() => undefined);
      await client.disconnect();
    }
    rmSync(folder, { recursive: true, force: true });
    process.exit();
  });
