import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DownlinkMessage, MessageDownlinks, queueItemIdOf, toRecord } from '../../../lib/commands';
import { DEVICE, type FakeDownlinks, txack, world } from './support';

/** A queue whose downlinks are messages. */
async function messaging(send: (message: DownlinkMessage) => void) {
  const downlinks = new MessageDownlinks(send);
  return world({ downlinks: downlinks as object as FakeDownlinks });
}

test('commands as messages carry an id by which events name them, and say no more than is known', async () => {
  const messages: DownlinkMessage[] = [];
  const it = await messaging((message) => messages.push(message));
  const { id } = await it.submit('confirmed', 7);
  const own = await it.submit('object', 1, { id: 'mine' });
  assert.deepEqual(messages[0], {
    id,
    devEui: DEVICE,
    confirmed: true,
    fPort: 10,
    data: 'Bw==',
    expiresAt: messages[0]?.expiresAt,
  });
  assert.match(messages[0]?.expiresAt ?? '', /^2026-11-24T12:59:59\.\d{6}Z$/);
  assert.deepEqual(messages[1]?.object, { v: 7 });
  assert.match(messages[1]?.id ?? '', /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(messages[1]?.id, queueItemIdOf(own.id));
  assert.equal(it.state(id), 'Enqueued');
  assert.match(it.command(id).reason, /events tell/);
  await it.clock.advance(600_000);
  assert.equal(it.state(id), 'Enqueued');
  it.queue.receive(txack(messages[1]?.id ?? '', it.clock.now()));
  assert.equal(it.state(own.id), 'Transmitted');
  const flushed = await it.queue.flush(DEVICE, '');
  assert.deepEqual([flushed.done, flushed.items], [false, undefined]);
});

test('a message of which nobody knows whether it went out is Uncertain, and the next goes on', async () => {
  const it = await messaging(() => undefined);
  const command = { ...(await it.submit('plain')), state: 'Sending' as const, call: 'open' as const };
  await Promise.all([it.queue.close(), it.clock.advance(6_000)]);
  const { endedAt: _endedAt, queueItemId: _queueItemId, ...crashed } = command;
  it.store.records.set(command.id, toRecord(crashed));
  const later = await world({ store: it.store, downlinks: it.downlinks, clock: it.clock });
  assert.equal(later.state(command.id), 'Uncertain');
  assert.equal(later.state((await later.submit('plain')).id), 'Enqueued');
});

test('a message that cannot be handed over is tried again', async () => {
  let isBroken = true;
  const it = await messaging(() => {
    if (isBroken) throw new Error('no broker');
  });
  const { id } = await it.submit('plain');
  assert.match(it.command(id).reason, /no broker/);
  isBroken = false;
  await it.clock.advance(5_000);
  assert.equal(it.state(id), 'Enqueued');
});

test('a message of which no event ever tells does not wait for ever', async () => {
  const messages: DownlinkMessage[] = [];
  const it = await messaging((message) => messages.push(message));
  const lost = await it.submit('confirmed', 7);
  const sent = await it.submit('confirmed', 8);
  it.queue.receive(txack(messages[1]?.id ?? '', it.clock.now()));
  await it.clock.advance(3_600_000 + 60_000);
  assert.equal(it.state(lost.id), 'Enqueued');
  assert.match(it.command(lost.id).reason, /deadline has passed/);
  await it.clock.advance(3_600_000 + 600_000);
  assert.equal(it.state(lost.id), 'Uncertain');
  assert.match(it.command(lost.id).reason, /no event told.*Look at what the device reports/);
  assert.equal(it.state(sent.id), 'Transmitted');
  assert.notEqual(it.command(sent.id).endedAt, undefined);
  assert.deepEqual(it.queue.counts(), { queued: 0, sending: 0, enqueued: 0, awaiting: 0 });
  // Late evidence is believed all the same.
  it.queue.receive(txack(messages[0]?.id ?? '', it.clock.now()));
  assert.equal(it.state(lost.id), 'Transmitted');
});
