/**
 * The source of everything that comes from one ChirpStack: keeps the inventory in step, streams the events of all
 * devices, fills in from metrics where asked to, and says how it is doing.
 */
import {
  type Clock,
  type ConnectionErrorKind,
  type ConnectionHealth,
  compareInventories,
  type DevEui,
  type DeviceEvent,
  EMPTY_INVENTORY,
  Emitter,
  errorText,
  gatewaysSeenSince,
  InvalidInputError,
  type Inventory,
  isUnchanged,
  type Logger,
  type Random,
  type Reading,
  type SourceId,
  type Timer,
  type Unsubscribe,
} from '../model';
import { jittered } from './backoff';
import { type CallFailure, codeName, errorKindOf, failureOf, logReasonOf } from './call-failure';
import { ChirpstackApi } from './chirpstack-api';
import type { ChirpstackConnection } from './connection';
import { decodeEvent } from './event-decoder';
import { EventStreams } from './event-streams';
import { FaultLog } from './fault-log';
import { InventorySync, type Notice } from './inventory-sync';
import { MetricsBackfill } from './metrics-backfill';
import type { PollerSettings } from './poller-settings';
import type { StreamItem } from './replies';
import { ScopeError } from './sync-support';

/** Share of the interval by which polls of several gateways are spread. */
const JITTER = 0.1;
/** After a reconciliation that failed the next one follows no later than this, ms. */
const RETRY_INTERVAL = 30_000;
/** The first time; it doubles from there, ms. */
const FIRST_RETRY = 2_000;
/** How long a stream must be open before metrics stand in: its replay takes a moment, ms. */
const REPLAY_TIME = 5_000;
/** Changes of the number of open streams are told at most so often, ms. */
const HEALTH_INTERVAL = 1_000;

export interface PollerDependencies {
  readonly connection: ChirpstackConnection;
  readonly source: SourceId;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly settings: PollerSettings;
  /** What the store knows from before: its streams open before the first listing has come back. */
  readonly known?: Inventory;
}

export class Poller {
  readonly #connection: ChirpstackConnection;
  readonly #source: SourceId;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #logger: Logger;
  readonly #settings: PollerSettings;
  readonly #faults: FaultLog;
  readonly #readings: Emitter<Reading>;
  readonly #deviceEvents: Emitter<DeviceEvent>;
  readonly #inventories: Emitter<Inventory>;
  readonly #healths: Emitter<ConnectionHealth>;
  readonly #sync: InventorySync;
  readonly #backfill: MetricsBackfill;
  readonly #closing = new AbortController();
  #streams: EventStreams | undefined;
  #inventory: Inventory;
  #synced = false;
  #started = false;
  /** Reconciliations in a row that did not succeed as a whole. */
  #failures = 0;
  #running: Promise<void> | undefined;
  #timer: Timer | undefined;
  #healthTimer: Timer | undefined;
  #unsubscribe: Unsubscribe = () => undefined;
  /** The key works but cannot see what the settings ask for. */
  #scopeProblem: { reason: string; cure: string; since: number } | undefined;
  #notice: Notice | undefined;
  #lastSuccessfulPoll: number | undefined;
  #errorCount = 0;
  readonly #errors: Partial<Record<ConnectionErrorKind, number>> = {};
  #lastError: string | undefined;
  #uplinks = 0;
  #toldHiddenGateways = false;

  constructor(deps: PollerDependencies) {
    this.#connection = deps.connection;
    this.#source = deps.source;
    this.#clock = deps.clock;
    this.#random = deps.random;
    this.#logger = deps.logger;
    this.#settings = deps.settings;
    this.#inventory = deps.known ?? EMPTY_INVENTORY;
    this.#faults = new FaultLog(deps.logger, deps.clock);
    const onListenerError = (error: unknown): void =>
      this.#faults.fault(
        'listener',
        {
          operation: 'receive',
          event: 'failed',
          reason: 'internal',
          message: `A receiver of the poller failed: ${errorText(error)}`,
        },
        'error',
      );
    this.#readings = new Emitter(onListenerError);
    this.#deviceEvents = new Emitter(onListenerError);
    this.#inventories = new Emitter(onListenerError);
    this.#healths = new Emitter(onListenerError);
    this.#sync = new InventorySync({
      connection: deps.connection,
      clock: deps.clock,
      random: deps.random,
      known: this.#inventory,
    });
    this.#backfill = new MetricsBackfill(new ChirpstackApi(deps.connection));
  }

  onReading(listener: (reading: Reading) => void): Unsubscribe {
    return this.#readings.on(listener);
  }

  onDeviceEvent(listener: (event: DeviceEvent) => void): Unsubscribe {
    return this.#deviceEvents.on(listener);
  }

  /** The complete picture, after the first reconciliation and after each that changed something. */
  onInventory(listener: (inventory: Inventory) => void): Unsubscribe {
    return this.#inventories.on(listener);
  }

  /** At each change of state, after each reconciliation, and as streams open and end (at most once a second). */
  onHealth(listener: (health: ConnectionHealth) => void): Unsubscribe {
    return this.#healths.on(listener);
  }

  health(): ConnectionHealth {
    const status = this.#connection.state();
    const shown =
      status.state === 'connected' && this.#scopeProblem
        ? { state: 'unauthenticated' as const, ...this.#scopeProblem }
        : status;
    const notice = shown.state === 'connected' ? (this.#notice ?? this.#maximumNotice()) : undefined;
    return {
      state: shown.state,
      since: shown.since,
      reason: notice?.reason ?? shown.reason,
      cure: notice?.cure ?? shown.cure,
      ...(this.#lastSuccessfulPoll === undefined ? {} : { lastSuccessfulPoll: this.#lastSuccessfulPoll }),
      errorCount: this.#errorCount,
      errors: { ...this.#errors },
      ...(this.#lastError === undefined ? {} : { lastError: this.#lastError }),
      applications: this.#inventory.applications.size,
      devices: this.#inventory.devices.size,
      streamsOpen: this.#streams?.open ?? 0,
      streamsWanted: this.#streams?.wanted ?? 0,
      uplinks: this.#uplinks,
    };
  }

  /** Begins to poll and to stream. Idempotent. */
  start(): void {
    if (this.#started || this.#closing.signal.aborted) return;
    this.#started = true;
    if (this.#settings.streamEvents) {
      this.#streams = new EventStreams({
        source: this.#connection,
        clock: this.#clock,
        random: this.#random,
        logger: this.#logger,
        maximum: this.#settings.maximumStreams,
        onItem: (devEui, item, replayed) => this.#receive(devEui, item, replayed),
        onFailure: (failure) => this.#countFailure(failure),
        onChange: () => this.#healthSoon(),
      });
      this.#streams.setDevices(this.#inventory.devices.keys());
    }
    this.#unsubscribe = this.#connection.onState(({ state }) => {
      this.#emitHealth();
      // Back again: what happened meanwhile is worth a look at once.
      if (state === 'connected' && this.#failures > 0) void this.#poll();
    });
    void this.#poll();
  }

  /**
   * One reconciliation, now. While one runs, that one is shared.
   * @throws CallError or ScopeError with the reason in words
   */
  pollNow(): Promise<void> {
    if (this.#closing.signal.aborted) return Promise.resolve();
    this.#running ??= this.#reconcile().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** Gives everything up and waits until it is quiet. Idempotent. */
  async close(): Promise<void> {
    if (!this.#closing.signal.aborted) {
      this.#closing.abort(new Error('The poller was closed.'));
      this.#unsubscribe();
      this.#cancelTimer();
      this.#healthTimer?.cancel();
      this.#streams?.close();
    }
    await this.#running?.catch(() => undefined);
  }

  /** Reconciles and plans the next time. What goes wrong is told by health and log. */
  async #poll(): Promise<void> {
    this.#cancelTimer();
    const started = this.#clock.monotonic();
    await this.pollNow().catch(() => undefined);
    this.#cancelTimer();
    const interval = this.#nextInterval();
    if (interval === 0 || this.#closing.signal.aborted) return;
    const delay = jittered(interval, JITTER, this.#random) - (this.#clock.monotonic() - started);
    this.#timer = this.#clock.after(Math.max(delay, 0), () => void this.#poll());
  }

  #nextInterval(): number {
    const { pollInterval } = this.#settings;
    if (this.#failures === 0) return pollInterval;
    const retry = Math.min(RETRY_INTERVAL, FIRST_RETRY * 2 ** (this.#failures - 1));
    return pollInterval === 0 ? retry : Math.min(pollInterval, retry);
  }

  #cancelTimer(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  async #reconcile(): Promise<void> {
    const started = this.#clock.monotonic();
    const { signal } = this.#closing;
    try {
      const result = await this.#sync.run(signal);
      signal.throwIfAborted();
      for (const failure of result.failures) this.#countFailure(failure);
      this.#scopeProblem = undefined;
      this.#setNotice(result.notice);
      if (result.gatewaysAreHidden) this.#tellHiddenGateways();
      this.#adopt(result.inventory, this.#clock.monotonic() - started);
      let failures = result.failures.length;
      if (this.#settings.pollMetrics) failures += await this.#pollMetrics();
      this.#failures = failures > 0 ? this.#failures + 1 : 0;
      if (failures === 0) {
        this.#lastSuccessfulPoll = this.#clock.now();
        this.#faults.recovered('sync', {
          operation: 'sync-inventory',
          event: 'recovered',
          message: 'The inventory is in step with ChirpStack again',
        });
      }
    } catch (error) {
      if (signal.aborted) return;
      this.#reconciliationFailed(error);
      throw error;
    } finally {
      this.#emitHealth();
    }
  }

  #adopt(inventory: Inventory, duration: number): void {
    const change = compareInventories(this.#source, this.#inventory, inventory);
    const first = !this.#synced;
    const gatewaysSeen = gatewaysSeenSince(this.#inventory, inventory);
    this.#synced = true;
    this.#inventory = inventory;
    const isNews = first || !isUnchanged(change);
    if (isNews) {
      const { devices } = change;
      this.#logger.info({
        operation: 'sync-inventory',
        event: first ? 'ready' : 'changed',
        message: `${inventory.devices.size} devices in ${inventory.applications.size} applications (${devices.added.length} added, ${devices.changed.length} changed, ${devices.removed.length} removed)`,
        count: inventory.devices.size,
        duration_ms: Math.round(duration),
      });
    }
    // Gateways are heard all the time: that is told, but it is not news.
    if (isNews || gatewaysSeen.length > 0) this.#inventories.emit(inventory);
    // First the inventory, then the streams: who receives a reading knows its device.
    if (isNews) this.#streams?.setDevices(inventory.devices.keys());
  }

  async #pollMetrics(): Promise<number> {
    let failures = 0;
    await this.#backfill.run(
      {
        signal: this.#closing.signal,
        clock: this.#clock,
        random: this.#random,
        tokenAccepted: () => this.#connection.probe(),
        problem: (failure) => {
          failures++;
          this.#countFailure(failure);
        },
      },
      this.#inventory,
      (devEui) => this.#eventsHadTheirTime(devEui),
      (reading) => {
        if (!this.#closing.signal.aborted) this.#readings.emit(reading);
      },
    );
    return failures;
  }

  #eventsHadTheirTime(devEui: DevEui): boolean {
    if (this.#streams === undefined) return true;
    const since = this.#streams.openSince(devEui);
    return since === undefined
      ? this.#streams.beyondMaximum > 0 && !this.#streams.has(devEui)
      : this.#clock.monotonic() - since >= REPLAY_TIME;
  }

  #reconciliationFailed(error: unknown): void {
    this.#failures++;
    const failure = failureOf(error);
    const text = error instanceof ScopeError ? error.reason : (failure?.reason ?? errorText(error));
    if (failure === undefined) this.#countError(error instanceof ScopeError ? 'permission' : 'internal', text);
    else this.#countFailure(failure);
    if (error instanceof ScopeError)
      this.#scopeProblem = {
        reason: error.reason,
        cure: error.cure,
        since: this.#scopeProblem?.since ?? this.#clock.now(),
      };
    // The connection has said it already, with the same reason and cure.
    if (failure !== undefined && this.#connection.state().state !== 'connected') return;
    const cure = error instanceof ScopeError ? error.cure : failure?.cure;
    this.#faults.fault('sync', {
      operation: 'sync-inventory',
      event: 'failed',
      reason: error instanceof ScopeError ? 'not-permitted' : failure ? logReasonOf(failure.kind) : 'internal',
      message: `The inventory could not be read: ${text}`,
      ...(failure ? { code: codeName(failure.code) } : {}),
      ...(cure ? { cure } : {}),
    });
  }

  #receive(devEui: DevEui, item: StreamItem, replayed: boolean): void {
    if (this.#closing.signal.aborted) return;
    try {
      const decoded = decodeEvent(item.type, item.body, { replayed, ...(item.time > 0 ? { time: item.time } : {}) });
      if (decoded.kind === 'ignored') return;
      const { eventId, device } = decoded.kind === 'reading' ? decoded.reading : decoded.event;
      // An uplink and its acknowledgement share the deduplication id.
      if (eventId !== undefined && this.#streams?.isFirst(devEui, `${item.type}:${eventId}`) === false) return;
      const known = this.#inventory.devices.get(device.devEui);
      if (!replayed && known && device.deviceClass !== undefined && device.deviceClass !== known.deviceClass)
        this.#sync.distrust(device.devEui);
      if (decoded.kind === 'device-event') {
        this.#deviceEvents.emit(decoded.event);
        return;
      }
      this.#uplinks++;
      if (Object.keys(decoded.reading.values).length > 0) this.#backfill.served(device.devEui);
      if (decoded.faults) this.#logUndecodable(devEui, new InvalidInputError(decoded.faults));
      this.#readings.emit(decoded.reading);
    } catch (error) {
      if (!(error instanceof InvalidInputError)) throw error;
      this.#logUndecodable(devEui, error);
    }
  }

  #logUndecodable(devEui: DevEui, error: InvalidInputError): void {
    this.#faults.fault(`decode:${devEui}`, {
      operation: 'decode',
      event: 'refused',
      reason: 'bad-event',
      message: error.message.replaceAll('\n', ' '),
      device: devEui,
    });
  }

  #setNotice(notice: Notice | undefined): void {
    this.#notice = notice;
    if (notice)
      this.#faults.fault('notice', {
        operation: 'sync-inventory',
        event: 'diagnostic',
        reason: 'empty',
        message: notice.reason,
        cure: notice.cure,
      });
    else this.#faults.forget('notice');
  }

  #tellHiddenGateways(): void {
    if (this.#toldHiddenGateways) return;
    this.#toldHiddenGateways = true;
    this.#logger.info({
      operation: 'sync-inventory',
      event: 'diagnostic',
      reason: 'not-permitted',
      message: 'The API key may not list the LoRa gateways: they are not shown',
      cure: 'Make an API key of the tenant if you want to see them.',
    });
  }

  #maximumNotice(): Notice | undefined {
    const beyond = this.#streams?.beyondMaximum ?? 0;
    return beyond === 0
      ? undefined
      : {
          reason: `${beyond} devices have no event stream: the maximum of ${this.#settings.maximumStreams} is reached.`,
          cure: 'Receive the events by MQTT (chirpstack-events node), or raise the maximum.',
        };
  }

  #countFailure({ kind, reason }: CallFailure): void {
    this.#countError(errorKindOf(kind), reason);
  }

  #countError(kind: ConnectionErrorKind, text: string): void {
    this.#errorCount++;
    this.#errors[kind] = (this.#errors[kind] ?? 0) + 1;
    this.#lastError = text;
  }

  #healthSoon(): void {
    if (this.#closing.signal.aborted) return;
    this.#healthTimer ??= this.#clock.after(HEALTH_INTERVAL, () => this.#emitHealth());
  }

  #emitHealth(): void {
    this.#healthTimer?.cancel();
    this.#healthTimer = undefined;
    if (!this.#closing.signal.aborted) this.#healths.emit(this.health());
  }
}
