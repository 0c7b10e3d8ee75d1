import {
  type CommandDevice,
  type DevEui,
  type DeviceReference,
  type Inventory,
  type Reading,
  referenceTo,
} from '../model';

/** Devices that are remembered although ChirpStack never listed them. */
const MAX_HEARD = 100_000;

interface Heard {
  readonly device: DeviceReference;
  /** Last uplink, ms UTC. */
  readonly lastSeenAt: number | undefined;
}

/**
 * What is known of the devices that commands go to: from ChirpStack's list, and from their own messages. The list moves
 * once a poll, an uplink tells at once when the device was heard.
 */
export class KnownDevices {
  readonly #inventory: () => Inventory;
  readonly #isListOnly: boolean;
  readonly #heard = new Map<DevEui, Heard>();

  /** @param isListOnly a device that is not in the list cannot be told anything: asked by gRPC, ChirpStack has the last word */
  constructor(inventory: () => Inventory, isListOnly: boolean) {
    this.#inventory = inventory;
    this.#isListOnly = isListOnly;
  }

  /** Whether its messages have to tell what no list does. */
  wants(devEui: DevEui): boolean {
    return !this.#isListOnly && !this.#inventory().devices.has(devEui);
  }

  /** A message of a device came by. */
  heard(device: DeviceReference, uplink?: Pick<Reading, 'origin' | 'time'>): void {
    const { devEui } = device;
    const before = this.#heard.get(devEui);
    const isUplink = uplink?.origin === 'event' || uplink?.origin === 'replay';
    const lastSeenAt = isUplink ? Math.max(uplink.time, before?.lastSeenAt ?? 0) : before?.lastSeenAt;
    if (before === undefined && this.#heard.size >= MAX_HEARD) return;
    // What an earlier message knew of it and this one does not say still holds.
    this.#heard.set(devEui, { device: { ...before?.device, ...device }, lastSeenAt });
  }

  find(devEui: DevEui): CommandDevice | undefined {
    const inventory = this.#inventory();
    const listed = inventory.devices.get(devEui);
    const heard = this.#heard.get(devEui);
    if (listed === undefined) {
      if (this.#isListOnly || heard === undefined) return undefined;
      const { profileId, deviceClass = 'A' } = heard.device;
      return {
        devEui,
        deviceClass,
        isDisabled: false,
        ...(profileId === undefined ? {} : { profileId }),
        ...(heard.lastSeenAt === undefined ? {} : { lastSeenAt: heard.lastSeenAt }),
      };
    }
    const { profileId, deviceClass, isDisabled } = listed;
    const { uplinkInterval: seconds = 0, hasCodec } = inventory.profiles.get(profileId) ?? {};
    const lastSeenAt = Math.max(listed.lastSeenAt ?? 0, heard?.lastSeenAt ?? 0);
    return {
      devEui,
      profileId,
      deviceClass,
      isDisabled,
      ...(seconds > 0 ? { uplinkInterval: seconds * 1_000 } : {}),
      ...(hasCodec === undefined ? {} : { hasCodec }),
      ...(lastSeenAt > 0 ? { lastSeenAt } : {}),
    };
  }

  /** As messages carry it; of an unknown device the DevEUI alone. */
  reference(devEui: DevEui): DeviceReference {
    const inventory = this.#inventory();
    const listed = inventory.devices.get(devEui);
    if (listed !== undefined) return referenceTo(listed, inventory);
    return this.#heard.get(devEui)?.device ?? { devEui };
  }
}
