import type { Node, NodeAPI, NodeDef } from 'node-red';
import { decodeIncomingMessage, isFromMqtt, MqttWatch, nodeStatusOf } from '../../lib/chirpstack';
import { deviceEventMessage, readingMessage } from '../../lib/messages';
import { systemClock } from '../../lib/model';
import { onInput } from '../common/input';
import { onClose } from '../common/lifecycle';
import { isDatabaseNode } from '../common/services';
import { StatusReporter } from '../common/status';
import { commonText } from '../common/texts';

interface Properties extends NodeDef {
  /** Where the state of MQTT is shown; may be empty. */
  database: string;
}

const init = (RED: NodeAPI): void => {
  function EventsNode(this: Node, properties: Properties): void {
    RED.nodes.createNode(this, properties);
    const status = new StatusReporter(this);
    const databaseNode = RED.nodes.getNode(properties.database);
    const mqtt = isDatabaseNode(databaseNode) ? databaseNode.service?.mqtt : undefined;
    // A deploy of this node alone leaves the `mqtt in` node as it is, which then has nothing new to tell.
    const watch = mqtt?.get(this.id)?.watch ?? new MqttWatch(systemClock);
    const name = this.name || RED._('chirpstack-events.palette');
    mqtt?.set(this.id, { name, watch });
    let decodedCount = 0;

    const showState = (): void => {
      if (watch.health()?.state === 'disconnected') status.show('red', 'ring', commonText(RED, 'status.disconnected'));
      else status.show('green', 'dot', RED._('chirpstack-events.status.decoded', { count: decodedCount }));
    };

    onInput(this, (message, send) => {
      const shown = nodeStatusOf(message);
      if (shown !== undefined) {
        watch.status(shown);
        if (watch.health() !== undefined) showState();
        return;
      }
      const decoded = decodeIncomingMessage(message);
      if (decoded.kind === 'ignored') return;
      decodedCount += 1;
      if (isFromMqtt(message)) watch.received();
      showState();
      // The topic of MQTT is the broker's address of the event; readings carry one for people.
      const { topic: _topic, payload: _payload, ...base } = message;
      if (decoded.kind === 'reading') send([readingMessage(decoded.reading, base), null]);
      else send([null, { ...base, ...deviceEventMessage(decoded.event) }]);
    });
    onClose(this, async (removed) => {
      if (removed) mqtt?.delete(this.id);
    });
  }
  RED.nodes.registerType('chirpstack-events', EventsNode);
};

export = init;
