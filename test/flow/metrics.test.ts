/** What a monitoring system gets from the real program. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type BootedGateway, basicAuthorization, bootGateway, PASSWORD } from '../support/boot-gateway';
import { eventually } from '../support/eventually';
import { TestClient } from '../support/opcua-client';

const TOKEN = 'a-token-of-the-scraper';

describe('GET /metrics', () => {
  let gateway: BootedGateway;
  before(async () => {
    gateway = await bootGateway({
      environment: {
        SIMULATOR_DEVICES: '3',
        SIMULATOR_PERIOD_SECONDS: '5',
        OPCUA_TRUST_ALL_CLIENTS: 'true',
        GATEWAY_READ_ONLY: 'true',
        METRICS_TOKEN: TOKEN,
      },
    });
  });
  after(() => gateway.stop());

  const scrape = (user = 'admin', password = PASSWORD): Promise<Response> =>
    fetch(`${gateway.web}/metrics?job=lorua`, { headers: basicAuthorization(user, password) });
  const metric = (text: string, series: string): number | undefined => {
    // The id of a node says nothing here.
    const lines = text.replaceAll(/,id="[^"]*"/g, '').split('\n');
    const line = lines.find((candidate) => candidate.startsWith(`${series} `));
    return line === undefined ? undefined : Number(line.slice(series.length + 1));
  };

  it('is for nobody without the login', async () => {
    const bare = await fetch(`${gateway.web}/metrics`);
    assert.equal(bare.status, 401);
    assert.match(bare.headers.get('www-authenticate') ?? '', /^Basic /);
    assert.doesNotMatch(await bare.text(), /lorua_/);
    assert.equal((await scrape('scraper', 'wrong')).status, 401);
  });

  it('is for whoever has the token, which opens nothing else', async () => {
    const ask = (path: string, token: string): Promise<Response> =>
      fetch(`${gateway.web}${path}`, { headers: { authorization: `Bearer ${token}` }, redirect: 'manual' });
    assert.equal((await ask('/metrics', TOKEN)).status, 200);
    assert.equal((await ask('/metrics', `${TOKEN}x`)).status, 401);
    for (const path of ['/', '/dashboard', '/metrics/']) assert.equal((await ask(path, TOKEN)).status, 401, path);
    assert.notEqual((await ask('/editor/flows', TOKEN)).status, 200);
  });

  it('tells a scraper with the login how the gateway is', async () => {
    const text = await eventually(async () => {
      const answer = await scrape();
      assert.equal(answer.status, 200);
      // The order of parameters has no meaning (RFC 9110 §8.3.1), and Express has its own.
      const [type, ...parameters] = (answer.headers.get('content-type') ?? '').split('; ');
      assert.deepEqual([type, ...parameters.sort()], ['text/plain', 'charset=utf-8', 'version=0.0.4']);
      const told = await answer.text();
      // Streams are opened one after the other; until then the service is degraded.
      return metric(told, 'lorua_service_level') === 255 &&
        (metric(told, 'lorua_devices_by_age{age="fresh"}') ?? 0) > 0 &&
        metric(told, 'lorua_store_size_bytes') !== undefined
        ? told
        : undefined;
    }, 'fresh values and a service that lacks nothing');
    const value = (series: string): number => metric(text, series) ?? assert.fail(`${series} is missing:\n${text}`);
    assert.equal(value('lorua_chirpstack_up{connection="ChirpStack"}'), 1);
    assert.equal(value('lorua_service_degraded{reason="streams-missing"}'), 0);
    assert.equal(value('lorua_opcua_up'), 1);
    assert.equal(value('lorua_devices'), 3);
    assert.ok(value('lorua_readings_total{origin="event"}') + value('lorua_readings_total{origin="replay"}') > 0);
    assert.ok(value('lorua_last_event_timestamp_seconds') > Date.now() / 1_000 - 600);
    assert.ok(value('lorua_store_size_bytes') > 0);
    assert.ok(value('lorua_event_loop_delay_max_seconds') >= value('lorua_event_loop_delay_p50_seconds'));
    assert.ok(value('process_resident_memory_bytes') > 10_000_000);
  });

  it('says the same as OPC UA', async () => {
    const client = await TestClient.connect({ url: gateway.endpointUrl, user: 'admin', password: PASSWORD });
    try {
      const read = async (path: string): Promise<unknown> =>
        (await client.read(await client.gatewayNode(`gateway/${path}`))).value.value;
      await eventually(async () => (await read('devices/fresh')) === 3, 'three fresh devices');
      await eventually(async () => (await read('clients/channels')) === 1, 'the client itself');
      assert.equal(await read('devices/total'), 3);
      assert.equal(await read('serviceLevel'), 255);
      assert.equal((await client.read('i=2267')).value.value, 255);
      const text = await (await scrape()).text();
      const id = /^lorua_chirpstack_up\{connection="ChirpStack",id="([^"]+)"/m.exec(text)?.[1] ?? assert.fail(text);
      assert.equal(await read(`connection/${id}/errors/network`), 0);
      assert.equal(metric(text, 'lorua_devices_by_age{age="fresh"}'), 3);
      assert.equal(metric(text, 'lorua_opcua_sessions'), 1);
    } finally {
      await client.close();
    }
  });
});
