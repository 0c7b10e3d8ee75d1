import {
  type Clock,
  type EncodedHistoryPage,
  type HistoryEncoding,
  type HistoryPage,
  type HistoryRequest,
  type HistoryTarget,
  type HistoryValue,
  wait,
} from '../model';
import type { StorageBackend, StoredHistoryRequest } from './backend';
import { integersOf, originOfFlags, SampleFlag, valueAt } from './columns';
import type { MetricRecord } from './metric-record';

/** How long a read waits for what was accepted before it and is not written yet, ms. */
const FLUSH_TIMEOUT = 1_000;

export interface HistoryDoorsDependencies {
  readonly backend: StorageBackend;
  readonly clock: Clock;
  metric(target: HistoryTarget): MetricRecord | undefined;
  /** Samples that wait for being written. */
  pending(): number;
  /** Settled when all of them are. */
  settled(): Promise<void>;
}

/** The way from a question about a metric to the answer of the backend. */
export class HistoryDoors {
  readonly #deps: HistoryDoorsDependencies;

  constructor(deps: HistoryDoorsDependencies) {
    this.#deps = deps;
  }

  async read(request: HistoryRequest, signal?: AbortSignal): Promise<HistoryPage> {
    const stored = await this.#stored(request);
    if (stored === undefined) return { values: [] };
    const { columns, modifiedAt, next } = await this.#deps.backend.readHistory(stored, signal);
    const integers = integersOf(columns);
    const values: HistoryValue[] = [];
    for (let index = 0; index < columns.length; index++) {
      const flags = columns.flags[index] ?? 0;
      values.push({
        time: columns.time[index] ?? 0,
        value: valueAt(columns, integers, index),
        status: columns.status[index] ?? 0,
        ...(request.kind === 'raw' || request.kind === 'modified' ? { origin: originOfFlags(flags) } : {}),
        ...((flags & SampleFlag.Corrected) === 0 ? {} : { corrected: true }),
        ...(modifiedAt === undefined ? {} : { modifiedAt: modifiedAt[index] ?? 0 }),
      });
    }
    return { values, ...(next === undefined ? {} : { next }) };
  }

  async readEncoded(
    request: HistoryRequest,
    encoding: HistoryEncoding,
    signal?: AbortSignal,
  ): Promise<EncodedHistoryPage> {
    const stored = await this.#stored(request);
    if (stored === undefined) return { bytes: new Uint8Array(4), count: 0 };
    return this.#deps.backend.readEncodedHistory(stored, encoding, signal);
  }

  /** The question with the number of its metric, when what waits is written. */
  async #stored(request: HistoryRequest): Promise<StoredHistoryRequest | undefined> {
    const { clock, metric, pending, settled } = this.#deps;
    const record = metric(request);
    if (record === undefined) return undefined;
    if (pending() > 0) {
      const flushed = new AbortController();
      await Promise.race([settled().then(() => flushed.abort()), wait(clock, FLUSH_TIMEOUT, flushed.signal)]);
      flushed.abort();
    }
    return { metric: record.id, dataType: record.definition.dataType, request };
  }
}
