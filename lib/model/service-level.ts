/** How good the service is as a number for clients that choose between servers (OPC UA Part 4 §6.6.2.4.2). */
import type { ConnectionHealth, EventLoopDelay, MqttHealth, StoreHealth } from './health';

/** 200–255 healthy, 2–199 degraded, 1 no data. */
export const SERVICE_LEVELS = {
  healthy: 255,
  /** All is well, but somebody has to do something in the next days. */
  certificateExpires: 210,
  /** History is not written; live values go on. */
  storeDegraded: 199,
  /** Everything comes late. */
  overloaded: 190,
  /** Many devices are not heard live. */
  streamsMissing: 180,
  /** Clients that check it will not connect any more. */
  certificateExpired: 160,
  someConnectionsLost: 150,
  /** Nothing is known yet but what was before the start. */
  connecting: 100,
  noConnection: 1,
} as const;

export const SERVICE_LEVEL_REASONS = {
  'no-connection': SERVICE_LEVELS.noConnection,
  connecting: SERVICE_LEVELS.connecting,
  'connection-lost': SERVICE_LEVELS.someConnectionsLost,
  // No device is heard live that is heard by this way.
  'mqtt-lost': SERVICE_LEVELS.someConnectionsLost,
  'certificate-expired': SERVICE_LEVELS.certificateExpired,
  'streams-missing': SERVICE_LEVELS.streamsMissing,
  overloaded: SERVICE_LEVELS.overloaded,
  'store-degraded': SERVICE_LEVELS.storeDegraded,
  'certificate-expires': SERVICE_LEVELS.certificateExpires,
} as const;

export type ServiceLevelReason = keyof typeof SERVICE_LEVEL_REASONS;

/** Single streams end and are opened again all the time: so large a share of them is no reason yet, nor is one. */
const STREAMS_SPARED = 0.1;
/** p99 of the event loop's delay beyond which values come late for people too, ms. */
const OVERLOAD = 1_000;
/** How long before its end a certificate is told of, ms: it should have been renewed by itself long before. */
const CERTIFICATE_NOTICE = 14 * 86_400_000;

export interface ServiceFacts {
  readonly connections: readonly Pick<ConnectionHealth, 'state' | 'streamsOpen' | 'streamsWanted'>[];
  readonly mqtt?: readonly Pick<MqttHealth, 'state'>[];
  readonly storeState: StoreHealth['state'];
  readonly eventLoop?: EventLoopDelay | undefined;
  /** Until the own certificate of the OPC UA server ends, ms; negative when it has. */
  readonly certificateLeft?: number | undefined;
}

/** The worst that holds decides; a gateway without any connection (a flow makes its values) lacks nothing. */
export function judgeService({ connections, mqtt = [], storeState, eventLoop, certificateLeft }: ServiceFacts): {
  readonly level: number;
  /** Worst first. */
  readonly reasons: readonly ServiceLevelReason[];
} {
  const up = connections.filter(({ state }) => state === 'connected');
  const lost = connections.filter(({ state }) => state === 'disconnected' || state === 'unauthenticated');
  const holds: Readonly<Record<ServiceLevelReason, boolean>> = {
    'no-connection': up.length === 0 && lost.length > 0,
    connecting: up.length === 0 && lost.length === 0 && connections.length > 0,
    'connection-lost': up.length > 0 && lost.length > 0,
    'mqtt-lost': mqtt.some(({ state }) => state !== 'connected'),
    'certificate-expired': certificateLeft !== undefined && certificateLeft <= 0,
    'streams-missing': up.some(
      ({ streamsOpen, streamsWanted }) => streamsWanted - streamsOpen > Math.max(1, STREAMS_SPARED * streamsWanted),
    ),
    overloaded: eventLoop !== undefined && eventLoop.p99 > OVERLOAD,
    'store-degraded': storeState === 'degraded',
    'certificate-expires': certificateLeft !== undefined && certificateLeft > 0 && certificateLeft < CERTIFICATE_NOTICE,
  };
  const reasons = (Object.keys(SERVICE_LEVEL_REASONS) as ServiceLevelReason[]).filter((reason) => holds[reason]);
  const [worst] = reasons;
  return { level: worst === undefined ? SERVICE_LEVELS.healthy : SERVICE_LEVEL_REASONS[worst], reasons };
}
