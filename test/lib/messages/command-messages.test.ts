import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  commandStatusMessage,
  devEuiOf,
  downlinkMessage,
  parseCancelMessage,
  parseCommandMessage,
  parseFlushMessage,
} from '../../../lib/messages';
import { type Command, InvalidInputError, parseApplicationId, parseDevEui } from '../../../lib/model';

const DEVICE = '0102030405060708';
const devEui = parseDevEui(DEVICE);

function faultsOf(parse: (message: unknown) => unknown, message: unknown): string[] {
  try {
    parse(message);
  } catch (error) {
    assert.ok(error instanceof InvalidInputError);
    for (const { rule, cure } of error.faults) assert.ok(rule !== '' && cure !== '');
    return error.faults.map(({ field }) => field);
  }
  return [];
}

describe('a message that asks for a command', () => {
  test('needs a device and a name, and may say more', () => {
    assert.deepEqual(parseCommandMessage({ device: { devEui: DEVICE }, command: { name: 'open' } }), {
      device: { devEui },
      name: 'open',
      parameters: {},
    });
    const time = Date.UTC(2026, 10, 24);
    for (const expiresAt of [time, new Date(time), '2026-11-24T00:00:00Z'])
      assert.deepEqual(
        parseCommandMessage({
          device: { devEui: 'A8-40-41-FF-FF-1E-5A-01', name: 'Valve 1' },
          command: { name: 'open', id: 'mine', user: '', source: null, confirmation: 'token', expiresAt },
          payload: { position: 40 },
          other: 1,
        }),
        {
          device: { devEui: 'a84041ffff1e5a01', name: 'Valve 1' },
          name: 'open',
          id: 'mine',
          confirmation: 'token',
          expiresAt: time,
          parameters: { position: 40 },
        },
      );
  });

  test('is refused with all that is wrong', () => {
    assert.deepEqual(faultsOf(parseCommandMessage, undefined), ['msg']);
    assert.deepEqual(
      faultsOf(parseCommandMessage, { device: { devEui: 'x' }, command: { name: '', id: 7 }, payload: 3 }),
      ['msg.device.devEui', 'msg.command.name', 'msg.command.id', 'msg.payload'],
    );
    assert.deepEqual(
      faultsOf(parseCommandMessage, { device: { devEui: DEVICE }, command: { name: 'open', expiresAt: 'soon' } }),
      ['msg.command.expiresAt'],
    );
  });
});

test('messages that take back name a command or a device', () => {
  assert.deepEqual(parseCancelMessage({ command: { id: 'a', user: 'ann' } }), { id: 'a', user: 'ann' });
  assert.deepEqual(parseFlushMessage({ device: { devEui: DEVICE } }), { devEui });
  assert.deepEqual(parseFlushMessage({ device: { devEui: DEVICE }, command: { user: 'ann' } }), {
    devEui,
    user: 'ann',
  });
  assert.deepEqual(faultsOf(parseCancelMessage, {}), ['msg.command']);
  assert.deepEqual(faultsOf(parseFlushMessage, { device: {} }), ['msg.device.devEui']);
});

test('the device of any message is found, if it has one', () => {
  assert.equal(devEuiOf({ device: { devEui: DEVICE } }), devEui);
  for (const message of [{}, { device: null }, { device: { devEui: 7 } }]) assert.equal(devEuiOf(message), undefined);
});

test('a downlink needs the application of its device for its topic', () => {
  const applicationId = parseApplicationId('17c82e96-be03-4f38-aef3-f83d48582d97');
  assert.equal(
    downlinkMessage({ devEui }, { devEui, applicationId }).topic,
    `application/${applicationId}/device/${DEVICE}/command/down`,
  );
  assert.throws(() => downlinkMessage({ devEui }, { devEui }), /application of the device is not known/);
});

test('a status tells each of several transitions by itself', () => {
  const command: Command = {
    id: 'a',
    sequence: 1,
    devEui,
    name: 'open',
    parameters: { position: 40 },
    user: 'ann',
    source: 'flow',
    fPort: 1,
    confirmed: false,
    payload: { kind: 'bytes', hex: '01' },
    coalescing: 'queue',
    deadline: 1_000,
    state: 'Transmitted',
    reason: 'A gateway sent it.',
    createdAt: 1,
    changedAt: 3,
    age: 2,
    endedAt: 3,
    transitions: [
      { state: 'Enqueued', time: 2, reason: 'In the queue.' },
      { state: 'Transmitted', time: 3, reason: 'A gateway sent it.' },
    ],
    attempts: 1,
    call: 'accepted',
  };
  const of = (transition: Command['transitions'][number] | undefined) =>
    commandStatusMessage({ command, transition, expectation: undefined }, { devEui }, { topic: 'command', batch: 7 });
  assert.deepEqual(of(command.transitions[0]), {
    batch: 7,
    topic: 'command-status',
    command: {
      id: 'a',
      name: 'open',
      state: 'Enqueued',
      reason: 'In the queue.',
      times: { Enqueued: 2, Transmitted: 3 },
      attempts: 1,
      ended: false,
      user: 'ann',
      source: 'flow',
    },
    device: { devEui },
    payload: { position: 40 },
  });
  assert.equal(of(command.transitions[1]).command.ended, true);
  assert.equal(of(undefined).command.state, 'Transmitted');
});
