/** Who sends commands, in a process of its own: an OPC UA client, and a bare client of ChirpStack's API. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { DeviceServiceClient } from '@chirpstack/chirpstack-api/api/device_grpc_pb';
import { DeviceQueueItem, EnqueueDeviceQueueItemRequest } from '@chirpstack/chirpstack-api/api/device_pb';
import { credentials, Metadata } from '@grpc/grpc-js';
import { Timestamp } from 'google-protobuf/google/protobuf/timestamp_pb';
import {
  AttributeIds,
  type ClientSession,
  DataType,
  MessageSecurityMode,
  OPCUACertificateManager,
  OPCUAClient,
  SecurityPolicy,
  UserTokenType,
} from 'node-opcua';
import type { HistorianAccess } from '../test/support/history-client';
import { offer, Remote } from '../test/support/remote';
import { preciseNow } from './opcua-plant';

export interface Connecting {
  readonly access: HistorianAccess;
  /** Address of ChirpStack's API, and a key of it. */
  readonly api: string;
  readonly token: string;
}

/** So many commands each way, each with a number of its own by which it is recognised. */
export interface Sending {
  readonly devEuis: readonly string[];
  readonly count: number;
  readonly from: number;
  /** Of the command. */
  readonly name: string;
  readonly fPort: number;
}

/** ms between two, as people and programs of a plant send them. */
const PAUSE = 5;

/** ms UTC: when a command was sent, and when the answer was here. */
export interface Sent {
  readonly number: number;
  readonly begun: number;
  readonly answered: number;
}

const folder = mkdtempSync(join(tmpdir(), 'lorua-bench-sender-'));
let opcua: { readonly client: OPCUAClient; readonly session: ClientSession; readonly namespace: number } | undefined;
let chirpstack: { readonly client: DeviceServiceClient; readonly metadata: Metadata } | undefined;

async function timed(number: number, send: () => Promise<void>): Promise<Sent> {
  const begun = preciseNow();
  await send();
  return { number, begun, answered: preciseNow() };
}

/** Writes the value of a command of a device. */
async function write(devEui: string, name: string, number: number): Promise<void> {
  if (opcua === undefined) throw new Error('not connected');
  const statusCode = await opcua.session.write({
    nodeId: `ns=${opcua.namespace};s=${devEui}/command/${name}/value`,
    attributeId: AttributeIds.Value,
    value: { value: { dataType: DataType.Int32, value: number } },
  });
  if (!statusCode.isGood()) throw new Error(`a write was answered ${statusCode.name}`);
}

async function read(devEui: string, name: string): Promise<void> {
  if (opcua === undefined) throw new Error('not connected');
  const nodeId = `ns=${opcua.namespace};s=${devEui}/command/${name}/state`;
  await opcua.session.read({ nodeId, attributeId: AttributeIds.Value });
}

/** Enqueues the same at ChirpStack, with nothing in between. */
function enqueue(devEui: string, fPort: number, number: number): Promise<void> {
  if (chirpstack === undefined) throw new Error('not connected');
  const { client, metadata } = chirpstack;
  const item = new DeviceQueueItem();
  item.setDevEui(devEui);
  item.setFPort(fPort);
  const data = Buffer.alloc(4);
  data.writeUInt32BE(number);
  item.setData(data);
  const expiresAt = new Timestamp();
  expiresAt.setSeconds(Math.floor(Date.now() / 1_000) + 3_600);
  item.setExpiresAt(expiresAt);
  const request = new EnqueueDeviceQueueItemRequest();
  request.setQueueItem(item);
  return new Promise((resolve, reject) => {
    client.enqueue(request, metadata, (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}

const services = {
  async connect({ access, api, token }: Connecting): Promise<void> {
    const clientCertificateManager = new OPCUACertificateManager({
      rootFolder: join(folder, 'pki'),
      automaticallyAcceptUnknownCertificate: true,
    });
    await clientCertificateManager.initialize();
    const client = OPCUAClient.create({
      clientCertificateManager,
      endpointMustExist: false,
      securityPolicy: SecurityPolicy.Basic256Sha256,
      securityMode: MessageSecurityMode.SignAndEncrypt,
      connectionStrategy: { maxRetry: 1 },
      requestedSessionTimeout: 120_000,
    });
    await client.connect(access.url);
    const { user: userName, password } = access;
    const session = await client.createSession({ type: UserTokenType.UserName, userName, password });
    const namespace = (await session.readNamespaceArray()).indexOf('urn:lorua:gateway');
    opcua = { client, session, namespace };
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${token}`);
    chirpstack = { client: new DeviceServiceClient(new URL(api).host, credentials.createInsecure()), metadata };
  },

  /** Sends in turn by OPC UA and by gRPC, so that both see the same machine, and reads: what OPC UA alone costs. */
  async send({
    devEuis,
    count,
    from,
    name,
    fPort,
  }: Sending): Promise<Readonly<Record<'ours' | 'bare' | 'reads', readonly Sent[]>>> {
    const ours: Sent[] = [];
    const bare: Sent[] = [];
    const reads: Sent[] = [];
    for (let number = from; number < from + 2 * count; number += 2) {
      const devEui = devEuis[(number >> 1) % devEuis.length] ?? '';
      ours.push(await timed(number, () => write(devEui, name, number)));
      await pause(PAUSE);
      bare.push(await timed(number + 1, () => enqueue(devEui, fPort, number + 1)));
      await pause(PAUSE);
      reads.push(await timed(number, () => read(devEui, name)));
      await pause(PAUSE);
    }
    return { ours, bare, reads };
  },
} as const;

export type RemoteSender = Remote<typeof services>;

export function startSender(): RemoteSender {
  return new Remote(__filename);
}

if (require.main === module)
  void offer(services, async () => {
    chirpstack?.client.close();
    await opcua?.session.close(true).catch(() => undefined);
    await opcua?.client.disconnect();
    rmSync(folder, { recursive: true, force: true });
    process.exit();
  });
