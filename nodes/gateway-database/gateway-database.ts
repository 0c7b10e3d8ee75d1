import { isAbsolute, join, resolve } from 'node:path';
import type { NodeAPI, NodeDef } from 'node-red';
import { HealthMonitor, processProbe, UserDirectory } from '../../lib/admin';
import {
  checkNodeVersion,
  errorText,
  FaultCollector,
  ownMeanings,
  parseMeaningRules,
  systemClock,
} from '../../lib/model';
import { GatewayStore, parseStoreSettings } from '../../lib/store';
import { CommandHolder } from '../common/command-holder';
import { configure } from '../common/configuration';
import { onClose } from '../common/lifecycle';
import { redLogger } from '../common/red-logger';
import type { DatabaseService, GatewayDatabaseNode } from '../common/services';

interface Properties extends NodeDef {
  backend: string;
  /** Relative paths are inside Node-RED's user folder. */
  file: string;
  retentionDays: string;
  /** Retention and dead-band of devices and metrics. */
  rules: unknown;
  /** Units, ranges and states of devices and metrics. */
  meanings: unknown;
  maximumSizeMegabytes: string;
  eventDays: string;
  auditDays: string;
  commandDays: string;
}

const init = (RED: NodeAPI): void => {
  function DatabaseNode(this: GatewayDatabaseNode, properties: Properties): void {
    RED.nodes.createNode(this, properties);
    const logger = redLogger(RED, this, 'store');
    const userFolder = resolve(RED.settings.userDir ?? process.cwd());
    const configured = configure(RED, this, logger, () => {
      checkNodeVersion(process.versions.node);
      const file = properties.file?.trim() || 'lorua.db';
      const collector = new FaultCollector();
      const meanings = parseMeaningRules(collector, 'meanings', properties.meanings);
      const settings = collector.attempt(() =>
        parseStoreSettings({ ...properties, file: isAbsolute(file) ? file : join(userFolder, file) }),
      );
      collector.throwIfAny();
      return settings && { settings, meanings };
    });
    if (configured === undefined) return;
    const { settings, meanings } = configured;
    const store = GatewayStore.create(settings, { clock: systemClock, logger });
    const opened = store.open().catch((error: unknown) => {
      logger.error({ operation: 'store', event: 'failed', reason: 'internal', message: errorText(error) });
    });
    const service: DatabaseService = {
      store,
      settings,
      ownMeanings: ownMeanings(meanings),
      folders: { exports: join(userFolder, 'exports'), backups: join(userFolder, 'backups') },
      opened,
      connections: new Map(),
      mqtt: new Map(),
      freshness: undefined,
      commands: new CommandHolder(logger),
      opcua: undefined,
      administrators: [],
      users: new UserDirectory({ store, clock: systemClock, logger }),
      health: new HealthMonitor({
        store,
        connections: () => service.connections.values(),
        mqtt: () =>
          [...service.mqtt].flatMap(([id, { name, watch }]) => {
            const health = watch.health();
            return health === undefined ? [] : [{ id, name, ...health }];
          }),
        ages: () => service.freshness?.(),
        commands: () => service.commands.current?.counts(),
        clients: () => service.opcua?.counts(),
        certificate: () => service.opcua?.ownCertificate,
        process: processProbe(),
        clock: systemClock,
        logger,
      }),
    };
    this.service = service;
    void opened.then(() => {
      service.health.start();
      return service.users.open();
    });
    onClose(this, () => {
      service.health.close();
      service.users.close();
      // A queue that closes at the same time still notes what became of its calls.
      return Promise.all([opened, service.commands.ended]).then(() => store.close());
    });
  }
  RED.nodes.registerType('gateway-database', DatabaseNode);
};

export = init;
