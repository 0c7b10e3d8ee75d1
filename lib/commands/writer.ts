/**
 * Writes commands durably. What comes while a commit runs goes together into the next one. A change that follows from
 * the world (an event, a reply) is kept and tried again until it is stored; a request that cannot be stored is refused,
 * and what may have been stored of it all the same is taken out again.
 */
import {
  type Clock,
  type Command,
  endsWithin,
  errorText,
  type Logger,
  type NewJournalEntry,
  type Timer,
} from '../model';
import type { CommandStore } from './doors';
import { toRecord } from './records';

/** ms between two tries to store what the storage did not take. */
const RETRY = 2_000;

interface Write {
  readonly command: Command | undefined;
  readonly journal: readonly NewJournalEntry[];
  readonly isRequest: boolean;
  resolve(): void;
  reject(error: unknown): void;
}

export class CommandWriter {
  readonly #store: CommandStore;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #writes: Write[] = [];
  /** Changes that the storage did not take yet, newest state by id. */
  readonly #kept = new Map<string, Command>();
  #keptJournal: NewJournalEntry[] = [];
  /** Ids of requests that were refused because of the storage, which may have stored them all the same. */
  readonly #removed = new Set<string>();
  #running: Promise<void> | undefined;
  #retry: Timer | undefined;
  #failures = 0;
  #closed = false;

  constructor(store: CommandStore, clock: Clock, logger: Logger) {
    this.#store = store;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Stores a new request: resolves when it is durable. @throws as the store does; it then is not and will not be stored */
  request(command: Command, journal: readonly NewJournalEntry[]): Promise<void> {
    return this.#write(command, journal, true);
  }

  /** Stores a change. @throws as the store does; it is tried again all the same */
  change(command: Command | undefined, journal: readonly NewJournalEntry[] = []): Promise<void> {
    return this.#write(command, journal, false);
  }

  /** Enters something into a journal; what cannot be stored now is logged, kept and tried again. */
  async journal(entry: NewJournalEntry): Promise<void> {
    await this.change(undefined, [entry]).catch(() => undefined);
  }

  /** Waits for what is under way, at most `limit` ms. Later writes are refused. */
  async close(limit: number): Promise<void> {
    if (this.#closed) return;
    this.#retry?.cancel();
    this.#start();
    await endsWithin(this.#clock, this.#running ?? Promise.resolve(), limit);
    this.#closed = true;
    this.#retry?.cancel();
    for (const write of this.#writes.splice(0)) write.reject(closedError());
  }

  #write(command: Command | undefined, journal: readonly NewJournalEntry[], isRequest: boolean): Promise<void> {
    if (this.#closed) return Promise.reject(closedError());
    return new Promise((resolve, reject) => {
      this.#writes.push({ command, journal, isRequest, resolve, reject });
      this.#start();
    });
  }

  #start(): void {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
      if (this.#writes.length > 0 && !this.#closed) this.#start();
    });
  }

  async #run(): Promise<void> {
    // One turn of the event loop: requests that come together are stored together.
    await Promise.resolve();
    while (this.#writes.length > 0 || this.#hasKept) if (!(await this.#commit(this.#writes.splice(0)))) return;
  }

  get #hasKept(): boolean {
    return this.#kept.size + this.#keptJournal.length + this.#removed.size > 0;
  }

  async #commit(writes: readonly Write[]): Promise<boolean> {
    const newest = new Map(this.#kept);
    const journal = [...this.#keptJournal];
    for (const write of writes) {
      if (write.command !== undefined) newest.set(write.command.id, write.command);
      journal.push(...write.journal);
    }
    // The same id asked for again is a new request.
    for (const id of newest.keys()) this.#removed.delete(id);
    const removed = [...this.#removed];
    try {
      await this.#store.commit({
        records: Array.from(newest.values(), (command) => toRecord(command)),
        removed: removed.map((id) => ({ kind: 'command' as const, id })),
        journal,
      });
    } catch (error) {
      this.#failed(writes, error);
      return false;
    }
    this.#kept.clear();
    this.#keptJournal = [];
    for (const id of removed) this.#removed.delete(id);
    if (this.#failures > 0)
      this.#logger.info({
        operation: 'store',
        event: 'recovered',
        message: 'Commands are stored again',
        count: this.#failures,
      });
    this.#failures = 0;
    for (const write of writes) write.resolve();
    return true;
  }

  #failed(writes: readonly Write[], error: unknown): void {
    if (++this.#failures === 1)
      this.#logger.error({
        operation: 'store',
        event: 'failed',
        reason: 'internal',
        message: `Commands cannot be stored: ${errorText(error)}`,
        cure: 'See the health of the store. New commands are refused until it is well.',
      });
    for (const write of writes) {
      if (write.isRequest) {
        if (write.command !== undefined) this.#removed.add(write.command.id);
      } else {
        if (write.command !== undefined) this.#kept.set(write.command.id, write.command);
        this.#keptJournal.push(...write.journal);
      }
      write.reject(error);
    }
    if (!this.#hasKept || this.#closed) return;
    this.#retry?.cancel();
    this.#retry = this.#clock.after(RETRY, () => this.#start());
  }
}

function closedError(): Error {
  return new Error('The command queue is closed.');
}
