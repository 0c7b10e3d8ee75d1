import { z } from 'zod';
import {
  type AgeCounts,
  type ClientCounts,
  type ConnectionHealth,
  packageVersion,
  type ServiceLevelReason,
  type StoreHealth,
} from '../model';
import type { AdministrationDependencies, ReportedConnection } from './dependencies';

export const statusPayload = z.strictObject({});

export type VerdictCode =
  | 'unauthenticated'
  | 'disconnected'
  | 'degraded'
  | 'no-connection'
  | 'connecting'
  | 'no-devices'
  | 'overloaded'
  | 'mqtt-lost'
  | 'certificate-expired'
  | 'streams-missing'
  | 'dead'
  | 'stale'
  | 'notice'
  | 'fresh';

/** The gateway in one word, for people. */
export interface Verdict {
  readonly level: 'ok' | 'warning' | 'error';
  /** Which verdict it is, for those who show it in another language. */
  readonly code: VerdictCode;
  /** What the sentence tells besides: `name` of a connection, `count` of values, `detail` as its source reported it. */
  readonly values: Readonly<Record<string, string | number>>;
  /** One sentence. */
  readonly reason: string;
  /** What to do; empty if nothing. */
  readonly cure: string;
}

export interface GatewayStatus {
  readonly verdict: Verdict;
  readonly connections: readonly { readonly name: string; readonly health: ConnectionHealth }[];
  readonly store: StoreHealth;
  readonly opcua: (ClientCounts & { readonly endpointUrls: readonly string[] }) | undefined;
  readonly counts: AgeCounts & { readonly applications: number; readonly devices: number; readonly metrics: number };
  readonly version: string;
  /** Of the process, ms. */
  readonly uptime: number;
  /** ms UTC */
  readonly time: number;
}

const NO_COUNTS: AgeCounts = { fresh: 0, stale: 0, dead: 0 };

export function gatewayStatus({
  store,
  connections,
  freshness,
  opcua,
  clock,
  health: wholeHealth,
}: AdministrationDependencies): GatewayStatus {
  const known = connections();
  const server = opcua();
  const health = store.health();
  const { applications, devices } = store.inventory.merged();
  const counts = freshness?.() ?? NO_COUNTS;
  let metrics = 0;
  for (const _ of store.metrics.all()) metrics++;
  return {
    verdict: verdict(known, health, counts, devices.size, wholeHealth().serviceLevelReasons),
    connections: known,
    store: health,
    opcua: server && { ...server.counts(), endpointUrls: server.endpointUrls },
    counts: { ...counts, applications: applications.size, devices: devices.size, metrics },
    version: packageVersion(),
    uptime: Math.round(process.uptime() * 1_000),
    time: clock.now(),
  };
}

/** What is worst is said first: nobody reads the rest while that is so. */
export function verdict(
  connections: readonly ReportedConnection[],
  store: StoreHealth,
  { stale, dead }: AgeCounts,
  devices: number,
  reasons: readonly ServiceLevelReason[] = [],
): Verdict {
  for (const { name, health } of connections) {
    const { state } = health;
    if (state !== 'unauthenticated' && state !== 'disconnected') continue;
    return {
      level: 'error',
      code: state,
      values: { name, detail: health.reason },
      reason: `ChirpStack (${name}) is ${state}: ${health.reason || 'no reason is known'}`,
      cure: health.cure,
    };
  }
  if (store.state === 'degraded')
    return {
      level: 'error',
      code: 'degraded',
      values: { detail: store.reason },
      reason: `The database cannot be written: ${store.reason}`,
      cure: store.cure,
    };
  if (connections.length === 0)
    return {
      level: 'warning',
      code: 'no-connection',
      values: {},
      reason: 'No ChirpStack has reported yet',
      cure: 'Wait a moment after a start; else look whether a chirpstack-poller is deployed with a connection.',
    };
  if (connections.some(({ health: { state } }) => state === 'connecting'))
    return { level: 'warning', code: 'connecting', values: {}, reason: 'Connecting to ChirpStack', cure: '' };
  if (devices === 0)
    return {
      level: 'warning',
      code: 'no-devices',
      values: {},
      reason: 'ChirpStack shows no devices',
      cure: 'Add devices in ChirpStack, or choose a tenant or applications that have some.',
    };
  if (reasons.includes('overloaded'))
    return {
      level: 'warning',
      code: 'overloaded',
      values: {},
      reason: 'The gateway has too much to do: values come late',
      cure: 'Look at the function nodes of the flow, and at what else this machine does.',
    };
  if (reasons.includes('mqtt-lost'))
    return {
      level: 'warning',
      code: 'mqtt-lost',
      values: {},
      reason: 'No device is heard live: MQTT, by which events come, is not connected',
      cure: 'Look at the broker, the network and the login of the mqtt-broker node. It connects again by itself.',
    };
  if (reasons.includes('certificate-expired'))
    return {
      level: 'warning',
      code: 'certificate-expired',
      values: {},
      reason: 'The certificate of the OPC UA server has ended: clients that check it do not connect',
      cure: 'Renew it.',
    };
  if (reasons.includes('streams-missing'))
    return {
      level: 'warning',
      code: 'streams-missing',
      values: {},
      reason: 'Many devices are not heard live: their event streams are not open',
      cure: 'Wait a moment, streams are opened again by themselves. If it stays, look at the log, or receive events by MQTT.',
    };
  if (dead > 0)
    return {
      level: 'warning',
      code: 'dead',
      values: { count: dead },
      reason: `${dead} values are lost: their devices have been silent for long`,
      cure: 'Look at these devices: battery, antenna, reach of a gateway.',
    };
  if (stale > 0)
    return {
      level: 'warning',
      code: 'stale',
      values: { count: stale },
      reason: `${stale} values are stale: their devices are overdue`,
      cure: 'Wait for the next uplink, or look at these devices.',
    };
  if (store.notice !== undefined)
    return {
      level: 'warning',
      code: 'notice',
      values: { detail: store.notice },
      reason: store.notice,
      cure: 'Check the disk.',
    };
  return { level: 'ok', code: 'fresh', values: {}, reason: 'All values are fresh', cure: '' };
}
