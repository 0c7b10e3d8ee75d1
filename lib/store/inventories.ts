import {
  type Application,
  compareInventories,
  type DevEui,
  type Device,
  type DeviceProfile,
  EMPTY_INVENTORY,
  Emitter,
  gatewaysSeenSince,
  type Inventory,
  type InventoryChange,
  isUnchanged,
  type RadioGateway,
  type SourceId,
  type Unsubscribe,
} from '../model';
import type { InventoryKind, InventoryRecord } from './backend';

interface MutableInventory {
  readonly applications: Map<Application['id'], Application>;
  readonly profiles: Map<DeviceProfile['id'], DeviceProfile>;
  readonly devices: Map<DevEui, Device>;
  readonly gateways: Map<RadioGateway['gatewayId'], RadioGateway>;
}

/** What each source knows of its site, and all of it together. */
export class Inventories {
  readonly #bySource = new Map<SourceId, Inventory>();
  readonly #emitter: Emitter<InventoryChange>;
  readonly #seen: Emitter<readonly RadioGateway[]>;
  readonly #keep: (record: InventoryRecord) => void;
  readonly #apply: (change: InventoryChange) => void;
  #merged: Inventory | undefined = EMPTY_INVENTORY;

  /**
   * @param keep called for each item that changed
   * @param apply called with each change before the listeners
   */
  constructor(
    onError: (error: unknown) => void,
    keep: (record: InventoryRecord) => void,
    apply: (change: InventoryChange) => void,
  ) {
    this.#emitter = new Emitter(onError);
    this.#seen = new Emitter(onError);
    this.#keep = keep;
    this.#apply = apply;
  }

  /** The last picture of one source. */
  of(source: SourceId): Inventory {
    return this.#bySource.get(source) ?? EMPTY_INVENTORY;
  }

  /** All sources together. A device that several sources know is described by the one that was known first. */
  merged(): Inventory {
    this.#merged ??= merge([...this.#bySource.values()]);
    return this.#merged;
  }

  device(devEui: DevEui): Device | undefined {
    return this.merged().devices.get(devEui);
  }

  /** Takes a new complete picture of a source, and says what differs. */
  replace(source: SourceId, inventory: Inventory): InventoryChange {
    const before = this.of(source);
    const change = compareInventories(source, before, inventory);
    const seen = gatewaysSeenSince(before, inventory);
    this.#bySource.set(source, inventory);
    this.#merged = undefined;
    if (isUnchanged(change)) {
      if (seen.length > 0) this.#seen.emit(seen);
      return change;
    }
    this.#keepDifference(source, 'application', change.applications, ({ id }) => id);
    this.#keepDifference(source, 'profile', change.profiles, ({ id }) => id);
    this.#keepDifference(source, 'device', change.devices, ({ devEui }) => devEui);
    this.#keepDifference(source, 'gateway', change.gateways, ({ gatewayId }) => gatewayId);
    this.#apply(change);
    this.#emitter.emit(change);
    if (seen.length > 0) this.#seen.emit(seen);
    return change;
  }

  onChange(listener: (change: InventoryChange) => void): Unsubscribe {
    return this.#emitter.on(listener);
  }

  /**
   * Told which gateways were heard of since the last picture, where nothing else about them is new: about once a poll.
   * That is no change of the inventory, and it is not kept.
   */
  onGatewaysSeen(listener: (gateways: readonly RadioGateway[]) => void): Unsubscribe {
    return this.#seen.on(listener);
  }

  /**
   * Takes over what was kept, for sources that have not reported yet.
   * @returns records that cannot be read
   */
  restore(records: readonly InventoryRecord[]): InventoryRecord[] {
    const damaged: InventoryRecord[] = [];
    const restored = new Map<SourceId, MutableInventory>();
    for (const record of records) {
      if (this.#bySource.has(record.source)) continue;
      const inventory = restored.get(record.source) ?? {
        applications: new Map(),
        profiles: new Map(),
        devices: new Map(),
        gateways: new Map(),
      };
      restored.set(record.source, inventory);
      if (!restoreRecord(inventory, record)) damaged.push(record);
    }
    for (const [source, inventory] of restored) {
      this.#bySource.set(source, inventory);
      this.#merged = undefined;
      this.#apply(compareInventories(source, EMPTY_INVENTORY, inventory));
    }
    return damaged;
  }

  /** Gives everything to be kept again, where the storage lost it. */
  keepAll(): void {
    for (const [source, { applications, profiles, devices, gateways }] of this.#bySource) {
      for (const item of applications.values()) this.#keep(recordOf(source, 'application', item.id, item));
      for (const item of profiles.values()) this.#keep(recordOf(source, 'profile', item.id, item));
      for (const item of devices.values()) this.#keep(recordOf(source, 'device', item.devEui, item));
      for (const item of gateways.values()) this.#keep(recordOf(source, 'gateway', item.gatewayId, item));
    }
  }

  #keepDifference<Item>(
    source: SourceId,
    kind: InventoryKind,
    difference: { added: readonly Item[]; changed: readonly Item[]; removed: readonly string[] },
    idOf: (item: Item) => string,
  ): void {
    for (const item of [...difference.added, ...difference.changed])
      this.#keep(recordOf(source, kind, idOf(item), item));
    for (const id of difference.removed) this.#keep({ source, kind, id, body: undefined });
  }
}

function recordOf(source: SourceId, kind: InventoryKind, id: string, item: unknown): InventoryRecord {
  return { source, kind, id, body: JSON.stringify(item) };
}

/** Whether the record could be read. Only this program writes them; still, a file may be edited or damaged. */
function restoreRecord(inventory: MutableInventory, { kind, id, body }: InventoryRecord): boolean {
  let item: unknown;
  try {
    item = JSON.parse(body ?? '');
  } catch {
    return false;
  }
  if (typeof item !== 'object' || item === null) return false;
  switch (kind) {
    case 'application':
      if (!('id' in item) || item.id !== id || !('name' in item)) return false;
      inventory.applications.set(id as Application['id'], item as Application);
      return true;
    case 'profile':
      if (!('id' in item) || item.id !== id || !('measurements' in item)) return false;
      inventory.profiles.set(id as DeviceProfile['id'], item as DeviceProfile);
      return true;
    case 'device':
      if (!('devEui' in item) || item.devEui !== id || !('profileId' in item)) return false;
      inventory.devices.set(id as DevEui, item as Device);
      return true;
    case 'gateway':
      if (!('gatewayId' in item) || item.gatewayId !== id || !('state' in item)) return false;
      inventory.gateways.set(id as RadioGateway['gatewayId'], item as RadioGateway);
      return true;
  }
}

function merge(inventories: readonly Inventory[]): Inventory {
  const [only] = inventories;
  if (inventories.length === 1 && only) return only;
  // The first one wins: it comes last into the map.
  const reversed = inventories.toReversed();
  return {
    applications: new Map(reversed.flatMap(({ applications }) => [...applications])),
    profiles: new Map(reversed.flatMap(({ profiles }) => [...profiles])),
    devices: new Map(reversed.flatMap(({ devices }) => [...devices])),
    gateways: new Map(reversed.flatMap(({ gateways }) => [...gateways])),
  };
}
