/** Requests that are not taken: whoever asked hears of it by a Catch node. */
import type { Node, NodeMessage } from 'node-red';
import { CommandRefusedError, display } from '../../lib/model';
import { onInput } from '../common/input';

const REQUESTS: readonly unknown[] = ['command', 'command-cancel', 'command-flush'];

export function isRequest(topic: unknown): boolean {
  return REQUESTS.includes(topic);
}

export function notOpen(topic: unknown): CommandRefusedError {
  return new CommandRefusedError('not-ready', [
    {
      field: 'msg.topic',
      value: display(topic),
      rule: 'the command queue is not open',
      cure: 'Try again in a moment; if that does not help, see the status of the node and the log.',
    },
  ]);
}

/**
 * Throws the error; the message tells a flow what it can act on. Not under `command`: whoever wires the message back
 * would confirm without a look.
 */
export function refuseRequest(message: NodeMessage, error: unknown): never {
  if (error instanceof CommandRefusedError) {
    const { refusal: kind, faults, confirmation } = error;
    Object.assign(message, { refusal: { kind, faults, ...(confirmation === undefined ? {} : { confirmation }) } });
  }
  throw error;
}

/** A node that cannot work says so to everybody who asks it for something. */
export function refuseEverything(node: Node): void {
  onInput(node, (message) => {
    if (isRequest(message.topic)) refuseRequest(message, notOpen(message.topic));
  });
}
