/** Why a request for a command is not taken. */
import { display, type Fault, faultText } from './faults';

/** Kinds, so that each door can answer in its own way: an OPC UA status code, an HTTP status. */
export const REFUSALS = [
  'unknown-device',
  'unknown-command',
  'device-disabled',
  /** The payload is an object, but the device profile has no codec. */
  'no-codec',
  'bad-parameter',
  'not-permitted',
  /** Ask again with the token `confirmation`. */
  'confirmation-needed',
  'rate-limited',
  /** An older one of the same name is not yet transmitted. */
  'pending',
  /** Too many commands wait for the device. */
  'overflow',
  /** Its time is over already. */
  'expired',
  /** The own id belongs to another command. */
  'duplicate-id',
  /** The queue is not open yet, or closed. */
  'not-ready',
] as const;
export type Refusal = (typeof REFUSALS)[number];

/** Nothing was stored, nothing will be sent. */
export class CommandRefusedError extends Error {
  override readonly name = 'CommandRefusedError';
  readonly refusal: Refusal;
  readonly faults: readonly Fault[];
  /** Only with `confirmation-needed`: token for the second request of the same, valid for a minute. */
  readonly confirmation: string | undefined;

  constructor(refusal: Refusal, faults: readonly Fault[], confirmation?: string) {
    super(faults.map((fault) => faultText(fault)).join('\n'));
    this.refusal = refusal;
    this.faults = faults;
    this.confirmation = confirmation;
  }
}

export function refuseCommand(refusal: Refusal, field: string, value: unknown, rule: string, cure: string): never {
  throw new CommandRefusedError(refusal, [{ field, value: display(value), rule, cure }]);
}
