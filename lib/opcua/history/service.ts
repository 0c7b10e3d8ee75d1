/**
 * The HistoryRead service (Part 4 §5.11.3). It takes a request as a whole, because timestamps, size, time and the
 * ending of the client concern all of its nodes; the library asks node by node and knows nothing of these.
 */
import type { HistoryData, HistoryReadRequest, HistoryReadResult, ISessionContext } from 'node-opcua';
import { errorText, InvalidInputError, type LogReason, STORAGE_FAULTS } from '../../model';
import { ResponseBudget, type Share } from './budget';
import { CONTINUATION_POINT_SIZE, ContinuationPoints } from './continuation';
import { DetailsReader } from './details';
import { type EncodedDataTypes, encodedDataTypes, sizeOf } from './encoded-data';
import { partsOf } from './index-range';
import { NodeJudge, type NodeToRead, type ReadableNode } from './node-judge';
import { closeDomain } from './open-domain';
import type { HistoryServiceOptions } from './options';
import { Pages, type WantedPage } from './pages';
import { positionAfter } from './question';
import { endOf, type RequestLife, RequestLives } from './request-life';
import { type HistoryStatus, isStatus } from './statuses';

/** Values in one response, all nodes together. */
const MOST_VALUES = 100_000;
/** Bytes of one response. Larger ones hold the event loop for too long, and make others wait. */
const LARGEST_RESPONSE = 16 * 1024 * 1024;
/** What a response takes beside its results, and a result beside its values, bytes. */
const RESPONSE_OVERHEAD = 1_024;
const RESULT_OVERHEAD = 64 + CONTINUATION_POINT_SIZE;
/** Nodes of one request that are read at the same time: one is read while the one before is made ready. */
const LANES = 2;

/** Why a source cannot answer, as far as it says so. */
const FAULTS: readonly LogReason[] = [...STORAGE_FAULTS, 'shutdown'];

export class HistoryService {
  readonly #options: HistoryServiceOptions;
  readonly #points: ContinuationPoints;
  readonly #lives: RequestLives;
  readonly #pages: Pages;
  readonly #data: EncodedDataTypes;
  readonly #judge: NodeJudge;

  constructor(options: HistoryServiceOptions) {
    this.#options = options;
    this.#points = new ContinuationPoints(options.key);
    this.#lives = new RequestLives(options.clock);
    this.#pages = new Pages(options.clock);
    this.#data = encodedDataTypes(options.library);
    this.#judge = new NodeJudge(options, new DetailsReader(options.library), this.#points);
  }

  /**
   * Answers a request, one result for each of its nodes.
   * @throws if the details are none at all, which the library answers with BadHistoryOperationInvalid
   */
  async read(context: ISessionContext, request: HistoryReadRequest): Promise<HistoryReadResult[]> {
    const { library } = this.#options;
    const nodes = request.nodesToRead ?? [];
    if (request.releaseContinuationPoints)
      // Nothing is kept, so there is nothing to release.
      return nodes.map(({ continuationPoint: point }) =>
        this.#result(this.#points.isPlausible(point) ? 'Good' : 'BadContinuationPointInvalid'),
      );
    const details = request.historyReadDetails;
    if (!(details instanceof library.HistoryReadDetails)) throw new TypeError('no details of a HistoryRead');
    const { session } = context;
    const server = session instanceof library.ServerSession ? session : undefined;
    const life = this.#lives.begin(server, request.requestHeader.timeoutHint);
    const room = Math.min(server?.channel?.getMaxResponseBodySize() || LARGEST_RESPONSE, LARGEST_RESPONSE);
    const budget = new ResponseBudget(
      room - RESPONSE_OVERHEAD - nodes.length * RESULT_OVERHEAD,
      MOST_VALUES,
      nodes.length,
    );
    try {
      const results: HistoryReadResult[] = [];
      let place = 0;
      const lane = async (): Promise<void> => {
        while (place < nodes.length) {
          const mine = place++;
          const node = nodes[mine];
          if (node === undefined) return;
          const asked = { node, place: mine, nodes: nodes.length, details, timestamps: request.timestampsToReturn };
          results[mine] = await this.#readNode(context, asked, budget, life, nodes.length === 1);
        }
      };
      await Promise.all(Array.from({ length: LANES }, lane));
      return results;
    } finally {
      life.end();
    }
  }

  /** Ends what is under way; later requests are answered as before. */
  close(): void {
    this.#lives.close();
    this.#pages.close();
  }

  async #readNode(
    context: ISessionContext,
    asked: NodeToRead,
    budget: ResponseBudget,
    life: RequestLife,
    alone: boolean,
  ): Promise<HistoryReadResult> {
    const share = budget.reserve();
    const node = this.#judge.judge(context, asked);
    if (isStatus(node)) {
      budget.settle(share, 0, 0);
      return this.#result(node);
    }
    // Time ran out before it was this node's turn: the client may come back for it (Part 4 §5.11.3.1).
    if (life.signal.aborted) return endOf(life.signal) === 'timeout' ? this.#later(node) : this.#ended(life.signal);
    const { maxHistoryValuesPerNode } = this.#options.settings.current;
    const limit = Math.min(share.values, maxHistoryValuesPerNode, node.count === 0 ? Infinity : node.count);
    if (limit < 1) return this.#later(node);
    return this.#readPage({ ...node, limit }, share, budget, life, alone).catch((error: unknown) =>
      life.signal.aborted ? this.#ended(life.signal) : this.#failed(node, error),
    );
  }

  async #readPage(
    node: ReadableNode & WantedPage,
    share: Share,
    budget: ResponseBudget,
    { signal }: RequestLife,
    alone: boolean,
  ): Promise<HistoryReadResult> {
    const { library } = this.#options;
    const { question, position, nodeId, range } = node;
    const read = await this.#pages.read(node, share, budget, signal);
    if (read === undefined) {
      budget.settle(share, 0, 0);
      return share.bytes > 0 && alone ? this.#result('BadEncodingLimitsExceeded') : this.#later(node);
    }
    const next = positionAfter(question, position, read);
    const page = next === undefined ? closeDomain(question, position, read) : read;
    budget.settle(share, page.count, sizeOf(page));
    if (next !== undefined && alone) this.#pages.readAhead(node, page);
    const status = page.count === 0 && next === undefined ? 'GoodNoData' : 'Good';
    const data =
      range !== undefined
        ? partsOf(library, page, range)
        : question.kind === 'modified'
          ? this.#data.modifiedData(page)
          : this.#data.data(page);
    return this.#result(status, data, next && this.#points.write(next, nodeId, question));
  }

  /** No values yet, and the place where they begin. */
  #later({ question, position, nodeId }: ReadableNode): HistoryReadResult {
    const { library } = this.#options;
    const data = question.kind === 'modified' ? new library.HistoryModifiedData() : new library.HistoryData();
    return this.#result('Good', data, this.#points.write(position, nodeId, question));
  }

  #ended(signal: AbortSignal): HistoryReadResult {
    const end = endOf(signal);
    return this.#result(end === 'timeout' ? 'BadTimeout' : end === 'shutdown' ? 'BadShutdown' : 'BadSessionClosed');
  }

  #failed({ target }: ReadableNode, error: unknown): HistoryReadResult {
    const reason: unknown = typeof error === 'object' && error !== null && 'reason' in error ? error.reason : undefined;
    const { repeated, logger } = this.#options;
    repeated.write(
      `history ${errorText(error)}`,
      {
        operation: 'read-history',
        event: 'failed',
        reason: FAULTS.find((fault) => fault === reason) ?? 'internal',
        message: `a client could not be given history: ${errorText(error)}`,
        device: target.devEui,
        metric: target.metric,
      },
      (entry) => logger.warn(entry),
    );
    if (error instanceof InvalidInputError) return this.#result('BadInvalidArgument');
    return this.#result(reason === 'timeout' ? 'BadTimeout' : 'BadResourceUnavailable');
  }

  #result(
    status: HistoryStatus,
    historyData: HistoryData | null = null,
    continuationPoint?: Buffer,
  ): HistoryReadResult {
    const { HistoryReadResult, StatusCodes } = this.#options.library;
    return new HistoryReadResult({
      statusCode: StatusCodes[status],
      historyData,
      ...(continuationPoint === undefined ? {} : { continuationPoint }),
    });
  }
}
