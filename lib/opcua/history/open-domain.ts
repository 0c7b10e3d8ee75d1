/** Bounds of time domains of which only one time was given (Part 11 §4.6, Table 1). */
import { type EncodedHistoryPage, HISTORY_STATUS } from '../../model';
import { lastTime, withStatus } from './encoded-data';
import type { HistoryQuestion, Position } from './question';

/** How far behind the last value the bound that was not found is put, ms. */
const BEHIND = 1_000;

/**
 * The last page of an answer. If bounds are wanted and fewer values than wanted were found, there is no bound at the
 * open side, and this is said a second behind the last value.
 */
export function closeDomain(
  question: HistoryQuestion,
  position: Position,
  page: EncodedHistoryPage,
): EncodedHistoryPage {
  if (question.kind !== 'raw' || question.total === undefined || !question.bounds.start) return page;
  if (position.given + page.count >= question.total) return page;
  const last = lastTime(page) ?? position.start;
  const time = question.order === 'ascending' ? last + BEHIND : last - BEHIND;
  return withStatus(page, time, HISTORY_STATUS.BadBoundNotFound);
}
