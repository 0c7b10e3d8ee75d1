/** Questions that come as messages among others. */

const QUERY_TOPICS: ReadonlySet<unknown> = new Set([
  'values.latest',
  'history.raw',
  'history.modified',
  'history.atTime',
  'history.processed',
  'history.export',
  'database.backup',
]);

/** Whether a message with this topic asks the store something; topics of readings name an application and a device. */
export function isQueryTopic(topic: unknown): topic is string {
  return QUERY_TOPICS.has(topic);
}

/** An answer to one of these topics, as far as paging is concerned. */
interface Paged {
  readonly complete: boolean;
  readonly next?: unknown;
}

function isPaged(payload: unknown): payload is Paged {
  return (
    typeof payload === 'object' && payload !== null && 'complete' in payload && typeof payload.complete === 'boolean'
  );
}

/**
 * The question that a payload is: itself, or, where it is an answer that was wired back, the one for the page behind it.
 * `undefined` when there is no page behind it.
 */
export function questionOf(payload: unknown): { readonly payload: unknown } | undefined {
  if (!isPaged(payload)) return { payload };
  return payload.complete ? undefined : { payload: payload.next };
}

/** What a message tells of paging besides the answer itself. */
export function pagingOf(result: unknown): Paged {
  if (!isPaged(result)) return { complete: true };
  return result.next === undefined ? { complete: true } : { complete: false, next: result.next };
}
