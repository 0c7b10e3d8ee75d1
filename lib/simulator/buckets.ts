/** Calendar buckets of the metrics engine (storage/metrics.rs), in UTC as the official container runs. */
export const AGGREGATIONS = ['HOUR', 'DAY', 'MONTH', 'MINUTE'] as const;
/** In the order of common.proto's Aggregation: the index is its number. */
export type Aggregation = (typeof AGGREGATIONS)[number];

/** What uplinks are counted into. MINUTE can be asked for but is never written for devices. */
export const WRITTEN_AGGREGATIONS = ['HOUR', 'DAY', 'MONTH'] as const;
export type WrittenAggregation = (typeof WRITTEN_AGGREGATIONS)[number];

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** How many buckets live until they expire: 2 d, 62 d and 730 d. */
export const BUCKETS_KEPT: Readonly<Record<WrittenAggregation, number>> = { HOUR: 48, DAY: 62, MONTH: 24 };

/** Start of the bucket that holds an instant, ms UTC. */
export function bucketStart(time: number, aggregation: Aggregation): number {
  switch (aggregation) {
    case 'MINUTE':
      return time - (((time % MINUTE) + MINUTE) % MINUTE);
    case 'HOUR':
      return time - (((time % HOUR) + HOUR) % HOUR);
    case 'DAY':
      return time - (((time % DAY) + DAY) % DAY);
    case 'MONTH': {
      const date = new Date(time);
      return Date.UTC(date.getUTCFullYear(), date.getUTCMonth());
    }
  }
}

function nextBucket(start: number, aggregation: Aggregation): number {
  switch (aggregation) {
    case 'MINUTE':
      return start + MINUTE;
    case 'HOUR':
      return start + HOUR;
    case 'DAY':
      return start + DAY;
    case 'MONTH': {
      const date = new Date(start);
      return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1);
    }
  }
}

/** Starts of all buckets from one instant to another, both ends included; none if start is after end. */
export function bucketRange(start: number, end: number, aggregation: Aggregation): number[] {
  const last = bucketStart(end, aggregation);
  const starts: number[] = [];
  for (let at = bucketStart(start, aggregation); at <= last; at = nextBucket(at, aggregation)) starts.push(at);
  return starts;
}
