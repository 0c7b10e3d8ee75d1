/** Troubles that tests of commands need: broken connections, frames lost in the air, slow devices, low data rates. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { z } from 'zod';
import { Simulator } from '../../../lib/simulator';
import { capturedLogger } from '../../support/captured-logger';
import { ManualClock } from '../../support/manual-clock';
import { Clients } from './clients';

async function running(context: TestContext) {
  const clock = new ManualClock();
  const simulator = new Simulator({ devices: 12, period: 10_000, seed: 1 }, { clock, logger: capturedLogger().logger });
  const { port } = await simulator.start();
  const clients = new Clients(port);
  context.after(async () => {
    clients.close();
    await simulator.stop();
  });
  const authorization = `Bearer ${simulator.tenantToken}`;
  const enqueue = (devEui: string, data: string, confirmed = false) =>
    clients.call(
      'dev.enqueue',
      {
        queueItem: { devEui, confirmed, fPort: 10, data: Buffer.from(data, 'hex').toString('base64') },
        flushQueue: false,
      },
      authorization,
    );
  const deviceOf = (kind: string): string => simulator.devicesOfKind(kind)[0]?.devEui ?? assert.fail();
  const queueOf = (devEui: string) => simulator.server.world.devices.get(devEui)?.queue.items ?? [];
  const eventsOf = (devEui: string, type: string): Record<string, unknown>[] =>
    simulator.server.world
      .events(devEui)
      .all()
      .filter((event) => event.type === type)
      .map((event) => z.record(z.string(), z.unknown()).parse(JSON.parse(event.body())));
  return { clock, simulator, enqueue, deviceOf, queueOf, eventsOf };
}

test('a connection can break before or after a call had its effect', async (context) => {
  const { simulator, enqueue, deviceOf, queueOf } = await running(context);
  const door = deviceOf('door');
  for (const when of ['before', 'after'] as const) {
    simulator.failCalls({ method: 'DeviceService/Enqueue', cut: true, when, times: 1 });
    const { error } = await enqueue(door, '01');
    assert.notEqual(error, undefined);
    assert.equal(queueOf(door).length, when === 'after' ? 1 : 0);
  }
  assert.equal((await enqueue(door, '02')).error, undefined);
});

test('a fault can hit a share of the calls', async (context) => {
  const { simulator, enqueue, deviceOf } = await running(context);
  const lift = simulator.failCalls({ code: status.INTERNAL, details: 'database is locked', chance: 0.5 });
  const results = await Promise.all(Array.from({ length: 60 }, () => enqueue(deviceOf('door'), '01')));
  const failed = results.filter(({ error }) => error !== undefined).length;
  assert.ok(failed > 10 && failed < 50, `${failed} of 60`);
  lift();
  assert.equal((await enqueue(deviceOf('door'), '01')).error, undefined);
});

test('a frame that is lost in the air is transmitted, but not acknowledged nor acted upon', async (context) => {
  const { simulator, clock, enqueue, deviceOf, eventsOf } = await running(context);
  const valve = deviceOf('valve');
  simulator.loseFrames(valve);
  // Only the newest events are kept: each is looked at in its time.
  for (const [data, reached] of [
    ['01', false],
    ['02', true],
  ] as const) {
    await enqueue(valve, data, true);
    await clock.advance(20_000);
    const frame = simulator.frames().at(-1);
    assert.deepEqual([Buffer.from(frame?.data ?? []).toString('hex'), frame?.reachedDevice], [data, reached]);
    assert.equal(eventsOf(valve, 'txack').at(-1)?.queueItemId, frame?.queueItemId);
    const last = eventsOf(valve, 'ack').at(-1);
    assert.deepEqual([last?.queueItemId, last?.acknowledged], [frame?.queueItemId, reached]);
  }
});

test('a slow device lets its downlinks wait', async (context) => {
  const { simulator, clock, enqueue, deviceOf, queueOf } = await running(context);
  const door = deviceOf('door');
  simulator.slowDown(door, 10);
  await clock.advance(20_000);
  await enqueue(door, '01');
  await clock.advance(60_000);
  assert.equal(queueOf(door).length, 1);
  await clock.advance(60_000);
  assert.equal(queueOf(door).length, 0);
});

test('a low data rate takes short frames only', async (context) => {
  const { simulator, clock, enqueue, deviceOf, eventsOf } = await running(context);
  const door = deviceOf('door');
  for (const [dataRate, size, limit] of [
    [0, 52, '51'],
    [3, 116, '115'],
    [5, 242, undefined],
  ] as const) {
    simulator.setDataRate(door, dataRate);
    await enqueue(door, 'ab'.repeat(size));
    await clock.advance(11_000);
    const last = eventsOf(door, 'log').at(-1);
    if (limit === undefined) assert.equal(eventsOf(door, 'txack').length, 1);
    else assert.deepEqual(z.looseObject({ max_payload_size: z.string() }).parse(last?.context).max_payload_size, limit);
  }
});

test('commands by MQTT keep their id, and vanish if they are wrong', async (context) => {
  const { simulator, deviceOf, queueOf } = await running(context);
  const door = deviceOf('door');
  const valve = deviceOf('valve');
  const id = 'c50af991-7015-41ac-a5fb-ae03f6d7ac6c';
  const command = { id, devEui: door, confirmed: true, fPort: 10, data: 'AQ==', expiresAt: '2027-01-01T00:00:00Z' };
  simulator.silence(door);
  simulator.command(door, command);
  simulator.command(door, command);
  simulator.command(door, { devEui: door, fPort: 10, data: 'Ag==' });
  for (const wrong of [{ fPort: 0 }, { devEui: valve }, { data: '?' }, { fPort: 'x' }, { id: 'x' }])
    simulator.command(door, { ...command, id: undefined, ...wrong });
  simulator.command(valve, { devEui: valve, fPort: 20, object: { position: 500 } });
  assert.deepEqual(
    queueOf(door).map((item) => [item.id === id, item.confirmed, Buffer.from(item.data).toString('hex')]),
    [
      [true, true, '01'],
      [false, false, '02'],
    ],
  );
  assert.notEqual(queueOf(door)[0]?.expiresAt, undefined);
  simulator.command(valve, { devEui: valve, fPort: 20, object: { position: 50 } });
  assert.deepEqual(
    queueOf(valve).map(({ data }) => Buffer.from(data).toString('hex')),
    ['64'],
  );
});
