/** What OPC UA clients do, entered into the journal of audit: in batches, and a flood as one entry with a count. */
import { type ClientAct, type Clock, errorText, type Logger, type NewJournalEntry, type Timer } from '../model';
import { auditEntry } from './journals';

export interface ClientAuditDependencies {
  /** Durable when it resolves. */
  readonly commit: (entries: readonly NewJournalEntry[]) => Promise<void>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Failures of connections are in the log: anybody on the network makes as many as he likes. */
const AUDITED: ReadonlySet<string> = new Set([
  'session-opened',
  'session-activated',
  'session-closed',
  'login-refused',
  'certificate-refused',
  'written',
  'called',
  'certificate-expires',
]);
/** Time in which entries are gathered into one batch, ms. */
const BATCH_TIME = 1_000;
/** Time in which the same refusal is entered once and then counted, ms. */
const WINDOW = 60_000;
/** Different refusals per window: more are one flood. */
const MAXIMUM_DIFFERENT = 100;
/** Entries that wait for a storage that does not answer. */
const MAXIMUM_WAITING = 5_000;
const LONGEST_TEXT = 256;

interface Repeated {
  readonly event: ClientAct;
  count: number;
}

export class ClientAudit {
  readonly #deps: ClientAuditDependencies;
  readonly #repeated = new Map<string, Repeated>();
  #waiting: NewJournalEntry[] = [];
  #lost = 0;
  #batchTimer: Timer | undefined;
  #windowTimer: Timer | undefined;
  #writing: Promise<void> = Promise.resolve();
  #isFailing = false;

  constructor(deps: ClientAuditDependencies) {
    this.#deps = deps;
  }

  /** Enters an event; one that is no matter of audit is left out. Never throws. */
  take(event: ClientAct): void {
    if (!AUDITED.has(event.type)) return;
    if (isRefusal(event) && this.#isRepetition(event)) return;
    this.#enter(event);
  }

  /** Enters what was held back, and waits until all is stored or cannot be. Idempotent. */
  async close(): Promise<void> {
    this.#endWindow();
    this.#batchTimer?.cancel();
    this.#batchTimer = undefined;
    this.#write();
    await this.#writing;
  }

  #isRepetition(event: ClientAct): boolean {
    const { type, address, user, reason, thumbprint, node, method, status } = event;
    const key = JSON.stringify([type, address, user, reason, thumbprint, node, method, status]);
    // A flood of different ones is counted under its type alone.
    const flood = JSON.stringify([type]);
    const known =
      this.#repeated.get(key) ?? (this.#repeated.size >= MAXIMUM_DIFFERENT ? this.#repeated.get(flood) : undefined);
    if (known !== undefined) {
      known.count++;
      return true;
    }
    const isFlood = this.#repeated.size >= MAXIMUM_DIFFERENT;
    this.#repeated.set(isFlood ? flood : key, {
      event: isFlood ? { type, time: event.time, address: '' } : event,
      count: isFlood ? 1 : 0,
    });
    this.#windowTimer ??= this.#deps.clock.after(WINDOW, () => this.#endWindow());
    return isFlood;
  }

  #endWindow(): void {
    this.#windowTimer?.cancel();
    this.#windowTimer = undefined;
    const repeated = [...this.#repeated.values()];
    this.#repeated.clear();
    for (const { event, count } of repeated)
      if (count > 0) this.#enter({ ...event, time: this.#deps.clock.now() }, count);
  }

  #enter({ type, time, user, ...details }: ClientAct, count?: number): void {
    if (this.#waiting.length >= MAXIMUM_WAITING) {
      this.#lost++;
      return;
    }
    const told: Record<string, unknown> = count === undefined ? {} : { count };
    for (const [key, value] of Object.entries(details))
      if (KNOWN.has(key) && value !== '') told[key] = typeof value === 'string' ? value.slice(0, LONGEST_TEXT) : value;
    this.#waiting.push(auditEntry(time, `opcua.${type}`, user === '' ? undefined : user?.slice(0, LONGEST_TEXT), told));
    this.#batchTimer ??= this.#deps.clock.after(BATCH_TIME, () => {
      this.#batchTimer = undefined;
      this.#write();
    });
  }

  #write(): void {
    this.#writing = this.#writing.then(() => this.#commit());
  }

  async #commit(): Promise<void> {
    const { clock, logger, commit } = this.#deps;
    const batch = this.#waiting;
    if (batch.length === 0) return;
    this.#waiting = [];
    if (this.#lost > 0) {
      batch.push(auditEntry(clock.now(), 'opcua.lost', undefined, { count: this.#lost }));
      this.#lost = 0;
    }
    try {
      await commit(batch);
      this.#isFailing = false;
    } catch (error) {
      // They go with the next ones, as many as there is room for.
      const room = Math.max(0, MAXIMUM_WAITING - this.#waiting.length);
      this.#lost += Math.max(0, batch.length - room);
      this.#waiting = [...batch.slice(0, room), ...this.#waiting];
      if (!this.#isFailing)
        logger.warn({
          operation: 'store',
          event: 'failed',
          reason: 'internal',
          message: `what OPC UA clients did could not be entered into the audit: ${errorText(error)}`,
          cure: 'It is tried again with the next entries; see what the database says.',
        });
      this.#isFailing = true;
    }
  }
}

/** What is entered: a server may tell more one day, and paths of files are nobody's business. */
const KNOWN: ReadonlySet<string> = new Set([
  'address',
  'session',
  'application',
  'security',
  'reason',
  'thumbprint',
  'node',
  'attribute',
  'method',
  'value',
  'status',
  'command',
  'validTo',
]);

function isRefusal({ type, status }: ClientAct): boolean {
  return type.endsWith('-refused') || type === 'session-opened' || status?.startsWith('Bad') === true;
}
