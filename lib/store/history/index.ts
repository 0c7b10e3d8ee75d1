/**
 * The engine of history: answers every kind of question from stored rows, beside the data and the same for every
 * backend. Pure functions of rows and request; nothing is kept between calls.
 */
import type { StoredHistoryPage, StoredHistoryRequest } from '../backend';
import { readModified, readRaw } from './raw';
import type { HistoryRows } from './rows';

export { encodePage } from './encoding';

/** Answers a checked request (see history-request.ts). */
export function answerHistory(rows: HistoryRows, { metric, request }: StoredHistoryRequest): StoredHistoryPage {
  switch (request.kind) {
    case 'raw':
      return readRaw(rows, metric, request);
    case 'modified':
      return readModified(rows, metric, request);
    case 'at-time':
    case 'processed':
      throw new RangeError(`${request.kind} is not there yet`);
  }
}
