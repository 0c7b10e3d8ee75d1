import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { describe, type TestContext, test } from 'node:test';
import { status } from '@grpc/grpc-js';
import { z } from 'zod';
import { flatten } from '../../../lib/model';
import {
  Simulator,
  type SimulatorDependencies,
  type SimulatorSettings,
  type UplinkReport,
} from '../../../lib/simulator';
import { capturedLogger } from '../../support/captured-logger';
import { ManualClock } from '../../support/manual-clock';
import { Clients, quiet, until } from './clients';

const eventSchema = z.looseObject({
  time: z.string(),
  deduplicationId: z.string().optional(),
  object: z.record(z.string(), z.unknown()).optional(),
  code: z.string().optional(),
  queueItemId: z.string().optional(),
  acknowledged: z.boolean().optional(),
});

interface Running {
  readonly simulator: Simulator;
  readonly clock: ManualClock;
  readonly clients: Clients;
  readonly port: number;
  readonly tenant: string;
  readonly uplinks: UplinkReport[];
}

async function running(
  context: TestContext,
  settings: Partial<SimulatorSettings> = {},
  dependencies: Partial<SimulatorDependencies> = {},
): Promise<Running> {
  const clock = new ManualClock();
  const simulator = new Simulator(
    { devices: 12, period: 10_000, seed: 1, ...settings },
    { clock, logger: capturedLogger().logger, ...dependencies },
  );
  const uplinks: UplinkReport[] = [];
  simulator.onUplink((uplink) => uplinks.push(uplink));
  const { port, url } = await simulator.start();
  assert.equal(url, `http://127.0.0.1:${port}`);
  const clients = new Clients(port);
  context.after(async () => {
    clients.close();
    await simulator.stop();
    assert.equal(clock.pendingTimers, 0);
  });
  return { simulator, clock, clients, port, tenant: `Bearer ${simulator.tenantToken}`, uplinks };
}

/** First device of a kind. */
function deviceOf(simulator: Simulator, kind: string): string {
  const [device] = simulator.devicesOfKind(kind);
  if (device === undefined) throw new Error(`no ${kind}`);
  return device.devEui;
}

const isListening = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });

describe('a fleet', () => {
  test('has a past of ten uplinks a device, except one that was never seen', async (context) => {
    const { simulator, uplinks, clock } = await running(context);
    assert.equal(uplinks.length, 110);
    assert.ok(uplinks.every(({ isHistory }) => isHistory));
    for (const device of simulator.devices()) {
      const times = uplinks.filter(({ devEui }) => devEui === device.devEui).map(({ time }) => time);
      if (device.lastSeenAt === undefined) {
        assert.equal(times.length, 0);
        continue;
      }
      assert.equal(times.length, 10);
      assert.ok(times.every((time, index) => index === 0 || time - (times[index - 1] ?? 0) === 10_000));
      assert.ok((times.at(-1) ?? 0) <= clock.now());
    }
  });

  test('sends every device once a period, spread evenly, with rising times', async (context) => {
    const { simulator, uplinks, clock } = await running(context, { devices: 100, period: 1_000 });
    simulator.devices().forEach(({ devEui }) => simulator.wake(devEui));
    uplinks.length = 0;
    const perTenth: number[] = [];
    for (let tenth = 0; tenth < 10; tenth++) {
      const before = uplinks.length;
      await clock.advance(100);
      perTenth.push(uplinks.length - before);
    }
    assert.equal(uplinks.length, 100);
    assert.equal(new Set(uplinks.map(({ devEui }) => devEui)).size, 100);
    assert.ok(
      perTenth.every((count) => count >= 8 && count <= 12),
      String(perTenth),
    );
    await clock.advance(2_000);
    const last = new Map<string, UplinkReport>();
    for (const uplink of uplinks) {
      const before = last.get(uplink.devEui);
      if (before !== undefined) {
        assert.ok(uplink.time > before.time);
        assert.equal(uplink.fCnt, before.fCnt + 1);
      }
      assert.ok(uplink.time <= clock.now());
      last.set(uplink.devEui, uplink);
    }
  });

  test('is the same for the same seed and another for another', async (context) => {
    const [one, two, three] = [await running(context), await running(context), await running(context, { seed: 2 })];
    for (const { clock } of [one, two, three]) await clock.advance(20_000);
    assert.ok(one.uplinks.length > 120);
    assert.deepEqual(one.uplinks, two.uplinks);
    assert.notDeepEqual(one.uplinks[0]?.object, three.uplinks[0]?.object);
  });

  test('has one device that falls silent and one with payloads that its codec refuses', async (context) => {
    const { simulator, uplinks, clock } = await running(context);
    await clock.advance(200_000);
    const counts = simulator
      .devices()
      .map(({ devEui }) => uplinks.filter((uplink) => uplink.devEui === devEui && !uplink.isHistory).length);
    assert.deepEqual(
      [...new Set(counts)].sort((a, b) => a - b),
      [0, 3, 20],
    );
    const refused = uplinks.filter(({ codecError }) => codecError !== undefined);
    assert.equal(new Set(refused.map(({ devEui }) => devEui)).size, 1);
    assert.ok(refused.length >= 5 && refused.every(({ object }) => object === undefined));
    const log = simulator.server.world.events(refused[0]?.devEui ?? '');
    const faults = log.all().filter(({ type }) => type === 'log');
    assert.ok(faults.length > 0);
    const body = z.record(z.string(), z.unknown()).parse(JSON.parse(faults[0]?.body() ?? ''));
    assert.deepEqual(Object.keys(body), ['time', 'deviceInfo', 'level', 'code', 'description', 'context']);
    assert.equal(body.code, 'UPLINK_CODEC');
  });

  test('measures what such devices measure', async (context) => {
    const { simulator, uplinks, clock } = await running(context, { devices: 9, period: 60_000 });
    await clock.advance(6 * 3_600_000);
    const of = (kind: string) => {
      const devEui = deviceOf(simulator, kind);
      return uplinks.filter((uplink) => uplink.devEui === devEui).map(({ object }) => flatten(object ?? {}).values);
    };
    const numbers = (kind: string, key: string) => of(kind).map((values) => z.number().parse(values[key]));
    const energy = numbers('energy-meter', 'energy');
    assert.ok(
      energy.every((value, index) => index === 0 || value >= (energy[index - 1] ?? 0)),
      'a counter only rises',
    );
    assert.ok((energy.at(-1) ?? 0) > (energy[0] ?? 0));
    const temperature = numbers('climate', 'temperature');
    assert.ok(temperature.every((value, index) => index === 0 || Math.abs(value - (temperature[index - 1] ?? 0)) < 2));
    assert.ok(numbers('climate', 'humidity').every((value) => value >= 0 && value <= 100));
    assert.ok(numbers('climate', 'battery_voltage').every((value) => value > 2.5 && value < 4));
    const fill = numbers('tank', 'fill');
    assert.ok(fill.every((value) => value >= 0 && value <= 100));
    assert.ok(
      fill.some((value, index) => index > 0 && value > (fill[index - 1] ?? 0) + 1),
      'it is filled',
    );
    assert.ok(
      fill.some((value, index) => index > 0 && value < (fill[index - 1] ?? 0)),
      'it is drawn from',
    );
    for (const values of of('tank')) assert.match(String(values.alarm), /^(none|low|high)$/);
    for (const values of of('door'))
      assert.equal(values.open, values.state === 'open' || (values.state === 'tamper' && values.open));
    assert.ok(new Set(of('door').map(({ open }) => open)).size === 2);
    for (const values of of('tracker')) {
      assert.ok(Math.abs(z.number().parse(values.position_latitude) - 51.34) < 0.01);
      assert.equal(values.moving, z.number().parse(values.speed) > 0);
      assert.equal(typeof values.acceleration_2, 'number');
    }
    for (const values of of('valve')) assert.equal(values.state === 'moving', values.position !== values.setpoint);
  });

  test('answers status requests now and then', async (context) => {
    const { simulator, clock } = await running(context);
    await clock.advance(200_000);
    const [climate, meter] = [deviceOf(simulator, 'climate'), deviceOf(simulator, 'energy-meter')];
    const statuses = simulator.devices().map((device) => [device.devEui, device.status] as const);
    const found = new Map(statuses);
    assert.ok((found.get(climate)?.batteryLevel ?? 0) > 20);
    assert.deepEqual([found.get(meter)?.batteryLevel, found.get(meter)?.externalPower], [-1, true]);
    const events = simulator.devices().flatMap(({ devEui }) => simulator.server.world.events(devEui).all());
    const item = events.find(({ type }) => type === 'status');
    assert.deepEqual(
      item?.properties().map(([name]) => name),
      ['Battery level', 'Battery level unavailable', 'External power source', 'Margin'],
    );
  });
});

describe('streams', () => {
  test('bring exactly what the fleet sent, past and present', async (context) => {
    const { simulator, uplinks, clock, clients, tenant } = await running(context);
    const streams = simulator
      .devices()
      .map(({ devEui }) => ({ devEui, stream: clients.streamDeviceEvents(devEui, tenant) }));
    await until(() => streams.reduce((sum, { stream }) => sum + stream.items.length, 0) >= 110);
    for (let second = 0; second < 45; second++) {
      await clock.advance(1_000);
      await quiet();
    }
    for (const { devEui } of streams) simulator.silence(devEui);
    await clock.advance(2_500);
    for (const { devEui, stream } of streams) {
      const sent = uplinks.filter((uplink) => uplink.devEui === devEui);
      const ups = () => stream.items.filter((item) => item.getDescription() === 'up');
      await until(
        () =>
          ups()
            .at(-1)
            ?.getBody()
            .includes(sent.at(-1)?.deduplicationId ?? '') ?? sent.length === 0,
      );
      const received = ups().map((item) => eventSchema.parse(JSON.parse(item.getBody())));
      const expected = sent.slice(sent.length - received.length);
      assert.ok(received.length >= Math.min(sent.length, 7));
      assert.deepEqual(
        received.map(({ deduplicationId }) => deduplicationId),
        expected.map(({ deduplicationId }) => deduplicationId),
      );
      assert.deepEqual(
        received.map(({ object }) => object),
        expected.map(({ object }) => object),
      );
      assert.deepEqual(
        received.map(({ time }) => Date.parse(time)),
        expected.map(({ time }) => time),
      );
    }
  });

  test('of a deleted device stay open and silent, and a deleted key opens none', async (context) => {
    const { simulator, clock, clients, tenant } = await running(context);
    const devEui = deviceOf(simulator, 'climate');
    const stream = clients.streamDeviceEvents(devEui, tenant);
    await until(() => stream.items.length >= 10);
    simulator.deleteDevice(devEui);
    await clock.advance(1_000);
    await quiet();
    const before = stream.items.length;
    assert.throws(() => simulator.deleteDevice(devEui), /has no such device/);
    await clock.advance(30_000);
    await quiet();
    assert.deepEqual([stream.items.length, stream.errors.length], [before, 0]);
    simulator.deleteKey('tenant');
    const refused = clients.streamDeviceEvents(deviceOf(simulator, 'door'), tenant);
    await until(() => refused.errors.length === 1);
    assert.deepEqual(refused.errors, [{ code: 16, details: '' }]);
  });

  test('5,000 at once get their past and go on', { timeout: 60_000 }, async (context) => {
    const { simulator, clock, clients, tenant } = await running(context, { devices: 5_000, period: 60_000 });
    const streams = simulator.devices().map(({ devEui }) => clients.streamDeviceEvents(devEui, tenant));
    await until(() => streams.filter(({ items }) => items.length >= 10).length === 4_999);
    assert.equal(simulator.server.openStreams, 5_000);
    const before = streams.map(({ items }) => items.length);
    const [first] = simulator.devices();
    const sent = simulator.sendUplink(first?.devEui ?? '', { x: 1 });
    await clock.advance(1_000);
    await until(() => (streams[0]?.items.length ?? 0) > (before[0] ?? 0));
    assert.ok(streams[0]?.items.some((item) => item.getBody().includes(sent?.deduplicationId ?? '-')));
  });
});

describe('downlinks of a fleet', () => {
  test('move a valve: frame within seconds, acknowledged, and the valve tells its new position', async (context) => {
    const { simulator, clock, clients, tenant, uplinks } = await running(context, {}, { schedulerLock: 0 });
    const devEui = deviceOf(simulator, 'valve');
    const queueItem = { devEui, confirmed: true, fPort: 1, object: { fieldsMap: [['position', { numberValue: 42 }]] } };
    const { reply } = await clients.call('dev.enqueue', { queueItem }, tenant);
    const { id } = z.object({ id: z.string() }).parse(reply);
    await clock.advance(2_000);
    const [frame, ...rest] = simulator.frames();
    assert.deepEqual(rest, []);
    assert.deepEqual(
      [
        frame?.devEui,
        frame?.queueItemId,
        frame?.fPort,
        frame?.confirmed,
        [...(frame?.data ?? [])],
        frame?.reachedDevice,
      ],
      [devEui, id, 20, true, [84], true],
    );
    const events = () =>
      simulator.server.world
        .events(devEui)
        .all()
        .map((event) => ({ type: event.type, body: eventSchema.parse(JSON.parse(event.body())) }));
    const ack = events().find(({ type }) => type === 'ack');
    assert.deepEqual([ack?.body.queueItemId, ack?.body.acknowledged], [id, true]);
    await clock.advance(20_000);
    const last = uplinks.filter((uplink) => uplink.devEui === devEui).at(-1)?.object;
    assert.deepEqual({ ...last, cycles: 0 }, { position: 42, setpoint: 42, open: true, state: 'throttled', cycles: 0 });
    const wrong = { devEui, fPort: 1, object: { fieldsMap: [['position', { numberValue: 101 }]] } };
    const refused = await clients.call('dev.enqueue', { queueItem: wrong }, tenant);
    assert.equal(refused.error?.code, 13);
    assert.match(refused.error?.details ?? '', /^encodeDownlink returned errors: position must be/);
  });

  test('that nobody acknowledges end after the timeout of the profile', async (context) => {
    const { simulator, clock, clients, tenant } = await running(context, { period: 3_600_000 }, { schedulerLock: 0 });
    const devEui = deviceOf(simulator, 'valve');
    simulator.acknowledge(devEui, false);
    await clients.call('dev.enqueue', { queueItem: { devEui, confirmed: true, fPort: 20, data: 'AA==' } }, tenant);
    await clock.advance(15_000);
    const types = simulator.server.world
      .events(devEui)
      .all()
      .slice(-3)
      .map(({ type, body }) => `${type} ${String(eventSchema.parse(JSON.parse(body())).acknowledged ?? '')}`);
    assert.deepEqual(types, ['txack ', 'up ', 'ack false']);
  });

  test('with an old counter are discarded, and the scheduler leaves disabled devices alone', async (context) => {
    const { simulator, clock, clients, tenant } = await running(context, { period: 3_600_000 }, { schedulerLock: 0 });
    const devEui = deviceOf(simulator, 'valve');
    const send = (isEncrypted: boolean) =>
      clients.call('dev.enqueue', { queueItem: { devEui, fPort: 20, data: 'AA==', isEncrypted, fCntDown: 0 } }, tenant);
    await send(false);
    await clock.advance(3_000);
    await send(true);
    await clock.advance(3_000);
    const last = simulator.server.world.events(devEui).all().at(-1);
    assert.equal(eventSchema.parse(JSON.parse(last?.body() ?? '')).code, 'F_CNT_DOWN');
    simulator.disableDevice(devEui);
    assert.equal((await send(false)).error, undefined);
    await clock.advance(5_000);
    assert.equal(simulator.frames().length, 1);
    simulator.gatewaysAnswer('SILENT');
    simulator.enableDevice(devEui);
    await clock.advance(3_000);
    assert.ok(simulator.frames().length > 1, 'sent again and again while no gateway answers');
    const frames: unknown[] = [];
    const off = simulator.onFrame((frame) => frames.push(frame));
    await clock.advance(2_000);
    off();
    assert.ok(frames.length > 0);
    await clock.advance(100);
    simulator.deleteDevice(devEui);
    const before = simulator.frames().length;
    await clock.advance(5_000);
    assert.equal(simulator.frames().length, before);
  });
});

describe('a person', () => {
  test('gateways fall silent, are heard again, get another name and go', async (context) => {
    const { simulator, clock, clients, tenant } = await running(context);
    const listSchema = z.object({ resultList: z.array(z.object({ name: z.string(), state: z.number() })) });
    const list = async () =>
      listSchema
        .parse((await clients.call('gw.list', { limit: 9, tenantId: simulator.tenantId, orderBy: 1 }, tenant)).reply)
        .resultList.map(({ name, state }) => [name, state]);
    const [roof, , , spare] = simulator.gateways();
    assert.ok(roof && spare);
    simulator.silenceGateway(roof.gatewayId);
    await clock.advance(90_000);
    assert.deepEqual((await list())[0], ['Gateway Silo Roof', 2]);
    simulator.wakeGateway(roof.gatewayId.toUpperCase());
    assert.deepEqual((await list())[0], ['Gateway Silo Roof', 1]);
    simulator.renameGateway(roof.gatewayId, 'Roof');
    simulator.deleteGateway(spare.gatewayId);
    assert.deepEqual(await list(), [
      ['Roof', 1],
      ['Gateway Gatehouse', 1],
      ['Gateway Mill 2', 2],
    ]);
    assert.throws(() => simulator.silenceGateway(spare.gatewayId), /no such gateway/);
  });

  test('adds, renames, disables and deletes devices, and everybody sees it', async (context) => {
    const { simulator, clock, clients, tenant, uplinks } = await running(context);
    const devEui = simulator.addDevice({
      kind: 'tank',
      name: 'Tank 9',
      devEui: 'AA:BB:CC:DD:00:00:00:01',
      tags: { site: 'x' },
    });
    assert.equal(devEui, 'aabbccdd00000001');
    const log = simulator.server.world.events(devEui);
    assert.equal(log.all()[0]?.type, 'join');
    const joined = z.looseObject({ devAddr: z.string() }).parse(JSON.parse(log.all()[0]?.body() ?? ''));
    assert.deepEqual(Object.keys(joined).toSorted(), [
      'deduplicationId',
      'devAddr',
      'deviceInfo',
      'regionConfigId',
      'time',
    ]);
    assert.deepEqual(
      log
        .all()[0]
        ?.properties()
        .map(([name]) => name),
      ['DevAddr'],
    );
    await clock.advance(10_000);
    assert.equal(uplinks.filter((uplink) => uplink.devEui === devEui).length, 1);
    simulator.renameDevice(devEui, 'Tank 10');
    const deviceSchema = z.object({ device: z.looseObject({ name: z.string(), isDisabled: z.boolean() }) });
    const get = async () => deviceSchema.parse((await clients.call('dev.get', { devEui }, tenant)).reply).device;
    assert.equal((await get()).name, 'Tank 10');
    await clock.advance(10_000);
    assert.match(log.all().at(-1)?.body() ?? '', /"deviceName":"Tank 10"/);
    simulator.disableDevice(devEui);
    assert.equal((await get()).isDisabled, true);
    assert.equal(simulator.sendUplink(devEui), undefined);
    simulator.enableDevice(devEui);
    assert.deepEqual(simulator.sendUplink(devEui, { a: { b: [1] } })?.object, { a: { b: [1] } });
    assert.deepEqual(simulator.sendUplink(devEui, Uint8Array.of(3, 232, 0, 200))?.object, {
      level: 100,
      fill: 50,
      alarm: 'none',
    });
    simulator.silence(devEui);
    uplinks.length = 0;
    await clock.advance(20_000);
    assert.equal(uplinks.filter((uplink) => uplink.devEui === devEui).length, 0);
    simulator.wake(devEui);
    await clock.advance(10_000);
    assert.equal(uplinks.filter((uplink) => uplink.devEui === devEui).length, 1);
    simulator.deleteDevice(devEui);
    assert.deepEqual((await clients.call('dev.get', { devEui }, tenant)).error, { code: 16, details: '' });
    assert.throws(() => simulator.silence(devEui), /has no such device/);
    assert.throws(() => simulator.addDevice({ kind: 'fridge' }), /must be one of climate/);
    assert.match(simulator.addDevice(), /^[0-9a-f]{16}$/);
  });

  test('makes calls fail: refused, lost after their effect, late, once or always', async (context) => {
    const { simulator, clients, tenant, clock } = await running(context);
    const devEui = deviceOf(simulator, 'climate');
    const enqueue = () => clients.call('dev.enqueue', { queueItem: { devEui, fPort: 1, data: 'AQ==' } }, tenant);
    const size = () => simulator.server.world.devices.get(devEui)?.queue.items.length;
    const lift = simulator.failCalls({ method: 'DeviceService/Enqueue', code: status.UNAVAILABLE, details: 'gone' });
    assert.deepEqual([(await enqueue()).error, size()], [{ code: 14, details: 'gone' }, 0]);
    assert.equal((await clients.call('dev.get', { devEui }, tenant)).error, undefined);
    lift();
    simulator.failCalls({ method: 'DeviceService', code: status.DEADLINE_EXCEEDED, when: 'after', times: 1 });
    assert.deepEqual([(await enqueue()).error?.code, size()], [4, 1]);
    assert.deepEqual([(await enqueue()).error, size()], [undefined, 2]);
    simulator.failCalls({ delay: 5_000, times: 1 });
    let isAnswered = false;
    const late = enqueue().finally(() => {
      isAnswered = true;
    });
    await until(() => clock.pendingTimers > 1);
    await quiet();
    assert.equal(isAnswered, false);
    await clock.advance(5_000);
    await late;
    simulator.failCalls({ method: 'InternalService/StreamDeviceEvents', code: status.INTERNAL, delay: 100, times: 1 });
    const stream = clients.streamDeviceEvents(devEui, tenant);
    await until(() => clock.pendingTimers > 1);
    await clock.advance(100);
    await until(() => stream.errors.length === 1);
    assert.equal(stream.errors[0]?.code, 13);
  });
});

describe('stopping', () => {
  test('cuts connections and frees the port while the fleet goes on; a new start has the same port', async (context) => {
    const { simulator, clock, clients, tenant, uplinks, port } = await running(context);
    const devEui = deviceOf(simulator, 'climate');
    const stream = clients.streamDeviceEvents(devEui, tenant);
    await until(() => stream.items.length >= 10);
    await simulator.stop({ fleet: 'continues' });
    await until(() => stream.errors.length === 1);
    assert.equal(stream.errors[0]?.code, 14);
    assert.equal(await isListening(port), false);
    uplinks.length = 0;
    await clock.advance(20_000);
    assert.ok(uplinks.length > 10);
    assert.equal((await simulator.start()).port, port);
    const again = clients.streamDeviceEvents(devEui, tenant);
    await until(() => again.items.length >= 10 || again.errors.length > 0);
    const missed = uplinks.filter((uplink) => uplink.devEui === devEui);
    assert.deepEqual(again.errors, []);
    // At most ten at the first look, the rest of the history at the next.
    await clock.advance(1_000);
    await quiet();
    assert.ok(missed.every((uplink) => again.items.some((item) => item.getBody().includes(uplink.deduplicationId))));
  });

  test('pauses the fleet unless told otherwise, any number of times, and leaves no timer', async (context) => {
    const { simulator, clock, uplinks, port } = await running(context);
    await Promise.all([simulator.stop(), simulator.stop()]);
    assert.equal(clock.pendingTimers, 0);
    uplinks.length = 0;
    await clock.advance(25_000);
    assert.equal(uplinks.length, 0);
    assert.equal((await simulator.start()).port, port);
    await clock.advance(10_000);
    assert.equal(uplinks.length, 11);
  });

  test('a port in use is told to whoever starts, and the simulator can be started again', async (context) => {
    const { port } = await running(context);
    const clock = new ManualClock();
    const captured = capturedLogger();
    const other = new Simulator({ devices: 1, period: 1_000, seed: 1, port }, { clock, logger: captured.logger });
    await assert.rejects(other.start(), /EADDRINUSE/);
    await other.start({ port: 0, host: '::1' }).catch(() => other.start({ port: 0 }));
    await other.stop();
    assert.equal(clock.pendingTimers, 0);
    assert.ok(captured.entries.some(({ event }) => event === 'started'));
  });

  test('a listener that throws disturbs nobody and is told in the log', async (context) => {
    const captured = capturedLogger();
    const { simulator } = await running(context, {}, { logger: captured.logger });
    simulator.onUplink(() => {
      throw new Error('broken listener');
    });
    assert.ok(simulator.sendUplink(deviceOf(simulator, 'door')));
    assert.ok(captured.entries.some(({ message }) => message.includes('broken listener')));
  });
});
