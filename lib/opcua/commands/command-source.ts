/** The command queue behind the nodes: exchanged at a deploy, absent without one, and never waited for without end. */
import {
  type CancelResult,
  type Clock,
  type Command,
  type CommandDoors,
  type CommandRequest,
  type DevEui,
  type DeviceFlushResult,
  errorText,
  type Logger,
  type Timer,
} from '../../model';
import { AnswerTimeoutError, NotConnectedError, TIMED_OUT } from './answers';

/** ms that a client waits for an answer */
const ANSWER_LIMIT = 2_000;

export class CommandSource {
  readonly #clock: Clock;
  readonly #logger: Logger;
  current: CommandDoors | undefined;

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
  }

  /**
   * Resolves when the command is durable.
   * @throws CommandRefusedError, NotConnectedError, AnswerTimeoutError (it is taken back as soon as that is possible), as
   * the store does
   */
  async submit(request: CommandRequest): Promise<Command> {
    const doors = this.#doors();
    const submitted = doors.submit(request);
    try {
      return await this.#inTime(submitted, TIMED_OUT);
    } catch (error) {
      if (error instanceof AnswerTimeoutError)
        // Refused in the end: all the better.
        submitted.then(
          (command) => this.#takeBack(doors, command, request.user),
          () => undefined,
        );
      throw error;
    }
  }

  /** @throws NotConnectedError, AnswerTimeoutError, as the store does */
  cancel(id: string, user: string): Promise<CancelResult> {
    return this.#inTime(this.#doors().cancel(id, user), 'no answer in time; what became of it is shown by its state');
  }

  /** @throws NotConnectedError, AnswerTimeoutError, as the store does */
  flush(devEui: DevEui, user: string): Promise<DeviceFlushResult> {
    return this.#inTime(this.#doors().flush(devEui, user), 'ChirpStack did not answer in time; it goes on');
  }

  /** @throws NotConnectedError, AnswerTimeoutError, as the store does */
  history(query: Parameters<CommandDoors['history']>[0]): Promise<readonly Command[]> {
    return this.#inTime(this.#doors().history(query), 'the storage did not answer in time');
  }

  #doors(): CommandDoors {
    if (this.current === undefined) throw new NotConnectedError();
    return this.current;
  }

  async #inTime<T>(work: Promise<T>, text: string): Promise<T> {
    let timer: Timer | undefined;
    try {
      return await Promise.race([
        work,
        new Promise<never>((_resolve, reject) => {
          timer = this.#clock.after(ANSWER_LIMIT, () => reject(new AnswerTimeoutError(text)));
        }),
      ]);
    } finally {
      timer?.cancel();
    }
  }

  #takeBack(doors: CommandDoors, { id, devEui }: Command, user: string): void {
    doors.cancel(id, user).catch((error: unknown) =>
      this.#logger.warn({
        operation: 'enqueue',
        event: 'failed',
        reason: 'timeout',
        message: `a command whose writer was answered BadTimeout could not be taken back: ${errorText(error)}`,
        device: devEui,
      }),
    );
  }
}
