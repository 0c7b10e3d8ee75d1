/** What happened to devices (`events.list`), and who did what (`audit.list`). */
import { z } from 'zod';
import type { DevEui, DeviceEvent, NewJournalEntry } from '../model';
import type { AdministrationStore } from './dependencies';
import { checkRange, LATEST_TIME, optionalInstant } from './instants';
import { devEuiField } from './targets';

const listFields = {
  from: optionalInstant,
  to: optionalInstant,
  types: z.array(z.string().min(1).max(64)).min(1).max(50).optional(),
  limit: z.number().int().min(1).max(1_000).default(50),
  /** Only entries before this one, as `next` gives it. */
  before: z.number().int().min(0).optional(),
};

export const eventsPayload = z.strictObject({ ...listFields, devEui: devEuiField });
export const auditPayload = z.strictObject({ ...listFields, user: z.string().min(1).max(256).optional() });

export interface ListedEntry {
  readonly sequence: number;
  /** ms UTC. */
  readonly time: number;
  readonly type: string;
  readonly devEui?: DevEui;
  readonly user?: string;
  /** What else is known. */
  readonly details: unknown;
}

export interface EntryList {
  /** Newest first. */
  readonly entries: readonly ListedEntry[];
  readonly complete: boolean;
  /** The payload that asks for the entries before these. */
  readonly next?: Readonly<Record<string, unknown>>;
}

interface JournalFilter extends z.output<typeof auditPayload> {
  readonly devEui?: DevEui | undefined;
}

export async function listEntries(
  store: AdministrationStore,
  journal: 'event' | 'audit',
  now: number,
  { from: since, to: until, types, limit, before, user, devEui }: JournalFilter,
): Promise<EntryList> {
  const from = since?.(now) ?? 0;
  const to = until?.(now) ?? LATEST_TIME;
  checkRange(from, to);
  const filter = {
    ...(types === undefined ? {} : { types }),
    ...(user === undefined ? {} : { user }),
    ...(devEui === undefined ? {} : { devEui }),
  };
  const found = await store.readJournal({
    journal,
    from,
    to,
    ...filter,
    // One more tells whether there are more.
    limit: limit + 1,
    ...(before === undefined ? {} : { before }),
  });
  const shown = found.slice(0, limit);
  const complete = found.length <= limit;
  const oldest = shown.at(-1);
  return {
    entries: shown.map((entry) => ({
      sequence: entry.sequence,
      time: entry.time,
      type: entry.type,
      ...(entry.devEui === undefined ? {} : { devEui: entry.devEui }),
      ...(entry.user === undefined ? {} : { user: entry.user }),
      details: detailsOf(entry.body),
    })),
    complete,
    ...(complete || oldest === undefined ? {} : { next: { from, to, ...filter, limit, before: oldest.sequence } }),
  };
}

/** What is shown of an entry that a damaged storage gives is its text. */
function detailsOf(body: string): unknown {
  try {
    return JSON.parse(body) as unknown;
  } catch {
    return body;
  }
}

/** A device event as the journal of events keeps it: once, by its event id. */
export function eventEntry({ device, time, type, eventId, ...content }: DeviceEvent): NewJournalEntry {
  const { devEui, name, applicationId, applicationName } = device;
  return {
    journal: 'event',
    time,
    type,
    devEui,
    user: undefined,
    eventId,
    // Names as they were then: devices are renamed and removed.
    body: JSON.stringify({ ...content, device: { name, applicationId, applicationName } }),
  };
}

/** An action of a user as the journal of audit keeps it. */
export function auditEntry(
  time: number,
  type: string,
  user: string | undefined,
  details: Readonly<Record<string, unknown>>,
): NewJournalEntry {
  return { journal: 'audit', time, type, devEui: undefined, user, eventId: undefined, body: JSON.stringify(details) };
}
