/**
 * From an OPC UA client through the booted gateway to a simulated device and back: every state of a command and the
 * transitions to it, and the frames that devices really got.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { status as grpcStatus } from '@grpc/grpc-js';
import type { DownlinkFrame } from '../../lib/simulator';
import { boolean, CommandClient, double, int32, string } from '../support/command-client';
import { defineCommands } from '../support/command-flow';
import { eventually } from '../support/eventually';
import { type GatewayWorld, startWorld } from '../support/gateway-world';

/** ms: devices send when the test tells them to. */
const SILENT = 86_400_000;
const USUAL = ['Queued', 'Sending', 'Enqueued'];
/** An item must be missing in ChirpStack's queue for a while before anybody says so, ms. */
const DOUBT = 90_000;

describe('commands from an OPC UA client to devices', () => {
  let world: GatewayWorld;
  let commands: CommandClient;
  const frames: DownlinkFrame[] = [];
  const valve = { normal: '', deaf: '', stubborn: '', blocked: '' };
  const sensor = { normal: '', deaf: '', late: '', slow: '', cut: '', robbed: '', flushed: '', disabled: '' };

  /** What was sent to a device, as `port:bytes`. */
  const sentTo = (devEui: string): string[] =>
    frames
      .filter((frame) => frame.devEui === devEui)
      .map(({ fPort, data }) => `${fPort}:${Buffer.from(data).toString('hex')}`);
  /** The device sends now, so that class A gets what waits for it. */
  const uplink = (devEui: string): void => {
    assert.ok(world.simulator.sendUplink(devEui));
  };
  const rowOf = async (devEui: string, id: string) => (await commands.list(devEui)).find((row) => row.id === id);

  before(async () => {
    world = await startWorld({
      devices: 1,
      period: SILENT,
      schedulerLock: 0,
      onSimulator: (simulator) => {
        for (const name of Object.keys(valve))
          valve[name as keyof typeof valve] = simulator.addDevice({ kind: 'valve' });
        for (const name of Object.keys(sensor))
          sensor[name as keyof typeof sensor] = simulator.addDevice({ kind: 'climate' });
        simulator.onFrame((frame) => frames.push(frame));
      },
    });
    const { simulator } = world;
    const [valveProfile, sensorProfile] = ['valve', 'climate'].map(
      (kind) => simulator.devicesOfKind(kind)[0]?.profileId,
    );
    const bytes = (name: string, more: object = {}): object => ({
      profileId: sensorProfile,
      name,
      fPort: 10,
      parameters: [{ name: 'x', type: 'Int', min: 0, max: 65_535 }],
      payload: { kind: 'integer', parameter: 'x', format: 'uint16' },
      ...more,
    });
    const position = {
      profileId: valveProfile,
      name: 'position',
      fPort: 20,
      confirmed: true,
      // The codec takes up to 100 only.
      parameters: [{ name: 'position', type: 'Double', unit: '%', min: 0, max: 200, step: 0.5 }],
      payload: { kind: 'object', template: { position: '{{position}}' } },
      expected: { metric: 'setpoint', parameter: 'position', tolerance: 0.25, within: 60 },
    };
    await defineCommands(world.admin, [
      position,
      {
        profileId: valveProfile,
        name: 'program',
        fPort: 30,
        parameters: [
          {
            name: 'mode',
            type: 'Enumeration',
            choices: ['off', 'eco', 'boost'].map((name, value) => ({ name, value })),
          },
          { name: 'level', type: 'Double', min: 0, max: 1_000 },
          { name: 'on', type: 'Boolean', default: true },
        ],
        payload: {
          kind: 'template',
          segments: [
            { kind: 'hex', hex: 'a5' },
            { kind: 'integer', parameter: 'mode', format: 'uint8' },
            { kind: 'integer', parameter: 'level', format: 'uint16', littleEndian: true, scale: 0.5 },
            { kind: 'integer', parameter: 'on', format: 'uint8' },
          ],
        },
      },
      // One device has its own: it is given another position than it is expected to report.
      {
        ...position,
        profileId: undefined,
        devEui: valve.stubborn,
        payload: { kind: 'object', template: { position: 25 } },
        expected: { metric: 'setpoint', parameter: 'position', tolerance: 0.25, within: 4 },
      },
      bytes('plain', { profileId: valveProfile }),
      bytes('latest', { profileId: valveProfile, coalescing: 'replace' }),
      bytes('hurry', { profileId: valveProfile, deadline: 3 }),
      bytes('plain'),
      bytes('hurry', { deadline: 1 }),
      bytes('confirmed', { confirmed: true }),
      bytes('text', {
        parameters: [{ name: 'text', type: 'String', maxLength: 200 }],
        payload: { kind: 'template', segments: [{ kind: 'text', parameter: 'text' }] },
      }),
      bytes('careful', { interlock: { role: 'Engineer', secondConfirmation: true } }),
    ]);
    commands = await CommandClient.of(await world.connect());
    for (const devEui of Object.values(valve)) await commands.known(devEui, 'plain');
    for (const devEui of Object.values(sensor)) await commands.known(devEui, 'careful');
    await eventually(() => world.simulator.server.openStreams >= 13, 'event streams of all devices');
    await commands.follow();
  });
  after(() => world.close());

  // Time has to pass until these two are in doubt: it passes while the others run.
  let cut = '';
  let robbed = '';

  test('a call that broke and left no trace is looked for', async () => {
    const { simulator } = world;
    simulator.failCalls({ method: 'DeviceService/Enqueue', when: 'before', cut: true, times: 1 });
    cut = await commands.sent(sensor.cut, 'plain', int32(1));
    await commands.reaches(cut, 'Sending');
    await eventually(() => simulator.server.openStreams >= 13, 'event streams of all devices again');
  });

  test('an item that somebody else takes out of the queue of ChirpStack', async () => {
    robbed = await commands.sent(sensor.robbed, 'plain', int32(2));
    await commands.reaches(robbed, 'Enqueued');
    const device = world.simulator.devices().find(({ devEui }) => devEui === sensor.robbed);
    device?.queue.flush();
    uplink(sensor.robbed);
  });

  test('goes through the codec, is acknowledged, and verified by what the device reports', async () => {
    assert.equal((await commands.write(valve.normal, 'position', double(42.5))).name, 'Good');
    const id = String(await commands.read(valve.normal, 'position', 'lastId'));
    const { reason } = await commands.reaches(id, 'Verified');
    assert.match(reason, /setpoint = 42.5/);
    // What the uplink reports may come before its acknowledgement.
    assert.deepEqual(
      commands.states(id).filter((state) => state !== 'Acknowledged'),
      [...USUAL, 'Transmitted', 'Verified'],
    );
    assert.deepEqual(sentTo(valve.normal), ['20:55']);
    await eventually(
      async () => (await commands.state(valve.normal, 'position')) === 'Verified',
      'the state to be shown',
    );
    assert.equal(await commands.read(valve.normal, 'position', 'value'), 42.5);
    assert.equal((await rowOf(valve.normal, id))?.user, world.gateway.user);
  });

  test('goes as the bytes of its template, and ends as Transmitted when nobody has to acknowledge it', async () => {
    const id = await commands.sent(valve.deaf, 'program', string('eco'), double(21.5));
    await commands.reaches(id, 'Transmitted');
    assert.deepEqual(commands.states(id), [...USUAL, 'Transmitted']);
    await eventually(() => sentTo(valve.deaf).length > 0, 'the frame');
    assert.deepEqual(sentTo(valve.deaf), ['30:a5012b0001']);
    const row = await rowOf(valve.deaf, id);
    assert.ok(row?.ended);
    assert.deepEqual(row.parameters, { mode: 'eco', level: 21.5, on: true });
  });

  test('of class A waits for the next uplink, and is acknowledged by the one after', async () => {
    const id = await commands.sent(sensor.normal, 'confirmed', int32(0x1234));
    await commands.reaches(id, 'Enqueued');
    assert.deepEqual(sentTo(sensor.normal), []);
    uplink(sensor.normal);
    await commands.reaches(id, 'Transmitted');
    assert.deepEqual(sentTo(sensor.normal), ['10:1234']);
    uplink(sensor.normal);
    await commands.reaches(id, 'Acknowledged');
    assert.deepEqual(commands.states(id), [...USUAL, 'Transmitted', 'Acknowledged']);
  });

  test('that the device does not hear fails when it does not acknowledge it', async () => {
    world.simulator.loseFrames(sensor.deaf);
    const id = await commands.sent(sensor.deaf, 'confirmed', int32(3));
    await commands.reaches(id, 'Enqueued');
    uplink(sensor.deaf);
    await commands.reaches(id, 'Transmitted');
    uplink(sensor.deaf);
    const { reason } = await commands.reaches(id, 'Failed');
    assert.match(reason, /did not acknowledge/);
    assert.deepEqual(commands.states(id), [...USUAL, 'Transmitted', 'Failed']);
    assert.equal(frames.find(({ devEui }) => devEui === sensor.deaf)?.reachedDevice, false);
  });

  test('that does not lead to the expected state fails with what was observed', async () => {
    assert.equal((await commands.write(valve.stubborn, 'position', double(75))).name, 'Good');
    const id = String(await commands.read(valve.stubborn, 'position', 'lastId'));
    const { reason } = await commands.reaches(id, 'Failed');
    assert.match(reason, /setpoint = 75 within 4 s; setpoint = 25/);
    assert.deepEqual(commands.states(id), [...USUAL, 'Transmitted', 'Acknowledged', 'Failed']);
    assert.deepEqual(sentTo(valve.stubborn), ['20:32']);
  });

  test('that is too long for the data rate of the device fails, with the sizes', async () => {
    world.simulator.setDataRate(sensor.slow, 0);
    const id = await commands.sent(sensor.slow, 'text', string('x'.repeat(60)));
    await commands.reaches(id, 'Enqueued');
    uplink(sensor.slow);
    const { reason } = await commands.reaches(id, 'Failed');
    assert.match(reason, /60 bytes.*at most 51/);
    assert.deepEqual(sentTo(sensor.slow), []);
  });

  test('that the codec refuses is Rejected with its own text', async () => {
    const before = sentTo(valve.normal);
    assert.equal((await commands.write(valve.normal, 'position', double(150))).name, 'Good');
    const id = String(await commands.read(valve.normal, 'position', 'lastId'));
    const { reason } = await commands.reaches(id, 'Rejected');
    assert.match(reason, /position must be a number from 0 to 100/);
    assert.deepEqual(commands.states(id), ['Queued', 'Sending', 'Rejected']);
    assert.deepEqual(sentTo(valve.normal), before);
  });

  test('that ChirpStack discards because the device was silent too long is Expired', async () => {
    const id = await commands.sent(sensor.late, 'hurry', int32(4));
    await commands.reaches(id, 'Enqueued');
    await eventually(
      async () => /deadline has passed/.test((await rowOf(sensor.late, id))?.reason ?? ''),
      'its deadline',
    );
    uplink(sensor.late);
    await commands.reaches(id, 'Expired');
    assert.deepEqual(commands.states(id), [...USUAL, 'Expired']);
    assert.deepEqual(sentTo(sensor.late), []);
  });

  test('whose reply was lost is found in the queue, and not sent twice', async () => {
    world.simulator.failCalls({
      method: 'DeviceService/Enqueue',
      when: 'after',
      code: grpcStatus.UNAVAILABLE,
      details: 'Connection dropped',
      times: 1,
    });
    const before = sentTo(sensor.normal).length;
    const id = await commands.sent(sensor.normal, 'plain', int32(5));
    const { reason } = await commands.reaches(id, 'Enqueued');
    assert.match(reason, /found in the queue/);
    uplink(sensor.normal);
    await commands.reaches(id, 'Transmitted');
    uplink(sensor.normal);
    assert.deepEqual(sentTo(sensor.normal).slice(before), ['10:0005']);
  });

  test('of a device to which nothing gets through: taken back, superseded, expired, or sent when it works again', async () => {
    const lift = world.simulator.failCalls({
      method: 'DeviceService/Enqueue',
      code: grpcStatus.INTERNAL,
      details: 'database is locked',
    });
    const first = await commands.sent(valve.blocked, 'plain', int32(10));
    const expired = await commands.sent(valve.blocked, 'hurry', int32(11));
    const cancelled = await commands.sent(valve.blocked, 'plain', int32(12));
    const older = await commands.sent(valve.blocked, 'latest', int32(13));
    const newer = await commands.sent(valve.blocked, 'latest', int32(14));
    const last = await commands.sent(valve.blocked, 'plain', int32(15));
    await commands.reaches(older, 'Superseded');
    assert.equal((await commands.cancel(cancelled)).done, true);
    const { reason } = await commands.reaches(cancelled, 'Cancelled');
    assert.match(reason, new RegExp(world.gateway.user));
    await commands.reaches(expired, 'Expired');
    for (const id of [expired, cancelled, older]) assert.equal(commands.states(id).length, 2, 'Queued, then its end');
    assert.deepEqual(commands.states(last), ['Queued']);
    // The same of those whose turn it is, and which are tried again and again.
    const tried = {
      expired: await commands.sent(valve.normal, 'hurry', int32(16)),
      cancelled: await commands.sent(valve.deaf, 'plain', int32(17)),
      older: await commands.sent(valve.stubborn, 'latest', int32(18)),
    };
    const isUnsent = async (devEui: string, id: string): Promise<boolean> =>
      /did not reach ChirpStack/.test((await rowOf(devEui, id))?.reason ?? '');
    await eventually(() => isUnsent(valve.stubborn, tried.older), 'the first try of it');
    const instead = await commands.sent(valve.stubborn, 'latest', int32(19));
    await commands.reaches(tried.older, 'Superseded');
    await eventually(() => isUnsent(valve.deaf, tried.cancelled), 'the first try of it');
    assert.equal((await commands.cancel(tried.cancelled)).done, true);
    await commands.reaches(tried.cancelled, 'Cancelled');
    await commands.reaches(tried.expired, 'Expired');
    for (const id of Object.values(tried))
      assert.deepEqual([...new Set(commands.states(id).slice(0, -1))], ['Queued', 'Sending']);
    lift();
    for (const id of [first, newer, last, instead]) await commands.reaches(id, 'Transmitted');
    assert.deepEqual(commands.states(first).slice(0, 2), ['Queued', 'Sending']);
    await eventually(() => sentTo(valve.blocked).length >= 3, 'the frames');
    assert.deepEqual(sentTo(valve.blocked), ['10:000a', '10:000e', '10:000f']);
    // What was sent cannot be taken back.
    const late = await commands.cancel(last);
    assert.equal(late.done, false);
    assert.deepEqual(commands.states(last), [...USUAL, 'Transmitted']);
  });

  test('that waits in the queue of ChirpStack is Cancelled by emptying it', async () => {
    const id = await commands.sent(sensor.flushed, 'plain', int32(20));
    await commands.reaches(id, 'Enqueued');
    const { done, cancelled } = await commands.flush(sensor.flushed);
    assert.deepEqual([done, cancelled], [true, [id]]);
    await commands.reaches(id, 'Cancelled', DOUBT);
    assert.deepEqual(commands.states(id), [...USUAL, 'Cancelled']);
    uplink(sensor.flushed);
    assert.deepEqual(sentTo(sensor.flushed), []);
  });

  test('that must be asked for twice is sent at the second time only', async () => {
    const asked = await commands.send(sensor.normal, 'careful', int32(6));
    assert.ok(!asked.statusCode.isGood());
    const token = String(asked.outputArguments?.[1]?.value);
    assert.notEqual(token, '');
    const wrong = await commands.send(sensor.normal, 'careful', int32(7), string(token));
    assert.ok(!wrong.statusCode.isGood(), 'the token is for the same command');
    const again = await commands.send(sensor.normal, 'careful', int32(6), string(token));
    assert.equal(again.statusCode.name, 'Good');
    await commands.reaches(String(again.outputArguments?.[0]?.value), 'Enqueued');
  });

  test('that is not taken is answered with the reason, and nothing is kept of it', async () => {
    const before = (await commands.list()).length;
    const answers = [
      await commands.write(valve.normal, 'position', double(201)),
      await commands.write(valve.normal, 'position', double(0.3)),
      await commands.write(valve.normal, 'position', string('open')),
      await commands.write(valve.normal, 'nothing', double(1)),
    ];
    assert.deepEqual(
      answers.map(({ name }) => name),
      ['BadOutOfRange', 'BadOutOfRange', 'BadTypeMismatch', 'BadNodeIdUnknown'],
    );
    const outOfRange = await commands.send(valve.normal, 'program', string('nonsense'), double(1), boolean(true));
    assert.equal(outOfRange.statusCode.name, 'BadInvalidArgument');
    assert.deepEqual(
      outOfRange.inputArgumentResults?.map(({ name }) => name),
      ['BadOutOfRange', 'Good', 'Good'],
    );
    const missing = await commands.send(valve.normal, 'program', string('eco'));
    assert.equal(missing.statusCode.name, 'BadArgumentsMissing');
    world.simulator.disableDevice(sensor.disabled);
    await eventually(
      async () => (await commands.status(sensor.disabled, 'plain', 'value')) === 'BadOutOfService',
      'the device to be out of service',
    );
    assert.equal((await commands.write(sensor.disabled, 'plain', int32(1))).name, 'BadOutOfService');
    assert.equal((await commands.list()).length, before);
  });

  test('what cannot be known is Uncertain, and says what to look at', async () => {
    const broken = await commands.reaches(cut, 'Uncertain', DOUBT);
    assert.match(broken.reason, /never got there, or it was sent already/);
    assert.deepEqual(commands.states(cut), ['Queued', 'Sending', 'Uncertain']);
    assert.deepEqual(sentTo(sensor.cut), []);
    const vanished = await commands.reaches(robbed, 'Uncertain', DOUBT);
    assert.match(vanished.reason, /left ChirpStack's queue and no event said why/);
    assert.deepEqual(commands.states(robbed), [...USUAL, 'Uncertain']);
    assert.deepEqual(sentTo(sensor.robbed), []);
  });

  test('and all of them are in the list, in the state that was told last', async () => {
    const rows = await commands.list();
    for (const { id, state } of rows) assert.equal(state, commands.states(id).at(-1), id);
    assert.deepEqual([...new Set(rows.map(({ state }) => state))].sort(), [
      'Acknowledged',
      'Cancelled',
      'Enqueued',
      'Expired',
      'Failed',
      'Rejected',
      'Superseded',
      'Transmitted',
      'Uncertain',
      'Verified',
    ]);
  });
});
