import { GAP_FLAGS, isGap, type Sample, type SampleColumns, SampleColumnsBuilder, SampleFlag } from '../columns';
import { correctedFlags, correctionOf, saysTheSame } from '../correction';
import { enterGap, type GapRows, type PlacedRow, repairGaps } from '../gaps';
import type { HistoryRows, ModifiedColumns } from '../history/rows';

interface ModifiedSample extends Sample {
  readonly modifiedAt: number;
}

/** History of all metrics in this process, with the same corrections and gaps as in a database. */
export class MemoryHistory implements HistoryRows {
  /** In order of time. */
  readonly #samples = new Map<number, Sample[]>();
  /** In order of time, of one instant the earlier replaced first. */
  readonly #modified = new Map<number, ModifiedSample[]>();
  /** Metrics that end in a gap, and since when. */
  readonly openGaps = new Map<number, number>();
  readonly #rows: GapRows = this.#gapRows();
  #size = 0;

  /** Samples and replaced values of all metrics together. */
  get size(): number {
    return this.#size;
  }

  /** @param now time of modification if it corrects another value, ms UTC */
  insert(sample: Sample, now: number): void {
    const { metric, time, flags } = sample;
    if (isGap(flags)) {
      enterGap(this.#rows, sample);
      return;
    }
    const samples = this.#of(metric);
    const place = lowerBound(samples, time);
    const known = samples[place];
    const openAt = this.openGaps.get(metric);
    if (known?.time === time) {
      if (!this.#correct(samples, place, known, sample, now)) return;
      repairGaps(this.#rows, metric, time, { time, status: known.status, isGap: true });
    } else {
      samples.splice(place, 0, sample);
      this.#size++;
      if ((flags & SampleFlag.Late) !== 0 || (openAt !== undefined && time < openAt))
        repairGaps(this.#rows, metric, time, undefined);
    }
    if (openAt !== undefined && time >= openAt) this.openGaps.delete(metric);
  }

  range(metric: number, from: number, to: number, order: 'ascending' | 'descending', limit: number): SampleColumns {
    return columnsOf(rangeOf(this.#samples.get(metric) ?? [], from, to, order, limit));
  }

  modified(
    metric: number,
    from: number,
    to: number,
    order: 'ascending' | 'descending',
    limit: number,
  ): ModifiedColumns {
    const page = rangeOf(this.#modified.get(metric) ?? [], from, to, order, limit);
    return { columns: columnsOf(page), modifiedAt: Float64Array.from(page, ({ modifiedAt }) => modifiedAt) };
  }

  /** Removes samples older than `before`, at most `limit`. @returns how many, and whether older ones are left */
  prune(metric: number, before: number, limit: number): { removed: number; isDone: boolean } {
    const samples = this.#samples.get(metric) ?? [];
    const old = lowerBound(samples, before);
    const removed = Math.min(old, limit);
    this.#removeFirst(samples, removed);
    const modified = this.#modified.get(metric);
    if (modified) this.#removeFirst(modified, lowerBound(modified, removed < old ? firstTime(samples) : before));
    return { removed, isDone: removed === old };
  }

  /** Gives up the oldest quarter of each metric. */
  makeRoom(): void {
    for (const lists of [this.#samples, this.#modified])
      for (const list of lists.values()) this.#removeFirst(list, Math.ceil(list.length / 4));
  }

  /** @returns whether the sample took the place of a gap */
  #correct(samples: Sample[], place: number, known: Sample, sample: Sample, now: number): boolean {
    const correction = correctionOf(known, sample, () => this.#wasReplaced(sample));
    if (correction === 'fills') samples[place] = sample;
    if (correction !== 'replaces') return correction === 'fills';
    samples[place] = { ...sample, flags: correctedFlags(sample.flags) };
    let modified = this.#modified.get(known.metric);
    if (modified === undefined) {
      modified = [];
      this.#modified.set(known.metric, modified);
    }
    modified.splice(lowerBound(modified, known.time + 1), 0, { ...known, modifiedAt: now });
    this.#size++;
    return false;
  }

  #wasReplaced(sample: Sample): boolean {
    const modified = this.#modified.get(sample.metric) ?? [];
    for (let place = lowerBound(modified, sample.time); modified[place]?.time === sample.time; place++)
      if (saysTheSame(modified[place] ?? sample, sample)) return true;
    return false;
  }

  #of(metric: number): Sample[] {
    let samples = this.#samples.get(metric);
    if (samples === undefined) {
      samples = [];
      this.#samples.set(metric, samples);
    }
    return samples;
  }

  #removeFirst(list: unknown[], count: number): void {
    list.splice(0, count);
    this.#size -= count;
  }

  #gapRows(): GapRows {
    const placed = (sample: Sample | undefined): PlacedRow | undefined =>
      sample && { time: sample.time, status: sample.status, isGap: isGap(sample.flags) };
    return {
      at: (metric, time) => {
        const sample = this.#of(metric)[lowerBound(this.#of(metric), time)];
        return sample?.time === time ? placed(sample) : undefined;
      },
      before: (metric, time) => placed(this.#of(metric)[lowerBound(this.#of(metric), time) - 1]),
      behind: (metric, time) => placed(this.#of(metric)[lowerBound(this.#of(metric), time + 1)]),
      removeGap: (metric, time) => {
        const samples = this.#of(metric);
        samples.splice(lowerBound(samples, time), 1);
        this.#size--;
        if (this.openGaps.get(metric) === time) this.openGaps.delete(metric);
      },
      addGap: (metric, time, status, isOpen) => {
        const samples = this.#of(metric);
        const gap = { metric, time, status, flags: GAP_FLAGS, value: undefined };
        samples.splice(lowerBound(samples, time), 0, gap);
        this.#size++;
        if (isOpen) this.openGaps.set(metric, time);
      },
    };
  }
}

function firstTime(samples: readonly Sample[]): number {
  return samples[0]?.time ?? Number.POSITIVE_INFINITY;
}

function rangeOf<Row extends Sample>(
  rows: readonly Row[],
  from: number,
  to: number,
  order: 'ascending' | 'descending',
  limit: number,
): Row[] {
  const start = lowerBound(rows, from);
  const end = lowerBound(rows, to);
  return order === 'ascending'
    ? rows.slice(start, Math.min(end, start + limit))
    : rows.slice(Math.max(start, end - limit), end).toReversed();
}

function columnsOf(samples: readonly Sample[]): SampleColumns {
  const columns = new SampleColumnsBuilder(Math.max(samples.length, 1));
  for (const { metric, time, status, flags, value } of samples) columns.add(metric, time, status, flags, value);
  return columns;
}

/** Place of the first sample that is not older than `time`. */
function lowerBound(samples: readonly Sample[], time: number): number {
  let low = 0;
  let high = samples.length;
  // New samples nearly always come last.
  if (high > 0 && (samples[high - 1]?.time ?? 0) < time) return high;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((samples[middle]?.time ?? 0) < time) low = middle + 1;
    else high = middle;
  }
  return low;
}
