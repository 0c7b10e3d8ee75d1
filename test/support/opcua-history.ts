/** HistoryRead as a historian client does it: page by page until there is no more. */
import {
  type AggregateFunction,
  type ClientSession,
  type DataValue,
  HistoryData,
  type HistoryReadDetails,
  HistoryReadRequest,
  ReadProcessedDetails,
  ReadRawModifiedDetails,
  StatusCodes,
  TimestampsToReturn,
} from 'node-opcua';

/** Stored values. @param from ms UTC, inclusive @param to ms UTC, exclusive @param perPage 0 = the server decides */
export function rawDetails(from: number, to: number, perPage = 0): HistoryReadDetails {
  return new ReadRawModifiedDetails({
    isReadModified: false,
    startTime: new Date(from),
    endTime: new Date(to),
    numValuesPerNode: perPage,
    returnBounds: false,
  });
}

/** Computed values, with the aggregate configuration of the server. @param interval ms */
export function processedDetails(
  from: number,
  to: number,
  aggregate: AggregateFunction,
  interval: number,
): HistoryReadDetails {
  return new ReadProcessedDetails({
    startTime: new Date(from),
    endTime: new Date(to),
    aggregateType: [`ns=0;i=${aggregate}`],
    processingInterval: interval,
    aggregateConfiguration: { useServerCapabilitiesDefaults: true },
  });
}

/** Gives each page to `onPage`, for one node. @throws if the server answers Bad */
export async function readHistoryPages(
  session: ClientSession,
  nodeId: string,
  details: HistoryReadDetails,
  onPage: (values: readonly DataValue[]) => void,
): Promise<void> {
  let continuationPoint: Buffer | undefined;
  do {
    const { responseHeader, results } = await session.historyRead(
      new HistoryReadRequest({
        historyReadDetails: details,
        timestampsToReturn: TimestampsToReturn.Source,
        releaseContinuationPoints: false,
        nodesToRead: [{ nodeId, ...(continuationPoint === undefined ? {} : { continuationPoint }) }],
      }),
    );
    const [result] = results ?? [];
    const status = result?.statusCode ?? responseHeader.serviceResult;
    if (status.isBad()) throw new Error(`HistoryRead of ${nodeId}: ${status.toString()}`);
    const { historyData } = result ?? {};
    if (historyData instanceof HistoryData) onPage(historyData.dataValues ?? []);
    else if (!status.equals(StatusCodes.GoodNoData)) throw new Error(`HistoryRead of ${nodeId}: no data`);
    const next = result?.continuationPoint;
    continuationPoint = next && next.length > 0 ? next : undefined;
  } while (continuationPoint !== undefined);
}

/** All values of one node in one list. */
export async function readHistory(
  session: ClientSession,
  nodeId: string,
  details: HistoryReadDetails,
): Promise<DataValue[]> {
  const values: DataValue[] = [];
  await readHistoryPages(session, nodeId, details, (page) => values.push(...page));
  return values;
}
