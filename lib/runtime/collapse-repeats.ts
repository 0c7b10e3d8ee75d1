/** Keeps a fault that comes again and again from filling the log: its first entry, then one entry with a count. */
import type { Clock, LogEntry, LogLevel, LogModule, LogSink, Timer } from '../model';

export interface CollapseOptions {
  /** ms in which repetitions of an entry are only counted. */
  readonly window: number;
  /** How many different entries are followed at the same time; beyond that the oldest is reported and forgotten. */
  readonly maximumEntries: number;
}

export const DEFAULT_COLLAPSE: CollapseOptions = { window: 60_000, maximumEntries: 1_000 };

interface Followed {
  readonly level: LogLevel;
  readonly module: LogModule;
  latest: LogEntry;
  count: number;
  readonly timer: Timer;
}

/** A sink that collapses, and how to end it. */
export interface CollapsingSink {
  readonly sink: LogSink;
  /** Reports all counts that are still open. Entries after that pass through. Idempotent. */
  close(): void;
}

/** Everything that makes an entry what it is: how long it took and how often does not. */
function identity(level: LogLevel, module: LogModule, entry: LogEntry): string {
  const { duration_ms: _duration, count: _count, ...rest } = entry;
  return JSON.stringify([level, module, ...Object.entries(rest).sort(([a], [b]) => (a < b ? -1 : 1))]);
}

/**
 * Wraps a sink. Errors and warnings that say the same as one of the last minute are counted; when the minute is over
 * the entry comes once more as `event: repeated` with the count, and a new minute begins. An `event: recovered` of the
 * same module and operation ends that early. Other levels pass.
 */
export function collapseRepeats(
  target: LogSink,
  clock: Clock,
  options: CollapseOptions = DEFAULT_COLLAPSE,
): CollapsingSink {
  const followed = new Map<string, Followed>();
  let closed = false;

  const report = ({ level, module, latest, count }: Followed): void => {
    if (count > 0) target(level, module, { ...latest, event: 'repeated', count });
  };

  const follow = (key: string, level: LogLevel, module: LogModule, entry: LogEntry): void => {
    const timer = clock.after(options.window, () => {
      const item = followed.get(key);
      followed.delete(key);
      if (item === undefined) return;
      report(item);
      // Still going on: the next window must not begin with an entry that looks new.
      if (item.count > 0) follow(key, level, module, item.latest);
    });
    followed.set(key, { level, module, latest: entry, count: 0, timer });
  };

  const finish = (key: string, item: Followed): void => {
    item.timer.cancel();
    followed.delete(key);
    report(item);
  };

  const makeRoom = (): void => {
    const oldest = followed.entries().next().value;
    if (oldest !== undefined && followed.size >= options.maximumEntries) finish(...oldest);
  };

  /** What comes after a recovery is a new fault, even if it says the same. */
  const recover = (module: LogModule, { operation }: LogEntry): void => {
    for (const [key, item] of followed)
      if (item.module === module && item.latest.operation === operation) finish(key, item);
  };

  return {
    sink: (level, module, entry) => {
      if (closed || (level !== 'error' && level !== 'warn')) {
        if (entry.event === 'recovered') recover(module, entry);
        target(level, module, entry);
        return;
      }
      const key = identity(level, module, entry);
      const item = followed.get(key);
      if (item !== undefined) {
        item.count += entry.count ?? 1;
        item.latest = entry;
        return;
      }
      makeRoom();
      follow(key, level, module, entry);
      target(level, module, entry);
    },
    close: () => {
      closed = true;
      for (const item of followed.values()) {
        item.timer.cancel();
        report(item);
      }
      followed.clear();
    },
  };
}
