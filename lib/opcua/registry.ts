/**
 * Servers outlive the nodes that ask for them: after a redeploy the same server goes on, with the sessions of its
 * clients, unless where it is or whom it lets in has changed. This is the one thing of the process that is global.
 */
import { type Clock, createLogger, type Logger, type Timer } from '../model';
import { fixedDigest } from './live-settings';
import { GatewayServer, type ServerDeps } from './server';
import type { ServerSettings } from './settings';

/** How long a server waits for the next one to ask for it, ms. */
const GRACE_TIME = 10_000;

export interface ServerLease {
  readonly server: GatewayServer;
  /** Whether the server was running already. */
  readonly adopted: boolean;
  /**
   * Gives the server back. It is stopped when nobody asks for it again in time, or at once if `final`. Idempotent.
   */
  release(options: { final: boolean }): Promise<void>;
}

/** A logger whose target can be exchanged: the one of a node that was redeployed is gone. */
class LoggerSwitch {
  target: Logger;
  readonly logger: Logger;

  constructor(target: Logger) {
    this.target = target;
    this.logger = createLogger('opcua', (level, _module, entry) => this.target[level](entry));
  }
}

interface Entry {
  readonly digest: string;
  readonly server: GatewayServer;
  readonly log: LoggerSwitch;
  /** The lease that is valid; older ones are void. */
  holder: symbol | undefined;
  grace: Timer | undefined;
}

export class ServerRegistry {
  readonly #entries = new Map<string, Entry>();
  /** What is being done per key: one thing after the other. */
  readonly #pending = new Map<string, Promise<unknown>>();
  readonly #graceTime: number;

  constructor(graceTime: number = GRACE_TIME) {
    this.#graceTime = graceTime;
  }

  /**
   * The server for a key (the id of the node that configures it). A server that can take over the settings goes on with
   * them; any other one is stopped first, also if it belongs to another key but holds the port.
   * @throws what {@link GatewayServer.start} throws; nothing is left behind then
   */
  acquire(key: string, settings: ServerSettings, deps: ServerDeps): Promise<ServerLease> {
    return this.#inTurn(key, async () => {
      const digest = fixedDigest(settings);
      const known = this.#entries.get(key);
      if (known !== undefined && known.digest === digest && known.server.isRunning) {
        known.log.target = deps.logger;
        deps.logger.info({
          operation: 'start',
          event: 'kept',
          reason: 'redeploy',
          message: 'OPC UA server goes on with its sessions',
          count: known.server.clientCounts().sessions,
        });
        known.server.apply(settings);
        return this.#lease(key, known, true, deps.clock);
      }
      if (known !== undefined) await this.#stop(key, known);
      await this.#stopAbandoned(settings.port);
      const log = new LoggerSwitch(deps.logger);
      const server = new GatewayServer(settings, { ...deps, logger: log.logger });
      await server.start();
      const entry: Entry = { digest, server, log, holder: undefined, grace: undefined };
      this.#entries.set(key, entry);
      return this.#lease(key, entry, false, deps.clock);
    });
  }

  /** Stops all servers, for the end of the process. */
  async shutdownAll(): Promise<void> {
    await Promise.all(
      [...new Set([...this.#entries.keys(), ...this.#pending.keys()])].map((key) =>
        this.#inTurn(key, async () => {
          const entry = this.#entries.get(key);
          if (entry !== undefined) await this.#stop(key, entry);
        }),
      ),
    );
  }

  #lease(key: string, entry: Entry, adopted: boolean, clock: Clock): ServerLease {
    const holder = Symbol(key);
    entry.grace?.cancel();
    entry.grace = undefined;
    entry.holder = holder;
    return {
      server: entry.server,
      adopted,
      release: ({ final }) =>
        this.#inTurn(key, async () => {
          // Whoever came after decides now.
          if (entry.holder !== holder) return;
          entry.holder = undefined;
          if (final) await this.#stop(key, entry);
          else
            entry.grace = clock.after(this.#graceTime, () => {
              void this.#inTurn(key, async () => {
                if (entry.holder === undefined) await this.#stop(key, entry);
              });
            });
        }),
    };
  }

  /** Servers that wait for a successor must not keep a port from one that is needed now. */
  async #stopAbandoned(port: number): Promise<void> {
    for (const [key, entry] of this.#entries)
      if (port !== 0 && entry.holder === undefined && entry.server.port === port) await this.#stop(key, entry);
  }

  async #stop(key: string, entry: Entry): Promise<void> {
    entry.grace?.cancel();
    entry.holder = undefined;
    if (this.#entries.get(key) === entry) this.#entries.delete(key);
    await entry.server.stop();
  }

  #inTurn<T>(key: string, action: () => Promise<T>): Promise<T> {
    const before = this.#pending.get(key) ?? Promise.resolve();
    const turn = before.then(action);
    const settled: Promise<unknown> = turn
      .catch(() => undefined)
      .finally(() => {
        if (this.#pending.get(key) === settled) this.#pending.delete(key);
      });
    this.#pending.set(key, settled);
    return turn;
  }
}

/** The registry of this process. */
export const serverRegistry = new ServerRegistry();
