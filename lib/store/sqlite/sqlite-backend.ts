import { type Clock, wait } from '../../model';
import {
  type PruneResult,
  type PruneSlice,
  type StorageBackend,
  StorageError,
  type StoredRange,
  type StoredState,
  type WriteBatch,
} from '../backend';
import { type SampleColumns, transferables } from '../columns';
import type { WorkerData } from './protocol';
import { WorkerClient } from './worker-client';

/** How long a thread may take to close its file before it is ended, ms. */
const CLOSE_TIMEOUT = 1_500;

/** SQLite by better-sqlite3 in two worker threads: one owns the file and writes, the other reads beside it (WAL). */
export class SqliteBackend implements StorageBackend {
  readonly #file: string;
  readonly #clock: Clock;
  readonly #start: (data: WorkerData) => WorkerClient;
  #writer: WorkerClient | undefined;
  #reader: WorkerClient | undefined;
  /** Whether the writer's thread has the file open. */
  #isOpen = false;
  #closed = false;

  /** @param start starts a thread; another one each time the last has died */
  constructor(file: string, clock: Clock, start = (data: WorkerData): WorkerClient => new WorkerClient(data)) {
    this.#file = file;
    this.#clock = clock;
    this.#start = start;
  }

  async open({ replaceDamaged }: { replaceDamaged: boolean }): Promise<StoredState> {
    this.#refuseIfClosed();
    // A reader keeps a file open under its old name; it begins anew with the next read.
    await this.#endReader(false);
    this.#writer = this.#usable(this.#writer, 'writer');
    this.#isOpen = false;
    const state = await this.#writer.call('open', { replaceDamaged, now: this.#clock.now() });
    this.#isOpen = true;
    return state;
  }

  async write(batch: WriteBatch): Promise<void> {
    this.#refuseIfClosed();
    const transfer = [batch.samples, batch.currents].flatMap((columns) => (columns ? transferables(columns) : []));
    await (await this.#openWriter()).call('write', batch, transfer);
  }

  async prune(slice: PruneSlice): Promise<PruneResult> {
    this.#refuseIfClosed();
    return (await this.#openWriter()).call('prune', slice);
  }

  async readHistory(range: StoredRange): Promise<SampleColumns> {
    this.#refuseIfClosed();
    this.#reader = this.#usable(this.#reader, 'reader');
    return this.#reader.call('readHistory', range);
  }

  async close(options: { clean: boolean }): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    // The reader first, so that the writer is the last one and SQLite removes the write-ahead log.
    await this.#endReader(options.clean);
    await this.#end(this.#writer, options.clean);
    this.#writer = undefined;
  }

  /** The writer; if its thread died, another one with the file open again (nothing has to be loaded). */
  async #openWriter(): Promise<WorkerClient> {
    const writer = this.#usable(this.#writer, 'writer');
    if (writer !== this.#writer) this.#isOpen = false;
    this.#writer = writer;
    if (!this.#isOpen) await writer.call('open', { replaceDamaged: false, now: this.#clock.now() });
    this.#isOpen = true;
    return writer;
  }

  #usable(client: WorkerClient | undefined, role: 'writer' | 'reader'): WorkerClient {
    return client && !client.hasEnded ? client : this.#start({ role, file: this.#file });
  }

  async #endReader(clean: boolean): Promise<void> {
    const reader = this.#reader;
    this.#reader = undefined;
    await this.#end(reader, clean);
  }

  async #end(client: WorkerClient | undefined, clean: boolean): Promise<void> {
    if (client === undefined) return;
    const deadline = new AbortController();
    const closing = client.call('close', { clean }).then(
      () => undefined,
      // A thread that cannot close is ended all the same.
      () => undefined,
    );
    await Promise.race([closing, wait(this.#clock, CLOSE_TIMEOUT, deadline.signal)]);
    deadline.abort();
    await client.terminate();
  }

  #refuseIfClosed(): void {
    if (this.#closed) throw new StorageError('internal', 'the store is closed', 'Deploy the database node again.');
  }
}
