import { StorageError } from '../backend';

interface Entry {
  /** Starts the work; settles when the thread has answered, whatever it was. */
  start(): Promise<void>;
}

/**
 * One question at a time to the thread that reads: what nobody waits for any more never gets there, and what is being
 * answered can be ended.
 */
export class ReadQueue {
  readonly #waiting = new Set<Entry>();
  #isBusy = false;

  /**
   * @param ask asks the thread
   * @param cancel ends the work in the thread, which then answers with a failure
   * @throws StorageError that of `ask`, or one of code ABORT_ERR as soon as the signal aborts
   */
  add<T>(ask: () => Promise<T>, cancel: () => void, signal?: AbortSignal): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (signal?.aborted) {
        reject(withdrawn());
        return;
      }
      let isUnderWay = false;
      const abort = (): void => {
        if (isUnderWay) cancel();
        else this.#waiting.delete(entry);
        reject(withdrawn());
      };
      const entry: Entry = {
        async start() {
          isUnderWay = true;
          try {
            resolve(await ask());
          } catch (error) {
            reject(error);
          }
          signal?.removeEventListener('abort', abort);
        },
      };
      signal?.addEventListener('abort', abort, { once: true });
      this.#waiting.add(entry);
      this.#next();
    });
  }

  #next(): void {
    if (this.#isBusy) return;
    const [entry] = this.#waiting;
    if (entry === undefined) return;
    this.#waiting.delete(entry);
    this.#isBusy = true;
    // `start` never rejects.
    void entry.start().then(() => {
      this.#isBusy = false;
      this.#next();
    });
  }
}

function withdrawn(): StorageError {
  return new StorageError('internal', 'the question was withdrawn', 'Ask again.', 'ABORT_ERR');
}
