/** All kinds, in the order in which a fleet is made of them. */
import { climate } from './climate';
import { door } from './door';
import { energyMeter } from './energy-meter';
import type { DeviceKind } from './kind';
import { tank } from './tank';
import { tracker } from './tracker';
import { valve } from './valve';

export const KINDS: readonly DeviceKind[] = [climate, energyMeter, valve, door, tank, tracker];

/** A kind by its name. */
export function kindNamed(name: string): DeviceKind | undefined {
  return KINDS.find((kind) => kind.name === name);
}
