/** What the lane of a device needs of the queue. */
import type { Clock, Command, DevEui, Random } from '../model';
import type { Downlinks } from './doors';
import type { Slots } from './slots';

export interface LaneHost {
  readonly clock: Clock;
  readonly random: Random;
  readonly downlinks: Downlinks;
  readonly slots: Slots;
  readonly signal: AbortSignal;
  /** No new calls any more. */
  readonly isClosing: () => boolean;
  /** Tells listeners. */
  changed(before: Command, after: Command): void;
  /** Stores a change; resolves when it is durable. @throws if it is not; it is tried again all the same */
  store(command: Command): Promise<void>;
  failed(devEui: DevEui, message: string): void;
}
