import {
  type AgeCounts,
  type ClientCounts,
  type Clock,
  Emitter,
  type EventLoopDelay,
  errorText,
  type GatewayHealth,
  judgeService,
  type Logger,
  ORIGINS,
  type Origin,
  packageVersion,
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
  /** `undefined` while nobody judges ages. */
  readonly ages: () => { readonly values: AgeCounts; readonly devices: AgeCounts } | undefined;
  /** `undefined` while no OPC UA server runs. */
  readonly clients: () => ClientCounts | undefined;
  readonly process: ProcessProbe;
  readonly clock: Clock;
  readonly logger: Logger;
}

const NONE: AgeCounts = { fresh: 0, stale: 0, dead: 0 };

/** Keeps together how the gateway is doing: the one source of what OPC UA, Prometheus and messages show. */
export class HealthMonitor {
  readonly #deps: HealthMonitorDependencies;
  readonly #emitter: Emitter<GatewayHealth>;
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
    const connections = [...this.#deps.connections()].map(({ name, health }) => {
      const recent = this.#recentOf(name);
      recent.observe(health.errors ?? {}, now);
      return { name, health, recentErrors: recent.since(now) };
    });
    const ages = this.#deps.ages();
    const clients = this.#deps.clients();
    const eventLoop = this.#eventLoop ?? process.eventLoop(false);
    const { level, reasons } = judgeService({
      connections: connections.map(({ health }) => health),
      storeState: storeHealth.state,
      eventLoop,
    });
    return {
      time: clock.now(),
      version: packageVersion(),
      startTime: process.startTime,
      uptime: process.uptime(),
      serviceLevel: level,
      serviceLevelReasons: reasons,
      connections,
      readings: { ...this.#readings },
      ...(this.#lastEvent === undefined ? {} : { lastEvent: this.#lastEvent }),
      devices: { total: store.inventory.merged().devices.size, ...(ages?.devices ?? NONE) },
      values: ages?.values ?? NONE,
      store: storeHealth,
      ...(this.#storeSize === undefined ? {} : { storeSize: this.#storeSize }),
      ...(clients === undefined ? {} : { clients }),
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

  #recentOf(name: string): RecentErrors {
    let recent = this.#recent.get(name);
    if (recent === undefined) {
      recent = new RecentErrors();
      this.#recent.set(name, recent);
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
