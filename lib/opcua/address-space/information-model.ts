/** Objects/LoRaWAN: applications and devices, kept in step with what the sources know, never rebuilt. */
import {
  type Clock,
  type DevEui,
  type DeviceEvent,
  EMPTY_INVENTORY,
  errorText,
  type HistoryTarget,
  type Inventory,
  type Logger,
  type MetricDataType,
  type MetricKey,
  type Reading,
  type Timer,
  type Unsubscribe,
} from '../../model';
import { CommandModel } from '../commands/command-model';
import type { NodeMetric } from '../history/options';
import type { LiveView } from '../live-settings';
import type { RepeatedEntries } from '../repeated';
import { ApplicationNodes } from './application-nodes';
import type { DeviceNodes } from './device-nodes';
import { Devices } from './devices';
import { Heartbeat } from './heartbeat';
import { type HistorySource, MergedSources, type MetricsChange, type ModelSource } from './model-source';
import type { NodeFactory } from './node-factory';
import { ProfileTypes } from './profile-types';
import { RadioGateways } from './radio-gateways';
import { Slices, type Work } from './slices';

/** How often it is looked for removed devices whose time is over, ms. */
const LONGEST_SWEEP = 60_000;
/** Devices that are compared in one step. */
const STEP = 200;

export interface InformationModelOptions {
  readonly factory: NodeFactory;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly repeated: RepeatedEntries;
  readonly settings: LiveView<'removedNodesKept' | 'sourceTime' | 'heartbeatSeconds'>;
}

export class InformationModel {
  readonly #factory: NodeFactory;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #repeated: RepeatedEntries;
  readonly #settings: InformationModelOptions['settings'];
  readonly #unsubscribe: Unsubscribe;
  readonly #applications: ApplicationNodes;
  readonly #profileTypes: ProfileTypes;
  readonly #devices: Devices;
  readonly commands: CommandModel;
  readonly #radioGateways: RadioGateways;
  readonly #heartbeat: Heartbeat;
  readonly #sources = new MergedSources();
  readonly #slices: Slices;
  #inventory: Inventory = EMPTY_INVENTORY;
  #syncQueued = false;
  /** The next sync shows what the sources know, also where something is shown already. */
  #catchesUp = false;
  #sweep: Timer | undefined;
  #closed = false;

  constructor(options: InformationModelOptions) {
    const { factory, clock, logger, repeated, settings } = options;
    this.#factory = factory;
    this.#clock = clock;
    this.#logger = logger;
    this.#repeated = repeated;
    this.#settings = settings;
    this.#unsubscribe = settings.onChange(() => this.#replanSweep());
    this.#slices = new Slices(
      clock,
      (slice) => factory.addressSpace.modelChangeTransaction(slice),
      (error) => this.#failed(error),
    );
    const schedule = (work: Work): void => {
      if (!this.#closed) this.#slices.add(work);
    };
    this.#applications = new ApplicationNodes(factory);
    this.#radioGateways = new RadioGateways(factory, this.#applications.network);
    this.#profileTypes = new ProfileTypes(factory, schedule);
    this.#heartbeat = new Heartbeat({ clock, settings, schedule });
    this.#devices = new Devices({
      factory,
      clock,
      logger,
      repeated,
      sources: this.#sources,
      applications: this.#applications,
      profileTypes: this.#profileTypes,
      heartbeat: this.#heartbeat,
      onShown: (nodes, isNew) => this.commands.follow(nodes, isNew),
      onDelete: (nodes) => this.commands.forget(nodes),
      isMonitored: ({ devEui }) => this.commands.isMonitored(devEui),
    });
    this.commands = new CommandModel({
      factory,
      clock,
      logger,
      repeated,
      network: this.#applications.network,
      devices: this.#devices,
      schedule,
    });
  }

  get deviceCount(): number {
    return this.#devices.size;
  }

  /** Takes the model from a source, and follows it until the returned function is called; the nodes stay then. */
  attach(source: ModelSource): Unsubscribe {
    // One more life, so that the same source given twice is followed once and let go once.
    const own: ModelSource = {
      inventory: () => source.inventory(),
      onInventory: (listener) => source.onInventory(listener),
      metrics: () => source.metrics(),
      onMetrics: (listener) => source.onMetrics(listener),
      value: (devEui, key) => source.value(devEui, key),
      ...(source.history === undefined ? {} : { history: source.history }),
      ...(source.meanings === undefined ? {} : { meanings: source.meanings }),
    };
    this.#sources.add(own);
    const stops = [
      own.onInventory(() => this.#requestSync()),
      own.onMetrics((change) => this.#metricsChanged(change)),
      // About once a poll; what is shown already costs nothing.
      source.onGatewaysSeen?.(() => this.#slices.add(this.#radioGateways.follow(this.#sources.inventory().gateways))) ??
        (() => undefined),
      ...(own.meanings === undefined ? [] : [own.meanings.onChange(() => this.#slices.add(this.#refreshMeanings()))]),
    ];
    this.#catchesUp = true;
    this.#requestSync();
    if (own.meanings !== undefined) this.#slices.add(this.#refreshMeanings());
    return () => {
      if (!this.#sources.has(own)) return;
      for (const stop of stops) stop();
      this.#sources.delete(own);
    };
  }

  /** Resolves when the address space shows all that the sources have told so far. */
  settled(): Promise<void> {
    return this.#slices.settled();
  }

  /** The metric that a node shows, by the identifier of the node. */
  metric(id: string): NodeMetric | undefined {
    const { devEui, key } = /^(?<devEui>[0-9a-f]{16})\/metric\/(?<key>.+)$/s.exec(id)?.groups ?? {};
    const live = this.#devices.get(devEui as DevEui)?.metrics.get(key ?? '');
    if (live === undefined) return undefined;
    return {
      target: { devEui: devEui as DevEui, metric: key as MetricKey },
      dataType: live.type as MetricDataType | undefined,
      isStepped: this.#factory.isStepped(live),
    };
  }

  /** Where the history of a metric is kept, among the sources that are attached now. */
  history({ devEui, metric }: HistoryTarget): HistorySource | undefined {
    return this.#sources.history(devEui, metric);
  }

  publish(reading: Reading): void {
    if (this.#closed) return;
    const { device } = reading;
    let nodes = this.#devices.get(device.devEui);
    if (nodes === undefined) {
      nodes = this.#create(reading);
      if (nodes === undefined) return;
    }
    nodes.accept(reading, new Date(reading.time), this.#factory.now());
  }

  publishEvent(event: DeviceEvent): void {
    if (this.#closed) return;
    this.#devices.get(event.device.devEui)?.acceptEvent(event, this.#factory.now());
  }

  close(): void {
    this.#closed = true;
    this.commands.close();
    this.#unsubscribe();
    this.#heartbeat.close();
    this.#sweep?.cancel();
    this.#slices.clear();
  }

  #failed(error: unknown): void {
    const entry = {
      operation: 'build-address-space',
      event: 'failed',
      reason: 'internal',
      message: `a node could not be made: ${errorText(error)}`,
    } as const;
    this.#repeated.write(`build ${errorText(error)}`, entry, (written) => this.#logger.error(written));
  }

  #requestSync(): void {
    // A sync that waits sees what came in between.
    if (this.#syncQueued || this.#closed) return;
    this.#syncQueued = true;
    this.#slices.add(this.#sync());
  }

  *#sync(): Generator<void> {
    this.#syncQueued = false;
    const catchesUp = this.#catchesUp;
    this.#catchesUp = false;
    const started = this.#clock.monotonic();
    const inventory = this.#sources.inventory();
    this.#inventory = inventory;
    const fresh: DeviceNodes[] = [];
    for (const application of inventory.applications.values()) this.#applications.folder(application);
    yield* this.#profileTypes.follow(inventory.profiles);
    yield* this.#radioGateways.follow(inventory.gateways);
    let step = 0;
    for (const device of inventory.devices.values()) {
      if (!this.#devices.has(device.devEui)) {
        fresh.push(this.#devices.createKnown(device, inventory));
        yield;
      } else if (this.#devices.follow(device, inventory) || ++step % STEP === 0) yield;
    }
    const { keepHistory } = this.#sources;
    for (const definition of this.#sources.metrics()) {
      const nodes = this.#devices.get(definition.devEui);
      if (nodes === undefined) continue;
      const known = nodes.metrics.get(definition.key);
      // What is shown already goes on by readings: the source is ahead of those that are still on their way here.
      const current =
        catchesUp || !known?.hasValue ? this.#sources.value(definition.devEui, definition.key) : undefined;
      nodes.define(definition, current, keepHistory);
      if (known === undefined || ++step % STEP === 0) yield;
    }
    // Only now, so that a new device is one change and not one for each of its metrics.
    yield* this.#announceChanges(fresh);
    if (this.#sources.isComplete()) yield* this.#removeMissing(inventory);
    if (fresh.length > 0)
      this.#logger.info({
        operation: 'build-address-space',
        event: 'added',
        message: 'devices added to the OPC UA address space',
        count: fresh.length,
        duration_ms: Math.round(this.#clock.monotonic() - started),
      });
  }

  /** Looks up again what metrics mean, after what the user says has changed. */
  *#refreshMeanings(): Generator<void> {
    for (const nodes of this.#devices.all()) {
      nodes.refreshMeanings();
      yield;
    }
  }

  *#announceChanges(devices: readonly DeviceNodes[]): Generator<void> {
    for (const nodes of devices) {
      nodes.announceChanges();
      yield;
    }
  }

  *#removeMissing(inventory: Inventory): Generator<void> {
    yield* this.#devices.removeMissing(inventory);
    yield* this.#radioGateways.removeMissing(inventory.gateways, this.#clock.monotonic());
    this.#removeUnused();
    this.#planSweep();
  }

  /** For a reading that comes before its device was made, or of a device that no inventory knows. */
  #create(reading: Reading): DeviceNodes | undefined {
    const { devEui } = reading.device;
    const known = this.#inventory.devices.get(devEui) ?? this.#sources.inventory().devices.get(devEui);
    let nodes: DeviceNodes | undefined;
    this.#factory.addressSpace.modelChangeTransaction(() => {
      nodes =
        known === undefined ? this.#devices.createOther(reading) : this.#devices.createKnown(known, this.#inventory);
    });
    const made = nodes;
    // Its first metrics come with it; those that follow are changes.
    if (made !== undefined) this.#slices.add(this.#announceChanges([made]));
    return made;
  }

  #removeUnused(): void {
    this.#applications.removeUnused(this.#inventory.applications, this.#devices.parents);
    this.#profileTypes.removeUnused(this.#inventory.profiles, this.#devices.profiles);
  }

  #metricsChanged({ added, changed }: MetricsChange): void {
    if (this.#closed) return;
    this.#slices.add(this.#define([...added, ...changed]));
  }

  *#define(definitions: MetricsChange['added']): Generator<void> {
    const { keepHistory } = this.#sources;
    for (const definition of definitions) {
      const nodes = this.#devices.get(definition.devEui);
      if (nodes === undefined) continue;
      const isShown = nodes.metrics.get(definition.key)?.hasValue ?? false;
      const current = isShown ? undefined : this.#sources.value(definition.devEui, definition.key);
      nodes.define(definition, current, keepHistory);
      yield;
    }
  }

  /** Nodes may be due sooner than was planned. */
  #replanSweep(): void {
    this.#sweep?.cancel();
    this.#sweep = undefined;
    this.#planSweep();
  }

  #planSweep(): void {
    if (this.#sweep !== undefined || this.#closed) return;
    if (!this.#devices.hasRemoved && !this.#radioGateways.hasRemoved) return;
    const delay = Math.min(Math.max(this.#settings.current.removedNodesKept, 1_000), LONGEST_SWEEP);
    this.#sweep = this.#clock.after(delay, () => {
      this.#sweep = undefined;
      this.#slices.add(this.#bury());
    });
  }

  /** Deletes what was removed long enough ago. */
  *#bury(): Generator<void> {
    const until = this.#clock.monotonic() - this.#settings.current.removedNodesKept;
    yield* this.#devices.bury(until);
    yield* this.#radioGateways.bury(until);
    this.#removeUnused();
    this.#planSweep();
  }
}
