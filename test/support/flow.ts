/** Runs flows of our nodes in a real Node-RED runtime, inside the test's process. */
import { createRequire } from 'node:module';
import type { Node, NodeInitializer, NodeMessageInFlow } from 'node-red';
import helper from 'node-red-node-test-helper';
import chirpstackConnection from '../../nodes/chirpstack-connection/chirpstack-connection';
import chirpstackEvents from '../../nodes/chirpstack-events/chirpstack-events';
import chirpstackPoller from '../../nodes/chirpstack-poller/chirpstack-poller';
import chirpstackSimulator from '../../nodes/chirpstack-simulator/chirpstack-simulator';
import gatewayAdmin from '../../nodes/gateway-admin/gateway-admin';
import gatewayDatabase from '../../nodes/gateway-database/gateway-database';
import metricStore from '../../nodes/metric-store/metric-store';
import opcuaGatewayServer from '../../nodes/opcua-gateway-server/opcua-gateway-server';
import staleDetector from '../../nodes/stale-detector/stale-detector';

const load = createRequire(__filename);
helper.init(load.resolve('node-red'));

const OUR_NODES: readonly NodeInitializer[] = [
  chirpstackConnection,
  chirpstackEvents,
  chirpstackPoller,
  chirpstackSimulator,
  gatewayAdmin,
  gatewayDatabase,
  metricStore,
  opcuaGatewayServer,
  staleDetector,
];

export type FlowNode = { id: string; type: string; [property: string]: unknown };

/** A node of Node-RED's own, by the path of its file below @node-red/nodes/core. */
export function coreNode(path: string): NodeInitializer {
  return load(`@node-red/nodes/core/${path}`) as NodeInitializer;
}

/** Starts a flow; every node gets a tab. */
export async function startFlow(
  nodes: readonly FlowNode[],
  options: {
    credentials?: Record<string, Record<string, string>>;
    coreNodes?: readonly NodeInitializer[];
    userDir?: string;
  } = {},
): Promise<void> {
  helper.settings({ ...(options.userDir === undefined ? {} : { userDir: options.userDir }) });
  await helper.load(
    [...OUR_NODES, ...(options.coreNodes ?? [])] as never,
    withTab(nodes) as never,
    options.credentials as never,
  );
}

/** Deploys a changed flow. */
export async function deploy(
  nodes: readonly FlowNode[],
  type: 'full' | 'nodes' | 'flows',
  credentials?: Record<string, Record<string, string>>,
): Promise<void> {
  await helper.setFlows(withTab(nodes) as never, type, credentials as never);
}

const CONFIGURATION_TYPES = new Set(['chirpstack-connection', 'gateway-database', 'mqtt-broker']);

function withTab(nodes: readonly FlowNode[]): FlowNode[] {
  return [
    { id: 'tab', type: 'tab', label: 'test' },
    // Node-RED takes what has no place on a tab for a configuration node.
    ...nodes.map((node) => (CONFIGURATION_TYPES.has(node.type) ? node : { z: 'tab', x: 100, y: 100, ...node })),
  ];
}

export async function stopFlow(): Promise<void> {
  await helper.unload();
}

export function node(id: string): Node {
  return helper.getNode(id);
}

/** The messages that a node of type `helper` gets from now on. */
export function collect(id: string): NodeMessageInFlow[] {
  const messages: NodeMessageInFlow[] = [];
  helper.getNode(id).on('input', (message) => {
    messages.push(message);
  });
  return messages;
}

/** Statuses that a node shows from now on, newest last. */
export function statuses(id: string): { fill?: string; shape?: string; text?: string }[] {
  const shown: { fill?: string; shape?: string; text?: string }[] = [];
  helper
    .getNode(id)
    .on('call:status' as never, ((call: { args: [{ text?: string }] }) => shown.push(call.args[0])) as never);
  return shown;
}

/** Texts of all log records so far at a level: 20 error, 30 warn, 40 info. */
export function logged(level: number): string[] {
  return helper
    .log()
    .getCalls()
    .map((call) => call.args[0] as { level: number; msg: unknown })
    .filter((record) => record.level === level)
    .map((record) => String(record.msg));
}
