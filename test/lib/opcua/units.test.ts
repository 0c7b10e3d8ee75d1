import assert from 'node:assert/strict';
import { after, afterEach, beforeEach, test } from 'node:test';
import {
  AttributeIds,
  BrowseDirection,
  type ClientMonitoredItemBase,
  DataChangeFilter,
  DataType,
  type DataValue,
  DeadbandType,
  EventFilter,
  TimestampsToReturn,
} from 'node-opcua';
import { Emitter, type OwnMeaning } from '../../../lib/model';
import { GatewayServer } from '../../../lib/opcua';
import type { MeaningTable } from '../../../lib/opcua/address-space/model-source';
import { ManualClock } from '../../support/manual-clock';
import {
  type Connected,
  connect,
  depsOf,
  devEuiOf,
  deviceOf,
  PROFILE,
  readingOf,
  settingsOf,
  subscribe,
  TestSource,
  temporaryFolder,
  until,
} from './support';

const { folder, remove } = temporaryFolder();
after(remove);

const D1 = devEuiOf(1);
const metric = (key: string): string => `ns=3;s=${D1}/metric/${key}`;
const property = (key: string, name: string): string => `ns=3;s=${D1}/property/${key}/${name}`;

let clock: ManualClock;
let server: GatewayServer;
let source: TestSource;
let client: Connected;
let T: number;

beforeEach(async () => {
  clock = new ManualClock();
  T = clock.now();
  server = new GatewayServer(settingsOf(folder), depsOf({ clock }));
  await server.start();
  source = new TestSource();
  source.setDevice(deviceOf(1));
  client = await connect(server, folder);
});

afterEach(async () => {
  await client.close();
  await server.stop();
});

async function serve(): Promise<void> {
  server.attach(source);
  await server.settled();
}

async function tag(device: Record<string, string>, profile: Record<string, string> = {}): Promise<void> {
  source.setDevice(deviceOf(1, { tags: device }));
  const known = source.profiles.get(PROFILE);
  assert.ok(known);
  source.profiles.set(PROFILE, { ...known, tags: profile });
  source.changed();
  await server.settled();
}

async function properties(key: string): Promise<string[]> {
  const result = await client.session.browse({
    nodeId: metric(key),
    referenceTypeId: 'HasProperty',
    includeSubtypes: true,
    browseDirection: BrowseDirection.Forward,
    resultMask: 63,
  });
  return (result.references ?? []).map(({ browseName }) => browseName.toString()).sort();
}

async function typeOf(key: string): Promise<string> {
  const result = await client.session.browse({
    nodeId: metric(key),
    referenceTypeId: 'HasTypeDefinition',
    browseDirection: BrowseDirection.Forward,
    resultMask: 63,
  });
  assert.equal(result.references?.length, 1, 'one type definition');
  return result.references[0]?.browseName.toString() ?? '';
}

async function unitOf(key: string): Promise<{ id: number; symbol: string; name: string; uri: string }> {
  const { namespaceUri, unitId, displayName, description } = (await client.read(property(key, 'EngineeringUnits')))
    .value.value;
  return { id: unitId, symbol: displayName.text, name: description.text, uri: namespaceUri };
}

async function textOf(id: string, attribute = AttributeIds.Value): Promise<string | undefined> {
  return (await client.read(id, attribute)).value.value?.text;
}

interface ModelEvent {
  type: string;
  changes: readonly { affected: string; verb?: number }[];
}

async function watch(): Promise<{
  values: (key: string) => Promise<DataValue[]>;
  events: ModelEvent[];
}> {
  const subscription = await subscribe(client.session);
  const events: ModelEvent[] = [];
  const item = await subscription.monitor(
    { nodeId: 'i=2253', attributeId: AttributeIds.EventNotifier },
    {
      samplingInterval: 0,
      queueSize: 1_000,
      discardOldest: true,
      filter: new EventFilter({
        selectClauses: ['EventType', 'Changes'].map((name) => ({
          typeDefinitionId: name === 'EventType' ? 'i=2041' : 'i=2132',
          browsePath: [{ name }],
          attributeId: AttributeIds.Value,
        })),
      }),
    },
    TimestampsToReturn.Both,
  );
  item.on('changed', (...[fields]: unknown[]) => {
    const [type, changes] = fields as { value: unknown }[];
    const list = (changes?.value ?? []) as { affected: { toString(): string }; verb?: number }[];
    events.push({
      type: String(type?.value),
      changes: list.map(({ affected, verb }) => ({
        affected: affected.toString(),
        ...(verb === undefined ? {} : { verb }),
      })),
    });
  });
  return {
    events,
    async values(key) {
      const values: DataValue[] = [];
      const monitored: ClientMonitoredItemBase = await subscription.monitor(
        { nodeId: metric(key), attributeId: AttributeIds.Value },
        { samplingInterval: 0, queueSize: 100, discardOldest: true },
        TimestampsToReturn.Both,
      );
      monitored.on('changed', (value: DataValue) => values.push(value));
      await until(() => values.length === 1);
      return values;
    },
  };
}

test('a unit is shown with its code, its source and the type that promises it', async () => {
  source.define(1, 'temperature', 'Double');
  source.define(1, 'level', 'Double', 'Level (m)');
  source.define(1, 'energy', 'Int64');
  source.define(1, 'flow', 'Double');
  source.define(1, 'own', 'Double');
  source.define(1, 'count', 'Double');
  source.define(1, 'note', 'String');
  source.setDevice(deviceOf(1, { tags: { unit_energy: 'kWh', unit_own: 'drops/leaf', unit_note: 'm' } }));
  await serve();
  await tag({ unit_energy: 'kWh', unit_own: 'drops/leaf', unit_note: 'm' }, { unit_flow: 'm3/h', unit_energy: 'Wh' });
  const uri = 'http://www.opcfoundation.org/UA/units/un/cefact';
  assert.deepEqual(await unitOf('temperature'), { id: 4_408_652, symbol: '°C', name: 'degree Celsius', uri });
  assert.deepEqual(await unitOf('level'), { id: 5_067_858, symbol: 'm', name: 'metre', uri });
  assert.deepEqual(await unitOf('energy'), { id: 4_937_544, symbol: 'kW·h', name: 'kilowatt hour', uri });
  assert.deepEqual(await unitOf('flow'), { id: 5_067_080, symbol: 'm³/h', name: 'cubic metre per hour', uri });
  assert.deepEqual(await unitOf('own'), { id: -1, symbol: 'drops/leaf', name: 'drops/leaf', uri });
  for (const key of ['temperature', 'level', 'energy', 'flow', 'own'])
    assert.equal(await typeOf(key), 'AnalogUnitType', key);
  for (const key of ['count', 'note']) {
    assert.equal(await typeOf(key), 'BaseDataVariableType', key);
    assert.deepEqual(await properties(key), [], key);
  }
  const description = (key: string): Promise<string | undefined> =>
    textOf(property(key, 'EngineeringUnits'), AttributeIds.Description);
  assert.match((await description('temperature')) ?? '', /^Guessed from the name/);
  assert.match((await description('level')) ?? '', /measurement's name/);
  assert.match((await description('energy')) ?? '', /tag of the device in/);
  assert.match((await description('flow')) ?? '', /tag of the device profile/);
});

test('a range makes it an analog item, and percent dead-bands possible', async () => {
  source.define(1, 'temperature', 'Double');
  source.define(1, 'x', 'Double');
  await serve();
  await tag({ range_temperature: '-40..85', range_x: '0..1' });
  assert.equal(await typeOf('temperature'), 'AnalogUnitRangeType');
  assert.equal(await typeOf('x'), 'AnalogItemType');
  assert.deepEqual(await properties('temperature'), ['EURange', 'EngineeringUnits']);
  const { low, high } = (await client.read(property('temperature', 'EURange'))).value.value;
  assert.deepEqual([low, high], [-40, 85]);
  const subscription = await subscribe(client.session);
  const item = await subscription.monitor(
    { nodeId: metric('temperature'), attributeId: AttributeIds.Value },
    {
      samplingInterval: 0,
      queueSize: 10,
      discardOldest: true,
      filter: new DataChangeFilter({ trigger: 1, deadbandType: DeadbandType.Percent, deadbandValue: 10 }),
    },
    TimestampsToReturn.Both,
  );
  const values: unknown[] = [];
  item.on('changed', ({ value }: DataValue) => values.push(value.value));
  await until(() => values.length === 1);
  for (const value of [10, 15, 25]) server.publish(readingOf(1, { temperature: value }, T));
  await until(() => values.at(-1) === 25);
  assert.deepEqual(values, [null, 10, 25], 'a tenth of 125');
});

test('states of booleans and of whole numbers have texts', async () => {
  source.define(1, 'door', 'Boolean');
  source.define(1, 'mode', 'Double');
  source.define(1, 'stage', 'Int64');
  await serve();
  await tag({ states_door: 'closed|open', states_mode: 'off|heat|cool', states_stage: '10=low|20=high' });
  assert.equal(await typeOf('door'), 'TwoStateDiscreteType');
  assert.equal(await textOf(property('door', 'FalseState')), 'closed');
  assert.equal(await textOf(property('door', 'TrueState')), 'open');
  assert.equal(await typeOf('stage'), 'MultiStateValueDiscreteType');
  assert.equal(await typeOf('mode'), 'DataItemType', 'a Double is no integer (Part 8 §5.3.3.4)');
  const states = (await client.read(property('stage', 'EnumValues'))).value.value as {
    value: number[];
    displayName: { text: string };
  }[];
  assert.deepEqual(
    states.map(({ value, displayName }) => [...value, displayName.text]),
    [
      [0, 10, 'low'],
      [0, 20, 'high'],
    ],
  );
  assert.equal((await client.read(property('mode', 'ValueAsText'))).statusCode.name, 'BadWaitingForInitialData');
  server.publish(readingOf(1, { mode: 2, stage: 10n, door: true }, T - 5));
  const text = await client.read(property('mode', 'ValueAsText'));
  assert.equal(text.value.value.text, 'cool');
  assert.equal(text.value.dataType, DataType.LocalizedText);
  assert.equal(text.sourceTimestamp?.getTime(), T - 5);
  assert.equal(await textOf(property('stage', 'ValueAsText')), 'low');
  server.publish(readingOf(1, { mode: 1.5 }, T));
  assert.ok(!(await textOf(property('mode', 'ValueAsText'))), 'between the states');
  assert.equal((await client.read(metric('mode'))).value.value, 1.5);
  source.setDevice(deviceOf(1, { isDisabled: true, tags: { states_mode: 'off|heat|cool' } }));
  source.changed();
  await server.settled();
  assert.equal((await client.read(property('mode', 'ValueAsText'))).statusCode.name, 'BadOutOfService');
});

test('a changed unit is told by the status of the value and an event; the node and its items stay', async () => {
  source.define(1, 'level', 'Double');
  await serve();
  server.publish(readingOf(1, { level: 1 }, T));
  const { values, events } = await watch();
  const level = await values('level');
  const about = (key: string): ModelEvent[] =>
    events.filter(({ changes }) => changes.some(({ affected }) => affected === metric(key)));

  await tag({ unit_level: 'cm' });
  await until(() => about('level').length === 1);
  assert.deepEqual(about('level')[0], {
    type: 'ns=0;i=2133',
    changes: [{ affected: metric('level'), verb: 0x0c }],
  });
  assert.equal(await typeOf('level'), 'AnalogUnitType');

  await tag({ unit_level: 'mm' });
  await until(() => about('level').length === 2);
  assert.equal(about('level')[1]?.type, 'ns=0;i=2738', 'SemanticChangeEventType');
  await until(() => level.length === 2);
  assert.ok(level[1]?.statusCode.hasSemanticChangedBit);
  assert.equal(level[1]?.value.value, 1);

  await tag({ unit_level: 'mm', range_level: '0..500' });
  await until(() => about('level').length === 3);
  assert.equal(await typeOf('level'), 'AnalogUnitRangeType');

  await tag({});
  await until(() => about('level').length === 4);
  assert.equal(await typeOf('level'), 'BaseDataVariableType');
  assert.deepEqual(await properties('level'), []);
  server.publish(readingOf(1, { level: 2 }, T + 1));
  await until(() => level.at(-1)?.value.value === 2);
});

test('a unit appears with the first value, when the type is known', async () => {
  source.define(1, 'temperature', undefined);
  source.define(1, 'humidity', undefined);
  await serve();
  assert.deepEqual(await properties('temperature'), []);
  assert.equal(await typeOf('temperature'), 'BaseDataVariableType');
  const { values, events } = await watch();
  const temperature = await values('temperature');
  server.publish(readingOf(1, { temperature: 20, humidity: 'dry' }, T));
  await until(() => temperature.length === 2);
  assert.equal(temperature[1]?.value.value, 20);
  assert.equal((await unitOf('temperature')).symbol, '°C');
  assert.equal(await typeOf('temperature'), 'AnalogUnitType');
  assert.deepEqual(await properties('humidity'), [], 'a text has no unit');
  const ofDevice = (): ModelEvent['changes'] =>
    events.flatMap(({ changes }) => changes).filter(({ affected }) => affected.startsWith(`ns=3;s=${devEuiOf(1)}`));
  await until(() => ofDevice().length === 2);
  assert.deepEqual(ofDevice(), [
    { affected: metric('temperature'), verb: 0x1c },
    { affected: metric('humidity'), verb: 0x10 },
  ]);
});

test('what the user says comes first, and is followed while clients look', async () => {
  source.define(1, 'level', 'Double');
  const changes = new Emitter<void>(() => undefined);
  let own: OwnMeaning | undefined = { unit: 'ft' };
  const meanings: MeaningTable = {
    of: (_devEui, key) => (key === 'level' ? own : undefined),
    onChange: changes.on.bind(changes),
  };
  source.setDevice(deviceOf(1, { tags: { unit_level: 'cm' } }));
  const detach = server.attach(Object.assign(source, { meanings }));
  await server.settled();
  assert.equal((await unitOf('level')).symbol, 'ft');
  own = { unit: 'in' };
  changes.emit();
  await server.settled();
  assert.equal((await unitOf('level')).symbol, 'in');
  own = undefined;
  changes.emit();
  await server.settled();
  assert.equal((await unitOf('level')).symbol, 'cm');
  detach();
  assert.equal(changes.listenerCount, 0);

  // As after a redeploy: the nodes are there, and another source knows something of its own.
  own = { unit: 'm' };
  server.attach(source);
  await server.settled();
  assert.equal((await unitOf('level')).symbol, 'm');
});

test('a new name brings its unit', async () => {
  source.define(1, 'x', 'Double', 'Weight');
  await serve();
  assert.deepEqual(await properties('x'), []);
  source.metricsChanged(source.define(1, 'x', 'Double', 'Weight [kg]'));
  await server.settled();
  assert.equal((await unitOf('x')).symbol, 'kg');
});

test('no metric can take the id of a property', async () => {
  for (const key of ['temperature', 'temperature/EngineeringUnits', 'property/temperature/EngineeringUnits'])
    source.define(1, key, 'Double');
  await serve();
  assert.equal((await unitOf('temperature')).symbol, '°C');
  for (const key of ['temperature/EngineeringUnits', 'property/temperature/EngineeringUnits'])
    assert.equal((await client.read(metric(key))).statusCode.name, 'BadWaitingForInitialData', key);
});
