/** Time is injected everywhere, so that tests never wait and ages do not follow steps of the wall clock. */
export interface Timer {
  /** Idempotent. */
  cancel(): void;
}

export interface Clock {
  /** Wall clock, ms since 1970-01-01 UTC. Use it for timestamps, never for ages. */
  now(): number;
  /** Monotonic clock, ms since some fixed instant. Use it for ages, time-outs and intervals. */
  monotonic(): number;
  /** Calls once after `delay` ms. A pending timer never keeps the process alive. */
  after(delay: number, callback: () => void): Timer;
  /** Calls every `interval` ms until cancelled. A pending timer never keeps the process alive. */
  every(interval: number, callback: () => void): Timer;
}

/** Resolves after `delay` ms, or early (without error) when the signal aborts. */
export function wait(clock: Clock, delay: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) {
      resolve();
      return;
    }
    const finish = (): void => {
      timer.cancel();
      signal?.removeEventListener('abort', finish);
      resolve();
    };
    const timer = clock.after(delay, finish);
    signal?.addEventListener('abort', finish, { once: true });
  });
}

/**
 * Waits until work has ended, but not longer than `limit` ms, nor beyond the abort of the signal; the work itself goes on.
 * @returns whether it ended in that time
 * @throws as the work does, if it fails in that time
 */
export async function endsWithin(
  clock: Clock,
  work: Promise<unknown>,
  limit: number,
  signal?: AbortSignal,
): Promise<boolean> {
  const ended = new AbortController();
  const wanted = signal === undefined ? ended.signal : AbortSignal.any([ended.signal, signal]);
  let inTime = false;
  try {
    await Promise.race([
      work.then(() => {
        inTime = true;
      }),
      wait(clock, limit, wanted),
    ]);
    return inTime;
  } finally {
    ended.abort();
  }
}

// setTimeout takes a signed 32-bit delay and fires at once beyond it.
const LONGEST_TIMEOUT = 2 ** 31 - 1;

/** The real clock of this machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delay, callback) {
    const timer = setTimeout(callback, Math.min(Math.max(delay, 0), LONGEST_TIMEOUT));
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
  every(interval, callback) {
    const timer = setInterval(callback, Math.min(Math.max(interval, 1), LONGEST_TIMEOUT));
    timer.unref();
    return { cancel: () => clearInterval(timer) };
  },
};

/** Source of randomness, injected for jitter and ids: a number in [0, 1). */
export type Random = () => number;
