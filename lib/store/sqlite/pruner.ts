/** Removes old samples in small slices, and gives space back where much is free. */
import type { Database, Statement } from 'better-sqlite3';
import type { PruneResult, PruneSlice } from '../backend';

/** Metrics looked at in one slice, so that many empty ones do not make it long. */
const METRICS_PER_SLICE = 2_000;
/** Free pages given back to the file system after a slice. */
const VACUUM_PAGES = 256;
/** Below this share of free pages they are kept: what comes next is written into them without growing the file. */
const FREE_SHARE = 0.25;
/** Free pages that are kept in any case. */
const FREE_PAGES = 1_024;

export class SamplePruner {
  readonly #database: Database;
  readonly #lastOfSlice: Statement<[number, number, bigint], number>;
  readonly #remove: Statement<[number, number]>;
  readonly #removeModified: Statement<[number, number]>;

  constructor(database: Database) {
    this.#database = database;
    this.#lastOfSlice = database
      .prepare<[number, number, bigint], number>(
        'SELECT time FROM history WHERE metric_id = ? AND time < ? ORDER BY time LIMIT 1 OFFSET ?',
      )
      .pluck();
    this.#remove = database.prepare('DELETE FROM history WHERE metric_id = ? AND time < ?');
    this.#removeModified = database.prepare('DELETE FROM modified_history WHERE metric_id = ? AND time < ?');
  }

  /** Inside a transaction of the writer. */
  prune({ metrics, before, limit }: PruneSlice): PruneResult {
    let removed = 0;
    const end = Math.min(metrics.length, METRICS_PER_SLICE);
    for (let index = 0; index < end; index++) {
      if (removed >= limit) return { removed, done: index };
      const metric = metrics[index] as number;
      const bound = before[index] as number;
      // The newest of the samples that may go in this slice; there is none if all that are old may go.
      const last = this.#lastOfSlice.get(metric, bound, BigInt(limit - removed - 1));
      const until = last === undefined ? bound : last + 1;
      removed += this.#remove.run(metric, until).changes;
      this.#removeModified.run(metric, until);
      if (last !== undefined) return { removed, done: index };
    }
    return { removed, done: end };
  }

  /** Gives a little free space back to the file system, if much of the file is free. Outside a transaction. */
  giveBack(): void {
    const free = this.#count('freelist_count');
    if (free > FREE_PAGES && free > this.#count('page_count') * FREE_SHARE)
      this.#database.pragma(`incremental_vacuum(${VACUUM_PAGES})`);
  }

  #count(name: string): number {
    return Number(this.#database.pragma(name, { simple: true }));
  }
}
