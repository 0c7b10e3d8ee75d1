/**
 * Commands are sent by OPC UA while the program is killed at random instants and ChirpStack's replies get lost: each
 * command ends in a state that is true of what the device really got, none is delivered twice, and the order is kept.
 * LORUA_CAMPAIGN=full makes it 1,000 commands to 100 devices and twenty kills; LORUA_SEED repeats the instants of a run.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import { fromRecord } from '../../lib/commands';
import { type Command, silentLogger, systemClock } from '../../lib/model';
import { type DownlinkFrame, Simulator, seededRandom } from '../../lib/simulator';
import { GatewayStore, parseStoreSettings, type StoredRecord } from '../../lib/store';
import { adminApi, type BootedGateway, launchGateway } from '../support/boot-gateway';
import { CommandClient, int32 } from '../support/command-client';
import { defineCommands } from '../support/command-flow';
import { eventually } from '../support/eventually';
import { TestClient } from '../support/opcua-client';

const FULL = process.env.LORUA_CAMPAIGN === 'full';
const KILLS = FULL ? 20 : 3;
const COMMANDS = FULL ? 1_000 : 60;
const DEVICES = FULL ? 100 : 12;
const SEED = Number(process.env.LORUA_SEED ?? Date.now() % 1_000_000);
/** ms: devices send only as an answer to what they get. */
const SILENT = 86_400_000;
/** One in so many lives ends while the program starts and finds out what the one before has left. */
const EARLY = 4;
/** Share of the start of the program in which it is not killed: it has not come to its data yet. */
const EARLIEST = 0.6;
/** A life goes on at most so long after the first command, ms. */
const LONGEST_LIFE = 1_500;
/** Clients that send at the same time, each to devices of its own. */
const SENDERS = 6;
/** Mean time between two commands of a sender, ms: nearly all of them are to be sent by the last kill. */
const PACE = (LONGEST_LIFE / 4) * SENDERS * (KILLS / COMMANDS);
/** Until nothing is awaited any more, ms: doubt takes its time. */
const SETTLING = 240_000;

/** One request of a client; its number is what the device gets. */
interface Order {
  readonly devEui: string;
  readonly name: string;
  readonly number: number;
}

describe(`${COMMANDS} commands while the program is killed ${KILLS} times (seed ${SEED})`, () => {
  const random = seededRandom(SEED);
  const dataFolder = mkdtempSync(join(tmpdir(), 'lorua-command-kills-'));
  const pkiFolder = mkdtempSync(join(tmpdir(), 'lorua-client-pki-'));
  const simulator = new Simulator(
    { devices: 1, period: SILENT, seed: 5 },
    { clock: systemClock, logger: silentLogger, schedulerLock: 0 },
  );
  const frames: DownlinkFrame[] = [];
  // Of class C: they get what they are told at once.
  const targets = Array.from({ length: DEVICES }, () => simulator.addDevice({ kind: 'valve' }) as string);
  const orders: Order[] = [];
  /** Orders that were answered Good, by the id of their command. */
  const answered = new Map<string, Order>();
  let environment: Record<string, string>;

  before(async () => {
    simulator.onFrame((frame) => frames.push(frame));
    const { url } = await simulator.start();
    environment = {
      CHIRPSTACK_URL: url,
      CHIRPSTACK_API_TOKEN: simulator.tenantToken,
      CHIRPSTACK_TENANT_ID: simulator.tenantId,
      OPCUA_TRUST_ALL_CLIENTS: 'true',
    };
  });
  after(async () => {
    await simulator.stop();
    for (const folder of [dataFolder, pkiFolder]) rmSync(folder, { recursive: true, force: true });
  });

  const launch = (): ReturnType<typeof launchGateway> => launchGateway({ environment, dataFolder });

  const connect = async (gateway: BootedGateway): Promise<{ client: TestClient; commands: CommandClient }> => {
    const { endpointUrl: url, user, password } = gateway;
    const client = await TestClient.connect({ url, user, password, pkiFolder });
    const commands = await CommandClient.of(client);
    for (const devEui of targets) await commands.known(devEui, 'confirmed');
    return { client, commands };
  };

  /** Sends until enough orders have been answered, or the gateway is gone: then nobody knows what became of the last. */
  const send = async (commands: CommandClient, gateway: BootedGateway): Promise<void> => {
    const gone = gateway.ended.then(() => undefined);
    const sender = async (number: number): Promise<void> => {
      const mine = targets.filter((_target, index) => index % SENDERS === number);
      for (let turn = Math.floor(random() * mine.length); answered.size < COMMANDS; turn++) {
        const order = {
          devEui: mine[turn % mine.length] ?? '',
          name: random() < 0.25 ? 'confirmed' : 'plain',
          number: orders.length,
        };
        orders.push(order);
        const call = commands.send(order.devEui, order.name, int32(order.number)).catch(() => undefined);
        const answer = await Promise.race([call, gone]);
        if (answer === undefined) return;
        assert.equal(answer.statusCode.name, 'Good');
        answered.set(String(answer.outputArguments?.[0]?.value), order);
        await pause(2 * PACE * random());
      }
    };
    await Promise.all(Array.from({ length: SENDERS }, (_, number) => sender(number)));
  };

  /** All commands that are kept. */
  const kept = async (): Promise<Command[]> => {
    const store = GatewayStore.create(parseStoreSettings({ backend: 'sqlite', file: join(dataFolder, 'lorua.db') }), {
      clock: systemClock,
      logger: silentLogger,
    });
    await store.open();
    try {
      const found: StoredRecord[] = [];
      for (;;) {
        const last = found.at(-1);
        const page = await store.readRecords({ kind: 'command', limit: 1_000, ...(last ? { after: last } : {}) });
        found.push(...page);
        if (page.length === 0) return found.map(({ body }) => fromRecord(body) ?? assert.fail(body));
      }
    } finally {
      await store.close();
    }
  };

  test('each ends in a state that is true, none comes twice, order is kept', async (t) => {
    let gateway = await launch();
    await gateway.ready;
    await defineCommands(
      adminApi(gateway),
      ['plain', 'confirmed'].map((name) => ({
        profileId: simulator.devicesOfKind('valve')[0]?.profileId,
        name,
        fPort: 10,
        confirmed: name === 'confirmed',
        parameters: [{ name: 'x', type: 'Int', min: 0, max: 65_535 }],
        payload: { kind: 'integer', parameter: 'x', format: 'uint16' },
      })),
    );
    const enqueue = 'DeviceService/Enqueue';
    const lift = [
      simulator.failCalls({ method: enqueue, when: 'after', cut: true, chance: 0.03 }),
      simulator.failCalls({ method: enqueue, when: 'before', cut: true, chance: 0.02 }),
      simulator.failCalls({
        method: enqueue,
        when: 'after',
        code: status.UNAVAILABLE,
        details: 'Connection dropped',
        chance: 0.05,
      }),
      simulator.failCalls({ method: enqueue, code: status.INTERNAL, details: 'database is locked', chance: 0.05 }),
      simulator.failCalls({ method: 'DeviceService/GetQueue', code: status.UNAVAILABLE, chance: 0.1 }),
      // So that it is killed in the middle of calls.
      simulator.failCalls({ method: enqueue, delay: 40 }),
    ];
    const [mute = '', deaf = ''] = targets;
    simulator.loseFrames(deaf);
    // ChirpStack waits 10 s for each acknowledgement that does not come, and so does what is behind it.
    if (FULL) simulator.acknowledge(mute, false);

    let upAfter = 0;
    for (let life = 1; life <= KILLS; life++) {
      if (life > 1) {
        const begun = performance.now();
        gateway = await launch();
        if (life % EARLY === 0) {
          await pause(upAfter * (EARLIEST + random() * (1 - EARLIEST)));
          await gateway.stop('SIGKILL');
          continue;
        }
        await gateway.ready;
        upAfter = performance.now() - begun;
      }
      const { client, commands } = await connect(gateway);
      const sending = send(commands, gateway);
      await pause(LONGEST_LIFE * random());
      const { signal } = await gateway.stop('SIGKILL');
      assert.equal(signal, 'SIGKILL', 'it was alive until then');
      await sending;
      await client.close();
    }
    const atTheEnd = answered.size;

    gateway = await launch();
    await gateway.ready;
    for (const end of lift) end();
    const { client, commands } = await connect(gateway);
    await send(commands, gateway);
    await eventually(async () => (await commands.open()) === 0, 'the end of all commands', SETTLING);
    await client.close();
    assert.equal((await gateway.stop()).code, 0);

    const stored = await kept();
    const byId = new Map(stored.map((command) => [command.id, command]));
    const counts: Record<string, number> = {};
    for (const [id, order] of answered) {
      const command = byId.get(id);
      assert.ok(command, `answered Good and lost: ${id}`);
      assert.deepEqual([command.devEui, command.name, command.parameters.x], Object.values(order));
    }
    for (const command of stored) {
      counts[command.state] = (counts[command.state] ?? 0) + 1;
      const got = frames.filter(
        ({ devEui, data }) =>
          devEui === command.devEui && Buffer.from(data).readUInt16BE() === Number(command.parameters.x),
      );
      const story = JSON.stringify({ command, got }, undefined, 1);
      assert.ok(command.endedAt !== undefined, story);
      assert.ok(got.length <= 1, `sent ${got.length} times: ${story}`);
      switch (command.state) {
        case 'Transmitted':
        case 'Acknowledged':
        case 'Failed':
          assert.equal(got.length, 1, story);
          assert.equal(got[0]?.confirmed, command.confirmed, story);
          break;
        default:
          // It may have been sent or not, and that is what it says.
          assert.equal(command.state, 'Uncertain', story);
      }
      if (command.state === 'Acknowledged') assert.equal(got[0]?.reachedDevice, true, story);
    }
    const numbers = new Set(stored.map(({ parameters }) => parameters.x));
    for (const { devEui, data } of frames)
      assert.ok(numbers.has(Buffer.from(data).readUInt16BE()), `${devEui} got what nobody keeps`);
    for (const target of targets) {
      const order = frames
        .filter(({ devEui }) => devEui === target)
        .map(({ data }) => Buffer.from(data).readUInt16BE());
      assert.deepEqual(
        order,
        order.toSorted((a, b) => a - b),
        target,
      );
    }
    t.diagnostic(
      `${orders.length} commands were sent, ${answered.size} of them answered Good (${atTheEnd} before the last start), ` +
        `${stored.length} are kept: ${JSON.stringify(counts)}; devices got ${frames.length} frames`,
    );
    const known = stored.length - (counts.Uncertain ?? 0);
    assert.ok(known >= stored.length / 2, JSON.stringify(counts));
  });
});
