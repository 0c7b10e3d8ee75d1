/** The reference flow with commands that a test defines. */
import assert from 'node:assert/strict';
import { z } from 'zod';
import type { AdminApi } from './boot-gateway';

export type { AdminApi };

const flowsSchema = z.object({
  flows: z.array(z.looseObject({ id: z.string(), type: z.string() })),
  rev: z.string(),
});

/** Gives the command-queue of the running flow other definitions and deploys them. */
export async function defineCommands(admin: AdminApi, definitions: readonly object[]): Promise<void> {
  const headers = { 'Node-RED-API-Version': 'v2' };
  const current = flowsSchema.parse(await (await admin('/flows', { headers })).json());
  const queue = current.flows.find(({ type }) => type === 'command-queue');
  assert.ok(queue, 'the reference flow has a command-queue');
  const flows = current.flows.map((node) => (node === queue ? { ...node, definitions } : node));
  const answer = await admin('/flows', {
    method: 'POST',
    headers: { ...headers, 'Node-RED-Deployment-Type': 'nodes' },
    body: JSON.stringify({ flows, rev: current.rev }),
  });
  assert.equal(answer.status, 200, await answer.text());
}
