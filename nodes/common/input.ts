import type { Node, NodeMessage, NodeMessageInFlow } from 'node-red';

export type Send = (message: NodeMessage | (NodeMessage | NodeMessage[] | null)[]) => void;

/**
 * Handles a node's input: `done()` is called exactly once, with the error if the handler threw, so that Catch and
 * Complete nodes see what happened.
 */
export function onInput(node: Node, handle: (message: NodeMessageInFlow, send: Send) => void | Promise<void>): void {
  node.on('input', (message, send, done) => {
    const failed = (error: unknown): void => done(error instanceof Error ? error : new Error(String(error)));
    try {
      const pending = handle(message, send);
      if (pending === undefined) done();
      else pending.then(() => done(), failed);
    } catch (error) {
      failed(error);
    }
  });
}

/** Reports something that was wrong in a message which was used all the same: Catch and the log see it. */
export function reportFault(node: Node, text: string, message: NodeMessage): void {
  node.error(text, message);
}
