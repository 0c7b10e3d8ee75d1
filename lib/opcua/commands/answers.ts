/** What a client is answered, and what it was answered with: status codes of Part 4 §7.39 for each kind of no. */
import type { StatusCode } from 'node-opcua';
import { CommandRefusedError, errorText, type Refusal } from '../../model';
import type { Library } from '../library';

type StatusName =
  | 'BadNodeIdUnknown'
  | 'BadOutOfService'
  | 'BadConfigurationError'
  | 'BadOutOfRange'
  | 'BadUserAccessDenied'
  | 'BadNotWritable'
  | 'BadTooManyOperations'
  | 'BadResourceUnavailable'
  | 'BadInvalidState'
  | 'BadInvalidArgument'
  | 'BadNotConnected'
  | 'BadTimeout';

const REFUSED: Readonly<Record<Refusal, StatusName>> = {
  'unknown-device': 'BadNodeIdUnknown',
  'unknown-command': 'BadNodeIdUnknown',
  'device-disabled': 'BadOutOfService',
  'no-codec': 'BadConfigurationError',
  'bad-parameter': 'BadOutOfRange',
  'not-permitted': 'BadUserAccessDenied',
  'confirmation-needed': 'BadNotWritable',
  'rate-limited': 'BadTooManyOperations',
  pending: 'BadInvalidState',
  overflow: 'BadResourceUnavailable',
  expired: 'BadInvalidArgument',
  'duplicate-id': 'BadInvalidArgument',
  'not-ready': 'BadNotConnected',
};

export const TIMED_OUT = 'it could not be made durable in time, and is taken back';
export const NOT_CONNECTED = 'no command queue is connected; deploy a command-queue node with the same database';

/** Nobody who carries it out. */
export class NotConnectedError extends Error {
  override readonly name = 'NotConnectedError';
  constructor() {
    super(NOT_CONNECTED);
  }
}

/** It took longer than a client waits. */
export class AnswerTimeoutError extends Error {
  override readonly name = 'AnswerTimeoutError';
}

export interface Refused {
  readonly status: StatusCode;
  readonly text: string;
}

/** What is said to a client for an error. */
export function refusedFor({ StatusCodes }: Library, error: unknown): Refused {
  const text = errorText(error);
  if (error instanceof CommandRefusedError) return { status: StatusCodes[REFUSED[error.refusal]], text };
  if (error instanceof NotConnectedError) return { status: StatusCodes.BadNotConnected, text };
  if (error instanceof AnswerTimeoutError) return { status: StatusCodes.BadTimeout, text };
  // The storage cannot keep it now; its text says why.
  return { status: StatusCodes.BadResourceUnavailable, text };
}
