/** A command queue with everything around it made of plain memory, on a clock that stands still. */
import {
  CommandDefinitions,
  CommandQueue,
  type CommandRecord,
  type CommandStore,
  type DownlinkItem,
  type Downlinks,
  type EnqueueResult,
  parseCommandDefinitions,
  type QueueItem,
} from '../../../lib/commands';
import {
  type Command,
  type CommandDevice,
  type CommandRequest,
  type CommandStatus,
  type DevEui,
  type DeviceEvent,
  type NewJournalEntry,
  parseDevEui,
  parseDeviceProfileId,
  type Reading,
} from '../../../lib/model';
import { capturedLogger } from '../../support/captured-logger';
import { ManualClock } from '../../support/manual-clock';

export const PROFILE = parseDeviceProfileId('14855bf7-d10d-4aee-b618-ebfcb64dc7ad');
export const DEVICE = parseDevEui('0101010101010101');
export const OTHER = parseDevEui('0202020202020202');

/** Keeps what was committed, as a disk does. */
export class MemoryStore implements CommandStore {
  readonly records = new Map<string, CommandRecord>();
  readonly journal: NewJournalEntry[] = [];
  /** What commits reject with. */
  fault: Error | undefined;
  commits = 0;
  /** Settles before a commit is carried out. */
  gate: Promise<void> = Promise.resolve();

  async commit(batch: Parameters<CommandStore['commit']>[0]): Promise<void> {
    await this.gate;
    if (this.fault !== undefined) throw this.fault;
    this.commits++;
    for (const record of batch.records) this.records.set(record.id, record);
    for (const { id } of batch.removed) this.records.delete(id);
    this.journal.push(...batch.journal);
  }

  readRecords(query: Parameters<CommandStore['readRecords']>[0]): Promise<readonly CommandRecord[]> {
    if (this.fault !== undefined) return Promise.reject(this.fault);
    const { id, after, open, states, devEui } = query;
    const direction = query.order === 'descending' ? -1 : 1;
    const compare = (a: { createdAt: number; id: string }, b: { createdAt: number; id: string }): number =>
      (a.createdAt - b.createdAt || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)) * direction;
    const rows = [...this.records.values()]
      .sort(compare)
      .filter((record) => id === undefined || record.id === id)
      .filter(({ endedAt }) => open !== true || endedAt === undefined)
      .filter(({ state }) => states === undefined || states.includes(state))
      .filter((record) => devEui === undefined || record.devEui === devEui)
      .filter((record) => after === undefined || compare(record, after) > 0);
    return Promise.resolve(rows.slice(0, query.limit));
  }
}

interface Held extends QueueItem {
  readonly devEui: DevEui;
}

/** ChirpStack's queues, and calls that go wrong when a test wants it. */
export class FakeDownlinks implements Downlinks {
  items: Held[] = [];
  readonly enqueued: { readonly devEui: DevEui; readonly item: DownlinkItem }[] = [];
  looks = 0;
  #next = 0;
  /** What the next calls do; `lost`: enqueued, but the reply is lost. */
  readonly script: (EnqueueResult['kind'] | 'lost' | 'hangs' | 'throws')[] = [];
  queueFault: 'gone' | 'unavailable' | undefined;
  flushFault: 'refused' | 'unclear' | undefined;
  readonly #listeners = new Set<() => void>();

  enqueue(devEui: DevEui, item: DownlinkItem, signal: AbortSignal): Promise<EnqueueResult> {
    const kind = this.script.shift() ?? 'accepted';
    switch (kind) {
      case 'accepted':
        return Promise.resolve({ kind, id: this.#add(devEui, item) });
      case 'lost':
        this.#add(devEui, item);
        return Promise.resolve({ kind: 'unclear', reason: 'The connection broke.' });
      case 'throws':
        return Promise.reject(new Error('out of order'));
      case 'hangs':
        return new Promise((resolve) => {
          signal.addEventListener('abort', () => resolve({ kind: 'unclear', reason: 'given up' }));
        });
      default:
        return Promise.resolve({ kind, reason: `it was ${kind}` });
    }
  }

  queue(devEui: DevEui): ReturnType<Downlinks['queue']> {
    this.looks++;
    if (this.queueFault !== undefined) return Promise.resolve({ kind: this.queueFault, reason: 'no answer' });
    return Promise.resolve({ kind: 'items', items: this.items.filter((item) => item.devEui === devEui) });
  }

  flush(devEui: DevEui): ReturnType<Downlinks['flush']> {
    if (this.flushFault !== undefined) return Promise.resolve({ kind: this.flushFault, reason: 'not now' });
    this.items = this.items.filter((item) => item.devEui !== devEui);
    return Promise.resolve({ kind: 'flushed' });
  }

  onAvailable(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  back(): void {
    for (const listener of this.#listeners) listener();
  }

  /** An item leaves the queue. */
  take(id: string): void {
    this.items = this.items.filter((item) => item.id !== id);
  }

  pend(id: string): void {
    this.items = this.items.map((item) => (item.id === id ? { ...item, isPending: true } : item));
  }

  #add(devEui: DevEui, item: DownlinkItem): string {
    this.enqueued.push({ devEui, item });
    const id = `item-${++this.#next}`;
    this.items.push({
      devEui,
      id,
      fPort: item.fPort,
      confirmed: item.confirmed,
      hex: item.payload.kind === 'bytes' ? item.payload.hex : '07',
      isPending: false,
      expiry: item.expiry,
    });
    return id;
  }
}

const level = (name: string, more: object = {}): object => ({
  profileId: PROFILE,
  name,
  fPort: 10,
  parameters: [{ name: 'x', type: 'Int', min: 0, max: 255, default: 1 }],
  payload: { kind: 'integer', parameter: 'x', format: 'uint8' },
  ...more,
});

export const DEFINITIONS = parseCommandDefinitions([
  level('plain'),
  level('confirmed', { confirmed: true }),
  level('replace', { coalescing: 'replace' }),
  level('reject', { coalescing: 'reject' }),
  level('rated', { rateLimit: { count: 2, seconds: 60 } }),
  level('locked', { interlock: { role: 'Engineer' } }),
  level('twice', { interlock: { secondConfirmation: true } }),
  level('checked', { expected: { metric: 'position', parameter: 'x', tolerance: 0.5, within: 600 } }),
  level('both', { confirmed: true, expected: { metric: 'position', parameter: 'x', within: 600 } }),
  { profileId: PROFILE, name: 'object', fPort: 5, payload: { kind: 'object', template: { v: 7 } } },
]);

export interface World {
  readonly clock: ManualClock;
  readonly store: MemoryStore;
  readonly downlinks: FakeDownlinks;
  readonly queue: CommandQueue;
  readonly statuses: CommandStatus[];
  readonly devices: Map<DevEui, CommandDevice>;
  readonly log: ReturnType<typeof capturedLogger>['entries'];
  submit(name: string, x?: number, more?: Partial<CommandRequest>): Promise<Command>;
  state(id: string): string | undefined;
  /** States and reasons of a command. */
  command(id: string): Command;
}

/** @param before what an earlier process left */
export async function world(before: Partial<Pick<World, 'clock' | 'store' | 'downlinks'>> = {}): Promise<World> {
  const clock = before.clock ?? new ManualClock();
  const store = before.store ?? new MemoryStore();
  const downlinks = before.downlinks ?? new FakeDownlinks();
  const { logger, entries } = capturedLogger('commands');
  const devices = new Map<DevEui, CommandDevice>(
    [DEVICE, OTHER].map((devEui) => [devEui, { devEui, profileId: PROFILE, deviceClass: 'A', isDisabled: false }]),
  );
  const definitions = new CommandDefinitions(DEFINITIONS);
  let seed = 1;
  const queue = new CommandQueue({
    clock,
    // Any that does not repeat.
    random: () => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed / 2_147_483_647;
    },
    logger,
    store,
    downlinks,
    definitions: () => definitions,
    devices: (devEui) => devices.get(devEui),
    maxPerDevice: 20,
  });
  const statuses: CommandStatus[] = [];
  queue.onStatus((status) => statuses.push(status));
  await queue.start();
  await clock.advance(0);
  return {
    clock,
    store,
    downlinks,
    queue,
    statuses,
    devices,
    log: entries,
    submit: async (name, x = 1, more = {}) => {
      const command = await queue.submit({
        devEui: DEVICE,
        name,
        parameters: name === 'object' ? {} : { x },
        user: 'anna',
        source: 'test',
        ...more,
      });
      await clock.advance(0);
      return command;
    },
    state: (id) => queue.command(id)?.state,
    command: (id) => {
      const command = queue.command(id);
      if (command === undefined) throw new Error(`no command ${id}`);
      return command;
    },
  };
}

type Of<Type extends DeviceEvent['type']> = Extract<DeviceEvent, { readonly type: Type }>;

export const txack = (queueItemId: string, time: number, devEui = DEVICE): Of<'txack'> => ({
  type: 'txack',
  device: { devEui },
  time,
  replayed: false,
  queueItemId,
  fCntDown: 3,
});

export const ack = (queueItemId: string, acknowledged: boolean, time: number, devEui = DEVICE): Of<'ack'> => ({
  type: 'ack',
  device: { devEui },
  time,
  replayed: false,
  queueItemId,
  acknowledged,
  fCntDown: 3,
});

export const logged = (
  code: string,
  context: Record<string, string>,
  time: number,
  description = 'why',
): Of<'log'> => ({
  type: 'log',
  device: { devEui: DEVICE },
  time,
  replayed: false,
  level: 'ERROR',
  code,
  description,
  context,
});

export const reading = (values: Reading['values'], time: number, more: Partial<Reading> = {}): Reading => ({
  device: { devEui: DEVICE },
  values,
  time,
  quality: {},
  origin: 'event',
  ...more,
});

export const statesOf = ({ transitions }: Command): string[] => transitions.map(({ state }) => state);

/** The hex of all that was put into ChirpStack's queue, in order. */
export const sent = ({ downlinks }: World): string[] =>
  downlinks.enqueued.map(({ item }) => (item.payload.kind === 'bytes' ? item.payload.hex : 'object'));

/** What a restart finds: the same storage, ChirpStack and time, in a new process whose monotonic clock begins anew. */
export async function restart(old: World, wall?: number): Promise<World> {
  await Promise.all([old.queue.close(), old.clock.advance(6_000)]);
  return world({ store: old.store, downlinks: old.downlinks, clock: new ManualClock(wall ?? old.clock.now()) });
}

/** A crash: whatever was not durable is gone. */
export async function crash(old: World, wall?: number): Promise<World> {
  const records = new Map(old.store.records);
  await Promise.all([old.queue.close(), old.clock.advance(6_000)]);
  old.store.records.clear();
  for (const [id, record] of records) old.store.records.set(id, record);
  return world({ store: old.store, downlinks: old.downlinks, clock: new ManualClock(wall ?? old.clock.now()) });
}
