/**
 * Loaded into a process under test (`node --expose-gc --require …`): every second it collects garbage and writes what is
 * left into a file. Resident memory alone says little, since the collector takes its time.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

const FILE_VARIABLE = 'LORUA_MEMORY_PROBE';
/** ms */
const INTERVAL = 1_000;

export interface MemoryUse {
  /** Number of the measurement, 1 for the first. */
  readonly number: number;
  /** What is reachable, MiB. */
  readonly heap: number;
  /** Sockets, timers and the like that keep the process running. */
  readonly handles: number;
}

/** Environment that makes a process measure itself into a file. */
export function memoryProbe(file: string): Record<string, string> {
  return { NODE_OPTIONS: `--expose-gc --require "${__filename.replaceAll('\\', '/')}"`, [FILE_VARIABLE]: file };
}

/** The newest measurement; undefined before the first. */
export function readMemoryProbe(file: string): MemoryUse | undefined {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as MemoryUse) : undefined;
}

const target = process.env[FILE_VARIABLE];
if (target !== undefined && isMainThread) {
  let number = 0;
  setInterval(() => {
    global.gc?.();
    const heap = Math.round((process.memoryUsage().heapUsed / 2 ** 20) * 10) / 10;
    const measured: MemoryUse = { number: ++number, heap, handles: process.getActiveResourcesInfo().length };
    writeFileSync(`${target}.new`, JSON.stringify(measured));
    renameSync(`${target}.new`, target);
  }, INTERVAL).unref();
}
