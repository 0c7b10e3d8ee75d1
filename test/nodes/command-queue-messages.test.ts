/** Commands that leave the gateway as messages, for ChirpStack's MQTT integration. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { ChirpstackConnection, Poller, parseConnectionSettings } from '../../lib/chirpstack';
import { deviceEventMessage, readingMessage } from '../../lib/messages';
import { parseSourceId, silentLogger, systemClock } from '../../lib/model';
import { Simulator } from '../../lib/simulator';
import type { GatewayDatabaseNode } from '../../nodes/common/services';
import { eventually } from '../support/eventually';
import { collect, errorOf, type FlowMessage, type FlowNode, give, node, startFlow, stopFlow } from '../support/flow';

const DAY = 86_400_000;
let simulator: Simulator;
let valve: string;
let connection: ChirpstackConnection;
let poller: Poller;

/** Plays the broker: what the flow publishes reaches ChirpStack, and its events reach the flow. */
beforeEach(async () => {
  simulator = new Simulator({ devices: 12, period: DAY, seed: 3 }, { clock: systemClock, logger: silentLogger });
  const { url } = await simulator.start();
  valve = simulator.devicesOfKind('valve')[0]?.devEui ?? assert.fail('no valve');
  const deps = { clock: systemClock, random: Math.random, logger: silentLogger };
  connection = new ChirpstackConnection(
    parseConnectionSettings({ url, token: simulator.tenantToken, tenantId: simulator.tenantId }),
    deps,
  );
  poller = new Poller({
    ...deps,
    connection,
    source: parseSourceId('broker'),
    settings: { pollInterval: 60_000, streamEvents: true, pollMetrics: false, maximumStreams: 100 },
  });
});
afterEach(async () => {
  await stopFlow();
  await poller.close();
  await connection.close();
  await simulator.stop();
});

const flow = (): FlowNode[] => [
  { id: 'database', type: 'gateway-database', backend: 'memory' },
  {
    id: 'queue',
    type: 'command-queue',
    database: 'database',
    connection: '',
    dispatch: 'message',
    definitions: [
      {
        devEui: valve,
        name: 'position',
        fPort: 20,
        confirmed: true,
        parameters: [{ name: 'position', type: 'Double', min: 0, max: 100 }],
        payload: { kind: 'object', template: { position: '{{position}}' } },
      },
      { devEui: valve, name: 'bytes', fPort: 20, payload: { kind: 'hex', hex: '1e' } },
    ],
    wires: [['statuses'], ['downlinks']],
  },
  { id: 'statuses', type: 'helper', wires: [] },
  { id: 'downlinks', type: 'helper', wires: [] },
  { id: 'catch', type: 'catch', scope: ['queue'], uncaught: false, wires: [['caught']] },
  { id: 'caught', type: 'helper', wires: [] },
];
const states = (messages: readonly FlowMessage[]): string[] =>
  messages.map(({ command }) => (command as { state: string }).state);
const reasons = (messages: readonly FlowMessage[]): string[] =>
  messages.map(({ command }) => (command as { reason: string }).reason);

test('are published as ChirpStack reads them, under an id by which events name them', async () => {
  await startFlow(flow());
  await eventually(() => (node('database') as GatewayDatabaseNode).service?.commands.current, 'the queue');
  const messages = collect('statuses');
  const downlinks = collect('downlinks');
  const caught = collect('caught');
  const ask = (name: string, payload: object) =>
    give('queue', { topic: 'command', device: { devEui: valve }, command: { name, id: `my-${name}` }, payload });

  // Nobody lists devices here: they are known by what they send.
  ask('position', { position: 15 });
  await eventually(() => caught.length > 0, 'the refusal');
  assert.match(errorOf(caught[0]), /knows no such device/);

  poller.onReading((reading) => give('queue', { ...readingMessage(reading) }));
  poller.onDeviceEvent((event) => give('queue', { ...deviceEventMessage(event) }));
  poller.start();
  await eventually(() => {
    simulator.sendUplink(valve);
    ask('position', { position: 15 });
    return downlinks.length > 0;
  }, 'the downlink');
  const [down] = downlinks;
  assert.ok(down);
  const application = simulator.devices().find(({ devEui }) => devEui === valve)?.applicationId;
  assert.equal(down.topic, `application/${application}/device/${valve}/command/down`);
  const { id, expiresAt, ...rest } = down.payload as Record<string, unknown>;
  assert.deepEqual(rest, { devEui: valve, confirmed: true, fPort: 20, object: { position: 15 } });
  assert.match(String(id), /^[0-9a-f]{8}-[0-9a-f]{4}-8/);
  assert.ok(Date.parse(String(expiresAt)) > Date.now());
  assert.equal(states(messages).at(-1), 'Enqueued');
  assert.match(reasons(messages).at(-1) ?? '', /handed over as a message/);

  simulator.command(valve, down.payload);
  await eventually(() => states(messages).includes('Acknowledged'), 'the acknowledgement');
  assert.deepEqual([...(simulator.frames()[0]?.data ?? [])], [30]);

  ask('bytes', {});
  await eventually(() => downlinks.length === 2, 'the second downlink');
  const [, second] = downlinks;
  assert.ok(second);
  assert.equal((second.payload as { data: string }).data, 'Hg==');
  simulator.command(valve, second.payload);
  await eventually(() => states(messages).at(-1) === 'Transmitted', 'its transmission');

  give('queue', { topic: 'command-flush', device: { devEui: valve } });
  const answer = await eventually(() => messages.find(({ topic }) => topic === 'command-flush'), 'the answer');
  assert.equal((answer.payload as { done: boolean }).done, false);
  assert.match((answer.payload as { text: string }).text, /gRPC/);
});
