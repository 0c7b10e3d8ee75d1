import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import type { FailureKind } from '../../../lib/chirpstack';
import { ChirpstackConnection, ChirpstackDownlinks, parseConnectionSettings } from '../../../lib/chirpstack';
import { type EnqueueItem, outcomeOf } from '../../../lib/chirpstack/downlinks';
import { parseDevEui, systemClock } from '../../../lib/model';
import { Simulator } from '../../../lib/simulator';
import { capturedLogger } from '../../support/captured-logger';
import { eventually } from '../../support/eventually';
import { freePort } from '../../support/free-port';

const signal = new AbortController().signal;
const inAnHour = (): number => (Date.now() + 3_600_000) * 1_000 + 123;
const item = (more: Partial<EnqueueItem> = {}): EnqueueItem => ({
  fPort: 20,
  confirmed: false,
  payload: { kind: 'bytes', hex: '0102' },
  expiry: inAnHour(),
  ...more,
});

async function running(
  context: TestContext,
  key: 'adminToken' | 'tenantToken' | 'readOnlyToken' = 'tenantToken',
  callTimeout?: number,
) {
  const { logger } = capturedLogger('chirpstack');
  const simulator = new Simulator({ devices: 12, period: 3_600_000, seed: 1 }, { clock: systemClock, logger });
  const { url } = await simulator.start();
  const connection = new ChirpstackConnection(
    {
      ...parseConnectionSettings({ url, token: simulator[key] }),
      ...(callTimeout === undefined ? {} : { callTimeout }),
    },
    { clock: systemClock, random: () => 0, logger },
  );
  context.after(async () => {
    await connection.close();
    await simulator.stop();
  });
  // Class A: nothing is sent while it is silent.
  const devEui = parseDevEui(simulator.devicesOfKind('door')[0]?.devEui);
  const valve = parseDevEui(simulator.devicesOfKind('valve')[0]?.devEui);
  simulator.silence(devEui);
  return { simulator, connection, downlinks: new ChirpstackDownlinks(connection), devEui, valve };
}

describe('downlinks', () => {
  test('are put into the queue, seen there with all that identifies them, and flushed', async (context) => {
    const { downlinks, devEui } = await running(context);
    const first = item({ confirmed: true });
    const a = await downlinks.enqueue(devEui, first, signal);
    const b = await downlinks.enqueue(devEui, item({ fPort: 7, payload: { kind: 'bytes', hex: 'ff' } }), signal);
    assert.ok(a.kind === 'accepted' && b.kind === 'accepted');
    const queue = await downlinks.queue(devEui, signal);
    assert.ok(queue.kind === 'items');
    assert.deepEqual(
      queue.items.map(({ id }) => id),
      [a.id, b.id],
    );
    assert.deepEqual(queue.items[0], {
      id: a.id,
      fPort: 20,
      confirmed: true,
      hex: '0102',
      isPending: false,
      expiry: first.expiry,
    });
    assert.deepEqual(await downlinks.flush(devEui, signal), { kind: 'flushed' });
    assert.deepEqual(await downlinks.queue(devEui, signal), { kind: 'items', items: [] });
  });

  test('as objects go through the codec, whose refusal is told in its own words', async (context) => {
    const { downlinks, valve, simulator } = await running(context);
    const good = await downlinks.enqueue(
      valve,
      item({ payload: { kind: 'object', object: { position: 50 } } }),
      signal,
    );
    assert.equal(good.kind, 'accepted');
    assert.equal(
      Buffer.from(simulator.server.world.devices.get(valve)?.queue.items[0]?.data ?? []).toString('hex'),
      '64',
    );
    const bad = await downlinks.enqueue(
      valve,
      item({ payload: { kind: 'object', object: { position: 500 } } }),
      signal,
    );
    assert.ok(bad.kind === 'refused');
    assert.match(bad.reason, /encodeDownlink returned errors: position must be/);
  });

  test('to devices that are not there, or without the right, are refused', async (context) => {
    const { downlinks } = await running(context);
    const nobody = parseDevEui('0909090909090909');
    assert.equal((await downlinks.enqueue(nobody, item(), signal)).kind, 'refused');
    assert.equal((await downlinks.queue(nobody, signal)).kind, 'gone');
    assert.equal((await downlinks.flush(nobody, signal)).kind, 'refused');
    const reader = await running(context, 'readOnlyToken');
    assert.equal((await reader.downlinks.enqueue(reader.devEui, item(), signal)).kind, 'refused');
    assert.equal((await reader.downlinks.flush(reader.devEui, signal)).kind, 'refused');
    assert.equal((await reader.downlinks.queue(reader.devEui, signal)).kind, 'items');
    const admin = await running(context, 'adminToken');
    const unknown = await admin.downlinks.enqueue(nobody, item(), signal);
    assert.ok(unknown.kind === 'refused');
    assert.match(unknown.reason, /FOREIGN KEY/);
  });

  for (const when of ['before', 'after'] as const)
    test(`of which the connection breaks ${when} the effect are unclear, and the queue tells`, async (context) => {
      const { downlinks, devEui, simulator } = await running(context);
      await downlinks.queue(devEui, signal);
      simulator.failCalls({ method: 'DeviceService/Enqueue', when, cut: true, times: 1 });
      const mine = item();
      assert.equal((await downlinks.enqueue(devEui, mine, signal)).kind, 'unclear');
      const queue = await eventually(async () => {
        const result = await downlinks.queue(devEui, signal);
        return result.kind === 'items' ? result : undefined;
      }, 'the queue');
      assert.deepEqual(
        queue.items.map(({ expiry }) => expiry),
        when === 'after' ? [mine.expiry] : [],
      );
      assert.equal((await downlinks.enqueue(devEui, item(), signal)).kind, 'accepted');
    });

  test('that are not answered in time are unclear', async (context) => {
    const { downlinks, devEui, simulator } = await running(context, 'tenantToken', 1_000);
    simulator.failCalls({ delay: 60_000, method: 'DeviceService' });
    assert.equal((await downlinks.enqueue(devEui, item(), signal)).kind, 'unclear');
    assert.equal((await downlinks.queue(devEui, signal)).kind, 'unavailable');
    const stop = new AbortController();
    const given = downlinks.flush(devEui, stop.signal);
    stop.abort();
    assert.equal((await given).kind, 'unclear');
  });

  test('to a server that is down are provably unsent, and it is told when it is back', async (context) => {
    const { downlinks, devEui, simulator, connection } = await running(context);
    assert.ok(await connection.probe());
    await simulator.stop();
    await eventually(async () => (await downlinks.enqueue(devEui, item(), signal)).kind === 'unsent', 'an unsent call');
    const back = new Promise<void>((resolve) => {
      const unsubscribe = downlinks.onAvailable(() => {
        unsubscribe();
        resolve();
      });
    });
    await simulator.start();
    await back;
    assert.equal((await downlinks.enqueue(devEui, item(), signal)).kind, 'accepted');
  });

  test('to a port where nobody listens are provably unsent', async (context) => {
    const connection = new ChirpstackConnection(
      parseConnectionSettings({ url: `http://127.0.0.1:${await freePort()}`, token: 'x' }),
      {
        clock: systemClock,
        random: () => 0,
        logger: capturedLogger().logger,
      },
    );
    context.after(() => connection.close());
    const result = await new ChirpstackDownlinks(connection).enqueue(parseDevEui('0101010101010101'), item(), signal);
    assert.equal(result.kind, 'unsent');
  });

  test('that answer nonsense are unclear', async (context) => {
    const { connection, devEui } = await running(context);
    connection.call = () => Promise.resolve({ id: '' });
    const downlinks = new ChirpstackDownlinks(connection);
    assert.equal((await downlinks.enqueue(devEui, item(), signal)).kind, 'unclear');
    assert.equal((await downlinks.queue(devEui, signal)).kind, 'unavailable');
    connection.call = () => Promise.reject(new Error('a fault of our own'));
    assert.equal((await downlinks.enqueue(devEui, item(), signal)).kind, 'unclear');
  });
});

describe('what a failed call has done', () => {
  const outcome = (kind: FailureKind, code: status, reason: string, neverSent = false): string =>
    outcomeOf({ kind, code, reason, cure: '', neverSent }).kind;

  test('is nothing where the client library says that it never left', () => {
    assert.equal(outcome('unreachable', status.UNAVAILABLE, 'refused', true), 'unsent');
    assert.equal(outcome('timeout', status.DEADLINE_EXCEEDED, 'waiting', true), 'unsent');
  });

  test('is nothing where ChirpStack says no', () => {
    assert.equal(outcome('not-permitted', status.UNAUTHENTICATED, ''), 'refused');
    assert.equal(outcome('not-found', status.NOT_FOUND, ''), 'refused');
    assert.equal(outcome('unimplemented', status.UNIMPLEMENTED, ''), 'refused');
    assert.equal(outcome('refused', status.INVALID_ARGUMENT, 'FPort'), 'refused');
    assert.equal(outcome('refused', status.INTERNAL, 'JS error: no stream'), 'refused');
    assert.equal(outcome('refused', status.INTERNAL, 'FOREIGN KEY constraint failed'), 'refused');
  });

  test('is nothing, and it may be tried again, where the reason may pass', () => {
    assert.equal(outcome('refused', status.INTERNAL, 'database is locked'), 'unsent');
    assert.equal(outcome('wrong-token', status.UNAUTHENTICATED, 'InvalidSignature'), 'unsent');
    assert.equal(outcome('not-grpc', status.UNIMPLEMENTED, 'answers with HTTP status 404 instead'), 'unsent');
  });

  test('is unclear in every other case', () => {
    assert.equal(outcome('timeout', status.DEADLINE_EXCEEDED, ''), 'unclear');
    assert.equal(outcome('interrupted', status.UNAVAILABLE, ''), 'unclear');
    assert.equal(outcome('cancelled', status.CANCELLED, ''), 'unclear');
    assert.equal(outcome('bad-answer', status.UNKNOWN, ''), 'unclear');
    assert.equal(outcome('unreachable', status.UNAVAILABLE, 'HTTP status 502'), 'unclear');
    assert.equal(outcome('not-grpc', status.UNKNOWN, 'answers with HTTP status 500'), 'unclear');
    assert.equal(outcome('refused', status.UNKNOWN, ''), 'unclear');
    assert.equal(outcome('refused', status.RESOURCE_EXHAUSTED, 'larger than max'), 'unclear');
    assert.equal(outcome('refused', status.INTERNAL, 'Error parsing response'), 'unclear');
  });
});
