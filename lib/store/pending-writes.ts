import { type MetricDefinition, type NewJournalEntry, QUALITY_CODES } from '../model';
import type { InventoryRecord, SeenEvent, StoredMetric, WriteBatch } from './backend';
import { GAP_FLAGS, SampleColumnsBuilder } from './columns';
import type { MetricRecord } from './metric-record';

/** From so many samples on they are written at once, not when their time comes. */
const PLENTY_OF_SAMPLES = 8_192;
/**
 * Samples in one batch at most. A batch takes all that waits: the slower the disk, the larger the batches, so that a
 * disk which takes a second for each write still keeps up with 100,000 samples/s.
 */
const LARGEST_BATCH = 131_072;
/** Room for samples in a new batch, at least. */
const SMALLEST_CHUNK = 256;
/** The buffer is given up in parts of this size at most. */
const PARTS_OF_BUFFER = 8;

/** What belongs to one batch. */
interface Chunk {
  readonly serial: number;
  readonly samples: SampleColumnsBuilder;
  /** How many of the samples are gaps, not measured. */
  gaps: number;
  /** Events that the samples come from: remembered as seen only together with them. */
  readonly events: SeenEvent[];
}

export interface BufferLimits {
  /** Samples that wait at most. */
  readonly samples: number;
  /** UTF-16 units of text in them at most; as many again in journal entries. */
  readonly text: number;
  /** Journal entries that wait at most. */
  readonly entries: number;
}

/** Some 30 MB of numbers and twice 64 MB of text: an hour at 250 samples/s, 20 s at 50,000. */
export const DEFAULT_LIMITS: BufferLimits = { samples: 1_000_000, text: 32 * 1024 * 1024, entries: 20_000 };

/**
 * What was accepted and is not yet committed. Bounded: when samples come faster than they can be written for too long,
 * the oldest are given up first, and history gets a gap where each metric lost its first. Definitions, inventory and
 * current values are kept in any case: they replace each other, so there are never more than metrics and devices.
 */
export class PendingWrites {
  readonly #limits: BufferLimits;
  readonly #largestChunk: number;
  readonly #largestText: number;
  #chunks: Chunk[] = [];
  #current: Chunk = newChunk(1);
  /** Gaps included. */
  #samples = 0;
  #gaps = 0;
  #text = 0;
  #metrics = new Map<number, MetricDefinition>();
  #inventory = new Map<string, InventoryRecord>();
  #currents = new Set<MetricRecord>();
  #journal: NewJournalEntry[] = [];
  #journalText = 0;
  /** By metric: time of the first sample that was given up, where history does not know yet. */
  #lostSince = new Map<number, number>();
  #taken:
    | { chunk: Chunk | undefined; currents: ReadonlySet<MetricRecord>; entries: number; batch: WriteBatch }
    | undefined;
  /** All chunks up to this one are committed or given up. */
  #passed = 0;

  constructor(limits: Partial<BufferLimits> = {}) {
    this.#limits = { ...DEFAULT_LIMITS, ...limits };
    this.#largestChunk = Math.max(1, Math.min(LARGEST_BATCH, Math.floor(this.#limits.samples / PARTS_OF_BUFFER)));
    this.#largestText = this.#limits.text / PARTS_OF_BUFFER;
  }

  /** Samples that wait, those being written included, gaps left out. */
  get samples(): number {
    return this.#samples - this.#gaps;
  }

  /** Whether so much waits that it is better written now. */
  get isPlenty(): boolean {
    return this.#chunks.length > 0 || this.#current.samples.length >= PLENTY_OF_SAMPLES;
  }

  get hasCurrents(): boolean {
    return this.#currents.size > 0;
  }

  get isEmpty(): boolean {
    return (
      this.#samples === 0 &&
      this.#current.events.length === 0 &&
      this.#journal.length === 0 &&
      this.#metrics.size + this.#inventory.size + this.#lostSince.size === 0
    );
  }

  /** Serial of the chunk that the next sample goes into. */
  get serial(): number {
    return this.#current.serial;
  }

  hasPassed(serial: number): boolean {
    return this.#passed >= serial;
  }

  /** Whether samples of a metric wait, those being written included. */
  holds(metric: number): boolean {
    return [...this.#chunks, this.#current].some(({ samples }) =>
      samples.metric.subarray(0, samples.length).includes(metric),
    );
  }

  /** @returns how many samples were given up for it */
  addSample(
    metric: number,
    time: number,
    status: number,
    flags: number,
    value: Parameters<SampleColumnsBuilder['add']>[4],
  ): number {
    const { samples } = this.#current;
    const text = samples.textLength;
    samples.add(metric, time, status, flags, value);
    this.#samples++;
    this.#text += samples.textLength - text;
    if (samples.length >= this.#largestChunk || samples.textLength >= this.#largestText) this.#seal();
    return this.#samples > this.#limits.samples || this.#text > this.#limits.text ? this.#giveUpOldest() : 0;
  }

  /**
   * An entry without value, see gaps.ts.
   * @param after source time of the last value known, ms UTC
   * @returns how many samples were given up for it
   */
  addGap(metric: number, time: number, status: number, after: number | undefined): number {
    this.#current.gaps++;
    this.#gaps++;
    return this.addSample(metric, time, status, GAP_FLAGS, after);
  }

  addEvent(event: SeenEvent): void {
    this.#current.events.push(event);
  }

  addMetric({ id, definition }: StoredMetric): void {
    this.#metrics.set(id, definition);
  }

  addInventory(record: InventoryRecord): void {
    this.#inventory.set(JSON.stringify([record.source, record.kind, record.id]), record);
  }

  addCurrent(record: MetricRecord): void {
    // The flag spares the hottest loop a look into a set of 100,000.
    if (record.isCurrentDue) return;
    record.isCurrentDue = true;
    this.#currents.add(record);
  }

  /** @returns how many entries were given up for it */
  addEntry(entry: NewJournalEntry): number {
    this.#journal.push(entry);
    this.#journalText += entry.body.length;
    if (this.#journal.length <= this.#limits.entries && this.#journalText <= this.#limits.text) return 0;
    const taken = this.#taken?.entries ?? 0;
    const waiting = this.#journal.length - taken;
    const gone = this.#journal.splice(taken, Math.ceil(waiting / PARTS_OF_BUFFER));
    for (const { body } of gone) this.#journalText -= body.length;
    return gone.length;
  }

  /** The storage knows metrics under other numbers: what waits follows. Not while a batch is taken. */
  renumber(numbers: ReadonlyMap<number, number>): void {
    if (numbers.size === 0) return;
    for (const { samples } of [...this.#chunks, this.#current]) samples.renumber(numbers);
    this.#metrics = new Map([...this.#metrics].map(([id, definition]) => [numbers.get(id) ?? id, definition]));
    this.#lostSince = new Map([...this.#lostSince].map(([id, time]) => [numbers.get(id) ?? id, time]));
  }

  /**
   * The next batch to write, oldest first; `undefined` if nothing waits. It waits for {@link committed} or {@link failed}.
   * @param options currents: how many current values at most; now: ms UTC
   */
  take(options: { currents: number; now: number }): WriteBatch | undefined {
    if (this.#current.samples.length + this.#current.events.length > 0 && this.#chunks.length === 0) this.#seal();
    if (this.#lostSince.size > 0) this.#enterLosses();
    const chunk = this.#chunks[0];
    const currents = this.#takeCurrents(options.currents);
    if (chunk === undefined && currents.size + this.#metrics.size + this.#inventory.size + this.#journal.length === 0)
      return undefined;
    const batch: WriteBatch = {
      // A copy goes to the backend: what was not committed, for whatever reason, can be given again.
      samples: chunk === undefined || chunk.samples.length === 0 ? undefined : chunk.samples.trimmed(),
      currents: currents.size === 0 ? undefined : columnsOfCurrents(currents),
      metrics: Array.from(this.#metrics, ([id, definition]) => ({ id, definition })),
      events: chunk?.events ?? [],
      inventory: [...this.#inventory.values()],
      journal: [...this.#journal],
      now: options.now,
    };
    this.#taken = { chunk, currents, entries: batch.journal.length, batch };
    return batch;
  }

  /** @returns how many samples were committed */
  committed(): number {
    const taken = this.#taken;
    this.#taken = undefined;
    if (taken === undefined) return 0;
    // What changed while it was being written still waits.
    for (const { id, definition } of taken.batch.metrics)
      if (this.#metrics.get(id) === definition) this.#metrics.delete(id);
    if (taken.batch.inventory.length > 0) {
      const written = new Set(taken.batch.inventory);
      for (const [key, record] of this.#inventory) if (written.has(record)) this.#inventory.delete(key);
    }
    for (const { body } of this.#journal.splice(0, taken.entries)) this.#journalText -= body.length;
    return taken.chunk === undefined ? 0 : this.#remove(taken.chunk);
  }

  failed(): void {
    for (const record of this.#taken?.currents ?? []) this.addCurrent(record);
    this.#taken = undefined;
  }

  #seal(): void {
    this.#chunks.push(this.#current);
    // As much comes as came before, mostly: growing again and again costs copies.
    this.#current = newChunk(this.#current.serial + 1, Math.max(SMALLEST_CHUNK, this.#current.samples.length));
  }

  #takeCurrents(limit: number): ReadonlySet<MetricRecord> {
    const taken = new Set<MetricRecord>();
    if (limit === 0) return taken;
    for (const record of this.#currents) {
      taken.add(record);
      record.isCurrentDue = false;
      this.#currents.delete(record);
      if (taken.size === limit) break;
    }
    return taken;
  }

  #giveUpOldest(): number {
    const oldest = this.#chunks.find((chunk) => chunk !== this.#taken?.chunk);
    if (oldest === undefined) return 0;
    const { length, metric, time } = oldest.samples;
    for (let index = 0; index < length; index++) {
      const id = metric[index] ?? 0;
      const lost = time[index] ?? 0;
      const first = this.#lostSince.get(id);
      if (first === undefined || lost < first) this.#lostSince.set(id, lost);
    }
    return this.#remove(oldest);
  }

  /** What was given up goes into history as gaps, before everything that came later. */
  #enterLosses(): void {
    const chunk = newChunk((this.#chunks[0] ?? this.#current).serial, this.#lostSince.size);
    for (const [metric, time] of this.#lostSince)
      chunk.samples.add(metric, time, QUALITY_CODES.BadDataLost, GAP_FLAGS, undefined);
    chunk.gaps = chunk.samples.length;
    this.#lostSince = new Map();
    this.#chunks.unshift(chunk);
    this.#samples += chunk.samples.length;
    this.#gaps += chunk.gaps;
  }

  /** @returns how many samples, without gaps, were in it */
  #remove(chunk: Chunk): number {
    this.#chunks = this.#chunks.filter((other) => other !== chunk);
    this.#samples -= chunk.samples.length;
    this.#gaps -= chunk.gaps;
    this.#text -= chunk.samples.textLength;
    this.#passed = (this.#chunks[0] ?? this.#current).serial - 1;
    return chunk.samples.length - chunk.gaps;
  }
}

function newChunk(serial: number, capacity = SMALLEST_CHUNK): Chunk {
  return { serial, samples: new SampleColumnsBuilder(capacity), gaps: 0, events: [] };
}

function columnsOfCurrents(records: ReadonlySet<MetricRecord>): ReturnType<SampleColumnsBuilder['trimmed']> {
  const columns = new SampleColumnsBuilder(records.size);
  for (const { id, own } of records) if (own) columns.add(id, own.time, own.status, own.flags, own.value);
  return columns.trimmed();
}
