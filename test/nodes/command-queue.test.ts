/** Commands as messages in a flow: to a simulated device and back, and what is refused. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, beforeEach, describe, test } from 'node:test';
import { silentLogger, systemClock } from '../../lib/model';
import { Simulator } from '../../lib/simulator';
import type { GatewayDatabaseNode } from '../../nodes/common/services';
import { eventually } from '../support/eventually';
import {
  collect,
  deploy,
  errorOf,
  type FlowMessage,
  type FlowNode,
  give,
  logged,
  node,
  startFlow,
  statuses,
  stopFlow,
} from '../support/flow';

const DAY = 86_400_000;
const folder = mkdtempSync(join(tmpdir(), 'lorua-commands-'));

let simulator: Simulator;
let url: string;
let valve: string;
let sensor: string;
let file = 0;

beforeEach(async () => {
  // Devices that send by themselves would disturb: a test says when.
  simulator = new Simulator({ devices: 12, period: DAY, seed: 3 }, { clock: systemClock, logger: silentLogger });
  ({ url } = await simulator.start());
  valve = simulator.devicesOfKind('valve')[0]?.devEui ?? assert.fail('no valve');
  sensor = simulator.devicesOfKind('climate')[0]?.devEui ?? assert.fail('no sensor');
  file++;
});
afterEach(async () => {
  await stopFlow();
  await simulator.stop();
});
after(() => rmSync(folder, { recursive: true, force: true }));

const position = (confirmed: boolean): Record<string, unknown> => ({
  fPort: 20,
  confirmed,
  parameters: [{ name: 'position', type: 'Double', unit: '%', min: 0, max: 100, step: 0.5 }],
  payload: { kind: 'object', template: { position: '{{position}}' } },
});

function definitions(): Record<string, unknown>[] {
  const profileId = simulator.devices().find(({ devEui }) => devEui === valve)?.profileId;
  return [
    {
      profileId,
      name: 'position',
      ...position(true),
      expected: { metric: 'setpoint', parameter: 'position', tolerance: 0.25, within: 600 },
    },
    { profileId, name: 'plain', ...position(false) },
    { profileId, name: 'twice', ...position(false), interlock: { secondConfirmation: true } },
    { devEui: sensor, preset: 'reporting-interval', fPort: 7 },
    { devEui: sensor, name: 'reset', fPort: 8, payload: { kind: 'hex', hex: 'FF 01' } },
  ];
}

function flow(queue: Record<string, unknown> = {}): FlowNode[] {
  return [
    { id: 'database', type: 'gateway-database', backend: 'sqlite', file: join(folder, `${file}.db`) },
    { id: 'chirpstack', type: 'chirpstack-connection', name: 'Plant', url, tenantId: simulator.tenantId },
    {
      id: 'poller',
      type: 'chirpstack-poller',
      connection: 'chirpstack',
      database: 'database',
      pollInterval: '0',
      streamEvents: true,
      wires: [['queue'], ['queue'], []],
    },
    {
      id: 'queue',
      type: 'command-queue',
      database: 'database',
      connection: 'chirpstack',
      dispatch: 'grpc',
      definitions: definitions(),
      maxPerDevice: '',
      wires: [['statuses'], ['downlinks']],
      ...queue,
    },
    { id: 'statuses', type: 'helper', wires: [] },
    { id: 'downlinks', type: 'helper', wires: [] },
    { id: 'catch', type: 'catch', scope: ['queue'], uncaught: false, wires: [['caught']] },
    { id: 'caught', type: 'helper', wires: [] },
  ];
}

const credentials = () => ({ chirpstack: { token: simulator.tenantToken } });
const service = () => (node('database') as GatewayDatabaseNode).service ?? assert.fail('no database');
const commands = () => service().commands.current;

/** The flow runs, knows the devices, and hears them. */
async function start(nodes: readonly FlowNode[] = flow()): Promise<void> {
  await startFlow(nodes, { credentials: credentials() });
  await ready();
}

async function ready(): Promise<void> {
  await eventually(() => commands(), 'the queue to open');
  await eventually(
    () => [...service().connections.values()].some(({ health }) => health.streamsOpen === simulator.devices().length),
    'streams',
  );
}

interface Told {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly reason: string;
  readonly times: Readonly<Record<string, number>>;
  readonly attempts: number;
  readonly ended: boolean;
  readonly expectation?: { readonly when: string; readonly at?: number };
}
const told = (message: FlowMessage | undefined): Told => message?.command as Told;
const states = (messages: readonly FlowMessage[]): string[] => messages.map((message) => told(message).state);

const ask = (name: string, payload?: object, more: object = {}, devEui = valve): void =>
  give('queue', { topic: 'command', device: { devEui }, command: { name, ...more }, payload, batch: 7 });

describe('a command as a message', () => {
  test('reaches the device as its definition says, and each state comes out with what the sender gave', async () => {
    await start();
    const messages = collect('statuses');
    ask('position', { position: 40 }, { id: 'open-1', user: 'ann' });
    await eventually(() => states(messages).includes('Transmitted'), 'the transmission');
    const [frame, ...others] = simulator.frames();
    assert.deepEqual(others, []);
    assert.ok(frame);
    assert.equal(frame.devEui, valve);
    assert.equal(frame.fPort, 20);
    assert.equal(frame.confirmed, true);
    assert.deepEqual([...frame.data], [80]);

    simulator.sendUplink(valve);
    await eventually(() => states(messages).includes('Verified'), 'the verification');
    // The uplink brings both: what it measured may be known before what it acknowledged.
    const seen = [...new Set(states(messages))].filter((state) => state !== 'Acknowledged');
    assert.deepEqual(seen, ['Queued', 'Sending', 'Enqueued', 'Transmitted', 'Verified']);
    const last = messages.findLast((message) => told(message).state === 'Verified');
    assert.ok(last);
    assert.equal(last.topic, 'command-status');
    assert.equal(last.batch, 7);
    assert.deepEqual(last.payload, { position: 40 });
    assert.equal((last.device as { devEui?: string; name?: string }).devEui, valve);
    assert.equal(typeof (last.device as { name?: string }).name, 'string');
    const { id, attempts, ended, times, name } = told(last);
    assert.deepEqual({ id, attempts, ended, name }, { id: 'open-1', attempts: 1, ended: true, name: 'position' });
    assert.deepEqual(
      Object.keys(times).filter((state) => state !== 'Acknowledged'),
      seen,
    );
  });

  test('has an id of its own if none is given, and says what can be expected', async () => {
    await start();
    const messages = collect('statuses');
    ask('plain', { position: 0.5 });
    await eventually(() => states(messages).includes('Transmitted'), 'the transmission');
    assert.match(told(messages[0]).id, /^[0-9a-f-]{36}$/);
    assert.deepEqual(told(messages[0]).expectation, { when: 'now' });
    assert.equal(told(messages.at(-1)).ended, true);
    assert.deepEqual([...(simulator.frames()[0]?.data ?? [])], [1]);

    ask('reset', undefined, {}, sensor);
    await eventually(() => messages.some((message) => told(message).name === 'reset'), 'the next command');
    assert.equal(told(messages.find((message) => told(message).name === 'reset')).expectation?.when, 'next-uplink');
    await eventually(() => states(messages).at(-1) === 'Enqueued', 'the queue of ChirpStack');
    simulator.sendUplink(sensor);
    await eventually(() => states(messages).at(-1) === 'Transmitted', 'its transmission');
    const frame = simulator.frames().at(-1);
    assert.deepEqual([frame?.fPort, ...(frame?.data ?? [])], [8, 0xff, 0x01]);
  });

  test('with the same own id is the same command', async () => {
    await start();
    const messages = collect('statuses');
    const caught = collect('caught');
    for (let time = 0; time < 3; time++) ask('plain', { position: 5 }, { id: 'once' });
    await eventually(() => states(messages).includes('Transmitted'), 'the transmission');
    ask('plain', { position: 5 }, { id: 'once' });
    ask('position', { position: 5 }, { id: 'once' });
    await eventually(() => caught.length > 0, 'the refusal');
    assert.deepEqual(
      caught.map(({ refusal }) => (refusal as { kind?: string }).kind),
      ['duplicate-id'],
    );
    assert.equal(simulator.frames().length, 1);
  });
});

describe('a refusal', () => {
  test('goes to Catch with what is wrong, and nothing is sent', async () => {
    await start();
    const messages = collect('statuses');
    const caught = collect('caught');
    const refused: readonly (readonly [kind: string | undefined, text: RegExp, ask: () => void])[] = [
      ['bad-parameter', /parameters\.position is .*101/, () => ask('position', { position: 101 })],
      ['bad-parameter', /parameters\.position is /, () => ask('position')],
      ['unknown-command', /explode/, () => ask('explode')],
      ['unknown-device', /ffffffffffff0001/, () => ask('position', { position: 1 }, {}, 'ffffffffffff0001')],
      ['expired', /expiresAt/, () => ask('plain', { position: 1 }, { expiresAt: 1_000 })],
      [undefined, /msg\.device\.devEui is "valve"/, () => ask('position', { position: 1 }, {}, 'valve')],
      [undefined, /msg\.command is undefined/, () => give('queue', { topic: 'command', device: { devEui: valve } })],
      [undefined, /msg\.command\.id is undefined/, () => give('queue', { topic: 'command-cancel', command: {} })],
      [undefined, /msg\.device is undefined/, () => give('queue', { topic: 'command-flush' })],
    ];
    for (const [kind, text, send] of refused) {
      const before = caught.length;
      send();
      await eventually(() => caught.length > before, String(text));
      const message = caught.at(-1);
      assert.match(errorOf(message), text);
      assert.equal((message?.refusal as { kind?: string } | undefined)?.kind, kind, String(text));
    }
    assert.deepEqual(messages, []);
    assert.deepEqual(simulator.frames(), []);
  });

  test('that asks for a second confirmation carries the token of it', async () => {
    await start();
    const messages = collect('statuses');
    const caught = collect('caught');
    ask('twice', { position: 3 });
    await eventually(() => caught.length > 0, 'the refusal');
    const refusal = caught[0]?.refusal as { kind: string; confirmation: string };
    assert.equal(refusal.kind, 'confirmation-needed');
    // Wired back without a look it is refused once more.
    give('queue', { ...caught[0], error: undefined });
    await eventually(() => caught.length > 1, 'the second refusal');
    ask('twice', { position: 3 }, { confirmation: refusal.confirmation });
    await eventually(() => states(messages).includes('Transmitted'), 'the transmission');
    assert.equal(caught.length, 2);
    assert.equal(messages[0]?.refusal, undefined);
  });

  test('meets users of the dashboard who may only look', async () => {
    await start();
    const messages = collect('statuses');
    const caught = collect('caught');
    await service().users.save({ name: 'olga', password: 'correct horse', roles: ['Observer'] });
    const asked = {
      device: { devEui: valve },
      command: { name: 'plain', id: 'x', user: 'boss' },
      payload: { position: 1 },
    };
    const by = (userId: string, topic: string) => give('queue', { ...asked, topic, _client: { user: { userId } } });
    for (const topic of ['command', 'command-cancel', 'command-flush']) by('olga', topic);
    await eventually(() => caught.length === 3, 'the refusals');
    for (const { refusal } of caught) assert.equal((refusal as { kind?: string }).kind, 'not-permitted');
    await service().users.save({ name: 'olga', roles: ['Operator'] });
    by('olga', 'command');
    await eventually(() => states(messages).includes('Transmitted'), 'the transmission');
    const { user, source } = commands()?.command('x') ?? assert.fail('no command');
    assert.deepEqual({ user, source }, { user: 'olga', source: 'dashboard' });
  });

  test('of ChirpStack ends as Rejected in its own words', async () => {
    const [first, ...others] = definitions();
    await start(
      flow({
        definitions: [
          {
            ...first,
            payload: { kind: 'object', template: { position: 'wide open', was: '{{position}}' } },
            expected: undefined,
          },
          ...others,
        ],
      }),
    );
    const messages = collect('statuses');
    ask('position', { position: 1 });
    const message = await eventually(() => messages.find((one) => told(one).state === 'Rejected'), 'the verdict');
    assert.match(told(message).reason, /position must be a number from 0 to 100/);
  });
});

describe('taking back', () => {
  test('a command that waits, and the truth about one that is gone', async () => {
    await start();
    const messages = collect('statuses');
    const answers = (topic: string) => messages.filter((message) => message.topic === topic);
    // ChirpStack does not answer: the first one is on its way, the second one waits.
    await simulator.stop();
    ask('reset', undefined, { id: 'first' }, sensor);
    ask('reset', undefined, { id: 'second' }, sensor);
    await eventually(() => commands()?.command('second'), 'the second command');
    give('queue', { topic: 'command-cancel', command: { id: 'second', user: 'ann' }, batch: 8 });
    const answer = await eventually(() => answers('command-cancel')[0], 'the answer');
    assert.equal((answer.payload as { done: boolean }).done, true);
    assert.equal(told(answer).state, 'Cancelled');
    assert.equal(answer.batch, 8);
    assert.equal(commands()?.command('second')?.state, 'Cancelled');

    give('queue', { topic: 'command-cancel', command: { id: 'never' } });
    const unknown = await eventually(() => answers('command-cancel')[1], 'the answer');
    assert.equal((unknown.payload as { done: boolean }).done, false);
    assert.equal(unknown.command instanceof Object && 'state' in unknown.command, false);
  });

  test('all of a device, out of the queue of ChirpStack as well', async () => {
    await start();
    const messages = collect('statuses');
    for (const id of ['a', 'b']) ask('reset', undefined, { id }, sensor);
    await eventually(() => commands()?.counts().enqueued === 2, 'both in ChirpStack');
    assert.match(statuses('queue').at(-1)?.text ?? '', /command-queue\.status\.counts|in ChirpStack/);
    assert.deepEqual(service().health.current().commands, { queued: 0, sending: 0, enqueued: 2, awaiting: 0 });
    give('queue', { topic: 'command-flush', device: { devEui: sensor } });
    const answer = await eventually(() => messages.find(({ topic }) => topic === 'command-flush'), 'the answer');
    assert.equal((answer.payload as { done: boolean; items: number }).done, true);
    assert.equal((answer.payload as { done: boolean; items: number }).items, 2);
    simulator.sendUplink(sensor);
    await eventually(
      () => ['a', 'b'].every((id) => commands()?.command(id)?.state === 'Cancelled'),
      'both to be known as taken back',
    );
    assert.deepEqual(simulator.frames(), []);
  });
});

describe('the node', () => {
  test('goes on after a restart with what it had', async () => {
    await start();
    await simulator.stop();
    // A call on a connection that is just breaking may have arrived: that is another end.
    await eventually(
      () => [...service().connections.values()].every(({ health }) => health.state !== 'connected'),
      'the outage to be noticed',
    );
    ask('plain', { position: 8 }, { id: 'kept' });
    await eventually(() => commands()?.command('kept'), 'the command');
    await stopFlow();
    await simulator.start();
    await startFlow(flow(), { credentials: credentials() });
    const messages = collect('statuses');
    await ready();
    // It may be over before anybody could listen to its messages.
    await eventually(() => commands()?.command('kept')?.state === 'Transmitted', 'its transmission', 90_000);
    assert.deepEqual(
      simulator.frames().map(({ data }) => [...data]),
      [[16]],
    );
    assert.equal(messages.find((message) => told(message).id === 'kept')?.batch, undefined);
  });

  test('is redeployed fifty times, and each command reaches its device once', async () => {
    await start();
    for (let round = 0; round < 50; round++) {
      ask('plain', { position: round }, { id: `round-${round}` });
      await deploy(flow({ name: `round ${round}` }), 'nodes', credentials());
    }
    await eventually(commands, 'the queue to open');
    await eventually(() => {
      const { queued, sending, enqueued, awaiting } = commands()?.counts() ?? assert.fail('no queue');
      return queued + sending + enqueued + awaiting === 0;
    }, 'the end of all');
    const known = commands()?.commands(undefined) ?? [];
    const taken = known.filter(({ state }) => state === 'Transmitted').map(({ id }) => Number(id.slice(6)) * 2);
    assert.ok(taken.length > 0);
    const received = simulator.frames().map(({ data }) => data[0]);
    assert.deepEqual(received, [...new Set(received)], 'none twice');
    for (const value of taken) assert.ok(received.includes(value), `round ${value / 2}`);
  });

  test('has no second one beside it: both would send', async () => {
    const [queue] = flow().filter(({ id }) => id === 'queue');
    assert.ok(queue);
    await start([...flow(), { ...queue, id: 'other', wires: [[], []] }]);
    assert.ok(logged(20).some((text) => text.includes('command-queue already')));
    assert.deepEqual(statuses('other').at(-1)?.fill, 'red');
    const messages = collect('statuses');
    ask('plain', { position: 1 });
    await eventually(() => states(messages).includes('Transmitted'), 'the transmission');
    assert.equal(simulator.frames().length, 1);
  });

  test('tells what is wrong with its definitions, each by its field', async () => {
    await startFlow(
      flow({
        maxPerDevice: '0',
        definitions: [
          { name: 'a/b', devEui: sensor, fPort: 300, payload: { kind: 'hex', hex: 'f' } },
          { preset: 'valve' },
        ],
      }),
      { credentials: credentials() },
    );
    const faults = logged(20).join('\n');
    for (const field of [
      'maxPerDevice',
      'definitions[0].name',
      'definitions[0].fPort',
      'definitions[0].payload.hex',
      'definitions[1]',
    ])
      assert.ok(faults.includes(`${field} is`), field);
    assert.equal(statuses('queue').at(-1)?.fill, 'red');
    assert.equal(commands(), undefined);
    // Whoever asks it all the same hears of it.
    const caught = collect('caught');
    ask('plain', { position: 1 });
    await eventually(() => caught.length > 0, 'the refusal');
    assert.equal((caught[0]?.refusal as { kind?: string } | undefined)?.kind, 'not-ready');
  });

  test('says that it needs a connection for gRPC, and that ChirpStack is down', async () => {
    await startFlow(flow({ connection: '' }), { credentials: credentials() });
    assert.ok(logged(20).some((text) => text.includes('connection is not set')));
    await stopFlow();
    await start();
    await simulator.stop();
    ask('plain', { position: 1 });
    await eventually(() => statuses('queue').at(-1)?.fill === 'red', 'the trouble');
    await simulator.start();
    await eventually(() => statuses('queue').at(-1)?.fill === 'green', 'its end', 90_000);
  });
});
