import type { EncodedHistoryPage, HistoryEncoding, JournalEntry, JournalQuery } from '../../model';
import type {
  DurableBatch,
  InventoryRecord,
  PruneResult,
  PruneSlice,
  RecordPruneSlice,
  RecordQuery,
  SeenEvent,
  StorageBackend,
  StorageStatistics,
  StoredHistoryPage,
  StoredHistoryRequest,
  StoredMetric,
  StoredRecord,
  StoredState,
  WriteBatch,
} from '../backend';
import { EVENTS_PER_DEVICE, StorageError } from '../backend';
import { type Sample, SampleColumnsBuilder, samplesOf } from '../columns';
import { answerHistory, encodePage } from '../history';
import { metricColumnsOf } from '../metric-columns';
import { MemoryHistory } from './memory-history';
import { MemoryRecords } from './memory-records';

/** Samples of all metrics together; beyond, the oldest of each metric go. */
const DEFAULT_CAPACITY = 1_000_000;
/** What a sample takes, bytes. */
const BYTES_PER_SAMPLE = 150;

/** Keeps everything in this process: for trying out, tests, and machines without a disk. Gone when the process ends. */
export class MemoryBackend implements StorageBackend {
  readonly #capacity: number;
  readonly #metrics = new Map<number, StoredMetric>();
  readonly #currents = new Map<number, Sample>();
  readonly #history = new MemoryHistory();
  readonly #records = new MemoryRecords();
  readonly #events = new Map<string, SeenEvent[]>();
  readonly #inventory = new Map<string, InventoryRecord>();
  #open = false;

  constructor(capacity = DEFAULT_CAPACITY) {
    this.#capacity = capacity;
  }

  async open(): Promise<StoredState> {
    this.#open = true;
    const currents = new SampleColumnsBuilder();
    for (const { metric, time, status, flags, value } of this.#currents.values())
      currents.add(metric, time, status, flags, value);
    const { openGaps } = this.#history;
    return {
      metrics: metricColumnsOf(this.#metrics.values()),
      currents,
      gaps: {
        length: openGaps.size,
        metric: Int32Array.from(openGaps.keys()),
        time: Float64Array.from(openGaps.values()),
      },
      events: [...this.#events.values()].flat(),
      inventory: [...this.#inventory.values()],
    };
  }

  async write(batch: WriteBatch): Promise<void> {
    this.#refuseIfClosed();
    for (const metric of batch.metrics) this.#metrics.set(metric.id, metric);
    if (batch.samples) for (const sample of samplesOf(batch.samples)) this.#history.insert(sample, batch.now);
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
    this.#records.enter(batch.journal);
    if (this.#history.size > this.#capacity) this.#history.makeRoom();
  }

  async commit(batch: DurableBatch): Promise<void> {
    this.#refuseIfClosed();
    this.#records.write(batch);
  }

  async readHistory(request: StoredHistoryRequest, signal?: AbortSignal): Promise<StoredHistoryPage> {
    this.#refuseIfClosed();
    if (signal?.aborted) throw new StorageError('internal', 'the question was withdrawn', 'Ask again.', 'ABORT_ERR');
    return answerHistory(this.#history, request);
  }

  async readEncodedHistory(
    request: StoredHistoryRequest,
    encoding: HistoryEncoding,
    signal?: AbortSignal,
  ): Promise<EncodedHistoryPage> {
    return encodePage(await this.readHistory(request, signal), encoding);
  }

  async readRecords(query: RecordQuery): Promise<readonly StoredRecord[]> {
    this.#refuseIfClosed();
    return this.#records.readRecords(query);
  }

  async readJournal(query: JournalQuery): Promise<readonly JournalEntry[]> {
    this.#refuseIfClosed();
    return this.#records.readJournal(query);
  }

  async prune({ metrics, before, limit }: PruneSlice): Promise<PruneResult> {
    this.#refuseIfClosed();
    let removed = 0;
    for (const [index, metric] of metrics.entries()) {
      if (removed >= limit) return { removed, done: index };
      const result = this.#history.prune(metric, before[index] ?? 0, limit - removed);
      removed += result.removed;
      if (!result.isDone) return { removed, done: index };
    }
    return { removed, done: metrics.length };
  }

  async pruneRecords(slice: RecordPruneSlice): Promise<number> {
    this.#refuseIfClosed();
    return this.#records.prune(slice);
  }

  async statistics(): Promise<StorageStatistics> {
    this.#refuseIfClosed();
    return { bytes: this.#history.size * BYTES_PER_SAMPLE, freeBytes: 0 };
  }

  async close(): Promise<void> {
    this.#open = false;
  }

  #refuseIfClosed(): void {
    if (!this.#open) throw new StorageError('internal', 'the store is closed', 'Deploy the database node again.');
  }
}
