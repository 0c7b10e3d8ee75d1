/** Devices that can be told something. */
import { z } from 'zod';
import type { CommandDoors, DevEui } from '../model';
import type { AdministrationStore } from './dependencies';
import { compareBy, type Page } from './payload';

export const commandDevicesPayload = z.strictObject({
  /** Part of a name or DevEUI, upper and lower case alike. */
  search: z.string().max(256).default(''),
  offset: z.number().int().min(0).max(10_000_000).default(0),
  limit: z.number().int().min(1).max(1_000).default(50),
});

export interface CommandDeviceRow {
  readonly devEui: DevEui;
  readonly name: string;
  readonly applicationName: string;
  readonly deviceClass: 'A' | 'B' | 'C';
  readonly isDisabled: boolean;
  /** Definitions that hold for it. */
  readonly commands: number;
  /** Commands of which something is still awaited. */
  readonly open: number;
}

/** By name. */
export function listCommandDevices(
  doors: CommandDoors,
  store: AdministrationStore,
  { search, offset, limit }: z.output<typeof commandDevicesPayload>,
): Page<CommandDeviceRow> {
  const { applications, devices } = store.inventory.merged();
  const wanted = search.trim().toLowerCase();
  const found = [...devices.values()]
    .filter(
      ({ devEui, name }) =>
        (wanted === '' || name.toLowerCase().includes(wanted) || devEui.includes(wanted)) &&
        doors.definitionsOf(devEui).length > 0,
    )
    .sort((a, b) => compareBy(a.name.toLowerCase(), b.name.toLowerCase()) || compareBy(a.devEui, b.devEui));
  return {
    rows: found.slice(offset, offset + limit).map(({ devEui, name, applicationId, deviceClass, isDisabled }) => ({
      devEui,
      name,
      applicationName: applications.get(applicationId)?.name ?? '',
      deviceClass,
      isDisabled,
      commands: doors.definitionsOf(devEui).length,
      open: doors.commands(devEui).filter(({ endedAt }) => endedAt === undefined).length,
    })),
    total: found.length,
    offset,
  };
}
