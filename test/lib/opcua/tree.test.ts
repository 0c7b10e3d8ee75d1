/** A gateway of 200 devices as a SCADA engineer finds it: every variable is what it says, every object what its type says. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type AddressSpace, DataType, type NodeId, VariantArrayType } from 'node-opcua';
import { parseGatewayEui, type RadioGateway } from '../../../lib/model';
import type { GatewayServer } from '../../../lib/opcua';
import { healthOf } from '../../support/gateway-health';
import { loadNodeSet, subtypesOf, TypeCheck, type WalkedNode, walk } from '../../support/model-walk';
import {
  type Connected,
  connect,
  deviceOf,
  OTHER_PROFILE,
  PROFILE,
  readingOf,
  startServer,
  TENANT,
  TestSource,
  temporaryFolder,
} from './support';

const DEVICES = 200;
const { folder, remove } = temporaryFolder();
let server: GatewayServer;
let client: Connected;
let types: AddressSpace;
let nodes: WalkedNode[];
let T: number;

/** 200 devices of two profiles: some silent, some stale, one disabled; units, ranges and states of every kind. */
function plant(source: TestSource): void {
  source.profiles.set(OTHER_PROFILE, {
    id: OTHER_PROFILE,
    name: 'Level (radar)',
    uplinkInterval: 600,
    measurements: { level: { name: 'Level (cm)', kind: 'GAUGE' } },
    tags: { range_level: '0..500' },
  });
  const gateway: RadioGateway = {
    gatewayId: parseGatewayEui('00000000000000a1'),
    tenantId: TENANT,
    name: 'Roof',
    description: 'on the silo',
    state: 'online',
    lastSeenAt: T - 5_000,
    location: { latitude: 48.1, longitude: 11.5, altitude: 520 },
  };
  source.gateways.set(gateway.gatewayId, gateway);
  const { location: _, lastSeenAt: __, ...unplaced } = gateway;
  const second = { ...unplaced, gatewayId: parseGatewayEui('00000000000000a2'), state: 'never-seen' as const };
  source.gateways.set(second.gatewayId, second);
  for (let index = 1; index <= DEVICES; index++) {
    const isRadar = index % 2 === 0;
    source.setDevice(
      deviceOf(index, {
        profileId: isRadar ? OTHER_PROFILE : PROFILE,
        isDisabled: index === 7,
        tags: isRadar ? {} : { states_door: 'closed|open', states_mode: '0=off|1=on|5=service' },
      }),
    );
    for (const [key, type] of isRadar
      ? ([['level', 'Double']] as const)
      : ([
          ['temperature', 'Double'],
          ['door', 'Boolean'],
          ['mode', 'Int64'],
          ['label', undefined],
        ] as const))
      source.define(index, key, type);
  }
}

before(async () => {
  T = Date.now();
  server = await startServer(folder);
  const source = new TestSource();
  plant(source);
  // Nobody reads it here: that history is kept is what is shown.
  Object.assign(source, { history: { readHistory: () => Promise.reject(new Error('not read here')) } });
  server.attach(source);
  await server.settled();
  for (let index = 1; index <= DEVICES; index++) {
    const radio = { rssi: -90, snr: 7, dataRate: 3, frequency: 868_100_000, fCnt: index, fPort: 2, gateways: [] };
    if (index % 10 !== 0)
      server.publish(
        readingOf(index, index % 2 === 0 ? { level: 1.5 } : { temperature: 20, door: true, mode: 5n, label: 'x' }, T, {
          radio,
        }),
      );
    if (index % 30 === 1)
      server.publish(
        readingOf(index, {}, T, { origin: 'stale', quality: { temperature: 'UncertainLastUsableValue' } }),
      );
  }
  server.publishHealth(
    healthOf({
      storeSize: { bytes: 1, freeBytes: 1 },
      mqtt: [{ id: 'm1', name: 'Broker', state: 'connected', since: T }],
      certificate: { validTo: T + 1e9 },
    }),
  );
  server.publishConnectionHealth(
    { id: 'c1', name: 'Main' },
    {
      state: 'connected',
      since: T,
      reason: '',
      cure: '',
      errorCount: 0,
      applications: 1,
      devices: DEVICES,
      streamsOpen: 1,
      streamsWanted: 1,
      uplinks: 1,
    },
  );
  await server.settled();
  client = await connect(server, folder);
  types = await loadNodeSet();
  nodes = await walk(client.session, ['i=85'], isOurs);
});

after(async () => {
  types.dispose();
  await client.close();
  await server.stop();
  remove();
});

/** Nodes of the gateway; alarms are made of the standard's own types, with what those have. */
const isOurs = (id: string): boolean => id.startsWith('ns=3;') && !id.startsWith('ns=3;s=gateway/certificate-expires');

const variables = (): WalkedNode[] => nodes.filter(({ reference }) => reference.nodeClass.valueOf() === 2);

test('every variable tells the truth about its type, its access, its meaning, its status and its times', () => {
  assert.ok(variables().length > DEVICES * 28, `${variables().length} variables`);
  for (const { id, attributes } of variables()) {
    const { DataType: dataType, ValueRank, AccessLevel, UserAccessLevel, MinimumSamplingInterval, Value } = attributes;
    // CurrentRead, and HistoryRead where history is kept.
    const access = /^ns=3;s=[0-9a-f]{16}\/metric\//.test(id) ? 5 : 1;
    assert.equal(AccessLevel?.value.value, access, id);
    assert.equal(UserAccessLevel?.value.value, access, id);
    assert.equal(MinimumSamplingInterval?.value.value, 0, id);
    assert.ok((attributes.Description?.value.value as { text?: string } | null)?.text, id);
    assert.ok(Value, id);
    assert.ok(Value.serverTimestamp instanceof Date && Value.sourceTimestamp instanceof Date, id);
    const isBad = Value.statusCode.value >= 0x8000_0000;
    assert.equal(Value.value.dataType === DataType.Null, isBad, `${id}: ${Value.statusCode.name}`);
    if (isBad) continue;
    const isArray = Value.value.arrayType === VariantArrayType.Array;
    assert.equal(ValueRank?.value.value, isArray ? 1 : -1, id);
    const declared = dataType?.value.value as NodeId;
    // The one data type of another namespace is an enumeration.
    const shown = types.findDataType(Value.value.dataType);
    const promised = types.findDataType(declared.namespace === 0 ? declared : DataType.Int32);
    assert.ok(shown && promised, id);
    if (Value.value.dataType !== DataType.ExtensionObject)
      assert.ok(shown === promised || shown.isSubtypeOf(promised), `${id}: ${Value.value.dataType}`);
  }
});

test('numbers have units where these are known', () => {
  const withUnits = new Set(
    nodes
      .filter(({ children }) => children.some(({ reference }) => reference.browseName.name === 'EngineeringUnits'))
      .map(({ reference }) => reference.browseName.name),
  );
  for (const name of ['temperature', 'level', 'RSSI', 'SNR', 'Frequency', 'Battery', 'Margin', 'Latitude', 'Altitude'])
    assert.ok(withUnits.has(name), name);
});

test('every object has all that its published type promises', async () => {
  const aliases = await subtypesOf(client.session, 'ns=2;s=LoRaWANDeviceType');
  assert.equal(aliases.size, 2, 'two profiles');
  const check = new TypeCheck(types, await client.session.readNamespaceArray(), aliases);
  const isBelow = new Set(nodes.flatMap(({ children }) => children));
  for (const node of nodes) if (!isBelow.has(node)) check.check(node);
  assert.ok(check.checked > DEVICES * 28, `${check.checked} members`);
  const [device] = nodes.filter(({ reference }) => reference.typeDefinition.toString().includes(PROFILE));
  assert.ok(device);
  const { children } = device;
  const without = { ...device, children: children.filter(({ reference }) => reference.browseName.name !== 'Radio') };
  assert.throws(() => check.check(without), /lacks urn:lorua:model Radio/);
});

test('devices are instances of the types of their profiles, which declare what they show', async () => {
  const type = `ns=3;s=profile/${OTHER_PROFILE}`;
  const devices = nodes.filter(({ reference }) => reference.typeDefinition.toString() === type);
  assert.equal(devices.length, DEVICES / 2);
  const declared = await walk(client.session, [type]);
  const level = declared.find(({ reference }) => reference.browseName.name === 'level');
  assert.equal(String(level?.attributes.DataType?.value.value), 'ns=0;i=11');
  assert.equal(level?.reference.displayName.text, 'Level (cm)');
  assert.deepEqual(
    level?.children.map(({ reference }) => reference.browseName.name),
    ['EngineeringUnits'],
  );
});

test('the namespaces tell their version, and what each role may do', async () => {
  for (const [index, uri] of [
    [2, 'urn:lorua:model'],
    [3, 'urn:lorua:gateway'],
  ] as const) {
    const read = async (name: string): Promise<unknown> =>
      (await client.read(`ns=${index};s=NamespaceMetadata/${name}`)).value.value;
    assert.equal(await read('NamespaceUri'), uri);
    assert.match(String(await read('NamespaceVersion')), /^\d+\.\d+\.\d+$/);
    assert.equal(await read('IsNamespaceSubset'), false);
    const rights = (await read('DefaultRolePermissions')) as { roleId: NodeId; permissions: number }[];
    assert.ok(rights.length > 0 && rights.every(({ permissions }) => permissions > 0), uri);
  }
});
