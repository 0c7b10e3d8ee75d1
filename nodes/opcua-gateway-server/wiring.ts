/** What a server and the database of its gateway tell each other while the node is deployed. */
import { ClientAudit, type OpcuaDoors } from '../../lib/admin';
import { type CommandDoors, type Logger, systemClock, type Unsubscribe } from '../../lib/model';
import type { GatewayServer, ModelSource, ServerSettings } from '../../lib/opcua';
import type { DatabaseService } from '../common/services';

/** Lets questions about users know those of the settings, also while the server does not run. */
export function tellAdministrators(service: DatabaseService, settings: ServerSettings): Unsubscribe {
  const administrators = settings.users.map(({ name, roles, password }) => ({
    name,
    roles,
    hasPassword: password !== undefined,
  }));
  service.administrators = administrators;
  return () => {
    // After a redeploy they are those of the successor.
    if (service.administrators === administrators) service.administrators = [];
  };
}

/** Wires a server that runs. */
export function wire(service: DatabaseService, server: GatewayServer, logger: Logger): Unsubscribe {
  const audit = new ClientAudit({
    commit: (journal) => service.store.commit({ records: [], removed: [], journal }),
    clock: systemClock,
    logger,
  });
  const opcua: OpcuaDoors = {
    counts: () => server.clientCounts(),
    get ownCertificate() {
      return server.ownCertificate;
    },
    endpointUrls: server.endpointUrls,
    certificates: server.certificates,
    sessions: server.sessions,
  };
  service.opcua = opcua;
  let isWired = true;
  const unsubscribes = [
    server.attach(modelSource(service)),
    service.store.onHealth((health) => server.publishStoreHealth(health)),
    server.onClientEvent((event) => audit.take(event)),
    serveCommands(service, server),
    service.health.onHealth((health) => server.publishHealth(health)),
    () => {
      isWired = false;
      // It never rejects, and hands over what it has before the store closes.
      void audit.close();
      if (service.opcua === opcua) service.opcua = undefined;
    },
  ];
  server.publishHealth(service.health.current());
  // Not before they are known: whoever is not among the users is thrown out.
  void service.users.opened.then(() => {
    if (isWired) unsubscribes.push(server.attachUsers(service.users));
  });
  return () => {
    for (const unsubscribe of unsubscribes) unsubscribe();
  };
}

/** Lets clients send commands through the queue that the database has now, and through its successors. */
function serveCommands({ commands }: DatabaseService, server: GatewayServer): Unsubscribe {
  let detach: Unsubscribe | undefined;
  const follow = (doors: CommandDoors | undefined): void => {
    detach?.();
    detach = doors === undefined ? undefined : server.attachCommands(doors);
  };
  follow(commands.current);
  const stop = commands.onChange(follow);
  return () => {
    stop();
    follow(undefined);
  };
}

function modelSource({ store, ownMeanings }: DatabaseService): ModelSource {
  return {
    inventory: () => store.inventory.merged(),
    onInventory: (listener) => store.inventory.onChange(() => listener()),
    onGatewaysSeen: (listener) => store.inventory.onGatewaysSeen(listener),
    metrics: () => store.metrics.all(),
    onMetrics: (listener) => store.metrics.onChange(listener),
    value: (devEui, key) => store.values.get(devEui, key),
    // Another table comes with another source: a deploy makes both anew.
    meanings: { of: ownMeanings, onChange: () => () => undefined },
    history: {
      readHistory: (request, encoding, signal) => store.readEncodedHistory(request, encoding, signal),
    },
  };
}
