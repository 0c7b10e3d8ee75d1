import assert from 'node:assert/strict';
import { after, afterEach, beforeEach, test } from 'node:test';
import {
  AttributeIds,
  BrowseDirection,
  type ClientMonitoredItemBase,
  DataChangeFilter,
  DataChangeTrigger,
  DataType,
  type DataValue,
  EventFilter,
  NodeClass,
  type ReferenceDescription,
  StatusCodes,
  TimestampsToReturn,
} from 'node-opcua';
import { type ConnectionHealth, type DeviceEvent, parseEventId, QUALITY_CODES, type Quality } from '../../../lib/model';
import { GatewayServer, SERVICE_LEVELS } from '../../../lib/opcua';
import { capturedLogger } from '../../support/captured-logger';
import { ManualClock } from '../../support/manual-clock';
import {
  APPLICATION,
  type Connected,
  connect,
  depsOf,
  devEuiOf,
  deviceOf,
  OTHER_APPLICATION,
  PROFILE,
  readingOf,
  settingsOf,
  simpleSource,
  subscribe,
  type TestSource,
  temporaryFolder,
  until,
} from './support';

const { folder, remove } = temporaryFolder();
after(remove);

const KEPT = 60_000;
const D1 = `ns=3;s=${devEuiOf(1)}`;
const TEMPERATURE = `${D1}/metric/temperature`;
const DOOR = `${D1}/metric/door`;

let clock: ManualClock;
let server: GatewayServer;
let source: TestSource;
let client: Connected;
let log: ReturnType<typeof capturedLogger>;
let T: number;

beforeEach(async () => {
  clock = new ManualClock();
  T = clock.now();
  log = capturedLogger('opcua');
  server = new GatewayServer(settingsOf(folder, { removedNodesKept: KEPT }), depsOf({ clock, logger: log.logger }));
  await server.start();
  source = simpleSource();
  server.attach(source);
  await server.settled();
  client = await connect(server, folder);
});

afterEach(async () => {
  await client.close();
  await server.stop();
  assert.equal(clock.pendingTimers, 0, 'no timer is left');
});

async function browse(nodeId: string, referenceTypeId = 'HierarchicalReferences'): Promise<ReferenceDescription[]> {
  const result = await client.session.browse({
    nodeId,
    referenceTypeId,
    includeSubtypes: true,
    browseDirection: BrowseDirection.Forward,
    resultMask: 63,
  });
  assert.ok(result.statusCode.isGood(), nodeId);
  return result.references ?? [];
}

async function displayNames(nodeId: string): Promise<string[]> {
  return (await browse(nodeId)).map(({ displayName }) => displayName.text ?? '').sort();
}

async function statusOf(nodeId: string): Promise<string> {
  return (await client.read(nodeId)).statusCode.name;
}

async function monitor(
  nodeId: string,
  more: object = {},
): Promise<{ item: ClientMonitoredItemBase & { terminate(): Promise<void> }; values: DataValue[] }> {
  const subscription = await subscribe(client.session);
  const item = await subscription.monitor(
    { nodeId, attributeId: AttributeIds.Value },
    { samplingInterval: 250, queueSize: 5_000, discardOldest: true, ...more },
    TimestampsToReturn.Both,
  );
  const values: DataValue[] = [];
  item.on('changed', (value: DataValue) => values.push(value));
  await until(() => values.length === 1);
  return { item, values };
}

test('every quality is a status code of the library, with the same number', () => {
  for (const name of Object.keys(QUALITY_CODES) as Quality[])
    assert.equal(StatusCodes[name].value, QUALITY_CODES[name], name);
});

test('the tree, by identity and with names for people', async () => {
  assert.deepEqual(await displayNames('ns=3;s=lorawan'), ['Commands', 'Gateways', 'Hall', 'NodeVersion', 'Yard']);
  assert.deepEqual(await displayNames(`ns=3;s=application/${APPLICATION}`), ['NodeVersion', 'Sensor 1']);
  assert.deepEqual(await displayNames(D1), ['DeviceHealth', 'Identification', 'Measurements', 'Radio', 'Status']);
  assert.deepEqual(await displayNames(`${D1}/metric`), ['NodeVersion', 'Temperature', 'door']);
  assert.deepEqual(await displayNames(`${D1}/radio`), [
    'DataRate',
    'FCntUp',
    'FPort',
    'Frequency',
    'GatewayCount',
    'LostFrames',
    'RSSI',
    'SNR',
  ]);
  assert.deepEqual(await displayNames(`${D1}/status`), [
    'Battery',
    'DeviceClass',
    'Enabled',
    'ExternalPower',
    'HealthReason',
    'LastJoin',
    'LastSeen',
    'Margin',
  ]);
  const [type] = await browse(D1, 'HasTypeDefinition');
  assert.equal(type?.nodeId.toString(), `ns=3;s=profile/${PROFILE}`);
  assert.equal(type?.displayName.text, 'TH-1');
  const value = async (id: string): Promise<unknown> => (await client.read(`${D1}/${id}`)).value.value;
  assert.equal(await value('identification/devEui'), devEuiOf(1));
  assert.equal(await value('identification/profile'), 'TH-1');
  assert.equal(await value('identification/description'), 'in the hall');
  assert.deepEqual(await value('identification/tags'), ['floor=2']);
  assert.equal(await value('status/enabled'), true);
  assert.equal(await value('status/deviceClass'), 'A');
  const objects = await displayNames('i=85');
  assert.ok(objects.includes('LoRaWAN') && objects.includes('Gateway'));
});

test('every variable of ours is read-only, typed, described, and its browse name is unique', async () => {
  server.publish(readingOf(1, { a: 1, NodeVersion: 2 }, T));
  const visit = async (nodeId: string): Promise<number> => {
    const references = await browse(nodeId);
    const names = references.map(({ browseName }) => browseName.toString());
    assert.equal(new Set(names).size, names.length, `${nodeId}: ${names.join()}`);
    let count = 0;
    for (const reference of references) {
      const id = reference.nodeId.toString();
      // An alarm is made of the standard's own types, with what those have.
      if (id === 'ns=3;s=gateway/certificate-expires') continue;
      count += await visit(id);
      if (NodeClass[reference.nodeClass] !== 'Variable') continue;
      count++;
      const [access, userAccess, minimum, rank, dataType, description] = await client.session.read(
        [
          AttributeIds.AccessLevel,
          AttributeIds.UserAccessLevel,
          AttributeIds.MinimumSamplingInterval,
          AttributeIds.ValueRank,
          AttributeIds.DataType,
          AttributeIds.Description,
        ].map((attributeId) => ({ nodeId: id, attributeId })),
      );
      assert.equal(access?.value.value, 1, id);
      assert.equal(userAccess?.value.value, 1, id);
      assert.equal(minimum?.value.value, 0, id);
      assert.ok([-1, 1].includes(rank?.value.value as number), id);
      assert.ok(dataType?.statusCode.isGood(), id);
      assert.ok((description?.value.value as { text?: string } | null)?.text, id);
    }
    return count;
  };
  assert.ok((await visit('ns=3;s=lorawan')) > 25);
  assert.ok((await visit('ns=3;s=gateway')) > 8);
});

test('values have their types, their own time, and wait until they are there', async () => {
  assert.equal(await statusOf(TEMPERATURE), 'BadWaitingForInitialData');
  assert.equal(await statusOf(DOOR), 'BadWaitingForInitialData');
  const type = async (id: string): Promise<string> =>
    (await client.read(id, AttributeIds.DataType)).value.value.toString();
  assert.equal(await type(TEMPERATURE), 'ns=0;i=11');
  assert.equal(await type(DOOR), 'ns=0;i=24');
  server.publish(readingOf(1, { temperature: 21.5, door: true, label: 'x', count: 2n ** 40n + 1n }, T - 5_000));
  const temperature = await client.read(TEMPERATURE);
  assert.equal(temperature.value.value, 21.5);
  assert.equal(temperature.value.dataType, DataType.Double);
  assert.equal(temperature.statusCode, StatusCodes.Good);
  assert.equal(temperature.sourceTimestamp?.getTime(), T - 5_000);
  assert.equal(await type(DOOR), 'ns=0;i=1');
  assert.equal((await client.read(DOOR)).value.value, true);
  assert.equal(await type(`${D1}/metric/label`), 'ns=0;i=12');
  const count = await client.read(`${D1}/metric/count`);
  assert.equal(count.value.dataType, DataType.Int64);
  assert.deepEqual(Array.from(count.value.value as number[]), [256, 1]);
});

test('a subscriber gets every value, with source and server time apart', async () => {
  const { values } = await monitor(TEMPERATURE, {
    filter: new DataChangeFilter({
      trigger: DataChangeTrigger.StatusValueTimestamp,
      deadbandType: 0,
      deadbandValue: 0,
    }),
  });
  const COUNT = 2_000;
  for (let i = 0; i < COUNT; i++) server.publish(readingOf(1, { temperature: Math.floor(i / 2) }, T - 10_000_000 + i));
  await until(() => values.length === COUNT + 1);
  const received = values.slice(1);
  received.forEach((value, i) => {
    assert.equal(value.value.value, Math.floor(i / 2));
    assert.equal(value.sourceTimestamp?.getTime(), T - 10_000_000 + i);
    assert.equal(value.serverTimestamp?.getTime(), T);
  });
});

test('a change of quality alone is notified without any filter', async () => {
  const { values } = await monitor(TEMPERATURE);
  server.publish(readingOf(1, { temperature: 20 }, T));
  server.publish(
    readingOf(1, { temperature: 20 }, T + 60_000, {
      quality: { temperature: 'UncertainLastUsableValue' },
      origin: 'stale',
    }),
  );
  server.publish(readingOf(1, {}, T + 600_000, { quality: { temperature: 'BadNoCommunication' }, origin: 'stale' }));
  await until(() => values.length === 4);
  assert.deepEqual(
    values.map(({ statusCode, value, sourceTimestamp }) => [
      statusCode.name,
      value.value,
      (sourceTimestamp?.getTime() ?? 0) - T,
    ]),
    [
      ['BadWaitingForInitialData', null, 0],
      ['Good', 20, 0],
      ['UncertainLastUsableValue', 20, 60_000],
      ['BadNoCommunication', null, 600_000],
    ],
  );
  // Measured before it was called dead, arrived after: newer than the last value, so it counts.
  server.publish(readingOf(1, { temperature: 19 }, T + 30_000));
  await until(() => values.length === 5);
  assert.equal(values[4]?.value.value, 19);
  assert.equal(values[4]?.sourceTimestamp?.getTime(), T + 30_000);
});

test('the current value never goes back', async () => {
  server.publish(readingOf(1, { temperature: 20 }, T, { radio: { rssi: -70, fCnt: 10 } }));
  server.publish(readingOf(1, { temperature: 10 }, T - 1, { origin: 'replay', radio: { rssi: -99, fCnt: 9 } }));
  server.publish(
    readingOf(1, { temperature: 11 }, T, { origin: 'restored', quality: { temperature: 'UncertainLastUsableValue' } }),
  );
  server.publish(readingOf(1, {}, T - 1, { quality: { temperature: 'BadNoCommunication' }, origin: 'stale' }));
  const value = await client.read(TEMPERATURE);
  assert.equal(value.value.value, 20);
  assert.equal(value.statusCode, StatusCodes.Good);
  assert.equal((await client.read(`${D1}/radio/rssi`)).value.value, -70);
  assert.equal((await client.read(`${D1}/status/lastSeen`)).value.value.getTime(), T);
  server.publish(readingOf(1, { temperature: 21 }, T));
  assert.equal((await client.read(TEMPERATURE)).value.value, 21, 'the same time again is taken');
});

test('a value of the wrong type is kept out and said once', async () => {
  server.publish(readingOf(1, { temperature: 20 }, T));
  for (let i = 1; i <= 3; i++) server.publish(readingOf(1, { temperature: 'high' }, T + i));
  const value = await client.read(TEMPERATURE);
  assert.equal(value.value.value, 20);
  assert.equal(value.statusCode.name, 'UncertainLastUsableValue');
  assert.equal(log.entries.filter(({ reason }) => reason === 'bad-type').length, 1);
  server.publish(readingOf(1, { temperature: Number.NaN }, T + 5));
  assert.equal((await client.read(TEMPERATURE)).value.value, 20);
  server.publish(readingOf(1, { temperature: 22 }, T + 6));
  assert.equal(await statusOf(TEMPERATURE), 'Good');
  source.metricsAdded(source.define(1, 'fresh', 'Boolean'));
  await server.settled();
  server.publish(readingOf(1, { fresh: 3 }, T));
  assert.equal(await statusOf(`${D1}/metric/fresh`), 'BadTypeMismatch');
});

test('radio, status and join of a device', async () => {
  server.publish(
    readingOf(1, {}, T, {
      radio: { rssi: -101, snr: -3.5, dataRate: 5, frequency: 868_100_000, fCnt: 7, fPort: 85, gateways: [] },
    }),
  );
  const values = new Map<string, unknown>();
  for (const id of ['rssi', 'snr', 'dataRate', 'frequency', 'fCnt', 'fPort', 'gateways'])
    values.set(id, (await client.read(`${D1}/radio/${id}`)).value.value);
  assert.deepEqual([...values.values()], [-101, -3.5, 5, 868_100_000, 7, 85, 0]);
  server.publish(readingOf(1, {}, T + 1, { radio: { fPort: 300, fCnt: -1, dataRate: 1.5, rssi: Number.NaN } }));
  assert.equal((await client.read(`${D1}/radio/fPort`)).value.value, 85, 'what does not fit is kept out');
  const unit = (await client.read(`${D1}/radio/rssi/EngineeringUnits`)).value.value as {
    displayName: { text: string };
    unitId: number;
  };
  assert.equal(unit.displayName.text, 'dBm');
  assert.equal(unit.unitId, 4_473_421);

  const base = { device: { devEui: devEuiOf(1) }, replayed: false, eventId: parseEventId('e') };
  const status: DeviceEvent = {
    ...base,
    type: 'status',
    time: T,
    margin: 10,
    externalPower: false,
    batteryLevel: 87.5,
  };
  server.publishDeviceEvent(status);
  assert.equal((await client.read(`${D1}/status/battery`)).value.value, 87.5);
  assert.equal((await client.read(`${D1}/status/margin`)).value.value, 10);
  assert.equal((await client.read(`${D1}/status/externalPower`)).value.value, false);
  server.publishDeviceEvent({ ...status, time: T - 1, margin: 3 });
  assert.equal((await client.read(`${D1}/status/margin`)).value.value, 10, 'late');
  server.publishDeviceEvent({ ...base, type: 'status', time: T + 1, margin: 11, externalPower: true });
  assert.equal(await statusOf(`${D1}/status/battery`), 'BadNoData');
  server.publishDeviceEvent({ ...base, type: 'join', time: T, devAddr: '01020304' });
  assert.equal((await client.read(`${D1}/status/lastJoin`)).value.value.getTime(), T);
  server.publishDeviceEvent({ ...base, device: { devEui: devEuiOf(99) }, type: 'join', time: T, devAddr: '01020304' });
});

test('new devices and metrics appear, with a model change event, and no session is lost', async () => {
  const subscription = await subscribe(client.session);
  const events = await subscription.monitor(
    { nodeId: 'i=2253', attributeId: AttributeIds.EventNotifier },
    {
      samplingInterval: 0,
      queueSize: 100,
      filter: new EventFilter({
        selectClauses: [
          { typeDefinitionId: 'i=2133', browsePath: [{ name: 'Changes' }], attributeId: AttributeIds.Value },
        ],
      }),
    },
    TimestampsToReturn.Both,
  );
  const changes: string[] = [];
  events.on('changed', (fields: unknown) => {
    for (const field of fields as { value: { affected: { toString(): string }; verb: number }[] | null }[])
      for (const { affected, verb } of field.value ?? []) changes.push(`${affected.toString()} ${verb}`);
  });
  const { values } = await monitor(TEMPERATURE);

  source.metricsAdded(source.define(1, 'humidity', 'Double'));
  await server.settled();
  await until(() => changes.includes(`${D1}/metric/humidity 1`));
  assert.ok(changes.includes(`${D1}/metric 4`));

  source.setDevice(deviceOf(2));
  source.define(2, 'level', 'Double');
  source.changed();
  await server.settled();
  await until(() => changes.includes(`ns=3;s=${devEuiOf(2)} 1`));
  assert.equal(await statusOf(`ns=3;s=${devEuiOf(2)}/metric/level`), 'BadWaitingForInitialData');

  server.publish(readingOf(1, { door: 5 }, T));
  await until(() => changes.includes(`${DOOR} 16`));

  const version = Number((await client.read(`ns=3;s=application/${APPLICATION}/node-version`)).value.value);
  assert.ok(version >= 2);
  server.publish(readingOf(1, { temperature: 3 }, T));
  await until(() => values.length === 2);
});

test('renames and moves change what is there, in place', async () => {
  const { values } = await monitor(TEMPERATURE);
  source.setDevice(deviceOf(1, { name: 'Renamed', applicationId: OTHER_APPLICATION, tags: {}, deviceClass: 'C' }));
  const hall = source.applications.get(APPLICATION);
  assert.ok(hall);
  source.applications.set(APPLICATION, { ...hall, name: 'Great hall' });
  source.metricsChanged(source.define(1, 'temperature', 'Double', 'Air temperature'));
  source.changed();
  await server.settled();
  assert.deepEqual(await displayNames('ns=3;s=lorawan'), ['Commands', 'Gateways', 'Great hall', 'NodeVersion', 'Yard']);
  assert.deepEqual(await displayNames(`ns=3;s=application/${APPLICATION}`), ['NodeVersion']);
  assert.deepEqual(await displayNames(`ns=3;s=application/${OTHER_APPLICATION}`), ['NodeVersion', 'Renamed']);
  assert.ok((await displayNames(`${D1}/metric`)).includes('Air temperature'));
  assert.deepEqual((await client.read(`${D1}/identification/tags`)).value.value, []);
  server.publish(readingOf(1, { temperature: 4 }, T));
  await until(() => values.length === 2);
});

test('a disabled device is out of service, and comes back with what came in between', async () => {
  server.publish(readingOf(1, { temperature: 20 }, T, { radio: { rssi: -70 } }));
  source.setDevice(deviceOf(1, { isDisabled: true }));
  source.changed();
  await server.settled();
  for (const id of ['metric/temperature', 'metric/door', 'radio/rssi', 'status/lastSeen'])
    assert.equal(await statusOf(`${D1}/${id}`), 'BadOutOfService', id);
  assert.equal((await client.read(`${D1}/status/enabled`)).value.value, false);
  assert.equal((await client.read(`${D1}/identification/devEui`)).value.value, devEuiOf(1));
  server.publish(readingOf(1, { temperature: 25, extra: 1 }, T + 1));
  assert.equal(await statusOf(TEMPERATURE), 'BadOutOfService');
  assert.equal(await statusOf(`${D1}/metric/extra`), 'BadOutOfService');
  source.setDevice(deviceOf(1));
  source.changed();
  await server.settled();
  const value = await client.read(TEMPERATURE);
  assert.equal(value.value.value, 25);
  assert.equal(value.sourceTimestamp?.getTime(), T + 1);
  assert.equal((await client.read(`${D1}/radio/rssi`)).value.value, -70);
});

test('a removed device stays as out of service, and is itself again when it returns', async () => {
  source.setDevice(deviceOf(2));
  source.changed();
  await server.settled();
  const { values } = await monitor(TEMPERATURE);
  server.publish(readingOf(1, { temperature: 20 }, T));
  source.devices.delete(devEuiOf(1));
  source.changed();
  await server.settled();
  await until(() => values.length === 3);
  assert.equal(values[2]?.statusCode.name, 'BadOutOfService');
  source.setDevice(deviceOf(1));
  source.changed();
  await server.settled();
  await until(() => values.length === 4);
  assert.equal(values[3]?.value.value, 20);
});

test('a removed device is deleted after its time, but not under the eyes of a client', async () => {
  source.setDevice(deviceOf(2, { applicationId: OTHER_APPLICATION }));
  source.define(2, 'level', 'Double');
  source.setDevice(deviceOf(3));
  source.changed();
  await server.settled();
  const { item, values } = await monitor(TEMPERATURE);
  for (const index of [1, 2]) source.devices.delete(devEuiOf(index));
  source.applications.delete(OTHER_APPLICATION);
  source.changed();
  await server.settled();
  assert.equal(await statusOf(`ns=3;s=${devEuiOf(2)}/metric/level`), 'BadOutOfService');
  await clock.advance(KEPT);
  await server.settled();
  assert.equal(await statusOf(`ns=3;s=${devEuiOf(2)}/metric/level`), 'BadNodeIdUnknown');
  assert.deepEqual(await displayNames('ns=3;s=lorawan'), ['Commands', 'Gateways', 'Hall', 'NodeVersion']);
  assert.equal(await statusOf(TEMPERATURE), 'BadOutOfService', 'monitored');
  await until(() => values.at(-1)?.statusCode.name === 'BadOutOfService');
  await item.terminate();
  await clock.advance(KEPT);
  await server.settled();
  assert.equal(await statusOf(TEMPERATURE), 'BadNodeIdUnknown');
  source.setDevice(deviceOf(1));
  source.changed();
  await server.settled();
  assert.equal(await statusOf(TEMPERATURE), 'BadWaitingForInitialData');
});

test('devices that only readings know have a place of their own, until the inventory knows them', async () => {
  server.publish(
    readingOf(77, { x: 1 }, T, {
      device: { devEui: devEuiOf(77), name: 'Foreign', profileName: 'P', deviceClass: 'C' },
      origin: 'flow',
    }),
  );
  const id = `ns=3;s=${devEuiOf(77)}`;
  assert.equal((await client.read(`${id}/metric/x`)).value.value, 1);
  assert.equal((await client.read(`${id}/identification/profile`)).value.value, 'P');
  assert.equal((await client.read(`${id}/status/deviceClass`)).value.value, 'C');
  assert.ok((await displayNames('ns=3;s=lorawan')).includes('Other devices'));
  source.changed();
  await server.settled();
  assert.equal((await client.read(`${id}/metric/x`)).value.value, 1, 'not removed by the inventory');
  source.setDevice(deviceOf(77, { name: 'Known now' }));
  source.changed();
  await server.settled();
  assert.deepEqual(await displayNames('ns=3;s=application/other'), ['NodeVersion']);
  assert.ok((await displayNames(`ns=3;s=application/${APPLICATION}`)).includes('Known now'));
});

test('a flow that invents devices does not fill the memory', async () => {
  for (let i = 0; i < 1_050; i++) server.publish(readingOf(1_000 + i, { x: 1 }, T));
  await server.settled();
  assert.equal(await statusOf(`ns=3;s=${devEuiOf(1_999)}/metric/x`), 'Good');
  assert.equal(await statusOf(`ns=3;s=${devEuiOf(2_000)}/metric/x`), 'BadNodeIdUnknown');
  assert.equal(log.entries.filter(({ reason }) => reason === 'overflow').length, 1);
});

test('current values of the source are shown when nodes are made', async () => {
  source.setDevice(deviceOf(5));
  const { key } = source.define(5, 'level', 'Double');
  source.values.set(`${devEuiOf(5)}/${key}`, {
    value: 3,
    quality: 'UncertainLastUsableValue',
    time: T - 100,
    statusTime: T - 50,
    origin: 'restored',
  });
  source.changed();
  await server.settled();
  const value = await client.read(`ns=3;s=${devEuiOf(5)}/metric/level`);
  assert.equal(value.value.value, 3);
  assert.equal(value.statusCode.name, 'UncertainLastUsableValue');
});

test('a new source goes on with the nodes of the last one, and nothing flickers', async () => {
  const { values } = await monitor(TEMPERATURE);
  server.publish(readingOf(1, { temperature: 20 }, T));
  await until(() => values.length === 2);
  const next = simpleSource();
  next.devices.clear();
  const off = server.attach(next);
  off();
  server.attach(next);
  await server.settled();
  next.setDevice(deviceOf(1, { name: 'After redeploy' }));
  next.changed();
  await server.settled();
  assert.ok((await displayNames(`ns=3;s=application/${APPLICATION}`)).length === 2);
  server.publish(readingOf(1, { temperature: 21 }, T + 1));
  await until(() => values.length === 3);
  assert.equal(values[2]?.value.value, 21);
});

test('the health of connections and store is shown, and the service level follows', async () => {
  const health: ConnectionHealth = {
    state: 'connected',
    since: T - 10,
    reason: '',
    cure: '',
    lastSuccessfulPoll: T - 5,
    errorCount: 3,
    applications: 2,
    devices: 5,
    streamsOpen: 4,
    streamsWanted: 5,
    uplinks: 2 ** 33,
  };
  const level = async (): Promise<unknown> => (await client.read('i=2267')).value.value;
  assert.equal(await level(), SERVICE_LEVELS.healthy);
  server.publishConnectionHealth({ id: 'Plant 1/a', name: 'Plant 1/a' }, health);
  const id = 'ns=3;s=gateway/connection/Plant%201%2Fa';
  const value = async (name: string): Promise<unknown> => (await client.read(`${id}/${name}`)).value.value;
  assert.equal(await value('state'), 1);
  const names = (await client.read(`${id}/state/EnumStrings`)).value.value as { text: string }[];
  assert.equal(names[1]?.text, 'Connected');
  assert.deepEqual(await value('lastSuccessfulPoll'), new Date(T - 5));
  assert.equal(await value('errorCount'), 3);
  assert.deepEqual(Array.from((await value('uplinks')) as number[]), [2, 0]);
  assert.equal(await value('devices'), 5);
  server.publishConnectionHealth(
    { id: 'B', name: 'B' },
    {
      ...health,
      state: 'disconnected',
      reason: 'no answer',
      cure: 'start it',
      lastError: 'x',
    },
  );
  assert.equal(await level(), SERVICE_LEVELS.someConnectionsLost);
  server.publishConnectionHealth({ id: 'Plant 1/a', name: 'Plant 1/a' }, { ...health, state: 'unauthenticated' });
  assert.equal(await level(), SERVICE_LEVELS.noConnection);
  server.publishConnectionHealth({ id: 'Plant 1/a', name: 'Plant 1/a' }, health);
  server.publishConnectionHealth({ id: 'B', name: 'B' }, health);
  server.publishStoreHealth({
    state: 'degraded',
    reason: 'disk full',
    cure: 'make room',
    pending: 7,
    lost: 1,
    committed: 9,
  });
  assert.equal(await level(), SERVICE_LEVELS.storeDegraded);
  assert.equal((await client.read('ns=3;s=gateway/store/reason')).value.value, 'disk full');
  assert.equal((await client.read('ns=3;s=gateway/store/pending')).value.value, 7);
  assert.equal((await client.read('ns=3;s=gateway/sessions')).value.value, 1);
  assert.ok((await client.read('ns=3;s=gateway/startTime')).value.value instanceof Date);
});

test('a source that throws is said in the log and harms nobody', async () => {
  const broken = simpleSource();
  broken.metrics = () => {
    throw new Error('broken source');
  };
  server.attach(broken);
  await server.settled();
  assert.ok(log.entries.some(({ level, message }) => level === 'error' && message.includes('broken source')));
  server.publish(readingOf(1, { temperature: 1 }, T));
  assert.equal((await client.read(TEMPERATURE)).value.value, 1);
});

test('a value from the future does not silence its metric, and a restored value is judged where it is shown', async () => {
  const now = clock.now();
  server.publish(readingOf(1, { level: 1 }, now + 3_600_000));
  server.publish(readingOf(1, { level: 2 }, now));
  assert.equal((await client.read(`${D1}/metric/level`)).value.value, 2);

  server.publish({ ...readingOf(1, { level: 2 }, now), quality: { level: 'UncertainLastUsableValue' } });
  assert.equal(await statusOf(`${D1}/metric/level`), 'UncertainLastUsableValue');
  server.publish({ ...readingOf(1, { level: 2 }, now), origin: 'restored' });
  assert.equal(await statusOf(`${D1}/metric/level`), 'Good');
  // Restored again, as after a deploy of the store alone: nobody has found anything wrong with it.
  server.publish({
    ...readingOf(1, { level: 2 }, now),
    origin: 'restored',
    quality: { level: 'UncertainLastUsableValue' },
  });
  assert.equal(await statusOf(`${D1}/metric/level`), 'Good');
});

test('a change of the inventory does not run ahead of readings that are on their way', async () => {
  server.publish(readingOf(1, { temperature: 1 }, T));
  // The store has accepted two more, and the flow still carries them.
  const newest = { value: 3, quality: 'Good', time: T + 2_000, statusTime: T + 2_000, origin: 'replay' } as const;
  source.values.set(`${devEuiOf(1)}/temperature`, newest);
  source.changed();
  source.metricsChanged(source.define(1, 'temperature', 'Double', 'Temperature'));
  await server.settled();
  assert.equal((await client.read(TEMPERATURE)).value.value, 1);
  server.publish(readingOf(1, { temperature: 2 }, T + 1_000, { origin: 'replay' }));
  const shown = await client.read(TEMPERATURE);
  assert.equal(shown.value.value, 2);
  assert.equal(shown.sourceTimestamp?.getTime(), T + 1_000);
});
