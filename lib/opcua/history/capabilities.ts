/** What the address space says about history: capabilities and the aggregates there are (Part 11 §5.4, Part 13 §4.2). */
import type { BaseNode, OPCUAServer, UAVariable } from 'node-opcua';
import type { Library } from '../library';
import { aggregateNodes } from './details';

/** Facets that are met (Part 7); those of aggregates need each aggregate they name, and all are there. */
export const HISTORY_PROFILES = [
  'http://opcfoundation.org/UA-Profile/Server/HistoricalRawData',
  'http://opcfoundation.org/UA-Profile/Server/HistoricalDataAtTime',
  'http://opcfoundation.org/UA-Profile/Server/HistoricalModifiedData',
  'http://opcfoundation.org/UA-Profile/Server/AggregateHistorical',
] as const;

/**
 * Lists the aggregates where clients look for them, and says what can be read. All else is off in the library by itself:
 * nothing can be inserted, changed or deleted, and no events are kept.
 */
export function publishCapabilities(library: Library, server: OPCUAServer): void {
  const { addressSpace, historyServerCapabilities: capabilities } = server.engine;
  capabilities.accessHistoryDataCapability = true;
  const { ObjectIds, VariableIds } = library;
  const find = (id: number): BaseNode | null => addressSpace?.findNode(library.resolveNodeId(`i=${id}`)) ?? null;
  for (const folder of [
    ObjectIds.Server_ServerCapabilities_AggregateFunctions,
    ObjectIds.HistoryServerCapabilities_AggregateFunctions,
  ])
    for (const id of aggregateNodes(library).keys())
      find(folder)?.addReference({ referenceType: 'Organizes', nodeId: library.resolveNodeId(`i=${id}`) });
  const serverTimestamps = find(VariableIds.HistoryServerCapabilities_ServerTimestampSupported) as UAVariable | null;
  serverTimestamps?.setValueFromSource({ dataType: library.DataType.Boolean, value: false });
}
