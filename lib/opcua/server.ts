/** The OPC UA server of the gateway: its life, its security, and what is put into it. */
import type { OPCUAServer } from 'node-opcua';
import {
  type ClientCounts,
  type Clock,
  type CommandDoors,
  type ConnectionHealth,
  type DeviceEvent,
  endsWithin,
  errorText,
  type GatewayHealth,
  type Logger,
  type Random,
  type Reading,
  type StoreHealth,
  type Unsubscribe,
} from '../model';
import type { ModelSource } from './address-space/model-source';
import { endpointText, isWeak } from './endpoints';
import { listenError } from './errors';
import { loadLibrary } from './library';
import { captureLibraryLog } from './library-log';
import { LiveSettings } from './live-settings';
import { openServer, type Running } from './opening';
import { RepeatedEntries } from './repeated';
import { Accounts, type UserSource } from './security/accounts';
import type { CertificateSummary } from './security/certificate-summary';
import type { Certificates } from './security/certificates';
import type { ClientEvent, ConnectedClient } from './security/client-events';
import { openPki, type Pki } from './security/pki';
import { monitoredItemsOf, type Sessions } from './security/sessions';
import { type Reachability, SelfCheck } from './self-check';
import type { ServerSettings } from './settings';

export interface ServerDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

export interface ClientSummary extends ClientCounts {
  readonly clients: readonly ConnectedClient[];
}

/** How long clients are told that the server goes down before it does, ms. */
const SHUTDOWN_NOTICE = 1_000;
/** How long the library may take to shut down; then connections and port are taken from it, ms. */
const SHUTDOWN_LIMIT = 3_000;

export class GatewayServer {
  readonly #settings: LiveSettings;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #repeated: RepeatedEntries;
  readonly #accounts: Accounts;
  readonly #sources = new Map<ModelSource, { detach: Unsubscribe | undefined }>();
  #commands: { readonly doors: CommandDoors; detach: Unsubscribe | undefined } | undefined;
  readonly #listeners = new Map<(event: ClientEvent) => void, Unsubscribe | undefined>();
  #running: Running | undefined;
  #selfCheck: SelfCheck | undefined;
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;

  constructor(settings: ServerSettings, deps: ServerDeps) {
    this.#settings = new LiveSettings(settings, (error) =>
      deps.logger.error({
        operation: 'configure',
        event: 'failed',
        reason: 'internal',
        message: `a setting could not be taken over: ${errorText(error)}`,
      }),
    );
    this.#clock = deps.clock;
    this.#logger = deps.logger;
    this.#repeated = new RepeatedEntries(deps.clock);
    this.#accounts = new Accounts(settings.users, (error) =>
      deps.logger.error({
        operation: 'authenticate',
        event: 'failed',
        reason: 'internal',
        message: `sessions of a user who may do less now could not be ended: ${errorText(error)}`,
      }),
    );
  }

  /** Those that are in force now. */
  get settings(): ServerSettings {
    return this.#settings.all;
  }

  /**
   * Takes over settings without a restart, sessions and subscriptions go on: limits, and how values are shown. What is
   * open stays open when a limit becomes lower; the limit holds for what is asked for from now on.
   * @throws RangeError, and nothing has changed, if they differ in where the server is or whom it lets in
   */
  apply(settings: ServerSettings): void {
    const changes = this.#settings.replace(settings);
    if (changes.length === 0) return;
    this.#logger.info({
      operation: 'configure',
      event: 'changed',
      message: `OPC UA server takes over without a restart: ${changes.join(', ')}`,
      count: changes.length,
    });
  }

  /**
   * Starts listening; the nodes of devices are made afterwards. A server starts once: make a new one after a failure
   * or {@link stop}.
   * @throws PortInUseError, PkiFolderError, InvalidInputError (host or port that this machine does not give)
   */
  start(): Promise<void> {
    this.#starting ??= this.#start();
    return this.#starting;
  }

  /** Tells clients, closes everything and frees the port, within four seconds. Idempotent; never rejects. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /** URLs that clients are told, without doubles; empty while the server does not run. */
  get endpointUrls(): readonly string[] {
    const descriptions = this.#running?.server.endpoints[0]?.endpointDescriptions() ?? [];
    return [...new Set(descriptions.map(({ endpointUrl }) => endpointUrl ?? ''))];
  }

  /** The port that is listened on; the one of the settings while the server does not run. */
  get port(): number {
    return this.#running?.server.endpoints[0]?.port ?? this.settings.port;
  }

  /** Whether clients reach the server at its URLs, seen from this machine; empty until the first look is over. */
  get reachability(): readonly Reachability[] {
    return this.#selfCheck?.results ?? [];
  }

  /** Resolves when the look at its own URLs that is under way is over. */
  async checked(): Promise<void> {
    await this.#selfCheck?.settled();
  }

  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  /**
   * Builds the address space from a source and keeps it in step until the returned function is called. The nodes stay
   * after that, so that another source (after a redeploy) can go on with them. May be called before {@link start}.
   */
  attach(source: ModelSource): Unsubscribe {
    const entry: { detach: Unsubscribe | undefined } = { detach: this.#running?.model.attach(source) };
    this.#sources.set(source, entry);
    return () => {
      if (this.#sources.get(source) === entry) this.#sources.delete(source);
      entry.detach?.();
      entry.detach = undefined;
    };
  }

  /**
   * Shows and serves the commands of a queue until the returned function is called; one attached before is given up.
   * Without one the nodes stay, writes and calls are answered BadNotConnected, and values turn BadOutOfService after ten
   * seconds, in which a deploy may bring another one. May be called before {@link start}.
   */
  attachCommands(doors: CommandDoors): Unsubscribe {
    this.#commands?.detach?.();
    const entry = { doors, detach: this.#running?.model.commands.attach(doors) };
    this.#commands = entry;
    return () => {
      if (this.#commands !== entry) return;
      this.#commands = undefined;
      entry.detach?.();
    };
  }

  /**
   * Lets in the users of a source, besides those of the settings, and follows its changes until the returned function
   * is called; a source attached before is given up. Sessions of a user who is removed, disabled, gets another
   * password or loses a role end at once. The users stay after that, so that another source (after a redeploy) can go
   * on with them. May be called before {@link start}.
   */
  attachUsers(source: UserSource): Unsubscribe {
    return this.#accounts.attach(source);
  }

  /** Resolves when the address space shows all that its sources have told. */
  async settled(): Promise<void> {
    await this.#running?.model.settled();
  }

  /** Shows what a reading says, unless something newer is shown. Cheap: called for every reading. */
  publish(reading: Reading): void {
    this.#running?.model.publish(reading);
  }

  /** Shows the status and joins of devices; other events have nothing to show. */
  publishDeviceEvent(event: DeviceEvent): void {
    this.#running?.model.publishEvent(event);
  }

  /** Shows how the gateway as a whole is doing; what was published by the two below goes along. */
  publishHealth(health: GatewayHealth): void {
    this.#running?.gateway.setHealth(health);
  }

  /** @param connection its id makes the node id, its name is for people */
  publishConnectionHealth(connection: { readonly id: string; readonly name: string }, health: ConnectionHealth): void {
    this.#running?.gateway.setConnection(connection, health);
  }

  publishStoreHealth(health: StoreHealth): void {
    this.#running?.gateway.setStore(health);
  }

  /** Whom the server trusts; `undefined` while it does not run. */
  get certificates(): Certificates | undefined {
    return this.#running?.security.certificates;
  }

  /** The certificate by which clients know this server; `undefined` while it does not run. */
  get ownCertificate(): CertificateSummary | undefined {
    return this.#running?.security.certificates.own;
  }

  /** Ends what is connected by a certificate that is trusted no more, as is done each minute and when files come. */
  async judgeCertificates(): Promise<void> {
    await this.#running?.security.look();
  }

  /** Who is connected; `undefined` while the server does not run. */
  get sessions(): Sessions | undefined {
    return this.#running?.sessions;
  }

  clients(): ClientSummary {
    return { ...this.clientCounts(), clients: this.#running?.clients.connected() ?? [] };
  }

  clientCounts(): ClientCounts {
    const engine = this.#running?.server.engine;
    const sessions = engine?.getSessions() ?? [];
    return {
      sessions: sessions.length,
      channels: this.#running?.server.currentChannelCount ?? 0,
      subscriptions: engine?.currentSubscriptionCount ?? 0,
      monitoredItems: sessions.reduce((sum, session) => sum + monitoredItemsOf(session), 0),
    };
  }

  /** Told what clients do. May be called before {@link start}. */
  onClientEvent(listener: (event: ClientEvent) => void): Unsubscribe {
    const entry = (event: ClientEvent): void => listener(event);
    this.#listeners.set(entry, this.#running?.clients.on(entry));
    return () => {
      this.#listeners.get(entry)?.();
      this.#listeners.delete(entry);
    };
  }

  async #start(): Promise<void> {
    const begun = this.#clock.monotonic();
    const library = await loadLibrary();
    const releaseLog = captureLibraryLog(library, this.#logger, this.#repeated);
    let pki: Pki | undefined;
    let server: OPCUAServer | undefined;
    try {
      pki = await openPki(library, this.#settings.fixed, this.#clock, this.#logger);
      this.#running = await openServer({
        library,
        pki,
        settings: this.#settings,
        accounts: this.#accounts,
        clock: this.#clock,
        logger: this.#logger,
        repeated: this.#repeated,
        releaseLog,
        onMade: (made) => {
          server = made;
        },
      });
    } catch (error) {
      await this.#giveUp(server, pki);
      releaseLog();
      throw listenError(error, this.settings);
    }
    const { model, clients } = this.#running;
    for (const [source, entry] of this.#sources) entry.detach = model.attach(source);
    if (this.#commands !== undefined) this.#commands.detach = model.commands.attach(this.#commands.doors);
    for (const listener of this.#listeners.keys()) this.#listeners.set(listener, clients.on(listener));
    this.#announce(this.#clock.monotonic() - begun);
    this.#selfCheck = new SelfCheck({
      library,
      clock: this.#clock,
      logger: this.#logger,
      urls: this.endpointUrls,
      applicationUri: this.settings.applicationUri,
      onUnreachable: ({ url, reason = '' }) => clients.endpointUnreachable(url, reason),
    });
    this.#selfCheck.start();
  }

  #announce(duration: number): void {
    const { settings } = this;
    this.#logger.info({
      operation: 'start',
      event: 'ready',
      message: `OPC UA server listens: ${this.endpointUrls.join(', ')}`,
      address: `${settings.host ?? '*'}:${this.port}`,
      duration_ms: Math.round(duration),
    });
    const warn = (message: string, cure: string): void =>
      this.#logger.warn({ operation: 'start', event: 'diagnostic', reason: 'bad-setting', message, cure });
    if (settings.trustAllClients)
      warn(
        'OPC UA trusts every client certificate: anybody on the network may connect',
        'Turn this off and move the certificates of known clients from the rejected to the trusted folder.',
      );
    const weak = settings.endpoints.filter(isWeak).map(endpointText);
    if (weak.length > 0)
      warn(`OPC UA offers endpoints that do not protect: ${weak.join(', ')}`, 'Remove them once no client needs them.');
    if (settings.allowAnonymous)
      warn('OPC UA lets clients in without a login', 'Turn anonymous access off and give each client a user.');
    if (this.#accounts.size === 0 && !settings.allowAnonymous)
      warn('OPC UA has no users yet: nobody can log in', 'Add a user.');
  }

  async #giveUp(server: OPCUAServer | undefined, pki: Pki | undefined): Promise<void> {
    try {
      await server?.shutdown(0);
      server?.dispose();
    } catch (error) {
      this.#logger.debug({ operation: 'stop', event: 'failed', reason: 'internal', message: errorText(error) });
    }
    await pki?.dispose();
  }

  async #stop(): Promise<void> {
    // A start that is under way cannot be interrupted; what it made is taken down.
    await this.#starting?.catch(() => undefined);
    const running = this.#running;
    this.#running = undefined;
    this.#repeated.flush();
    this.#accounts.close();
    if (running === undefined) return;
    const { server, pki, model, history, protection, releaseLog } = running;
    protection.close();
    for (const entry of this.#sources.values()) {
      entry.detach?.();
      entry.detach = undefined;
    }
    this.#commands?.detach?.();
    model.close();
    history.close();
    running.security.close();
    const shutdown = server.shutdown(server.currentSessionCount > 0 ? SHUTDOWN_NOTICE : 0);
    try {
      if (!(await endsWithin(this.#clock, shutdown, SHUTDOWN_LIMIT))) throw new Error('it takes too long');
    } catch (error) {
      protection.freePort();
      this.#logger.warn({
        operation: 'stop',
        event: 'failed',
        reason: 'internal',
        message: `OPC UA server did not stop cleanly: ${errorText(error)}`,
      });
    }
    await pki.dispose();
    this.#repeated.flush();
    releaseLog();
    this.#logger.info({ operation: 'stop', event: 'stopped', message: 'OPC UA server stopped' });
  }
}
