import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { HealthMonitor, type ProcessProbe, processProbe, type ReportedConnection } from '../../../lib/admin';
import {
  type ClientCounts,
  type ConnectionErrors,
  type ConnectionHealth,
  EMPTY_INVENTORY,
  type EventLoopDelay,
  type GatewayEui,
  type GatewayHealth,
  type GatewayState,
  type Inventory,
  type MqttReport,
  parseGatewayEui,
  parseTenantId,
  type QueueCounts,
  type RadioGateway,
  type StoreHealth,
  type StoreState,
} from '../../../lib/model';
import { capturedLogger } from '../../support/captured-logger';
import { ManualClock } from '../../support/manual-clock';

const MINUTE = 60_000;
const { logger, entries } = capturedLogger('dashboard');

function connectionOf(errors: ConnectionErrors, changes: Partial<ConnectionHealth> = {}): ConnectionHealth {
  return {
    state: 'connected',
    since: 0,
    reason: '',
    cure: '',
    errorCount: 0,
    errors,
    applications: 1,
    devices: 2,
    streamsOpen: 2,
    streamsWanted: 2,
    uplinks: 0,
    ...changes,
  };
}

class Process implements ProcessProbe {
  readonly startTime = 7;
  delay: EventLoopDelay | undefined;
  restarts = 0;
  closed = 0;
  uptime = () => 1_000;
  memory = () => ({ rss: 3, heapUsed: 1, heapTotal: 2 });
  cpu = () => 5;
  eventLoop(restart: boolean): EventLoopDelay | undefined {
    if (restart) this.restarts++;
    return this.delay;
  }
  close(): void {
    this.closed++;
  }
}

let clock: ManualClock;
let probe: Process;
let connections: ReportedConnection[];
let clients: ClientCounts | undefined;
let commands: QueueCounts | undefined;
let mqtt: MqttReport[];
let certificate: { validTo: number } | undefined;
let inventory: Inventory;
let storeState: StoreState;
let sizes: (() => Promise<{ bytes: number; freeBytes: number }>)[];
let asked: number;
let monitor: HealthMonitor;

beforeEach(() => {
  clock = new ManualClock();
  probe = new Process();
  connections = [];
  clients = undefined;
  commands = undefined;
  mqtt = [];
  certificate = undefined;
  inventory = EMPTY_INVENTORY;
  storeState = 'healthy';
  sizes = [];
  asked = 0;
  entries.length = 0;
  const health = (): StoreHealth => ({ state: storeState, reason: '', cure: '', pending: 0, lost: 0, committed: 0 });
  monitor = new HealthMonitor({
    store: {
      inventory: { merged: () => inventory },
      health,
      statistics: () => {
        asked++;
        return sizes.shift()?.() ?? Promise.resolve({ bytes: asked, freeBytes: 0 });
      },
    },
    connections: () => connections,
    mqtt: () => mqtt,
    certificate: () => certificate,
    ages: () => ({ values: { fresh: 9, stale: 0, dead: 1 }, devices: { fresh: 1, stale: 0, dead: 1 } }),
    commands: () => commands,
    clients: () => clients,
    process: probe,
    clock,
    logger,
  });
});
afterEach(() => {
  monitor.close();
  assert.equal(clock.pendingTimers, 0);
});

describe('the health of the gateway', () => {
  test('is one picture of all that is known', () => {
    clients = { sessions: 1, channels: 2, subscriptions: 3, monitoredItems: 4 };
    commands = { queued: 1, sending: 2, enqueued: 3, awaiting: 4 };
    connections = [{ id: 'main', name: 'Main', health: connectionOf({ network: 2 }) }];
    const { connections: shown, ...health } = monitor.current();
    assert.deepEqual(shown, [
      { id: 'main', name: 'Main', health: connectionOf({ network: 2 }), recentErrors: { network: 2 } },
    ]);
    assert.match(health.version, /^\d+\.\d+\.\d+/);
    assert.equal(health.serviceLevel, 255);
    assert.deepEqual(health.devices, { total: 0, fresh: 1, stale: 0, dead: 1 });
    assert.deepEqual(health.clients, clients);
    assert.deepEqual(health.commands, commands);
    assert.deepEqual(health.memory, { rss: 3, heapUsed: 1, heapTotal: 2 });
    assert.equal(health.storeSize, undefined);
    assert.equal(health.lastEvent, undefined);
    assert.equal(health.eventLoop, undefined);
  });

  test('is told each ten seconds, by one timer', async () => {
    const told: GatewayHealth[] = [];
    monitor.onHealth(() => {
      throw new Error('a listener');
    });
    monitor.onHealth((health) => told.push(health));
    monitor.start();
    monitor.start();
    assert.equal(clock.pendingTimers, 1);
    await clock.advance(30_000);
    assert.equal(told.length, 3);
    assert.equal(entries.length, 3);
    monitor.close();
    monitor.close();
    monitor.start();
    await clock.advance(30_000);
    assert.equal(told.length, 3);
    assert.ok(probe.closed > 0);
  });

  test('has MQTT, the certificate and gateways, each with its word in the service level', async () => {
    const gateway = (id: number, state: GatewayState): [GatewayEui, RadioGateway] => {
      const gatewayId = parseGatewayEui(id.toString().padStart(16, '0'));
      const tenantId = parseTenantId('00000000-0000-0000-0000-00000000000c');
      return [gatewayId, { gatewayId, tenantId, name: '', description: '', state }];
    };
    inventory = { ...EMPTY_INVENTORY, gateways: new Map([gateway(1, 'online'), gateway(2, 'offline')]) };
    mqtt = [{ id: 'events', name: 'Events', state: 'connected', since: 5 }];
    certificate = { validTo: clock.now() + 15 * 86_400_000 };
    const { gateways, mqtt: shown, certificate: own, serviceLevel } = monitor.current();
    assert.deepEqual([gateways, shown, own], [{ 'never-seen': 0, online: 1, offline: 1 }, mqtt, certificate]);
    assert.equal(serviceLevel, 255);
    await clock.advance(2 * 86_400_000);
    assert.deepEqual(monitor.current().serviceLevelReasons, ['certificate-expires']);
    assert.equal(monitor.current().serviceLevel, 210);
    await clock.advance(13 * 86_400_000);
    mqtt = [{ id: 'events', name: 'Events', state: 'disconnected', since: 6 }];
    assert.deepEqual(monitor.current().serviceLevelReasons, ['mqtt-lost', 'certificate-expired']);
    certificate = undefined;
    mqtt = [];
    assert.deepEqual(monitor.current().serviceLevelReasons, []);
    assert.ok(!('certificate' in monitor.current()));
  });

  test('keeps connections of the same name apart', () => {
    connections = [
      { id: 'a', name: 'Plant', health: connectionOf({ network: 2 }) },
      { id: 'b', name: 'Plant', health: connectionOf({ timeout: 7 }) },
    ];
    assert.deepEqual(
      monitor.current().connections.map(({ id, name, recentErrors }) => [id, name, recentErrors]),
      [
        ['a', 'Plant', { network: 2 }],
        ['b', 'Plant', { timeout: 7 }],
      ],
    );
  });

  test('counts readings by origin and knows when the last event came', async () => {
    monitor.received('restored');
    assert.equal(monitor.current().lastEvent, undefined);
    monitor.received('event');
    const { lastEvent } = monitor.current();
    assert.equal(lastEvent, clock.now());
    await clock.advance(1_000);
    monitor.received('flow');
    assert.equal(monitor.current().lastEvent, lastEvent);
    monitor.received('replay');
    assert.equal(monitor.current().lastEvent, clock.now());
    assert.deepEqual(monitor.current().readings, { event: 1, replay: 1, metrics: 0, restored: 1, stale: 0, flow: 1 });
  });

  test('keeps errors of the last hour, and lets a poller begin anew', async () => {
    const recent = (): ConnectionErrors | undefined => monitor.current().connections[0]?.recentErrors;
    monitor.start();
    connections = [{ id: 'main', name: 'Main', health: connectionOf({ network: 2 }) }];
    await clock.advance(30 * MINUTE);
    connections = [{ id: 'main', name: 'Main', health: connectionOf({ network: 5, timeout: 1 }) }];
    await clock.advance(10_000);
    assert.deepEqual(recent(), { network: 5, timeout: 1 });
    await clock.advance(31 * MINUTE);
    assert.deepEqual(recent(), { network: 3, timeout: 1 });
    connections = [{ id: 'main', name: 'Main', health: connectionOf({ network: 1 }) }];
    assert.deepEqual(recent(), { network: 4, timeout: 1 });
    await clock.advance(62 * MINUTE);
    assert.deepEqual(recent(), {});
  });

  test('shows the event loop of the last full minute, and until then what there is', async () => {
    monitor.start();
    probe.delay = { p50: 1, p99: 2, max: 3 };
    assert.deepEqual(monitor.current().eventLoop, probe.delay);
    await clock.advance(MINUTE);
    assert.equal(probe.restarts, 1);
    const first = probe.delay;
    probe.delay = { p50: 4, p99: 5_000, max: 6_000 };
    await clock.advance(MINUTE - 10_000);
    assert.deepEqual(monitor.current().eventLoop, first);
    await clock.advance(10_000);
    assert.deepEqual(monitor.current().eventLoop, probe.delay);
    assert.deepEqual(monitor.current().serviceLevelReasons, ['overloaded']);
  });

  test('asks for the size of the database rarely, and one question at a time', async () => {
    storeState = 'opening';
    monitor.start();
    assert.equal(asked, 0);
    storeState = 'healthy';
    await clock.advance(10_000);
    assert.deepEqual(monitor.current().storeSize, { bytes: 1, freeBytes: 0 });
    await clock.advance(4 * MINUTE);
    assert.equal(asked, 1);
    sizes.push(() => Promise.reject(new Error('disk')));
    await clock.advance(MINUTE);
    assert.equal(asked, 2);
    assert.equal(monitor.current().storeSize, undefined);
    let answer = (_: { bytes: number; freeBytes: number }): void => undefined;
    sizes.push(
      () =>
        new Promise((resolve) => {
          answer = resolve;
        }),
    );
    await clock.advance(20 * MINUTE);
    assert.equal(asked, 3);
    answer({ bytes: 8, freeBytes: 4 });
    await clock.advance(0);
    assert.deepEqual(monitor.current().storeSize, { bytes: 8, freeBytes: 4 });
  });
});

test('the real process tells what it is', async () => {
  const real = processProbe();
  assert.ok(Math.abs(real.startTime + real.uptime() - Date.now()) < 60_000);
  assert.ok(real.memory().rss > real.memory().heapUsed);
  assert.ok(real.cpu() > 0);
  while (real.eventLoop(false) === undefined) await new Promise((resolve) => setTimeout(resolve, 10));
  const { p50, p99, max } = real.eventLoop(true) ?? assert.fail();
  assert.ok(p50 >= 0 && p50 <= p99 && p99 <= max);
  assert.equal(real.eventLoop(false), undefined);
  real.close();
  real.close();
});
