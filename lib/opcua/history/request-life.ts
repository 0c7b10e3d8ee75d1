/** When the work for a request has no use any more: the client has gone, or does not wait any longer. */
import type { EventEmitter } from 'node:events';
import type { Clock } from '../../model';

/** For clients that do not say how long they wait, ms. */
const USUAL_TIMEOUT = 60_000;
const LONGEST_TIMEOUT = 600_000;
/** Time kept for sending the answer. */
const LARGEST_RESERVE = 1_000;

export type EndOfLife = 'timeout' | 'session-closed' | 'shutdown';

/** One request that is worked on. */
export interface RequestLife {
  /** Aborted when it is over; the reason is an {@link EndOfLife}. */
  readonly signal: AbortSignal;
  /** Must be called when it is answered. */
  end(): void;
}

export function endOf(signal: AbortSignal): EndOfLife {
  const reason: unknown = signal.reason;
  return reason === 'session-closed' || reason === 'shutdown' ? reason : 'timeout';
}

/** Settles with the work, or rejects as soon as the signal aborts: whoever does the work may not listen to it. */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(new Error(`given up: ${endOf(signal)}`));
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

export class RequestLives {
  readonly #clock: Clock;
  readonly #all = new Set<AbortController>();
  /** One listener per session, however many requests it has under way. */
  readonly #sessions = new WeakMap<EventEmitter, Set<AbortController>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * @param session the request came through; emits what the library's sessions emit
   * @param timeoutHint of the request, ms; 0 = none
   */
  begin(session: EventEmitter | undefined, timeoutHint: number): RequestLife {
    const controller = new AbortController();
    const ofSession = session === undefined ? undefined : this.#requestsOf(session);
    ofSession?.add(controller);
    this.#all.add(controller);
    const timeout = Math.min(timeoutHint || USUAL_TIMEOUT, LONGEST_TIMEOUT);
    const timer = this.#clock.after(timeout - Math.min(timeout / 5, LARGEST_RESERVE), () =>
      controller.abort('timeout'),
    );
    return {
      signal: controller.signal,
      end: () => {
        timer.cancel();
        ofSession?.delete(controller);
        this.#all.delete(controller);
      },
    };
  }

  /** Ends everything that is under way. */
  close(): void {
    for (const controller of this.#all) controller.abort('shutdown');
  }

  #requestsOf(session: EventEmitter): Set<AbortController> {
    const known = this.#sessions.get(session);
    if (known !== undefined) return known;
    const requests = new Set<AbortController>();
    const gone = (): void => {
      for (const controller of requests) controller.abort('session-closed');
    };
    session.on('session_closed', gone);
    // An answer can only go back through the channel that the request came from.
    session.on('channel_aborted', gone);
    this.#sessions.set(session, requests);
    return requests;
  }
}
