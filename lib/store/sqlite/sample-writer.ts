/** Writes samples into history: corrections and gaps included. Inside a transaction of the writer. */
import type { Database, Statement } from 'better-sqlite3';
import type { OpenGaps } from '../backend';
import { GAP_FLAGS, integersOf, isGap, type Sample, type SampleColumns, SampleFlag } from '../columns';
import { correctedFlags, correctionOf } from '../correction';
import { enterGap, type GapRows, type PlacedRow, repairGaps } from '../gaps';
import { type SampleParameters, type SampleRow, type StoredValue, sampleAt, sampleOfRow, storedValueAt } from './rows';

type Instant = [metric: number, time: number];

export class SampleWriter {
  readonly #database: Database;
  readonly #insert: Statement<SampleParameters>;
  readonly #known: Statement<Instant, SampleRow>;
  readonly #keepModified: Statement<[...Instant, number, ...Instant]>;
  readonly #wasReplaced: Statement<[...Instant, number, StoredValue, number, number], number>;
  readonly #correct: Statement<[number, number, StoredValue, ...Instant]>;
  readonly #rows: GapRows;
  readonly #openGap: Statement<Instant>;
  readonly #closeGap: Statement<[number]>;
  /** What the table open_gaps holds; `undefined` where that is not sure. */
  #openGaps: Map<number, number> | undefined;

  constructor(database: Database) {
    this.#database = database;
    this.#insert = database.prepare(
      'INSERT INTO history (metric_id, time, status, flags, value) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
    );
    this.#known = database
      .prepare<Instant, SampleRow>(
        'SELECT metric_id, time, status, flags, value FROM history WHERE metric_id = ? AND time = ?',
      )
      .raw()
      .safeIntegers();
    this.#keepModified = database.prepare(
      `INSERT INTO modified_history (metric_id, time, number, modified_at, status, flags, value)
       SELECT metric_id, time,
         (SELECT coalesce(max(number), 0) + 1 FROM modified_history WHERE metric_id = ? AND time = ?),
         ?, status, flags, value
       FROM history WHERE metric_id = ? AND time = ?`,
    );
    this.#wasReplaced = database
      .prepare<[...Instant, number, StoredValue, number, number], number>(
        `SELECT 1 FROM modified_history
         WHERE metric_id = ? AND time = ? AND status = ? AND value IS ? AND (flags & ?) = ? LIMIT 1`,
      )
      .pluck();
    this.#correct = database.prepare(
      'UPDATE history SET status = ?, flags = ?, value = ? WHERE metric_id = ? AND time = ?',
    );
    this.#openGap = database.prepare('INSERT OR REPLACE INTO open_gaps (metric_id, time) VALUES (?, ?)');
    this.#closeGap = database.prepare('DELETE FROM open_gaps WHERE metric_id = ?');
    this.#rows = this.#gapRows();
  }

  /** @param now time of modification of what is corrected, ms UTC */
  write(columns: SampleColumns, now: number): void {
    const integers = integersOf(columns);
    const { length, metric, time, status, flags } = columns;
    const open = this.#open();
    for (let index = 0; index < length; index++) {
      const id = metric[index] as number;
      const instant = time[index] as number;
      const flag = flags[index] as number;
      if (isGap(flag)) {
        enterGap(this.#rows, id, instant, status[index] as number);
        continue;
      }
      const isNew =
        this.#insert.run(id, instant, status[index] as number, flag, storedValueAt(columns, integers, index)).changes >
        0;
      const filled = isNew ? undefined : this.#correctWith(sampleAt(columns, integers, index), now);
      const openAt = open.size === 0 ? undefined : open.get(id);
      const isBetween = isNew && ((flag & SampleFlag.Late) !== 0 || (openAt !== undefined && instant < openAt));
      if (isBetween || filled) repairGaps(this.#rows, id, instant, filled);
      if (openAt !== undefined && instant >= openAt) this.#close(id);
    }
  }

  /** Metrics that end in a gap. */
  openGaps(): OpenGaps {
    const open = this.#open();
    return { length: open.size, metric: Int32Array.from(open.keys()), time: Float64Array.from(open.values()) };
  }

  /** The transaction was undone: what is remembered may not be what the database holds. */
  forget(): void {
    this.#openGaps = undefined;
  }

  /** @returns the gap whose place the sample took, if it did */
  #correctWith(sample: Sample, now: number): PlacedRow | undefined {
    const { metric, time } = sample;
    const row = this.#known.get(metric, time);
    if (row === undefined) return undefined;
    const known = sampleOfRow(row);
    const value = typeof sample.value === 'boolean' ? BigInt(sample.value) : (sample.value ?? null);
    const correction = correctionOf(known, sample, () => this.#wasReplacedBefore(sample, value));
    if (correction === 'none') return undefined;
    if (correction === 'fills') {
      this.#correct.run(sample.status, sample.flags, value, metric, time);
      return { time, status: known.status, isGap: true };
    }
    this.#keepModified.run(metric, time, now, metric, time);
    this.#correct.run(sample.status, correctedFlags(sample.flags), value, metric, time);
    return undefined;
  }

  #wasReplacedBefore({ metric, time, status, flags }: Sample, value: StoredValue): boolean {
    const { TypeMask } = SampleFlag;
    return this.#wasReplaced.get(metric, time, status, value, TypeMask, flags & TypeMask) !== undefined;
  }

  #open(): Map<number, number> {
    this.#openGaps ??= new Map(
      this.#database.prepare<[], Instant>('SELECT metric_id, time FROM open_gaps').raw().all(),
    );
    return this.#openGaps;
  }

  #close(metric: number): void {
    if (this.#open().delete(metric)) this.#closeGap.run(metric);
  }

  #gapRows(): GapRows {
    const row = (condition: string): ((...instant: Instant) => PlacedRow | undefined) => {
      const statement = this.#database
        .prepare<Instant, [number, number, number]>(
          `SELECT time, status, flags FROM history WHERE metric_id = ? AND ${condition} LIMIT 1`,
        )
        .raw();
      return (...instant) => {
        const found = statement.get(...instant);
        return found && { time: found[0], status: found[1], isGap: isGap(found[2]) };
      };
    };
    const remove = this.#database.prepare<Instant>('DELETE FROM history WHERE metric_id = ? AND time = ?');
    return {
      at: row('time = ?'),
      before: row('time < ? ORDER BY time DESC'),
      behind: row('time > ? ORDER BY time'),
      removeGap: (metric, time) => {
        remove.run(metric, time);
        if (this.#open().get(metric) === time) this.#close(metric);
      },
      addGap: (metric, time, status, isOpen) => {
        this.#insert.run(metric, time, status, GAP_FLAGS, null);
        if (!isOpen) return;
        this.#openGap.run(metric, time);
        this.#open().set(metric, time);
      },
    };
  }
}
