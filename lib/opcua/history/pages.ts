/** Gets pages from sources of history, no larger than they may be, and the next one while the client takes in the last. */
import {
  type Clock,
  type Course,
  type EncodedHistoryPage,
  type HistoryRequest,
  type HistoryTarget,
  LARGEST_HISTORY_PAGE,
  type MetricDataType,
  type Timer,
} from '../../model';
import type { HistorySource } from '../address-space/model-source';
import type { ResponseBudget, Share } from './budget';
import { sizeOf } from './encoded-data';
import { type HistoryQuestion, type Position, positionAfter, requestAt } from './question';
import { unlessAborted } from './request-life';

const ENCODING = { sourceTimestamps: true } as const;
/** Mask, Variant of eight bytes, status, time, and what says when it was replaced. */
const LARGEST_NUMBER = 1 + 9 + 4 + 8;
const LARGEST_MODIFIED_NUMBER = LARGEST_NUMBER + 16;
/** Texts may be long: the first try is modest, and those behind it know better. */
const FIRST_TEXTS = 2_000;
/** Smaller pages are not worth it. */
const SMALLEST_PAGE_AHEAD = 1_000;
/** How long a page that was read ahead is good, ms: what arrives meanwhile is not in it. */
const AHEAD_TIME = 1_000;
const MOST_AHEAD = 16;

interface PageAhead {
  readonly source: HistorySource;
  readonly page: Promise<EncodedHistoryPage | undefined>;
  readonly controller: AbortController;
  readonly timer: Timer;
}

export interface WantedPage extends Course {
  readonly source: HistorySource;
  readonly question: HistoryQuestion;
  readonly position: Position;
  readonly target: HistoryTarget;
  readonly dataType: MetricDataType | undefined;
  /** Values at most. */
  readonly limit: number;
}

export class Pages {
  readonly #clock: Clock;
  /** No state: any of it may be dropped at any time. */
  readonly #ahead = new Map<string, PageAhead>();
  #closed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * @returns `undefined` if not even one value fits
   * @throws whatever the source rejects with; an error when the signal aborts
   */
  async read(
    wanted: WantedPage,
    share: Share,
    budget: ResponseBudget,
    signal: AbortSignal,
  ): Promise<EncodedHistoryPage | undefined> {
    const { source, question, position } = wanted;
    let limit = firstLimit(wanted, share);
    for (;;) {
      const request = requestAt(question, position, wanted, limit);
      const page =
        (await this.#takeAhead(source, request)) ??
        (await unlessAborted(source.readHistory(request, ENCODING, signal), signal));
      const size = sizeOf(page);
      if (size <= share.bytes) return page;
      if (page.count <= 1) return budget.extend(share, size) ? page : undefined;
      limit = Math.max(1, Math.min(page.count - 1, Math.floor(((page.count * share.bytes) / size) * 0.9)));
    }
  }

  /** Begins to read what the client will ask for next, if it goes on as it did. */
  readAhead(wanted: WantedPage, page: EncodedHistoryPage): void {
    const { source, question, position } = wanted;
    if (question.kind === 'at-time' || this.#closed || this.#ahead.size >= MOST_AHEAD) return;
    // A page cut short says nothing about the size of the next one.
    if (page.count < SMALLEST_PAGE_AHEAD || page.count < mostAtFirst(wanted)) return;
    const next = positionAfter(question, position, page);
    if (next === undefined) return;
    const request = requestAt(question, next, wanted, page.count);
    const key = keyOf(request);
    if (this.#ahead.has(key)) return;
    const controller = new AbortController();
    this.#ahead.set(key, {
      source,
      controller,
      timer: this.#clock.after(AHEAD_TIME, () => this.#drop(key)),
      // Whoever needs it reads it again and meets the error itself.
      page: source.readHistory(request, ENCODING, controller.signal).catch(() => undefined),
    });
  }

  close(): void {
    this.#closed = true;
    for (const key of this.#ahead.keys()) this.#drop(key);
  }

  #drop(key: string): void {
    const ahead = this.#ahead.get(key);
    this.#ahead.delete(key);
    ahead?.timer.cancel();
    ahead?.controller.abort();
  }

  async #takeAhead(source: HistorySource, request: HistoryRequest): Promise<EncodedHistoryPage | undefined> {
    if (this.#ahead.size === 0) return undefined;
    const key = keyOf(request);
    const ahead = this.#ahead.get(key);
    if (ahead === undefined || ahead.source !== source) return undefined;
    this.#ahead.delete(key);
    ahead.timer.cancel();
    const page = await ahead.page;
    // The last page is read when it is asked for, so that it shows everything there is by then.
    return page?.next === undefined ? undefined : page;
  }
}

function keyOf(request: HistoryRequest): string {
  return JSON.stringify(request);
}

/** Values of the first try, as far as the size of the response does not matter. */
function mostAtFirst({ dataType, limit }: WantedPage): number {
  // What is computed of texts may be texts too.
  return Math.min(limit, dataType === 'String' ? FIRST_TEXTS : LARGEST_HISTORY_PAGE);
}

function firstLimit(wanted: WantedPage, share: Share): number {
  const most = mostAtFirst(wanted);
  if (wanted.dataType === 'String') return Math.max(1, most);
  const size = wanted.question.kind === 'modified' ? LARGEST_MODIFIED_NUMBER : LARGEST_NUMBER;
  return Math.max(1, Math.min(most, Math.floor(share.bytes / size)));
}
