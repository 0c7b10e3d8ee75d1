/** Brings the first round of pruning forward, which a program that runs for years begins when it has settled down. */
import type { Clock, Logger } from '../../lib/model';

/** Timers between these are that round, ms: shorter ones are the store's daily work, longer ones the rounds after it. */
const SHORTEST = 30_000;
const LONGEST = 600_000;
const SOON = 200;

export interface PruningClock {
  readonly clock: Clock;
  /** Rounds that have ended, as the store's log says through {@link watch}. */
  readonly rounds: number;
  watch(logger: Logger): Logger;
}

export function pruningClock(clock: Clock): PruningClock {
  let rounds = 0;
  let isBroughtForward = false;
  return {
    clock: {
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      every: (interval, callback) => clock.every(interval, callback),
      after(delay, callback) {
        const isFirstRound = !isBroughtForward && delay >= SHORTEST && delay <= LONGEST;
        if (isFirstRound) isBroughtForward = true;
        return clock.after(isFirstRound ? SOON : delay, callback);
      },
    },
    get rounds() {
      return rounds;
    },
    watch: (logger) => ({
      ...logger,
      info(entry) {
        if (entry.operation === 'prune' && entry.event === 'removed') rounds++;
        logger.info(entry);
      },
    }),
  };
}
