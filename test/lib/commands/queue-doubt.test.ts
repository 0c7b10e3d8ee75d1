import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fromRecord } from '../../../lib/commands';
import { ManualClock } from '../../support/manual-clock';
import { ack, crash, DEVICE, logged, reading, restart, sent, statesOf, txack, world } from './support';

describe('what is in doubt', () => {
  test('a lost reply is found in the queue, not sent again', async () => {
    const it = await world();
    it.downlinks.script.push('lost');
    const { id } = await it.submit('plain', 1);
    await it.submit('plain', 2);
    assert.deepEqual(sent(it), ['01', '02']);
    assert.deepEqual([it.state(id), it.command(id).queueItemId], ['Enqueued', 'item-1']);
  });

  for (const kind of ['unclear', 'throws'] as const)
    test(`a call that ${kind === 'unclear' ? 'left no trace' : 'throws'} ends as Uncertain, and the next goes on`, async () => {
      const it = await world();
      it.downlinks.script.push(kind);
      const { id } = await it.submit('plain', 1);
      const next = await it.submit('plain', 2);
      assert.equal(it.state(id), 'Sending');
      await it.clock.advance(10_000);
      assert.deepEqual([it.state(id), it.state(next.id)], ['Sending', 'Queued']);
      await it.clock.advance(10_000);
      assert.deepEqual([it.state(id), it.state(next.id)], ['Uncertain', 'Enqueued']);
      assert.equal(it.command(id).attempts, 1);
      assert.match(it.command(id).reason, /Look at what the device reports/);
    });

  test('a frame of somebody unknown is told of as a hint', async () => {
    const it = await world();
    it.downlinks.script.push('unclear');
    const { id } = await it.submit('plain');
    it.queue.receive(txack('who', it.clock.now()));
    await it.clock.advance(20_000);
    assert.match(it.command(id).reason, /\(who\)/);
  });

  test('nothing is decided while ChirpStack cannot be asked', async () => {
    const it = await world();
    it.downlinks.script.push('lost');
    it.downlinks.queueFault = 'unavailable';
    const { id } = await it.submit('plain', 1);
    await it.clock.advance(3 * 3_600_000);
    assert.equal(it.state(id), 'Sending');
    it.downlinks.queueFault = undefined;
    it.downlinks.back();
    await it.clock.advance(0);
    assert.equal(it.state(id), 'Enqueued');
  });

  test('a crash during the call is decided by the queue', async () => {
    const it = await world();
    it.downlinks.script.push('hangs');
    const { id } = await it.submit('plain', 1);
    assert.equal(it.state(id), 'Sending');
    const later = await crash(it);
    assert.equal(later.state(id), 'Sending');
    await later.clock.advance(20_000);
    assert.equal(later.state(id), 'Uncertain');
    assert.deepEqual(sent(it), []);
  });

  test('a crash between the call and its record is decided by the queue', async () => {
    const it = await world();
    const { store } = it;
    const enqueue = it.downlinks.enqueue.bind(it.downlinks);
    it.downlinks.enqueue = async (...call) => {
      const result = await enqueue(...call);
      store.fault = new Error('the power is gone');
      return result;
    };
    const { id } = await it.submit('plain', 1);
    assert.equal(it.state(id), 'Enqueued');
    const closing = it.queue.close();
    await it.clock.advance(6_000);
    await closing;
    store.fault = undefined;
    const later = await world({ store, downlinks: it.downlinks, clock: new ManualClock(it.clock.now()) });
    assert.deepEqual([later.state(id), later.command(id).queueItemId], ['Enqueued', 'item-1']);
    assert.deepEqual(statesOf(later.command(id)), ['Queued', 'Sending', 'Enqueued']);
    assert.deepEqual(sent(it), ['01']);
  });

  test('what cannot be stored before the call is not called', async () => {
    const it = await world();
    it.downlinks.script.push('unsent');
    const { id } = await it.submit('plain');
    it.store.fault = new Error('disk full');
    await it.clock.advance(60_000);
    assert.deepEqual(sent(it), []);
    assert.match(it.command(id).reason, /disk full/);
    it.store.fault = undefined;
    await it.clock.advance(60_000);
    assert.equal(it.state(id), 'Enqueued');
  });

  test('an item that vanished is Uncertain after a while, and events still decide', async () => {
    const it = await world();
    const { id } = await it.submit('plain');
    it.downlinks.take('item-1');
    await it.clock.advance(60_000);
    assert.equal(it.state(id), 'Uncertain');
    it.queue.receive(txack('item-1', it.clock.now()));
    assert.equal(it.state(id), 'Transmitted');
  });

  test('a deleted device takes its queue with it', async () => {
    const it = await world();
    const { id } = await it.submit('plain');
    it.downlinks.queueFault = 'gone';
    await it.clock.advance(60_000);
    assert.equal(it.state(id), 'Uncertain');
    assert.match(it.command(id).reason, /does not show the device/);
  });

  test('a deadline that passes while ChirpStack has it is told, once; ChirpStack then discards it', async () => {
    const it = await world();
    const { id } = await it.submit('plain');
    await it.clock.advance(3_601_000);
    assert.equal(it.state(id), 'Enqueued');
    assert.match(it.command(id).reason, /deadline has passed/);
    const changes = it.statuses.length;
    await it.clock.advance(3_600_000);
    assert.equal(it.statuses.length, changes);
    it.queue.receive(logged('EXPIRED', { queue_item_id: 'item-1' }, it.clock.now()));
    assert.equal(it.state(id), 'Expired');
  });

  test('a queue that was said to be emptied but was not takes nothing back', async () => {
    const it = await world();
    const { id } = await it.submit('plain');
    it.downlinks.flushFault = 'unclear';
    const flushed = await it.queue.flush(DEVICE, 'bob');
    assert.deepEqual([flushed.done, flushed.cancelled], [false, []]);
    assert.equal(it.command(id).flushedBy, 'bob');
    await it.clock.advance(1_000);
    assert.deepEqual([it.state(id), it.command(id).flushedBy], ['Enqueued', undefined]);
  });

  test('an uplink or a join makes it look sooner', async () => {
    const it = await world();
    await it.submit('plain');
    await it.clock.advance(120_000);
    const before = it.downlinks.looks;
    it.queue.measure(reading({}, it.clock.now()));
    await it.clock.advance(16_000);
    assert.equal(it.downlinks.looks, before + 1);
    it.queue.receive({ type: 'join', device: { devEui: DEVICE }, time: 1, replayed: false, devAddr: '' });
    await it.clock.advance(16_000);
    assert.equal(it.downlinks.looks, before + 2);
  });

  test('a device that sleeps for days costs few looks', async () => {
    const it = await world();
    await it.submit('plain');
    await it.clock.advance(24 * 3_600_000);
    assert.ok(it.downlinks.looks < 160, `${it.downlinks.looks} looks`);
  });
});

describe('restarts and outages', () => {
  test('go on with what waits, in order', async () => {
    const it = await world();
    it.downlinks.script.push(...Array.from({ length: 9 }, () => 'unsent' as const));
    for (const x of [1, 2, 3]) await it.submit('plain', x);
    const later = await restart(it);
    later.downlinks.script.length = 0;
    await later.clock.advance(60_000);
    assert.deepEqual(sent(it), ['01', '02', '03']);
    await later.submit('plain', 4);
    const sequences = later.queue.commands(DEVICE).map(({ sequence }) => sequence);
    assert.deepEqual(sequences, [1, 2, 3, 4]);
  });

  test('believe events that come after a restart', async () => {
    const it = await world();
    const { id } = await it.submit('both', 5);
    const later = await restart(it);
    later.queue.receive({ ...txack('item-1', later.clock.now()), replayed: true });
    later.queue.receive({ ...txack('item-1', later.clock.now()), replayed: true });
    const last = await restart(later);
    last.queue.receive(ack('item-1', true, last.clock.now()));
    last.queue.measure(reading({ position: 5 }, last.clock.now()));
    assert.deepEqual(statesOf(last.command(id)), [
      'Queued',
      'Sending',
      'Enqueued',
      'Transmitted',
      'Acknowledged',
      'Verified',
    ]);
  });

  test('an outage longer than the deadline ends as Expired, never sent', async () => {
    const it = await world();
    it.downlinks.script.push('unsent');
    const { id } = await it.submit('plain');
    const later = await restart(it, it.clock.now() + 2 * 3_600_000);
    assert.equal(later.state(id), 'Expired');
    await later.clock.advance(60_000);
    assert.deepEqual(sent(it), []);
  });

  test('steps of the wall clock change nothing', async () => {
    for (const step of [-7_200_000, 7_200_000]) {
      const it = await world();
      it.downlinks.script.push(...Array.from({ length: 1_000 }, () => 'unsent' as const));
      const { id } = await it.submit('plain');
      it.clock.step(step);
      await it.clock.advance(3_500_000);
      assert.equal(it.state(id), 'Sending');
      const kept = fromRecord(it.store.records.get(id)?.body ?? '');
      assert.ok((kept?.age ?? 0) > 3_400_000, 'the age is known after a restart');
      await it.clock.advance(200_000);
      assert.equal(it.state(id), 'Expired');
    }
  });

  test('a clock that went back while the gateway was down makes nothing young', async () => {
    const it = await world();
    it.downlinks.script.push('unsent');
    const { id } = await it.submit('plain');
    const later = await restart(it, it.clock.now() - 600_000);
    assert.equal(later.state(id), 'Expired');
    assert.match(later.command(id).reason, /clock was set back/);
  });

  test('a bad record does not stop the others', async () => {
    const it = await world();
    it.downlinks.script.push('unsent');
    const { id } = await it.submit('plain');
    it.store.records.set('bad', {
      kind: 'command',
      id: 'bad',
      devEui: DEVICE,
      state: 'Queued',
      createdAt: 1,
      changedAt: 1,
      endedAt: undefined,
      body: '{"',
    });
    const later = await restart(it);
    await later.clock.advance(10_000);
    assert.equal(later.state(id), 'Enqueued');
    assert.ok(later.log.some(({ reason }) => reason === 'corrupt'));
  });

  test('the start may be tried again', async () => {
    const it = await world();
    await Promise.all([it.queue.close(), it.clock.advance(5_000)]);
    it.store.fault = new Error('locked');
    await assert.rejects(world({ store: it.store }), /locked/);
  });

  test('closing gives up calls within 5 s, and says what is unclear', async () => {
    const it = await world();
    it.downlinks.script.push('hangs');
    const { id } = await it.submit('plain');
    const closing = it.queue.close();
    await it.clock.advance(5_000);
    await closing;
    assert.equal(fromRecord(it.store.records.get(id)?.body ?? '')?.call, 'unclear');
  });

  test('many devices at once share few calls', async () => {
    const it = await world();
    let running = 0;
    let most = 0;
    it.downlinks.enqueue = async () => {
      most = Math.max(most, ++running);
      await new Promise<void>((resolve) => setImmediate(resolve));
      running--;
      return { kind: 'accepted', id: `${Math.random()}` };
    };
    const eui = (index: number) => `03030303030303${(16 + index).toString(16)}` as typeof DEVICE;
    for (let index = 0; index < 100; index++)
      it.devices.set(eui(index), { ...(it.devices.get(DEVICE) ?? assert.fail()), devEui: eui(index) });
    const commands = await Promise.all(
      Array.from({ length: 100 }, (_, index) => it.submit('plain', 1, { devEui: eui(index) })),
    );
    for (let turn = 0; turn < 200 && it.queue.counts().enqueued < 100; turn++) await it.clock.advance(0);
    assert.ok(commands.every(({ id }) => it.state(id) === 'Enqueued'));
    assert.equal(most, 6);
    assert.ok(it.store.commits < 250, `${it.store.commits} commits`);
  });
});
