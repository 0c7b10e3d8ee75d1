/** Node ids of the gateway's instances are made of identities (docs/information-model.md). */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DevEui } from '../../lib/model';
import { repositoryRoot } from './paths';

/** Identifier of a metric's variable, without the namespace. */
export function metricIdentifier(devEui: DevEui | string, key: string): string {
  return `${devEui}/metric/${key}`;
}

/** DevEUI and metric key of a metric's variable; undefined for other nodes. */
export function parseMetricNodeId(nodeId: string): { devEui: string; key: string } | undefined {
  const match = /;s=([0-9a-f]{16})\/metric\/(.+)$/.exec(nodeId);
  return match ? { devEui: match[1] ?? '', key: match[2] ?? '' } : undefined;
}

/** Identifier of what is shown of the reference flow's connection to ChirpStack. */
export function connectionIdentifier(variable: string): string {
  const flow = JSON.parse(readFileSync(join(repositoryRoot, 'flows', 'gateway.json'), 'utf8')) as {
    id: string;
    type: string;
  }[];
  const connection = flow.find(({ type }) => type === 'chirpstack-connection');
  if (connection === undefined) throw new Error('the reference flow has no connection');
  return `gateway/connection/${connection.id}/${variable}`;
}
