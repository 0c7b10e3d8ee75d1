/** How the program ends: by a signal in good order, by a fault with a line that says why. */
import { errorText, type Logger } from '../lib/model';

/** ms in which a second signal is taken for the same wish: npm passes on what the terminal sent to all anyway. */
const SAME_WISH = 1_000;
/** ms after which the program ends even if something hangs: Node-RED itself gives its nodes 4 s. */
const DEADLINE = 4_800;
/** ms between two looks whether npm is still there. */
const PARENT_INTERVAL = 1_000;

const SIGNALS = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const;

export interface ProcessEnd {
  /** From now on Node-RED ends the process when a signal comes; before, there is nothing to put in order. */
  nodeRedIsRunning(): void;
}

/**
 * Watches signals and uncaught errors. Node-RED stops its flows at the first signal and ends the process with code 0;
 * this adds a deadline, an impatient second signal, and the end of a parent npm that passes no signal on.
 */
export function watchProcessEnd(logger: Logger): ProcessEnd {
  let running = false;
  let endingSince: number | undefined;

  const onSignal = (name: keyof typeof SIGNALS): void => {
    const now = performance.now();
    if (endingSince !== undefined) {
      if (now - endingSince > SAME_WISH) process.exit(128 + SIGNALS[name]);
      return;
    }
    endingSince = now;
    logger.info({ operation: 'stop', event: 'started', reason: 'shutdown', message: `${name}: the gateway stops` });
    if (!running) process.exit(0);
    setTimeout(() => {
      logger.error({
        operation: 'stop',
        event: 'failed',
        reason: 'timeout',
        message: 'something did not stop in time and was left behind',
      });
      process.exit(1);
    }, DEADLINE);
  };
  for (const name of Object.keys(SIGNALS) as (keyof typeof SIGNALS)[])
    process.prependListener(name, () => onSignal(name));

  const onUncaught = (error: unknown): void => {
    logger.error({
      operation: 'run-flow',
      event: 'failed',
      reason: 'internal',
      message: `uncaught error, the gateway ends: ${error instanceof Error ? (error.stack ?? error.message) : errorText(error)}`,
      cure: 'If the stack names a node of your flow, correct or remove it; else report it.',
    });
    process.exit(1);
  };
  process.on('uncaughtException', onUncaught);

  // Whoever read the output may be gone before us; that must not end the gateway.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);

  if (process.env.npm_lifecycle_event !== undefined) {
    const parent = process.ppid;
    setInterval(() => {
      if (process.ppid !== parent && endingSince === undefined) process.kill(process.pid, 'SIGTERM');
    }, PARENT_INTERVAL).unref();
  }

  return {
    nodeRedIsRunning: () => {
      running = true;
    },
  };
}
