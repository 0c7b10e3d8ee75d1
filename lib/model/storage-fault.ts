import type { LogReason } from './log';

/** Why a storage cannot do what it is asked, as its errors, the log and health name it. */
export const STORAGE_FAULTS = [
  'read-only',
  'disk-full',
  'locked',
  'corrupt',
  'newer-schema',
  'not-permitted',
  'timeout',
  'internal',
] as const satisfies readonly LogReason[];
export type StorageFault = (typeof STORAGE_FAULTS)[number];
