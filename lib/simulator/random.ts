/** Seeded randomness: the same seed gives the same fleet, the same ids and the same values. */
import type { Random } from '../model';

/** Mulberry32: small, fast, and good enough for noise and ids that need not be secret. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** An unsigned 32-bit integer. */
export function randomUint32(random: Random): number {
  return Math.floor(random() * 4_294_967_296) >>> 0;
}

/** An integer in [low, high]. */
export function randomInteger(random: Random, low: number, high: number): number {
  return low + Math.floor(random() * (high - low + 1));
}

/** Normally distributed noise (Box–Muller). */
export function gaussian(random: Random, deviation: number): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random()));
  return deviation * radius * Math.cos(2 * Math.PI * random());
}

const hex8 = (value: number): string => value.toString(16).padStart(8, '0');

/** A version 4 UUID, lower case, as ChirpStack makes its ids. */
export function randomUuid(random: Random): string {
  const text =
    hex8(randomUint32(random)) + hex8(randomUint32(random)) + hex8(randomUint32(random)) + hex8(randomUint32(random));
  const variant = '89ab'.charAt(Math.floor(random() * 4));
  return `${text.slice(0, 8)}-${text.slice(8, 12)}-4${text.slice(13, 16)}-${variant}${text.slice(17, 20)}-${text.slice(20)}`;
}
