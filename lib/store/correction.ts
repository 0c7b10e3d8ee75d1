import { type Sample, SampleFlag } from './columns';

/** Severity of a status code: 0 Good, 1 Uncertain, 2 Bad (Part 4 §7.39.1). */
function severity(status: number): number {
  return status >>> 30;
}

/**
 * What is kept when a sample comes for a metric and time that already has one: the later one, unless it says the same
 * or is of worse quality (an aggregate never takes the place of the event's own value). `undefined` = nothing changes.
 * SQLite does the same in its upsert (sqlite/writer.ts).
 */
export function correctionOf(known: Sample, sample: Sample): Sample | undefined {
  if (known.status === sample.status && known.value === sample.value) return undefined;
  if (severity(sample.status) > severity(known.status)) return undefined;
  return { ...sample, flags: sample.flags | SampleFlag.Corrected };
}
