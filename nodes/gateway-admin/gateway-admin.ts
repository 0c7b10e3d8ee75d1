import type { Node, NodeAPI, NodeDef } from 'node-red';
import { Administration } from '../../lib/admin';
import { systemClock } from '../../lib/model';
import { reportMissing } from '../common/configuration';
import { onInput } from '../common/input';
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
    const { service } = databaseNode;
    const administration = new Administration({
      store: service.store,
      connections: () => [...service.connections.values()],
      freshness: () => service.freshness?.() ?? { fresh: 0, stale: 0, dead: 0 },
      opcua: () => service.opcua?.(),
      clock: systemClock,
      logger,
    });
    onInput(this, async (message, send) => {
      const user = (message as { _client?: { user?: { userId?: unknown } } })._client?.user?.userId;
      const answer = await administration.handle(
        message.topic ?? '',
        message.payload,
        typeof user === 'string' ? user : undefined,
      );
      send({ ...message, payload: answer });
    });
  }
  RED.nodes.registerType('gateway-admin', AdminNode);
};

export = init;
