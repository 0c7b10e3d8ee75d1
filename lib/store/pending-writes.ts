import type { MetricDefinition } from '../model';
import type { InventoryRecord, SeenEvent, StoredMetric, WriteBatch } from './backend';
import { SampleColumnsBuilder } from './columns';
import type { MetricRecord } from './metric-record';

/** Samples in one transaction at most: some 20 ms of writing. */
export const CHUNK_SAMPLES = 8_192;

interface Chunk {
  readonly serial: number;
  readonly samples: SampleColumnsBuilder;
  /** Events that the samples come from: remembered as seen only together with them. */
  readonly events: SeenEvent[];
}

export interface BufferLimits {
  /** Samples that wait at most. */
  readonly samples: number;
  /** UTF-16 units of text in them at most. */
  readonly text: number;
}

/** Some 30 MB of numbers and 64 MB of text: an hour at 250 samples/s, 20 s at 50,000. */
export const DEFAULT_LIMITS: BufferLimits = { samples: 1_000_000, text: 32 * 1024 * 1024 };

/**
 * What was accepted and is not yet committed. Bounded: when samples come faster than they can be written for too long,
 * the oldest are given up first. Definitions, inventory and current values are kept in any case: they replace each
 * other, so there are never more than metrics and devices.
 */
export class PendingWrites {
  readonly #limits: BufferLimits;
  #chunks: Chunk[] = [];
  #current: Chunk = newChunk(1);
  #samples = 0;
  #text = 0;
  #metrics = new Map<number, MetricDefinition>();
  #inventory = new Map<string, InventoryRecord>();
  #currents = new Set<MetricRecord>();
  #taken: { chunk: Chunk | undefined; currents: ReadonlySet<MetricRecord>; batch: WriteBatch } | undefined;
  /** All chunks up to this one are committed or given up. */
  #passed = 0;

  constructor(limits: BufferLimits = DEFAULT_LIMITS) {
    this.#limits = limits;
  }

  /** Samples that wait, those being written included. */
  get samples(): number {
    return this.#samples;
  }

  get hasFullChunk(): boolean {
    return this.#chunks.length > 0;
  }

  get hasCurrents(): boolean {
    return this.#currents.size > 0;
  }

  get isEmpty(): boolean {
    return this.#samples === 0 && this.#current.events.length === 0 && this.#metrics.size + this.#inventory.size === 0;
  }

  /** Serial of the chunk that the next sample goes into. */
  get serial(): number {
    return this.#current.serial;
  }

  hasPassed(serial: number): boolean {
    return this.#passed >= serial;
  }

  /** @returns how many samples were given up for it */
  addSample(...sample: Parameters<SampleColumnsBuilder['add']>): number {
    const { samples } = this.#current;
    const text = samples.textLength;
    samples.add(...sample);
    this.#samples++;
    this.#text += samples.textLength - text;
    if (samples.length >= CHUNK_SAMPLES) this.#seal();
    return this.#samples > this.#limits.samples || this.#text > this.#limits.text ? this.#giveUpOldest() : 0;
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
    this.#currents.add(record);
  }

  /** The storage knows metrics under other numbers: what waits follows. Not while a batch is taken. */
  renumber(numbers: ReadonlyMap<number, number>): void {
    for (const { samples } of [...this.#chunks, this.#current]) samples.renumber(numbers);
    this.#metrics = new Map([...this.#metrics].map(([id, definition]) => [numbers.get(id) ?? id, definition]));
  }

  /** The next batch to write, oldest first; `undefined` if nothing waits. It waits for {@link committed} or {@link failed}. */
  take(options: { currents: boolean }): WriteBatch | undefined {
    if (this.#current.samples.length + this.#current.events.length > 0 && this.#chunks.length === 0) this.#seal();
    const chunk = this.#chunks[0];
    const currents: ReadonlySet<MetricRecord> = options.currents ? this.#currents : new Set();
    if (chunk === undefined && currents.size + this.#metrics.size + this.#inventory.size === 0) return undefined;
    const batch: WriteBatch = {
      // A copy goes to the backend: what was not committed, for whatever reason, can be given again.
      samples: chunk?.samples.trimmed(),
      currents: currents.size === 0 ? undefined : columnsOfCurrents(currents),
      metrics: Array.from(this.#metrics, ([id, definition]) => ({ id, definition })),
      events: chunk?.events ?? [],
      inventory: [...this.#inventory.values()],
    };
    if (options.currents) this.#currents = new Set();
    this.#taken = { chunk, currents, batch };
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
    const written = new Set(taken.batch.inventory);
    for (const [key, record] of this.#inventory) if (written.has(record)) this.#inventory.delete(key);
    return taken.chunk === undefined ? 0 : this.#remove(taken.chunk);
  }

  failed(): void {
    for (const record of this.#taken?.currents ?? []) this.#currents.add(record);
    this.#taken = undefined;
  }

  #seal(): void {
    this.#chunks.push(this.#current);
    this.#current = newChunk(this.#current.serial + 1);
  }

  #giveUpOldest(): number {
    const oldest = this.#chunks.find((chunk) => chunk !== this.#taken?.chunk);
    return oldest === undefined ? 0 : this.#remove(oldest);
  }

  #remove(chunk: Chunk): number {
    this.#chunks = this.#chunks.filter((other) => other !== chunk);
    this.#samples -= chunk.samples.length;
    this.#text -= chunk.samples.textLength;
    this.#passed = (this.#chunks[0]?.serial ?? this.#current.serial) - 1;
    return chunk.samples.length;
  }
}

function newChunk(serial: number): Chunk {
  return { serial, samples: new SampleColumnsBuilder(), events: [] };
}

function columnsOfCurrents(records: ReadonlySet<MetricRecord>): ReturnType<SampleColumnsBuilder['trimmed']> {
  const columns = new SampleColumnsBuilder(records.size);
  for (const { id, own } of records) if (own) columns.add(id, own.time, own.status, own.flags, own.value);
  return columns.trimmed();
}
