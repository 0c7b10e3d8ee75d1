import { z } from 'zod';
import { type ApplicationId, type DevEui, type Quality, qualityClass } from '../model';
import type { AdministrationStore } from './dependencies';
import { compareBy, listFields, type Page } from './payload';
import { applicationField } from './targets';

export const devicesPayload = z.strictObject({
  ...listFields(['name', 'devEui', 'application', 'profile', 'lastSeenAt', 'state']),
  applicationId: applicationField,
  state: z.enum(['enabled', 'disabled']).optional(),
});

export interface DeviceRow {
  readonly devEui: DevEui;
  readonly name: string;
  readonly applicationId: ApplicationId;
  readonly applicationName: string;
  readonly profileName: string;
  readonly deviceClass: 'A' | 'B' | 'C';
  readonly isDisabled: boolean;
  /** ms UTC; the newer of what ChirpStack says and what was received. */
  readonly lastSeenAt: number | undefined;
  /** % */
  readonly batteryLevel: number | undefined;
  readonly metrics: number;
  /** Metrics by class of their quality. */
  readonly good: number;
  readonly uncertain: number;
  readonly bad: number;
}

export type DeviceList = Page<DeviceRow>;

export function listDevices(
  store: AdministrationStore,
  { offset, limit, sort, descending, search, applicationId, state }: z.output<typeof devicesPayload>,
): DeviceList {
  const { applications, profiles, devices } = store.inventory.merged();
  const wanted = search.trim().toLowerCase();
  const rows: DeviceRow[] = [];
  for (const device of devices.values()) {
    if (applicationId !== undefined && device.applicationId !== applicationId) continue;
    if (state !== undefined && device.isDisabled !== (state === 'disabled')) continue;
    if (wanted !== '' && !device.name.toLowerCase().includes(wanted) && !device.devEui.includes(wanted)) continue;
    const count: Record<ReturnType<typeof qualityClass>, number> = { Good: 0, Uncertain: 0, Bad: 0 };
    let newest = device.lastSeenAt ?? 0;
    const values = store.values.ofDevice(device.devEui);
    const metrics = store.metrics.ofDevice(device.devEui);
    for (const { key } of metrics) {
      const current = values.get(key);
      const quality: Quality = current?.quality ?? 'BadWaitingForInitialData';
      count[qualityClass(quality)]++;
      newest = Math.max(newest, current?.time ?? 0);
    }
    rows.push({
      devEui: device.devEui,
      name: device.name,
      applicationId: device.applicationId,
      applicationName: applications.get(device.applicationId)?.name ?? '',
      profileName: profiles.get(device.profileId)?.name ?? '',
      deviceClass: device.deviceClass,
      isDisabled: device.isDisabled,
      lastSeenAt: newest > 0 ? newest : undefined,
      batteryLevel: device.status?.batteryLevel,
      metrics: metrics.length,
      good: count.Good,
      uncertain: count.Uncertain,
      bad: count.Bad,
    });
  }
  const by: Record<typeof sort, (row: DeviceRow) => string | number | undefined> = {
    name: ({ name }) => name.toLowerCase(),
    devEui: ({ devEui }) => devEui,
    application: ({ applicationName }) => applicationName.toLowerCase(),
    profile: ({ profileName }) => profileName.toLowerCase(),
    lastSeenAt: ({ lastSeenAt }) => lastSeenAt,
    state: ({ bad, uncertain }) => -(bad * 1_000_000 + uncertain),
  };
  const direction = descending ? -1 : 1;
  rows.sort((a, b) => direction * compareBy(by[sort](a), by[sort](b)) || compareBy(a.devEui, b.devEui));
  return { rows: rows.slice(offset, offset + limit), total: rows.length, offset };
}
