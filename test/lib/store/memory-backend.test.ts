import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryBackend } from '../../../lib/store';
import { batch, metric, type Row, storageConformance } from './storage-conformance';

storageConformance('memory', () => {
  const backend = new MemoryBackend();
  return Promise.resolve({ backend, reopen: () => Promise.resolve(backend), dispose: () => backend.close() });
});

test('memory is bounded: the oldest samples of each metric go', async () => {
  const backend = new MemoryBackend(100);
  await backend.open();
  for (let time = 0; time < 400; time += 10) {
    const rows = Array.from({ length: 10 }, (_, index): Row => [1, time + index, index]);
    await backend.write(batch({ metrics: [metric(1)], rows }));
  }
  const page = await backend.readHistory({ metric: 1, from: 0, to: 1_000, limit: 1_000, order: 'descending' });
  assert.ok(page.length <= 110, `${page.length}`);
  assert.equal(page.time[0], 399);
});
