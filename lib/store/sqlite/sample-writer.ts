/** Writes samples into history: corrections and gaps included. Inside a transaction of the writer. */
import type { Database, Statement } from 'better-sqlite3';
import type { MetricValue } from '../../model';
import type { OpenGaps } from '../backend';
import { GAP_FLAGS, integersOf, isGap, type Sample, type SampleColumns, SampleFlag } from '../columns';
import { correctedFlags, correctionOf } from '../correction';
import { enterGap, type GapRows, type PlacedRow, repairGaps } from '../gaps';
import {
  GROUP_VALUES,
  SampleGroup,
  type SampleParameters,
  type SampleRow,
  type StoredValue,
  sampleAt,
  sampleOfRow,
} from './rows';

type Instant = [metric: number, time: number];

export class SampleWriter {
  readonly #database: Database;
  readonly #insertGroup: Statement<[StoredValue[]]>;
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
    const insert = (values: string): string =>
      `INSERT INTO history (metric_id, time, status, flags, value) VALUES ${values} ON CONFLICT DO NOTHING`;
    this.#insertGroup = database.prepare<[StoredValue[]]>(insert(GROUP_VALUES));
    this.#insert = database.prepare(insert('(?, ?, ?, ?, ?)'));
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
    const { length, metric, flags } = columns;
    const integers = integersOf(columns);
    const open = this.#open();
    const group = new SampleGroup(columns);
    const enter = (index: number): void => this.#enter(sampleAt(columns, integers, index), now);
    const flush = (): void => {
      group.places.forEach(enter);
      group.clear();
    };
    for (let index = 0; index < length; index++) {
      const flag = flags[index] as number;
      if (isGap(flag) || (flag & SampleFlag.Late) !== 0 || (open.size > 0 && open.has(metric[index] as number))) {
        // In the order of the columns: a gap ends what came before it.
        flush();
        enter(index);
        continue;
      }
      if (!group.add(index)) continue;
      // The usual case: all of them are new. Else each is looked at; those that are in already say the same.
      if (this.#insertGroup.run(group.parameters).changes === group.places.length) group.clear();
      else flush();
    }
    flush();
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

  /** Enters one sample or gap, with a look at what is around it. */
  #enter(sample: Sample, now: number): void {
    const { metric, time, status, flags } = sample;
    if (isGap(flags)) {
      enterGap(this.#rows, sample);
      return;
    }
    const openAt = this.#open().get(metric);
    const isNew = this.#insert.run(metric, time, status, flags, bindable(sample.value)).changes > 0;
    const filled = isNew ? undefined : this.#correctWith(sample, now);
    const isBetween = isNew && ((flags & SampleFlag.Late) !== 0 || (openAt !== undefined && time < openAt));
    if (isBetween || filled) repairGaps(this.#rows, metric, time, filled);
    if (openAt !== undefined && time >= openAt) this.#close(metric);
  }

  /** @returns the gap whose place the sample took, if it did */
  #correctWith(sample: Sample, now: number): PlacedRow | undefined {
    const { metric, time } = sample;
    const row = this.#known.get(metric, time);
    if (row === undefined) return undefined;
    const known = sampleOfRow(row);
    const value = bindable(sample.value);
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

/** As a bigint, because better-sqlite3 binds every number as REAL and the column has no affinity. */
function bindable(value: MetricValue | undefined): StoredValue {
  return typeof value === 'boolean' ? BigInt(value) : (value ?? null);
}
