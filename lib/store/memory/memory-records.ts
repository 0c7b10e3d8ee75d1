import type { Journal, JournalEntry, JournalQuery, NewJournalEntry } from '../../model';
import type { DurableBatch, RecordKind, RecordPruneSlice, RecordQuery, StoredRecord } from '../backend';

/** Entries of one journal; beyond, the first entered go. */
const JOURNAL_CAPACITY = 100_000;

class MemoryJournal {
  /** In the order of their sequence. */
  #entries: JournalEntry[] = [];
  readonly #once = new Set<string>();
  #sequence = 0;

  enter(entry: NewJournalEntry): void {
    const mark = markOf(entry);
    if (mark !== undefined) {
      if (this.#once.has(mark)) return;
      this.#once.add(mark);
    }
    this.#entries.push({ ...entry, sequence: ++this.#sequence });
    if (this.#entries.length <= JOURNAL_CAPACITY) return;
    // A part at a time: taking away the first one moves all others.
    const bound = this.#sequence - Math.floor(JOURNAL_CAPACITY * 0.9);
    this.#remove(({ sequence }) => sequence <= bound);
  }

  read({ from, to, types, devEui, user, limit, before }: JournalQuery): JournalEntry[] {
    const last = before === undefined ? undefined : this.#entries.find(({ sequence }) => sequence === before);
    if (before !== undefined && last === undefined) return [];
    return this.#entries
      .filter(
        (entry) =>
          entry.time >= from &&
          entry.time < to &&
          (types === undefined || types.includes(entry.type)) &&
          (devEui === undefined || entry.devEui === devEui) &&
          (user === undefined || entry.user === user) &&
          (last === undefined || newestFirst(last, entry) < 0),
      )
      .sort(newestFirst)
      .slice(0, limit);
  }

  prune(before: number, limit: number): number {
    const old = this.#entries
      .filter(({ time }) => time < before)
      .sort((one, other) => one.time - other.time)
      .slice(0, limit);
    const gone = new Set(old);
    this.#remove((entry) => gone.has(entry));
    return gone.size;
  }

  #remove(isGone: (entry: JournalEntry) => boolean): void {
    this.#entries = this.#entries.filter((entry) => {
      if (!isGone(entry)) return true;
      const mark = markOf(entry);
      if (mark !== undefined) this.#once.delete(mark);
      return false;
    });
  }
}

/** Records and journals in this process. */
export class MemoryRecords {
  readonly #records: Readonly<Record<RecordKind, Map<string, StoredRecord>>> = {
    command: new Map(),
    alarm: new Map(),
    user: new Map(),
  };
  readonly #journals: Readonly<Record<Journal, MemoryJournal>> = {
    event: new MemoryJournal(),
    audit: new MemoryJournal(),
  };

  write({ records, removed, journal }: DurableBatch): void {
    for (const record of records) this.#records[record.kind].set(record.id, record);
    for (const { kind, id } of removed) this.#records[kind].delete(id);
    this.enter(journal);
  }

  enter(journal: readonly NewJournalEntry[]): void {
    for (const entry of journal) this.#journals[entry.journal].enter(entry);
  }

  readRecords({ kind, id, states, devEui, open, limit, order, after }: RecordQuery): StoredRecord[] {
    const direction = order === 'descending' ? -1 : 1;
    return Array.from(this.#records[kind].values())
      .filter(
        (record) =>
          (id === undefined || record.id === id) &&
          (states === undefined || states.includes(record.state)) &&
          (devEui === undefined || record.devEui === devEui) &&
          (open !== true || record.endedAt === undefined) &&
          (after === undefined || byCreation(record, after) * direction > 0),
      )
      .sort((one, other) => byCreation(one, other) * direction)
      .slice(0, limit);
  }

  readJournal(query: JournalQuery): JournalEntry[] {
    return this.#journals[query.journal].read(query);
  }

  prune({ events, audit, ended, limit }: RecordPruneSlice): number {
    let removed = 0;
    if (events !== undefined) removed += this.#journals.event.prune(events, limit);
    if (audit !== undefined) removed += this.#journals.audit.prune(audit, limit - removed);
    if (ended === undefined) return removed;
    for (const records of [this.#records.command, this.#records.alarm]) {
      const old = Array.from(records.values())
        .filter(({ endedAt }) => endedAt !== undefined && endedAt < ended)
        .sort((one, other) => (one.endedAt ?? 0) - (other.endedAt ?? 0))
        .slice(0, limit - removed);
      for (const { id } of old) records.delete(id);
      removed += old.length;
    }
    return removed;
  }
}

/** What tells the same event again; `undefined` for an entry that no event stands behind. */
function markOf({ eventId, type }: NewJournalEntry): string | undefined {
  return eventId === undefined ? undefined : JSON.stringify([eventId, type]);
}

function newestFirst(one: JournalEntry, other: JournalEntry): number {
  return other.time - one.time || other.sequence - one.sequence;
}

/** As SQLite compares texts: by code unit order of UTF-8, which is that of code points. */
function compareTexts(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other));
}

function byCreation(one: { createdAt: number; id: string }, other: { createdAt: number; id: string }): number {
  return one.createdAt - other.createdAt || compareTexts(one.id, other.id);
}
