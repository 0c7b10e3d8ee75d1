import { z } from 'zod';
import { type DevEui, type Device, type DeviceReference, type Inventory, type MetricKey, type Quality } from '../model';
import type { AdministrationStore } from './dependencies';
import { plainValue } from './history-rows';
import { applicationField, devEuiField, devicesField, metricField, metricsField, namedMetrics } from './targets';

export const latestPayload = z.strictObject({
  devEui: devEuiField,
  devices: devicesField,
  applicationId: applicationField,
  metric: metricField,
  metrics: metricsField,
  offset: z.number().int().min(0).max(10_000_000).default(0),
  /** Devices in this answer at most. */
  limit: z.number().int().min(1).max(1_000).default(100),
});

/** Current values of one device, with the properties of a reading. */
export interface LatestReading {
  readonly device: DeviceReference;
  /** Metric key → value; Int64 as text, because JSON has no 64-bit integers. */
  readonly payload: Readonly<Record<string, number | boolean | string | null>>;
  /** Of what is not Good. */
  readonly quality: Readonly<Record<string, Quality>>;
  /** Of the newest value, ms UTC; absent while there is none. */
  readonly time?: number;
  /** Metric key → source time of its value, ms UTC. */
  readonly times: Readonly<Record<string, number>>;
}

export interface LatestValues {
  readonly devices: readonly LatestReading[];
  /** Devices that the filter leaves, in all answers. */
  readonly total: number;
  readonly complete: boolean;
  /** The payload that asks for the devices after these. */
  readonly next?: Readonly<Record<string, unknown>>;
}

export function latestValues(store: AdministrationStore, payload: z.output<typeof latestPayload>): LatestValues {
  const { devEui, devices, applicationId, metric, metrics, offset, limit } = payload;
  const inventory = store.inventory.merged();
  const wanted = namedMetrics(metric, metrics);
  const keys = wanted && new Set<MetricKey>(wanted);
  const chosen = chosenDevices(store, inventory, devEui, devices).filter(
    (candidate) => applicationId === undefined || inventory.devices.get(candidate)?.applicationId === applicationId,
  );
  const shown = chosen.slice(offset, offset + limit);
  const complete = offset + shown.length >= chosen.length;
  return {
    devices: shown.map((candidate) => latestReading(store, inventory, candidate, keys)),
    total: chosen.length,
    complete,
    ...(complete
      ? {}
      : {
          next: {
            ...(devEui === undefined ? {} : { devEui }),
            ...(devices === undefined ? {} : { devices }),
            ...(applicationId === undefined ? {} : { applicationId }),
            ...(wanted === undefined ? {} : { metrics: wanted }),
            offset: offset + shown.length,
            limit,
          },
        }),
  };
}

/** Those that are named, else all that have a metric: also those that ChirpStack does not know. */
export function chosenDevices(
  store: AdministrationStore,
  inventory: Inventory,
  devEui: DevEui | undefined,
  devices: readonly DevEui[] | undefined,
): readonly DevEui[] {
  if (devEui !== undefined || devices !== undefined)
    return [...new Set([...(devEui === undefined ? [] : [devEui]), ...(devices ?? [])])];
  const all = new Set<DevEui>(inventory.devices.keys());
  for (const definition of store.metrics.all()) all.add(definition.devEui);
  return [...all].sort();
}

export function deviceReference(device: Device, { applications, profiles }: Inventory): DeviceReference {
  const application = applications.get(device.applicationId);
  const profile = profiles.get(device.profileId);
  return {
    devEui: device.devEui,
    name: device.name,
    applicationId: device.applicationId,
    ...(application === undefined ? {} : { applicationName: application.name }),
    profileId: device.profileId,
    ...(profile === undefined ? {} : { profileName: profile.name }),
    deviceClass: device.deviceClass,
    tags: device.tags,
  };
}

function latestReading(
  store: AdministrationStore,
  inventory: Inventory,
  devEui: DevEui,
  keys: ReadonlySet<MetricKey> | undefined,
): LatestReading {
  const device = inventory.devices.get(devEui);
  const values = store.values.ofDevice(devEui);
  const payload: Record<string, number | boolean | string | null> = {};
  const quality: Record<string, Quality> = {};
  const times: Record<string, number> = {};
  for (const { key } of store.metrics.ofDevice(devEui)) {
    if (keys !== undefined && !keys.has(key)) continue;
    const current = values.get(key);
    const status = current?.quality ?? 'BadWaitingForInitialData';
    if (status !== 'Good') quality[key] = status;
    if (current?.value === undefined) continue;
    payload[key] = plainValue(current.value);
    times[key] = current.time;
  }
  const newest = Math.max(...Object.values(times));
  return {
    device: device === undefined ? { devEui } : deviceReference(device, inventory),
    payload,
    quality,
    ...(Number.isFinite(newest) ? { time: newest } : {}),
    times,
  };
}
