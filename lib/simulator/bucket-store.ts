/** Sums and counts by bucket and key, as redis keeps them for the metrics engine, and as few bytes as they need. */
import { type Aggregation, BUCKETS_KEPT, bucketStart, WRITTEN_AGGREGATIONS, type WrittenAggregation } from './buckets';

/** By the index of the key: its value, then how many were added. */
type Bucket = number[];

export class BucketStore {
  readonly #indices = new Map<string, number>();
  readonly #buckets: Readonly<Record<WrittenAggregation, Map<number, Bucket>>> = {
    HOUR: new Map(),
    DAY: new Map(),
    MONTH: new Map(),
  };

  /** Puts a value in the place of the last (HSET). @param time ms UTC */
  set(key: string, value: number, time: number): void {
    this.#write(key, time, (bucket, index) => {
      bucket[2 * index] = value;
    });
  }

  /** Adds a value and counts it (HINCRBYFLOAT). @param time ms UTC */
  add(key: string, value: number, time: number): void {
    this.#write(key, time, (bucket, index) => {
      bucket[2 * index] = (bucket[2 * index] ?? 0) + value;
      bucket[2 * index + 1] = (bucket[2 * index + 1] ?? 0) + 1;
    });
  }

  /** What a bucket holds for a key, 0 and 0 without data. */
  read(key: string, aggregation: Aggregation, start: number): { readonly value: number; readonly count: number } {
    const index = this.#indices.get(key);
    const bucket = aggregation === 'MINUTE' ? undefined : this.#buckets[aggregation].get(start);
    if (index === undefined || bucket === undefined) return { value: 0, count: 0 };
    return { value: bucket[2 * index] ?? 0, count: bucket[2 * index + 1] ?? 0 };
  }

  /** Keys that have data in one of these buckets. */
  keysIn(aggregation: Aggregation, starts: readonly number[]): string[] {
    return [...this.#indices.keys()].filter((key) =>
      starts.some((start) => this.read(key, aggregation, start).count > 0),
    );
  }

  #write(key: string, time: number, change: (bucket: Bucket, index: number) => void): void {
    let index = this.#indices.get(key);
    if (index === undefined) {
      index = this.#indices.size;
      this.#indices.set(key, index);
    }
    for (const aggregation of WRITTEN_AGGREGATIONS) {
      const start = bucketStart(time, aggregation);
      const buckets = this.#buckets[aggregation];
      let bucket = buckets.get(start);
      if (bucket === undefined) {
        bucket = [];
        buckets.set(start, bucket);
        for (const oldest of buckets.keys()) {
          if (buckets.size <= BUCKETS_KEPT[aggregation]) break;
          buckets.delete(oldest);
        }
      }
      while (bucket.length < 2 * index) bucket.push(0);
      change(bucket, index);
    }
  }
}
