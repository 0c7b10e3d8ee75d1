/**
 * The engine of history: answers every kind of question from stored rows, beside the data and the same for every
 * backend. Pure functions of rows and request; nothing is kept between calls.
 */
import type { StoredHistoryPage, StoredHistoryRequest } from '../backend';
import { readAtTime } from './at-time';
import { withLatest } from './latest';
import { readProcessed } from './processed';
import { readModified, readRaw } from './raw';
import type { HistoryRows } from './rows';

export { encodePage } from './encoding';
export type { HistoryRows, ModifiedColumns } from './rows';

/** Answers a checked request. */
export function answerHistory(
  rows: HistoryRows,
  { metric, dataType, request, latest }: StoredHistoryRequest,
): StoredHistoryPage {
  const known = (): HistoryRows => (latest === undefined ? rows : withLatest(rows, metric, latest));
  switch (request.kind) {
    case 'raw':
      return readRaw(rows, metric, request);
    case 'modified':
      return readModified(rows, metric, request);
    case 'at-time':
      return readAtTime(known(), metric, dataType, request);
    case 'processed':
      return readProcessed(known(), metric, dataType, request);
  }
}
