import type { Node, NodeAPI } from 'node-red';
import { endsWithin, errorText, systemClock } from '../../lib/model';

/** Node-RED abandons a close handler after 15 s; ours are done long before. */
const CLOSE_DEADLINE = 5_000;

/**
 * Runs `close` once when Node-RED closes the node, and waits for it, but not longer than 5 s: whatever hangs, a
 * redeploy goes on. `removed` is true when the node was deleted or disabled rather than restarted.
 */
export function onClose(node: Node, close: (removed: boolean) => Promise<void>): void {
  let closing: Promise<void> | undefined;
  node.on('close', (removed: boolean, done: () => void) => {
    closing ??= close(removed).catch((error: unknown) => node.error(errorText(error)));
    void endsWithin(systemClock, closing, CLOSE_DEADLINE).then(() => done());
  });
}

/**
 * Runs `start` when the flows are started and every node exists, so that nothing is sent before the wires are there;
 * not at all if the node is closed before.
 */
export function onFlowsStarted(RED: NodeAPI, node: Node, start: () => void): void {
  const started = (): void => {
    node.removeListener('close', closed);
    start();
  };
  const closed = (): void => {
    RED.events.removeListener('flows:started', started);
  };
  RED.events.once('flows:started', started);
  node.on('close', closed);
}
