/** Numbers and instants of messages as the variables of an object take them. */
import type { Members } from './device-parts';
import type { PlainValue } from './values';

const MAX_UINT32 = 0xffff_ffff;

export function uint32(value: number): number {
  return Math.min(Math.max(Math.trunc(value) || 0, 0), MAX_UINT32);
}

export function uint64(value: number): bigint {
  return BigInt(Math.max(Math.trunc(value) || 0, 0));
}

export function dateOf(time: number | undefined): Date | undefined {
  return time === undefined ? undefined : new Date(time);
}

/** Publishes what has changed. What is not given stays as it is. */
export function updateMembers<Key extends string>(
  members: Members<Key>,
  values: Readonly<Partial<Record<Key, PlainValue>>>,
  now: Date,
): void {
  for (const key of Object.keys(values) as Key[]) members[key].update(values[key], now, now);
}
