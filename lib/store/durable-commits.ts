import type { Clock, Timer } from '../model';
import type { DurableBatch, StorageError } from './backend';
import { asStorageError, busyError, closedError, uncertainError } from './storage-faults';

/** How long a commit waits for a storage in trouble, ms. */
const PATIENCE_IN_TROUBLE = 2_000;
/** How long it waits at most for one that works, ms. */
const PATIENCE = 5_000;

interface WaitingCommit {
  readonly batch: DurableBatch;
  resolve(): void;
  reject(error: StorageError): void;
  timer: Timer;
  /** It has waited as long as it does for a storage in trouble. */
  isOverdue: boolean;
  isUnderWay: boolean;
}

/**
 * Durable commits that wait for their turn. Each ends within seconds whatever the disk does: who is told that a command
 * was refused must be able to rely on it, so what was given up is never carried out afterwards.
 */
export class DurableCommits {
  readonly #clock: Clock;
  readonly #trouble: () => StorageError | undefined;
  #waiting: WaitingCommit[] = [];
  #underWay: WaitingCommit | undefined;

  /** @param trouble why the storage cannot do anything now */
  constructor(clock: Clock, trouble: () => StorageError | undefined) {
    this.#clock = clock;
    this.#trouble = trouble;
  }

  get isWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0 && this.#underWay === undefined;
  }

  /** Settled when it was carried out or given up. @throws StorageError */
  add(batch: DurableBatch): Promise<void> {
    return new Promise((resolve, reject) => {
      const commit: WaitingCommit = {
        batch,
        resolve,
        reject,
        timer: this.#clock.after(PATIENCE_IN_TROUBLE, () => this.#lookAt(commit)),
        isOverdue: false,
        isUnderWay: false,
      };
      this.#waiting.push(commit);
    });
  }

  /** Carries out the next one. @throws StorageError as the call does */
  async carryOut(call: (batch: DurableBatch) => Promise<void>): Promise<void> {
    const commit = this.#waiting.shift();
    if (commit === undefined) return;
    commit.isUnderWay = true;
    this.#underWay = commit;
    try {
      await call(commit.batch);
      commit.resolve();
    } catch (thrown) {
      const error = asStorageError(thrown);
      commit.reject(error);
      throw error;
    } finally {
      commit.timer.cancel();
      this.#underWay = undefined;
    }
  }

  /** The storage failed: who has waited for long is told. */
  failed(error: StorageError): void {
    for (const commit of this.#waiting.filter(({ isOverdue }) => isOverdue)) this.#giveUp(commit, error);
  }

  /** Gives all of them up. */
  close(): void {
    const error = closedError();
    for (const commit of this.#waiting) {
      commit.timer.cancel();
      commit.reject(error);
    }
    this.#waiting = [];
    this.#underWay?.timer.cancel();
    this.#underWay?.reject(uncertainError(PATIENCE));
  }

  #lookAt(commit: WaitingCommit): void {
    const trouble = this.#trouble();
    if (trouble !== undefined && !commit.isUnderWay) {
      this.#giveUp(commit, trouble);
      return;
    }
    commit.isOverdue = true;
    commit.timer = this.#clock.after(PATIENCE - PATIENCE_IN_TROUBLE, () =>
      this.#giveUp(commit, commit.isUnderWay ? uncertainError(PATIENCE) : busyError(PATIENCE)),
    );
  }

  #giveUp(commit: WaitingCommit, error: StorageError): void {
    commit.timer.cancel();
    this.#waiting = this.#waiting.filter((other) => other !== commit);
    commit.reject(error);
  }
}
