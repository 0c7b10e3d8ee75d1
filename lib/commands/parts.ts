import type { Command, CommandDoors, CommandHistoryQuery } from '../model';
import type { CommandDefinitions } from './definitions';
import type { CommandStore, DeviceLookup } from './doors';
import type { CommandQueue } from './queue';
import { fromRecord } from './records';

/** What knows something of commands. */
export interface CommandParts {
  readonly queue: CommandQueue;
  readonly definitions: () => CommandDefinitions;
  readonly devices: DeviceLookup;
  readonly store: Pick<CommandStore, 'readRecords'>;
}

/** All of it as one, for those who send commands and show them. */
export function commandDoors({ queue, definitions, devices, store }: CommandParts): CommandDoors {
  return {
    submit: (request) => queue.submit(request),
    cancel: (id, user) => queue.cancel(id, user),
    flush: (devEui, user) => queue.flush(devEui, user),
    command: (id) => queue.command(id),
    commands: (devEui) => queue.commands(devEui),
    history: (query) => readHistory(store, query),
    counts: () => queue.counts(),
    status: (command) => queue.status(command),
    onStatus: (listener) => queue.onStatus(listener),
    definitions: () => definitions().all(),
    definitionsOf: (devEui) => definitions().of(devEui, devices(devEui)?.profileId),
  };
}

/** Records that cannot be read were told of at the start; they are left out. */
async function readHistory(
  store: Pick<CommandStore, 'readRecords'>,
  { id, devEui, states, limit, before }: CommandHistoryQuery,
): Promise<readonly Command[]> {
  const records = await store.readRecords({
    kind: 'command',
    order: 'descending',
    limit,
    ...(id === undefined ? {} : { id }),
    ...(devEui === undefined ? {} : { devEui }),
    ...(states === undefined ? {} : { states }),
    ...(before === undefined ? {} : { after: before }),
  });
  return records.flatMap(({ body }) => fromRecord(body) ?? []);
}
