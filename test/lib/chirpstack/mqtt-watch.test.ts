import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { isFromMqtt, MqttWatch, nodeStatusOf } from '../../../lib/chirpstack';
import { ManualClock } from '../../support/manual-clock';

const T = Date.UTC(2026, 10, 24, 12);

let clock: ManualClock;
let watch: MqttWatch;
beforeEach(() => {
  clock = new ManualClock(T);
  watch = new MqttWatch(clock);
});

/** What a `status` node sends about an `mqtt in` node. */
const shown = (word: string, id = 'in', type = 'mqtt in') => ({
  _msgid: '1',
  status: { fill: 'grey', shape: 'ring', text: `node-red:common.status.${word}`, source: { id, type, name: 'Events' } },
});
const tell = (...args: Parameters<typeof shown>): void =>
  watch.status(nodeStatusOf(shown(...args)) ?? assert.fail('no status'));

describe('MQTT', () => {
  test('is not in use while its node has not even tried to connect', () => {
    assert.equal(watch.health(), undefined);
    tell('disconnected');
    assert.equal(watch.health(), undefined);
  });

  test('is connected or not, since the change', async () => {
    tell('disconnected');
    tell('connecting');
    assert.deepEqual(watch.health(), { state: 'disconnected', since: T });
    await clock.advance(5_000);
    tell('connected');
    assert.deepEqual(watch.health(), { state: 'connected', since: T + 5_000 });
    await clock.advance(5_000);
    tell('connected');
    watch.received();
    assert.deepEqual(watch.health(), { state: 'connected', since: T + 5_000, lastEvent: T + 10_000 });
    tell('disconnected');
    await clock.advance(15_000);
    tell('connecting');
    tell('disconnected');
    assert.deepEqual(watch.health(), { state: 'disconnected', since: T + 10_000, lastEvent: T + 10_000 });
  });

  test('of several nodes is as good as the worst of them', () => {
    tell('connected', 'a');
    tell('connecting', 'b');
    assert.equal(watch.health()?.state, 'disconnected');
    tell('connected', 'b');
    assert.equal(watch.health()?.state, 'connected');
    tell('disconnected', 'a');
    assert.equal(watch.health()?.state, 'disconnected');
  });

  test('that brings an event is connected, whatever was missed', () => {
    watch.received();
    assert.deepEqual(watch.health(), { state: 'connected', since: T, lastEvent: T });
    tell('connecting');
    watch.received();
    assert.equal(watch.health()?.state, 'disconnected', 'what the node itself says is believed');
  });

  test('is not what other nodes say', () => {
    tell('disconnected', 'x', 'http in');
    tell('connected', 'x', 'http in');
    tell('whatever');
    assert.equal(watch.health(), undefined);
  });
});

describe('a status message', () => {
  test('is read by its text, else by its colour', () => {
    const stateOf = (status: object): string | undefined =>
      nodeStatusOf({ status: { ...status, source: { id: 'a', type: 'mqtt in' } } })?.state;
    assert.equal(stateOf({ fill: 'green', text: 'verbunden' }), 'connected');
    assert.equal(stateOf({ fill: 'yellow', text: 'wird verbunden' }), 'connecting');
    assert.equal(stateOf({ fill: 'red' }), 'disconnected');
    assert.equal(stateOf({ fill: 'green', text: 'disconnected' }), 'disconnected');
    assert.equal(stateOf({}), 'other');
    assert.equal(stateOf({ fill: 'blue', text: 'node-red:common.status.error' }), 'other');
  });

  test('is told from events', () => {
    for (const message of [{ payload: {} }, { status: 'connected' }, { status: { text: 'connected' } }, null])
      assert.equal(nodeStatusOf(message), undefined);
  });
});

test('what came by MQTT is known by what mqtt in adds', () => {
  assert.ok(isFromMqtt({ topic: 'application/1/device/2/event/up', qos: 0, retain: false }));
  assert.ok(!isFromMqtt({ topic: 'application/1/device/2/event/up' }));
  assert.ok(!isFromMqtt({ req: {}, payload: {} }));
});
