import type { Node, NodeAPI, NodeDef } from 'node-red';
import { Poller, parsePollerSettings } from '../../lib/chirpstack';
import { deviceEventMessage, healthMessage, readingMessage } from '../../lib/messages';
import { type ConnectionHealth, parseSourceId, systemClock } from '../../lib/model';
import { configure, reportMissing } from '../common/configuration';
import { onInput } from '../common/input';
import { onClose, onFlowsStarted } from '../common/lifecycle';
import { redLogger } from '../common/red-logger';
import { isConnectionNode, isDatabaseNode } from '../common/services';
import { StatusReporter } from '../common/status';
import { commonText } from '../common/texts';

interface Properties extends NodeDef {
  connection: string;
  database: string;
  /** s; 0 = only when triggered */
  pollInterval: string;
  streamEvents: boolean | string;
  pollMetrics: boolean | string;
  maximumStreams: string;
}

const init = (RED: NodeAPI): void => {
  function showHealth(status: StatusReporter, health: ConnectionHealth): void {
    switch (health.state) {
      case 'connected':
        status.show('green', 'dot', RED._('chirpstack-poller.status.connected', { devices: health.devices }));
        return;
      case 'connecting':
        status.show('yellow', 'ring', commonText(RED, 'status.connecting'));
        return;
      case 'unauthenticated':
        status.show('red', 'ring', RED._('chirpstack-poller.status.unauthenticated'));
        return;
      case 'disconnected':
        status.show('red', 'ring', `${commonText(RED, 'status.disconnected')}: ${health.reason}`);
    }
  }

  function PollerNode(this: Node, properties: Properties): void {
    RED.nodes.createNode(this, properties);
    const logger = redLogger(RED, this, 'chirpstack');
    const connectionNode = RED.nodes.getNode(properties.connection);
    const databaseNode = RED.nodes.getNode(properties.database);
    const settings = configure(RED, this, logger, () => parsePollerSettings(properties));
    if (settings === undefined) return;
    if (!isConnectionNode(connectionNode) || connectionNode.connection === undefined) {
      reportMissing(RED, this, logger, 'connection', 'Choose a chirpstack-connection and correct what its log says.');
      return;
    }
    if (!isDatabaseNode(databaseNode) || databaseNode.service === undefined) {
      reportMissing(RED, this, logger, 'database', 'Choose a gateway-database and correct what its log says.');
      return;
    }
    const { connection } = connectionNode;
    const { service } = databaseNode;
    const source = parseSourceId(connectionNode.id);
    const identity = { id: connectionNode.id, name: connectionNode.name || connection.settings.address.host };
    const status = new StatusReporter(this);
    let poller: Poller | undefined;
    let closed = false;

    const begin = (): void => {
      if (closed) return;
      const started = new Poller({
        connection,
        source,
        clock: systemClock,
        random: Math.random,
        logger,
        settings,
        known: service.store.inventory.of(source),
      });
      poller = started;
      started.onReading((reading) => this.send([readingMessage(reading), null, null]));
      started.onDeviceEvent((event) => this.send([null, deviceEventMessage(event), null]));
      started.onInventory((inventory) => service.store.inventory.replace(source, inventory));
      started.onHealth((health) => {
        service.connections.set(identity.id, { ...identity, health });
        showHealth(status, health);
        this.send([null, null, healthMessage(health, identity)]);
      });
      started.start();
    };

    status.show('yellow', 'ring', commonText(RED, 'status.connecting'));
    // Streams open with the devices that the store remembers, before the first listing has come back.
    onFlowsStarted(RED, this, () => void service.opened.then(begin));
    onInput(this, () => poller?.pollNow());
    onClose(this, async () => {
      closed = true;
      service.connections.delete(identity.id);
      await poller?.close();
    });
  }
  RED.nodes.registerType('chirpstack-poller', PollerNode);
};

export = init;
