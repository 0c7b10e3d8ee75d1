import type { Node, NodeAPI, NodeDef } from 'node-red';
import { decodeIncomingMessage } from '../../lib/chirpstack';
import { deviceEventMessage, readingMessage } from '../../lib/messages';
import { onInput } from '../common/input';
import { StatusReporter } from '../common/status';

const init = (RED: NodeAPI): void => {
  function EventsNode(this: Node, properties: NodeDef): void {
    RED.nodes.createNode(this, properties);
    const status = new StatusReporter(this);
    let decodedCount = 0;
    onInput(this, (message, send) => {
      const decoded = decodeIncomingMessage(message);
      if (decoded.kind === 'ignored') return;
      decodedCount += 1;
      status.show('green', 'dot', RED._('chirpstack-events.status.decoded', { count: decodedCount }));
      // The topic of MQTT is the broker's address of the event; readings carry one for people.
      const { topic: _topic, payload: _payload, ...base } = message;
      if (decoded.kind === 'reading') send([readingMessage(decoded.reading, base), null]);
      else send([null, { ...base, ...deviceEventMessage(decoded.event) }]);
    });
  }
  RED.nodes.registerType('chirpstack-events', EventsNode);
};

export = init;
