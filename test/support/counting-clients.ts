/**
 * Many OPC UA clients in a process of their own. Values that they monitor count up by one: each client tells which
 * numbers it missed, and what happened to its connection.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  AttributeIds,
  type ClientSession,
  ClientSubscription,
  constructEventFilter,
  MessageSecurityMode,
  OPCUACertificateManager,
  OPCUAClient,
  SecurityPolicy,
  TimestampsToReturn,
  UserTokenType,
} from 'node-opcua';
import { offer, Remote } from './remote';

export interface Connecting {
  readonly count: number;
  readonly url: string;
  readonly user: string;
  readonly password: string;
}

export interface Watching {
  /** Of the sessions, from 0. */
  readonly session: number;
  readonly nodeIds: readonly string[];
  /** ms */
  readonly publishing: number;
}

export interface Witness {
  readonly notifications: number;
  readonly modelChanges: number;
  /** The newest number that every item of every client has seen. */
  readonly newest: number;
  /** What was missed or came twice, a few of them. */
  readonly faults: readonly string[];
  /** What happened to connections, sessions and subscriptions; empty if all went well. */
  readonly troubles: readonly string[];
}

/** Items in one call, below the limit of every server. */
const PER_CALL = 1_000;
const FAULTS_TOLD = 20;

interface Connection {
  readonly client: OPCUAClient;
  readonly session: ClientSession;
}

const connections: Connection[] = [];
const troubles: string[] = [];
const faults: string[] = [];
/** The newest number of each item. */
const newest: number[] = [];
let notifications = 0;
let modelChanges = 0;
let isOver = false;
const folder = mkdtempSync(join(tmpdir(), 'lorua-clients-'));

function fault(text: string): void {
  if (faults.length < FAULTS_TOLD) faults.push(text);
}

function sessionOf(number: number): ClientSession {
  const connection = connections[number];
  if (connection === undefined) throw new Error(`there is no session ${number}`);
  return connection.session;
}

const services = {
  async connect({ count, url, user, password }: Connecting): Promise<void> {
    const clientCertificateManager = new OPCUACertificateManager({
      rootFolder: join(folder, 'pki'),
      automaticallyAcceptUnknownCertificate: true,
      disableFileWatchers: true,
    });
    await clientCertificateManager.initialize();
    for (let number = 0; number < count; number++) {
      const client = OPCUAClient.create({
        applicationName: 'Lorua counting client',
        clientCertificateManager,
        endpointMustExist: false,
        securityPolicy: SecurityPolicy.Basic256Sha256,
        securityMode: MessageSecurityMode.SignAndEncrypt,
        connectionStrategy: { maxRetry: 3, initialDelay: 200, maxDelay: 1_000 },
        requestedSessionTimeout: 60_000,
        keepSessionAlive: true,
      });
      const trouble = (text: string) => () => {
        if (!isOver) troubles.push(`client ${number}: ${text}`);
      };
      client.on('connection_lost', trouble('connection lost'));
      client.on('abort', trouble('connection aborted'));
      await client.connect(url);
      const session = await client.createSession({ type: UserTokenType.UserName, userName: user, password });
      session.on('session_closed', trouble('session closed'));
      session.on('keepalive_failure', trouble('keep-alive failed'));
      connections.push({ client, session });
    }
  },

  /** Watches values that count up, in a subscription of its own. */
  async watch({ session, nodeIds, publishing }: Watching): Promise<void> {
    const subscription = ClientSubscription.create(sessionOf(session), {
      requestedPublishingInterval: publishing,
      requestedLifetimeCount: 1_000,
      requestedMaxKeepAliveCount: 20,
      maxNotificationsPerPublish: 0,
      publishingEnabled: true,
      priority: 1,
    });
    subscription.on('terminated', () => {
      if (!isOver) troubles.push(`client ${session}: subscription terminated`);
    });
    subscription.on('status_changed', (status) => troubles.push(`client ${session}: ${status.name}`));
    for (let from = 0; from < nodeIds.length; from += PER_CALL) {
      const group = await subscription.monitorItems(
        nodeIds.slice(from, from + PER_CALL).map((nodeId) => ({ nodeId, attributeId: AttributeIds.Value })),
        { samplingInterval: 0, queueSize: 10, discardOldest: true },
        TimestampsToReturn.Both,
      );
      const first = newest.length;
      for (const _ of group.monitoredItems) newest.push(Number.NaN);
      group.on('changed', (item, { value, statusCode }, index) => {
        notifications++;
        const number: unknown = value.value;
        const before = newest[first + index] ?? Number.NaN;
        if (typeof number !== 'number') fault(`${item.itemToMonitor.nodeId.toString()} is ${statusCode.name}`);
        else {
          if (!Number.isNaN(before) && number !== before + 1)
            fault(`client ${session}: ${item.itemToMonitor.nodeId.toString()} went from ${before} to ${number}`);
          newest[first + index] = number;
        }
      });
    }
  },

  /** Is told of changes of the address space, as a SCADA system that follows them. */
  async watchModel({ session }: { session: number }): Promise<void> {
    const subscription = ClientSubscription.create(sessionOf(session), {
      requestedPublishingInterval: 250,
      requestedLifetimeCount: 1_000,
      requestedMaxKeepAliveCount: 20,
      maxNotificationsPerPublish: 0,
      publishingEnabled: true,
      priority: 1,
    });
    const item = await subscription.monitor(
      { nodeId: 'i=2253', attributeId: AttributeIds.EventNotifier },
      { samplingInterval: 0, queueSize: 1_000, discardOldest: true, filter: constructEventFilter(['EventType']) },
      TimestampsToReturn.Both,
    );
    item.on('changed', () => {
      modelChanges++;
    });
  },

  /** @returns name of the status code of a value */
  async statusOf({ session, nodeId }: { session: number; nodeId: string }): Promise<string> {
    return (await sessionOf(session).read({ nodeId, attributeId: AttributeIds.Value })).statusCode.name;
  },

  witness: (_: object): Witness => ({
    notifications,
    modelChanges,
    newest: newest.reduce((least, number) => Math.min(least, number), Number.POSITIVE_INFINITY),
    faults,
    troubles,
  }),
} as const;

export type RemoteClients = Remote<typeof services>;

export function startClients(): RemoteClients {
  return new Remote(__filename);
}

if (require.main === module)
  void offer(services, async () => {
    isOver = true;
    await Promise.all(
      connections.map(async ({ client, session }) => {
        await session.close(true).catch(() => undefined);
        await client.disconnect();
      }),
    );
    rmSync(folder, { recursive: true, force: true });
    process.exit();
  });
