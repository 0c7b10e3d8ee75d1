/**
 * Keeps the picture of applications, profiles, devices and gateways in step with ChirpStack. The steady state costs one
 * list call per 500 devices of each application; single objects are asked for only when something about them is new.
 */
import {
  type ApplicationId,
  type Clock,
  type DevEui,
  type Device,
  type DeviceProfileId,
  EMPTY_INVENTORY,
  type Inventory,
  parseDevEui,
  parseDeviceProfileId,
  type Random,
} from '../model';
import { ApplicationScope, type FoundApplications, parsed } from './application-scope';
import { type CallFailure, failureOf, isGone } from './call-failure';
import { ChirpstackApi } from './chirpstack-api';
import type { ChirpstackConnection } from './connection';
import { eachLimited } from './each-limited';
import { GatewayList } from './gateway-list';
import { ProfileCache } from './profile-cache';
import type { DeviceItem } from './replies';
import { concernsObject, lookUp, repeated, SYNC_CONCURRENCY, type SyncRun } from './sync-support';

/** Missing devices looked up one by one in a run; more than that wait for the next listing to confirm. */
const MAX_SECOND_LOOKS = 50;

/** Something that needs no repair to be connected, but that a person should know. */
export interface Notice {
  readonly reason: string;
  readonly cure: string;
}

export interface SyncResult {
  readonly inventory: Inventory;
  /** Calls about single objects that failed for good; 0 if the sync succeeded as a whole. */
  readonly failures: readonly CallFailure[];
  readonly notice?: Notice;
  /** The key may not list gateways; no fault, but somebody may miss them. */
  readonly gatewaysAreHidden: boolean;
}

interface TrackedDevice {
  readonly device: Device;
  /** `updated_at` at which `is_disabled` and class were read; empty if they must be read. */
  readonly version: string;
  /** Clean listings in a row that did not show it. */
  readonly absences: number;
}

interface ListedDevice {
  readonly item: DeviceItem;
  readonly devEui: DevEui;
  readonly applicationId: ApplicationId;
  readonly profileId: DeviceProfileId;
}

interface Listed {
  readonly devices: ReadonlyMap<DevEui, ListedDevice>;
  /** Applications whose devices could not be listed: what is known of them stays. */
  readonly failed: ReadonlySet<ApplicationId>;
  readonly unreadable: number;
}

export interface InventorySyncDependencies {
  readonly connection: ChirpstackConnection;
  readonly clock: Clock;
  readonly random: Random;
  readonly known?: Inventory;
}

export class InventorySync {
  readonly #connection: ChirpstackConnection;
  readonly #api: ChirpstackApi;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #scope: ApplicationScope;
  readonly #profiles: ProfileCache;
  readonly #gateways: GatewayList;
  #tracked = new Map<DevEui, TrackedDevice>();

  constructor({ connection, clock, random, known = EMPTY_INVENTORY }: InventorySyncDependencies) {
    this.#connection = connection;
    this.#api = new ChirpstackApi(connection);
    this.#clock = clock;
    this.#random = random;
    this.#scope = new ApplicationScope(this.#api, connection.settings, known.applications);
    this.#profiles = new ProfileCache(this.#api, clock, known.profiles);
    this.#gateways = new GatewayList(this.#api, known.gateways);
    for (const [devEui, device] of known.devices) this.#tracked.set(devEui, { device, version: '', absences: 0 });
  }

  /** Reads `is_disabled` and class of a device again at the next run: an event says that they are different. */
  distrust(devEui: DevEui): void {
    const tracked = this.#tracked.get(devEui);
    if (tracked) this.#tracked.set(devEui, { ...tracked, version: '' });
  }

  /**
   * Takes a new picture. Whatever fails, the picture before stays as it was.
   * @throws CallError if the server or the token fails, ScopeError if the settings ask for what the key cannot see
   */
  async run(signal: AbortSignal): Promise<SyncResult> {
    const failures: CallFailure[] = [];
    let accepted: Promise<boolean> | undefined;
    const run: SyncRun = {
      signal,
      clock: this.#clock,
      random: this.#random,
      tokenAccepted: () => (accepted ??= this.#connection.probe()),
      problem: (failure) => failures.push(failure),
    };
    const found = await this.#scope.find(run);
    const listed = await this.#list(run, found);
    const profiles = await this.#profiles.refresh(run, found.tenants, profilesInUse(listed, this.#tracked, found));
    const tracked = await this.#update(run, listed);
    await this.#keepOrRemove(run, found, listed, tracked);
    const { gateways, isHidden } = await this.#gateways.refresh(run, found.tenants);

    this.#tracked = tracked;
    const devices = new Map([...tracked].map(([devEui, { device }]) => [devEui, device]));
    const used = new Set([...devices.values()].map(({ profileId }) => profileId));
    const inventory: Inventory = {
      applications: found.applications,
      profiles: new Map([...profiles].filter(([id]) => used.has(id))),
      devices,
      gateways,
    };
    const notice = noticeOf(inventory, found, listed);
    return { inventory, failures, gatewaysAreHidden: isHidden, ...(notice === undefined ? {} : { notice }) };
  }

  async #list(run: SyncRun, found: FoundApplications): Promise<Listed> {
    const devices = new Map<DevEui, ListedDevice>();
    const failed = new Set<ApplicationId>();
    let unreadable = 0;
    await eachLimited(found.applications.keys(), SYNC_CONCURRENCY, async (applicationId) => {
      const listing = await this.#devicesOf(run, applicationId);
      if (listing === undefined) {
        failed.add(applicationId);
        return;
      }
      unreadable += listing.unreadable;
      for (const item of listing.rows) {
        const [devEui] = parsed(() => parseDevEui(item.devEui));
        const [profileId] = parsed(() => parseDeviceProfileId(item.deviceProfileId));
        // One device that cannot be read is no reason to lose the others.
        if (devEui === undefined || profileId === undefined) unreadable++;
        else devices.set(devEui, { item, devEui, applicationId, profileId });
      }
    });
    return { devices, failed, unreadable };
  }

  async #devicesOf(run: SyncRun, applicationId: ApplicationId) {
    try {
      return await repeated(run, (settings) => this.#api.devices(applicationId, settings));
    } catch (error) {
      const failure = failureOf(error);
      if (failure === undefined) throw error;
      const deleted = isGone(failure) && (await run.tokenAccepted());
      if (!deleted && !concernsObject(failure)) throw error;
      run.problem(failure);
      return undefined;
    }
  }

  /** Devices as listed, with `is_disabled` and class of those that are new or changed. */
  async #update(run: SyncRun, listed: Listed): Promise<Map<DevEui, TrackedDevice>> {
    const tracked = new Map<DevEui, TrackedDevice>();
    const unknown: ListedDevice[] = [];
    for (const row of listed.devices.values()) {
      const before = this.#tracked.get(row.devEui);
      const same = before !== undefined && before.version !== '' && before.version === row.item.updatedAt;
      // A place in the map for each, so that the order of the devices does not depend on who answers first.
      tracked.set(row.devEui, {
        device: deviceOf(row, before?.device),
        version: same ? before.version : '',
        absences: 0,
      });
      if (!same) unknown.push(row);
    }
    await eachLimited(unknown, SYNC_CONCURRENCY, async (row) => {
      const answer = await lookUp(run, (settings) => this.#api.device(row.devEui, settings));
      if (answer.state === 'gone') tracked.delete(row.devEui);
      if (answer.state !== 'found') return;
      const { isDisabled, deviceClass } = answer.value;
      const device: Device = { ...deviceOf(row, undefined), isDisabled, deviceClass };
      tracked.set(row.devEui, { device, version: row.item.updatedAt, absences: 0 });
    });
    return tracked;
  }

  /** Decides on devices that the listing did not show: rows move between pages, and one odd page removes nothing. */
  async #keepOrRemove(
    run: SyncRun,
    found: FoundApplications,
    listed: Listed,
    tracked: Map<DevEui, TrackedDevice>,
  ): Promise<void> {
    const missing: TrackedDevice[] = [];
    for (const [devEui, before] of this.#tracked) {
      if (listed.devices.has(devEui) || !found.applications.has(before.device.applicationId)) continue;
      if (listed.failed.has(before.device.applicationId)) tracked.set(devEui, before);
      else missing.push(before);
    }
    const clean = listed.unreadable === 0;
    const waitForNext = (before: TrackedDevice): void => {
      const absences = clean ? before.absences + 1 : before.absences;
      if (absences < 2) tracked.set(before.device.devEui, { ...before, absences });
    };
    await eachLimited(missing.slice(0, MAX_SECOND_LOOKS), SYNC_CONCURRENCY, async (before) => {
      const answer = await lookUp(run, (settings) => this.#api.device(before.device.devEui, settings));
      if (answer.state === 'failed') waitForNext(before);
      // There after all: it moved between pages, or into another application, which lists it next time.
      if (answer.state === 'found' && found.applications.has(answer.value.applicationId as ApplicationId))
        tracked.set(before.device.devEui, { ...before, absences: 0 });
    });
    for (const before of missing.slice(MAX_SECOND_LOOKS)) waitForNext(before);
  }
}

function deviceOf({ item, devEui, applicationId, profileId }: ListedDevice, before: Device | undefined): Device {
  return {
    devEui,
    name: item.name,
    description: item.description,
    applicationId,
    profileId,
    tags: item.tagsMap,
    isDisabled: before?.isDisabled ?? false,
    deviceClass: before?.deviceClass ?? 'A',
    ...(item.lastSeenAt === undefined ? {} : { lastSeenAt: item.lastSeenAt }),
    ...(item.deviceStatus === undefined ? {} : { status: item.deviceStatus }),
  };
}

function profilesInUse(
  listed: Listed,
  tracked: ReadonlyMap<DevEui, TrackedDevice>,
  found: FoundApplications,
): Map<DeviceProfileId, string> {
  const used = new Map<DeviceProfileId, string>();
  for (const { profileId, item } of listed.devices.values()) used.set(profileId, item.deviceProfileName);
  // Devices that may stay without being listed need theirs too.
  for (const [devEui, { device }] of tracked)
    if (!listed.devices.has(devEui) && found.applications.has(device.applicationId) && !used.has(device.profileId))
      used.set(device.profileId, '');
  return used;
}

function noticeOf(inventory: Inventory, found: FoundApplications, listed: Listed): Notice | undefined {
  if (found.absent.length > 0)
    return {
      reason: `These applications are not there for this API key: ${found.absent.join(', ')}.`,
      cure: 'Correct the application ids in the settings of the connection.',
    };
  if (inventory.applications.size === 0)
    return {
      reason: 'Connected, but ChirpStack shows no application.',
      cure: 'Add an application in ChirpStack, or check the tenant id.',
    };
  if (inventory.devices.size === 0)
    return { reason: 'Connected, but no application has a device yet.', cure: 'Add devices in ChirpStack.' };
  if (listed.unreadable > 0)
    return {
      reason: `${listed.unreadable} devices of ChirpStack's list cannot be read and are left out.`,
      cure: 'Check their DevEUI and profile in ChirpStack.',
    };
  return undefined;
}
