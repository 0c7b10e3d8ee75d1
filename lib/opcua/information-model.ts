/** Objects/LoRaWAN: applications and devices, kept in step with what the sources know, never rebuilt. */
import type { UAObject } from 'node-opcua';
import {
  type Clock,
  type DevEui,
  type Device,
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
} from '../model';
import { ApplicationNodes } from './application-nodes';
import { DeviceNodes } from './device-nodes';
import type { NodeMetric } from './history/options';
import { type HistorySource, MergedSources, type MetricsChange, type ModelSource } from './model-source';
import type { NodeFactory } from './node-factory';
import type { RepeatedEntries } from './repeated';
import { Slices } from './slices';

/** Devices that only messages name: a flow that invents DevEUIs must not fill the memory. */
const MAX_OTHER_DEVICES = 1_000;
/** How often it is looked for removed devices whose time is over, ms. */
const LONGEST_SWEEP = 60_000;
/** Devices that are compared in one step. */
const STEP = 200;

export interface InformationModelOptions {
  readonly factory: NodeFactory;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly repeated: RepeatedEntries;
  /** ms */
  readonly removedNodesKept: number;
}

export class InformationModel {
  readonly #factory: NodeFactory;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #repeated: RepeatedEntries;
  readonly #removedNodesKept: number;
  readonly #applications: ApplicationNodes;
  readonly #devices = new Map<DevEui, DeviceNodes>();
  readonly #sources = new MergedSources();
  readonly #slices: Slices;
  #inventory: Inventory = EMPTY_INVENTORY;
  #syncQueued = false;
  /** The next sync shows what the sources know, also where something is shown already. */
  #catchesUp = false;
  #others = 0;
  #sweep: Timer | undefined;
  #closed = false;

  constructor(options: InformationModelOptions) {
    const { factory, clock, logger } = options;
    this.#factory = factory;
    this.#clock = clock;
    this.#logger = logger;
    this.#repeated = options.repeated;
    this.#removedNodesKept = options.removedNodesKept;
    this.#slices = new Slices(
      clock,
      (slice) => factory.addressSpace.modelChangeTransaction(slice),
      (error) => this.#failed(error),
    );
    this.#applications = new ApplicationNodes(factory);
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
    let step = 0;
    for (const device of inventory.devices.values()) {
      if (!this.#devices.has(device.devEui)) {
        fresh.push(this.#createKnown(device));
        yield;
      } else if (this.#follow(device) || ++step % STEP === 0) yield;
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
    for (const nodes of this.#devices.values()) {
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
    for (const nodes of this.#devices.values()) {
      if (inventory.devices.has(nodes.devEui) || nodes.shown === undefined || nodes.removedAt !== undefined) continue;
      nodes.remove(this.#clock.monotonic());
      this.#logger.info({
        operation: 'build-address-space',
        event: 'removed',
        message: 'device is out of service, because ChirpStack does not know it any more',
        device: nodes.devEui,
      });
      yield;
    }
    this.#removeUnusedApplications();
    this.#planSweep();
  }

  /** @returns whether anything had to be done */
  #follow(device: Device): boolean {
    const nodes = this.#devices.get(device.devEui);
    if (nodes === undefined) return false;
    const parent = this.#parentOf(device);
    const profile = this.#inventory.profiles.get(device.profileId);
    if (nodes.isInStep(device, parent, profile)) return false;
    if (nodes.shown === undefined) this.#others--;
    nodes.show(device, parent, profile);
    return true;
  }

  #createKnown(device: Device): DeviceNodes {
    const parent = this.#parentOf(device);
    const nodes = this.#make(parent, device.devEui, device.name);
    nodes.show(device, parent, this.#inventory.profiles.get(device.profileId));
    return nodes;
  }

  /** For a reading that comes before its device was made, or of a device that no inventory knows. */
  #create(reading: Reading): DeviceNodes | undefined {
    const { devEui, name } = reading.device;
    const known = this.#inventory.devices.get(devEui) ?? this.#sources.inventory().devices.get(devEui);
    if (known === undefined && this.#others >= MAX_OTHER_DEVICES) {
      this.#repeated.write(
        'other devices',
        {
          operation: 'publish',
          event: 'dropped',
          reason: 'overflow',
          message: `readings of more than ${MAX_OTHER_DEVICES} devices that ChirpStack does not know`,
          device: devEui,
          cure: 'Look for a function node that makes up msg.device.devEui.',
        },
        (entry) => this.#logger.warn(entry),
      );
      return undefined;
    }
    let nodes: DeviceNodes | undefined;
    this.#factory.addressSpace.modelChangeTransaction(() => {
      if (known !== undefined) nodes = this.#createKnown(known);
      else {
        nodes = this.#make(this.#applications.others(), devEui, name ?? devEui);
        nodes.describe(reading.device);
        this.#others++;
      }
    });
    const made = nodes;
    // Its first metrics come with it; those that follow are changes.
    if (made !== undefined) this.#slices.add(this.#announceChanges([made]));
    return made;
  }

  #make(parent: UAObject, devEui: DevEui, name: string): DeviceNodes {
    const nodes = new DeviceNodes(
      this.#factory,
      parent,
      devEui,
      name === '' ? devEui : name,
      (device, key, value, expected) =>
        this.#repeated.write(
          `type ${device} ${key}`,
          {
            operation: 'publish',
            event: 'dropped',
            reason: 'bad-type',
            message: `a ${typeof value} came for a metric whose values are ${expected}`,
            device,
            metric: key,
            cure: 'Let the codec give one type always, or give the other one a key of its own.',
          },
          (entry) => this.#logger.warn(entry),
        ),
      (device, key) => this.#sources.ownMeaning(device, key),
    );
    this.#devices.set(devEui, nodes);
    return nodes;
  }

  #parentOf(device: Device): UAObject {
    const { applicationId } = device;
    return this.#applications.folder(
      this.#inventory.applications.get(applicationId) ?? { id: applicationId, name: applicationId },
    );
  }

  #removeUnusedApplications(): void {
    const used = new Set([...this.#devices.values()].map(({ parent }) => parent));
    this.#applications.removeUnused(this.#inventory.applications, used);
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

  #planSweep(): void {
    if (this.#sweep !== undefined || this.#closed) return;
    if (![...this.#devices.values()].some(({ removedAt }) => removedAt !== undefined)) return;
    const delay = Math.min(Math.max(this.#removedNodesKept, 1_000), LONGEST_SWEEP);
    this.#sweep = this.#clock.after(delay, () => {
      this.#sweep = undefined;
      this.#slices.add(this.#bury());
    });
  }

  /** Deletes what was removed long enough ago, but nothing that a client still monitors: that would not come back. */
  *#bury(): Generator<void> {
    for (const nodes of this.#devices.values()) {
      if (nodes.removedAt === undefined || this.#clock.monotonic() - nodes.removedAt < this.#removedNodesKept) continue;
      if (nodes.isMonitored) continue;
      this.#devices.delete(nodes.devEui);
      this.#factory.addressSpace.deleteNode(nodes.object);
      yield;
    }
    this.#removeUnusedApplications();
    this.#planSweep();
  }
}
