/** The reference flow with commands that a test defines. */
import assert from 'node:assert/strict';
import { z } from 'zod';
import type { AdminApi } from './boot-gateway';

export type { AdminApi };

const flowsSchema = z.object({
  flows: z.array(z.looseObject({ id: z.string(), type: z.string() })),
  rev: z.string(),
});

type FlowNodes = z.infer<typeof flowsSchema>['flows'];

/** The flow with a command-queue that gets readings and events of the poller. */
function withQueue(flows: FlowNodes): FlowNodes {
  if (flows.some(({ type }) => type === 'command-queue')) return flows;
  const poller = flows.find(({ type }) => type === 'chirpstack-poller');
  assert.ok(poller);
  const { connection, database, z: tab } = poller;
  const queue = {
    id: 'c0ffee0000000001',
    type: 'command-queue',
    z: tab,
    x: 100,
    y: 100,
    database,
    connection,
    dispatch: 'grpc',
    definitions: [],
    maxPerDevice: '100',
    wires: [[], []],
  };
  const wires = z.array(z.array(z.string())).parse(poller['wires']);
  const wired = { ...poller, wires: wires.map((targets, output) => (output < 2 ? [...targets, queue.id] : targets)) };
  return [...flows.map((node) => (node === poller ? wired : node)), queue];
}

/** Gives the command-queue of the running flow other definitions and deploys them. */
export async function defineCommands(admin: AdminApi, definitions: readonly object[]): Promise<void> {
  const headers = { 'Node-RED-API-Version': 'v2' };
  const current = flowsSchema.parse(await (await admin('/flows', { headers })).json());
  const flows = withQueue(current.flows).map((node) =>
    node.type === 'command-queue' ? { ...node, definitions } : node,
  );
  const answer = await admin('/flows', {
    method: 'POST',
    headers: { ...headers, 'Node-RED-Deployment-Type': 'nodes' },
    body: JSON.stringify({ flows, rev: current.rev }),
  });
  assert.equal(answer.status, 200, await answer.text());
}
