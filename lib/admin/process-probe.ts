import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { EventLoopDelay } from '../model';

/** What the operating system and Node.js say about the process. */
export interface ProcessProbe {
  /** When the process began, ms UTC. */
  readonly startTime: number;
  /** Of the process, ms. */
  uptime(): number;
  /** Bytes. */
  memory(): { readonly rss: number; readonly heapUsed: number; readonly heapTotal: number };
  /** Processor time of all threads since start, ms. */
  cpu(): number;
  /** How late the event loop was since the last call with `restart`; absent where nothing was measured yet. */
  eventLoop(restart: boolean): EventLoopDelay | undefined;
  /** Idempotent. */
  close(): void;
}

/** ms between two looks at the event loop, made without any JavaScript; it costs 0.2 % of a core at most. */
const RESOLUTION = 20;
const NANOSECONDS = 1e6;

/** The process this runs in. */
export function processProbe(): ProcessProbe {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION });
  delay.enable();
  // The histogram holds intervals between two looks: what exceeds the resolution is delay.
  const late = (nanoseconds: number): number => Math.max(0, nanoseconds / NANOSECONDS - RESOLUTION);
  return {
    startTime: performance.timeOrigin,
    uptime: () => process.uptime() * 1_000,
    memory: () => {
      const { rss, heapUsed, heapTotal } = process.memoryUsage();
      return { rss, heapUsed, heapTotal };
    },
    cpu: () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1_000;
    },
    eventLoop: (restart) => {
      const measured =
        delay.count === 0
          ? undefined
          : { p50: late(delay.percentile(50)), p99: late(delay.percentile(99)), max: late(delay.max) };
      if (restart) delay.reset();
      return measured;
    },
    close: () => void delay.disable(),
  };
}
