/** What the parts of an inventory sync share: calls that are repeated where that helps, and errors that end the sync. */
import { type Clock, type Random, wait } from '../model';
import { CallError, type CallFailure, failureOf, isGone } from './call-failure';
import type { CallSettings } from './connection';

/** Calls of a sync at once: the connection lets eight through, and commands must not wait behind hundreds of rows. */
export const SYNC_CONCURRENCY = 6;
const ATTEMPTS = 3;
const RETRY_DELAY = 200;

/** The key works, but what it shows is not what was asked for: a setting has to be changed. */
export class ScopeError extends Error {
  override readonly name = 'ScopeError';
  readonly reason: string;
  readonly cure: string;

  constructor(reason: string, cure: string) {
    super(`${reason} ${cure}`);
    this.reason = reason;
    this.cure = cure;
  }
}

/** One run of a sync. */
export interface SyncRun {
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly random: Random;
  /**
   * Whether the token is accepted, asked at most once a run. A deleted key answers like objects that are gone:
   * without this question it would empty the inventory.
   */
  tokenAccepted(): Promise<boolean>;
  /** Counts a call that failed for good without ending the run. */
  problem(failure: CallFailure): void;
}

/** Whether a call may well succeed in a moment: ChirpStack on SQLite says "database is locked" under load. */
function isTransient(failure: CallFailure): boolean {
  return failure.kind === 'interrupted' || (failure.kind === 'refused' && failure.code !== 3);
}

/** Whether a failure concerns this one object, so that the rest of the run may go on. */
export function concernsObject(failure: CallFailure): boolean {
  return failure.kind === 'refused' || failure.kind === 'timeout' || failure.kind === 'bad-answer';
}

/** Makes a call that only reads, a few times if that may help. */
export async function repeated<T>(run: SyncRun, call: (settings: CallSettings) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await call({ signal: run.signal });
    } catch (error) {
      const failure = failureOf(error);
      if (failure === undefined || attempt >= ATTEMPTS || !isTransient(failure)) throw error;
      await wait(run.clock, RETRY_DELAY * attempt * (0.5 + run.random()), run.signal);
    }
  }
}

/**
 * Makes a call about one object.
 * @returns the answer, `gone` if the object is not there (with a token that works), `failed` if only this call failed
 * @throws whatever concerns more than this object
 */
export async function lookUp<T>(
  run: SyncRun,
  call: (settings: CallSettings) => Promise<T>,
): Promise<{ state: 'found'; value: T } | { state: 'gone' } | { state: 'failed' }> {
  try {
    return { state: 'found', value: await repeated(run, call) };
  } catch (error) {
    const failure = failureOf(error);
    if (failure === undefined) throw error;
    if (isGone(failure)) {
      if (failure.kind === 'not-found' || (await run.tokenAccepted())) return { state: 'gone' };
      throw error;
    }
    if (!concernsObject(failure)) throw error;
    run.problem(failure);
    return { state: 'failed' };
  }
}

/** Like {@link repeated}, but an answer "not permitted" becomes a {@link ScopeError} if the token itself works. */
export async function permitted<T>(
  run: SyncRun,
  call: (settings: CallSettings) => Promise<T>,
  scopeError: () => ScopeError,
): Promise<T> {
  try {
    return await repeated(run, call);
  } catch (error) {
    if (error instanceof CallError && isGone(error.failure) && (await run.tokenAccepted())) throw scopeError();
    throw error;
  }
}
