/** Journals: lists of what happened, to which entries are only ever added. */
import type { DevEui, EventId } from './identifiers';

/** Append-only lists: what happened to devices and alarms; who did what. */
export type Journal = 'event' | 'audit';

export interface NewJournalEntry {
  readonly journal: Journal;
  /** When it happened, ms UTC. */
  readonly time: number;
  /** For filters, e.g. `join`, or the name of an action. */
  readonly type: string;
  readonly devEui: DevEui | undefined;
  readonly user: string | undefined;
  /** The same event again is not entered again. */
  readonly eventId: EventId | undefined;
  /** JSON */
  readonly body: string;
}

export interface JournalEntry extends NewJournalEntry {
  /** Grows with each entry of a journal. */
  readonly sequence: number;
}

export interface JournalQuery {
  readonly journal: Journal;
  /** ms UTC, inclusive and exclusive. */
  readonly from: number;
  readonly to: number;
  readonly types?: readonly string[];
  readonly devEui?: DevEui;
  readonly user?: string;
  readonly limit: number;
  /** Only entries before this one, of an earlier page. */
  readonly before?: number;
}
