/** Instants and durations as people write them in messages. */
import type { z } from 'zod';
import { display, InvalidInputError } from '../model';
import { optionalField, parsedField } from './payload';

/** An instant that may be told relative to now: ms UTC, whole, once it is known when now is. */
export type Instant = (now: number) => number;

/** 9999-12-31, the last instant that OPC UA can show as a date (Part 6 §5.2.2.5). */
export const LATEST_TIME = 253_402_214_400_000;

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};
const DURATION = /^(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d|w)$/;
const RELATIVE = /^(?:now\s*)?([+-])\s*(\d.*)$/;
/** A date, or date and time with the offset from UTC: local times are ambiguous once a year. */
const ISO = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2}))?$/i;

function refuse(value: unknown, rule: string, cure: string): never {
  throw new InvalidInputError([{ field: 'payload', value: display(value), rule, cure }]);
}

/**
 * An instant: ms since 1970 UTC, a Date, ISO 8601 with offset (a date alone is its midnight UTC), or relative to now:
 * `now`, `-24h`, `now-7d` (ms, s, m, min, h, d, w).
 * @throws InvalidInputError
 */
export function parseInstant(value: unknown): Instant {
  if (typeof value === 'string') {
    const text = value.trim();
    if (text === 'now') return (now) => now;
    const [, sign, rest = ''] = RELATIVE.exec(text) ?? [];
    const offset = sign === undefined ? undefined : durationOf(rest);
    if (offset !== undefined)
      return (now) => Math.min(Math.max(0, now + (sign === '-' ? -offset : offset)), LATEST_TIME);
  }
  const time = absoluteTime(value);
  if (time !== undefined && time >= 0 && time <= LATEST_TIME) return () => Math.ceil(time);
  return refuse(
    value,
    'it is an instant: ms since 1970 UTC, ISO 8601 with Z or an offset, or relative to now',
    'Write it like 1795448058912, "2026-11-24T12:00:00Z" or "-24h".',
  );
}

function absoluteTime(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  if (value instanceof Date) return value.getTime();
  return typeof value === 'string' && ISO.test(value.trim()) ? Date.parse(value.trim()) : undefined;
}

function durationOf(text: string): number | undefined {
  const [, amount, unit = ''] = DURATION.exec(text) ?? [];
  return amount === undefined ? undefined : Number(amount) * (UNITS[unit] ?? Number.NaN);
}

/**
 * A duration in ms: a number of ms, or a text such as `15m`, `1h`, `7d` (ms, s, m, min, h, d, w).
 * @throws InvalidInputError
 */
export function parseDuration(value: unknown): number {
  const duration = typeof value === 'string' ? durationOf(value.trim()) : value;
  if (typeof duration === 'number' && duration >= 0 && duration <= LATEST_TIME) return duration;
  return refuse(value, 'it is a duration: ms, or a number with a unit', 'Write it like 3600000 or "1h".');
}

export const instantField = parsedField(parseInstant);
export const optionalInstant: z.ZodType<Instant | undefined> = optionalField(parseInstant);
export const optionalDuration: z.ZodType<number | undefined> = optionalField(parseDuration);

/** @throws InvalidInputError if a range has no extent */
export function checkRange(from: number, to: number): void {
  if (from < to) return;
  throw new InvalidInputError([
    {
      field: 'payload.to',
      value: new Date(to).toISOString(),
      rule: `it is later than payload.from (${new Date(from).toISOString()})`,
      cure: 'Give the earlier instant as from, and order: "descending" for the newest first.',
    },
  ]);
}
