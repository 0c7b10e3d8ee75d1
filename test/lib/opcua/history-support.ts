/** A server over a real store, and a client that reads histories from it, as a historian does. */
import {
  type DataValue,
  HistoryData,
  HistoryModifiedData,
  type HistoryReadDetails,
  HistoryReadRequest,
  type HistoryReadResponse,
  type HistoryReadResult,
  NodeId,
  ReadRawModifiedDetails,
  resolveNodeId,
  StatusCodes,
  TimestampsToReturn,
} from 'node-opcua';
import { type Clock, parseSourceId, silentLogger, systemClock } from '../../../lib/model';
import { GatewayServer, type HistorySource, type ModelSource } from '../../../lib/opcua';
import { GatewayStore, parseStoreSettings } from '../../../lib/store';
import { APPLICATION, type Connected, depsOf, devEuiOf, deviceOf, PROFILE, settingsOf } from './support';

type ReadRawModifiedDetailsOptions = NonNullable<ConstructorParameters<typeof ReadRawModifiedDetails>[0]>;

/** When the tests play, ms UTC. */
export const T0 = Date.UTC(2026, 10, 23, 12);

export function metricNode(index: number, key: string): string {
  return `ns=3;s=${devEuiOf(index)}/metric/${key}`;
}

export async function openStore(devices = 1, clock: Clock = systemClock): Promise<GatewayStore> {
  const store = GatewayStore.create(parseStoreSettings({ backend: 'memory', retentionDays: 0 }), {
    clock,
    logger: silentLogger,
  });
  await store.open();
  const list = Array.from({ length: devices }, (_, index) => deviceOf(index + 1));
  store.inventory.replace(parseSourceId('connection'), {
    applications: new Map(),
    gateways: new Map(),
    profiles: new Map([[PROFILE, { id: PROFILE, name: 'TH-1', uplinkInterval: 60, measurements: {}, tags: {} }]]),
    devices: new Map(list.map((device) => [device.devEui, { ...device, applicationId: APPLICATION }])),
  });
  return store;
}

export function sourceOf(store: GatewayStore, history?: HistorySource): ModelSource {
  return {
    inventory: () => store.inventory.merged(),
    onInventory: (listener) => store.inventory.onChange(() => listener()),
    metrics: () => store.metrics.all(),
    onMetrics: (listener) => store.metrics.onChange(listener),
    value: (devEui, key) => store.values.get(devEui, key),
    history: history ?? {
      readHistory: (request, encoding, signal) => store.readEncodedHistory(request, encoding, signal),
    },
  };
}

export async function serve(
  folder: string,
  source: ModelSource,
  more: Record<string, unknown> = {},
  clock: Clock = systemClock,
): Promise<GatewayServer> {
  const server = new GatewayServer(settingsOf(folder, more), depsOf({ clock }));
  await server.start();
  server.attach(source);
  await server.settled();
  return server;
}

export interface Asked {
  readonly nodes: readonly string[];
  readonly details: HistoryReadDetails;
  readonly timestamps?: TimestampsToReturn;
  readonly points?: readonly (Buffer | null | undefined)[];
  readonly release?: boolean;
  readonly indexRange?: string;
  readonly dataEncoding?: string;
  /** ms */
  readonly timeout?: number;
}

export async function request({ session }: Connected, asked: Asked): Promise<HistoryReadResponse> {
  const built = new HistoryReadRequest({
    historyReadDetails: asked.details,
    timestampsToReturn: asked.timestamps ?? TimestampsToReturn.Source,
    releaseContinuationPoints: asked.release ?? false,
    ...(asked.timeout === undefined ? {} : { requestHeader: { timeoutHint: asked.timeout } }),
    nodesToRead: asked.nodes.map((nodeId, index) => ({
      nodeId: nodeId === '' ? NodeId.nullNodeId : resolveNodeId(nodeId),
      ...(asked.indexRange === undefined ? {} : { indexRange: asked.indexRange as never }),
      ...(asked.dataEncoding === undefined ? {} : { dataEncoding: { namespaceIndex: 0, name: asked.dataEncoding } }),
      continuationPoint: asked.points?.[index] ?? Buffer.alloc(0),
    })),
  });
  return (
    session as unknown as { performMessageTransaction(r: unknown): Promise<HistoryReadResponse> }
  ).performMessageTransaction(built);
}

export async function ask(client: Connected, asked: Asked): Promise<HistoryReadResult[]> {
  return (await request(client, asked)).results ?? [];
}

export async function askOne(
  client: Connected,
  node: string,
  details: HistoryReadDetails,
  more: Partial<Asked> = {},
): Promise<HistoryReadResult> {
  const [result] = await ask(client, { nodes: [node], details, ...more });
  if (result === undefined) throw new Error('no result');
  return result;
}

/** Start and end as ms after {@link T0}; absent = not given. */
export function raw(
  start: number | undefined,
  end: number | undefined,
  count = 0,
  more: ReadRawModifiedDetailsOptions = {},
): ReadRawModifiedDetails {
  return new ReadRawModifiedDetails({
    ...(start === undefined ? {} : { startTime: new Date(T0 + start) }),
    ...(end === undefined ? {} : { endTime: new Date(T0 + end) }),
    numValuesPerNode: count,
    ...more,
  });
}

export function valuesOf({ historyData }: HistoryReadResult): DataValue[] {
  if (!(historyData instanceof HistoryData)) throw new Error('no HistoryData');
  return historyData.dataValues ?? [];
}

export function modificationsOf({ historyData }: HistoryReadResult): HistoryModifiedData['modificationInfos'] {
  if (!(historyData instanceof HistoryModifiedData)) throw new Error('no HistoryModifiedData');
  return historyData.modificationInfos;
}

/** `ms after T0 = value`, or `ms after T0: status` where there is no value. */
export function shown(result: HistoryReadResult): string[] {
  return valuesOf(result).map(({ sourceTimestamp, value, statusCode }) => {
    const time = (sourceTimestamp?.getTime() ?? Number.NaN) - T0;
    return value.value === null || value.value === undefined ? `${time}: ${statusCode.name}` : `${time}=${value.value}`;
  });
}

export function statusOf(result: HistoryReadResult | undefined): string {
  return result?.statusCode.name ?? 'none';
}

export function isGood(result: HistoryReadResult): boolean {
  return result.statusCode.equals(StatusCodes.Good);
}

/** All pages of an answer. */
export async function readAll(
  client: Connected,
  node: string,
  details: HistoryReadDetails,
): Promise<{ pages: HistoryReadResult[]; values: string[] }> {
  const pages: HistoryReadResult[] = [];
  let point: Buffer | null | undefined;
  do {
    const page = await askOne(client, node, details, { points: [point] });
    pages.push(page);
    point = page.continuationPoint;
  } while (point && point.length > 0);
  return { pages, values: pages.flatMap((page) => (page.historyData instanceof HistoryData ? shown(page) : [])) };
}
