/** Runs flows of our nodes in a real Node-RED runtime, inside the test's process. */
import type { EventEmitter } from 'node:events';
import { createRequire } from 'node:module';
import type { Node, NodeInitializer, NodeMessage } from 'node-red';
import helper from 'node-red-node-test-helper';
import { serverRegistry } from '../../lib/opcua';
import chirpstackConnection from '../../nodes/chirpstack-connection/chirpstack-connection';
import chirpstackEvents from '../../nodes/chirpstack-events/chirpstack-events';
import chirpstackPoller from '../../nodes/chirpstack-poller/chirpstack-poller';
import chirpstackSimulator from '../../nodes/chirpstack-simulator/chirpstack-simulator';
import commandQueue from '../../nodes/command-queue/command-queue';
import gatewayAdmin from '../../nodes/gateway-admin/gateway-admin';
import gatewayDatabase from '../../nodes/gateway-database/gateway-database';
import metricStore from '../../nodes/metric-store/metric-store';
import opcuaGatewayServer from '../../nodes/opcua-gateway-server/opcua-gateway-server';
import staleDetector from '../../nodes/stale-detector/stale-detector';

const load = createRequire(__filename);
helper.init(load.resolve('node-red'));
const runtime = load('node-red') as { runtime: { events: EventEmitter } };

const OUR_NODES: readonly NodeInitializer[] = [
  chirpstackConnection,
  chirpstackEvents,
  chirpstackPoller,
  chirpstackSimulator,
  commandQueue,
  gatewayAdmin,
  gatewayDatabase,
  metricStore,
  opcuaGatewayServer,
  staleDetector,
];

export type FlowNode = { id: string; type: string; [property: string]: unknown };
export type Credentials = Readonly<Record<string, Readonly<Record<string, string>>>>;
export interface ShownStatus {
  readonly fill?: string;
  readonly shape?: string;
  readonly text?: string;
}
/** A record of Node-RED's log. `lorua` is the structured entry of our nodes. */
export interface LogRecord {
  readonly level: number;
  readonly id?: string;
  readonly type?: string;
  readonly msg?: unknown;
  readonly lorua?: { readonly module: string; readonly entry: { readonly [fact: string]: unknown } };
}

let running = false;

/** Where Node-RED tells its nodes that flows start and stop. */
export function runtimeEvents(): EventEmitter {
  return runtime.runtime.events;
}

/** A node of Node-RED's own, by the path of its file below @node-red/nodes/core. */
export function coreNode(path: string): NodeInitializer {
  return load(`@node-red/nodes/core/${path}`) as NodeInitializer;
}

/** Starts a flow; every node gets a tab. {@link stopFlow} must follow, also if this rejects. */
export async function startFlow(
  nodes: readonly FlowNode[],
  options: {
    credentials?: Credentials;
    coreNodes?: readonly NodeInitializer[];
    userDir?: string;
  } = {},
): Promise<void> {
  running = true;
  helper.settings(options.userDir === undefined ? {} : { userDir: options.userDir });
  await helper.load([...OUR_NODES, ...(options.coreNodes ?? [])] as never, withTab(nodes), options.credentials);
}

/** Deploys a changed flow, as the editor's button does; resolves when it runs. */
export async function deploy(
  nodes: readonly FlowNode[],
  type: 'full' | 'nodes' | 'flows',
  credentials?: Credentials,
): Promise<void> {
  const events = runtimeEvents();
  let onStarted = (): void => undefined;
  const started = new Promise<void>((resolve) => {
    onStarted = resolve;
  });
  events.once('flows:started', onStarted);
  try {
    await helper.setFlows(withTab(nodes), type, credentials).catch((error: unknown) => {
      // The helper waits 300 ms for the start; on a busy machine it takes longer.
      if (!(error instanceof Error && error.message === 'timeout waiting event')) throw error;
    });
    await started;
  } finally {
    events.removeListener('flows:started', onStarted);
  }
}

const CONFIGURATION_TYPES = new Set(['chirpstack-connection', 'gateway-database', 'mqtt-broker']);

function withTab(nodes: readonly FlowNode[]): FlowNode[] {
  return [
    { id: 'tab', type: 'tab', label: 'test' },
    // Node-RED takes what has no place on a tab for a configuration node.
    ...nodes.map((node) => (CONFIGURATION_TYPES.has(node.type) ? node : { z: 'tab', x: 100, y: 100, ...node })),
  ];
}

/** Stops the flow and, as at the end of the process, the OPC UA servers which outlive their nodes. Idempotent. */
export async function stopFlow(): Promise<void> {
  if (!running) return;
  running = false;
  try {
    await helper.unload();
  } finally {
    await serverRegistry.shutdownAll();
  }
}

export function node(id: string): Node {
  return helper.getNode(id);
}

/** A message as it travels. */
export interface FlowMessage {
  readonly topic?: unknown;
  readonly payload?: unknown;
  readonly [property: string]: unknown;
}

/** Gives a message to a node, as a wire does. */
export function give(id: string, message: FlowMessage): void {
  helper.getNode(id).receive(message as NodeMessage);
}

/** The messages that a node of type `helper` gets from now on. */
export function collect(id: string): FlowMessage[] {
  const messages: FlowMessage[] = [];
  helper.getNode(id).on('input', (message) => {
    messages.push({ ...message });
  });
  return messages;
}

/** Text of the error that a Catch node added to a message. */
export function errorOf(message: FlowMessage | undefined): string {
  return (message?.error as { message?: string } | undefined)?.message ?? '';
}

interface Spy {
  getCalls(): readonly { readonly thisValue: unknown; readonly args: readonly unknown[] }[];
}

/** First arguments of the calls of a method that a node has made since the start of the flow. */
function calls(id: string, method: 'status' | 'send'): unknown[] {
  const found = helper.getNode(id) as Node | null;
  if (found === null) return [];
  // A node without wires has another `send`, which does nothing.
  const spy = found[method] as Partial<Spy>;
  return (spy.getCalls?.() ?? []).filter(({ thisValue }) => thisValue === found).map(({ args }) => args[0]);
}

/** All statuses that a node has shown since it exists, newest last. */
export function statuses(id: string): ShownStatus[] {
  return calls(id, 'status') as ShownStatus[];
}

/** All that a node has sent by itself since it exists. */
export function sent(id: string): unknown[] {
  return calls(id, 'send');
}

/** All log records of the flow so far. */
export function logRecords(): LogRecord[] {
  return helper
    .log()
    .getCalls()
    .map((call) => call.args[0] as LogRecord);
}

/** Texts of all log records so far at a level: 20 error, 30 warn, 40 info. */
export function logged(level: number): string[] {
  return logRecords()
    .filter((record) => record.level === level)
    .map((record) => String(record.msg));
}
