/** Large requests, served so that others have their turn in between. */
import type { Clock } from '../../model';

/** Operations that are done without looking at the clock. */
export const PART = 10;
/** ms until others have their turn */
const TURN = 1;
/** Turns of one request that follow upon one another as soon as nothing else is to be done: enough for usual requests. */
const QUICK_TURNS = 3;
/** ms that belong to others after each further turn, even if they have nothing to do yet. */
const REST = 1;

/** The turns of one request. */
export class Turns {
  readonly #clock: Clock;
  readonly #rest: number;
  #begun: number;
  #count = 0;

  /** @param rest ms that belong to others after each turn once the quick ones are over */
  constructor(clock: Clock, rest = REST) {
    this.#clock = clock;
    this.#rest = rest;
    this.#begun = clock.monotonic();
  }

  /**
   * Waits until it is this request's turn again, if it has had one. Meanwhile other requests may be served, also of the
   * same client: what must still hold is for the caller to look at.
   */
  async next(): Promise<void> {
    if (this.#clock.monotonic() - this.#begun < TURN) return;
    await new Promise<void>((resolve) => {
      if (++this.#count <= QUICK_TURNS) setImmediate(resolve);
      else this.#clock.after(this.#rest, resolve);
    });
    this.#begun = this.#clock.monotonic();
  }
}

/** Serves a list part by part. Between two parts, other requests may be served ({@link Turns.next}). */
export async function inTurns<Item, Result>(
  clock: Clock,
  items: readonly Item[],
  serve: (part: Item[]) => Promise<Result[]> | Result[],
  rest = REST,
): Promise<Result[]> {
  if (items.length <= PART) return serve([...items]);
  const results: Result[] = [];
  const turns = new Turns(clock, rest);
  for (let start = 0; start < items.length; start += PART) {
    results.push(...(await serve(items.slice(start, start + PART))));
    await turns.next();
  }
  return results;
}
