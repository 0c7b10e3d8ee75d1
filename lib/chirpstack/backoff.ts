import type { Random } from '../model';

export interface BackoffSettings {
  /** Shortest delay, ms. */
  readonly min: number;
  /** Longest delay, ms. */
  readonly max: number;
}

/**
 * Exponential backoff with full jitter: a random delay between `min` and min × 2^attempt, at most `max`, so that many
 * clients of one server never come back in step.
 * @param attempt 0 for the first retry
 */
export function backoffDelay(attempt: number, { min, max }: BackoffSettings, random: Random): number {
  const ceiling = Math.min(max, min * 2 ** Math.min(attempt + 1, 30));
  return min + random() * (ceiling - min);
}

/** A delay that differs by up to ±`share` from the one given. */
export function jittered(delay: number, share: number, random: Random): number {
  return delay * (1 + share * (2 * random() - 1));
}
