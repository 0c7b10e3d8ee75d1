import type { Node, NodeAPI, NodeMessageInFlow } from 'node-red';
import { deviceEventFromMessage, healthFromMessage, parseReadingMessage } from '../../lib/messages';
import { errorText, faultText, systemClock, type Timer } from '../../lib/model';
import { type GatewayServer, PortInUseError, type ServerLease, serverRegistry } from '../../lib/opcua';
import { configure, reportMissing } from '../common/configuration';
import { onInput, reportFault } from '../common/input';
import { onClose } from '../common/lifecycle';
import { processIsEnding } from '../common/process-end';
import { redLogger } from '../common/red-logger';
import { isDatabaseNode } from '../common/services';
import { StatusReporter } from '../common/status';
import { type Credentials, type Properties, readSettings } from './settings';
import { startFaults } from './start-faults';
import { tellAdministrators, wire } from './wiring';

/** A port in use, or a folder not writable, may be free again: ms between two tries. */
const RETRY_INTERVAL = 10_000;

const init = (RED: NodeAPI): void => {
  function OpcuaServerNode(this: Node<Credentials>, properties: Properties): void {
    RED.nodes.createNode(this, properties);
    const logger = redLogger(RED, this, 'opcua');
    const databaseNode = RED.nodes.getNode(properties.database);
    const settings = configure(RED, this, logger, () =>
      readSettings(properties, this.credentials, RED.settings.userDir ?? process.cwd()),
    );
    if (settings === undefined) return;
    if (!isDatabaseNode(databaseNode) || databaseNode.service === undefined) {
      reportMissing(RED, this, logger, 'database', 'Choose a gateway-database and correct what its log says.');
      return;
    }
    const { service } = databaseNode;
    const status = new StatusReporter(this);
    const unsubscribes = [tellAdministrators(service, settings)];
    let lease: ServerLease | undefined;
    let retry: Timer | undefined;
    let closed = false;
    /** The fault that the log has told already. */
    let reported = '';

    const showClients = (server: GatewayServer): void => {
      const { port } = server;
      const { sessions } = server.clientCounts();
      const lost = server.reachability.find(({ reachable }) => !reachable);
      if (lost !== undefined)
        status.show(
          'yellow',
          'dot',
          RED._('opcua-gateway-server.status.unreachable', { port, sessions, url: lost.url }),
        );
      else if (settings.trustAllClients)
        status.show('yellow', 'dot', RED._('opcua-gateway-server.status.trusts-all', { port, sessions }));
      else status.show('green', 'dot', RED._('opcua-gateway-server.status.listening', { port, sessions }));
    };

    const serve = (server: GatewayServer): void => {
      unsubscribes.push(
        wire(service, server, logger),
        // Also what nobody tells: that clients reach the server again.
        service.health.onHealth(() => showClients(server)),
        server.onClientEvent((event) => {
          showClients(server);
          this.send({ topic: 'client-event', payload: event });
        }),
      );
      showClients(server);
      RED.events.emit('lorua:opcua-ready', { id: this.id, endpointUrls: server.endpointUrls });
    };

    const begin = async (): Promise<void> => {
      status.show('yellow', 'ring', RED._('opcua-gateway-server.status.starting'));
      await service.opened;
      if (closed) return;
      try {
        const acquired = await serverRegistry.acquire(this.id, settings, {
          clock: systemClock,
          random: Math.random,
          logger,
        });
        lease = acquired;
        if (closed) return;
        serve(acquired.server);
      } catch (error) {
        status.show(
          'red',
          'ring',
          error instanceof PortInUseError
            ? RED._('opcua-gateway-server.status.port-in-use', {
                port: settings.port,
                seconds: RETRY_INTERVAL / 1_000,
              })
            : errorText(error),
        );
        // The same fault again is no news.
        if (errorText(error) !== reported) for (const entry of startFaults(error)) logger.error(entry);
        reported = errorText(error);
        RED.events.emit('lorua:opcua-failed', { id: this.id });
        if (!closed)
          retry = systemClock.after(RETRY_INTERVAL, () => {
            beginning = begin();
          });
      }
    };
    let beginning = begin();

    const receive = (message: NodeMessageInFlow): void => {
      const server = lease?.server;
      if (message.topic === 'device-event') server?.publishDeviceEvent(deviceEventFromMessage(message));
      else if (message.topic === 'health') {
        const { health, connection } = healthFromMessage(message);
        server?.publishConnectionHealth(connection, health);
      } else {
        const { reading, faults } = parseReadingMessage(message, systemClock);
        for (const fault of faults) reportFault(this, faultText(fault), message);
        server?.publish(reading);
      }
    };
    onInput(this, receive);

    onClose(this, async (removed) => {
      closed = true;
      retry?.cancel();
      for (const unsubscribe of unsubscribes) unsubscribe();
      await beginning;
      await lease?.release({ final: removed });
      // Also what an earlier deploy left behind for a successor that never came.
      if (processIsEnding()) await serverRegistry.shutdownAll();
    });
  }
  RED.nodes.registerType<Node<Credentials>, Properties, Record<string, never>, Credentials>(
    'opcua-gateway-server',
    OpcuaServerNode,
    { credentials: { user: { type: 'text' }, password: { type: 'password' } } },
  );
};

export = init;
