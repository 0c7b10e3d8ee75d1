/** What is told of a question that could not be answered. */
import { CommandRefusedError, display, errorText, type Fault, InvalidInputError } from '../model';

/** Errors of the storage say what the user can do; this room knows them by that alone. */
interface ExplainedError extends Error {
  readonly reason: string;
  readonly cure: string;
}

function isExplained(error: unknown): error is ExplainedError {
  return (
    error instanceof Error &&
    'reason' in error &&
    typeof error.reason === 'string' &&
    'cure' in error &&
    typeof error.cure === 'string'
  );
}

const FILE_CURES: Readonly<Record<string, string>> = {
  ENOSPC: 'Free space on the disk: remove exports and backups that nobody needs.',
  EDQUOT: 'Free space: the quota of the user who runs the gateway is used up.',
  EACCES: 'Let the user who runs the gateway write to the folder.',
  EPERM: 'Let the user who runs the gateway write to the folder.',
  EROFS: 'Mount the file system for writing.',
};

/** The faults of an error that has a cause outside of the program; `undefined` for all others. */
export function faultsOf(topic: string, error: unknown, isClosing: boolean): readonly Fault[] | undefined {
  if (error instanceof InvalidInputError || error instanceof CommandRefusedError) return error.faults;
  if (isClosing)
    return [
      {
        field: 'topic',
        value: display(topic),
        rule: 'the gateway is stopped or deployed anew before it was done',
        cure: 'Ask again when it runs.',
      },
    ];
  if (isExplained(error)) return [{ field: 'database', value: error.reason, rule: error.message, cure: error.cure }];
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const cure = typeof code === 'string' ? FILE_CURES[code] : undefined;
  return cure === undefined
    ? undefined
    : [{ field: 'payload.file', value: String(code), rule: errorText(error), cure }];
}

/** Of an error that should not have happened. */
export function internalFault(topic: string): Fault {
  return {
    field: 'topic',
    value: display(topic),
    rule: 'the gateway could not answer because of a fault of its own',
    cure: 'Look at the log and report what it says.',
  };
}
