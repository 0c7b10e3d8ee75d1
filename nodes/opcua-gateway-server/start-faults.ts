import { errorText, InvalidInputError, type LogEntry } from '../../lib/model';
import { PkiFolderError, PortInUseError } from '../../lib/opcua';

/** What a failed start says in the log: each fault with its own cure. */
export function startFaults(error: unknown): LogEntry[] {
  const faults = error instanceof InvalidInputError ? error.faults : [];
  const known = error instanceof PortInUseError || error instanceof PkiFolderError ? [error.fault] : faults;
  if (known.length === 0)
    return [
      {
        operation: 'start',
        event: 'failed',
        reason: 'internal',
        message: errorText(error),
        cure: 'The start is tried again; report this if it stays.',
      },
    ];
  return known.map(({ field, value, rule, cure }) => ({
    operation: 'start',
    event: 'failed',
    reason: error instanceof PortInUseError ? 'port-in-use' : 'bad-setting',
    message: `OPC UA server does not start: ${field} is ${value}: ${rule}`,
    cure: `${cure} The start is tried again by itself.`,
  }));
}
