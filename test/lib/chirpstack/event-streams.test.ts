import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { CallFailure, ConnectionStatus, EventStreamListener } from '../../../lib/chirpstack';
import { classifyFailure } from '../../../lib/chirpstack/call-failure';
import { EventStreams, type StreamSource } from '../../../lib/chirpstack/event-streams';
import type { StreamItem } from '../../../lib/chirpstack/replies';
import { type DevEui, parseDevEui } from '../../../lib/model';
import { capturedLogger } from '../../support/captured-logger';
import { ManualClock } from '../../support/manual-clock';
import { eui } from './fake-chirpstack';

const deviceNumber = (number: number): DevEui => parseDevEui(eui(number));
const BROKEN = classifyFailure(14, 'Connection dropped', 'a');
const GONE = classifyFailure(16, '', 'a');

/** A connection whose streams answer when the test says so. */
class ScriptedSource implements StreamSource {
  generation = 0;
  readonly opened: DevEui[] = [];
  readonly open = new Map<DevEui, EventStreamListener>();
  readonly reported: CallFailure[] = [];
  cancelled = 0;
  onReport: () => void = () => undefined;
  #state: ConnectionStatus['state'] = 'connecting';
  readonly #listeners = new Set<(status: ConnectionStatus) => void>();

  state(): ConnectionStatus {
    return { state: this.#state, since: 0, reason: '', cure: '' };
  }
  onState(listener: (status: ConnectionStatus) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
  become(state: ConnectionStatus['state']): void {
    this.#state = state;
    for (const listener of this.#listeners) listener(this.state());
  }
  report(failure: CallFailure): void {
    this.reported.push(failure);
    this.onReport();
  }
  openEventStream(devEui: DevEui, listener: EventStreamListener) {
    this.opened.push(devEui);
    let confirmed = false;
    this.open.set(devEui, {
      ...listener,
      onOpen: () => {
        if (!confirmed) listener.onOpen();
        confirmed = true;
      },
    });
    return {
      cancel: () => {
        this.cancelled++;
        this.open.delete(devEui);
      },
    };
  }
  confirmAll(): void {
    for (const listener of this.open.values()) listener.onOpen();
  }
  endAll(failure?: CallFailure): void {
    const ending = [...this.open.values()];
    this.open.clear();
    for (const listener of ending) listener.onEnd(failure);
  }
}

function setUp(maximum = 10_000) {
  const source = new ScriptedSource();
  const clock = new ManualClock();
  const { logger, entries } = capturedLogger('chirpstack');
  const items: { devEui: DevEui; item: StreamItem; replayed: boolean }[] = [];
  const failures: CallFailure[] = [];
  const streams = new EventStreams({
    source,
    clock,
    random: () => 0.5,
    logger,
    maximum,
    onItem: (devEui, item, replayed) => items.push({ devEui, item, replayed }),
    onFailure: (failure) => failures.push(failure),
    onChange: () => undefined,
  });
  const devices = (count: number): DevEui[] => Array.from({ length: count }, (_, index) => deviceNumber(index + 1));
  /** Confirms what is opened while time passes. */
  const pass = async (milliseconds: number, step = 50): Promise<void> => {
    for (let passed = 0; passed < milliseconds; passed += step) {
      await clock.advance(step);
      source.confirmAll();
    }
  };
  return { source, clock, entries, items, failures, streams, devices, pass };
}

const item = (id: string, time: number): StreamItem => ({ id, time, type: 'up', body: '{}' });

describe('event streams', () => {
  test('wait for the server and then open in bursts', async () => {
    const { source, clock, streams, devices } = setUp();
    streams.setDevices(devices(1_000));
    await clock.advance(5_000);
    assert.equal(source.opened.length, 0);
    source.become('connected');
    await clock.advance(0);
    assert.equal(source.opened.length, 50);
    assert.equal(streams.open, 0);
    assert.equal(streams.wanted, 1_000);
  });

  test('a thousand are all open within seconds, with never more than a hundred unanswered', async () => {
    const { source, streams, devices, pass } = setUp();
    source.become('connected');
    streams.setDevices(devices(1_000));
    await pass(5_500);
    assert.equal(streams.open, 1_000);
    assert.equal(source.opened.length, 1_000);
  });

  test('follow the devices: new ones open at once, those that are gone close', async () => {
    const { source, streams, devices, pass } = setUp();
    source.become('connected');
    streams.setDevices(devices(2));
    await pass(100);
    streams.setDevices([deviceNumber(2), deviceNumber(3)]);
    await pass(100);
    assert.deepEqual(source.opened, [1, 2, 3].map(deviceNumber));
    assert.equal(source.cancelled, 1);
    assert.equal(streams.open, 2);
    assert.ok(!streams.has(deviceNumber(1)));
    assert.notEqual(streams.openSince(deviceNumber(3)), undefined);
  });

  test('pass each item on once and tell history from news', async () => {
    const { source, clock, streams, items, devices, pass } = setUp();
    source.become('connected');
    streams.setDevices(devices(1));
    const opened = clock.now();
    await pass(50);
    const listener = source.open.get(deviceNumber(1));
    listener?.onItem(item('1-0', opened - 1));
    listener?.onItem(item('1-0', opened - 1));
    listener?.onItem(item('2-0', opened + 1));
    listener?.onItem(item('', opened + 2));
    listener?.onItem(item('', opened + 2));
    assert.deepEqual(
      items.map(({ replayed }) => replayed),
      [true, false, false, false],
    );
    assert.ok(streams.isFirst(deviceNumber(1), 'up:x'));
    assert.ok(!streams.isFirst(deviceNumber(1), 'up:x'));
    assert.ok(streams.isFirst(deviceNumber(9), 'up:x'));

    source.endAll();
    await pass(2_000);
    source.open.get(deviceNumber(1))?.onItem(item('2-0', opened + 1));
    assert.equal(items.length, 4, 'what a new stream replays is known');
  });

  test('when the server is down nobody tries until the probe has found it, then all open at once', async () => {
    const { source, clock, streams, devices, entries, pass } = setUp();
    source.become('connected');
    streams.setDevices(devices(200));
    await pass(2_000);
    source.onReport = () => source.become('disconnected');
    source.endAll(BROKEN);
    assert.equal(streams.open, 0);
    source.onReport = () => undefined;
    await clock.advance(3_600_000);
    assert.equal(source.opened.length, 200, 'an hour down, not one attempt');
    source.become('connected');
    await clock.advance(0);
    assert.equal(source.opened.length, 250);
    await pass(1_500);
    assert.equal(streams.open, 200);
    assert.equal(source.opened.length, 400);
    const told = entries.filter(({ event }) => event === 'lost' || event === 'recovered');
    assert.deepEqual(
      told.map(({ event }) => event),
      ['lost', 'recovered'],
    );
  });

  test('when a living server drops streams each comes back by itself, ever later', async () => {
    const { source, clock, streams, devices, failures } = setUp();
    source.become('connected');
    streams.setDevices(devices(1));
    await clock.advance(0);
    const attempts: number[] = [];
    for (let attempt = 0; attempt < 8; attempt++) {
      source.endAll(BROKEN);
      const before = clock.monotonic();
      const count = source.opened.length;
      while (source.opened.length === count) await clock.advance(50);
      attempts.push(clock.monotonic() - before);
    }
    assert.ok(
      attempts.every((delay, index) => index === 0 || delay >= (attempts[index - 1] ?? 0)),
      attempts.join(),
    );
    assert.ok(attempts.every((delay) => delay <= 31_000));
    assert.ok((attempts[0] ?? 0) <= 1_300);
    assert.equal(failures.length, 8);
    // A stream that held for a while was a good one.
    source.confirmAll();
    await clock.advance(60_000);
    source.endAll(BROKEN);
    const count = source.opened.length;
    await clock.advance(1_300);
    assert.equal(source.opened.length, count + 1);
  });

  test('an outage seen by streams alone is for a call to confirm', async () => {
    const { source, clock, streams, devices } = setUp();
    source.become('connected');
    streams.setDevices(devices(1));
    await clock.advance(0);
    source.endAll(classifyFailure(14, 'ECONNREFUSED', 'a'));
    assert.deepEqual(
      source.reported.map(({ kind }) => kind),
      ['interrupted'],
    );
  });

  test('a device that ChirpStack refuses is asked for seldom and disturbs nobody', async () => {
    const { source, clock, streams, devices, entries, pass } = setUp();
    source.become('connected');
    streams.setDevices(devices(2));
    await pass(50);
    source.open.get(deviceNumber(1))?.onEnd(GONE);
    source.open.delete(deviceNumber(1));
    await clock.advance(59_000);
    assert.equal(source.opened.length, 2);
    source.become('connected');
    await clock.advance(1_000);
    assert.equal(source.opened.length, 2, 'not even when the server comes back');
    await pass(120_000, 1_000);
    assert.equal(source.opened.length, 3);
    assert.deepEqual(
      entries.map(({ event, device }) => [event, device]),
      [
        ['refused', eui(1)],
        ['recovered', eui(1)],
      ],
    );
  });

  test('streams of a connection that was replaced are opened anew', async () => {
    const { source, streams, devices, pass } = setUp();
    source.become('connected');
    streams.setDevices(devices(3));
    await pass(300);
    source.become('disconnected');
    source.generation++;
    source.become('connected');
    assert.equal(source.cancelled, 3);
    await pass(300);
    assert.equal(streams.open, 3);
    assert.equal(source.opened.length, 6);
  });

  test('an opening that neither is answered nor fails is one, if the server answers calls', async () => {
    const { source, clock, streams, devices } = setUp();
    source.become('connected');
    streams.setDevices(devices(1));
    await clock.advance(2_900);
    assert.equal(streams.open, 0);
    await clock.advance(200);
    assert.equal(streams.open, 1);
    source.confirmAll();
    assert.equal(streams.open, 1);
  });

  test('an opening that is not answered does not hold back the others for long', async () => {
    const { source, clock, streams, devices } = setUp();
    source.become('connected');
    streams.setDevices(devices(150));
    await clock.advance(2_000);
    assert.equal(source.opened.length, 100);
    await clock.advance(2_000);
    assert.equal(source.opened.length, 150);
  });

  test('beyond the maximum devices have no stream, which the log says with the cure', async () => {
    const { source, streams, devices, entries, pass } = setUp(2);
    source.become('connected');
    streams.setDevices(devices(5));
    await pass(300);
    assert.equal(streams.open, 2);
    assert.equal(streams.wanted, 5);
    assert.equal(streams.beyondMaximum, 3);
    assert.match(entries[0]?.cure ?? '', /MQTT/);
    streams.setDevices([deviceNumber(4), deviceNumber(5)]);
    await pass(300);
    assert.deepEqual([...source.open.keys()], [4, 5].map(deviceNumber));
    assert.equal(entries.at(-1)?.event, 'recovered');
  });

  test('a server without the call is named with the way out', async () => {
    const { source, clock, streams, devices, entries } = setUp();
    source.become('connected');
    streams.setDevices(devices(10));
    await clock.advance(0);
    source.endAll(classifyFailure(12, '', 'a'));
    assert.equal(entries.length, 1);
    assert.match(entries[0]?.cure ?? '', /MQTT/);
  });

  test('close ends everything and leaves no timer', async () => {
    const { source, clock, streams, devices } = setUp();
    source.become('connected');
    streams.setDevices(devices(300));
    await clock.advance(100);
    streams.close();
    streams.close();
    streams.setDevices(devices(5));
    assert.equal(source.open.size, 0);
    assert.equal(clock.pendingTimers, 0);
    assert.equal(streams.open, 0);
  });
});
