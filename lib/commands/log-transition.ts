import type { Command, CommandState, CommandTransition, DevEui, Logger } from '../model';

/** Ends that somebody should look at. */
const BAD_ENDS: ReadonlySet<CommandState> = new Set(['Rejected', 'Expired', 'Failed', 'Uncertain']);

/** One line for each transition; a warning where a command did not do what it should. */
export function logTransition(
  logger: Logger,
  { devEui, name, id, user }: Command,
  { state, reason }: CommandTransition,
): void {
  const isBad = BAD_ENDS.has(state);
  logger[isBad ? 'warn' : 'debug']({
    operation: 'enqueue',
    event: isBad ? 'failed' : 'changed',
    message: `Command ${name} (${id}) is ${state}: ${reason}`,
    device: devEui,
    ...(user === '' ? {} : { user }),
  });
}

/** A fault of our own. */
export function logFault(logger: Logger, message: string, device?: DevEui): void {
  logger.error({
    operation: 'enqueue',
    event: 'failed',
    reason: 'internal',
    message,
    ...(device === undefined ? {} : { device }),
  });
}
