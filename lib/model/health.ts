/** How a connection to ChirpStack is doing, as the poller reports it and the Gateway object publishes it. */
import type { QueueCounts } from './command-doors';
import type { GatewayState } from './inventory';
import type { Origin } from './reading';
import type { ServiceLevelReason } from './service-level';

/** Never reorder: OPC UA shows the place of a state as its number. */
export const CONNECTION_STATES = [
  /** not yet tried, or trying for the first time */
  'connecting',
  'connected',
  /** no answer: network, address, certificate, server down */
  'disconnected',
  /** answers, but refuses the API token */
  'unauthenticated',
] as const;
export type ConnectionState = (typeof CONNECTION_STATES)[number];

/** What went wrong with a call or stream, coarse enough to be counted by monitoring for years. */
export const CONNECTION_ERROR_KINDS = [
  /** nothing answers, or the connection broke */
  'network',
  'timeout',
  /** TLS cannot be established or is not trusted */
  'certificate',
  /** the API token is refused */
  'authentication',
  /** the key may not see what is asked for, or it is gone */
  'permission',
  /** something answers that is no ChirpStack, or one of another age */
  'protocol',
  /** ChirpStack answers with an error of its own */
  'server',
  'internal',
] as const;

export type ConnectionErrorKind = (typeof CONNECTION_ERROR_KINDS)[number];

/** Number of errors by kind; a kind that is absent did not happen. */
export type ConnectionErrors = Readonly<Partial<Record<ConnectionErrorKind, number>>>;

export interface ConnectionHealth {
  readonly state: ConnectionState;
  /** Since when it is in that state, ms UTC. */
  readonly since: number;
  /** Why it is not connected, or what a connected one lacks (no devices, no stream for some), for people; else empty. */
  readonly reason: string;
  /** What the user can do; empty if there is nothing to do. */
  readonly cure: string;
  /** When a reconciliation last succeeded as a whole, ms UTC. */
  readonly lastSuccessfulPoll?: number;
  /** Failed calls and streams since the poller started: only ever grows. */
  readonly errorCount: number;
  /** The same by kind; absent in messages that somebody else made. */
  readonly errors?: ConnectionErrors;
  /** The last error, for people. */
  readonly lastError?: string;
  readonly applications: number;
  readonly devices: number;
  /** Event streams that are open, and how many there should be. */
  readonly streamsOpen: number;
  readonly streamsWanted: number;
  /** Uplinks since the poller started, replayed ones included. */
  readonly uplinks: number;
}

/** How the store is doing. Never reorder: OPC UA shows the place of a state as its number. */
export const STORE_STATES = [
  'opening',
  'healthy',
  /** writes fail or lag; live values go on, samples wait in memory */
  'degraded',
  'closed',
] as const;
export type StoreState = (typeof STORE_STATES)[number];

export interface StoreHealth {
  readonly state: StoreState;
  /** Why it is degraded, for people; empty otherwise. */
  readonly reason: string;
  readonly cure: string;
  /** Samples that wait for being written. */
  readonly pending: number;
  /** Samples given up since start because the buffer was full: only ever grows. */
  readonly lost: number;
  /** Samples committed since start. */
  readonly committed: number;
  /** Something to know that is over, for people: a damaged database was set aside. */
  readonly notice?: string;
}

/** How late timers come, ms: what else the program did when they were due. */
export interface EventLoopDelay {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** Numbers of things by the age of their values. */
export interface AgeCounts {
  readonly fresh: number;
  readonly stale: number;
  readonly dead: number;
}

/** What clients have open at the OPC UA server. */
export interface ClientCounts {
  readonly sessions: number;
  /** Secure channels. */
  readonly channels: number;
  readonly subscriptions: number;
  readonly monitoredItems: number;
}

/** Whether events come in by MQTT, where a flow takes them from there. */
export interface MqttHealth {
  /** Trying to connect is not being connected. */
  readonly state: 'connected' | 'disconnected';
  /** Since when it is in that state, ms UTC. */
  readonly since: number;
  /** When the last event came in that way, ms UTC. */
  readonly lastEvent?: number;
}

export interface MqttReport extends MqttHealth {
  /** Node-RED id of the node that decodes the events: the same for as long as it exists. */
  readonly id: string;
  readonly name: string;
}

/** How one connection is doing, and what happened to it lately. */
export interface ConnectionReport {
  /** Node-RED id of the connection: the same for as long as it exists, and no other has it. */
  readonly id: string;
  /** As people call it; another one may have the same. */
  readonly name: string;
  readonly health: ConnectionHealth;
  /** Errors of the last hour. */
  readonly recentErrors: ConnectionErrors;
}

/** How the gateway as a whole is doing, at one instant. */
export interface GatewayHealth {
  /** ms UTC */
  readonly time: number;
  readonly version: string;
  /** Of the process, ms UTC. */
  readonly startTime: number;
  /** Of the process, ms. */
  readonly uptime: number;
  /** 0…255 (OPC UA Part 4 §6.6.2.4.2), and all that lowers it, worst first. */
  readonly serviceLevel: number;
  readonly serviceLevelReasons: readonly ServiceLevelReason[];
  readonly connections: readonly ConnectionReport[];
  /** Empty where no events come by MQTT. */
  readonly mqtt: readonly MqttReport[];
  /** Readings that were stored since start, by where they come from: by stream, MQTT and HTTP alike. */
  readonly readings: Readonly<Record<Origin, number>>;
  /** When the last event of a device came in by whatever way, ms UTC. */
  readonly lastEvent?: number;
  /**
   * Devices: fresh with at least one fresh value, dead with dead ones only, else stale. Those that never sent or are
   * out of service are only in the total.
   */
  readonly devices: AgeCounts & { readonly total: number };
  readonly values: AgeCounts;
  /** LoRa gateways by state. */
  readonly gateways: Readonly<Record<GatewayState, number>>;
  readonly store: StoreHealth;
  /** Bytes; absent while it is not known. */
  readonly storeSize?: { readonly bytes: number; readonly freeBytes: number };
  /** Commands that have not ended, by where they are; absent while no command queue runs. */
  readonly commands?: QueueCounts;
  /** Absent while no OPC UA server runs. */
  readonly clients?: ClientCounts;
  /** The own certificate of the OPC UA server, ms UTC; absent while none runs. */
  readonly certificate?: { readonly validTo: number };
  /** Of the last full minute, in the first minute of the time so far; absent in the first seconds. */
  readonly eventLoop?: EventLoopDelay;
  /** Bytes. */
  readonly memory: { readonly rss: number; readonly heapUsed: number; readonly heapTotal: number };
  /** Processor time of all threads since start, ms. */
  readonly cpu: number;
}
