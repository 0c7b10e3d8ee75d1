import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { ManualClock } from '../../support/manual-clock';
import { recording } from '../../support/paths';
import { type Answer, Clients } from './clients';
import { type RecordedCall, recordedCallSchema, recordedWorld, TOKENS } from './recorded-world';

const idSchema = z.object({ id: z.uuid() });

function authorizationOf(call: RecordedCall): string | undefined {
  if (call.what.endsWith('no token')) return undefined;
  if (call.what.endsWith('garbage token')) return 'Bearer garbage';
  const key = Object.entries(TOKENS).find(([name]) => name === (call.key ?? 'administrator'));
  if (key === undefined) throw new Error(`no token for ${String(call.key)}`);
  return `Bearer ${key[1]}`;
}

/** Makes a recorded call and compares; ids of queue items are the server's own and are told apart by their order. */
async function compare(clients: Clients, call: RecordedCall, ids: Map<string, string>): Promise<void> {
  const answer: Answer = await clients.call(`${call.service}.${call.method}`, call.request, authorizationOf(call));
  if (call.error !== undefined) {
    assert.deepEqual(answer, { error: call.error });
    return;
  }
  assert.equal(answer.error, undefined);
  if (call.method === 'enqueue') {
    ids.set(idSchema.parse(answer.reply).id, idSchema.parse(call.reply).id);
    return;
  }
  const text = JSON.stringify(answer.reply).replaceAll(/[0-9a-f-]{36}/g, (id) => ids.get(id) ?? id);
  assert.deepEqual(JSON.parse(text), call.reply);
}

test('answers every recorded call as the recorded server did', async (suite) => {
  const clock = new ManualClock(1795448138_879);
  const { server } = recordedWorld(clock);
  const clients = new Clients(await server.listen('127.0.0.1', 0));
  suite.after(async () => {
    clients.close();
    await server.close();
  });
  const ids = new Map<string, string>();
  const calls = z.array(recordedCallSchema).parse(recording('calls.json'));
  assert.equal(calls.length, 31);
  for (const call of calls) await suite.test(call.what, () => compare(clients, call, ids));
});

test('answers every recorded call of a tenant key, a read-only key and a deleted key', async (suite) => {
  const clock = new ManualClock(1795448400_000);
  const { server, device } = recordedWorld(clock);
  device.lastSeenAt = { seconds: 1795448240, nanos: 641642656 };
  const clients = new Clients(await server.listen('127.0.0.1', 0));
  suite.after(async () => {
    clients.close();
    await server.close();
  });
  const calls = z.array(recordedCallSchema).parse(recording('calls-by-key.json'));
  assert.equal(calls.length, 45);
  for (const call of calls)
    await suite.test(`${call.key ?? ''}: ${call.what}`, () => compare(clients, call, new Map()));
});
