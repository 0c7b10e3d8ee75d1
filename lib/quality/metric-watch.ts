import { type MetricKey, type MetricValue, type Quality, qualityClass } from '../model';
import type { Scheduled } from './deadlines';
import type { DeviceWatch } from './device-watch';

export type Age = 'fresh' | 'stale' | 'dead';

/** What the detector knows of one metric that has a value. */
export interface MetricWatch extends Scheduled {
  readonly device: DeviceWatch;
  readonly key: MetricKey;
  value: MetricValue;
  /** Source time, ms UTC: for people. */
  time: number;
  /** The same instant on the monotonic clock: for ages. */
  since: number;
  /** Quality that the value came with. */
  own: Quality;
  age: Age;
  staleAfter: number;
  deadAfter: number;
  /** The quality that everybody was told last. */
  shown: Quality;
  /** It was told that nothing is known behind this value. */
  gapTold: boolean;
}

/** The quality a metric has (design §6): what is worst counts. */
export function effectiveQuality({ device, own, age }: MetricWatch): Quality {
  if (device.outOfService) return 'BadOutOfService';
  if (age === 'dead') return 'BadNoCommunication';
  // A value that is Bad by itself does not become usable by growing old.
  if (qualityClass(own) === 'Bad') return own;
  if (age === 'stale') return 'UncertainLastUsableValue';
  return device.codecErrorAt === undefined ? own : 'UncertainSensorNotAccurate';
}

/** Which age a value has at an instant of the monotonic clock, and when that changes. */
export function judgeAge(watch: MetricWatch, now: number): void {
  const age = now - watch.since;
  if (age >= watch.deadAfter) {
    watch.age = 'dead';
    watch.deadline = undefined;
  } else if (age >= watch.staleAfter) {
    watch.age = 'stale';
    watch.deadline = watch.since + watch.deadAfter;
  } else {
    watch.age = 'fresh';
    watch.deadline = watch.since + watch.staleAfter;
  }
}

/** When the present age began, ms UTC. */
export function ageBegan({ age, time, staleAfter, deadAfter }: MetricWatch): number {
  return age === 'fresh' ? time : time + (age === 'stale' ? staleAfter : deadAfter);
}
