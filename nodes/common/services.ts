/** What the configuration nodes offer to the nodes that name them. */
import type { Node } from 'node-red';
import type {
  HealthMonitor,
  OpcuaDoors,
  OutputFolders,
  ReportedConnection,
  SettingsUser,
  UserDirectory,
} from '../../lib/admin';
import type { ChirpstackConnection, MqttWatch } from '../../lib/chirpstack';
import type { AgeCounts, OwnMeanings } from '../../lib/model';
import type { GatewayStore, StoreSettings } from '../../lib/store';
import type { CommandHolder } from './command-holder';

/** The gateway's memory: the store, and the last known state of everything that works on it. */
export interface DatabaseService {
  readonly store: GatewayStore;
  readonly settings: StoreSettings;
  /** What the user says of metrics, in the table of the node. */
  readonly ownMeanings: OwnMeanings;
  /** Where exports and backups go. */
  readonly folders: OutputFolders;
  /** Settled when the store has loaded what it knew; never rejects. */
  readonly opened: Promise<void>;
  /** As the poller last reported them, by Node-RED id of the chirpstack-connection. */
  readonly connections: Map<string, ReportedConnection>;
  /** What is known of MQTT where events come that way, by Node-RED id of the chirpstack-events node. */
  readonly mqtt: Map<string, { readonly name: string; readonly watch: MqttWatch }>;
  /** Counts of the stale detector, if there is one. */
  freshness: (() => { readonly values: AgeCounts; readonly devices: AgeCounts }) | undefined;
  /** The queue of commands, if a command-queue runs. */
  readonly commands: CommandHolder;
  /** The OPC UA server, if one runs: where it listens, its clients, and whom it trusts. */
  opcua: OpcuaDoors | undefined;
  /** Users of the OPC UA server's settings, also while it does not run. */
  administrators: readonly SettingsUser[];
  /** Users that the gateway itself keeps. */
  readonly users: UserDirectory;
  /** All of it together. */
  readonly health: HealthMonitor;
}

export interface GatewayDatabaseNode extends Node {
  /** Absent if the node's properties are wrong. */
  service?: DatabaseService;
}

export interface ConnectionCredentials {
  token?: string;
}

export interface ChirpstackConnectionNode extends Node<ConnectionCredentials> {
  /** Absent if the node's properties are wrong. */
  connection?: ChirpstackConnection;
}

/** The node that a property names, if it is of the right type and there. */
export function isDatabaseNode(node: Node | null | undefined): node is GatewayDatabaseNode {
  return node?.type === 'gateway-database';
}

export function isConnectionNode(node: Node | null | undefined): node is ChirpstackConnectionNode {
  return node?.type === 'chirpstack-connection';
}
