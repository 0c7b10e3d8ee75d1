import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { advance, type CommandInput, fromRecord, rankOf, toRecord } from '../../../lib/commands';
import { COMMAND_STATES, type Command, parseMetricKey } from '../../../lib/model';
import { ack, DEVICE, logged, OTHER, reading, txack } from './support';

const START = Date.UTC(2026, 10, 24, 12);

function fresh(more: Partial<Command> = {}): Command {
  return {
    id: 'c',
    sequence: 1,
    devEui: DEVICE,
    name: 'n',
    parameters: { x: 1 },
    user: '',
    source: 'test',
    fPort: 10,
    confirmed: true,
    payload: { kind: 'bytes', hex: '01' },
    coalescing: 'queue',
    deadline: 60_000,
    state: 'Queued',
    reason: 'r',
    createdAt: START,
    changedAt: START,
    age: 0,
    transitions: [{ state: 'Queued', time: START, reason: 'r' }],
    attempts: 0,
    call: 'none',
    ...more,
  };
}

const expected = { metric: parseMetricKey('p'), value: 1, tolerance: 0, within: 600_000 };
const EXPIRY = (START + 60_000) * 1_000 + 7;
const item = (more: object = {}) => ({
  id: 'i',
  fPort: 10,
  confirmed: true,
  hex: '01',
  isPending: false,
  expiry: EXPIRY,
  ...more,
});

const run = (command: Command, ...inputs: CommandInput[]): Command =>
  inputs.reduce((known, input, index) => advance(known, input, START + index + 1), command);

const sent: CommandInput[] = [
  { type: 'dispatching', expiry: EXPIRY },
  { type: 'accepted', queueItemId: 'i' },
];
const event = (of: Extract<CommandInput, { type: 'event' }>['event']): CommandInput => ({ type: 'event', event: of });

describe('the life cycle', () => {
  test('goes its usual way', () => {
    const command = run(
      fresh({ expected }),
      ...sent,
      event(txack('i', START + 100)),
      event(ack('i', true, START + 200)),
      {
        type: 'reading',
        reading: reading({ p: 1 }, START + 300),
      },
    );
    assert.deepEqual(
      command.transitions.map(({ state }) => state),
      ['Queued', 'Sending', 'Enqueued', 'Transmitted', 'Acknowledged', 'Verified'],
    );
    assert.ok(command.transitions.every(({ reason, time }) => reason !== '' && time >= START));
    assert.equal(command.transmittedAt, START + 100);
    assert.equal(command.fCntDown, 3);
    assert.notEqual(command.endedAt, undefined);
  });

  test('an unconfirmed command ends as Transmitted', () => {
    const command = run(fresh({ confirmed: false }), ...sent, event(txack('i', START)));
    assert.equal(command.state, 'Transmitted');
    assert.notEqual(command.endedAt, undefined);
  });

  test('a late acknowledgement is believed, also after the end', () => {
    let command = run(fresh(), ...sent, event(txack('i', START)));
    command = advance(command, { type: 'picture', items: [], conclusive: true }, START + 60_000);
    assert.equal(command.state, 'Transmitted');
    assert.notEqual(command.endedAt, undefined);
    assert.equal(advance(command, event(ack('i', true, START)), START + 1_200_000).state, 'Acknowledged');
    const failed = run(fresh(), ...sent, event(ack('i', false, START)));
    assert.deepEqual([failed.state, failed.failure], ['Failed', 'unacknowledged']);
    assert.equal(run(failed, event(ack('i', true, START))).state, 'Acknowledged');
  });

  test('events of others change nothing', () => {
    const command = run(fresh(), ...sent);
    for (const other of [
      txack('x', START),
      ack('x', true, START),
      txack('i', START, OTHER),
      ack('i', true, START, OTHER),
    ])
      assert.equal(run(command, event(other)), command);
    assert.equal(run(command, event(logged('EXPIRED', { queue_item_id: 'x' }, START))), command);
    assert.equal(run(command, event(logged('UPLINK_CODEC', { queue_item_id: 'i' }, START))), command);
    assert.equal(
      run(command, event({ type: 'join', device: { devEui: DEVICE }, time: 1, replayed: false, devAddr: '' })),
      command,
    );
    assert.equal(run(fresh(), event(txack('i', START))).state, 'Queued');
  });

  test('log events that discard the item say why', () => {
    const of = (code: string, context = {}): Command =>
      run(fresh(), ...sent, event(logged(code, { queue_item_id: 'i', ...context }, START)));
    assert.equal(of('EXPIRED').state, 'Expired');
    assert.equal(of('F_CNT_DOWN').state, 'Failed');
    const big = of('DOWNLINK_PAYLOAD_SIZE', { item_size: '60', max_payload_size: '51' });
    assert.equal(big.state, 'Failed');
    assert.match(big.reason, /60 bytes.*at most 51/);
    // No acknowledgement undoes that it was thrown away.
    assert.equal(run(big, event(ack('i', true, START))).state, 'Failed');
    const refused = run(fresh(), ...sent, event(logged('DOWNLINK_GATEWAY', {}, START, 'TOO_LATE')));
    assert.equal(refused.state, 'Enqueued');
    assert.match(refused.reason, /TOO_LATE/);
  });

  test('replies end a call', () => {
    const sending = run(fresh(), { type: 'dispatching', expiry: EXPIRY });
    assert.deepEqual([sending.state, sending.call, sending.attempts], ['Sending', 'open', 1]);
    assert.deepEqual(run(sending, { type: 'refused', reason: 'codec: no' }).reason, 'codec: no');
    assert.equal(run(sending, { type: 'refused', reason: 'no' }).state, 'Rejected');
    const unsent = run(sending, { type: 'unsent', reason: 'down' });
    assert.deepEqual([unsent.state, unsent.call], ['Sending', 'unsent']);
    assert.equal(run(unsent, { type: 'overdue', reason: 'late' }).state, 'Expired');
    assert.equal(run(unsent, { type: 'dispatching', expiry: EXPIRY }).attempts, 2);
    // While a call is out nobody may make a second one, or say that it is over.
    for (const input of [
      { type: 'dispatching', expiry: 1 },
      { type: 'overdue', reason: '' },
      { type: 'superseded', by: 'd' },
    ] as const)
      assert.equal(run(sending, input), sending);
  });

  test('what is unclear is decided by the queue', () => {
    const unclear = run(fresh(), { type: 'dispatching', expiry: EXPIRY }, { type: 'unclear', reason: 'lost' });
    assert.equal(run(unclear, { type: 'dispatching', expiry: 1 }), unclear);
    const found = run(unclear, { type: 'picture', items: [item({ id: 'x', expiry: 5 }), item()], conclusive: false });
    assert.deepEqual([found.state, found.queueItemId], ['Enqueued', 'i']);
    assert.equal(
      run(unclear, { type: 'picture', items: [item({ isPending: true })], conclusive: false }).state,
      'Transmitted',
    );
    assert.equal(run(unclear, { type: 'picture', items: [], conclusive: false }), unclear);
    const lost = run(unclear, { type: 'picture', items: [item({ hex: '02' })], conclusive: true, note: 'Hint.' });
    assert.equal(lost.state, 'Uncertain');
    assert.match(lost.reason, /Look at what the device reports.*Hint\./);
    // A storage that keeps milliseconds only.
    assert.equal(
      run(unclear, { type: 'picture', items: [item({ expiry: EXPIRY - 7 })], conclusive: false }).state,
      'Enqueued',
    );
    // Two that look alike are nobody's.
    assert.equal(run(unclear, { type: 'picture', items: [item(), item({ id: 'j' })], conclusive: false }), unclear);
    // An object goes through a codec, which may choose the port.
    const object = run(
      fresh({ payload: { kind: 'object', object: {} } }),
      { type: 'dispatching', expiry: EXPIRY },
      { type: 'unclear', reason: '' },
    );
    assert.equal(
      run(object, { type: 'picture', items: [item({ fPort: 5, hex: '07' })], conclusive: false }).state,
      'Enqueued',
    );
  });

  test('an item that vanished is Uncertain, or Cancelled if the queue was emptied; evidence decides later', () => {
    const gone: CommandInput = { type: 'picture', items: [], conclusive: true };
    const vanished = run(fresh(), ...sent, gone);
    assert.equal(vanished.state, 'Uncertain');
    assert.equal(run(vanished, event(txack('i', START))).state, 'Transmitted');
    assert.equal(run(vanished, event(logged('EXPIRED', { queue_item_id: 'i' }, START))).state, 'Expired');
    const flushed = run(fresh(), ...sent, { type: 'flushed', user: 'bob' }, gone);
    assert.equal(flushed.state, 'Cancelled');
    assert.match(flushed.reason, /bob/);
    const air = run(flushed, event(txack('i', START)));
    assert.deepEqual([air.state, air.endedAt], ['Transmitted', undefined]);
  });

  test('cancelling takes back only what is here', () => {
    const cancel: CommandInput = { type: 'cancel', user: 'bob' };
    assert.equal(run(fresh(), cancel).state, 'Cancelled');
    const sending = run(fresh(), { type: 'dispatching', expiry: EXPIRY }, cancel);
    assert.equal(sending.state, 'Sending');
    assert.equal(run(sending, { type: 'unsent', reason: 'down' }).state, 'Cancelled');
    assert.equal(run(sending, { type: 'accepted', queueItemId: 'i' }).state, 'Enqueued');
    const enqueued = run(fresh(), ...sent);
    assert.equal(run(enqueued, cancel), enqueued);
    assert.equal(run(fresh(), { type: 'superseded', by: 'd' }).state, 'Superseded');
  });

  test('the expected state decides, measured after the transmission and in time', () => {
    const transmitted = run(fresh({ expected, confirmed: false }), ...sent, event(txack('i', START)));
    assert.equal(transmitted.endedAt, undefined);
    const told = (values: object, time: number, more = {}): Command =>
      run(transmitted, { type: 'reading', reading: reading({ ...values }, time, more) });
    assert.equal(told({ p: 1 }, START + 1).state, 'Verified');
    assert.equal(told({ p: 1n }, START + 1).state, 'Verified');
    assert.equal(told({ p: true }, START + 1).state, 'Transmitted');
    assert.equal(told({ p: 1 }, START), transmitted);
    assert.equal(told({ p: 1 }, START + 600_001), transmitted);
    assert.equal(told({ q: 1 }, START + 1), transmitted);
    assert.equal(told({ p: 1 }, START + 1, { origin: 'metrics' }), transmitted);
    assert.equal(told({ p: 1 }, START + 1, { device: { devEui: OTHER } }), transmitted);
    const other = told({ p: 5 }, START + 1);
    assert.deepEqual([other.state, other.observed], ['Transmitted', 5]);
    const failed = run(other, { type: 'verification-over' });
    assert.deepEqual([failed.state, failed.failure], ['Failed', 'not-verified']);
    assert.match(failed.reason, /p = 1 within 600 s; p = 5/);
    assert.equal(run(failed, event(ack('i', true, START))).state, 'Failed');
    assert.match(run(transmitted, { type: 'verification-over' }).reason, /did not report p/);
    // Not acknowledged, but it did what it was told.
    const silent = run(fresh({ expected }), ...sent, event(txack('i', START)), event(ack('i', false, START)));
    assert.equal(run(silent, { type: 'reading', reading: reading({ p: 1 }, START + 5) }).state, 'Verified');
    assert.equal(run(silent, { type: 'reading', reading: reading({ p: 5 }, START + 5) }), silent);
  });

  const items = fc.array(fc.constantFrom(item(), item({ isPending: true }), item({ id: 'x', expiry: 3 })), {
    maxLength: 2,
  });
  const id = fc.constantFrom('i', 'i', 'x');
  const input: fc.Arbitrary<CommandInput> = fc.oneof(
    fc.constantFrom<CommandInput>(
      { type: 'dispatching', expiry: EXPIRY },
      { type: 'accepted', queueItemId: 'i' },
      { type: 'refused', reason: 'no' },
      { type: 'unsent', reason: 'down' },
      { type: 'unclear', reason: 'lost' },
      { type: 'overdue', reason: 'late' },
      { type: 'cancel', user: 'u' },
      { type: 'flushed', user: 'u' },
      { type: 'superseded', by: 'd' },
      { type: 'verification-over' },
    ),
    fc.boolean().map((isOver): CommandInput => ({ type: 'undecidable', reason: 'nobody knows', isOver })),
    fc.record({ type: fc.constant('picture' as const), items, conclusive: fc.boolean() }),
    id.map((of) => event(txack(of, START + 50))),
    fc.tuple(id, fc.boolean()).map(([of, good]) => event(ack(of, good, START + 60))),
    fc
      .tuple(id, fc.constantFrom('EXPIRED', 'DOWNLINK_PAYLOAD_SIZE', 'F_CNT_DOWN', 'DOWNLINK_GATEWAY'))
      .map(([of, code]) => event(logged(code, { queue_item_id: of }, START))),
    fc.integer({ min: 0, max: 2 }).map((p): CommandInput => ({ type: 'reading', reading: reading({ p }, START + 70) })),
  );
  const command = fc
    .record({ confirmed: fc.boolean(), isExpected: fc.boolean(), isSent: fc.boolean() })
    .map(({ confirmed, isExpected, isSent }) =>
      run(fresh({ confirmed, ...(isExpected ? { expected } : {}) }), ...(isSent ? sent : [])),
    );

  test('never goes back, gives each transition a reason, and is stored and read as it is', () => {
    const reached = new Set<string>();
    fc.assert(
      fc.property(command, fc.array(input, { maxLength: 25 }), (first, inputs) => {
        let known = first;
        for (const [index, next] of inputs.entries()) {
          const before = known;
          known = advance(known, next, START + index + 1);
          reached.add(known.state);
          assert.ok(COMMAND_STATES.includes(known.state));
          assert.ok(rankOf(known) >= rankOf(before), `${before.state} → ${known.state}`);
          if (known.state !== before.state) {
            assert.ok(rankOf(known) > rankOf(before), `${before.state} → ${known.state}`);
            assert.ok(known.transitions.length > before.transitions.length);
            assert.notEqual(known.reason, '');
          } else assert.equal(known.transitions, before.transitions);
          // A second call only where the first provably did not arrive.
          if (known.attempts > before.attempts) assert.ok(before.call === 'none' || before.call === 'unsent');
          // What is with ChirpStack is never said to be taken back or replaced here.
          if (known.state === 'Superseded' && before.state !== 'Superseded')
            assert.ok(before.call === 'none' || before.call === 'unsent');
          // Said twice is said once, but for the instant at which something was noted.
          const again = advance(known, next, START + index + 1);
          if (next.type !== 'dispatching')
            assert.deepEqual(
              [again.state, again.transitions, again.endedAt],
              [known.state, known.transitions, known.endedAt],
            );
        }
        assert.deepEqual(fromRecord(toRecord(known).body), known);
      }),
      // A refusal has to come right after its call: enough runs that it does.
      { numRuns: 10_000 },
    );
    assert.deepEqual([...reached].sort(), [...COMMAND_STATES].sort());
  });

  test('does not depend on the order in which events come', () => {
    const events = [txack('i', START + 1), ack('i', true, START + 2), txack('x', START), ack('x', false, START)].map(
      event,
    );
    fc.assert(
      fc.property(fc.shuffledSubarray([...events, ...events], { minLength: 8 }), (order) => {
        const end = run(run(fresh(), ...sent), ...order);
        assert.deepEqual([end.state, end.transmittedAt], ['Acknowledged', START + 1]);
      }),
    );
    const refused = [txack('i', START + 1), ack('i', false, START + 2)].map(event);
    fc.assert(
      fc.property(fc.shuffledSubarray([...refused, ...refused], { minLength: 4 }), (order) => {
        assert.equal(run(run(fresh(), ...sent), ...order).state, 'Failed');
      }),
    );
  });

  test('a record that cannot be read is no command', () => {
    for (const text of ['', '{', '{}', '7', JSON.stringify({ ...fresh(), state: 'Flying' })])
      assert.equal(fromRecord(text), undefined);
    const big = fresh({ parameters: { x: 2n ** 60n } });
    assert.deepEqual(fromRecord(toRecord(big).body), big);
  });
});
