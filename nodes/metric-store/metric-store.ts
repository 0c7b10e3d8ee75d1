import type { Node, NodeAPI, NodeDef, NodeMessageInFlow } from 'node-red';
import { eventEntry, isQueryTopic, pagingOf, questionOf } from '../../lib/admin';
import { deviceEventFromMessage, parseReadingMessage, readingMessage } from '../../lib/messages';
import { faultText, InvalidInputError, type Reading, type StoreHealth, systemClock } from '../../lib/model';
import { administrationOf, userOf } from '../common/administration';
import { configure, reportMissing } from '../common/configuration';
import { onInput, reportFault, type Send } from '../common/input';
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
    const sendRestored = configure(RED, this, logger, () => parseSwitch(properties.sendRestored, 'sendRestored', true));
    if (sendRestored === undefined) return;
    if (!isDatabaseNode(databaseNode) || databaseNode.service === undefined) {
      reportMissing(RED, this, logger, 'database', 'Choose a gateway-database and correct what its log says.');
      return;
    }
    const { store, opened, health } = databaseNode.service;
    const administration = administrationOf(databaseNode.service, logger);
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

    /** Answers at the second output; flows that were made before there was one go on without. */
    const answer = async (topic: string, message: NodeMessageInFlow, send: Send): Promise<void> => {
      const question = questionOf(message.payload);
      if (question === undefined) return;
      const answered = await administration.handle(topic, question.payload, userOf(message));
      if (!answered.ok) throw new InvalidInputError(answered.errors);
      const { result } = answered;
      // An answer that was wired back still says where its own page goes on.
      const { next: _, ...kept } = message as NodeMessageInFlow & { next?: unknown };
      send([null, { ...kept, ...pagingOf(result), payload: result }]);
    };
    const keep = (message: NodeMessageInFlow, send: Send): void => {
      const { reading, faults } = parseReadingMessage(message, systemClock);
      for (const fault of faults) reportFault(this, faultText(fault), message);
      const accepted = store.accept(reading);
      if (accepted === undefined) return;
      health.received(reading.origin);
      for (const fault of accepted.faults) reportFault(this, faultText(fault), message);
      const stored = readingMessage(accepted.reading, message);
      stored.previous = accepted.previous;
      send(stored);
    };
    onInput(this, async (message, send) => {
      // What was known before must be loaded, or a replayed event would look new.
      await opened;
      const { topic } = message;
      if (isQueryTopic(topic)) return answer(topic, message, send);
      if (topic === 'device-event') {
        store.record(eventEntry(deviceEventFromMessage(message)));
        send(message);
      } else keep(message, send);
    });
    onClose(this, async () => {
      closed = true;
      stopListening();
      await administration.close();
    });
  }
  RED.nodes.registerType('metric-store', StoreNode);
};

export = init;
