/** Commands as dashboard, HTTP flows and function nodes send, look at and take them back: with the real queue. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type {
  CancelledCommand,
  CommandDetails,
  CommandDeviceRow,
  CommandList,
  CommandRow,
  DefinitionRow,
  EntryList,
} from '../../../lib/admin';
import { CommandDefinitions, commandDoors, parseCommandDefinitions } from '../../../lib/commands';
import type { CommandDoors, DeviceFlushResult, Role } from '../../../lib/model';
import { DEFINITIONS, DEVICE, PROFILE, txack, type World, world } from '../commands/support';
import { Asking, eui } from './asking';

let asking: Asking;
let here: World;

function doorsOf({ queue, devices, store }: World, more: Partial<CommandDoors> = {}): CommandDoors {
  const definitions = new CommandDefinitions([
    ...DEFINITIONS,
    ...parseCommandDefinitions([
      {
        devEui: DEVICE,
        name: 'large',
        title: 'A large number',
        fPort: 3,
        parameters: [{ name: 'n', type: 'Int', unit: 'm³', default: 1 }],
        payload: { kind: 'integer', parameter: 'n', format: 'int64' },
      },
    ]),
  ]);
  return {
    ...commandDoors({ queue, definitions: () => definitions, devices: (id) => devices.get(id), store }),
    ...more,
  };
}

beforeEach(async () => {
  asking = await Asking.start();
  here = await world();
  asking.commands = doorsOf(here);
});
afterEach(async () => {
  await Promise.all([here.queue.close(), here.clock.advance(6_000)]);
  await asking.stop();
});

async function send(payload: object, user?: string): Promise<CommandRow> {
  const row = await asking.result<CommandRow>('commands.send', { devEui: DEVICE, name: 'plain', ...payload }, user);
  await here.clock.advance(1);
  return row;
}

/** Entries of the gateway's own journal; those of the queue are in `here.store`. */
async function audit(): Promise<{ type: string; user: string | undefined; details: unknown }[]> {
  const { entries } = await asking.result<EntryList>('audit.list');
  return entries.map(({ type, user, details }) => ({ type, user, details })).toReversed();
}

async function refused(topic: string, payload: unknown, user?: string) {
  const answer = await asking.administration.handle(topic, payload, user);
  assert.ok(!answer.ok, JSON.stringify(answer));
  return answer;
}

const account = (name: string, roles: readonly Role[], isDisabled = false): Promise<unknown> =>
  asking.users.save({ name, password: 'a long enough one', roles, isDisabled });

describe('without a command queue', () => {
  test('each topic says what is missing', async () => {
    asking.commands = undefined;
    for (const [topic, payload] of [
      ['commands.definitions', {}],
      ['commands.devices', {}],
      ['commands.list', {}],
      ['commands.get', { id: 'x' }],
      ['commands.send', { devEui: DEVICE, name: 'plain' }],
      ['commands.cancel', { id: 'x' }],
      ['commands.flush', { devEui: DEVICE }],
    ] as const) {
      const [fault] = await asking.faults(topic, payload);
      assert.equal(fault?.field, 'topic', topic);
      assert.match(fault?.cure ?? '', /command-queue/);
    }
  });
});

describe('what devices can be told', () => {
  test('is listed for all and for one, without numbers that JSON does not have', async () => {
    const all = await asking.result<{ rows: DefinitionRow[] }>('commands.definitions');
    assert.equal(all.rows.length, DEFINITIONS.length + 1);
    const { rows } = await asking.result<{ rows: DefinitionRow[] }>('commands.definitions', { devEui: DEVICE });
    assert.deepEqual(JSON.parse(JSON.stringify(rows)), rows);
    const plain = rows.find(({ name }) => name === 'plain');
    assert.deepEqual(plain?.scope, { profileId: PROFILE });
    assert.equal(plain?.parameters[0]?.default, 1);
    assert.deepEqual(await asking.result('commands.definitions', { devEui: eui(9) }), { rows: [] });
  });

  test('is asked for by device, of those that can be told something', async () => {
    asking.name({ 1: 'Probe' });
    assert.deepEqual(await asking.result('commands.devices'), { rows: [], total: 0, offset: 0 });
    const { rows: devices } = await asking.result<{ rows: { devEui: string }[] }>('devices.list');
    assert.deepEqual(
      devices.map(({ devEui }) => devEui),
      [eui(1)],
    );
    asking.commands = doorsOf(here, { definitionsOf: (devEui) => (devEui === eui(2) ? [] : DEFINITIONS) });
    asking.name({ 1: 'Valve B', 2: 'Probe', 3: 'valve a' });
    const list = await asking.result<{ rows: CommandDeviceRow[]; total: number }>('commands.devices', {
      search: 'VALVE',
      limit: 1,
    });
    assert.equal(list.total, 2);
    assert.deepEqual(list.rows, [
      {
        devEui: eui(3),
        name: 'valve a',
        applicationName: 'Farm',
        deviceClass: 'A',
        isDisabled: false,
        commands: DEFINITIONS.length,
        open: 0,
      },
    ]);
  });
});

describe('sending', () => {
  test('answers with the durable command, and tells the queue who asked from where', async () => {
    const row = await send({ parameters: { x: 7 }, id: 'own-1' }, 'admin');
    assert.equal(row.id, 'own-1');
    assert.deepEqual(row.parameters, { x: 7 });
    assert.equal(row.title, 'plain');
    assert.equal(row.isOpen, true);
    assert.ok(row.expiresAt > row.createdAt);
    assert.equal(here.command('own-1').user, 'admin');
    assert.equal(here.command('own-1').source, 'dashboard');
    assert.equal((await send({ id: 'own-1', parameters: { x: 7 } }, 'admin')).id, 'own-1', 'not a second command');
    assert.equal(here.downlinks.enqueued.length, 1);
    const other = await send({});
    assert.equal(here.command(other.id).source, 'flow');
    assert.equal(here.command(other.id).user, '');
    assert.deepEqual(here.command(other.id).parameters, { x: 1 }, 'the default');
  });

  test('takes and tells integers of 64 bits as text', async () => {
    const definitions = asking.commands;
    assert.ok(definitions);
    asking.commands = {
      ...definitions,
      submit: async (request) => ({
        ...(await definitions.submit({ ...request, name: 'plain', parameters: {} })),
        ...request,
        parameters: { n: BigInt(String(request.parameters.n)) },
      }),
    };
    const row = await send({ name: 'large', parameters: { n: '9007199254740993' } });
    assert.deepEqual(row.parameters, { n: '9007199254740993' });
    assert.equal(row.title, 'A large number');
    assert.deepEqual(row.units, { n: 'm³' });
    assert.doesNotThrow(() => JSON.stringify(row));
  });

  test('is entered once in the audit, by the queue', async () => {
    await send({}, 'admin');
    assert.deepEqual(await audit(), []);
    assert.deepEqual(
      here.store.journal.map(({ type, user }) => [type, user]),
      [['command.send', 'admin']],
    );
  });

  test('tells all faults of the parameters by field, value, rule and cure, and enters the refusal', async () => {
    const answer = await refused(
      'commands.send',
      { devEui: DEVICE, name: 'plain', parameters: { x: 300, y: 1 } },
      'admin',
    );
    assert.equal(answer.refusal, 'bad-parameter');
    assert.equal(answer.confirmation, undefined);
    assert.deepEqual(
      answer.errors.map(({ field, value, rule }) => [field, value, rule]),
      [
        ['payload.parameters.y', '1', 'plain takes x'],
        ['payload.parameters.x', '"300"', 'it is 0 to 255'],
      ],
    );
    assert.deepEqual(await audit(), [
      {
        type: 'command.send',
        user: 'admin',
        details: { devEui: DEVICE, name: 'plain', parameters: '{"x":300,"y":1}', refused: answer.errors },
      },
    ]);
    assert.equal(here.downlinks.enqueued.length, 0);
  });

  for (const [what, payload, refusal, field] of [
    ['a device that ChirpStack does not know', { devEui: eui(77) }, 'unknown-device', 'payload.devEui'],
    ['a command that it does not have', { name: 'nothing' }, 'unknown-command', 'payload.name'],
    ['an instant that is over', { expiresAt: 5 }, 'expired', 'payload.expiresAt'],
    ['an id that no command can have', { id: 'a b' }, 'bad-parameter', 'payload.id'],
  ] as const)
    test(`refuses ${what}`, async () => {
      const answer = await refused('commands.send', { devEui: DEVICE, name: 'plain', ...payload });
      assert.equal(answer.refusal, refusal);
      assert.deepEqual(
        answer.errors.map((fault) => fault.field),
        [field],
      );
    });

  test('refuses while an older one waits, and beyond its rate', async () => {
    await send({ name: 'reject' });
    assert.equal((await refused('commands.send', { devEui: DEVICE, name: 'reject' })).refusal, 'pending');
    await send({ name: 'rated' });
    await send({ name: 'rated' });
    const answer = await refused('commands.send', { devEui: DEVICE, name: 'rated' });
    assert.equal(answer.refusal, 'rate-limited');
    assert.equal(answer.errors[0]?.field, 'payload.name');
  });

  for (const [what, payload, field] of [
    ['no device', { name: 'plain' }, 'payload.devEui'],
    ['no name', { devEui: DEVICE }, 'payload.name'],
    ['what is no DevEUI', { devEui: 'x', name: 'plain' }, 'payload.devEui'],
    ['parameters that are none', { devEui: DEVICE, name: 'plain', parameters: [1] }, 'payload.parameters'],
    ['what it does not know', { devEui: DEVICE, name: 'plain', port: 3 }, 'payload'],
    [
      'too many parameters',
      { devEui: DEVICE, name: 'plain', parameters: Object.fromEntries(Array.from({ length: 101 }, (_, n) => [n, 1])) },
      'payload.parameters',
    ],
  ] as const)
    test(`does not begin with ${what}`, async () => {
      assert.deepEqual(await asking.fields('commands.send', payload), [field]);
    });

  test('asks for a second yes with a token, which holds for the same and once', async () => {
    const first = await refused('commands.send', { devEui: DEVICE, name: 'twice', parameters: { x: 3 } }, 'admin');
    assert.equal(first.refusal, 'confirmation-needed');
    assert.equal(first.errors[0]?.field, 'payload.confirmation');
    const { confirmation } = first;
    assert.ok(confirmation);
    assert.deepEqual(await audit(), [], 'nothing was done, nothing was refused');
    const other = await refused(
      'commands.send',
      { devEui: DEVICE, name: 'twice', parameters: { x: 4 }, confirmation },
      'admin',
    );
    assert.equal(other.refusal, 'confirmation-needed');
    await send({ name: 'twice', parameters: { x: 3 }, confirmation }, 'admin');
    const again = await refused(
      'commands.send',
      { devEui: DEVICE, name: 'twice', parameters: { x: 3 }, confirmation },
      'admin',
    );
    assert.equal(again.refusal, 'confirmation-needed');
    assert.equal(here.downlinks.enqueued.length, 1);
  });

  test('tells a fault of the storage, and enters that it failed', async () => {
    here.store.fault = Object.assign(new Error('the disk is full'), { reason: 'disk-full', cure: 'Free space.' });
    const answer = await refused('commands.send', { devEui: DEVICE, name: 'plain' }, 'admin');
    assert.deepEqual(answer.errors[0], {
      field: 'database',
      value: 'disk-full',
      rule: 'the disk is full',
      cure: 'Free space.',
    });
    assert.equal(answer.refusal, undefined);
    const [entry] = await audit();
    assert.ok(entry && typeof entry.details === 'object' && entry.details !== null && 'failed' in entry.details);
    here.store.fault = undefined;
  });
});

describe('who may', () => {
  test('operators and engineers; no others whom the gateway knows, nor who is disabled', async () => {
    await account('olga', ['Operator']);
    await account('eric', ['Engineer']);
    await account('sam', ['SecurityAdmin', 'Observer']);
    await account('dora', ['Operator'], true);
    const sent = await send({}, 'olga');
    await send({}, 'eric');
    await send({}, 'somebody whom Node-RED let in');
    for (const user of ['sam', 'dora'])
      for (const [topic, payload] of [
        ['commands.send', { devEui: DEVICE, name: 'plain' }],
        ['commands.cancel', { id: sent.id }],
        ['commands.flush', { devEui: DEVICE }],
      ] as const) {
        const answer = await refused(topic, payload, user);
        assert.deepEqual(
          answer.errors.map(({ field }) => field),
          ['user'],
        );
        assert.match(answer.errors[0]?.rule ?? '', /Operator or Engineer/);
      }
    assert.deepEqual((await audit()).map(({ type, user }) => [type, user]).slice(0, 3), [
      ['command.send', 'sam'],
      ['command.cancel', 'sam'],
      ['command.flush', 'sam'],
    ]);
    assert.equal((await asking.result<CommandList>('commands.list', {}, 'sam')).rows.length, 3, 'looking is free');
  });

  test('and who has the role that the command takes', async () => {
    await account('olga', ['Operator']);
    await account('eric', ['Engineer']);
    const answer = await refused('commands.send', { devEui: DEVICE, name: 'locked' }, 'olga');
    assert.equal(answer.refusal, 'not-permitted');
    assert.equal(answer.errors[0]?.field, 'user');
    await send({ name: 'locked' }, 'eric');
    await send({ name: 'locked' });
  });
});

describe('what they were told', () => {
  test('is listed newest first, by device and state, page by page', async () => {
    const ids: string[] = [];
    for (let index = 0; index < 5; index++) ids.push((await send({ parameters: { x: index } })).id);
    const item = here.command(ids[0] ?? '').queueItemId;
    assert.ok(item);
    here.queue.receive(txack(item, here.clock.now()));
    await here.clock.advance(0);
    const pages = await asking.pages<CommandList>('commands.list', { limit: 2 });
    assert.deepEqual(
      pages.map(({ rows }) => rows.length),
      [2, 2, 1],
    );
    assert.deepEqual(
      pages.flatMap(({ rows }) => rows.map(({ id }) => id)),
      ids.toReversed(),
    );
    const idsOf = async (payload: object): Promise<string[]> =>
      (await asking.result<CommandList>('commands.list', payload)).rows.map(({ id }) => id);
    assert.deepEqual(await idsOf({ states: ['Transmitted'] }), [ids[0]]);
    assert.deepEqual(await idsOf({ open: false }), [ids[0]]);
    assert.deepEqual(await idsOf({ open: true }), ids.slice(1).toReversed());
    assert.deepEqual(await idsOf({ devEui: eui(3) }), []);
    const [, second] = (await asking.pages<CommandList>('commands.list', { open: true, limit: 3, devEui: DEVICE })).map(
      ({ rows }) => rows.length,
    );
    assert.equal(second, 1);
    const row = (await asking.result<CommandList>('commands.list', { limit: 1 })).rows[0];
    assert.equal(row?.state, 'Enqueued');
    assert.equal(row?.isUnsent, false);
    assert.equal(row?.expectation?.when, 'next-uplink');
    assert.deepEqual(
      row?.transitions.map(({ state }) => state),
      ['Queued', 'Sending', 'Enqueued'],
    );
  });

  test('what only the store has is listed behind, once, and found by its id', async () => {
    const ids: string[] = [];
    for (let index = 0; index < 6; index++) ids.push((await send({})).id);
    const doors = asking.commands;
    assert.ok(doors);
    const recent = new Set(ids.slice(4));
    // As after days: the memory has only the newest, and of one of them more than the store.
    asking.commands = {
      ...doors,
      command: (id) => (recent.has(id) ? doors.command(id) : undefined),
      commands: (devEui) =>
        doors
          .commands(devEui)
          .filter(({ id }) => recent.has(id))
          .map((command) => (command.id === ids[4] ? { ...command, state: 'Transmitted' as const } : command)),
    };
    const pages = await asking.pages<CommandList>('commands.list', { limit: 4 });
    assert.deepEqual(
      pages.flatMap(({ rows }) => rows.map(({ id }) => id)),
      ids.toReversed(),
    );
    const enqueued = await asking.pages<CommandList>('commands.list', { states: ['Enqueued'], limit: 1 });
    assert.deepEqual(
      enqueued.flatMap(({ rows }) => rows.map(({ id }) => id)),
      [5, 3, 2, 1, 0].map((n) => ids[n]),
    );
    const old = await asking.result<CommandDetails>('commands.get', { id: ids[0] });
    assert.deepEqual(old.payload, { kind: 'bytes', hex: '01' });
    assert.equal(old.fPort, 10);
    assert.equal((await asking.result<CommandDetails>('commands.get', { id: ids[5] })).attempts, 1);
    assert.deepEqual(await asking.fields('commands.get', { id: 'nothing' }), ['payload.id']);
  });

  test('payloads that make no sense are refused', async () => {
    assert.deepEqual(await asking.fields('commands.list', { states: ['Lost'] }), ['payload.states.0']);
    assert.deepEqual(await asking.fields('commands.list', { limit: 0 }), ['payload.limit']);
    assert.deepEqual(await asking.fields('commands.list', { before: 5 }), ['payload.before']);
    assert.deepEqual(await asking.fields('commands.get', {}), ['payload.id']);
  });
});

describe('taking back', () => {
  test('a command that waits: it is done, and the queue enters it', async () => {
    here.downlinks.script.push('unsent');
    const { id } = await send({}, 'admin');
    const cancelled = await asking.result<CancelledCommand>('commands.cancel', { id }, 'admin');
    assert.equal(cancelled.done, true);
    assert.equal(cancelled.command.state, 'Cancelled');
    assert.match(cancelled.text, /Taken back by admin/);
    assert.deepEqual(await audit(), []);
    assert.deepEqual(
      here.store.journal.map(({ type }) => type),
      ['command.send', 'command.cancel'],
    );
  });

  test('a command that ChirpStack has: it is not done, and the text says why', async () => {
    const { id } = await send({});
    const { done, text, command } = await asking.result<CancelledCommand>('commands.cancel', { id });
    assert.equal(done, false);
    assert.match(text, /queue of ChirpStack/);
    assert.equal(command.state, 'Enqueued');
  });

  test('a command that nobody knows', async () => {
    assert.deepEqual(await asking.fields('commands.cancel', { id: 'nothing' }), ['payload.id']);
    assert.deepEqual(
      (await audit()).map(({ type }) => type),
      ['command.cancel'],
    );
  });

  test('all of a device', async () => {
    await send({});
    await send({});
    const result = await asking.result<DeviceFlushResult>('commands.flush', { devEui: DEVICE }, 'admin');
    assert.equal(result.done, true);
    assert.equal(result.items, 2);
    assert.equal(result.cancelled.length, 2);
    assert.equal(here.downlinks.items.length, 0);
    assert.deepEqual(await audit(), []);
    assert.equal(here.store.journal.at(-1)?.type, 'command.flush');
  });

  test('not of a device that nobody knows, but of one without commands', async () => {
    assert.deepEqual(await asking.fields('commands.flush', { devEui: eui(5) }), ['payload.devEui']);
    asking.name({ 5: 'Valve' });
    assert.equal((await asking.result<DeviceFlushResult>('commands.flush', { devEui: eui(5) })).done, true);
  });
});
