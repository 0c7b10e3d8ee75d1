/** Commands through OPC UA: what is written and called, how it is answered, and what is seen of it. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { AttributeIds, DataType, TimestampsToReturn, VariantArrayType } from 'node-opcua';
import type { Command } from '../../../lib/model';
import { txack } from '../commands/support';
import {
  type CommandWorld,
  commandId,
  commandWorld,
  DEVICE,
  double,
  int,
  list,
  NOTHING,
  send,
  text,
  write,
} from './commands-support';
import { type Connected, devEuiOf, subscribe, temporaryFolder, until } from './support';

const { folder, remove } = temporaryFolder();
let world: CommandWorld;
let otto: Connected;

before(async () => {
  world = await commandWorld(folder);
  world.server.attachCommands(world.doors);
  await world.server.settled();
  otto = await world.as('otto');
});
after(async () => {
  await world.close();
  remove();
});

const value = async (client: Connected, id: string): Promise<unknown> => {
  const { value: variant, statusCode } = await client.read(id);
  return variant.value ?? statusCode.name;
};

/** Ends all that is open: a gateway sends each. */
async function settle(): Promise<void> {
  const open = (): readonly Command[] => world.queue.commands().filter(({ endedAt }) => endedAt === undefined);
  for (let tries = 0; open().length > 0 && tries < 100; tries++) {
    await world.clock.advance(0);
    for (const { queueItemId, devEui } of open())
      if (queueItemId !== undefined) {
        world.downlinks.take(queueItemId);
        world.queue.receive(txack(queueItemId, world.clock.now(), devEui));
      }
  }
  assert.deepEqual(open(), []);
}

test('a write is answered Good when it is durable, and sent', async () => {
  assert.deepEqual(await write(otto, [[commandId('level', 'value'), int(55)]]), ['Good']);
  const [command] = world.queue.commands(DEVICE).toReversed();
  assert.ok(command !== undefined && world.store.records.has(command.id));
  assert.deepEqual([command.user, command.source, command.parameters], ['otto', 'opcua', { x: 55 }]);
  await world.clock.advance(0);
  assert.deepEqual(world.downlinks.enqueued.at(-1)?.item.payload, { kind: 'bytes', hex: '37' });
  assert.equal(await value(otto, commandId('level', 'lastId')), command.id);
  assert.equal(await value(otto, commandId('level', 'user')), 'otto');
  await settle();
});

test('no answer before it is durable', async () => {
  let open = (): void => undefined;
  world.store.gate = new Promise((resolve) => {
    open = resolve;
  });
  let answered = false;
  const writing = write(otto, [[commandId('level', 'value'), int(1)]]).then((results) => {
    answered = true;
    return results;
  });
  await until(() => world.queue.commands(DEVICE).length >= 0 && world.clock.pendingTimers > 0);
  await otto.read(commandId('level', 'state'));
  assert.equal(answered, false);
  open();
  assert.deepEqual(await writing, ['Good']);
  await settle();
});

test('a write that is not durable in two seconds is answered BadTimeout and taken back', async () => {
  let open = (): void => undefined;
  world.store.gate = new Promise((resolve) => {
    open = resolve;
  });
  const before = world.downlinks.enqueued.length;
  // Something else is under way for the device, so that it must wait for its turn.
  const writing = write(otto, [[commandId('level', 'value'), int(2)]]);
  const over = { is: false };
  void writing.then(() => {
    over.is = true;
  });
  while (!over.is) {
    await world.clock.advance(500);
    await otto.read(commandId('level', 'state'));
  }
  assert.deepEqual(await writing, ['BadTimeout']);
  open();
  world.store.gate = Promise.resolve();
  await until(() => world.queue.commands(DEVICE).at(-1)?.parameters['x'] === 2);
  await world.clock.advance(0);
  const command = world.queue.commands(DEVICE).at(-1);
  assert.ok(command);
  assert.match(String(await value(otto, commandId('level', 'lastRefusal'))), /could not be made durable in time/);
  // It is Cancelled, or it has got to ChirpStack meanwhile: then its state says so.
  assert.equal(command.state === 'Cancelled' || world.downlinks.enqueued.length === before + 1, true);
  await settle();
});

test('each type is written, and none but its own', async () => {
  const good: (readonly [string, Parameters<typeof write>[1][number][1], string])[] = [
    ['setpoint', double(21.5), '002b'],
    ['switch', { dataType: DataType.Boolean, value: true }, '01'],
    ['mode', int(5), '05'],
    ['label', text('hello'), '68656c6c6f'],
    [
      'big',
      { dataType: DataType.Int64, arrayType: VariantArrayType.Scalar, value: [0xffff_ffff, 0xffff_fffe] },
      'fffffffffffffffe',
    ],
  ];
  for (const [name, written, hex] of good) {
    assert.deepEqual(await write(otto, [[commandId(name, 'value'), written]]), ['Good'], name);
    await world.clock.advance(0);
    const { item } = world.downlinks.enqueued.at(-1) ?? {};
    assert.deepEqual(item?.payload, { kind: 'bytes', hex }, name);
    await settle();
  }
  for (const [name, written] of [
    ['level', double(1)],
    ['level', text('1')],
    ['level', { dataType: DataType.UInt32, value: 1 }],
    ['level', { dataType: DataType.Int32, arrayType: VariantArrayType.Array, value: [1] }],
    ['level', NOTHING],
    ['setpoint', int(1)],
    ['switch', int(1)],
    ['mode', text('eco')],
    ['label', { dataType: DataType.String, value: null }],
    ['label', { dataType: DataType.ByteString, value: Buffer.from('a') }],
    ['big', int(1)],
  ] as const)
    assert.deepEqual(await write(otto, [[commandId(name, 'value'), written]]), ['BadTypeMismatch'], name);
  assert.equal(await value(otto, commandId('big', 'lastRefusal')), 'the value is one Int64');
  for (const [name, written] of [
    ['level', int(101)],
    ['level', int(-1)],
    ['setpoint', double(Number.NaN)],
    ['setpoint', double(Number.POSITIVE_INFINITY)],
    ['setpoint', double(20.3)],
    ['mode', int(4)],
    ['label', text('much too long')],
    ['label', text('a\u0000b')],
  ] as const)
    assert.deepEqual(await write(otto, [[commandId(name, 'value'), written]]), ['BadOutOfRange'], name);
  assert.match(String(await value(otto, commandId('mode', 'lastRefusal'))), /one of off \(0\), eco \(5\)/);
});

test('units, ranges and choices are shown with the value', async () => {
  assert.equal((await otto.read(commandId('level', 'value'), AttributeIds.DataType)).value.value.value, 6);
  const range = (await otto.read(commandId('setpoint', 'value/EURange'))).value.value;
  assert.deepEqual([range.low, range.high], [-10, 40]);
  assert.equal((await otto.read(commandId('setpoint', 'value/EngineeringUnits'))).value.value.displayName.text, '°C');
  const choices: readonly { value: unknown; displayName: { text: string } }[] = (
    await otto.read(commandId('mode', 'value/EnumValues'))
  ).value.value;
  assert.deepEqual(
    choices.map(({ displayName }) => displayName.text),
    ['off', 'eco'],
  );
  assert.equal((await otto.read(commandId('level'), AttributeIds.DisplayName)).value.value.text, 'Level');
});

test('every no has its status code, in writes and calls', async () => {
  const level = commandId('level', 'value');
  assert.deepEqual(await write(otto, [[commandId('locked', 'value'), int(1)]]), ['BadUserAccessDenied']);
  const emma = await world.as('emma');
  assert.deepEqual(await write(emma, [[commandId('locked', 'value'), int(1)]]), ['Good']);
  assert.deepEqual(await write(otto, [[commandId('twice', 'value'), int(1)]]), ['BadNotWritable']);
  assert.deepEqual(await write(otto, [[commandId('rated', 'value'), int(1)]]), ['Good']);
  assert.deepEqual(await write(otto, [[commandId('rated', 'value'), int(1)]]), ['BadTooManyOperations']);
  assert.deepEqual(await write(otto, [[commandId('reject', 'value'), int(1)]]), ['Good']);
  assert.deepEqual(await write(otto, [[commandId('reject', 'value'), int(1)]]), ['BadInvalidState']);
  assert.equal((await send(otto, 'reject', [int(2)])).status, 'BadInvalidState');
  await settle();
  const many = await write(
    otto,
    Array.from({ length: 25 }, () => [level, int(3)] as const),
  );
  assert.deepEqual(new Set(many), new Set(['Good', 'BadResourceUnavailable']));
  await settle();
  world.store.fault = new Error('no space left on device');
  assert.deepEqual(await write(otto, [[level, int(3)]]), ['BadResourceUnavailable']);
  world.store.fault = undefined;
  const device = world.devices.get(DEVICE);
  assert.ok(device);
  world.devices.set(DEVICE, { ...device, hasCodec: false });
  assert.equal((await send(otto, 'object')).status, 'BadConfigurationError');
  world.devices.set(DEVICE, { ...device, isDisabled: true });
  assert.deepEqual(await write(otto, [[level, int(3)]]), ['BadOutOfService']);
  world.devices.delete(DEVICE);
  assert.deepEqual(await write(otto, [[level, int(3)]]), ['BadNodeIdUnknown']);
  world.devices.set(DEVICE, device);
  assert.deepEqual(await write(otto, [[commandId('level', 'state'), { dataType: DataType.UInt32, value: 1 }]]), [
    'BadNotWritable',
  ]);
  assert.ok(
    world.log.some(({ operation, event, user }) => operation === 'enqueue' && event === 'refused' && user === 'otto'),
  );
});

test('observers see and do not send', async () => {
  const ann = await world.as('ann');
  const count = world.queue.commands().length;
  assert.deepEqual(await write(ann, [[commandId('level', 'value'), int(1)]]), ['BadUserAccessDenied']);
  assert.equal((await send(ann, 'level', [int(1)])).status, 'BadUserAccessDenied');
  assert.equal((await list(ann, 'cancel', [text('x')])).status, 'BadUserAccessDenied');
  assert.equal((await list(ann, 'flush', [text(DEVICE)])).status, 'BadUserAccessDenied');
  assert.equal((await list(ann, 'get', [])).status, 'Good');
  const executable = async (client: Connected, id: string): Promise<unknown[]> => [
    (await client.read(id, AttributeIds.Executable)).value.value,
    (await client.read(id, AttributeIds.UserExecutable)).value.value,
  ];
  assert.deepEqual(await executable(otto, commandId('level', 'send')), [true, true]);
  assert.deepEqual(await executable(ann, commandId('level', 'send')), [true, false]);
  assert.deepEqual(await executable(ann, 'ns=3;s=lorawan/commands/get'), [true, true]);
  assert.deepEqual(await executable(ann, 'ns=3;s=lorawan/commands/cancel'), [true, false]);
  assert.equal(world.queue.commands().length, count);
  assert.equal(typeof (await value(ann, commandId('level', 'lastId'))), 'string');
  const root = await world.as('root');
  assert.deepEqual(await write(root, [[commandId('level', 'value'), int(1)]]), ['BadUserAccessDenied']);
});

test('Send takes typed arguments, Null for optional ones, and says which one is wrong', async () => {
  const done = await send(otto, 'many', [int(3), double(0.25), text('x')]);
  assert.equal(done.status, 'Good');
  assert.equal(world.queue.command(String(done.outputs[0]))?.name, 'many');
  assert.deepEqual(world.queue.command(String(done.outputs[0]))?.parameters, { a: 3, b: 0.25, c: 'x' });
  const short = await send(otto, 'many', [int(3)]);
  assert.deepEqual(world.queue.command(String(short.outputs[0]))?.parameters, { a: 3, b: 0.5 });
  const empty = await send(otto, 'many', [int(3), NOTHING, NOTHING]);
  assert.deepEqual(world.queue.command(String(empty.outputs[0]))?.parameters, { a: 3, b: 0.5 });
  assert.equal((await send(otto, 'object')).status, 'Good');
  await settle();
  assert.equal((await send(otto, 'many', [])).status, 'BadArgumentsMissing');
  assert.equal((await send(otto, 'many', [int(1), NOTHING, NOTHING, NOTHING])).status, 'BadTooManyArguments');
  const { status, arguments: results } = await send(otto, 'many', [int(10), double(Number.NaN), text('x')]);
  assert.deepEqual([status, ...results], ['BadInvalidArgument', 'BadOutOfRange', 'BadOutOfRange', 'Good']);
  const typed = await send(otto, 'many', [double(1), NOTHING, int(1)]);
  assert.deepEqual(
    [typed.status, ...typed.arguments],
    ['BadInvalidArgument', 'BadTypeMismatch', 'Good', 'BadTypeMismatch'],
  );
  assert.deepEqual((await send(otto, 'many', [NOTHING])).arguments, ['BadTypeMismatch']);
  const mode = await send(otto, 'mode', [text('eco')]);
  assert.deepEqual(world.queue.command(String(mode.outputs[0]))?.parameters, { x: 'eco' });
  assert.deepEqual((await send(otto, 'mode', [text('none')])).arguments, ['BadOutOfRange']);
  // A method of another object, and the one that the type declares.
  const wrong = await otto.session.call({ objectId: commandId('object'), methodId: commandId('level', 'send') });
  assert.equal(wrong.statusCode.name, 'BadMethodInvalid');
  const byType = await otto.session.call({ objectId: commandId('object'), methodId: 'ns=2;s=LoRaWANCommandType/Send' });
  assert.equal(byType.statusCode.name, 'Good');
  await settle();
});

test('a second confirmation is asked for by a token', async () => {
  const first = await send(otto, 'twice', [int(7)]);
  assert.equal(first.status, 'Uncertain');
  const [none, token] = first.outputs;
  assert.equal(none, '');
  assert.ok(typeof token === 'string' && token.length > 0);
  assert.equal((await send(otto, 'twice', [int(8), text(token)])).status, 'Uncertain');
  const second = await send(otto, 'twice', [int(7), text(token)]);
  assert.deepEqual([second.status, second.outputs[1]], ['Good', '']);
  assert.deepEqual(world.queue.command(String(second.outputs[0]))?.parameters, { x: 7 });
  assert.equal((await otto.read(commandId('twice', 'value'), AttributeIds.AccessLevel)).value.value, 1);
  await settle();
});

test('what becomes of a command is seen by a subscription', async () => {
  const subscription = await subscribe(otto.session);
  const states: unknown[] = [];
  const item = await subscription.monitor(
    { nodeId: commandId('level', 'state'), attributeId: AttributeIds.Value },
    { samplingInterval: 0, queueSize: 100, discardOldest: true },
    TimestampsToReturn.Both,
  );
  item.on('changed', (changed: { value: { value: unknown } }) => states.push(changed.value.value));
  await until(() => states.length > 0);
  states.length = 0;
  const { outputs } = await send(otto, 'level', [int(9)]);
  await world.clock.advance(0);
  const { statusCode } = await otto.read(commandId('level', 'value'));
  assert.equal(statusCode.name, 'Uncertain');
  const id = String(outputs[0]);
  await until(() => world.queue.command(id)?.state === 'Enqueued');
  const itemId = world.queue.command(id)?.queueItemId ?? '';
  world.queue.receive(txack(itemId, world.clock.now(), DEVICE));
  await world.clock.advance(0);
  await until(() => states.at(-1) === 3);
  assert.deepEqual(
    states.filter((state) => state === 2 || state === 3),
    [2, 3],
  );
  const shown = await otto.read(commandId('level', 'value'));
  assert.deepEqual([shown.statusCode.name, shown.value.value], ['Good', 9]);
  await subscription.terminate();
});

test('the list counts, tells, cancels and flushes', async () => {
  await settle();
  world.downlinks.script.push('unsent');
  const { outputs } = await send(otto, 'level', [int(1)], devEuiOf(2));
  await send(otto, 'level', [int(2)], devEuiOf(2));
  await world.clock.advance(1_000);
  const rows = await list(otto, 'get', [text(devEuiOf(2)), NOTHING, { dataType: DataType.UInt32, value: 1 }]);
  const [[row]] = rows.outputs as [[string]];
  assert.deepEqual(Object.keys(JSON.parse(row) as object).slice(0, 3), ['id', 'devEui', 'name']);
  const counted = async (): Promise<number> => {
    const names = ['queued', 'sending', 'enqueued', 'awaiting'];
    const counts = await Promise.all(names.map((name) => value(otto, `ns=3;s=lorawan/commands/${name}`)));
    return counts.reduce<number>((sum, count) => sum + Number(count), 0);
  };
  assert.ok((await counted()) >= 2);
  const cancelled = await list(otto, 'cancel', [text(String(outputs[0]))]);
  assert.equal(cancelled.status, 'Good');
  assert.equal(typeof cancelled.outputs[0], 'boolean');
  const unknown = await list(otto, 'cancel', [text('nothing')]);
  assert.deepEqual([unknown.status, unknown.outputs[0]], ['Good', false]);
  const flushed = await list(otto, 'flush', [text(devEuiOf(2))]);
  assert.deepEqual([flushed.status, flushed.outputs[0]], ['Good', true]);
  assert.deepEqual((await list(otto, 'flush', [text('x')])).arguments, ['BadOutOfRange']);
  assert.deepEqual((await list(otto, 'get', [NOTHING, text('Nowhere')])).arguments, ['Good', 'BadOutOfRange']);
  assert.equal((await list(otto, 'cancel', [])).status, 'BadArgumentsMissing');
  assert.equal((await list(otto, 'cancel', [int(1)])).status, 'BadInvalidArgument');
});
