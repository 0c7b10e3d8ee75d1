/** Puts a server together: security, address space, history and what watches over clients; then it listens. */
import type { AddressSpace, OPCUAServer, OPCUAServerOptions, ServerSession } from 'node-opcua';
import { type Clock, type Logger, packageVersion } from '../model';
import { GatewayNodes } from './address-space/gateway-nodes';
import { InformationModel } from './address-space/information-model';
import { publishRights } from './address-space/namespaces';
import { NodeFactory } from './address-space/node-factory';
import { CommandService } from './commands/command-service';
import { publishCapabilities } from './history/capabilities';
import { continuationKey } from './history/continuation-key';
import { HistoryService } from './history/service';
import type { Library } from './library';
import type { LiveSettings } from './live-settings';
import type { ServerGuards } from './protection/guarded-server';
import { type Protection, protect, tellFailure } from './protection/protection';
import { type GuardOptions, guardRequest } from './protection/request-guard';
import type { RepeatedEntries } from './repeated';
import type { Accounts } from './security/accounts';
import { Audit } from './security/audit';
import { Authenticator } from './security/authentication';
import { ClientWatch } from './security/client-events';
import { Identities } from './security/identities';
import type { Pki } from './security/pki';
import { grantRights } from './security/roles';
import { type Security, watchSecurity } from './security/security';
import { Sessions } from './security/sessions';
import { createServer, createUserManager, type OnLoginRefused, setSessionRoles } from './security/user-manager';
import { serverOptions, withdrawEndpoints } from './server-options';

/** Everything that exists while a server runs. */
export interface Running {
  readonly library: Library;
  readonly server: OPCUAServer;
  readonly pki: Pki;
  readonly model: InformationModel;
  readonly gateway: GatewayNodes;
  readonly clients: ClientWatch;
  readonly sessions: Sessions;
  readonly security: Security;
  readonly history: HistoryService;
  readonly protection: Protection;
  readonly releaseLog: () => void;
}

export interface Opening {
  readonly library: Library;
  readonly pki: Pki;
  readonly settings: LiveSettings;
  readonly accounts: Accounts;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly repeated: RepeatedEntries;
  readonly releaseLog: () => void;
  /** Told as soon as there is something to be taken down after a failure. */
  readonly onMade: (server: OPCUAServer) => void;
}

/** @throws any error of the library; what was made until then is the caller's to take down */
export async function openServer(opening: Opening): Promise<Running> {
  const { library, pki, settings, accounts, clock, logger, repeated, releaseLog } = opening;
  const authenticator = new Authenticator(accounts, { clock });
  const identities = new Identities(library, accounts);
  let clients: ClientWatch | undefined;
  const onRefused: OnLoginRefused = (session, user, reason) => clients?.loginRefused(session, user, reason);
  const options: OPCUAServerOptions = {
    ...serverOptions(library, settings, pki, packageVersion()),
    userManager: createUserManager(library, authenticator, identities, onRefused),
  };
  const guards: ServerGuards = {
    places: undefined,
    isAdministrator: (token) => accounts.find(identities.nameOf(token))?.roles.includes('SecurityAdmin') === true,
    clock,
    onFailure: (service, error) => tellFailure(logger, repeated, service, error),
  };
  const server = createServer(library, options, identities, onRefused, guards);
  opening.onMade(server);
  server.on('create_session', (session: ServerSession) => setSessionRoles(library, server, session, identities));
  await server.initialize();
  const { addressSpace } = server.engine;
  if (addressSpace === null) throw new Error('the OPC UA library made no address space');
  withdrawEndpoints(library, server, settings.fixed.endpoints);

  const factory = await NodeFactory.open(library, addressSpace, clock);
  grantRights(library, addressSpace, settings.fixed.allowAnonymous);
  publishRights(library, [factory.namespaces.model, factory.namespaces.gateway]);
  const gateway = new GatewayNodes(factory, packageVersion());
  const model = new InformationModel({
    factory,
    clock,
    logger,
    repeated,
    settings,
  });
  const history = await serveHistory(opening, server, addressSpace, factory, model);
  showServiceLevel(library, addressSpace, gateway);
  guardRequests(opening, server, factory);
  let audit: Audit | undefined;
  const onCertificateRefused: Audit['certificateRefused'] = (...refused) => audit?.certificateRefused(...refused);
  clients = new ClientWatch(
    { library, server, pki, identities, clock, logger, repeated, onCertificateRefused },
    (count) => gateway.setSessions(count),
  );
  const sessions = new Sessions(library, server, clients);
  const security = await watchSecurity({
    library,
    server,
    pki,
    settings: settings.fixed,
    accounts,
    sessions,
    clients,
    clock,
    logger,
  });
  const protection = protect({
    library,
    server,
    settings,
    guards,
    clock,
    logger,
    repeated,
    onConnectionRefused: (address, reason) => clients?.connectionRefused(address, reason),
  });
  const commands = new CommandService({ library, engine: server.engine, model: model.commands, clock });
  audit = new Audit({ library, server, clients, clock, logger, commandOf: (part) => commands.idOf(part) });
  try {
    await server.start();
  } catch (error) {
    security.close();
    protection.close();
    throw error;
  }
  return { library, server, pki, model, gateway, clients, sessions, security, history, protection, releaseLog };
}

/** Answers HistoryRead in place of the library, which asks node by node and cannot see a request as a whole. */
async function serveHistory(
  { library, pki, settings, clock, logger, repeated }: Opening,
  server: OPCUAServer,
  addressSpace: AddressSpace,
  factory: NodeFactory,
  model: InformationModel,
): Promise<HistoryService> {
  const history = new HistoryService({
    library,
    addressSpace,
    clock,
    logger,
    repeated,
    key: await continuationKey(pki.folder),
    settings,
    metric: ({ namespace, value }) =>
      factory.isPushed(namespace) && typeof value === 'string' ? model.metric(value) : undefined,
    source: (target) => model.history(target),
  });
  server.engine.historyRead = (context, request) => history.read(context, request);
  publishCapabilities(library, server);
  return history;
}

function showServiceLevel({ Variant, DataType }: Library, addressSpace: AddressSpace, gateway: GatewayNodes): void {
  addressSpace.rootFolder.objects.server.serviceLevel.bindVariable(
    { get: () => new Variant({ dataType: DataType.Byte, value: gateway.serviceLevel }) },
    true,
  );
}

function guardRequests({ library, settings }: Opening, server: OPCUAServer, factory: NodeFactory): void {
  const options: GuardOptions = {
    isPushed: (index) => factory.isPushed(index),
    get samplingRewrite() {
      return settings.current.samplingRewrite;
    },
    findItem: (subscriptionId, itemId) => {
      const item = server.engine.findSubscription(subscriptionId)?.getMonitoredItem(itemId);
      const namespace = item?.node?.nodeId.namespace;
      return item && namespace !== undefined ? { namespace, attribute: item.itemToMonitor.attributeId } : undefined;
    },
  };
  server.on('request', (request: unknown) => guardRequest(library, request, options));
}
