import {
  type Clock,
  type EncodedHistoryPage,
  endsWithin,
  HISTORY_STATUS,
  type HistoryEncoding,
  type HistoryPage,
  type HistoryRequest,
  type HistoryTarget,
  type HistoryValue,
} from '../model';
import type { StorageBackend, StoredHistoryRequest } from './backend';
import { integersOf, originOfFlags, type SampleColumns, SampleFlag, valueAt } from './columns';
import { checkHistoryRequest } from './history-requests';
import type { MetricRecord } from './metric-record';

/** How long a read waits for what was accepted before it and is not written yet, ms. */
const FLUSH_TIMEOUT = 1_000;

export interface HistoryDoorsDependencies {
  readonly backend: StorageBackend;
  readonly clock: Clock;
  metric(target: HistoryTarget): MetricRecord | undefined;
  /** Whether samples of a metric (its number) wait for being written. */
  isWaiting(metric: number): boolean;
  /** Settled when all that waits now is written. */
  settled(): Promise<void>;
}

/** The way from a question about a metric to the answer of the backend. */
export class HistoryDoors {
  readonly #deps: HistoryDoorsDependencies;

  constructor(deps: HistoryDoorsDependencies) {
    this.#deps = deps;
  }

  /**
   * A page as values.
   * @throws InvalidInputError, StorageError
   */
  async read(request: HistoryRequest, signal?: AbortSignal): Promise<HistoryPage> {
    const stored = await this.#stored(request, signal);
    if (stored === undefined) return { values: [] };
    const { columns, modifiedAt, next } = await this.#deps.backend.readHistory(stored, signal);
    return { values: valuesOf(request, columns, modifiedAt), ...(next === undefined ? {} : { next }) };
  }

  /**
   * A page as OPC UA sends it.
   * @throws InvalidInputError, StorageError
   */
  async readEncoded(
    request: HistoryRequest,
    encoding: HistoryEncoding,
    signal?: AbortSignal,
  ): Promise<EncodedHistoryPage> {
    const stored = await this.#stored(request, signal);
    if (stored === undefined) return nothing();
    return this.#deps.backend.readEncodedHistory(stored, encoding, signal);
  }

  /** The question with the number of its metric, when what waits is written. `undefined` = nothing was ever stored. */
  async #stored(request: HistoryRequest, signal: AbortSignal | undefined): Promise<StoredHistoryRequest | undefined> {
    checkHistoryRequest(request);
    const record = this.#deps.metric(request);
    if (record === undefined) return undefined;
    // Whatever is asked, neighbours of the range matter too: what waits of the metric is written first.
    if (this.#deps.isWaiting(record.id)) await writtenSoon(this.#deps.clock, this.#deps.settled(), signal);
    // Its number may have become another one meanwhile, when the storage was opened.
    const { id: metric, definition, held: latest } = record;
    return { metric, dataType: definition.dataType, request, ...(latest === undefined ? {} : { latest }) };
  }
}

/** Waits until what was accepted before is written, but not for a slow disk, nor longer than anybody waits. */
export async function writtenSoon(clock: Clock, written: Promise<void>, signal?: AbortSignal): Promise<void> {
  await endsWithin(clock, written, FLUSH_TIMEOUT, signal);
}

function valuesOf(request: HistoryRequest, columns: SampleColumns, modifiedAt?: Float64Array): HistoryValue[] {
  const integers = integersOf(columns);
  const areStored = request.kind === 'raw' || request.kind === 'modified';
  return Array.from({ length: columns.length }, (_, index): HistoryValue => {
    const flags = columns.flags[index] ?? 0;
    const status = columns.status[index] ?? 0;
    return {
      time: columns.time[index] ?? 0,
      value: valueAt(columns, integers, index),
      status,
      ...(areStored && status !== HISTORY_STATUS.BadBoundNotFound ? { origin: originOfFlags(flags) } : {}),
      ...((flags & SampleFlag.Corrected) === 0 ? {} : { corrected: true }),
      ...(modifiedAt === undefined ? {} : { modifiedAt: modifiedAt[index] ?? 0 }),
    };
  });
}

/** The empty array of DataValues. */
function nothing(): EncodedHistoryPage {
  return { bytes: new Uint8Array(4), count: 0 };
}
