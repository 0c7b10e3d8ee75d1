/**
 * The program is killed at random instants under load, again and again on the same data folder. What it said it had
 * committed is there once, nothing is invented or doubled, and what had not got that far comes again with ChirpStack's
 * replay. LORUA_CAMPAIGN=full makes it a hundred instants; LORUA_SEED repeats the instants of a run.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { silentLogger, systemClock } from '../../lib/model';
import { Simulator, seededRandom } from '../../lib/simulator';
import { GatewayStore, parseStoreSettings, type StoredRecord } from '../../lib/store';
import { launchGateway } from '../support/boot-gateway';
import { eventually } from '../support/eventually';
import { HistoryFile } from '../support/history-file';
import { UplinkLedger, valueName } from '../support/uplink-ledger';

const FULL = process.env.LORUA_CAMPAIGN === 'full';
const KILLS = FULL ? 100 : 3;
const SEED = Number(process.env.LORUA_SEED ?? Date.now() % 1_000_000);
const DEVICES = 100;
const PERIOD = 500;
/** What the gateway may still hold in memory, ms. */
const WINDOW = 500;
/** Share of the start of the program in which it is not killed: it has not come to its data yet. */
const EARLIEST = 0.5;
/** A life goes on at most so long after the program is up, ms. */
const LONGEST_LIFE = 2_500;
const KILLED_COMMITTERS = FULL ? 100 : 5;
const COMMITTER = join(__dirname, '..', 'support', 'commit-until-killed.js');
/** ms from its first acknowledged command to its end, at most */
const LONGEST_COMMITTER = 500;
/** The last devices of a fleet are those with troubles, which are of no use here. */
const TROUBLED = 3;

interface LogLine {
  readonly operation?: string;
  readonly event?: string;
  readonly message?: string;
  readonly count?: number;
}

/** Samples that complete log lines of the program report as committed. */
function committedIn(output: string): number {
  let committed = 0;
  for (const line of output.split('\n').slice(0, -1)) {
    if (!line.includes('samples committed')) continue;
    const { operation, event, message, count } = JSON.parse(line) as LogLine;
    if (operation === 'store' && event === 'succeeded' && message === 'samples committed') committed += count ?? 0;
  }
  return committed;
}

describe(`the program killed at ${KILLS} random instants (seed ${SEED})`, () => {
  const random = seededRandom(SEED);
  const dataFolder = mkdtempSync(join(tmpdir(), 'lorua-kill-'));
  const file = join(dataFolder, 'lorua.db');
  const simulator = new Simulator(
    { devices: DEVICES + TROUBLED, period: PERIOD, seed: 7 },
    { clock: systemClock, logger: silentLogger },
  );
  let ledger: UplinkLedger;
  let environment: Record<string, string>;

  before(async () => {
    for (const { devEui } of simulator.devices().slice(DEVICES)) simulator.deleteDevice(devEui);
    ledger = new UplinkLedger(simulator);
    const { url } = await simulator.start();
    environment = {
      CHIRPSTACK_URL: url,
      CHIRPSTACK_API_TOKEN: simulator.tenantToken,
      CHIRPSTACK_TENANT_ID: simulator.tenantId,
      LOG_FORMAT: 'json',
      LOG_LEVEL: 'info,store=debug',
      // Nothing grows old: rows are values of devices and nothing else.
      STALE_SECONDS: '86400',
    };
  });
  after(async () => {
    await simulator.stop();
    rmSync(dataFolder, { recursive: true, force: true });
  });

  /** Looks at the whole history: every row is one that was sent. @returns the names of what is there */
  const look = (): Set<string> => {
    const present = new Set<string>();
    // A program that was killed early has made no database yet.
    if (!existsSync(file)) return present;
    const history = new HistoryFile(file);
    try {
      assert.equal(history.check(), 'ok');
      for (const { devEui, metric, time, value, status, corrected } of history.rows()) {
        const name = valueName(devEui, metric, time);
        assert.ok(ledger.sent.has(name), `invented: ${name} = ${value}`);
        assert.deepEqual(value, ledger.sent.get(name), `changed: ${name}`);
        assert.equal(status, 0, name);
        assert.ok(!corrected, `stored twice: ${name}`);
        assert.ok(!present.has(name), `doubled: ${name}`);
        present.add(name);
      }
    } finally {
      history.close();
    }
    return present;
  };

  test('loses nothing that it reported as committed', async (t) => {
    const launch = (): ReturnType<typeof launchGateway> =>
      launchGateway({ environment, dataFolder, readyOn: 'errors' });
    let committed = 0;
    let upAfter = 0;
    const windows = { starting: [0], up: [0] };
    let livesWithCommits = 0;

    for (let life = 1; life <= KILLS; life++) {
      ledger.forgetDeliveries();
      const begun = performance.now();
      const gateway = await launch();
      let phase: keyof typeof windows = 'starting';
      const up = gateway.ready.then(
        () => {
          phase = 'up';
        },
        () => undefined,
      );
      // Half of the lives end while the program works, half while it starts.
      if (life % 2 === 1) {
        await up;
        upAfter = performance.now() - begun;
        await pause(random() * LONGEST_LIFE);
      } else await pause(upAfter * (EARLIEST + random() * (1 - EARLIEST)));
      const killedAt = performance.now();
      const { signal, output, errors } = await gateway.stop('SIGKILL');
      assert.equal(signal, 'SIGKILL', `it was alive until then\n${output}\n${errors}`);

      const reported = committedIn(output);
      committed += reported;
      if (reported > 0) livesWithCommits++;
      const present = look();
      assert.ok(present.size >= committed, `${committed} samples were reported, ${present.size} are there`);
      let window = 0;
      for (const { name, at } of ledger.delivered())
        if (at < killedAt && !present.has(name)) window = Math.max(window, killedAt - at);
      windows[phase].push(window);
    }

    assert.ok(livesWithCommits > KILLS / 4, `only ${livesWithCommits} lives committed anything: it was no load`);
    t.diagnostic(`killed ${KILLS} times, ${livesWithCommits} times after commits; ${committed} samples reported`);
    // While it starts, what ChirpStack sends waits in the socket until modules are loaded: the gateway has not got it yet.
    for (const [phase, lost] of Object.entries(windows)) {
      const sorted = lost.toSorted((a, b) => a - b);
      t.diagnostic(
        `killed while ${phase}, ${lost.length - 1} times: ChirpStack had sent the oldest value that was not committed ` +
          `at most ${Math.round(sorted.at(-1) ?? 0)} ms before, median ${Math.round(sorted[sorted.length >> 1] ?? 0)} ms`,
      );
    }
    if (FULL)
      assert.ok(Math.max(...windows.up) <= WINDOW, `${Math.max(...windows.up)} ms of values were not committed`);

    // The last start: everything that ChirpStack still holds comes again, and stays.
    ledger.forgetDeliveries();
    const gateway = await launch();
    await gateway.ready;
    await eventually(() => simulator.server.openStreams >= DEVICES, 'event streams of all devices');
    simulator.fleet.pause();
    // What was sent last is still under way: a stream looks once a second.
    await pause(1_500);
    const { code } = await gateway.stop();
    assert.equal(code, 0);
    const present = look();
    const delivered = [...ledger.delivered()];
    assert.ok(delivered.length > DEVICES * 10, 'the replay brought something');
    for (const { name } of delivered) assert.ok(present.has(name), `lost: ${name}`);
    t.diagnostic(`${present.size} of ${ledger.sent.size} values that were sent are in history, each once`);
  });
});

describe(`a process that commits commands, killed at ${KILLED_COMMITTERS} random instants (seed ${SEED})`, () => {
  const random = seededRandom(SEED + 1);
  const folder = mkdtempSync(join(tmpdir(), 'lorua-commit-'));
  const file = join(folder, 'commands.db');
  after(() => rmSync(folder, { recursive: true, force: true }));

  /** Ids that the process printed before it was killed. */
  const commitUntilKilled = async (prefix: string): Promise<string[]> => {
    const child = spawn(process.execPath, [COMMITTER, file, prefix], { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    const closed = once(child, 'close');
    await Promise.race([once(child.stdout, 'data'), closed]);
    await pause(random() * LONGEST_COMMITTER);
    child.kill('SIGKILL');
    const [, signal] = (await closed) as [unknown, unknown];
    assert.equal(signal, 'SIGKILL', 'it ran until then');
    return output.split('\n').slice(0, -1);
  };

  /** All commands behind one, page by page. */
  const commandsAfter = async (after: StoredRecord | undefined): Promise<StoredRecord[]> => {
    const store = GatewayStore.create(parseStoreSettings({ backend: 'sqlite', file }), {
      clock: systemClock,
      logger: silentLogger,
    });
    await store.open();
    try {
      const found: StoredRecord[] = [];
      for (let last = after; ; last = found.at(-1)) {
        const page = await store.readRecords({ kind: 'command', limit: 1_000, ...(last ? { after: last } : {}) });
        found.push(...page);
        if (page.length === 0) return found;
      }
    } finally {
      await store.close();
    }
  };

  test('loses none that was acknowledged, and has none twice', async (t) => {
    let last: StoredRecord | undefined;
    const acknowledged: string[] = [];
    for (let life = 1; life <= KILLED_COMMITTERS; life++) {
      const printed = await commitUntilKilled(`life-${life}`);
      acknowledged.push(...printed);
      const found = await commandsAfter(last);
      const ids = new Set(found.map(({ id }) => id));
      for (const id of printed) assert.ok(ids.has(id), `lost: ${id}`);
      last = found.at(-1) ?? last;
    }
    const all = await commandsAfter(undefined);
    const ids = new Set(all.map(({ id }) => id));
    assert.equal(ids.size, all.length, 'none is there twice');
    for (const id of acknowledged) assert.ok(ids.has(id), `lost later: ${id}`);
    t.diagnostic(`${acknowledged.length} commands were acknowledged, ${all.length} are there`);
    assert.ok(acknowledged.length >= KILLED_COMMITTERS);
  });
});
