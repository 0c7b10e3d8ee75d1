/**
 * Devices come and go while ten sessions look on: nobody is thrown out, nothing that stayed misses a value, and what
 * went leaves no memory behind. LORUA_CAMPAIGN=full makes it five hundred devices.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type RemoteClients, startClients } from '../support/counting-clients';
import { eventually } from '../support/eventually';
import { type PlantAccess, type RemotePlantServer, startPlantServer } from '../support/plant-server';

const FULL = process.env.LORUA_CAMPAIGN === 'full';
const GUESTS = FULL ? 500 : 120;
/** Guests that are there at the same time. */
const TOGETHER = FULL ? 100 : 40;
const RESIDENTS = 50;
const SESSIONS = 10;
/** ms of a round of values */
const INTERVAL = 500;
/** Share by which the memory may have grown. */
const GROWTH = 0.05;

describe(`${GUESTS} devices added and removed under ${SESSIONS} sessions`, () => {
  let plant: RemotePlantServer;
  let clients: RemoteClients;
  let access: PlantAccess;

  before(async () => {
    plant = startPlantServer();
    clients = startClients();
    access = await plant.call('open', { devices: RESIDENTS, settings: { removedNodesKept: 0 } });
    await clients.call('connect', { count: SESSIONS, ...access });
    for (let session = 0; session < SESSIONS; session++) {
      await clients.call('watch', { session, nodeIds: access.nodeIds, publishing: 100 });
      await clients.call('watchModel', { session });
    }
    await plant.call('startFeeding', { interval: INTERVAL });
  });
  after(async () => {
    await clients?.stop();
    await plant?.stop();
  });

  /** Devices come, a client looks at each, and they go. */
  const churn = async (first: number, count: number, together: number): Promise<void> => {
    const nodeIds: string[] = [];
    for (let number = first; number < first + count + together; number++) {
      if (number < first + count) {
        const nodeId = await plant.call('addGuest', { number });
        nodeIds.push(nodeId);
        assert.equal(await clients.call('statusOf', { session: number % SESSIONS, nodeId }), 'Good');
      }
      if (number >= first + together) await plant.call('removeGuest', { number: number - together });
    }
    await eventually(async () => {
      for (const nodeId of nodeIds)
        if ((await clients.call('statusOf', { session: 0, nodeId })) !== 'BadNodeIdUnknown') return false;
      return true;
    }, 'the nodes of removed devices to be gone');
  };

  test('sessions, values and memory stay', async (t) => {
    // What is made once, e.g. compiled code, is not what a removed device leaves behind.
    await churn(0, 20, 10);
    const before = await plant.call('heap', {});
    await churn(20, GUESTS, TOGETHER);
    const afterwards = await plant.call('heap', {});
    const fed = await plant.call('stopFeeding', {});
    const counts = await plant.call('clients', {});
    const witness = await eventually(async () => {
      const seen = await clients.call('witness', {});
      return seen.newest >= fed.rounds ? seen : undefined;
    }, 'the last values to be with all clients');
    t.diagnostic(`heap ${before.toFixed(1)} MiB before, ${afterwards.toFixed(1)} after`);
    t.diagnostic(
      `${witness.notifications} notifications in ${fed.rounds} rounds, ${witness.modelChanges} model changes, ` +
        `server ${(fed.cpu * 100).toFixed(0)} % of a core, event-loop delay p99 ${fed.loopDelayP99.toFixed(0)} ms, longest ${fed.loopDelayLongest.toFixed(0)} ms`,
    );
    assert.deepEqual(witness.troubles, []);
    assert.deepEqual(witness.faults, []);
    assert.equal(counts.sessions, SESSIONS);
    assert.equal(counts.subscriptions, 2 * SESSIONS);
    assert.ok(witness.modelChanges >= SESSIONS, 'clients are told that the model changes');
    assert.ok(afterwards <= before * (1 + GROWTH), `heap ${before} MiB before, ${afterwards} MiB after`);
  });
});
