import {
  type Clock,
  type EncodedHistoryPage,
  endsWithin,
  type HistoryEncoding,
  type JournalEntry,
  type JournalQuery,
} from '../../model';
import {
  type DurableBatch,
  type PruneResult,
  type PruneSlice,
  type RecordPruneSlice,
  type RecordQuery,
  type StorageBackend,
  StorageError,
  type StorageStatistics,
  type StoredHistoryPage,
  type StoredHistoryRequest,
  type StoredRecord,
  type StoredState,
  type WriteBatch,
} from '../backend';
import { transferables } from '../columns';
import type { MetricColumns } from '../metric-columns';
import { BackupTarget } from './backup-target';
import type { CallName, WorkerCalls, WorkerData } from './protocol';
import { ReadQueue } from './read-queue';
import { WorkerClient } from './worker-client';

/** How long a thread may take to close its file before it is ended, ms. */
const CLOSE_TIMEOUT = 1_500;

type Role = WorkerData['role'];

/** SQLite by better-sqlite3 in worker threads: one owns the file and writes, another reads beside it (WAL). */
export class SqliteBackend implements StorageBackend {
  readonly #file: string;
  readonly #clock: Clock;
  readonly #start: (data: { role: Role; file: string }) => WorkerClient;
  readonly #reads = new ReadQueue();
  readonly #backups = new Set<WorkerClient>();
  #writer: WorkerClient | undefined;
  #reader: WorkerClient | undefined;
  /** Whether the writer's thread has the file open. */
  #isOpen = false;
  #closed = false;

  /** @param start starts a thread; another one each time the last has died */
  constructor(file: string, clock: Clock, start = (data: { role: Role; file: string }) => new WorkerClient(data)) {
    this.#file = file;
    this.#clock = clock;
    this.#start = start;
  }

  async open(
    { replaceDamaged }: { replaceDamaged: boolean },
    onMetrics?: (metrics: MetricColumns) => void,
  ): Promise<StoredState> {
    this.#refuseIfClosed();
    // A reader keeps a file open under its old name; it begins anew with the next read.
    await this.#endReader(false);
    this.#writer = this.#usable(this.#writer, 'writer');
    this.#isOpen = false;
    const opening = this.#writer.call('open', { replaceDamaged, now: this.#clock.now() });
    // Asked at once: the thread goes on while metrics are taken over here.
    const loading = this.#writer.call('loadValues', undefined);
    loading.catch(() => undefined);
    const state = await opening;
    onMetrics?.(state.metrics);
    const values = await loading;
    this.#isOpen = true;
    return { ...state, ...values };
  }

  async write(batch: WriteBatch): Promise<void> {
    const transfer = [batch.samples, batch.currents].flatMap((columns) => (columns ? transferables(columns) : []));
    await (await this.#openWriter()).call('write', batch, transfer);
  }

  async commit(batch: DurableBatch): Promise<void> {
    await (await this.#openWriter()).call('commit', batch);
  }

  async prune(slice: PruneSlice): Promise<PruneResult> {
    return (await this.#openWriter()).call('prune', slice);
  }

  async pruneRecords(slice: RecordPruneSlice): Promise<number> {
    return (await this.#openWriter()).call('pruneRecords', slice);
  }

  readHistory(request: StoredHistoryRequest, signal?: AbortSignal): Promise<StoredHistoryPage> {
    return this.#read('readHistory', request, signal);
  }

  readEncodedHistory(
    request: StoredHistoryRequest,
    encoding: HistoryEncoding,
    signal?: AbortSignal,
  ): Promise<EncodedHistoryPage> {
    return this.#read('readEncodedHistory', { request, encoding }, signal);
  }

  readRecords(query: RecordQuery): Promise<readonly StoredRecord[]> {
    return this.#read('readRecords', query);
  }

  readJournal(query: JournalQuery): Promise<readonly JournalEntry[]> {
    return this.#read('readJournal', query);
  }

  statistics(): Promise<StorageStatistics> {
    return this.#read('statistics', undefined);
  }

  async backup(file: string, signal?: AbortSignal): Promise<{ readonly bytes: number }> {
    this.#refuseIfClosed();
    const target = await BackupTarget.reserve(file);
    try {
      // A thread of its own: neither writing nor reading waits for a long copy.
      await this.#copyTo(target.partial, signal);
      return await target.complete();
    } catch (error) {
      await target.giveUp();
      throw error;
    }
  }

  async close(options: { clean: boolean }): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#withinTimeout(Promise.all(Array.from(this.#backups, (client) => client.terminate())));
    // The reader first, so that the writer is the last one and SQLite removes the write-ahead log.
    await this.#endReader(options.clean);
    await this.#end(this.#writer, options.clean);
    this.#writer = undefined;
  }

  /** The writer; if its thread died, another one with the file open again (nothing has to be loaded). */
  async #openWriter(): Promise<WorkerClient> {
    this.#refuseIfClosed();
    const writer = this.#usable(this.#writer, 'writer');
    if (writer !== this.#writer) this.#isOpen = false;
    this.#writer = writer;
    if (!this.#isOpen) await writer.call('open', { replaceDamaged: false, now: this.#clock.now() });
    this.#isOpen = true;
    return writer;
  }

  async #read<Name extends CallName>(
    name: Name,
    argument: WorkerCalls[Name]['argument'],
    signal?: AbortSignal,
  ): Promise<WorkerCalls[Name]['result']> {
    let asked: WorkerClient | undefined;
    const ask = async (): Promise<WorkerCalls[Name]['result']> => {
      this.#refuseIfClosed();
      this.#reader = this.#usable(this.#reader, 'reader');
      asked = this.#reader;
      return asked.call(name, argument);
    };
    return this.#reads.add(ask, () => asked?.cancel(), signal);
  }

  async #copyTo(partial: string, signal?: AbortSignal): Promise<void> {
    this.#refuseIfClosed();
    const client = this.#start({ role: 'backup', file: this.#file });
    this.#backups.add(client);
    const abort = (): void => void client.terminate();
    signal?.addEventListener('abort', abort, { once: true });
    try {
      if (signal?.aborted) throw new StorageError('internal', 'the backup was withdrawn', 'Ask again.', 'ABORT_ERR');
      await client.call('backup', { target: partial });
    } finally {
      signal?.removeEventListener('abort', abort);
      this.#backups.delete(client);
      await client.terminate();
    }
  }

  #usable(client: WorkerClient | undefined, role: Role): WorkerClient {
    return client && !client.hasEnded ? client : this.#start({ role, file: this.#file });
  }

  async #endReader(clean: boolean): Promise<void> {
    const reader = this.#reader;
    this.#reader = undefined;
    reader?.cancel();
    await this.#end(reader, clean);
  }

  async #end(client: WorkerClient | undefined, clean: boolean): Promise<void> {
    if (client === undefined) return;
    // A thread that cannot close is ended all the same.
    await this.#withinTimeout(client.call('close', { clean }).catch(() => undefined));
    await client.terminate();
  }

  /** Does not wait longer for what a thread cannot be kept from finishing, like the check of a large copy. */
  async #withinTimeout(work: Promise<unknown>): Promise<void> {
    await endsWithin(this.#clock, work, CLOSE_TIMEOUT);
  }

  #refuseIfClosed(): void {
    if (this.#closed) throw new StorageError('internal', 'the store is closed', 'Deploy the database node again.');
  }
}
