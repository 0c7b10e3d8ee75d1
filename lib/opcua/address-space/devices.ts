/** The devices below Objects/LoRaWAN: made, kept in step with the inventory, taken away. */
import type { UAObject } from 'node-opcua';
import type { Clock, DevEui, Device, DeviceProfileId, Inventory, Logger, Reading } from '../../model';
import type { RepeatedEntries } from '../repeated';
import type { ApplicationNodes } from './application-nodes';
import { type DeviceContext, DeviceNodes } from './device-nodes';
import type { Heartbeat } from './heartbeat';
import type { MergedSources } from './model-source';
import type { NodeFactory } from './node-factory';
import type { ProfileTypes } from './profile-types';

/** Devices that only messages name: a flow that invents DevEUIs must not fill the memory. */
const MAX_OTHER_DEVICES = 1_000;

export interface DevicesOptions {
  readonly factory: NodeFactory;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly repeated: RepeatedEntries;
  readonly sources: MergedSources;
  readonly applications: ApplicationNodes;
  readonly profileTypes: ProfileTypes;
  readonly heartbeat: Heartbeat;
  /** Told after the nodes of a device were made, changed, or put out of service. */
  readonly onShown: (nodes: DeviceNodes, isNew: boolean) => void;
  /** Told before the nodes of a device are deleted. */
  readonly onDelete: (nodes: DeviceNodes) => void;
  /** Whether a client monitors what others have put below a device. */
  readonly isMonitored: (nodes: DeviceNodes) => boolean;
}

export class Devices {
  readonly #options: DevicesOptions;
  readonly #context: DeviceContext;
  readonly #devices = new Map<DevEui, DeviceNodes>();
  #others = 0;

  constructor(options: DevicesOptions) {
    this.#options = options;
    const { factory, profileTypes, sources, logger, repeated } = options;
    this.#context = {
      factory,
      profileTypes,
      ownMeanings: (device, key) => sources.ownMeaning(device, key),
      onMismatch: (device, key, value, expected) =>
        repeated.write(
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
          (entry) => logger.warn(entry),
        ),
    };
  }

  get size(): number {
    return this.#devices.size;
  }

  get(devEui: DevEui): DeviceNodes | undefined {
    return this.#devices.get(devEui);
  }

  has(devEui: DevEui): boolean {
    return this.#devices.has(devEui);
  }

  all(): Iterable<DeviceNodes> {
    return this.#devices.values();
  }

  get hasRemoved(): boolean {
    for (const { removedAt } of this.#devices.values()) if (removedAt !== undefined) return true;
    return false;
  }

  /** Folders that devices are in. */
  get parents(): ReadonlySet<UAObject> {
    return new Set([...this.#devices.values()].map(({ parent }) => parent));
  }

  get profiles(): ReadonlySet<DeviceProfileId | undefined> {
    return new Set([...this.#devices.values()].map(({ profileId }) => profileId));
  }

  /** Brings a device that has nodes in step; whether anything had to be done. */
  follow(device: Device, inventory: Inventory): boolean {
    const nodes = this.#devices.get(device.devEui);
    if (nodes === undefined) return false;
    const parent = this.#parentOf(device, inventory);
    const profile = inventory.profiles.get(device.profileId);
    if (nodes.isInStep(device, parent, profile)) return false;
    if (nodes.shown === undefined) this.#others--;
    nodes.show(device, parent, profile);
    this.#options.heartbeat.follow(nodes, device, profile);
    this.#options.onShown(nodes, false);
    return true;
  }

  createKnown(device: Device, inventory: Inventory): DeviceNodes {
    const parent = this.#parentOf(device, inventory);
    const profile = inventory.profiles.get(device.profileId);
    const nodes = this.#make(parent, device.devEui, device.name, profile);
    nodes.show(device, parent, profile);
    this.#options.heartbeat.follow(nodes, device, profile);
    this.#options.onShown(nodes, true);
    return nodes;
  }

  /** For a reading of a device that no inventory knows; `undefined` if there are too many of those. */
  createOther({ device }: Reading): DeviceNodes | undefined {
    const { devEui, name } = device;
    if (this.#others >= MAX_OTHER_DEVICES) {
      const { logger, repeated } = this.#options;
      repeated.write(
        'other devices',
        {
          operation: 'publish',
          event: 'dropped',
          reason: 'overflow',
          message: `readings of more than ${MAX_OTHER_DEVICES} devices that ChirpStack does not know`,
          device: devEui,
          cure: 'Look for a function node that makes up msg.device.devEui.',
        },
        (entry) => logger.warn(entry),
      );
      return undefined;
    }
    const nodes = this.#make(this.#options.applications.others(), devEui, name ?? devEui, undefined);
    nodes.describe(device);
    this.#options.heartbeat.follow(nodes, undefined, undefined);
    this.#others++;
    return nodes;
  }

  /** Marks devices that are gone: they stay, as BadOutOfService. */
  *removeMissing(inventory: Inventory): Generator<void> {
    const { clock, logger } = this.#options;
    for (const nodes of this.#devices.values()) {
      if (inventory.devices.has(nodes.devEui) || nodes.shown === undefined || nodes.removedAt !== undefined) continue;
      nodes.remove(clock.monotonic());
      this.#options.onShown(nodes, false);
      logger.info({
        operation: 'build-address-space',
        event: 'removed',
        message: 'device is out of service, because ChirpStack does not know it any more',
        device: nodes.devEui,
      });
      yield;
    }
  }

  /**
   * Deletes what was removed at an instant or before, but nothing that a client still monitors: that would not come
   * back.
   * @param until monotonic, ms
   */
  *bury(until: number): Generator<void> {
    for (const nodes of this.#devices.values()) {
      if (nodes.removedAt === undefined || nodes.removedAt > until) continue;
      if (nodes.isMonitored || this.#options.isMonitored(nodes)) continue;
      this.#devices.delete(nodes.devEui);
      this.#options.heartbeat.delete(nodes);
      this.#options.onDelete(nodes);
      this.#options.factory.addressSpace.deleteNode(nodes.object);
      yield;
    }
  }

  #make(
    parent: UAObject,
    devEui: DevEui,
    name: string,
    profile: ReturnType<Inventory['profiles']['get']>,
  ): DeviceNodes {
    const nodes = new DeviceNodes(this.#context, parent, devEui, name === '' ? devEui : name, profile);
    this.#devices.set(devEui, nodes);
    return nodes;
  }

  #parentOf({ applicationId }: Device, { applications }: Inventory): UAObject {
    return this.#options.applications.folder(
      applications.get(applicationId) ?? { id: applicationId, name: applicationId },
    );
  }
}
