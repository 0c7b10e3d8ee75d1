import type { Command, QueueCounts } from '../model';

export function countCommands(commands: readonly Command[]): QueueCounts {
  const counts = { queued: 0, sending: 0, enqueued: 0, awaiting: 0 };
  for (const { state, endedAt } of commands) {
    if (endedAt !== undefined) continue;
    if (state === 'Queued') counts.queued++;
    else if (state === 'Sending') counts.sending++;
    else if (state === 'Enqueued') counts.enqueued++;
    else counts.awaiting++;
  }
  return counts;
}
