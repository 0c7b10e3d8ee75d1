/** Whether one node of a request can be read at all, and what is to be read of it. */
import type {
  BaseNode,
  HistoryReadDetails,
  HistoryReadValueId,
  ISessionContext,
  QualifiedName,
  TimestampsToReturn,
  UAVariable,
} from 'node-opcua';
import type { Course, HistoryTarget, MetricDataType } from '../../model';
import type { HistorySource } from '../address-space/model-source';
import type { ContinuationPoints } from './continuation';
import type { DetailsReader } from './details';
import { judgeIndexRange, type TextRange } from './index-range';
import type { HistoryServiceOptions } from './options';
import { firstPosition, type HistoryQuestion, type Position } from './question';
import { type HistoryStatus, isStatus } from './statuses';

/** A node as a request names it. */
export interface NodeToRead {
  readonly node: HistoryReadValueId;
  /** In nodesToRead. */
  readonly place: number;
  readonly nodes: number;
  readonly details: HistoryReadDetails;
  readonly timestamps: TimestampsToReturn;
}

/** A node that can be read. */
export interface ReadableNode extends Course {
  readonly nodeId: string;
  readonly target: HistoryTarget;
  readonly dataType: MetricDataType | undefined;
  readonly source: HistorySource;
  readonly question: HistoryQuestion;
  /** Values that the client wants at once at most; 0 = all. */
  readonly count: number;
  readonly position: Position;
  /** Part of each value that is wanted. */
  readonly range: TextRange | undefined;
}

export class NodeJudge {
  readonly #options: HistoryServiceOptions;
  readonly #details: DetailsReader;
  readonly #points: ContinuationPoints;

  constructor(options: HistoryServiceOptions, details: DetailsReader, points: ContinuationPoints) {
    this.#options = options;
    this.#details = details;
    this.#points = points;
  }

  judge(
    context: ISessionContext,
    { node, place, nodes, details, timestamps }: NodeToRead,
  ): ReadableNode | HistoryStatus {
    const { library, addressSpace } = this.#options;
    const found = addressSpace.findNode(node.nodeId);
    if (found === null) return 'BadNodeIdUnknown';
    if (context.isAccessRestricted(found)) return 'BadSecurityModeInsufficient';
    const metric = this.#options.metric(node.nodeId);
    // Objects too are found here: no history of events is kept.
    if (metric === undefined || !this.#isHistorized(found)) return 'BadHistoryOperationUnsupported';
    if (!context.checkPermission(found, library.PermissionType.ReadHistory)) return 'BadUserAccessDenied';

    const asked = this.#details.read(details, place, nodes);
    if (isStatus(asked)) return asked;
    // Only source times are kept. Who asks for both is given what there is: many clients always do.
    if (timestamps === library.TimestampsToReturn.Server) return 'BadTimestampNotSupported';
    if (timestamps === library.TimestampsToReturn.Neither) return 'BadTimestampsToReturnInvalid';
    if (!isPlain(node.dataEncoding)) return 'BadDataEncodingInvalid';
    const range = judgeIndexRange(node.indexRange, metric.dataType);
    if (isStatus(range)) return range;

    const { question, count } = asked;
    const nodeId = node.nodeId.toString();
    const point = node.continuationPoint;
    const position =
      point === null || point.length === 0 ? firstPosition(question) : this.#points.read(point, nodeId, question);
    if (position === undefined) return 'BadContinuationPointInvalid';
    const source = this.#options.source(metric.target);
    // Between two deploys the server stands without its database.
    if (source === undefined) return 'BadDataUnavailable';
    return { ...metric, nodeId, source, question, count, position, range };
  }

  #isHistorized(node: BaseNode): boolean {
    const { AccessLevelFlag, NodeClass } = this.#options.library;
    const historyRead: number = AccessLevelFlag.HistoryRead;
    return node.nodeClass === NodeClass.Variable && ((node as UAVariable).accessLevel & historyRead) !== 0;
  }
}

/** No encoding is asked for, or the one there is: values of scalar types have no other. */
function isPlain(encoding: QualifiedName | null): boolean {
  const name = encoding?.name;
  return (
    name === null || name === undefined || name === '' || (encoding?.namespaceIndex === 0 && name === 'Default Binary')
  );
}
