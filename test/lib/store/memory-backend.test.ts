import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryBackend } from '../../../lib/store';
import {
  type BackendUnderTest,
  batch,
  devEui,
  metric,
  type Row,
  rawRequest,
  storageConformance,
} from './storage-conformance';
import { correctionConformance } from './storage-corrections';
import { recordConformance } from './storage-records';

function create(): Promise<BackendUnderTest> {
  const backend = new MemoryBackend();
  return Promise.resolve({ backend, reopen: () => Promise.resolve(backend), dispose: () => backend.close() });
}

storageConformance('memory', create);
correctionConformance('memory', create);
recordConformance('memory', create);

test('memory is bounded: the oldest samples of each metric go', async () => {
  const backend = new MemoryBackend(100);
  await backend.open();
  for (let time = 0; time < 400; time += 10) {
    const rows = Array.from({ length: 10 }, (_, index): Row => [1, time + index, index]);
    await backend.write(batch({ metrics: [metric(1)], rows }));
  }
  const { columns } = await backend.readHistory(rawRequest(1, { order: 'descending', start: 1_000, end: -1 }));
  assert.ok(columns.length <= 110, `${columns.length}`);
  assert.equal(columns.time[0], 399);
});

test('journals in memory are bounded: the first entries go', async () => {
  const backend = new MemoryBackend();
  await backend.open();
  for (let start = 0; start < 110_000; start += 10_000)
    await backend.write(
      batch({
        journal: Array.from({ length: 10_000 }, (_, index) => ({
          journal: 'event' as const,
          time: start + index,
          type: 'join',
          devEui,
          user: undefined,
          eventId: undefined,
          body: '{}',
        })),
      }),
    );
  const entries = await backend.readJournal({ journal: 'event', from: 0, to: 1e15, limit: 200_000 });
  assert.ok(entries.length <= 100_000, `${entries.length}`);
  assert.equal(entries[0]?.time, 109_999);
});
