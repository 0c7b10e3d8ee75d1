import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fromRecord } from '../../../lib/commands';
import { CommandRefusedError, type Refusal } from '../../../lib/model';
import { ack, DEVICE, logged, OTHER, reading, restart, sent, statesOf, txack, world } from './support';

async function refusalOf(act: Promise<unknown>): Promise<CommandRefusedError> {
  try {
    await act;
  } catch (error) {
    assert.ok(error instanceof CommandRefusedError, String(error));
    return error;
  }
  return assert.fail('nothing was refused');
}

describe('a command', () => {
  test('is durable when it is taken, enqueued at once, and followed to its end', async () => {
    const it = await world();
    const { id } = await it.submit('confirmed', 7);
    assert.deepEqual(sent(it), ['07']);
    assert.equal(it.state(id), 'Enqueued');
    it.queue.receive(txack('item-1', it.clock.now()));
    it.queue.receive(ack('item-1', true, it.clock.now()));
    assert.deepEqual(statesOf(it.command(id)), ['Queued', 'Sending', 'Enqueued', 'Transmitted', 'Acknowledged']);
    assert.deepEqual(
      it.statuses.map(({ transition }) => transition?.state),
      statesOf(it.command(id)),
    );
    assert.deepEqual(
      it.log.flatMap(({ message }) => message?.match(/^Command confirmed \([\w-]+\) is (\w+): ./)?.[1] ?? []),
      statesOf(it.command(id)),
      'a line in the log for each transition, also where two come at once',
    );
    await it.clock.advance(0);
    assert.deepEqual(fromRecord(it.store.records.get(id)?.body ?? ''), it.command(id));
    assert.deepEqual(
      it.store.journal.map(({ type, user, devEui }) => [type, user, devEui]),
      [['command.send', 'anna', DEVICE]],
    );
    assert.deepEqual(it.queue.counts(), { queued: 0, sending: 0, enqueued: 0, awaiting: 0 });
    await Promise.all([it.queue.close(), it.clock.advance(5_000)]);
    assert.equal(it.clock.pendingTimers, 0);
  });

  test('takes one commit before the call and one after it', async () => {
    const it = await world();
    const { clock, store, queue } = it;
    let open = (): void => undefined;
    store.gate = new Promise((resolve) => {
      open = resolve;
    });
    const submitting = queue.submit({ devEui: DEVICE, name: 'plain', parameters: {}, user: '', source: 'test' });
    await clock.advance(10);
    assert.deepEqual(sent(it), [], 'nothing is sent that is not stored');
    open();
    const { id } = await submitting;
    await clock.advance(0);
    assert.deepEqual([store.commits, it.state(id)], [2, 'Enqueued']);
  });

  test('of which an event overtakes the reply is known by it all the same', async () => {
    const it = await world();
    it.downlinks.enqueue = () => {
      it.queue.receive(txack('quick', it.clock.now()));
      it.queue.receive(txack('foreign', it.clock.now()));
      return Promise.resolve({ kind: 'accepted', id: 'quick' });
    };
    const { id } = await it.submit('plain');
    assert.deepEqual(statesOf(it.command(id)), ['Queued', 'Sending', 'Enqueued', 'Transmitted']);
  });

  test('waits for its elders of the same device, not for other devices', async () => {
    const it = await world();
    it.downlinks.script.push('unsent');
    const first = await it.submit('plain', 1);
    const second = await it.submit('plain', 2);
    const other = await it.submit('plain', 3, { devEui: OTHER });
    assert.deepEqual([it.state(first.id), it.state(second.id), it.state(other.id)], ['Sending', 'Queued', 'Enqueued']);
    await it.clock.advance(2_000);
    assert.deepEqual(sent(it), ['03', '01', '02']);
    assert.equal(it.command(first.id).attempts, 2);
  });

  test('that did not arrive is tried again, later and later, until its deadline', async () => {
    const it = await world();
    it.downlinks.script.push(...Array.from({ length: 500 }, () => 'unsent' as const));
    const { id } = await it.submit('plain');
    await it.clock.advance(3_600_000);
    assert.equal(it.state(id), 'Expired');
    const { attempts } = it.command(id);
    assert.ok(attempts > 100 && attempts < 300, `${attempts} attempts`);
    assert.equal(it.downlinks.items.length, 0);
  });

  test('is tried at once when ChirpStack is back', async () => {
    const it = await world();
    it.downlinks.script.push('unsent', 'unsent', 'unsent', 'unsent', 'unsent', 'unsent');
    const { id } = await it.submit('plain');
    await it.clock.advance(40_000);
    it.downlinks.script.length = 0;
    it.downlinks.back();
    await it.clock.advance(0);
    assert.equal(it.state(id), 'Enqueued');
  });

  test('that ChirpStack refuses is Rejected with its text', async () => {
    const it = await world();
    it.downlinks.script.push('refused');
    const { id } = await it.submit('object');
    assert.deepEqual([it.state(id), it.command(id).reason], ['Rejected', 'it was refused']);
  });

  test('gives ChirpStack an expiry within its deadline that no other has', async () => {
    const it = await world();
    for (let x = 0; x < 5; x++) await it.submit('plain', x);
    const limit = (it.clock.now() + 3_600_000) * 1_000;
    const expiries = it.downlinks.enqueued.map(({ item }) => item.expiry);
    assert.ok(expiries.every((expiry) => expiry < limit && expiry > limit - 1_000_000));
    assert.equal(new Set(expiries.map((expiry) => Math.floor(expiry / 1_000))).size, 5);
    const now = it.clock.now();
    await it.submit('plain', 9, { devEui: OTHER, expiresAt: now + 5_000 });
    const short = it.downlinks.enqueued.at(-1)?.item.expiry ?? 0;
    assert.ok(short < (now + 5_000) * 1_000 && short > now * 1_000);
  });

  test('that expects a state is Verified by it, or fails after its time', async () => {
    const it = await world();
    const good = await it.submit('checked', 5);
    it.queue.receive(txack('item-1', it.clock.now()));
    it.queue.measure(reading({ position: 4.8 }, it.clock.now() + 1));
    assert.equal(it.state(good.id), 'Verified');
    const bad = await it.submit('checked', 5);
    it.queue.receive(txack('item-2', it.clock.now()));
    it.queue.measure(reading({ position: 2 }, it.clock.now() + 1));
    await it.clock.advance(599_000);
    assert.equal(it.state(bad.id), 'Transmitted');
    await it.clock.advance(2_000);
    assert.equal(it.state(bad.id), 'Failed');
    assert.match(it.command(bad.id).reason, /position = 2/);
  });

  test('is Verified also by a reading that overtook the report of its transmission', async () => {
    const it = await world();
    const { id } = await it.submit('checked', 5);
    const now = it.clock.now();
    it.queue.measure(reading({ position: 5 }, now));
    it.queue.measure(reading({ position: 5 }, now + 2));
    assert.equal(it.state(id), 'Enqueued');
    it.queue.receive(txack('item-1', now + 1));
    assert.equal(it.state(id), 'Verified');
    // What was measured before the transmission says nothing, and is not kept for another command.
    const next = await it.submit('checked', 5);
    it.queue.receive(txack('item-2', now + 3));
    assert.equal(it.state(next.id), 'Transmitted');
  });

  test('is Verified also by a reading that was measured in time and comes late', async () => {
    const it = await world();
    const { id } = await it.submit('checked', 5);
    const now = it.clock.now();
    it.queue.receive(txack('item-1', now));
    await it.clock.advance(601_000);
    assert.equal(it.state(id), 'Failed');
    it.queue.measure(reading({ position: 5 }, now + 601_000));
    assert.equal(it.state(id), 'Failed');
    it.queue.measure(reading({ position: 5 }, now + 10_000, { origin: 'replay' }));
    assert.equal(it.state(id), 'Verified');
  });

  test('is acknowledged twenty minutes later, and after a day no more', async () => {
    const it = await world();
    const { id } = await it.submit('confirmed');
    it.queue.receive(txack('item-1', it.clock.now()));
    it.downlinks.pend('item-1');
    await it.clock.advance(20 * 60_000);
    assert.equal(it.state(id), 'Transmitted');
    it.downlinks.take('item-1');
    await it.clock.advance(20 * 60_000);
    assert.notEqual(it.command(id).endedAt, undefined);
    it.queue.receive(ack('item-1', true, it.clock.now(), OTHER));
    it.queue.receive(ack('item-9', true, it.clock.now()));
    assert.equal(it.state(id), 'Transmitted');
    it.queue.receive(ack('item-1', true, it.clock.now()));
    assert.equal(it.state(id), 'Acknowledged');
    await it.clock.advance(25 * 3_600_000);
    assert.equal(it.queue.command(id), undefined);
    assert.equal(it.queue.commands().length, 0);
  });

  test('is expected at the next uplink of class A, now of class C', async () => {
    const it = await world();
    const now = it.clock.now();
    it.devices.set(DEVICE, {
      devEui: DEVICE,
      deviceClass: 'A',
      isDisabled: false,
      lastSeenAt: now - 70_000,
      uplinkInterval: 60_000,
    });
    const a = it.queue.status(await it.submit('plain').catch(async () => it.submit('plain', 1, { devEui: OTHER })));
    assert.deepEqual(a.expectation, { when: 'next-uplink' });
    it.devices.set(OTHER, {
      devEui: OTHER,
      deviceClass: 'A',
      isDisabled: false,
      lastSeenAt: now - 70_000,
      uplinkInterval: 60_000,
    });
    assert.deepEqual(it.queue.status(a.command).expectation, { when: 'next-uplink', at: now + 50_000 });
    it.devices.set(OTHER, { devEui: OTHER, deviceClass: 'C', isDisabled: false });
    assert.deepEqual(it.queue.status(a.command).expectation, { when: 'now' });
    it.queue.receive(txack('item-1', now, OTHER));
    assert.equal(it.queue.status(it.command(a.command.id)).expectation, undefined);
  });

  test('is told when a gateway could not send it', async () => {
    const it = await world();
    const { id } = await it.submit('plain');
    const second = await it.submit('plain');
    it.queue.receive(logged('DOWNLINK_GATEWAY', {}, it.clock.now(), 'TOO_LATE'));
    assert.match(it.command(id).reason, /TOO_LATE/);
    assert.doesNotMatch(it.command(second.id).reason, /TOO_LATE/);
    assert.equal(it.statuses.at(-1)?.transition, undefined);
  });
});

describe('a request is refused', () => {
  for (const [refusal, name, more, change] of [
    ['unknown-device', 'plain', { devEui: '0909090909090909' }, undefined],
    ['unknown-command', 'other', {}, undefined],
    ['device-disabled', 'plain', {}, { isDisabled: true }],
    ['no-codec', 'object', {}, { hasCodec: false }],
    ['bad-parameter', 'plain', { parameters: { x: 256 } }, undefined],
    ['bad-parameter', 'plain', { id: 'a b' }, undefined],
    ['not-permitted', 'locked', { roles: ['Operator'] }, undefined],
    ['expired', 'plain', { expiresAt: 1 }, undefined],
  ] as const)
    test(`with ${refusal}`, async () => {
      const it = await world();
      const device = it.devices.get(DEVICE);
      if (device !== undefined && change !== undefined) it.devices.set(DEVICE, { ...device, ...change });
      const error = await refusalOf(it.submit(name, 1, more as object));
      assert.equal(error.refusal, refusal satisfies Refusal);
      assert.ok(error.faults.every(({ field, rule, cure }) => field !== '' && rule !== '' && cure !== ''));
      assert.equal(it.store.commits, 0);
      assert.deepEqual(sent(it), []);
    });

  test('before the start and after the end', async () => {
    const it = await world();
    await Promise.all([it.queue.close(), it.clock.advance(5_000)]);
    assert.equal((await refusalOf(it.submit('plain'))).refusal, 'not-ready');
    await it.queue.close();
  });

  test('beyond its rate', async () => {
    const it = await world();
    await it.submit('rated');
    await it.submit('rated');
    await it.submit('rated', 1, { devEui: OTHER });
    const error = await refusalOf(it.submit('rated'));
    assert.equal(error.refusal, 'rate-limited');
    assert.match(error.faults[0]?.cure ?? '', /60 s/);
    const later = await restart(it);
    assert.equal((await refusalOf(later.submit('rated'))).refusal, 'rate-limited');
    await later.clock.advance(60_000);
    await later.submit('rated');
  });

  test('while an older one is pending, if so defined', async () => {
    const it = await world();
    const [first, second] = await Promise.allSettled([it.submit('reject'), it.submit('reject')]);
    assert.deepEqual([first.status, second.status], ['fulfilled', 'rejected']);
    assert.equal((await refusalOf(it.submit('reject'))).refusal, 'pending');
    it.queue.receive(txack('item-1', it.clock.now()));
    await it.submit('reject');
  });

  test('when too many wait', async () => {
    const it = await world();
    await Promise.all(Array.from({ length: 20 }, () => it.submit('plain')));
    assert.equal((await refusalOf(it.submit('plain'))).refusal, 'overflow');
  });

  test('until it is asked for twice', async () => {
    const it = await world();
    const first = await refusalOf(it.submit('twice', 3));
    assert.equal(first.refusal, 'confirmation-needed');
    const token = first.confirmation ?? '';
    assert.equal((await refusalOf(it.submit('twice', 4, { confirmation: token }))).refusal, 'confirmation-needed');
    assert.equal(
      (await refusalOf(it.submit('twice', 3, { confirmation: token, user: 'bob' }))).refusal,
      'confirmation-needed',
    );
    await it.submit('twice', 3, { confirmation: token });
    assert.equal((await refusalOf(it.submit('twice', 3, { confirmation: token }))).refusal, 'confirmation-needed');
    const late = (await refusalOf(it.submit('twice', 3))).confirmation ?? '';
    await it.clock.advance(61_000);
    assert.equal((await refusalOf(it.submit('twice', 3, { confirmation: late }))).refusal, 'confirmation-needed');
    assert.deepEqual(sent(it), ['03']);
  });

  test('but an own id twice is one command', async () => {
    const it = await world();
    const [a, b] = await Promise.all([it.submit('plain', 1, { id: 'mine' }), it.submit('plain', 1, { id: 'mine' })]);
    assert.equal(a.id, b.id);
    await it.submit('plain', 1, { id: 'mine' });
    assert.deepEqual(sent(it), ['01']);
    assert.equal((await refusalOf(it.submit('confirmed', 1, { id: 'mine' }))).refusal, 'duplicate-id');
  });

  test('if it cannot be stored, and then never sent', async () => {
    const it = await world();
    it.store.fault = new Error('disk full');
    await assert.rejects(it.submit('plain', 1, { id: 'mine' }), /disk full/);
    await assert.rejects(it.submit('plain', 2), /disk full/);
    it.store.fault = undefined;
    await it.clock.advance(5_000);
    assert.deepEqual(sent(it), []);
    assert.equal(it.store.records.size, 0);
    await it.submit('plain', 3, { id: 'mine' });
    assert.deepEqual(sent(it), ['03']);
    assert.equal(it.store.records.size, 1);
    assert.equal(it.log.filter(({ level }) => level === 'error').length, 1);
  });
});

describe('taking back', () => {
  test('is possible before the call, and the answer says when it is not', async () => {
    const it = await world();
    it.downlinks.script.push('unsent');
    const first = await it.submit('plain', 1);
    const second = await it.submit('plain', 2);
    assert.deepEqual((await it.queue.cancel(second.id, 'bob')).done, true);
    assert.match(it.command(second.id).reason, /bob/);
    await it.clock.advance(2_000);
    const enqueued = await it.queue.cancel(first.id, 'bob');
    assert.deepEqual([enqueued.done, enqueued.command?.state], [false, 'Enqueued']);
    assert.match(enqueued.text, /flush/);
    it.queue.receive(txack('item-1', it.clock.now()));
    assert.match((await it.queue.cancel(first.id, 'bob')).text, /has been sent/);
    assert.match((await it.queue.cancel(second.id, 'bob')).text, /Taken back/);
    assert.equal((await it.queue.cancel('none', 'bob')).done, false);
    assert.equal(it.store.journal.filter(({ type }) => type === 'command.cancel').length, 4);
    assert.deepEqual(sent(it), ['01']);
  });

  test('a call under way is not tried again', async () => {
    const it = await world();
    let answer = (): void => undefined;
    it.downlinks.enqueue = () =>
      new Promise((resolve) => {
        answer = () => resolve({ kind: 'unsent', reason: 'no' });
      });
    const { id } = await it.submit('plain');
    assert.deepEqual((await it.queue.cancel(id, 'bob')).done, false);
    answer();
    await it.clock.advance(60_000);
    assert.deepEqual([it.state(id), it.command(id).attempts], ['Cancelled', 1]);
  });

  test('of all of a device empties the queue of ChirpStack', async () => {
    const it = await world();
    const first = await it.submit('confirmed', 1);
    const second = await it.submit('plain', 2);
    it.queue.receive(txack('item-1', it.clock.now()));
    it.downlinks.pend('item-1');
    it.downlinks.script.push('unsent');
    const third = await it.submit('plain', 3);
    const flushed = await it.queue.flush(DEVICE, 'bob');
    assert.deepEqual([flushed.done, flushed.items], [true, 2]);
    assert.deepEqual(flushed.cancelled.toSorted(), [second.id, third.id].toSorted());
    assert.deepEqual(flushed.beyond, [first.id]);
    assert.match(flushed.text, /1 of its items had been sent/);
    await it.clock.advance(60_000);
    assert.deepEqual(
      [first, second, third].map(({ id }) => it.state(id)),
      ['Transmitted', 'Cancelled', 'Cancelled'],
    );
    assert.notEqual(it.command(first.id).endedAt, undefined);
  });

  test('says so when ChirpStack does not do it', async () => {
    const it = await world();
    const { id } = await it.submit('plain');
    it.downlinks.flushFault = 'refused';
    const flushed = await it.queue.flush(DEVICE, '');
    assert.deepEqual([flushed.done, flushed.cancelled], [false, []]);
    assert.match(flushed.text, /not now/);
    assert.equal(it.command(id).flushedBy, undefined);
  });

  test('a newer one takes the place of older ones that are still here', async () => {
    const it = await world();
    it.downlinks.script.push('unsent', 'unsent');
    const ids = [];
    for (const x of [1, 2, 3]) ids.push((await it.submit('replace', x)).id);
    await it.clock.advance(2_000);
    assert.deepEqual(
      ids.map((id) => it.state(id)),
      ['Superseded', 'Superseded', 'Enqueued'],
    );
    assert.deepEqual(sent(it), ['03']);
    await it.submit('replace', 4);
    assert.deepEqual(sent(it), ['03', '04'], 'what is with ChirpStack stays there');
  });
});
