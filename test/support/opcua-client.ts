import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  AttributeIds,
  BrowseDirection,
  type ClientSession,
  ClientSubscription,
  DataChangeFilter,
  DataChangeTrigger,
  type DataValue,
  MessageSecurityMode,
  NodeClass,
  OPCUACertificateManager,
  OPCUAClient,
  type ReferenceDescription,
  SecurityPolicy,
  TimestampsToReturn,
  UserTokenType,
} from 'node-opcua';

export interface ConnectOptions {
  readonly url: string;
  readonly user: string;
  readonly password: string;
  readonly securityPolicy?: SecurityPolicy;
  readonly securityMode?: MessageSecurityMode;
  /** Where its key and certificate are, and stay: the same client again. A new one each time if absent. */
  readonly pkiFolder?: string;
  /** Connects again by itself for as long as it takes, as SCADA systems do. */
  readonly isPersistent?: boolean;
}

/** Asked in one call: below the operation limits of every server. */
const NODES_PER_CALL = 500;

/** One notification that a client got. */
export interface Notification {
  readonly nodeId: string;
  readonly dataValue: DataValue;
}

/** A real OPC UA client with a certificate of its own, as a SCADA system is one. */
export class TestClient {
  readonly session: ClientSession;
  /** What happened to connection and session since it connected; empty if all went well. */
  readonly troubles: string[] = [];
  readonly #client: OPCUAClient;
  readonly #folder: string;

  private constructor(client: OPCUAClient, session: ClientSession, folder: string) {
    this.#client = client;
    this.session = session;
    this.#folder = folder;
    client.on('connection_lost', () => this.troubles.push('connection lost'));
    client.on('start_reconnection', () => this.troubles.push('reconnection started'));
    client.on('abort', () => this.troubles.push('connection aborted'));
    session.on('session_closed', () => this.troubles.push('session closed'));
    session.on('keepalive_failure', () => this.troubles.push('keep-alive failed'));
  }

  static async connect(options: ConnectOptions): Promise<TestClient> {
    const folder = mkdtempSync(join(tmpdir(), 'lorua-client-'));
    const clientCertificateManager = new OPCUACertificateManager({
      rootFolder: options.pkiFolder ?? join(folder, 'pki'),
      automaticallyAcceptUnknownCertificate: true,
    });
    await clientCertificateManager.initialize();
    const client = OPCUAClient.create({
      applicationName: 'Lorua test client',
      clientCertificateManager,
      endpointMustExist: false,
      securityPolicy: options.securityPolicy ?? SecurityPolicy.Basic256Sha256,
      securityMode: options.securityMode ?? MessageSecurityMode.SignAndEncrypt,
      connectionStrategy: { maxRetry: options.isPersistent === true ? -1 : 2, initialDelay: 200, maxDelay: 1_000 },
      requestedSessionTimeout: 60_000,
    });
    try {
      await client.connect(options.url);
      const session = await client.createSession({
        type: UserTokenType.UserName,
        userName: options.user,
        password: options.password,
      });
      return new TestClient(client, session, folder);
    } catch (error) {
      await client.disconnect();
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  /** Index of a namespace on this server. */
  async namespaceIndex(uri: string): Promise<number> {
    const namespaces = await this.session.readNamespaceArray();
    const index = namespaces.indexOf(uri);
    if (index < 0) throw new Error(`the server has no namespace ${uri}`);
    return index;
  }

  /** Node id of one of the gateway's own nodes. */
  async gatewayNode(identifier: string): Promise<string> {
    return `ns=${await this.namespaceIndex('urn:lorua:gateway')};s=${identifier}`;
  }

  read(nodeId: string): Promise<DataValue> {
    return this.session.read({ nodeId, attributeId: AttributeIds.Value });
  }

  /** Forward hierarchical references of each of the nodes, all pages. */
  async browseAll(nodeIds: readonly string[]): Promise<ReferenceDescription[]> {
    const references: ReferenceDescription[] = [];
    for (let from = 0; from < nodeIds.length; from += NODES_PER_CALL) {
      let results = await this.session.browse(
        nodeIds.slice(from, from + NODES_PER_CALL).map((nodeId) => ({
          nodeId,
          browseDirection: BrowseDirection.Forward,
          referenceTypeId: 'HierarchicalReferences',
          includeSubtypes: true,
          resultMask: 63,
        })),
      );
      while (results.length > 0) {
        references.push(...results.flatMap((result) => result.references ?? []));
        const more = results.map((result) => result.continuationPoint).filter((point) => point && point.length > 0);
        results = more.length > 0 ? await this.session.browseNext(more, false) : [];
      }
    }
    return references;
  }

  /** Node ids of all variables below a node. */
  async variablesBelow(nodeId: string): Promise<string[]> {
    const found = new Set<string>();
    const seen = new Set<string>([nodeId]);
    for (let level = [nodeId]; level.length > 0; ) {
      const next: string[] = [];
      for (const reference of await this.browseAll(level)) {
        const id = reference.nodeId.toString();
        if (seen.has(id)) continue;
        seen.add(id);
        if (reference.nodeClass.valueOf() === NodeClass.Variable.valueOf()) found.add(id);
        next.push(id);
      }
      level = next;
    }
    return [...found];
  }

  /** Values of many variables, in their order. */
  async readAll(nodeIds: readonly string[]): Promise<DataValue[]> {
    const values: DataValue[] = [];
    for (let from = 0; from < nodeIds.length; from += NODES_PER_CALL)
      values.push(
        ...(await this.session.read(
          nodeIds.slice(from, from + NODES_PER_CALL).map((nodeId) => ({ nodeId, attributeId: AttributeIds.Value })),
        )),
      );
    return values;
  }

  /** Subscribes to values; every change of value, status or source time is given to the listener. */
  async subscribe(
    nodeIds: readonly string[],
    listener: (notification: Notification) => void,
  ): Promise<ClientSubscription> {
    const subscription = ClientSubscription.create(this.session, {
      requestedPublishingInterval: 100,
      requestedLifetimeCount: 1_000,
      requestedMaxKeepAliveCount: 20,
      maxNotificationsPerPublish: 10_000,
      publishingEnabled: true,
      priority: 1,
    });
    const group = await subscription.monitorItems(
      nodeIds.map((nodeId) => ({ nodeId, attributeId: AttributeIds.Value })),
      {
        samplingInterval: 0,
        queueSize: 1_000,
        discardOldest: true,
        filter: new DataChangeFilter({ trigger: DataChangeTrigger.StatusValueTimestamp }),
      },
      TimestampsToReturn.Both,
    );
    group.on('changed', (item, dataValue) => listener({ nodeId: item.itemToMonitor.nodeId.toString(), dataValue }));
    return subscription;
  }

  async close(): Promise<void> {
    await this.session.close(true).catch(() => undefined);
    await this.#client.disconnect();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
