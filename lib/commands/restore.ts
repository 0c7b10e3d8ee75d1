/** What an earlier process left in the store: all that has not ended, and what late evidence may still change. */
import type { Clock, Command, Logger } from '../model';
import type { CommandStore } from './doors';
import { fromRecord } from './records';

const PAGE = 500;
/** Ended commands that are as old as that are history, ms. */
const RECENT = 24 * 3_600_000;
/** At most so many ended ones. */
const MAX_RECENT = 10_000;

/** @returns in order of their sequence @throws as the store does */
export async function restoreCommands(store: CommandStore, clock: Clock, logger: Logger): Promise<readonly Command[]> {
  const found = new Map<string, Command>();
  let unreadable = 0;
  const read = async (
    open: boolean,
    limit: number,
    start: { createdAt: number; id: string } | undefined,
  ): Promise<void> => {
    let after = start;
    for (let count = 0; count < limit; count += PAGE) {
      const rows = await store.readRecords({
        kind: 'command',
        limit: PAGE,
        ...(open ? { open } : {}),
        ...(after === undefined ? {} : { after }),
      });
      for (const row of rows) {
        const command = fromRecord(row.body);
        if (command === undefined) unreadable++;
        else found.set(command.id, command);
      }
      const last = rows.at(-1);
      if (last === undefined || rows.length < PAGE) return;
      after = { createdAt: last.createdAt, id: last.id };
    }
  };
  await read(false, MAX_RECENT, { createdAt: clock.now() - RECENT, id: '' });
  await read(true, Number.POSITIVE_INFINITY, undefined);
  if (unreadable > 0)
    logger.error({
      operation: 'restore',
      event: 'ignored',
      reason: 'corrupt',
      message: 'Stored commands cannot be read; they are left as they are and not sent',
      count: unreadable,
    });
  return [...found.values()].sort((a, b) => a.sequence - b.sequence);
}
