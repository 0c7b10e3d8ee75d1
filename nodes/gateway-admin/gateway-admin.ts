import type { Node, NodeAPI, NodeDef } from 'node-red';
import { display } from '../../lib/model';
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
      const cure = 'Choose a gateway-database and correct what its log says.';
      reportMissing(RED, this, logger, 'database', cure);
      // Whoever waits for an answer, such as an HTTP request, must not wait for ever.
      const errors = [
        { field: 'database', value: display(properties.database), rule: 'it names a node that works', cure },
      ];
      onInput(this, (message, send) => send({ ...message, payload: { ok: false, errors, revision: 0 } }));
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
