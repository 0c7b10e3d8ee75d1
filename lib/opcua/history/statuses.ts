/** Status codes that the answers of HistoryRead have for a node as a whole (Part 4 §5.11.3.4, Part 11 §6.2, Part 13 §5.3.2). */
export const HISTORY_STATUSES = [
  'Good',
  'GoodNoData',
  'BadNodeIdUnknown',
  'BadUserAccessDenied',
  'BadSecurityModeInsufficient',
  'BadHistoryOperationInvalid',
  'BadHistoryOperationUnsupported',
  'BadContinuationPointInvalid',
  'BadTimestampsToReturnInvalid',
  'BadTimestampNotSupported',
  'BadInvalidTimestampArgument',
  'BadInvalidArgument',
  'BadIndexRangeInvalid',
  'BadIndexRangeNoData',
  'BadDataEncodingInvalid',
  'BadAggregateListMismatch',
  'BadAggregateNotSupported',
  'BadAggregateInvalidInputs',
  'BadTooManyOperations',
  'BadEncodingLimitsExceeded',
  'BadDataUnavailable',
  'BadResourceUnavailable',
  'BadTimeout',
  'BadShutdown',
  'BadSessionClosed',
] as const;
export type HistoryStatus = (typeof HISTORY_STATUSES)[number];

export function isStatus(answer: unknown): answer is HistoryStatus {
  return typeof answer === 'string';
}
