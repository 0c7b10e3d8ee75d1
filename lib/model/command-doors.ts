/** What a running command queue offers to those who send commands and show them: OPC UA, administration, flows. */
import type { Command, CommandDefinition, CommandRequest, CommandState, CommandStatus } from './command';
import type { Unsubscribe } from './emitter';
import type { DevEui } from './identifiers';

/** What became of a command that somebody wants back. */
export interface CancelResult {
  /** Whether it was taken back: it will not reach the device. */
  readonly done: boolean;
  readonly command: Command | undefined;
  /** For people. */
  readonly text: string;
}

/** What became of the commands of a device that were all wanted back. */
export interface DeviceFlushResult {
  /** Whether ChirpStack emptied its queue of the device. */
  readonly done: boolean;
  /** Items that were in there shortly before, also those of others; `undefined` if that could not be asked. */
  readonly items: number | undefined;
  /** Commands that were taken back here, or out of ChirpStack's queue as far as is known. */
  readonly cancelled: readonly string[];
  /** Commands that have been sent or may have been sent. */
  readonly beyond: readonly string[];
  /** For people. */
  readonly text: string;
}

/** How many commands are where, for health and monitoring; those that have ended are not counted. */
export interface QueueCounts {
  readonly queued: number;
  readonly sending: number;
  readonly enqueued: number;
  /** Transmitted or acknowledged, something is still awaited. */
  readonly awaiting: number;
}

export interface CommandHistoryQuery {
  /** Only the command of this id. */
  readonly id?: string;
  readonly devEui?: DevEui;
  readonly states?: readonly CommandState[];
  readonly limit: number;
  /** The last one of an earlier page. */
  readonly before?: { readonly createdAt: number; readonly id: string };
}

export interface CommandDoors {
  /**
   * Takes a command. Resolves when it is durable: from then on it is carried out, whatever happens to the process.
   * @throws CommandRefusedError if it is not taken, or an error with a `cure` if it cannot be stored: it is not sent then
   */
  submit(request: CommandRequest): Promise<Command>;
  /** Takes a command back if it is not yet with ChirpStack; the result says what really became of it. */
  cancel(id: string, user: string): Promise<CancelResult>;
  /** Takes all commands of a device back, and empties ChirpStack's queue of it. */
  flush(devEui: DevEui, user: string): Promise<DeviceFlushResult>;
  /** A command of the last day or one that has not ended. */
  command(id: string): Command | undefined;
  /** In order of their creation: all that have not ended, and the newest that have. */
  commands(devEui?: DevEui): readonly Command[];
  /** All that are kept, newest first. @throws an error with a `cure` where the storage has a fault */
  history(query: CommandHistoryQuery): Promise<readonly Command[]>;
  counts(): QueueCounts;
  /** A command as listeners would get it. */
  status(command: Command): CommandStatus;
  /** Told about each transition, and each time more is known in the same state. */
  onStatus(listener: (status: CommandStatus) => void): Unsubscribe;
  /** All definitions, of profiles and of devices. */
  definitions(): readonly CommandDefinition[];
  /** What a device can be told: its own definitions, and those of its profile whose names it does not have itself. */
  definitionsOf(devEui: DevEui): readonly CommandDefinition[];
}
