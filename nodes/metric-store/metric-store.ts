import type { Node, NodeAPI, NodeDef } from 'node-red';
import {
  faultText,
  parseReadingMessage,
  type Reading,
  readingMessage,
  type StoreHealth,
  systemClock,
} from '../../lib/model';
import { configure, reportMissing } from '../common/configuration';
import { onInput, reportFault } from '../common/input';
import { onClose, onFlowsStarted } from '../common/lifecycle';
import { parseSwitch } from '../common/properties';
import { redLogger } from '../common/red-logger';
import { isDatabaseNode } from '../common/services';
import { StatusReporter } from '../common/status';

interface Properties extends NodeDef {
  database: string;
  /** Whether the last values of before a restart are sent when the flows start. */
  sendRestored: boolean | string;
}

/** Restored readings sent in one turn of the event loop: 100,000 metrics must not block it. */
const RESTORED_PER_TURN = 100;

const init = (RED: NodeAPI): void => {
  function showHealth(status: StatusReporter, health: StoreHealth): void {
    if (health.state === 'healthy') status.show('green', 'dot', RED._('metric-store.status.healthy'));
    else if (health.state === 'degraded') status.show('red', 'ring', health.reason);
    else status.show('yellow', 'ring', RED._(`metric-store.status.${health.state}`));
  }

  function StoreNode(this: Node, properties: Properties): void {
    RED.nodes.createNode(this, properties);
    const logger = redLogger(RED, this, 'store');
    const databaseNode = RED.nodes.getNode(properties.database);
    const sendRestored = configure(RED, this, logger, () =>
      parseSwitch(properties.sendRestored, 'Send restored values', true),
    );
    if (sendRestored === undefined) return;
    if (!isDatabaseNode(databaseNode) || databaseNode.service === undefined) {
      reportMissing(RED, this, logger, 'database', 'Choose a gateway-database and correct what its log says.');
      return;
    }
    const { store, opened } = databaseNode.service;
    const status = new StatusReporter(this);
    const stopListening = store.onHealth((health) => showHealth(status, health));
    showHealth(status, store.health());
    let closed = false;

    const restore = (readings: readonly Reading[], from: number): void => {
      if (closed) return;
      for (const reading of readings.slice(from, from + RESTORED_PER_TURN)) this.send(readingMessage(reading));
      if (from + RESTORED_PER_TURN < readings.length) setImmediate(restore, readings, from + RESTORED_PER_TURN);
    };
    if (sendRestored) onFlowsStarted(RED, this, () => void opened.then(() => restore(store.restored(), 0)));

    onInput(this, async (message, send) => {
      const { reading, faults } = parseReadingMessage(message, systemClock);
      for (const fault of faults) reportFault(this, faultText(fault), message);
      // What was known before must be loaded, or a replayed event would look new.
      await opened;
      const accepted = store.accept(reading);
      if (accepted === undefined) return;
      for (const fault of accepted.faults) reportFault(this, faultText(fault), message);
      const stored = readingMessage(accepted.reading, message);
      stored.previous = accepted.previous;
      send(stored);
    });
    onClose(this, async () => {
      closed = true;
      stopListening();
    });
  }
  RED.nodes.registerType('metric-store', StoreNode);
};

export = init;
