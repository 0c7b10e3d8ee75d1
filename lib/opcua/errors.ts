/** Why a server could not start, told apart so that a caller can react: wait, or ask for another setting. */
import { errorText, type Fault, faultText, InvalidInputError } from '../model';

/** Somebody else listens on the port. It may become free again, so trying later makes sense. */
export class PortInUseError extends Error {
  override readonly name = 'PortInUseError';
  readonly port: number;
  readonly fault: Fault;

  constructor(port: number, field = 'port') {
    const fault: Fault = {
      field,
      value: String(port),
      rule: 'no other program may listen on it',
      cure: 'Stop the other OPC UA server or choose another port.',
    };
    super(faultText(fault));
    this.port = port;
    this.fault = fault;
  }
}

/** The folder for keys and certificates cannot be used. */
export class PkiFolderError extends Error {
  override readonly name = 'PkiFolderError';
  readonly folder: string;
  readonly fault: Fault;

  constructor(folder: string, cause: unknown) {
    const fault: Fault = {
      field: 'pkiFolder',
      value: JSON.stringify(folder),
      rule: `its keys and certificates must be readable and writable (${errorText(cause)})`,
      cure: 'Give the user that runs this program write access to the folder, or choose another one.',
    };
    super(faultText(fault), { cause });
    this.folder = folder;
    this.fault = fault;
  }
}

function codeOf(error: unknown): string | undefined {
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}

/** What a failed listen means to the person who chose port and host. */
export function listenError(error: unknown, settings: { port: number; host?: string }): unknown {
  switch (codeOf(error)) {
    case 'EADDRINUSE':
      return new PortInUseError(settings.port);
    case 'EACCES':
      return new InvalidInputError([
        {
          field: 'port',
          value: String(settings.port),
          rule: 'this user may not listen on it',
          cure: 'Choose a port from 1024 on; 4840 is the one registered for OPC UA.',
        },
      ]);
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new InvalidInputError([
        {
          field: 'host',
          value: JSON.stringify(settings.host ?? ''),
          rule: 'it must be an address of this machine',
          cure: 'Leave it empty to listen on all interfaces.',
        },
      ]);
    default:
      return error;
  }
}
