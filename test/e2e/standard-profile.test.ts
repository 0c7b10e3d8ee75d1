/**
 * The numbers that the Standard UA Server profile asks for (Part 7): fifty sessions, two subscriptions of five hundred
 * items each in half of them, with values that change. Nothing is lost. LORUA_CAMPAIGN=full makes it a minute.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { type RemoteClients, startClients } from '../support/counting-clients';
import { eventually } from '../support/eventually';
import { type PlantAccess, type RemotePlantServer, startPlantServer } from '../support/plant-server';

const FULL = process.env.LORUA_CAMPAIGN === 'full';
const DEVICES = 100;
const SESSIONS = 50;
const SUBSCRIBED = 25;
const SUBSCRIPTIONS = 2;
const ITEMS = 500;
/** ms of a round of values */
const INTERVAL = 2_000;
/** ms */
const DURATION = FULL ? 60_000 : 6_000;

describe(`${SESSIONS} sessions, ${SUBSCRIBED} of them with ${SUBSCRIPTIONS} subscriptions of ${ITEMS} items`, () => {
  let plant: RemotePlantServer;
  let clients: RemoteClients;
  let access: PlantAccess;

  before(async () => {
    plant = startPlantServer();
    clients = startClients();
    access = await plant.call('open', { devices: DEVICES });
  });
  after(async () => {
    await clients?.stop();
    await plant?.stop();
  });

  test('nothing is lost, and everybody is served', async (t) => {
    await clients.call('connect', { count: SESSIONS, ...access });
    for (let session = 0; session < SUBSCRIBED; session++)
      for (let subscription = 0; subscription < SUBSCRIPTIONS; subscription++)
        await clients.call('watch', {
          session,
          nodeIds: access.nodeIds.slice(subscription * ITEMS, (subscription + 1) * ITEMS),
          publishing: 250,
        });
    assert.deepEqual(await plant.call('clients', {}), {
      sessions: SESSIONS,
      channels: SESSIONS,
      subscriptions: SUBSCRIBED * SUBSCRIPTIONS,
      monitoredItems: SUBSCRIBED * SUBSCRIPTIONS * ITEMS,
    });
    await plant.call('startFeeding', { interval: INTERVAL });
    await pause(DURATION);
    // Those who only read are served meanwhile.
    for (let session = SUBSCRIBED; session < SESSIONS; session++)
      assert.equal(await clients.call('statusOf', { session, nodeId: access.nodeIds[session] ?? '' }), 'Good');
    const fed = await plant.call('stopFeeding', {});
    const witness = await eventually(async () => {
      const seen = await clients.call('witness', {});
      return seen.newest >= fed.rounds ? seen : undefined;
    }, 'the last values to be with all clients');
    t.diagnostic(
      `${witness.notifications} notifications in ${fed.rounds} rounds, server ${(fed.cpu * 100).toFixed(0)} % of a core, ` +
        `event-loop delay p99 ${fed.loopDelayP99.toFixed(0)} ms, longest ${fed.loopDelayLongest.toFixed(0)} ms`,
    );
    assert.deepEqual(witness.troubles, []);
    assert.deepEqual(witness.faults, []);
    // The first notification of an item is the value that there was.
    assert.equal(witness.notifications, SUBSCRIBED * SUBSCRIPTIONS * ITEMS * (fed.rounds + 1));
  });
});
