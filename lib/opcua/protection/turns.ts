/** Large requests, served so that others have their turn in between. */
import type { Clock } from '../../model';

/** Operations that are done without looking at the clock. */
const PART = 10;
/** ms until others have their turn */
const TURN = 1;

/**
 * Serves a list part by part. Between two parts, other requests may be served, also of the same client: what must still
 * hold is for `serve` to look at.
 */
export async function inTurns<Item, Result>(
  clock: Clock,
  items: readonly Item[],
  serve: (part: Item[]) => Promise<Result[]> | Result[],
): Promise<Result[]> {
  if (items.length <= PART) return serve([...items]);
  const results: Result[] = [];
  let begun = clock.monotonic();
  for (let start = 0; start < items.length; start += PART) {
    results.push(...(await serve(items.slice(start, start + PART))));
    if (clock.monotonic() - begun < TURN) continue;
    await new Promise<void>((resolve) => setImmediate(resolve));
    begun = clock.monotonic();
  }
  return results;
}
