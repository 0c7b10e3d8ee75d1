import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { errorText } from '../../model';
import { StorageError } from '../backend';
import { errorOfRecord } from './failure';
import type { CallName, WorkerAnswer, WorkerCalls, WorkerData } from './protocol';

interface PendingCall {
  resolve(result: unknown): void;
  reject(error: StorageError): void;
}

/**
 * One worker thread and the calls that are under way in it. When the thread ends by itself all of them fail, and the
 * client is used up: whoever owns it makes another.
 */
export class WorkerClient {
  readonly #worker: Worker;
  readonly #cancelled: Int32Array;
  readonly #pending = new Map<number, PendingCall>();
  #nextId = 1;
  #ended: StorageError | undefined;

  constructor(data: Omit<WorkerData, 'cancelled'>, script = join(__dirname, `${data.role}-worker.js`)) {
    const cancelled = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
    this.#cancelled = new Int32Array(cancelled);
    const workerData: WorkerData = { ...data, cancelled };
    this.#worker = new Worker(script, { workerData, name: `lorua-database-${data.role}` });
    // A call under way keeps the process alive, an idle worker does not.
    this.#worker.unref();
    this.#worker.on('message', (answer: WorkerAnswer) => this.#receive(answer));
    this.#worker.on('messageerror', (error) => this.#end(errorText(error)));
    this.#worker.on('error', (error) => this.#end(errorText(error)));
    this.#worker.on('exit', (code) => this.#end(`it ended with code ${code}`));
  }

  get hasEnded(): boolean {
    return this.#ended !== undefined;
  }

  /** @throws StorageError */
  call<Name extends CallName>(
    name: Name,
    argument: WorkerCalls[Name]['argument'],
    transfer: ArrayBuffer[] = [],
  ): Promise<WorkerCalls[Name]['result']> {
    return new Promise((resolve, reject) => {
      if (this.#ended) {
        reject(this.#ended);
        return;
      }
      const id = this.#nextId++;
      this.#pending.set(id, { resolve: (result) => resolve(result as WorkerCalls[Name]['result']), reject });
      this.#worker.ref();
      this.#worker.postMessage({ id, name, argument }, transfer);
    });
  }

  /** Ends the question to history that is being answered: its call fails. */
  cancel(): void {
    const [oldest] = this.#pending.keys();
    if (oldest !== undefined) Atomics.store(this.#cancelled, 0, oldest);
  }

  /** Ends the thread whatever it does. Idempotent. */
  async terminate(): Promise<void> {
    await this.#worker.terminate();
    this.#end('it was ended');
  }

  #receive(answer: WorkerAnswer): void {
    const call = this.#pending.get(answer.id);
    this.#pending.delete(answer.id);
    if (this.#pending.size === 0) this.#worker.unref();
    if ('failure' in answer) call?.reject(errorOfRecord(answer.failure));
    else call?.resolve(answer.result);
  }

  #end(why: string): void {
    this.#ended ??= new StorageError(
      'internal',
      `the thread of the database is gone: ${why}`,
      'It is started again by itself; look at the log for the cause.',
    );
    for (const call of this.#pending.values()) call.reject(this.#ended);
    this.#pending.clear();
  }
}
