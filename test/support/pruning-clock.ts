/** Lets a test begin the first round of pruning, which a program that runs for years begins when it has settled down. */
import type { Clock, Logger } from '../../lib/model';

/** The timer between these is that round, ms: shorter ones are the store's daily work, longer ones the rounds after it. */
const SHORTEST = 30_000;
const LONGEST = 600_000;

export interface PruningClock {
  readonly clock: Clock;
  /** Begins the first round; the store is open. */
  begin(): void;
  /** Rounds that have ended, as the store's log says through {@link watch}. */
  readonly rounds: number;
  watch(logger: Logger): Logger;
}

export function pruningClock(clock: Clock): PruningClock {
  let rounds = 0;
  let first: (() => void) | undefined;
  return {
    clock: {
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      every: (interval, callback) => clock.every(interval, callback),
      after(delay, callback) {
        if (first !== undefined || delay < SHORTEST || delay > LONGEST) return clock.after(delay, callback);
        let isCancelled = false;
        first = () => {
          if (!isCancelled) callback();
        };
        return {
          cancel: () => {
            isCancelled = true;
          },
        };
      },
    },
    begin() {
      if (first === undefined) throw new Error('the store has planned no round of pruning');
      first();
    },
    get rounds() {
      return rounds;
    },
    watch: (logger) => ({
      ...logger,
      trace(entry) {
        if (entry.operation === 'prune' && entry.event === 'succeeded') rounds++;
        logger.trace(entry);
      },
    }),
  };
}
