import type { CurrentValue, Quality } from '../model';
import type { DeviceWatch } from './device-watch';

/** Qualities that a detector gives. */
const GIVEN_HERE: ReadonlySet<Quality> = new Set<Quality>([
  'UncertainLastUsableValue',
  'UncertainSensorNotAccurate',
  'BadNoCommunication',
  'BadOutOfService',
]);

/** The quality that a current value came with, as far as it can still be told. */
export function ownQuality({ quality, origin, time, statusTime }: CurrentValue): Quality {
  if (origin === 'metrics') return 'UncertainSubNormal';
  if (quality === 'UncertainLastUsableValue') return 'Good';
  return statusTime !== time && origin !== 'restored' && GIVEN_HERE.has(quality) ? 'Good' : quality;
}

/** Whether a reading shows that the codec works again. */
export function clearsCodecError({ codecErrorAt }: DeviceWatch, { time }: { readonly time: number }): boolean {
  return codecErrorAt !== undefined && time >= codecErrorAt;
}
