/** The gateway is killed in the middle of its work, again and again, while replies of ChirpStack get lost. */
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import { z } from 'zod';
import { fromRecord } from '../../../lib/commands';
import { type Command, silentLogger, systemClock } from '../../../lib/model';
import { type DownlinkFrame, Simulator, seededRandom } from '../../../lib/simulator';

const DEVICES = 20;
const COMMANDS = 200;
const KILLS = 8;

const message = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('ready') }),
  z.object({ kind: z.literal('durable'), id: z.string() }),
  z.object({ kind: z.literal('told'), commands: z.array(z.string()) }),
  z.object({ kind: z.literal('refused'), id: z.string(), reason: z.string() }),
  z.object({ kind: z.literal('failed'), reason: z.string() }),
]);
type Message = z.infer<typeof message>;

class Gateway {
  readonly #start: () => ChildProcess;
  #child: ChildProcess | undefined;
  readonly durable = new Set<string>();
  readonly faults: string[] = [];
  #told: readonly Command[] | undefined;

  constructor(settings: object) {
    this.#start = () => fork(join(__dirname, '../../support/command-gateway.js'), [JSON.stringify(settings)]);
  }

  async start(): Promise<void> {
    const child = this.#start();
    this.#child = child;
    const ready = new Promise<void>((resolve, reject) => {
      child.on('message', (given) => this.#took(message.parse(given), resolve));
      child.once('exit', (code, signal) => reject(new Error(`the gateway ended: ${code ?? signal}`)));
    });
    await ready;
  }

  send(order: object): void {
    if (this.#child?.connected === true) this.#child.send(order, () => undefined);
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
    this.#child = undefined;
  }

  async commands(): Promise<readonly Command[]> {
    this.#told = undefined;
    this.send({ kind: 'tell' });
    for (let turn = 0; this.#told === undefined && turn < 500; turn++) await pause(10);
    return this.#told ?? [];
  }

  #took(told: Message, ready: () => void): void {
    if (told.kind === 'ready') ready();
    else if (told.kind === 'durable') this.durable.add(told.id);
    else if (told.kind === 'told') this.#told = told.commands.map((body) => fromRecord(body) ?? assert.fail(body));
    else this.faults.push(told.reason);
  }
}

async function house(
  context: TestContext,
): Promise<{ simulator: Simulator; gateway: Gateway; frames: DownlinkFrame[]; targets: string[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'lorua-commands-'));
  // All of class C, so that it does not take long.
  const simulator = new Simulator(
    { devices: 6, period: 60_000, seed: 5 },
    { clock: systemClock, logger: silentLogger, schedulerLock: 0 },
  );
  const { url } = await simulator.start();
  const targets = Array.from({ length: DEVICES }, () => simulator.addDevice({ kind: 'valve' }) as string);
  const frames: DownlinkFrame[] = [];
  simulator.onFrame((frame) => frames.push(frame));
  const gateway = new Gateway({
    url,
    token: simulator.tenantToken,
    tenantId: simulator.tenantId,
    file: join(folder, 'gateway.db'),
    devices: targets,
  });
  context.after(async () => {
    await gateway.kill();
    await simulator.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  return { simulator, gateway, frames, targets };
}

test('commands survive kills and lost replies: none is delivered twice, order is kept, each end is true', async (context) => {
  const { simulator, gateway, frames, targets } = await house(context);
  const random = seededRandom(11);
  const lift = [
    simulator.failCalls({ method: 'DeviceService/Enqueue', when: 'after', cut: true, chance: 0.05 }),
    simulator.failCalls({
      method: 'DeviceService/Enqueue',
      when: 'after',
      code: status.UNAVAILABLE,
      details: 'Connection dropped',
      chance: 0.05,
    }),
    simulator.failCalls({ method: 'DeviceService/Enqueue', delay: 40 }),
  ];
  const orders = Array.from({ length: COMMANDS }, (_, index) => ({
    kind: 'send',
    id: `c${index}`,
    devEui: targets[index % DEVICES] ?? '',
    name: index % 4 === 0 ? 'confirmed' : 'plain',
    x: index,
  }));
  await gateway.start();
  let next = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    // What was not said to be durable is asked for again, under the same id.
    for (const order of orders.slice(0, next)) if (!gateway.durable.has(order.id)) gateway.send(order);
    const until = Math.floor((COMMANDS * (kill + 1)) / KILLS);
    while (next < until) {
      gateway.send(orders[next++] ?? {});
      if (random() < 0.2) await pause(Math.floor(20 * random()));
    }
    await pause(Math.floor(400 * random()));
    await gateway.kill();
    await gateway.start();
  }
  for (const end of lift) end();
  for (const order of orders) if (!gateway.durable.has(order.id)) gateway.send(order);
  let commands: readonly Command[] = [];
  for (let turn = 0; turn < 240; turn++) {
    await pause(500);
    commands = await gateway.commands();
    if (commands.length === COMMANDS && commands.every(({ endedAt }) => endedAt !== undefined)) break;
  }
  assert.deepEqual(gateway.faults, []);
  assert.equal(commands.length, COMMANDS);

  const counts: Record<string, number> = {};
  for (const command of commands) {
    counts[command.state] = (counts[command.state] ?? 0) + 1;
    const wanted = Number(command.parameters.x).toString(16).padStart(4, '0');
    const got = frames.filter(
      ({ devEui, data }) => devEui === command.devEui && Buffer.from(data).toString('hex') === wanted,
    );
    const story = JSON.stringify({ command, got }, undefined, 1);
    assert.ok(got.length <= 1, `sent ${got.length} times: ${story}`);
    if (command.state === 'Transmitted' || command.state === 'Acknowledged') assert.equal(got.length, 1, story);
    else assert.equal(command.state, 'Uncertain', story);
  }
  for (const target of targets) {
    const order = frames.filter(({ devEui }) => devEui === target).map(({ data }) => Buffer.from(data).readUInt16BE());
    assert.deepEqual(
      order,
      order.toSorted((a, b) => a - b),
    );
  }
  const known = (counts.Transmitted ?? 0) + (counts.Acknowledged ?? 0);
  assert.ok(known >= 0.8 * COMMANDS, JSON.stringify(counts));
});
