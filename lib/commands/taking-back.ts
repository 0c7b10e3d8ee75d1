/** What becomes of commands that somebody wants back, in words that promise nothing that cannot be kept. */
import type { CancelResult, Command, DeviceFlushResult } from '../model';
import type { FlushResult, QueueResult } from './doors';

export function cancelResult(command: Command): CancelResult {
  const answer = (done: boolean, text: string): CancelResult => ({ done, command, text });
  switch (command.state) {
    case 'Cancelled':
      return answer(true, command.reason);
    case 'Sending':
      return answer(
        false,
        'It is on its way to ChirpStack. If it turns out not to have arrived, it is not tried again.',
      );
    case 'Enqueued':
      return answer(
        false,
        'It is in the queue of ChirpStack, which can only be emptied as a whole: flush the device to do so.',
      );
    case 'Transmitted':
    case 'Acknowledged':
    case 'Verified':
      return answer(false, 'It has been sent to the device; what was sent cannot be taken back.');
    default:
      return answer(false, `It has ended already: ${command.state}. ${command.reason}`);
  }
}

export function flushResult(result: FlushResult, before: QueueResult, commands: readonly Command[]): DeviceFlushResult {
  const done = result.kind === 'flushed';
  const cancelled = commands.filter(
    ({ state, flushedBy, endedAt }) =>
      (state === 'Cancelled' && endedAt !== undefined) || (state === 'Enqueued' && flushedBy !== undefined && done),
  );
  const beyond = commands.filter(
    ({ state, endedAt }) =>
      state === 'Sending' || ((state === 'Transmitted' || state === 'Acknowledged') && endedAt === undefined),
  );
  const pending = before.kind === 'items' ? before.items.filter(({ isPending }) => isPending).length : 0;
  const parts = [
    done
      ? 'ChirpStack emptied its queue of the device.'
      : `ChirpStack did not empty its queue: ${'reason' in result ? result.reason : ''}`,
    ...(pending > 0
      ? [`${pending} of its items had been sent and waited for an acknowledgement, of which nothing will be heard now.`]
      : []),
    ...(beyond.length > 0 ? ['What is in the air or on its way cannot be taken back.'] : []),
  ];
  return {
    done,
    items: before.kind === 'items' ? before.items.length : undefined,
    cancelled: cancelled.map(({ id }) => id),
    beyond: beyond.map(({ id }) => id),
    text: parts.join(' '),
  };
}
