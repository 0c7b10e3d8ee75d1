/** The command queue with a real store on a disk, real gRPC, and a simulated ChirpStack whose replies get lost. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import { ChirpstackConnection, ChirpstackDownlinks, Poller, parseConnectionSettings } from '../../../lib/chirpstack';
import { CommandDefinitions, CommandQueue, parseCommandDefinitions } from '../../../lib/commands';
import {
  type Command,
  type DevEui,
  type DeviceEvent,
  parseDevEui,
  parseDeviceProfileId,
  parseSourceId,
  type Reading,
} from '../../../lib/model';
import { type CallFault, type DownlinkFrame, Simulator, seededRandom } from '../../../lib/simulator';
import { GatewayStore } from '../../../lib/store';
import { capturedLogger } from '../../support/captured-logger';
import { ManualClock } from '../../support/manual-clock';

interface House {
  readonly clock: ManualClock;
  readonly simulator: Simulator;
  readonly devices: readonly DevEui[];
  readonly frames: DownlinkFrame[];
  queue: CommandQueue;
  /** A new queue on the same storage, as after a restart of the gateway. */
  restart(): Promise<void>;
  /** Lets time pass until it is so; time goes faster than on the wall, calls take their real time. */
  passUntil(isSo: () => boolean, limit: number): Promise<void>;
  /** ms that pass at once, 20 or few: what takes real time, as connecting does, must not seem to take long. */
  step: number;
  /** Whether ChirpStack is known to be there. */
  isConnected(): boolean;
  /** Lets time pass until all streams of events are open. */
  hearAgain(): Promise<void>;
  pass<T>(work: Promise<T>): Promise<T>;
}

async function house(context: TestContext, settings: { devices: number; period: number }): Promise<House> {
  const clock = new ManualClock();
  const { logger } = capturedLogger('commands');
  const folder = mkdtempSync(join(tmpdir(), 'lorua-commands-'));
  const simulator = new Simulator({ ...settings, seed: 3 }, { clock, logger, schedulerLock: 500 });
  const frames: DownlinkFrame[] = [];
  simulator.onFrame((frame) => frames.push(frame));
  const { url } = await simulator.start();
  const random = seededRandom(9);
  const connection = new ChirpstackConnection(
    parseConnectionSettings({ url, token: simulator.tenantToken, tenantId: simulator.tenantId }),
    { clock, random, logger },
  );
  const source = parseSourceId('simulator');
  const poller = new Poller({
    clock,
    random,
    logger,
    connection,
    source,
    settings: { pollInterval: 60_000, streamEvents: true, pollMetrics: false, maximumStreams: 1_000 },
  });
  const store = GatewayStore.create({ backend: 'sqlite', file: join(folder, 'gateway.db') }, { clock, logger });
  const profiles = [...new Set(simulator.devices().map(({ profileId }) => profileId))];
  const valve = simulator.devicesOfKind('valve')[0]?.profileId;
  const definitions = new CommandDefinitions(
    parseCommandDefinitions([
      ...profiles.flatMap((profileId) =>
        [false, true].map((confirmed) => ({
          profileId,
          name: confirmed ? 'confirmed' : 'plain',
          fPort: 10,
          confirmed,
          parameters: [{ name: 'x', type: 'Int' }],
          payload: { kind: 'integer', parameter: 'x', format: 'uint16' },
        })),
      ),
      {
        profileId: valve,
        name: 'position',
        fPort: 20,
        confirmed: true,
        parameters: [{ name: 'position', type: 'Double', min: 0, max: 200, step: 0.5 }],
        payload: { kind: 'object', template: { position: '{{position}}' } },
        expected: { metric: 'setpoint', parameter: 'position', tolerance: 0.25, within: 120 },
      },
    ]),
  );
  const makeQueue = (): CommandQueue =>
    new CommandQueue({
      clock,
      random,
      logger,
      store,
      downlinks: new ChirpstackDownlinks(connection),
      definitions: () => definitions,
      devices: (devEui) => {
        const device = simulator.server.world.devices.get(devEui);
        if (device === undefined) return undefined;
        const { deviceClass, isDisabled, profileId } = device;
        return { devEui, deviceClass, isDisabled, profileId: parseDeviceProfileId(profileId) };
      },
    });
  const pass = async <T>(work: Promise<T>): Promise<T> => {
    const progress = { isOver: false };
    const ended = work.finally(() => {
      progress.isOver = true;
    });
    ended.catch(() => undefined);
    for (let turn = 0; !progress.isOver; turn++) {
      assert.ok(turn < 20_000, 'it does not end');
      await clock.advance(it.step);
      await pause(1);
    }
    return ended;
  };
  const passUntil = async (isSo: () => boolean, limit: number): Promise<void> => {
    const end = clock.monotonic() + limit;
    while (!isSo() && clock.monotonic() < end) {
      await clock.advance(it.step);
      await pause(1);
    }
  };
  const it: House = {
    clock,
    simulator,
    devices: simulator.devices().map(({ devEui }) => parseDevEui(devEui)),
    frames,
    queue: makeQueue(),
    restart: async () => {
      await pass(it.queue.close());
      it.queue = makeQueue();
      await pass(it.queue.start());
    },
    passUntil,
    step: 20,
    isConnected: () => connection.state().state === 'connected',
    hearAgain: () => passUntil(() => simulator.server.openStreams >= settings.devices, 60_000),
    pass,
  };
  poller.onDeviceEvent((event: DeviceEvent) => it.queue.receive(event));
  poller.onReading((reading: Reading) => it.queue.measure(reading));
  context.after(async () => {
    await pass(it.queue.close());
    await pass(poller.close());
    await connection.close();
    await simulator.stop();
    await pass(store.close());
    rmSync(folder, { recursive: true, force: true });
  });
  await pass(store.open());
  await pass(it.queue.start());
  poller.start();
  await it.hearAgain();
  return it;
}

const isOpen = ({ endedAt }: Command): boolean => endedAt === undefined;

test('a hundred commands, replies lost at random: none is delivered twice, order is kept, each end is true', async (context) => {
  const it = await house(context, { devices: 12, period: 5_000 });
  const { simulator, frames, devices } = it;
  const faults: CallFault[] = [
    {
      method: 'DeviceService/Enqueue',
      when: 'after',
      code: status.UNAVAILABLE,
      details: 'Connection dropped',
      chance: 0.15,
    },
    { method: 'DeviceService/Enqueue', when: 'after', cut: true, chance: 0.1 },
    { method: 'DeviceService/Enqueue', when: 'before', cut: true, chance: 0.05 },
    { method: 'DeviceService/Enqueue', code: status.INTERNAL, details: 'database is locked', chance: 0.1 },
    { method: 'DeviceService/GetQueue', code: status.UNAVAILABLE, details: 'Connection dropped', chance: 0.2 },
  ];
  const lift = faults.map((fault) => simulator.failCalls(fault));
  // One device loses frames, one never acknowledges, one is disabled after a while.
  simulator.acknowledge(devices[1] ?? assert.fail(), false);
  simulator.loseFrames(devices[2] ?? assert.fail(), 2);
  // The last ones of the fleet have troubles of their own.
  const targets = devices.slice(0, 9);
  const commands: Command[] = [];
  for (let index = 0; index < 100; index++) {
    const devEui = targets[index % targets.length] ?? assert.fail();
    commands.push(
      await it.pass(
        it.queue.submit({
          devEui,
          name: index % 2 === 0 ? 'confirmed' : 'plain',
          parameters: { x: index },
          user: 'anna',
          source: 'test',
        }),
      ),
    );
    if (index === 30 || index === 60) await it.restart();
  }
  await it.passUntil(() => !commands.some(({ id }) => it.queue.command(id)?.endedAt === undefined), 90_000);
  for (const end of lift) end();
  await it.restart();
  await it.passUntil(() => !it.queue.commands().some(isOpen), 300_000);

  const counts: Record<string, number> = {};
  for (const { id, devEui, parameters } of commands) {
    const command = it.queue.command(id) ?? assert.fail(`${id} is not known any more`);
    counts[command.state] = (counts[command.state] ?? 0) + 1;
    const wanted = Number(parameters.x).toString(16).padStart(4, '0');
    const got = frames.filter((frame) => frame.devEui === devEui && Buffer.from(frame.data).toString('hex') === wanted);
    const story = JSON.stringify(command.transitions, undefined, 1);
    assert.ok(got.length <= 1, `${wanted} was sent ${got.length} times: ${story}`);
    switch (command.state) {
      case 'Transmitted':
      case 'Acknowledged':
      case 'Failed':
        assert.equal(got.length, 1, story);
        assert.equal(got[0]?.confirmed, command.confirmed);
        assert.equal(got[0]?.fPort, 10);
        break;
      case 'Uncertain':
        // Nothing can be told, and that is what it says.
        break;
      default:
        assert.fail(`${command.state}: ${story}`);
    }
    if (command.state === 'Acknowledged') assert.equal(got[0]?.reachedDevice, true);
  }
  for (const devEui of targets) {
    const order = frames
      .filter((frame) => frame.devEui === devEui)
      .map((frame) => Buffer.from(frame.data).readUInt16BE());
    assert.deepEqual(
      order,
      order.toSorted((a, b) => a - b),
    );
  }
  const known = (counts.Transmitted ?? 0) + (counts.Acknowledged ?? 0) + (counts.Failed ?? 0);
  assert.ok(known >= 75, JSON.stringify(counts));
  assert.ok((counts.Acknowledged ?? 0) > 0 && (counts.Failed ?? 0) > 0, JSON.stringify(counts));
});

test('each way to its end, with what the device really got', async (context) => {
  const it = await house(context, { devices: 12, period: 5_000 });
  const { simulator, frames } = it;
  const valve = parseDevEui(simulator.devicesOfKind('valve')[0]?.devEui);
  const [door, meter] = ['door', 'energy-meter'].map((kind) => parseDevEui(simulator.devicesOfKind(kind)[0]?.devEui));
  assert.ok(door && meter);
  const submit = (devEui: DevEui, name: string, parameters: Record<string, unknown>, more = {}): Promise<Command> =>
    it.pass(it.queue.submit({ devEui, name, parameters, user: '', source: 'test', ...more }));
  const endOf = async ({ id }: Command): Promise<Command> => {
    await it.passUntil(() => it.queue.command(id)?.endedAt !== undefined, 200_000);
    return it.queue.command(id) ?? assert.fail();
  };
  // An object through the codec, acknowledged and verified by what the valve reports.
  const verified = await endOf(await submit(valve, 'position', { position: 42.5 }));
  // Events are not in order: what the uplink reports may come before its acknowledgement.
  assert.deepEqual(
    verified.transitions.map(({ state }) => state).filter((state) => state !== 'Acknowledged'),
    ['Queued', 'Sending', 'Enqueued', 'Transmitted', 'Verified'],
  );
  assert.equal(Buffer.from(frames.at(-1)?.data ?? []).toString('hex'), '55');
  // The codec refuses it.
  const rejected = await endOf(await submit(valve, 'position', { position: 150 }));
  assert.equal(rejected.state, 'Rejected');
  assert.match(rejected.reason, /encodeDownlink returned errors: position must be/);
  // The valve does not hear it.
  simulator.loseFrames(valve);
  assert.equal((await endOf(await submit(valve, 'confirmed', { x: 1 }))).state, 'Failed');
  // Expired at ChirpStack, because the device was silent.
  simulator.silence(door);
  const late = await submit(door, 'plain', { x: 2 }, { expiresAt: it.clock.now() + 5_000 });
  await it.passUntil(() => false, 8_000);
  assert.equal(it.queue.command(late.id)?.state, 'Enqueued');
  simulator.wake(door);
  assert.equal((await endOf(late)).state, 'Expired');
  // An outage: not reached, then enqueued.
  it.step = 2;
  await simulator.stop({ fleet: 'continues' });
  // A call on a connection that is just breaking may have arrived: that is another end.
  await it.passUntil(() => !it.isConnected(), 20_000);
  const waiting = await submit(meter, 'plain', { x: 3 });
  await it.passUntil(() => it.queue.command(waiting.id)?.call === 'unsent', 20_000);
  assert.equal(it.queue.command(waiting.id)?.state, 'Sending');
  const cancelled = await submit(meter, 'plain', { x: 4 });
  assert.equal((await it.pass(it.queue.cancel(cancelled.id, 'bob'))).done, true);
  await simulator.start();
  await it.hearAgain();
  const sent = await endOf(waiting);
  assert.equal(sent.state, 'Transmitted', sent.reason);
  it.step = 20;
  assert.ok(!frames.some(({ data }) => Buffer.from(data).toString('hex') === '0004'));
  // Flushed while it waits for the next uplink.
  simulator.silence(meter);
  await it.passUntil(() => false, 6_000);
  const flushed = await submit(meter, 'plain', { x: 5 });
  await it.passUntil(() => it.queue.command(flushed.id)?.state === 'Enqueued', 20_000);
  const result = await it.pass(it.queue.flush(meter, 'bob'));
  assert.deepEqual([result.done, result.items, result.cancelled.includes(flushed.id)], [true, 1, true]);
  assert.equal((await endOf(flushed)).state, 'Cancelled');
  // The device is gone from ChirpStack.
  const orphan = await submit(meter, 'plain', { x: 6 });
  await it.passUntil(() => it.queue.command(orphan.id)?.state === 'Enqueued', 20_000);
  simulator.deleteDevice(meter);
  assert.equal((await endOf(orphan)).state, 'Uncertain');
});
