/** Node ids of the gateway's instances are made of identities (docs/information-model.md). */
import type { DevEui } from '../../lib/model';

/** Identifier of a metric's variable, without the namespace. */
export function metricIdentifier(devEui: DevEui | string, key: string): string {
  return `${devEui}/metric/${key}`;
}

/** DevEUI and metric key of a metric's variable; undefined for other nodes. */
export function parseMetricNodeId(nodeId: string): { devEui: string; key: string } | undefined {
  const match = /;s=([0-9a-f]{16})\/metric\/(.+)$/.exec(nodeId);
  return match ? { devEui: match[1] ?? '', key: match[2] ?? '' } : undefined;
}
