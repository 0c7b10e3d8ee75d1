import { display, errorText, type Fault, InvalidInputError } from '../model';
import { backupDatabase, backupPayload, databasePayload, databaseState } from './database';
import type { AdministrationDependencies } from './dependencies';
import { devicesPayload, listDevices } from './devices-list';
import { faultsOf, internalFault } from './failures';
import { healthPayload, metrics } from './health';
import { exportHistory, exportPayload, type WrittenFile } from './history-export';
import {
  atTimePayload,
  modifiedPayload,
  processedPayload,
  rawPayload,
  readAtTime,
  readModified,
  readProcessed,
  readRaw,
} from './history-queries';
import { auditEntry, auditPayload, eventsPayload, listEntries } from './journals';
import { filesPayload, OutputFolder } from './output-files';
import { parsePayload } from './payload';
import { gatewayStatus, statusPayload } from './status';
import { latestPayload, latestValues } from './values-latest';
import { listValues, valuesPayload } from './values-list';

/** `revision` grows when inventory or metric definitions change: whoever shows lists knows when to ask again. */
export type Answer =
  | { readonly ok: true; readonly result: unknown; readonly revision: number }
  | { readonly ok: false; readonly errors: readonly Fault[]; readonly revision: number };

type UseCase = (payload: unknown, user: string | undefined) => unknown;

/**
 * What the dashboard, HTTP flows and function nodes can ask of the gateway: a topic and a payload give one answer.
 * Faults are answers, never exceptions.
 */
export class Administration {
  readonly #deps: AdministrationDependencies;
  readonly #useCases: ReadonlyMap<string, UseCase>;
  readonly #closing = new AbortController();
  /** What is being written, by topic: one file of a kind at a time. */
  readonly #acts = new Map<string, Promise<unknown>>();

  constructor(deps: AdministrationDependencies) {
    this.#deps = deps;
    const { store, clock, folders } = deps;
    const { signal } = this.#closing;
    const now = (): number => clock.now();
    const exports = new OutputFolder(folders.exports);
    const backups = new OutputFolder(folders.backups);
    this.#useCases = new Map<string, UseCase>([
      ['status.get', (payload) => (parsePayload(statusPayload, payload), gatewayStatus(deps))],
      ['health.get', (payload) => (parsePayload(healthPayload, payload), deps.health())],
      ['metrics.get', (payload) => (parsePayload(healthPayload, payload), metrics(deps.health()))],
      ['devices.list', (payload) => listDevices(store, parsePayload(devicesPayload, payload))],
      ['values.list', (payload) => listValues(deps, now(), parsePayload(valuesPayload, payload))],
      ['values.latest', (payload) => latestValues(store, parsePayload(latestPayload, payload))],
      ['history.raw', (payload) => readRaw(store, now(), parsePayload(rawPayload, payload), signal)],
      ['history.modified', (payload) => readModified(store, now(), parsePayload(modifiedPayload, payload), signal)],
      ['history.atTime', (payload) => readAtTime(store, now(), parsePayload(atTimePayload, payload), signal)],
      ['history.processed', (payload) => readProcessed(store, now(), parsePayload(processedPayload, payload), signal)],
      [
        'history.export',
        (payload, user) => {
          const asked = parsePayload(exportPayload, payload);
          return this.#act('history.export', user, () => exportHistory(store, exports, now(), asked, signal));
        },
      ],
      ['exports.list', (payload) => listFiles(exports, payload)],
      ['database.get', (payload) => (parsePayload(databasePayload, payload), databaseState(deps))],
      [
        'database.backup',
        (payload, user) => {
          const asked = parsePayload(backupPayload, payload);
          return this.#act('database.backup', user, () => backupDatabase(store, backups, now(), asked, signal));
        },
      ],
      ['backups.list', (payload) => listFiles(backups, payload)],
      ['events.list', (payload) => listEntries(store, 'event', now(), parsePayload(eventsPayload, payload))],
      ['audit.list', (payload) => listEntries(store, 'audit', now(), parsePayload(auditPayload, payload))],
    ]);
  }

  /** Topics that are understood. */
  get topics(): readonly string[] {
    return [...this.#useCases.keys()];
  }

  /** Never rejects. */
  async handle(topic: string, payload: unknown, user?: string): Promise<Answer> {
    const { store } = this.#deps;
    const useCase = this.#useCases.get(topic);
    try {
      if (useCase === undefined)
        throw new InvalidInputError([
          {
            field: 'topic',
            value: display(topic),
            rule: 'it names what is asked',
            cure: `Use one of ${this.topics.join(', ')}.`,
          },
        ]);
      const result = await useCase(payload, user);
      return { ok: true, result, revision: store.revision };
    } catch (error) {
      return { ok: false, errors: this.#faults(topic, error), revision: store.revision };
    }
  }

  /** Ends what is still being read or written; an unfinished file is removed. Idempotent. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled(this.#acts.values());
  }

  /** Does something that users account for. */
  async #act<T extends WrittenFile>(topic: string, user: string | undefined, work: () => Promise<T>): Promise<T> {
    if (this.#acts.has(topic))
      throw new InvalidInputError([
        { field: 'topic', value: display(topic), rule: 'one at a time is written', cure: 'Wait until it is done.' },
      ]);
    const act = this.#written(topic, user, work);
    this.#acts.set(topic, act);
    try {
      return await act;
    } finally {
      this.#acts.delete(topic);
    }
  }

  async #written<T extends WrittenFile>(topic: string, user: string | undefined, work: () => Promise<T>): Promise<T> {
    const { store, clock, logger } = this.#deps;
    const begun = clock.monotonic();
    const result = await work();
    const { path, complete: _, ...details } = result;
    logger.info({
      operation: 'store',
      event: 'succeeded',
      message: `${topic} done`,
      file: path,
      duration_ms: Math.round(clock.monotonic() - begun),
      ...(user === undefined ? {} : { user }),
    });
    try {
      const entry = auditEntry(clock.now(), topic, user, details);
      await store.commit({ records: [], removed: [], journal: [entry] });
    } catch (error) {
      // The file is there: a backup of a database that cannot be written any more is the most needed one.
      logger.error({
        operation: 'store',
        event: 'failed',
        message: `${topic} is not in the audit journal: ${errorText(error)}`,
        file: path,
        ...(user === undefined ? {} : { user }),
      });
    }
    return result;
  }

  #faults(topic: string, error: unknown): readonly Fault[] {
    const known = faultsOf(topic, error, this.#closing.signal.aborted);
    if (known !== undefined) return known;
    this.#deps.logger.error({
      operation: 'call',
      event: 'failed',
      reason: 'internal',
      message: errorText(error),
      code: topic,
    });
    return [internalFault(topic)];
  }
}

async function listFiles(folder: OutputFolder, payload: unknown): Promise<unknown> {
  const { offset, limit } = parsePayload(filesPayload, payload);
  const files = await folder.list();
  return { rows: files.slice(offset, offset + limit), total: files.length, offset };
}
