import type { Node, NodeAPI, NodeDef } from 'node-red';
import { administrationOf, userOf } from '../common/administration';
import { reportMissing } from '../common/configuration';
import { onInput } from '../common/input';
import { onClose } from '../common/lifecycle';
import { redLogger } from '../common/red-logger';
import { isDatabaseNode } from '../common/services';

interface Properties extends NodeDef {
  database: string;
}

const init = (RED: NodeAPI): void => {
  function AdminNode(this: Node, properties: Properties): void {
    RED.nodes.createNode(this, properties);
    const logger = redLogger(RED, this, 'dashboard');
    const databaseNode = RED.nodes.getNode(properties.database);
    if (!isDatabaseNode(databaseNode) || databaseNode.service === undefined) {
      reportMissing(RED, this, logger, 'database', 'Choose a gateway-database and correct what its log says.');
      return;
    }
    const administration = administrationOf(databaseNode.service, logger);
    onInput(this, async (message, send) => {
      const answer = await administration.handle(message.topic ?? '', message.payload, userOf(message));
      send({ ...message, payload: answer });
    });
    onClose(this, () => administration.close());
  }
  RED.nodes.registerType('gateway-admin', AdminNode);
};

export = init;
