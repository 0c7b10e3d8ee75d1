import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ChirpstackConnection, MAX_CALLS_IN_FLIGHT, Poller, parseConnectionSettings } from '../../../lib/chirpstack';
import {
  type ConnectionHealth,
  type DevEui,
  type Inventory,
  parseDevEui,
  parseSourceId,
  type Reading,
  silentLogger,
  systemClock,
} from '../../../lib/model';
import { Simulator } from '../../../lib/simulator';
import { eventually } from '../../support/eventually';

const DEVICES = 1_050;

/** Counts the calls that are made, and how many run at once. */
class CountingConnection extends ChirpstackConnection {
  calls = 0;
  mostAtOnce = 0;
  #running = 0;

  override async call(...[method, start, settings]: Parameters<ChirpstackConnection['call']>): Promise<unknown> {
    this.calls++;
    return super.call(
      method,
      (clients, metadata, options, callback) => {
        // Counted where the call is really sent, after it has waited for its turn.
        this.#running++;
        this.mostAtOnce = Math.max(this.mostAtOnce, this.#running);
        return start(clients, metadata, options, (error, reply) => {
          this.#running--;
          callback(error, reply);
        });
      },
      settings,
    );
  }
}

describe('the poller with a simulated ChirpStack of a thousand devices', () => {
  const simulator = new Simulator(
    { devices: DEVICES, period: 10_000, seed: 7 },
    { clock: systemClock, logger: silentLogger },
  );
  const readings: Reading[] = [];
  const inventories: Inventory[] = [];
  const healths: ConnectionHealth[] = [];
  let connection: CountingConnection;
  let poller: Poller;

  before(async () => {
    const { url } = await simulator.start();
    const deps = { clock: systemClock, random: Math.random, logger: silentLogger };
    connection = new CountingConnection(
      parseConnectionSettings({ url, token: simulator.tenantToken, tenantId: simulator.tenantId }),
      deps,
    );
    poller = new Poller({
      ...deps,
      connection,
      source: parseSourceId('simulator'),
      settings: { pollInterval: 60_000, streamEvents: true, pollMetrics: true, maximumStreams: 5_000 },
    });
    poller.onReading((reading) => readings.push(reading));
    poller.onInventory((inventory) => inventories.push(inventory));
    poller.onHealth((health) => healths.push(health));
    poller.start();
  });

  after(async () => {
    await poller.close();
    await connection.close();
    await simulator.stop();
  });

  const device = (devEui: string) => inventories.at(-1)?.devices.get(parseDevEui(devEui));

  test('knows every device and opens a stream for each', async () => {
    await eventually(() => inventories.length > 0, 'the inventory');
    assert.equal(inventories[0]?.devices.size, DEVICES);
    for (const { devEui, name, isDisabled } of simulator.devices()) {
      assert.equal(device(devEui)?.name, name);
      assert.equal(device(devEui)?.isDisabled, isDisabled);
    }
    await eventually(() => poller.health().streamsOpen === DEVICES, 'all streams');
    assert.ok(connection.mostAtOnce <= MAX_CALLS_IN_FLIGHT);
  });

  test('passes on what the fleet sends, value by value', async () => {
    const sent = new Map<string, unknown>();
    const unsubscribe = simulator.onUplink((uplink) => sent.set(uplink.deduplicationId, uplink.object));
    const [first] = simulator.devices();
    assert.ok(first);
    simulator.sendUplink(first.devEui, { level: 12.5, nested: { open: true }, text: 'ä' });
    const has = (reading: Reading): boolean =>
      reading.values['level'] === 12.5 && reading.device.devEui === first.devEui;
    const reading = await eventually(() => readings.find(has), 'the uplink');
    unsubscribe();
    assert.deepEqual(reading.values, { level: 12.5, nested_open: true, text: 'ä' });
    assert.equal(reading.origin, 'event');
    assert.ok(reading.eventId !== undefined && sent.has(reading.eventId));
    const ids = readings.filter(({ origin }) => origin !== 'metrics').map(({ eventId }) => eventId);
    assert.equal(new Set(ids).size, ids.length, 'each event came once');
  });

  test('reconciles unchanged devices with at most fifteen calls', async () => {
    await poller.pollNow();
    connection.calls = 0;
    await poller.pollNow();
    assert.ok(connection.calls <= 15, `${connection.calls} calls`);
    assert.notEqual(poller.health().lastSuccessfulPoll, undefined);
  });

  test('follows new, renamed, disabled and deleted devices', async () => {
    const [renamed, disabled, deleted] = simulator
      .devices()
      .slice(10, 13)
      .map(({ devEui }) => devEui);
    assert.ok(renamed !== undefined && disabled !== undefined && deleted !== undefined);
    const added: DevEui = simulator.addDevice({ name: 'Newcomer' });
    simulator.renameDevice(renamed, 'Renamed');
    simulator.disableDevice(disabled);
    simulator.deleteDevice(deleted);
    await poller.pollNow();
    assert.equal(device(added)?.name, 'Newcomer');
    assert.equal(device(renamed)?.name, 'Renamed');
    assert.equal(device(disabled)?.isDisabled, true);
    assert.equal(device(deleted), undefined);
    await eventually(() => poller.health().streamsOpen === DEVICES, 'the stream of the new one');
    simulator.sendUplink(added);
    await eventually(() => readings.some((reading) => reading.device.devEui === added), 'its first value');
  });

  test('notices that the server is gone, and has fresh values within seconds once it is back', async () => {
    await simulator.stop({ fleet: 'continues' });
    await eventually(() => poller.health().state === 'disconnected', 'the outage');
    assert.notEqual(poller.health().cure, '');
    const before = readings.length;
    await simulator.start();
    const back = systemClock.now();
    const fresh = (reading: Reading): boolean => reading.origin === 'event' && reading.time >= back;
    await eventually(() => readings.slice(before).some(fresh), 'a fresh value');
    await eventually(() => poller.health().streamsOpen === DEVICES, 'all streams');
    assert.equal(poller.health().state, 'connected');
    const ids = readings.filter(({ origin }) => origin !== 'metrics').map(({ eventId }) => eventId);
    assert.equal(new Set(ids).size, ids.length, 'what was replayed again came once');
    assert.ok(connection.mostAtOnce <= MAX_CALLS_IN_FLIGHT);
    assert.ok(healths.some(({ state }) => state === 'disconnected'));
  });
});
