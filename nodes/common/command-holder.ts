import { type CommandDoors, Emitter, errorText, type Logger, type Unsubscribe } from '../../lib/model';

/** The command queue of a gateway, for those who send commands: there may be none, and it may come and go. */
export interface CommandSource {
  readonly current: CommandDoors | undefined;
  /** Told each time it comes or goes. */
  onChange(listener: (doors: CommandDoors | undefined) => void): Unsubscribe;
}

/** Where the command-queue of a database leaves its queue. */
export class CommandHolder implements CommandSource {
  readonly #emitter: Emitter<CommandDoors | undefined>;
  #owner: object | undefined;
  #current: CommandDoors | undefined;
  #ended: Promise<unknown> = Promise.resolve();

  constructor(logger: Logger) {
    this.#emitter = new Emitter((error) =>
      logger.error({ operation: 'publish', event: 'failed', reason: 'internal', message: errorText(error) }),
    );
  }

  get current(): CommandDoors | undefined {
    return this.#current;
  }

  /** Settled when the queue that was closed last has written all it knew. */
  get ended(): Promise<unknown> {
    return this.#ended;
  }

  onChange(listener: (doors: CommandDoors | undefined) => void): Unsubscribe {
    return this.#emitter.on(listener);
  }

  /**
   * Two queues on the same commands would send each of them twice: only the first who claims may have one.
   * @returns whether it is the caller
   */
  claim(owner: object): boolean {
    this.#owner ??= owner;
    return this.#owner === owner;
  }

  /** The queue of the owner is open. */
  set(owner: object, doors: CommandDoors): void {
    if (this.#owner === owner) this.#change(doors);
  }

  /** The owner closes its queue; another one may claim from now on. @param closing never rejects */
  release(owner: object, closing: Promise<unknown>): void {
    if (this.#owner !== owner) return;
    this.#owner = undefined;
    this.#ended = closing;
    this.#change(undefined);
  }

  #change(doors: CommandDoors | undefined): void {
    if (this.#current === doors) return;
    this.#current = doors;
    this.#emitter.emit(doors);
  }
}
