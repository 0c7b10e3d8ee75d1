import {
  type CurrentValue,
  type DevEui,
  type DeviceReference,
  type Inventory,
  type MetricKey,
  type MetricValue,
  type Quality,
  qualityFromCode,
  type Reading,
  referenceTo,
} from '../model';
import type { StoredState } from './backend';
import { integersOf, valueAt } from './columns';
import type { DeviceRecord, Devices } from './devices';
import type { OwnValue } from './metric-record';

/**
 * A value of before the start. What was Good is now the last usable value, until its age or a new event says more; a
 * quality that the value had by itself (an aggregate, a sensor known to be inaccurate) stays.
 */
export function restoredValue(own: OwnValue, now: number): CurrentValue {
  const quality = qualityFromCode(own.status);
  return {
    value: own.value,
    quality: quality === 'Good' ? 'UncertainLastUsableValue' : quality,
    time: own.value === undefined ? 0 : own.time,
    statusTime: now,
    origin: 'restored',
  };
}

/** Takes over the last values and open gaps of a storage. What came while it could not be read is newer, and stands. */
export function restoreValues(devices: Devices, { currents, gaps }: StoredState, now: number): void {
  const integers = integersOf(currents);
  let device: DeviceRecord | undefined;
  for (let index = 0; index < currents.length; index++) {
    const metric = devices.byId(currents.metric[index] as number);
    if (metric === undefined || metric.own !== undefined) continue;
    const own: OwnValue = {
      value: valueAt(currents, integers, index),
      time: currents.time[index] as number,
      status: currents.status[index] as number,
      flags: currents.flags[index] as number,
    };
    metric.own = own;
    metric.current = restoredValue(own, now);
    const { devEui, key } = metric.definition;
    if (device?.devEui !== devEui) device = devices.device(devEui);
    device.values.set(key, metric.current);
  }
  for (let index = 0; index < gaps.length; index++) {
    const metric = devices.byId(gaps.metric[index] as number);
    const time = gaps.time[index] as number;
    if (metric && (metric.own === undefined || metric.own.time < time)) metric.gapAt ??= time;
  }
}

/** One reading per device and source time, of all current values that nothing has confirmed since the start. */
export function restoredReadings(devices: Iterable<DeviceRecord>, inventory: Inventory): Reading[] {
  const readings: Reading[] = [];
  for (const { devEui, values } of devices) {
    const byTime = new Map<number, [MetricKey, CurrentValue][]>();
    for (const [key, current] of values) {
      if (current.origin !== 'restored' || current.value === undefined) continue;
      const group = byTime.get(current.time);
      if (group) group.push([key, current]);
      else byTime.set(current.time, [[key, current]]);
    }
    if (byTime.size === 0) continue;
    const device = deviceReference(devEui, inventory);
    for (const [time, group] of byTime)
      readings.push({
        device,
        values: Object.fromEntries(group.map(([key, { value }]) => [key, value as MetricValue])),
        time,
        quality: Object.fromEntries(
          group
            .filter(([, { quality }]) => quality !== 'Good')
            .map(([key, { quality }]): [string, Quality] => [key, quality]),
        ),
        origin: 'restored',
      });
  }
  return readings;
}

/** As much as is known of a device. */
export function deviceReference(devEui: DevEui, inventory: Inventory): DeviceReference {
  const device = inventory.devices.get(devEui);
  return device ? referenceTo(device, inventory) : { devEui };
}
