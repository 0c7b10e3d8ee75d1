import type { Node, NodeAPI } from 'node-red';
import { InvalidInputError, type Logger } from '../../lib/model';
import { commonText } from './texts';

/**
 * Runs what reads a node's properties. Where they are wrong, status, Catch and log say so, each fault by itself, and
 * the node stays without function rather than half-configured.
 */
export function configure<T>(RED: NodeAPI, node: Node, logger: Logger, read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof InvalidInputError)) throw error;
    for (const fault of error.faults)
      logger.error({
        operation: 'configure',
        event: 'refused',
        reason: 'bad-setting',
        message: `${fault.field} is ${fault.value}: ${fault.rule}`,
        cure: fault.cure,
      });
    node.status({ fill: 'red', shape: 'ring', text: commonText(RED, 'status.bad-setting') });
    return undefined;
  }
}

/** Tells that a node stands alone where it needs another one, or that the other one does not work. */
export function reportMissing(RED: NodeAPI, node: Node, logger: Logger, field: string, cure: string): void {
  logger.error({
    operation: 'configure',
    event: 'refused',
    reason: 'bad-setting',
    message: `${field} is not set, or the node it names does not work`,
    cure,
  });
  node.status({ fill: 'red', shape: 'ring', text: commonText(RED, 'status.missing', { field }) });
}
