/**
 * Outages leave no holes that could be filled: while the gateway or ChirpStack was away, devices sent on; what ChirpStack
 * still holds is in HistoryRead afterwards, once and at its own time. What cannot be known is one Bad row, and no such row
 * is left where the values came later. LORUA_CAMPAIGN=full makes it twenty devices that send every two seconds.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { DataValue } from 'node-opcua';
import { eventually } from '../support/eventually';
import { type GatewayWorld, startWorld } from '../support/gateway-world';
import { parseMetricNodeId } from '../support/node-ids';
import type { TestClient } from '../support/opcua-client';
import { rawDetails, readHistory } from '../support/opcua-history';
import { UplinkLedger, valueName } from '../support/uplink-ledger';

const FULL = process.env.LORUA_CAMPAIGN === 'full';
const DEVICES = FULL ? 20 : 6;
const PERIOD = FULL ? 2_000 : 500;
/** Three uplink intervals of the profile, which has whole seconds. */
const THRESHOLD = 3 * Math.max(1_000, PERIOD);
const OUTAGE = 10;
/** The replay holds at most this many events of a device. */
const HELD = 13;
const LONG_OUTAGE = HELD + THRESHOLD / PERIOD + 2;
/** The last devices of a fleet are those with troubles; one device falls silent here when the test says so. */
const TROUBLED = 3;
/** ms in which a value may be on its way: a stream looks once a second. */
const UNDER_WAY = 2_000;

describe(`outages of ${OUTAGE} and more uplinks of ${DEVICES} devices`, () => {
  let world: GatewayWorld;
  let ledger: UplinkLedger;
  let client: TestClient;
  let silent = '';
  let begun = 0;
  const uplinks = new Map<string, number>();

  before(async () => {
    begun = Date.now() - 60 * PERIOD;
    world = await startWorld({
      devices: DEVICES + TROUBLED,
      period: PERIOD,
      onSimulator: (simulator) => {
        for (const { devEui } of simulator.devices().slice(DEVICES)) simulator.deleteDevice(devEui);
        ledger = new UplinkLedger(simulator);
        simulator.onUplink(({ devEui }) => uplinks.set(devEui, (uplinks.get(devEui) ?? 0) + 1));
      },
    });
    silent = world.simulator.devices()[1]?.devEui ?? '';
    client = await world.connect();
    await world.allMetricsKnown(client);
  });
  after(() => world?.close());

  /** Waits until every device that sends has sent so many more uplinks. */
  const sendMore = async (count: number): Promise<void> => {
    const until = new Map([...uplinks].filter(([devEui]) => devEui !== silent).map(([id, sent]) => [id, sent + count]));
    await eventually(
      () => [...until].every(([devEui, wanted]) => (uplinks.get(devEui) ?? 0) >= wanted),
      `${count} uplinks of each device`,
    );
  };

  /** HistoryRead of every metric variable, by `devEui/metric`. */
  const historyOfAll = async (): Promise<Map<string, DataValue[]>> => {
    const histories = new Map<string, DataValue[]>();
    for (const nodeId of await client.variablesBelow(await client.gatewayNode('lorawan'))) {
      const metric = parseMetricNodeId(nodeId);
      if (!metric) continue;
      const values = await readHistory(client.session, nodeId, rawDetails(begun, Date.now() + 60_000));
      histories.set(`${metric.devEui}/${metric.key}`, values);
    }
    return histories;
  };

  /**
   * Holds the whole history against what was sent.
   * @returns how many rows say that nothing is known
   */
  const assertHistory = (histories: ReadonlyMap<string, readonly DataValue[]>): { values: number; gaps: number } => {
    const now = Date.now();
    let [valueCount, gapCount] = [0, 0];
    const present = new Set<string>();
    for (const [metric, rows] of histories) {
      const [devEui = '', key = ''] = metric.split('/');
      let known: number | undefined;
      let gap: number | undefined;
      const assertGap = (until: number, message: string): void => {
        if (known === undefined) return;
        if (until - known > THRESHOLD) assert.equal(gap, known + THRESHOLD, `${message}: nothing was known in between`);
        else assert.equal(gap, undefined, `${message}: a gap is left although values are close enough`);
      };
      for (const { value, statusCode, sourceTimestamp } of rows) {
        const time = sourceTimestamp?.getTime() ?? 0;
        if (statusCode.isBad()) {
          assert.equal(value.value, null, `${metric} ${time}`);
          assert.equal(gap, undefined, `${metric}: a gap at ${time} right behind a gap at ${gap}`);
          gap = time;
          gapCount++;
          continue;
        }
        const name = valueName(devEui, key, time);
        assert.ok(ledger.sent.has(name), `invented: ${name}`);
        assert.deepEqual(value.value, ledger.sent.get(name), `changed: ${name}`);
        assert.ok(!present.has(name), `doubled: ${name}`);
        present.add(name);
        valueCount++;
        assertGap(time, `${metric} from ${known} to ${time}`);
        known = time;
        gap = undefined;
      }
      // Whether the newest is old enough is not certain while it is about to become so.
      const age = now - (known ?? now);
      if (age > THRESHOLD + UNDER_WAY || age < THRESHOLD - UNDER_WAY) assertGap(now, `${metric} since ${known}`);
    }
    for (const { name, at } of ledger.delivered())
      if (at < performance.now() - UNDER_WAY) assert.ok(present.has(name), `lost: ${name}`);
    return { values: valueCount, gaps: gapCount };
  };

  const settled = async (): Promise<Map<string, DataValue[]>> => {
    await eventually(() => world.simulator.server.openStreams >= DEVICES, 'event streams of all devices');
    await sendMore(Math.ceil(UNDER_WAY / PERIOD) + 1);
    return historyOfAll();
  };

  test('the gateway was down: what ChirpStack replays is in history, once and at its own time', async (t) => {
    world.simulator.silence(silent);
    assert.equal((await world.gateway.stop()).code, 0);
    ledger.forgetDeliveries();
    await sendMore(OUTAGE);
    await world.startAgain();
    client = await world.connect();
    const { values, gaps } = assertHistory(await settled());
    t.diagnostic(`${values} values, ${gaps} gaps`);
  });

  test('a device that fell silent is one Bad row at its threshold', async () => {
    const histories = await eventually(async () => {
      const found = await historyOfAll();
      const own = [...found].filter(([metric]) => metric.startsWith(silent));
      return own.every(([, rows]) => rows.length === 0 || rows.at(-1)?.statusCode.isBad()) ? own : undefined;
    }, 'gaps of the silent device');
    assert.ok(histories.length > 0);
    for (const [metric, rows] of histories) {
      if (rows.length === 0) continue;
      const [last, gap] = rows.slice(-2).map(({ sourceTimestamp }) => sourceTimestamp?.getTime() ?? 0);
      assert.equal(Number(gap) - Number(last), THRESHOLD, metric);
    }
  });

  test('ChirpStack was down: what it still holds is in history', { skip: !FULL }, async (t) => {
    await world.simulator.stop({ fleet: 'continues' });
    ledger.forgetDeliveries();
    await sendMore(OUTAGE);
    await world.simulator.start();
    const { values, gaps } = assertHistory(await settled());
    t.diagnostic(`${values} values, ${gaps} gaps`);
  });

  test('ChirpStack was down for longer than it remembers: the rest is one Bad row of each metric', async (t) => {
    await world.simulator.stop({ fleet: 'continues' });
    ledger.forgetDeliveries();
    await sendMore(LONG_OUTAGE);
    await world.simulator.start();
    const { values, gaps } = assertHistory(await settled());
    assert.ok(gaps >= 2 * (DEVICES - 1), 'there was a hole');
    t.diagnostic(`${values} values, ${gaps} gaps`);
  });
});
