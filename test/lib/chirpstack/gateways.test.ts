import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { ChirpstackConnection, Poller, parseConnectionSettings } from '../../../lib/chirpstack';
import { type Inventory, parseGatewayEui, parseSourceId, parseTenantId, systemClock } from '../../../lib/model';
import { capturedLogger } from '../../support/captured-logger';
import { ADMIN_TOKEN, eui, FakeChirpstack, TENANT, TENANT_TOKEN } from './fake-chirpstack';

const ROOF = '0016c001f153a14c';
const SEEN = 1_795_448_136_365;

let server: FakeChirpstack;
const cleanups: (() => unknown)[] = [];

beforeEach(async () => {
  server = new FakeChirpstack();
  server.addDevices(1);
  server.gateways.set(ROOF, { name: 'Roof', state: 1, lastSeenAt: SEEN, location: [51.34, 12.37, 148] });
  server.gateways.set(eui(7), { name: 'Spare', state: 0, location: [0, 0, 0] });
  await server.start();
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
  server.stop();
});

function pollerOf(token = TENANT_TOKEN, known?: Inventory) {
  const { logger, entries } = capturedLogger('chirpstack');
  const deps = { clock: systemClock, random: () => 0.5, logger };
  const connection = new ChirpstackConnection(
    parseConnectionSettings({ url: `http://127.0.0.1:${server.port}`, token, tenantId: TENANT }),
    deps,
  );
  const poller = new Poller({
    ...deps,
    connection,
    source: parseSourceId('source'),
    settings: { pollInterval: 0, streamEvents: false, pollMetrics: false, maximumStreams: 10 },
    ...(known === undefined ? {} : { known }),
  });
  const inventories: Inventory[] = [];
  poller.onInventory((inventory) => inventories.push(inventory));
  cleanups.push(
    () => connection.close(),
    () => poller.close(),
  );
  return { poller, inventories, entries };
}

const names = (inventory: Inventory | undefined): string[] =>
  [...(inventory?.gateways.values() ?? [])].map(({ name }) => name);

describe('LoRa gateways', () => {
  test('are part of the inventory, with state, last sign of life and place', async () => {
    const { poller, inventories } = pollerOf();
    await poller.pollNow();
    const gateways = [...(inventories[0]?.gateways.values() ?? [])];
    const tenantId = parseTenantId(TENANT);
    assert.deepEqual(gateways, [
      { gatewayId: eui(7), tenantId, name: 'Spare', description: '', state: 'never-seen' },
      {
        gatewayId: ROOF,
        tenantId,
        name: 'Roof',
        description: '',
        state: 'online',
        lastSeenAt: SEEN,
        location: { latitude: 51.34, longitude: 12.37, altitude: 148 },
      },
    ]);
    assert.equal(server.calls.filter((call) => call === 'GatewayService.List').length, 1);
  });

  test('that were heard again are told without being called a change; unchanged ones are not told at all', async () => {
    const { poller, inventories, entries } = pollerOf();
    await poller.pollNow();
    await poller.pollNow();
    assert.equal(inventories.length, 1);
    server.gateways.set(ROOF, { name: 'Roof', state: 1, lastSeenAt: SEEN + 30_000, location: [51.34, 12.37, 148] });
    await poller.pollNow();
    assert.equal(inventories[1]?.gateways.get(parseGatewayEui(ROOF))?.lastSeenAt, SEEN + 30_000);
    assert.equal(entries.filter(({ event }) => event === 'changed').length, 0);
    server.gateways.set(ROOF, { name: 'Roof', state: 2, lastSeenAt: SEEN + 30_000, location: [0, 0, 0] });
    await poller.pollNow();
    assert.deepEqual(
      [...(inventories[2]?.gateways.values() ?? [])].map(({ state, location }) => [state, location]),
      [
        ['never-seen', undefined],
        ['offline', undefined],
      ],
    );
    server.gateways.delete(ROOF);
    await poller.pollNow();
    assert.deepEqual(names(inventories.at(-1)), ['Spare']);
  });

  test('that the key may not list are no fault, and said once', async () => {
    server.fail = (method) => (method === 'GatewayService.List' ? { code: 16, details: '' } : undefined);
    const { poller, inventories, entries } = pollerOf();
    await poller.pollNow();
    await poller.pollNow();
    assert.equal(inventories[0]?.gateways.size, 0);
    assert.equal(inventories[0]?.devices.size, 1);
    assert.equal(poller.health().errorCount, 0);
    assert.notEqual(poller.health().lastSuccessfulPoll, undefined);
    assert.equal(poller.health().reason, '');
    assert.deepEqual(
      entries.filter(({ reason }) => reason === 'not-permitted').map(({ level }) => level),
      ['info'],
    );
  });

  test('stay as they were when a listing fails, and devices do not wait for that', async () => {
    const { poller, inventories } = pollerOf();
    await poller.pollNow();
    server.fail = (method) => (method === 'GatewayService.List' ? { code: 13, details: 'out of order' } : undefined);
    server.addDevices(1, 2);
    await poller.pollNow();
    assert.deepEqual(names(inventories.at(-1)), ['Spare', 'Roof']);
    assert.equal(inventories.at(-1)?.devices.size, 2);
    assert.equal(poller.health().errors?.server, 1);
  });

  test('end a run like anything else when the token is refused', async () => {
    const { poller } = pollerOf();
    await poller.pollNow();
    server.fail = (method) => (method === 'GatewayService.List' ? { code: 16, details: 'InvalidToken' } : undefined);
    await assert.rejects(poller.pollNow());
  });

  test('of more than one page go only when two listings in a row lack them', async () => {
    for (let number = 100; number < 650; number++)
      server.gateways.set(eui(number), { name: `Gateway ${number}`, state: 1, location: [0, 0, 0] });
    const { poller, inventories } = pollerOf(ADMIN_TOKEN);
    await poller.pollNow();
    assert.equal(inventories.at(-1)?.gateways.size, 552);
    server.gateways.delete(eui(100));
    await poller.pollNow();
    assert.equal(inventories.at(-1)?.gateways.size, 552);
    await poller.pollNow();
    assert.equal(inventories.at(-1)?.gateways.size, 551);
  });

  test('with an id that is none are left out', async () => {
    server.gateways.set('roof', { name: 'Odd', state: 1, location: [0, 0, 0] });
    const { poller, inventories } = pollerOf();
    await poller.pollNow();
    assert.deepEqual(names(inventories[0]), ['Spare', 'Roof']);
  });
});
