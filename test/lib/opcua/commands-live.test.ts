/** Commands through OPC UA while things change: definitions, devices, the queue itself; events, audit, many at once. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  AttributeIds,
  ClientMonitoredItem,
  constructEventFilter,
  DataType,
  NumericRange,
  resolveNodeId,
  StatusCodes,
  TimestampsToReturn,
  type Variant,
} from 'node-opcua';
import type { ClientEvent } from '../../../lib/opcua';
import { loadNodeSet, subtypesOf, TypeCheck, walk } from '../../support/model-walk';
import {
  type CommandWorld,
  call,
  commandId,
  commandWorld,
  DEVICE,
  double,
  int,
  list,
  send,
  text,
  WRITTEN,
  write,
} from './commands-support';
import {
  type Connected,
  devEuiOf,
  deviceOf,
  OTHER_PROFILE,
  PROFILE,
  subscribe,
  temporaryFolder,
  until,
} from './support';

const DEVICES = 100;
const GONE = devEuiOf(3);
const { folder, remove } = temporaryFolder();
const clientEvents: ClientEvent[] = [];
let world: CommandWorld;
let otto: Connected;

before(async () => {
  world = await commandWorld(folder, DEVICES);
  world.server.onClientEvent((event) => clientEvents.push(event));
  world.server.attachCommands(world.doors);
  await world.server.settled();
  otto = await world.as('otto');
});
after(async () => {
  await world.close();
  remove();
});

const status = async (id: string): Promise<string> => (await otto.read(id)).statusCode.name;

/** Events of a type as a client gets them. */
async function listen(client: Connected, fields: readonly string[], type: string): Promise<unknown[][]> {
  const told: unknown[][] = [];
  const subscription = await subscribe(client.session);
  const item = ClientMonitoredItem.create(
    subscription,
    { nodeId: 'i=2253', attributeId: AttributeIds.EventNotifier },
    { filter: constructEventFilter([...fields, 'EventType']), queueSize: 1_000 },
    TimestampsToReturn.Both,
  );
  await new Promise<void>((resolve) => item.once('initialized', () => resolve()));
  item.on('changed', (values) => {
    const event = (values as unknown as Variant[]).map(({ value }): unknown => value);
    if (String(event.at(-1)) === type) told.push(event.slice(0, -1));
  });
  return told;
}

const COMMAND_EVENT = 'ns=2;s=LoRaWANCommandEventType';
const EVENT_FIELDS = ['2:CommandId', '2:State', '2:Reason', '2:User', '2:Command', '2:Parameters', 'SourceName'];

test('instances are what the published types promise', async () => {
  const types = await loadNodeSet();
  const uris = (await otto.read('i=2255')).value.value as string[];
  const aliases = await subtypesOf(otto.session, 'ns=2;s=LoRaWANDeviceType');
  const check = new TypeCheck(types, uris, aliases);
  const others = new RegExp(`^ns=3;s=(?!${DEVICE})[0-9a-f]{16}`);
  const nodes = await walk(otto.session, ['ns=3;s=lorawan'], (id) => !others.test(id));
  assert.ok(nodes.some(({ id }) => id === commandId('level', 'send')));
  for (const node of nodes) check.check(node);
  assert.ok(check.checked > 100);
  const ids = nodes.map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length);
  assert.ok(
    ids.every((id) => id.startsWith('ns=3;s=')),
    'all ids are made of identities',
  );
  types.dispose();
});

test('a hundred writes of one request become durable together, in order per device', async () => {
  const { commits } = world.store;
  const one = Array.from({ length: DEVICES }, (_item, index) => commandId('level', 'value', devEuiOf(index + 1)));
  const results = await write(otto, [
    ...one.map((id) => [id, int(1)] as const),
    [commandId('level', 'state'), int(1)],
    ...one.map((id) => [id, int(2)] as const),
    [commandId('setpoint', 'value'), double(100)],
  ]);
  assert.equal(results.length, 2 * DEVICES + 2);
  assert.deepEqual(
    results.map((name, index) => (name === 'Good' ? '' : `${index} ${name}`)).filter((name) => name !== ''),
    [`${DEVICES} BadNotWritable`, `${2 * DEVICES + 1} BadOutOfRange`],
  );
  assert.ok(world.store.commits - commits < DEVICES, `${world.store.commits - commits} commits`);
  for (let index = 1; index <= DEVICES; index++)
    assert.deepEqual(
      world.queue.commands(devEuiOf(index)).map(({ parameters }) => parameters),
      [{ x: 1 }, { x: 2 }],
    );
  const calls = await otto.session.call(
    Array.from({ length: DEVICES }, (_item, index) => ({
      objectId: commandId('object', '', devEuiOf(index + 1)),
      methodId: commandId('object', 'send', devEuiOf(index + 1)),
      inputArguments: [],
    })),
  );
  assert.ok(calls.every(({ statusCode }) => statusCode.isGood()));
  assert.equal(new Set(calls.map(({ outputArguments }) => outputArguments?.[0]?.value as unknown)).size, DEVICES);
  await world.clock.advance(0);
});

test('observers hear of each transition and each refusal', async () => {
  const told = await listen(await world.as('ann'), EVENT_FIELDS, COMMAND_EVENT);
  const device = devEuiOf(50);
  const { outputs } = await send(otto, 'big', [{ dataType: DataType.Int64, arrayType: 0, value: [0, 9] }], device);
  await world.clock.advance(0);
  const id = String(outputs[0]);
  await until(() => told.length > 0);
  assert.deepEqual(told[0]?.slice(0, 2), [id, 'Queued']);
  assert.deepEqual(told[0]?.slice(3), ['otto', 'big', '{"x":9}', device]);
  told.length = 0;
  await write(otto, [[commandId('level', 'value', device), int(101)]]);
  await until(() => told.length > 0);
  assert.deepEqual([told[0]?.[0], told[0]?.[1], told[0]?.[6]], ['', 'Refused', device]);
  assert.match(String(told[0]?.[2]), /it is 0 to 100 %/);
});

test('the audit names the command', async () => {
  const told = await listen(await world.as('root'), ['Message', 'SourceNode'], 'ns=0;i=2100');
  const device = devEuiOf(51);
  await write(otto, [[commandId('level', 'value', device), int(3)]]);
  const id = world.queue.commands(device).at(-1)?.id;
  await until(() => told.length > 0);
  assert.match(JSON.stringify(told[0]), new RegExp(`written: Good, command ${id}`));
  assert.ok(clientEvents.some(({ type, command }) => type === 'written' && command === id));
  const { outputs } = await send(otto, 'level', [int(4)], device);
  await until(() => clientEvents.some(({ type, command }) => type === 'called' && command === outputs[0]));
  const count = clientEvents.length;
  await list(otto, 'get', []);
  assert.equal(clientEvents.length, count, 'a question is no act');
});

test('other definitions are shown while clients are connected', async () => {
  const model = await listen(otto, ['Changes'], 'ns=0;i=2133');
  const before = await otto.read(commandId('level', 'lastId'));
  const subscription = await subscribe(otto.session);
  const values: string[] = [];
  const item = await subscription.monitor(
    { nodeId: commandId('level', 'state'), attributeId: AttributeIds.Value },
    { samplingInterval: 0, queueSize: 10 },
    TimestampsToReturn.Both,
  );
  item.on('changed', ({ statusCode }: { statusCode: { name: string } }) => values.push(statusCode.name));
  await until(() => values.length > 0);
  const changed = WRITTEN.filter(({ name }) => name !== 'rated' && name !== 'mode').map((written) =>
    written.name === 'level'
      ? { ...written, title: 'Opening', parameters: [{ name: 'x', type: 'Double', min: 0, max: 50 }] }
      : written,
  );
  const two = [
    ...changed,
    { profileId: PROFILE, name: 'new', fPort: 20, payload: { kind: 'hex', hex: '01' } },
    { devEui: DEVICE, name: 'own', fPort: 20, payload: { kind: 'hex', hex: '02' } },
  ];
  world.server.attachCommands(world.doorsWith(two));
  await world.server.settled();
  assert.equal((await otto.read(commandId('level'), AttributeIds.DisplayName)).value.value.text, 'Opening');
  assert.equal((await otto.read(commandId('level', 'value'), AttributeIds.DataType)).value.value.value, 11);
  assert.deepEqual(await write(otto, [[commandId('level', 'value'), int(1)]]), ['BadTypeMismatch']);
  assert.deepEqual(await write(otto, [[commandId('level', 'value'), double(51)]]), ['BadOutOfRange']);
  assert.deepEqual(await write(otto, [[commandId('level', 'value'), double(5)]]), ['Good']);
  assert.notEqual((await otto.read(commandId('level', 'lastId'))).value.value, before.value.value);
  assert.equal((await send(otto, 'new')).status, 'Good');
  assert.equal((await send(otto, 'own')).status, 'Good');
  assert.equal((await send(otto, 'own', [], devEuiOf(2))).status, 'BadNodeIdUnknown');
  assert.equal(await status(commandId('rated', 'state')), 'BadNodeIdUnknown');
  await until(() => JSON.stringify(model).includes(`${DEVICE}/command/new`));
  assert.ok(
    values.every((name) => name === 'Good'),
    'nothing flickers',
  );
  world.server.attachCommands(world.doorsWith(WRITTEN));
  await world.server.settled();
  assert.equal((await otto.read(commandId('level', 'value'), AttributeIds.DataType)).value.value.value, 6);
  assert.notEqual(await status(commandId('rated', 'state')), 'BadNodeIdUnknown');
  assert.equal(await status(commandId('new', 'state')), 'BadNodeIdUnknown');
  await subscription.terminate();
});

test('a command with one parameter more has no value, and with one less it has one again', async () => {
  const level = (parameters: object[]): object => ({
    ...WRITTEN[0],
    parameters,
    payload: { kind: 'object', template: { x: '{{x}}', y: parameters.length > 1 ? '{{y}}' : 0 } },
  });
  const [whole] = WRITTEN[0]?.parameters ?? [];
  world.server.attachCommands(world.doorsWith([level([whole ?? {}, { name: 'y', type: 'Int', default: 1 }])]));
  await world.server.settled();
  assert.equal(await status(commandId('level', 'value')), 'BadNodeIdUnknown');
  assert.equal((await send(otto, 'level', [int(1)])).status, 'Good');
  world.server.attachCommands(world.doorsWith(WRITTEN));
  await world.server.settled();
  assert.deepEqual(await write(otto, [[commandId('level', 'value'), int(2)]]), ['Good']);
});

test('a device of another profile has other commands', async () => {
  const device = deviceOf(4);
  world.devices.set(device.devEui, {
    devEui: device.devEui,
    profileId: OTHER_PROFILE,
    deviceClass: 'A',
    isDisabled: false,
  });
  world.source.setDevice({ ...device, profileId: OTHER_PROFILE });
  world.source.changed();
  await world.server.settled();
  assert.equal(await status(commandId('level', 'state', device.devEui)), 'BadNodeIdUnknown');
  assert.deepEqual(await write(otto, [[commandId('level', 'value', device.devEui), int(1)]]), ['BadNodeIdUnknown']);
});

test('a device that is disabled, removed, deleted and back again', async () => {
  const state = commandId('level', 'state', GONE);
  const id = commandId('level', 'value', GONE);
  const device = deviceOf(3);
  world.source.setDevice({ ...device, isDisabled: true });
  world.source.changed();
  await world.server.settled();
  assert.equal(await status(state), 'BadOutOfService');
  world.source.setDevice(device);
  world.source.changed();
  await world.server.settled();
  assert.equal(await status(state), 'Good');
  world.source.devices.delete(GONE);
  world.source.changed();
  await world.server.settled();
  assert.equal(await status(state), 'BadOutOfService');
  assert.deepEqual(await write(otto, [[id, int(1)]]), ['BadOutOfService']);
  assert.equal((await send(otto, 'level', [int(1)], GONE)).status, 'BadOutOfService');
  await world.clock.advance(86_400_000 + 120_000);
  await world.server.settled();
  assert.equal(await status(state), 'BadNodeIdUnknown');
  world.source.setDevice(device);
  world.source.changed();
  await world.server.settled();
  assert.deepEqual(await write(otto, [[id, int(1)]]), ['Good']);
});

test('odd calls are all answered', async () => {
  const variants = [
    { dataType: DataType.Null },
    { dataType: DataType.Variant, arrayType: 1, value: [{ dataType: DataType.Int32, value: 1 }] },
    { dataType: DataType.Int32, arrayType: 1, value: [] },
    { dataType: DataType.Int32, arrayType: 2, dimensions: [1, 1], value: new Int32Array([1]) },
    { dataType: DataType.ByteString, value: null },
    { dataType: DataType.String, value: null },
    { dataType: DataType.String, value: 'x'.repeat(2_000) },
    { dataType: DataType.Double, value: Number.NaN },
    { dataType: DataType.NodeId, value: resolveNodeId('i=1') },
    { dataType: DataType.StatusCode, value: StatusCodes.Bad },
  ];
  const names = WRITTEN.map(({ name }) => name);
  for (const variant of variants)
    for (const name of names) {
      // What the server allows a client in a second is counted by the same clock.
      await world.clock.advance(1_000);
      const [result] = await write(otto, [[commandId(name, 'value'), variant]]);
      assert.match(result ?? '', /^Bad/, `${name} ${JSON.stringify(variant).slice(0, 80)}`);
      for (const inputArguments of [[variant], [variant, variant], [variant, variant, variant, variant]]) {
        const answer = await send(otto, name, inputArguments);
        assert.match(answer.status, /^(?:Bad|Uncertain)/, `${name} ${JSON.stringify(variant).slice(0, 80)}`);
      }
    }
  const odd = [
    { objectId: 'ns=3;s=nothing', methodId: commandId('level', 'send') },
    { objectId: commandId('level'), methodId: 'ns=3;s=nothing' },
    { objectId: commandId('level'), methodId: commandId('level', 'value') },
    { objectId: commandId('level', 'value'), methodId: commandId('level', 'send') },
    { objectId: 'ns=3;s=lorawan/commands', methodId: commandId('level', 'send') },
    { objectId: commandId('level'), methodId: 'ns=3;s=lorawan/commands/cancel' },
  ];
  for (const request of odd) assert.match((await call(otto, request)).status, /^Bad/, JSON.stringify(request));
  for (const more of [{ indexRange: new NumericRange('0:1') }, { statusCode: StatusCodes.Bad }]) {
    const { statusCode, ...rest } = { statusCode: StatusCodes.Good, ...more };
    const result = await otto.session.write({
      nodeId: commandId('label', 'value'),
      attributeId: 13,
      value: { value: text('abc'), statusCode },
      ...rest,
    });
    assert.equal(result.name, 'BadWriteNotSupported');
  }
  // Another attribute than the value is the library's to refuse.
  const named = { nodeId: commandId('level', 'value'), attributeId: AttributeIds.DisplayName };
  assert.equal((await otto.session.write({ ...named, value: { value: text('a') } })).name, 'BadUserAccessDenied');
});

test('without a queue the nodes stay, writes are refused at once, and values are out of service after a while', async () => {
  const value = commandId('level', 'value');
  const detach = world.server.attachCommands(world.doors);
  await world.server.settled();
  const before = await status(commandId('level', 'state'));
  assert.equal(before, 'Good');
  detach();
  detach();
  assert.deepEqual(await write(otto, [[value, int(1)]]), ['BadNotConnected']);
  assert.equal((await send(otto, 'level', [int(1)])).status, 'BadNotConnected');
  for (const key of ['get', 'cancel', 'flush'])
    assert.equal((await list(otto, key, key === 'get' ? [] : [text(DEVICE)])).status, 'BadNotConnected');
  assert.equal(await status(commandId('level', 'state')), 'Good');
  await world.clock.advance(10_000);
  await world.server.settled();
  assert.equal(await status(commandId('level', 'state')), 'BadOutOfService');
  assert.equal(await status('ns=3;s=lorawan/commands/queued'), 'BadOutOfService');
  world.server.attachCommands(world.doors);
  await world.server.settled();
  assert.equal(await status(commandId('level', 'state')), 'Good');
  assert.equal(await status('ns=3;s=lorawan/commands/queued'), 'Good');
});
