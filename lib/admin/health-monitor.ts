import {
  type AgeCounts,
  type ClientCounts,
  type Clock,
  Emitter,
  type EventLoopDelay,
  errorText,
  GATEWAY_STATES,
  type GatewayHealth,
  type GatewayState,
  type Inventory,
  judgeService,
  type Logger,
  type MqttReport,
  ORIGINS,
  type Origin,
  packageVersion,
  type QueueCounts,
  type Timer,
  type Unsubscribe,
} from '../model';
import type { AdministrationStore, ReportedConnection } from './dependencies';
import type { ProcessProbe } from './process-probe';
import { RecentErrors } from './recent-errors';

/** ms between two looks. */
const INTERVAL = 10_000;
/** The event loop's delay is that of so many ms. */
const LOOP_WINDOW = 60_000;
/** ms between two looks at the size of the database, which takes a query. */
const SIZE_INTERVAL = 5 * 60_000;
/** The same when the last one failed. */
const SIZE_RETRY = 60_000;

export interface HealthMonitorDependencies {
  readonly store: Pick<AdministrationStore, 'inventory' | 'health' | 'statistics'>;
  readonly connections: () => Iterable<ReportedConnection>;
  /** Nodes that take events from MQTT. */
  readonly mqtt: () => Iterable<MqttReport>;
  /** `undefined` while nobody judges ages. */
  readonly ages: () => { readonly values: AgeCounts; readonly devices: AgeCounts } | undefined;
  /** `undefined` while no command queue runs. */
  readonly commands: () => QueueCounts | undefined;
  /** `undefined` while no OPC UA server runs. */
  readonly clients: () => ClientCounts | undefined;
  /** Of the OPC UA server; `undefined` while none runs. */
  readonly certificate: () => GatewayHealth['certificate'];
  readonly process: ProcessProbe;
  readonly clock: Clock;
  readonly logger: Logger;
}

const NONE: AgeCounts = { fresh: 0, stale: 0, dead: 0 };

function gatewaysByState({ gateways }: Inventory): GatewayHealth['gateways'] {
  const counts = Object.fromEntries(GATEWAY_STATES.map((state) => [state, 0])) as Record<GatewayState, number>;
  for (const { state } of gateways.values()) counts[state]++;
  return counts;
}

/** Keeps together how the gateway is doing: the one source of what OPC UA, Prometheus and messages show. */
export class HealthMonitor {
  readonly #deps: HealthMonitorDependencies;
  readonly #emitter: Emitter<GatewayHealth>;
  /** By id of the connection. */
  readonly #recent = new Map<string, RecentErrors>();
  readonly #readings = Object.fromEntries(ORIGINS.map((origin) => [origin, 0])) as Record<Origin, number>;
  #lastEvent: number | undefined;
  #eventLoop: EventLoopDelay | undefined;
  #windowBegan: number;
  #storeSize: GatewayHealth['storeSize'];
  #sizeDue = 0;
  #measuring = false;
  #timer: Timer | undefined;
  #closed = false;

  constructor(deps: HealthMonitorDependencies) {
    this.#deps = deps;
    this.#windowBegan = deps.clock.monotonic();
    this.#emitter = new Emitter((error) =>
      deps.logger.error({ operation: 'publish', event: 'failed', reason: 'internal', message: errorText(error) }),
    );
  }

  /** Begins to look. Idempotent. */
  start(): void {
    if (this.#closed) return;
    this.#timer ??= this.#deps.clock.every(INTERVAL, () => this.#look());
    this.#measureSize();
  }

  /** Counts a reading that was stored. Cheap: called for every one. */
  received(origin: Origin): void {
    this.#readings[origin]++;
    if (origin === 'event' || origin === 'replay') this.#lastEvent = this.#deps.clock.now();
  }

  /** How the gateway is doing now. */
  current(): GatewayHealth {
    const { store, clock, process } = this.#deps;
    const now = clock.monotonic();
    const storeHealth = store.health();
    const connections = [...this.#deps.connections()].map(({ id, name, health }) => {
      const recent = this.#recentOf(id);
      recent.observe(health.errors ?? {}, now);
      return { id, name, health, recentErrors: recent.since(now) };
    });
    const ages = this.#deps.ages();
    const mqtt = [...this.#deps.mqtt()];
    const commands = this.#deps.commands();
    const clients = this.#deps.clients();
    const certificate = this.#deps.certificate();
    const inventory = store.inventory.merged();
    const time = clock.now();
    const eventLoop = this.#eventLoop ?? process.eventLoop(false);
    const { level, reasons } = judgeService({
      connections: connections.map(({ health }) => health),
      mqtt,
      storeState: storeHealth.state,
      eventLoop,
      certificateLeft: certificate === undefined ? undefined : certificate.validTo - time,
    });
    return {
      time,
      version: packageVersion(),
      startTime: process.startTime,
      uptime: process.uptime(),
      serviceLevel: level,
      serviceLevelReasons: reasons,
      connections,
      mqtt,
      readings: { ...this.#readings },
      ...(this.#lastEvent === undefined ? {} : { lastEvent: this.#lastEvent }),
      devices: { total: inventory.devices.size, ...(ages?.devices ?? NONE) },
      values: ages?.values ?? NONE,
      gateways: gatewaysByState(inventory),
      store: storeHealth,
      ...(this.#storeSize === undefined ? {} : { storeSize: this.#storeSize }),
      ...(commands === undefined ? {} : { commands }),
      ...(clients === undefined ? {} : { clients }),
      ...(certificate === undefined ? {} : { certificate: { validTo: certificate.validTo } }),
      ...(eventLoop === undefined ? {} : { eventLoop }),
      memory: process.memory(),
      cpu: process.cpu(),
    };
  }

  /** Told every ten seconds. */
  onHealth(listener: (health: GatewayHealth) => void): Unsubscribe {
    return this.#emitter.on(listener);
  }

  /** Idempotent. */
  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#deps.process.close();
  }

  #look(): void {
    const now = this.#deps.clock.monotonic();
    if (now - this.#windowBegan >= LOOP_WINDOW) {
      this.#windowBegan = now;
      this.#eventLoop = this.#deps.process.eventLoop(true);
    }
    if (now >= this.#sizeDue) this.#measureSize();
    this.#emitter.emit(this.current());
  }

  #recentOf(id: string): RecentErrors {
    let recent = this.#recent.get(id);
    if (recent === undefined) {
      recent = new RecentErrors();
      this.#recent.set(id, recent);
    }
    return recent;
  }

  #measureSize(): void {
    const { store, clock } = this.#deps;
    // A disk that hangs is asked once.
    if (this.#measuring || store.health().state === 'opening') return;
    this.#measuring = true;
    const done = (size: GatewayHealth['storeSize']): void => {
      this.#measuring = false;
      this.#storeSize = size;
      this.#sizeDue = clock.monotonic() + (size === undefined ? SIZE_RETRY : SIZE_INTERVAL);
    };
    store.statistics().then(
      ({ bytes, freeBytes }) => done({ bytes, freeBytes }),
      // The health of the store says why.
      () => done(undefined),
    );
  }
}
