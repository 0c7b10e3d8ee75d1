/** ChirpStack goes away and comes back: OPC UA, Prometheus and messages tell the same story of it. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { basicAuthorization } from '../support/boot-gateway';
import { eventually } from '../support/eventually';
import { type GatewayWorld, startWorld } from '../support/gateway-world';
import type { TestClient } from '../support/opcua-client';

const DEVICES = 3;
/** Object of the server itself, as every OPC UA server has it. */
const SERVICE_LEVEL = 'i=2267';

describe('the health of the gateway', () => {
  let world: GatewayWorld;
  let client: TestClient;
  before(async () => {
    world = await startWorld({ devices: DEVICES, period: 2_000 });
    client = await world.connect();
  });
  after(() => world.close());

  const scrape = async (): Promise<(series: string) => number> => {
    const { web, user, password } = world.gateway;
    const answer = await fetch(`${web}/metrics`, { headers: basicAuthorization(user, password) });
    assert.equal(answer.status, 200);
    // The id of a node says nothing here.
    const lines = (await answer.text()).replaceAll(/,id="[^"]*"/g, '').split('\n');
    return (series) => Number(lines.find((line) => line.startsWith(`${series} `))?.slice(series.length + 1));
  };
  const read = async (path: string): Promise<unknown> =>
    (await client.read(await client.gatewayNode(`gateway/${path}`))).value.value;
  /** Below the object of the connection, whose node id has the id of its node in the flow. */
  const readConnection = async (path: string): Promise<unknown> => {
    const { web, user, password } = world.gateway;
    const answer = await fetch(`${web}/metrics`, { headers: basicAuthorization(user, password) });
    return read(`connection/${/^lorua_chirpstack_up\{.*,id="([^"]+)"/m.exec(await answer.text())?.[1] ?? ''}/${path}`);
  };
  const level = async (): Promise<unknown> => (await client.read(SERVICE_LEVEL)).value.value;

  test('is good while ChirpStack answers and all streams are open', async () => {
    await eventually(async () => (await level()) === 255, 'a service that lacks nothing');
    await eventually(async () => (await read('devices/fresh')) === DEVICES, 'fresh devices');
    assert.deepEqual(Array.from((await read('serviceLevelReasons')) as Iterable<unknown>), []);
    const value = await scrape();
    assert.equal(value('lorua_chirpstack_up{connection="ChirpStack"}'), 1);
    assert.equal(value('lorua_chirpstack_streams_open{connection="ChirpStack"}'), DEVICES);
    assert.equal(value('lorua_devices_by_age{age="fresh"}'), DEVICES);
  });

  test('falls with its reason, errors are counted by kind, and devices grow old', async () => {
    await world.simulator.stop();
    await eventually(async () => (await level()) === 1, 'the service level of no data');
    assert.deepEqual(Array.from((await read('serviceLevelReasons')) as Iterable<unknown>), ['no-connection']);
    await eventually(async () => Number(await readConnection('errors/network')) > 0, 'errors of the network');
    await eventually(async () => Number(await readConnection('recentErrorCount')) > 0, 'recent errors');
    await eventually(async () => (await read('devices/fresh')) === 0, 'no device that is fresh');
    const value = await scrape();
    assert.equal(value('lorua_service_level'), 1);
    assert.equal(value('lorua_service_degraded{reason="no-connection"}'), 1);
    assert.equal(value('lorua_chirpstack_up{connection="ChirpStack"}'), 0);
    assert.equal(value('lorua_chirpstack_state{connection="ChirpStack",state="disconnected"}'), 1);
    assert.ok(value('lorua_chirpstack_errors_total{connection="ChirpStack",kind="network"}') > 0);
    assert.equal(value('lorua_devices_by_age{age="fresh"}'), 0);
    assert.equal(value('lorua_devices'), DEVICES, 'they are known all the same');
  });

  test('rises again by itself, and counters only grow', async () => {
    const counter = 'lorua_chirpstack_errors_total{connection="ChirpStack",kind="network"}';
    const before = (await scrape())(counter);
    await world.simulator.start();
    await eventually(async () => (await level()) === 255, 'a service that lacks nothing');
    await eventually(async () => (await read('devices/fresh')) === DEVICES, 'fresh devices');
    assert.ok((await scrape())(counter) >= before);
    assert.deepEqual(client.troubles, []);
  });
});
