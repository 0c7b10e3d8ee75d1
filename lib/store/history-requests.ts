/** Rules of questions to history, with all faults of one at once. */
import {
  AGGREGATES,
  type AggregateConfiguration,
  type AtTimeHistoryRequest,
  FaultCollector,
  type HistoryRequest,
  LARGEST_HISTORY_PAGE,
  type ModifiedHistoryRequest,
  type ProcessedHistoryRequest,
  type RawHistoryRequest,
} from '../model';

/** The first and last instants that a Date can be, ms UTC. */
const LARGEST_INSTANT = 8.64e15;
/** Intervals of one request: what is more is a mistake, and takes years to be fetched page by page. */
const MOST_INTERVALS = 1e9;

const INSTANT_CURE = 'Give a number of ms since 1970 UTC, e.g. from Date.now().';

/** @throws InvalidInputError */
export function checkHistoryRequest(request: HistoryRequest): void {
  const faults = new FaultCollector();
  switch (request.kind) {
    case 'raw':
    case 'modified':
      checkRange(faults, request);
      break;
    case 'at-time':
      checkTimes(faults, request);
      break;
    case 'processed':
      checkIntervals(faults, request);
      break;
    default: {
      const { kind }: { kind?: unknown } = request;
      const rule = 'it is raw, modified, at-time or processed';
      faults.add('kind', kind, rule, 'Use one of the four.');
    }
  }
  faults.throwIfAny();
}

function checkRange(faults: FaultCollector, request: RawHistoryRequest | ModifiedHistoryRequest): void {
  const { order, start, end, limit } = request;
  const isAscending = order === 'ascending';
  if (!isAscending && order !== 'descending')
    faults.add('order', order, 'it is ascending or descending', 'Use one of the two.');
  const areInstants = [isInstant('start', start), isInstant('end', end)].every(Boolean);
  if (areInstants && (isAscending ? start > end : start < end))
    faults.add(
      'end',
      end,
      `reading ${order} it does not lie ${isAscending ? 'before' : 'behind'} start`,
      'Exchange start and end, or choose the other order.',
    );
  if (areInstants && start === end && !Number.isFinite(start))
    faults.add('end', end, 'an infinite range has two ends', 'Give at least one instant, or the other infinity.');
  checkLimit(faults, limit);
  if (request.kind === 'modified') checkSkip(faults, request.skip);

  function isInstant(field: string, value: unknown): boolean {
    const isOne = typeof value === 'number' && (Math.abs(value) <= LARGEST_INSTANT || Math.abs(value) === Infinity);
    if (!isOne) faults.add(field, value, 'it is an instant in ms UTC, or infinite', INSTANT_CURE);
    return isOne;
  }
}

function checkTimes(faults: FaultCollector, { times }: AtTimeHistoryRequest): void {
  if (times.length > LARGEST_HISTORY_PAGE)
    faults.add(
      'times',
      times.length,
      `at most ${LARGEST_HISTORY_PAGE} instants are asked for at once`,
      'Ask for some of them at a time.',
    );
  const wrong = times.findIndex((time) => !isFiniteInstant(time));
  if (wrong >= 0) faults.add(`times[${wrong}]`, times[wrong], 'it is an instant in ms UTC', INSTANT_CURE);
}

function checkIntervals(faults: FaultCollector, request: ProcessedHistoryRequest): void {
  const { aggregate, start, end, interval, limit, skip, configuration } = request;
  if (!(AGGREGATES as readonly string[]).includes(aggregate))
    faults.add(
      'aggregate',
      aggregate,
      'it is an aggregate of OPC UA Part 13 that Lorua computes',
      'See docs/history.md.',
    );
  const wrong = (['start', 'end'] as const).filter((field) => !isFiniteInstant(request[field]));
  for (const field of wrong) faults.add(field, request[field], 'it is an instant in ms UTC', INSTANT_CURE);
  if (wrong.length === 0 && start === end)
    faults.add('end', end, 'intervals need a range: it differs from start', 'Give a later end, or an earlier one.');
  if (!Number.isFinite(interval) || interval < 0)
    faults.add('interval', interval, 'it is a length in ms, or 0 for the whole range', 'Give a number from 0.');
  else if (interval > 0 && Math.abs(end - start) / interval > MOST_INTERVALS)
    faults.add('interval', interval, `a range has at most ${MOST_INTERVALS} intervals`, 'Choose longer intervals.');
  checkConfiguration(faults, configuration);
  checkLimit(faults, limit);
  checkSkip(faults, skip);
}

function checkConfiguration(faults: FaultCollector, configuration: AggregateConfiguration): void {
  const { percentDataBad, percentDataGood } = configuration;
  const wrong = (['percentDataBad', 'percentDataGood'] as const).filter(
    (field) => !(configuration[field] >= 0 && configuration[field] <= 100),
  );
  for (const field of wrong)
    faults.add(`configuration.${field}`, configuration[field], 'it is a percentage', 'Give a number from 0 to 100.');
  if (wrong.length === 0 && percentDataGood < 100 - percentDataBad)
    faults.add(
      'configuration.percentDataGood',
      percentDataGood,
      'it is at least 100 less percentDataBad',
      'Raise one of the two: with 100 and 100 a result is Good only if all data is.',
    );
  for (const field of ['treatUncertainAsBad', 'useSlopedExtrapolation'] as const)
    if (typeof configuration[field] !== 'boolean')
      faults.add(`configuration.${field}`, configuration[field], 'it is true or false', 'Use one of the two.');
}

function checkLimit(faults: FaultCollector, limit: unknown): void {
  if (!(Number.isInteger(limit) && Number(limit) >= 1 && Number(limit) <= LARGEST_HISTORY_PAGE))
    faults.add('limit', limit, `a page has 1 to ${LARGEST_HISTORY_PAGE} values`, 'Ask for a page of that size.');
}

function checkSkip(faults: FaultCollector, skip: unknown): void {
  if (!(Number.isSafeInteger(skip) && Number(skip) >= 0))
    faults.add('skip', skip, 'it counts values that were given before', 'Use the `next` of the page before, or 0.');
}

function isFiniteInstant(value: unknown): boolean {
  return typeof value === 'number' && Math.abs(value) <= LARGEST_INSTANT;
}
