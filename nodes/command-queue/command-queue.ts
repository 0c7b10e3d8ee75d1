import type { Node, NodeAPI, NodeDef } from 'node-red';
import { ChirpstackDownlinks } from '../../lib/chirpstack';
import { CommandQueue, commandDoors, KnownDevices, MessageDownlinks, parseQueueSettings } from '../../lib/commands';
import { commandStatusMessage, downlinkMessage } from '../../lib/messages';
import { errorText, systemClock, type Timer } from '../../lib/model';
import { configure, reportMissing } from '../common/configuration';
import { onInput } from '../common/input';
import { onClose, onFlowsStarted } from '../common/lifecycle';
import { redLogger } from '../common/red-logger';
import { isConnectionNode, isDatabaseNode } from '../common/services';
import { StatusReporter } from '../common/status';
import { commonText } from '../common/texts';
import { serveForm } from './form-service';
import { QueueInput } from './queue-input';
import { refuseEverything } from './refusals';

interface Properties extends NodeDef {
  database: string;
  /** Only for `grpc`. */
  connection: string;
  /** `grpc` or `message` */
  dispatch: string;
  /** As docs/commands.md describes them; a text is `${NAME}` or JSON. */
  definitions: unknown;
  maxPerDevice: string;
}

/** ms between two looks at how many commands are where, while they change. */
const SHOW_INTERVAL = 500;
/** ms until a queue that could not be loaded is tried again. */
const RETRY = 5_000;

const init = (RED: NodeAPI): void => {
  serveForm(RED);

  function CommandQueueNode(this: Node, properties: Properties): void {
    RED.nodes.createNode(this, properties);
    const logger = redLogger(RED, this, 'commands');
    const connectionNode = RED.nodes.getNode(properties.connection);
    const databaseNode = RED.nodes.getNode(properties.database);
    const settings = configure(RED, this, logger, () => parseQueueSettings(properties));
    if (settings === undefined) {
      refuseEverything(this);
      return;
    }
    const { dispatch, definitions, maxPerDevice } = settings;
    const connection = isConnectionNode(connectionNode) ? connectionNode.connection : undefined;
    if (dispatch === 'grpc' && connection === undefined) {
      const cure = 'Choose a chirpstack-connection and correct what its log says, or send commands as messages.';
      reportMissing(RED, this, logger, 'connection', cure);
      refuseEverything(this);
      return;
    }
    if (!isDatabaseNode(databaseNode) || databaseNode.service === undefined) {
      reportMissing(RED, this, logger, 'database', 'Choose a gateway-database and correct what its log says.');
      refuseEverything(this);
      return;
    }
    const { service } = databaseNode;
    const { store, commands: holder } = service;
    const status = new StatusReporter(this);
    if (!holder.claim(this)) {
      logger.error({
        operation: 'configure',
        event: 'refused',
        reason: 'bad-setting',
        message: 'database has a command-queue already: two would send each command twice',
        cure: 'Use one command-queue for each gateway-database.',
      });
      status.show('red', 'ring', RED._('command-queue.status.second'));
      refuseEverything(this);
      return;
    }

    const devices = new KnownDevices(() => store.inventory.merged(), dispatch === 'grpc');
    const downlinks =
      dispatch === 'grpc' && connection !== undefined
        ? new ChirpstackDownlinks(connection)
        : new MessageDownlinks((downlink) =>
            this.send([null, downlinkMessage(downlink, devices.reference(downlink.devEui))]),
          );
    const queue = new CommandQueue({
      clock: systemClock,
      random: Math.random,
      logger,
      store,
      downlinks,
      definitions: () => definitions,
      devices: (devEui) => devices.find(devEui),
      maxPerDevice,
    });
    const doors = commandDoors({
      queue,
      definitions: () => definitions,
      devices: (devEui) => devices.find(devEui),
      store,
    });
    const input = new QueueInput({ queue, doors, devices, users: service.users });
    let state: 'waiting' | 'open' | 'closed' = 'waiting';
    let trouble = '';
    let timer: Timer | undefined;

    const show = (): void => {
      const { queued, sending, enqueued, awaiting } = queue.counts();
      const counts = RED._('command-queue.status.counts', { waiting: queued + sending, enqueued, sent: awaiting });
      const link = dispatch === 'grpc' ? connection?.state().state : undefined;
      const { state: health, reason } = store.health();
      if (trouble !== '') status.show('red', 'ring', trouble);
      else if (state === 'waiting') status.show('yellow', 'ring', RED._('command-queue.status.opening'));
      else if (health === 'degraded') status.show('red', 'ring', `${reason} (${counts})`);
      else if (link === 'disconnected')
        status.show('red', 'ring', `${commonText(RED, 'status.disconnected')} (${counts})`);
      else if (link === 'unauthenticated')
        status.show('red', 'ring', `${RED._('command-queue.status.unauthenticated')} (${counts})`);
      else status.show('green', 'dot', counts);
    };
    const showSoon = (): void => {
      timer ??= systemClock.after(SHOW_INTERVAL, () => {
        timer = undefined;
        if (state !== 'closed') show();
      });
    };
    const unsubscribes = [
      store.onHealth(() => showSoon()),
      connection?.onState(() => showSoon()) ?? (() => undefined),
      queue.onStatus((news) => {
        const { command } = news;
        this.send([commandStatusMessage(news, devices.reference(command.devEui), input.askedBy(news)), null]);
        showSoon();
      }),
    ];
    let retry: Timer | undefined;
    const begin = async (): Promise<void> => {
      // What the queue before this one still writes is part of what is loaded.
      await Promise.all([service.opened, holder.ended]);
      if (state === 'closed') return;
      try {
        await queue.start();
      } catch (error) {
        if (trouble !== errorText(error))
          // The store has told the fault itself; this is what follows from it.
          logger.warn({
            operation: 'restore',
            event: 'retrying',
            message: `Commands cannot be loaded: ${errorText(error)}`,
            cure: 'It is tried again every few seconds; see the health of the gateway-database.',
          });
        trouble = errorText(error);
        input.giveUp();
        retry = systemClock.after(RETRY, () => void begin());
        show();
        return;
      }
      trouble = '';
      if ((state as string) === 'closed') return;
      state = 'open';
      holder.set(this, doors);
      input.open();
      show();
    };

    show();
    onFlowsStarted(RED, this, () => void begin());
    onInput(this, (message, send) => input.take(message, send));
    onClose(this, async () => {
      state = 'closed';
      timer?.cancel();
      retry?.cancel();
      for (const unsubscribe of unsubscribes) unsubscribe();
      input.close();
      const closing = queue.close();
      holder.release(this, closing);
      await closing;
    });
  }
  RED.nodes.registerType('command-queue', CommandQueueNode);
};

export = init;
