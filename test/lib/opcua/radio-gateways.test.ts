/** Objects/LoRaWAN/Gateways as a client sees it. */
import assert from 'node:assert/strict';
import { after, afterEach, beforeEach, test } from 'node:test';
import { parseGatewayEui, type RadioGateway } from '../../../lib/model';
import { type LiveModel, liveModel } from './live-model-support';
import { simpleSource, subscribe, TENANT, type TestSource, temporaryFolder, until } from './support';

const { folder, remove } = temporaryFolder();
after(remove);

const KEPT = 60_000;
const ROOF = parseGatewayEui('00000000000000a1');
const ID = `lora-gateway/${ROOF}`;

let source: TestSource;
let model: LiveModel;
let gateway: RadioGateway;

beforeEach(async () => {
  source = simpleSource();
  model = await liveModel(folder, source, { removedNodesKept: KEPT });
  gateway = {
    gatewayId: ROOF,
    tenantId: TENANT,
    name: 'Roof',
    description: 'on the silo',
    state: 'online',
    lastSeenAt: model.clock.now() - 5_000,
    location: { latitude: 48.1, longitude: 11.5, altitude: 520 },
  };
});
afterEach(async () => {
  await model.close();
  assert.equal(model.clock.pendingTimers, 0, 'no timer is left');
});

async function show(changes: Partial<RadioGateway> = {}): Promise<void> {
  gateway = { ...gateway, ...changes };
  source.gateways.set(ROOF, gateway);
  await model.changed();
}

async function all(...keys: readonly string[]): Promise<unknown[]> {
  const values: unknown[] = [];
  for (const key of keys) values.push(await model.value(`${ID}/${key}`));
  return values;
}

test('a gateway appears with all that is known of it, and follows', async () => {
  const changes = await model.watchModel();
  await show();
  await until(() => changes.includes(`ns=3;s=${ID} 1`));
  assert.deepEqual(
    await all('name', 'description', 'gatewayId', 'state', 'health', 'latitude', 'longitude', 'altitude'),
    ['Roof', 'on the silo', ROOF, 1, 0, 48.1, 11.5, 520],
  );
  const seen = await model.client.read(`ns=3;s=${ID}/lastSeen`);
  assert.equal(seen.value.value.getTime(), gateway.lastSeenAt);
  assert.equal(seen.sourceTimestamp?.getTime(), gateway.lastSeenAt);
  const texts = (await model.value(`${ID}/state/EnumStrings`)) as { text: string }[];
  assert.deepEqual(
    texts.map(({ text }) => text),
    ['Never seen', 'Online', 'Offline'],
  );
  const [type] = await model.browse(`ns=3;s=${ID}`, 'HasTypeDefinition');
  assert.equal(type?.nodeId.toString(), 'ns=2;s=LoRaWANGatewayType');

  const subscription = await subscribe(model.client.session);
  const states: unknown[] = [];
  const item = await subscription.monitor({ nodeId: `ns=3;s=${ID}/state`, attributeId: 13 }, { queueSize: 10 }, 2);
  item.on('changed', ({ value }: { value: { value: unknown } }) => states.push(value.value));
  await until(() => states.length === 1);
  await show({ state: 'offline', name: 'Tower' });
  await until(() => states.length === 2);
  assert.deepEqual(states, [1, 2]);
  assert.deepEqual(await all('health', 'name'), [1, 'Tower']);
  const gateways = await model.browse('ns=3;s=lora-gateway', 'Organizes');
  assert.deepEqual(
    gateways.map(({ displayName }) => displayName.text),
    ['Tower'],
  );
});

test('what is not known is not claimed', async () => {
  const { lastSeenAt: _, location: __, ...rest } = gateway;
  gateway = { ...rest, state: 'never-seen', name: '' };
  await show();
  assert.deepEqual(await all('state', 'health', 'lastSeen', 'latitude'), [
    0,
    'BadWaitingForInitialData',
    'BadWaitingForInitialData',
    'BadNoData',
  ]);
  await show({ location: { latitude: 1, longitude: 2, altitude: 3 }, state: 'online', lastSeenAt: 5_000 });
  assert.deepEqual(await all('latitude', 'health'), [1, 0]);
  const { location: ___, ...unplaced } = gateway;
  gateway = unplaced;
  await show();
  assert.deepEqual(await all('latitude'), ['BadNoData']);
});

test('a gateway that is gone is out of service, comes back as itself, and is deleted after its time', async () => {
  await show();
  source.gateways.delete(ROOF);
  await model.changed();
  assert.deepEqual(await all('state', 'lastSeen', 'latitude', 'health', 'name'), [
    'BadOutOfService',
    'BadOutOfService',
    'BadOutOfService',
    'BadOutOfService',
    'Roof',
  ]);
  await show();
  assert.deepEqual(await all('state', 'latitude', 'health'), [1, 48.1, 0]);
  source.gateways.delete(ROOF);
  await model.changed();
  await model.clock.advance(KEPT);
  await model.server.settled();
  assert.deepEqual(await all('state'), ['BadNodeIdUnknown']);
  await show();
  assert.deepEqual(await all('state'), [1]);
});
