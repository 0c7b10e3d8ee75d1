import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { type EntryList, eventEntry, isQueryTopic, pagingOf, questionOf } from '../../../lib/admin';
import { type DeviceEvent, parseEventId } from '../../../lib/model';
import { Asking, eui, T } from './asking';

let asking: Asking;
beforeEach(async () => {
  asking = await Asking.start();
});
afterEach(() => asking.stop());

const join = (n: number, time: number, id: string): DeviceEvent => ({
  type: 'join',
  devAddr: '01020304',
  device: { devEui: eui(n), name: 'Hall' },
  time,
  replayed: false,
  eventId: parseEventId(id),
});

describe('events.list', () => {
  test('gives what happened, newest first, each event once, in pages', async () => {
    for (let index = 0; index < 5; index++) asking.store.record(eventEntry(join(1, T + index, `e${index}`)));
    asking.store.record(eventEntry(join(1, T, 'e0')));
    const { device, time, replayed } = join(2, T + 9, 'x');
    asking.store.record(
      eventEntry({ type: 'status', margin: 7, externalPower: false, batteryLevel: 50, device, time, replayed }),
    );
    await asking.store.settled();
    const pages = await asking.pages<EntryList>('events.list', { limit: 2 });
    assert.deepEqual(
      pages.flatMap(({ entries }) => entries.map((entry) => [entry.type, entry.devEui, entry.time - T])),
      [['status', eui(2), 9], ...[4, 3, 2, 1, 0].map((index) => ['join', eui(1), index])],
    );
    assert.deepEqual(pages[0]?.entries[0]?.details, {
      margin: 7,
      externalPower: false,
      batteryLevel: 50,
      replayed: false,
      device: { name: 'Hall' },
    });
    const some = await asking.result<EntryList>('events.list', {
      from: T + 1,
      to: T + 4,
      types: ['join'],
      devEui: eui(1),
    });
    assert.deepEqual(
      some.entries.map(({ time: at }) => at - T),
      [3, 2, 1],
    );
  });

  test('refuses what is no filter', async () => {
    assert.deepEqual(await asking.fields('events.list', { user: 'eve', limit: 0, from: 'x' }), [
      'payload.from',
      'payload.limit',
      'payload',
    ]);
    assert.deepEqual(await asking.fields('audit.list', { from: T, to: T }), ['payload.to']);
  });
});

describe('questions among messages', () => {
  test('are told by their topic', () => {
    assert.ok(isQueryTopic('history.raw'));
    for (const topic of ['Farm/Hall', '', undefined, 7, 'status.get', 'device-event']) assert.ok(!isQueryTopic(topic));
  });

  test('an answer that was wired back asks for the page behind it', () => {
    assert.deepEqual(questionOf({ devEui: 'x' }), { payload: { devEui: 'x' } });
    assert.deepEqual(questionOf(undefined), { payload: undefined });
    assert.deepEqual(questionOf({ values: [], complete: false, next: { limit: 1 } }), { payload: { limit: 1 } });
    assert.equal(questionOf({ values: [], complete: true }), undefined);
    assert.deepEqual(pagingOf({ values: [], complete: false, next: { limit: 1 } }), {
      complete: false,
      next: { limit: 1 },
    });
    assert.deepEqual(pagingOf({ file: 'a', complete: true }), { complete: true });
    assert.deepEqual(pagingOf('other'), { complete: true });
  });
});
