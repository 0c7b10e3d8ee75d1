/**
 * A disk that takes a second for each write, simulated at the border to the storage: values reach OPC UA clients as if
 * nothing was wrong, everything is written in the end, and what waits in memory is bounded. LORUA_CAMPAIGN=full makes it
 * five minutes.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { StorageBackend } from '../../lib/store';
import { eventually } from '../support/eventually';
import { inventoryOf, METRICS_PER_DEVICE, metricOf, valueOf } from '../support/history-database';
import { HistoryFile } from '../support/history-file';
import { type House, openHouse } from '../support/history-house';
import { parseMetricNodeId } from '../support/node-ids';
import { TestClient } from '../support/opcua-client';
import { valueName } from '../support/uplink-ledger';

const FULL = process.env.LORUA_CAMPAIGN === 'full';
const SECONDS = FULL ? 300 : 5;
/** Before the disk becomes slow, for comparison. */
const FAST_SECONDS = FULL ? 30 : 2;
const DISK_DELAY = 1_000;
const SAMPLES_PER_SECOND = 200;
/** ms between two messages of the devices */
const TICK = 50;
const DEVICES = (SAMPLES_PER_SECOND * TICK) / 1_000;
const METRICS = DEVICES * METRICS_PER_DEVICE;
/** A write that is under way, one that waits for it, and what comes until a flush begins. */
const WRITES_WAITING = 4;

/** Makes every call that changes the storage slow. */
class SlowDisk implements StorageBackend {
  /** ms */
  delay = 0;
  writes = 0;
  readonly #backend: StorageBackend;
  readonly readHistory: StorageBackend['readHistory'];
  readonly readEncodedHistory: StorageBackend['readEncodedHistory'];
  readonly readRecords: StorageBackend['readRecords'];
  readonly readJournal: StorageBackend['readJournal'];
  readonly open: StorageBackend['open'];
  readonly statistics: StorageBackend['statistics'];
  readonly close: StorageBackend['close'];

  constructor(backend: StorageBackend) {
    this.#backend = backend;
    this.open = (options) => backend.open(options);
    this.readHistory = (request, signal) => backend.readHistory(request, signal);
    this.readEncodedHistory = (request, encoding, signal) => backend.readEncodedHistory(request, encoding, signal);
    this.readRecords = (query) => backend.readRecords(query);
    this.readJournal = (query) => backend.readJournal(query);
    this.statistics = () => backend.statistics();
    this.close = (options) => backend.close(options);
  }

  write: StorageBackend['write'] = async (batch) => {
    this.writes++;
    await pause(this.delay);
    await this.#backend.write(batch);
  };
  commit: StorageBackend['commit'] = async (batch) => {
    await pause(this.delay);
    await this.#backend.commit(batch);
  };
  prune: StorageBackend['prune'] = async (slice) => {
    await pause(this.delay);
    return this.#backend.prune(slice);
  };
  pruneRecords: StorageBackend['pruneRecords'] = async (slice) => {
    await pause(this.delay);
    return this.#backend.pruneRecords(slice);
  };
}

describe(`a disk that takes ${DISK_DELAY} ms for each write, for ${SECONDS} s`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'lorua-slow-'));
  const file = join(folder, 'slow.db');
  const sent = new Map<string, number>();
  const received = new Map<string, number>();
  let latencies: number[] = [];
  let disk: SlowDisk | undefined;
  let house: House;
  let client: TestClient;

  before(async () => {
    house = await openHouse({
      folder,
      file,
      inventory: inventoryOf(METRICS),
      disk: (backend) => {
        disk = new SlowDisk(backend);
        return disk;
      },
    });
    client = await TestClient.connect({
      url: house.access.url,
      user: house.access.user,
      password: house.access.password,
    });
  });
  after(async () => {
    await client?.close();
    await house?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Sends as the devices do. @returns the largest number of samples that waited for the disk */
  const send = async (seconds: number): Promise<number> => {
    let mostPending = 0;
    const begun = performance.now();
    for (let tick = 0; tick < (seconds * 1_000) / TICK; tick++) {
      await pause(Math.max(0, begun + tick * TICK - performance.now()));
      const time = Date.now();
      for (let device = 0; device < DEVICES; device++) {
        // One metric of each device at a time: each has a value every half second.
        const number = device * METRICS_PER_DEVICE + (tick % METRICS_PER_DEVICE);
        const { devEui, key } = metricOf(number);
        const value = valueOf(number, time);
        sent.set(valueName(devEui, key, time), value);
        house.take({ device: { devEui }, values: { [key]: value }, time, quality: {}, origin: 'event' });
      }
      mostPending = Math.max(mostPending, house.store.health().pending);
    }
    return mostPending;
  };
  const allReceived = (): Promise<unknown> =>
    eventually(() => received.size >= sent.size, `all ${sent.size} values at the client, not ${received.size}`);
  const slowest = (): { p99: number; last: number } => {
    const sorted = latencies.toSorted((a, b) => a - b);
    return { p99: sorted[Math.floor(sorted.length * 0.99)] ?? 0, last: sorted.at(-1) ?? 0 };
  };

  test('delays no value, loses none, and memory is bounded', async (t) => {
    assert.ok(disk);
    // Each metric once, so that its node is there to be monitored.
    const first = Date.now() - 1_000;
    for (let number = 0; number < METRICS; number++) {
      const { devEui, key } = metricOf(number);
      const value = valueOf(number, first);
      sent.set(valueName(devEui, key, first), value);
      house.take({ device: { devEui }, values: { [key]: value }, time: first, quality: {}, origin: 'event' });
    }
    await house.server.settled();
    const nodeIds = Array.from({ length: METRICS }, (_, number) => {
      const { devEui, key } = metricOf(number);
      return house.nodeId(devEui, key);
    });
    await client.subscribe(nodeIds, ({ nodeId, dataValue }) => {
      const metric = parseMetricNodeId(nodeId);
      const time = dataValue.sourceTimestamp?.getTime() ?? 0;
      if (!metric || time === 0) return;
      received.set(valueName(metric.devEui, metric.key, time), Number(dataValue.value.value));
      latencies.push(Date.now() - time);
    });
    await allReceived();

    latencies = [];
    await send(FAST_SECONDS);
    await allReceived();
    const fast = slowest();

    latencies = [];
    const writesBefore = disk.writes;
    disk.delay = DISK_DELAY;
    const mostPending = await send(SECONDS);
    await allReceived();
    const slow = slowest();
    const writes = disk.writes - writesBefore;
    disk.delay = 0;
    await house.store.settled();

    assert.ok(writes >= SECONDS / 2 && writes <= SECONDS + 2, `${writes} writes: the disk was slow all the time`);
    assert.deepEqual(received, sent, 'the client got every value and nothing else');
    assert.ok(
      mostPending <= (WRITES_WAITING * SAMPLES_PER_SECOND * DISK_DELAY) / 1_000,
      `${mostPending} samples waited at a time`,
    );
    const { lost, pending, state } = house.store.health();
    assert.deepEqual({ lost, pending, state }, { lost: 0, pending: 0, state: 'healthy' });
    const history = new HistoryFile(file);
    const written = new Map<string, number>();
    for (const { devEui, metric, time, value } of history.rows())
      written.set(valueName(devEui, metric, time), Number(value));
    history.close();
    assert.deepEqual(written, sent, 'history has every value once');
    t.diagnostic(`source time to client: p99 ${fast.p99} ms, at most ${fast.last} ms with a fast disk`);
    t.diagnostic(`source time to client: p99 ${slow.p99} ms, at most ${slow.last} ms with the slow one`);
    t.diagnostic(`${writes} writes, at most ${mostPending} samples waited, ${sent.size} samples, none lost`);
    // A value that had waited for the disk would be a whole write late.
    if (FULL) assert.ok(slow.last < fast.last + DISK_DELAY / 2, `a value came ${slow.last} ms late`);
  });
});
