import type { Node, NodeAPI, NodeDef, NodeMessageInFlow } from 'node-red';
import { deviceEventFromMessage, parseReadingMessage, readingMessage } from '../../lib/messages';
import { faultText, systemClock } from '../../lib/model';
import { parseStaleDetectorSettings, StaleDetector } from '../../lib/quality';
import { configure, reportMissing } from '../common/configuration';
import { onInput, reportFault } from '../common/input';
import { onClose, onFlowsStarted } from '../common/lifecycle';
import { redLogger } from '../common/red-logger';
import { type DatabaseService, isDatabaseNode } from '../common/services';
import { StatusReporter } from '../common/status';

interface Properties extends NodeDef {
  database: string;
  /** s; empty = from each profile's uplink interval */
  staleAfter: string;
  /** uplink intervals until a value is stale */
  intervals: string;
  /** dead after so many times the stale threshold */
  deadFactor: string;
  rules: unknown;
}

const init = (RED: NodeAPI): void => {
  function StaleDetectorNode(this: Node, properties: Properties): void {
    RED.nodes.createNode(this, properties);
    const logger = redLogger(RED, this, 'quality');
    const databaseNode = RED.nodes.getNode(properties.database);
    const settings = configure(RED, this, logger, () => parseStaleDetectorSettings(properties));
    if (settings === undefined) return;
    if (!isDatabaseNode(databaseNode) || databaseNode.service === undefined) {
      reportMissing(RED, this, logger, 'database', 'Choose a gateway-database and correct what its log says.');
      return;
    }
    const { service } = databaseNode;
    const { store } = service;
    const status = new StatusReporter(this);
    const detector = new StaleDetector({
      clock: systemClock,
      logger,
      settings,
      inventory: () => store.inventory.merged(),
      keysOf: (devEui) =>
        store.metrics.ofDevice(devEui).map(({ key }) => ({ key, current: store.values.get(devEui, key) })),
    });
    const showCounts = (): void => {
      const { fresh, stale, dead } = detector.staleCount();
      const text = RED._('stale-detector.status.counts', { fresh, stale, dead });
      if (stale + dead > 0) status.show('yellow', 'dot', text);
      else status.show('green', 'dot', text);
    };
    const freshness = (): ReturnType<NonNullable<DatabaseService['freshness']>> => ({
      values: detector.staleCount(),
      devices: detector.deviceCount(),
    });
    service.freshness = freshness;

    const unsubscribes: (() => void)[] = [];
    onFlowsStarted(RED, this, () => {
      unsubscribes.push(
        detector.onQuality((reading) => {
          store.applyQuality(reading);
          showCounts();
          this.send(readingMessage(reading));
        }),
        detector.onGap((gap) => store.markGap(gap)),
        store.inventory.onChange((change) => detector.inventoryChanged(change)),
      );
      // Values that no reading passes through after a deploy grow old as well.
      void service.opened.then(() => detector.start());
    });

    const pass = (message: NodeMessageInFlow): ReturnType<typeof readingMessage> => {
      const { reading, faults } = parseReadingMessage(message, systemClock);
      for (const fault of faults) reportFault(this, faultText(fault), message);
      const observed = detector.observe(reading);
      // A restored value may turn out to be fresh, stale or dead: the store's picture follows.
      if (observed !== reading) store.applyQuality(observed);
      return readingMessage(observed, message);
    };
    onInput(this, (message, send) => {
      if (message.topic === 'device-event') {
        detector.observeDeviceEvent(deviceEventFromMessage(message));
        send(message);
      } else if (message.topic === 'health') send(message);
      else send(pass(message));
      showCounts();
    });
    onClose(this, async () => {
      for (const unsubscribe of unsubscribes) unsubscribe();
      if (service.freshness === freshness) service.freshness = undefined;
      detector.close();
    });
  }
  RED.nodes.registerType('stale-detector', StaleDetectorNode);
};

export = init;
