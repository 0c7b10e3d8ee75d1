import type {
  InventoryRecord,
  PruneResult,
  PruneSlice,
  SeenEvent,
  StorageBackend,
  StoredMetric,
  StoredRange,
  StoredState,
  WriteBatch,
} from '../backend';
import { EVENTS_PER_DEVICE, StorageError } from '../backend';
import { type Sample, type SampleColumns, SampleColumnsBuilder, samplesOf } from '../columns';
import { correctionOf } from '../correction';

/** Samples of all metrics together; beyond, the oldest of each metric go. Some 150 bytes each. */
const DEFAULT_CAPACITY = 1_000_000;

/** Keeps everything in this process: for trying out, tests, and machines without a disk. Gone when the process ends. */
export class MemoryBackend implements StorageBackend {
  readonly #capacity: number;
  readonly #metrics = new Map<number, StoredMetric>();
  readonly #currents = new Map<number, Sample>();
  /** In order of time. */
  readonly #history = new Map<number, Sample[]>();
  readonly #events = new Map<string, SeenEvent[]>();
  readonly #inventory = new Map<string, InventoryRecord>();
  #samples = 0;
  #open = false;

  constructor(capacity = DEFAULT_CAPACITY) {
    this.#capacity = capacity;
  }

  open(): Promise<StoredState> {
    this.#open = true;
    const currents = new SampleColumnsBuilder();
    for (const sample of this.#currents.values()) addSample(currents, sample);
    return Promise.resolve({
      metrics: [...this.#metrics.values()],
      currents,
      events: [...this.#events.values()].flat(),
      inventory: [...this.#inventory.values()],
    });
  }

  write(batch: WriteBatch): Promise<void> {
    if (!this.#open) return Promise.reject(closedError());
    for (const metric of batch.metrics) this.#metrics.set(metric.id, metric);
    if (batch.samples) for (const sample of samplesOf(batch.samples)) this.#insert(sample);
    if (batch.currents) for (const sample of samplesOf(batch.currents)) this.#currents.set(sample.metric, sample);
    for (const event of batch.events) {
      const known = (this.#events.get(event.devEui) ?? []).filter(({ sequence }) => sequence !== event.sequence);
      known.push(event);
      this.#events.set(event.devEui, known.slice(-EVENTS_PER_DEVICE));
    }
    for (const record of batch.inventory) {
      const key = JSON.stringify([record.source, record.kind, record.id]);
      if (record.body === undefined) this.#inventory.delete(key);
      else this.#inventory.set(key, record);
    }
    if (this.#samples > this.#capacity) this.#makeRoom();
    return Promise.resolve();
  }

  readHistory({ metric, from, to, limit, order }: StoredRange): Promise<SampleColumns> {
    if (!this.#open) return Promise.reject(closedError());
    const samples = this.#history.get(metric) ?? [];
    const start = lowerBound(samples, from);
    const end = lowerBound(samples, to);
    const page =
      order === 'ascending'
        ? samples.slice(start, Math.min(end, start + limit))
        : samples.slice(Math.max(start, end - limit), end).toReversed();
    const columns = new SampleColumnsBuilder(Math.max(page.length, 1));
    for (const sample of page) addSample(columns, sample);
    return Promise.resolve(columns);
  }

  prune({ before, afterMetric, limit }: PruneSlice): Promise<PruneResult> {
    if (!this.#open) return Promise.reject(closedError());
    let removed = 0;
    const ids = [...this.#history.keys()].filter((id) => id > afterMetric).sort((a, b) => a - b);
    for (const id of ids) {
      const samples = this.#history.get(id) ?? [];
      const old = lowerBound(samples, before);
      const gone = Math.min(old, limit - removed);
      samples.splice(0, gone);
      removed += gone;
      if (removed >= limit) {
        this.#samples -= removed;
        return Promise.resolve({ removed, next: gone < old ? id - 1 : id });
      }
    }
    this.#samples -= removed;
    return Promise.resolve({ removed, next: undefined });
  }

  close(): Promise<void> {
    this.#open = false;
    return Promise.resolve();
  }

  #insert(sample: Sample): void {
    const samples = this.#history.get(sample.metric);
    if (samples === undefined) {
      this.#history.set(sample.metric, [sample]);
      this.#samples++;
      return;
    }
    const place = lowerBound(samples, sample.time);
    const known = samples[place];
    if (known?.time === sample.time) {
      const corrected = correctionOf(known, sample);
      if (corrected) samples[place] = corrected;
      return;
    }
    samples.splice(place, 0, sample);
    this.#samples++;
  }

  #makeRoom(): void {
    for (const samples of this.#history.values()) {
      const gone = Math.ceil(samples.length / 4);
      samples.splice(0, gone);
      this.#samples -= gone;
    }
  }
}

function addSample(columns: SampleColumnsBuilder, { metric, time, status, flags, value }: Sample): void {
  columns.add(metric, time, status, flags, value);
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

function closedError(): StorageError {
  return new StorageError('internal', 'the store is closed', 'Deploy the database node again.');
}
