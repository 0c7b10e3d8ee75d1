/**
 * ChirpStack goes away and comes back: values say how old they are, health says why, and what ChirpStack's history still
 * holds arrives, each uplink once and at its own time. LORUA_CAMPAIGN=full makes each outage two minutes.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { StatusCodes } from 'node-opcua';
import { flatten, type MetricValue } from '../../lib/model';
import { eventually } from '../support/eventually';
import { type GatewayWorld, startWorld } from '../support/gateway-world';
import { connectionIdentifier, parseMetricNodeId } from '../support/node-ids';
import type { Notification, TestClient } from '../support/opcua-client';

const FULL = process.env.LORUA_CAMPAIGN === 'full';
const DEVICES = 12;
const PERIOD = 1_000;
/** The profiles say one uplink a second, and three intervals are the default. */
const THRESHOLD = 3 * PERIOD;
/** A stream brings what was sent within the last second only at its next look. */
const STREAM_INTERVAL = 1_000;
const OUTAGE = FULL ? 120_000 : 9_000;
const CONNECTED = 1;
const DISCONNECTED = 2;

interface Value {
  readonly metric: string;
  readonly value: unknown;
  readonly time: number;
  readonly status: string;
  /** ms UTC at this client */
  readonly received: number;
}

/** Names one value: of a metric, at a source time. */
function keyOf(devEui: string, metric: string, time: number): string {
  return `${devEui}/${metric} ${time}`;
}

describe(`two outages of ${OUTAGE / 1_000} s`, () => {
  let world: GatewayWorld;
  let client: TestClient;
  let stateNode: string;
  const states: number[] = [];
  const values: Value[] = [];
  const sent = new Map<string, MetricValue>();
  let from = 0;

  const record = ({ nodeId, dataValue }: Notification): void => {
    const metric = parseMetricNodeId(nodeId);
    if (nodeId === stateNode) states.push(Number(dataValue.value.value));
    if (!metric) return;
    values.push({
      metric: `${metric.devEui}/${metric.key}`,
      value: dataValue.value.value,
      time: dataValue.sourceTimestamp?.getTime() ?? 0,
      status: dataValue.statusCode.name,
      received: Date.now(),
    });
  };
  const latest = (): Map<string, Value> => new Map(values.map((value) => [value.metric, value]));
  const uplinksHeld = (): Set<string> => {
    const held = new Set<string>();
    for (const { devEui } of world.simulator.devices())
      for (const event of world.simulator.server.world.events(devEui).all())
        if (event.type === 'up') {
          const { time, object } = JSON.parse(event.body()) as { time: string; object?: object };
          for (const key of Object.keys(flatten(object ?? {}).values)) held.add(keyOf(devEui, key, Date.parse(time)));
        }
    return held;
  };
  /** Starts the server again. @returns what its history held when the last stream was open, and ms until a fresh value. */
  const comeBack = async (): Promise<{ held: Set<string>; untilFresh: number }> => {
    const already = values.length;
    const startedAt = Date.now();
    await world.simulator.start();
    await eventually(() => world.simulator.server.openStreams >= DEVICES, 'event streams of all devices');
    const held = uplinksHeld();
    const fresh = await eventually(
      () => values.slice(already).find(({ status, time }) => status === 'Good' && time >= startedAt),
      'a fresh value',
    );
    await eventually(() => states.at(-1) === CONNECTED, 'the health to say connected');
    return { held, untilFresh: fresh.received - startedAt };
  };
  /** Outages that the log tells of. A port that goes down may be told of twice: as it breaks, and as nothing listens. */
  const outagesTold = (): number => {
    const told = world.gateway
      .output()
      .split('ChirpStack is back')
      .map((part) => part.match(/^\S+ error +\w+: /gm)?.length ?? 0);
    assert.ok(
      told.every((lines) => lines <= 2),
      world.gateway.output(),
    );
    return told.filter((lines) => lines > 0).length;
  };
  const assertNothingDoubled = (): void => {
    const seen = new Set<string>();
    for (const { metric, time, status } of values) {
      if (status !== 'Good') continue;
      assert.ok(!seen.has(`${metric} ${time}`), `doubled: ${metric} ${time}`);
      seen.add(`${metric} ${time}`);
    }
  };

  before(async () => {
    world = await startWorld({ devices: DEVICES, period: PERIOD });
    client = await world.connect();
    const variables = await world.allMetricsKnown(client);
    stateNode = await client.gatewayNode(connectionIdentifier('state'));
    world.simulator.onUplink(({ devEui, object, time }) => {
      for (const [key, value] of Object.entries(flatten(object ?? {}).values))
        sent.set(keyOf(devEui, key, time), value);
    });
    await client.subscribe([...variables, stateNode], record);
    from = Date.now();
    await eventually(
      () =>
        new Set(values.filter(({ time, status }) => time > from && status === 'Good').map((v) => v.metric)).size >
        DEVICES,
      'values to flow',
    );
  });
  after(() => world?.close());

  test('values grow old at their threshold while devices send on, then the history arrives', async (t) => {
    const before = latest();
    const stoppedAt = Date.now();
    await world.simulator.stop({ fleet: 'continues' });
    await eventually(() => states.at(-1) === DISCONNECTED, 'the health to say disconnected');
    await eventually(() => [...latest().values()].every(({ status }) => status !== 'Good'), 'all values to grow old');
    await pause(Math.max(0, stoppedAt + OUTAGE - Date.now()));

    let grownOld = 0;
    const lastGood = new Map<string, Value>();
    for (const value of values) {
      if (value.status === 'Good') lastGood.set(value.metric, value);
      const good = lastGood.get(value.metric);
      if (value.status === 'Good' || good === undefined || value.received < stoppedAt) continue;
      // The first word about its age.
      lastGood.delete(value.metric);
      if (value.status === 'UncertainSensorNotAccurate') continue;
      assert.equal(value.status, 'UncertainLastUsableValue', value.metric);
      assert.deepEqual(value.value, good.value, `${value.metric} keeps its last value`);
      assert.equal(value.time - good.time, THRESHOLD, `${value.metric} grew old at its threshold`);
      grownOld++;
    }
    const freshBefore = [...before.values()].filter(({ status }) => status === 'Good').length;
    assert.ok(grownOld >= freshBefore * 0.9, `${grownOld} of ${freshBefore} metrics grew old`);

    assert.equal(outagesTold(), 1, world.gateway.output());
    const { held, untilFresh } = await comeBack();
    t.diagnostic(`first fresh value ${untilFresh} ms after ChirpStack was back (devices sent on, ${OUTAGE / 1_000} s)`);
    const heldUntil = Date.now();
    await pause(3 * PERIOD);
    world.simulator.fleet.pause();
    await world.quiet(() => values.length);

    // A status has a source time too, which may be that of a later uplink: only what was measured counts.
    const measured = values.filter(({ status }) => status === 'Good' || status === 'UncertainSensorNotAccurate');
    const received = new Map(measured.map(({ metric, time, value }) => [`${metric} ${time}`, value]));
    let replayed = 0;
    let gone = 0;
    for (const [key, value] of sent) {
      const time = Number(key.split(' ')[1]);
      if (time < from) continue;
      const mayBeGone = time >= stoppedAt - 2 * STREAM_INTERVAL && time < heldUntil;
      if (mayBeGone && !held.has(key)) {
        gone++;
        continue;
      }
      assert.ok(received.has(key), `lost: ${key}`);
      assert.deepEqual(received.get(key), value, `changed: ${key}`);
      if (mayBeGone) replayed++;
    }
    for (const { metric, time, status } of values)
      if (status === 'Good' && time >= from) assert.ok(sent.has(`${metric} ${time}`), `invented: ${metric} ${time}`);
    assertNothingDoubled();
    assert.ok(replayed > 0, 'the history brought something');
    t.diagnostic(`${replayed} values of the outage came from the history, ${gone} were no longer held by it`);
  });

  test('a ChirpStack that was down with its devices goes on where it was', async (t) => {
    await world.simulator.stop({ fleet: 'pauses' });
    const stoppedAt = Date.now();
    await eventually(() => states.at(-1) === DISCONNECTED, 'the health to say disconnected');
    await pause(Math.max(0, stoppedAt + OUTAGE - Date.now()));
    assert.ok(
      [...latest().values()].every(({ status }) => status !== StatusCodes.Good.name),
      'all values are old',
    );

    assert.equal(outagesTold(), 2, world.gateway.output());
    const { untilFresh } = await comeBack();
    t.diagnostic(
      `first fresh value ${untilFresh} ms after ChirpStack was back (devices were off, ${OUTAGE / 1_000} s)`,
    );
    await pause(3 * PERIOD);
    world.simulator.fleet.pause();
    await world.quiet(() => values.length);
    const received = new Set(
      values.filter(({ value }) => value !== null).map(({ metric, time }) => `${metric} ${time}`),
    );
    for (const key of sent.keys())
      if (Number(key.split(' ')[1]) >= stoppedAt) assert.ok(received.has(key), `lost: ${key}`);
    assertNothingDoubled();
  });
});
