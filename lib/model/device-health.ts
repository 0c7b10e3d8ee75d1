/** How a device is doing, in the categories of NAMUR NE 107 as OPC 10000-100 (Devices) §4.5.4 has them. */
import type { Quality } from './quality';

/** The names of the standard's DeviceHealthEnumeration; never reorder: their places are its numbers. */
export const DEVICE_HEALTH_STATES = [
  'NORMAL',
  'FAILURE',
  'CHECK_FUNCTION',
  'OFF_SPEC',
  'MAINTENANCE_REQUIRED',
] as const;
export type DeviceHealthState = (typeof DEVICE_HEALTH_STATES)[number];

/** A battery below this level wants to be replaced, %. */
export const LOW_BATTERY = 20;
/** Below this demodulation margin the link has no reserve for rain, doors and parked lorries, dB. */
export const LOW_MARGIN = 3;

export interface DeviceCondition {
  readonly isDisabled: boolean;
  /** Qualities of all values that the device has shown so far. */
  readonly qualities: Iterable<Quality>;
  /** %, absent if the device did not tell. */
  readonly batteryLevel?: number | undefined;
  /** dB, absent if the device did not tell. */
  readonly margin?: number | undefined;
}

export interface DeviceHealth {
  readonly state: DeviceHealthState;
  /** Why it is not NORMAL, for people; empty if it is. */
  readonly reason: string;
}

interface Tally {
  fresh: number;
  stale: number;
  dead: number;
  doubtful: number;
}

function tally(qualities: Iterable<Quality>): Tally {
  const counts: Tally = { fresh: 0, stale: 0, dead: 0, doubtful: 0 };
  for (const quality of qualities) {
    if (quality === 'UncertainLastUsableValue') counts.stale++;
    else if (quality === 'BadNoCommunication') counts.dead++;
    else if (quality === 'UncertainSensorNotAccurate') counts.doubtful++;
    // All else came lately, whatever it is worth; what only waits for its first value says nothing.
    else if (quality !== 'BadWaitingForInitialData') counts.fresh++;
  }
  return counts;
}

/**
 * The worst that holds: switched off on purpose comes before all else, because the silence that follows is no failure.
 * @returns `undefined` while nothing is known of the device
 */
export function judgeDeviceHealth(condition: DeviceCondition): DeviceHealth | undefined {
  if (condition.isDisabled) return { state: 'CHECK_FUNCTION', reason: 'The device is disabled in ChirpStack' };
  const { fresh, stale, dead, doubtful } = tally(condition.qualities);
  if (dead > 0 && fresh + stale + doubtful === 0)
    return { state: 'FAILURE', reason: 'The device has been silent for so long that it counts as dead' };
  if (doubtful > 0) return { state: 'OFF_SPEC', reason: 'The codec reported an error: values are not accurate' };
  if (stale + dead > 0 && fresh === 0) return { state: 'OFF_SPEC', reason: 'The device is overdue: no value is fresh' };
  const { batteryLevel, margin } = condition;
  if (batteryLevel !== undefined && batteryLevel < LOW_BATTERY)
    return { state: 'MAINTENANCE_REQUIRED', reason: `The battery is below ${LOW_BATTERY} %` };
  if (margin !== undefined && margin < LOW_MARGIN)
    return { state: 'MAINTENANCE_REQUIRED', reason: `The link margin is below ${LOW_MARGIN} dB` };
  if (fresh === 0 && batteryLevel === undefined && margin === undefined) return undefined;
  return { state: 'NORMAL', reason: '' };
}
