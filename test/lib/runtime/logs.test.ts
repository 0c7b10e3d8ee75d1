import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { LogEntry, LogLevel, LogModule } from '../../../lib/model';
import {
  collapseRepeats,
  filterLevels,
  formatJson,
  formatText,
  isWanted,
  mostTalkative,
  nodeRedLogHandler,
  openGatewayLog,
  parseLogLevels,
  RotatedLog,
} from '../../../lib/runtime';
import { ManualClock } from '../../support/manual-clock';

const NOON = Date.UTC(2026, 10, 24, 12);
const failed: LogEntry = { operation: 'connect', event: 'failed', reason: 'unreachable', message: 'no answer' };

function levels(text: string) {
  const parsed = parseLogLevels(text);
  assert.ok(!('rule' in parsed));
  return parsed;
}

function recorder() {
  const seen: { level: LogLevel; module: LogModule; entry: LogEntry }[] = [];
  return {
    seen,
    sink: (level: LogLevel, module: LogModule, entry: LogEntry) => void seen.push({ level, module, entry }),
  };
}

const folder = () => mkdtempSync(join(tmpdir(), 'lorua-log-'));

describe('log levels', () => {
  it('hold for one module or for all', () => {
    const wanted = levels('warn, opcua=trace,store=error');
    assert.equal(isWanted(wanted, 'warn', 'quality'), true);
    assert.equal(isWanted(wanted, 'info', 'quality'), false);
    assert.equal(isWanted(wanted, 'trace', 'opcua'), true);
    assert.equal(isWanted(wanted, 'warn', 'store'), false);
    assert.equal(mostTalkative(wanted), 'trace');
  });

  it('let through only what is wanted', () => {
    const { seen, sink } = recorder();
    const filtered = filterLevels(levels('info'), sink);
    filtered('debug', 'opcua', failed);
    filtered('info', 'opcua', failed);
    assert.deepEqual(
      seen.map(({ level }) => level),
      ['info'],
    );
  });
});

describe('log lines', () => {
  it('in text are for people, one line each', () => {
    assert.equal(
      formatText(NOON, 'warn', 'chirpstack', { ...failed, message: 'no\n  answer' }),
      '2026-11-24T12:00:00.000Z warn  chirpstack: no ⏎ answer operation=connect event=failed reason=unreachable',
    );
  });

  it('of Node-RED do not repeat what all of them say', () => {
    const entry: LogEntry = { operation: 'run-flow', event: 'repeated', message: 'hello', count: 3 };
    assert.equal(formatText(NOON, 'info', 'flow', entry), '2026-11-24T12:00:00.000Z info  flow: hello count=3');
  });

  it('in JSON hold every field', () => {
    assert.deepEqual(JSON.parse(formatJson(NOON, 'warn', 'chirpstack', { ...failed, count: 2 })), {
      time: '2026-11-24T12:00:00.000Z',
      level: 'warn',
      module: 'chirpstack',
      operation: 'connect',
      event: 'failed',
      reason: 'unreachable',
      message: 'no answer',
      count: 2,
    });
  });
});

describe('repeated entries', () => {
  const options = { window: 60_000, maximumEntries: 2 };

  it('show at once, then as a count for each window, as long as they come', async () => {
    const clock = new ManualClock();
    const { seen, sink } = recorder();
    const collapsing = collapseRepeats(sink, clock, options);
    for (let second = 0; second < 90; second++) {
      collapsing.sink('error', 'chirpstack', { ...failed, duration_ms: second });
      await clock.advance(1_000);
    }
    assert.deepEqual(
      seen.map(({ entry }) => [entry.event, entry.count]),
      [
        ['failed', undefined],
        ['repeated', 59],
      ],
    );
    await clock.advance(60_000);
    assert.deepEqual(seen.at(-1)?.entry.count, 30);
    await clock.advance(120_000);
    assert.equal(seen.length, 3, 'silence is not reported');
    assert.equal(clock.pendingTimers, 0);
    collapsing.sink('error', 'chirpstack', failed);
    assert.equal(seen.at(-1)?.entry.event, 'failed', 'what comes again after a while is new');
    collapsing.close();
  });

  it('end with a recovery: the same fault after that is a new one', () => {
    const clock = new ManualClock();
    const { seen, sink } = recorder();
    const collapsing = collapseRepeats(sink, clock, options);
    collapsing.sink('error', 'chirpstack', failed);
    collapsing.sink('error', 'chirpstack', failed);
    collapsing.sink('info', 'chirpstack', { ...failed, event: 'recovered' });
    collapsing.sink('error', 'chirpstack', failed);
    assert.deepEqual(
      seen.map(({ entry }) => entry.event),
      ['failed', 'repeated', 'recovered', 'failed'],
    );
    collapsing.close();
    assert.equal(clock.pendingTimers, 0);
  });

  it('of other levels, devices or modules are not mixed up', () => {
    const clock = new ManualClock();
    const { seen, sink } = recorder();
    const collapsing = collapseRepeats(sink, clock, { ...options, maximumEntries: 10 });
    collapsing.sink('error', 'chirpstack', failed);
    collapsing.sink('warn', 'chirpstack', failed);
    collapsing.sink('error', 'store', failed);
    collapsing.sink('error', 'store', { ...failed, device: '0102030405060708' });
    collapsing.sink('info', 'store', failed);
    collapsing.sink('info', 'store', failed);
    assert.equal(seen.length, 6);
    collapsing.close();
  });

  it('count what was counted before', () => {
    const { seen, sink } = recorder();
    const collapsing = collapseRepeats(sink, new ManualClock(), options);
    collapsing.sink('warn', 'store', { ...failed, count: 5 });
    collapsing.sink('warn', 'store', { ...failed, count: 7 });
    collapsing.close();
    assert.deepEqual(
      seen.map(({ entry }) => entry.count),
      [5, 7],
    );
  });

  it('are reported early when too many different ones come, and at the end', () => {
    const clock = new ManualClock();
    const { seen, sink } = recorder();
    const collapsing = collapseRepeats(sink, clock, options);
    for (const message of ['a', 'a', 'b', 'b', 'c']) collapsing.sink('error', 'store', { ...failed, message });
    const texts = () => seen.map(({ entry }) => `${entry.message} ${entry.event}`);
    assert.deepEqual(texts(), ['a failed', 'b failed', 'a repeated', 'c failed']);
    collapsing.close();
    collapsing.close();
    assert.deepEqual(texts().slice(4), ['b repeated']);
    assert.equal(clock.pendingTimers, 0);
    collapsing.sink('error', 'store', { ...failed, message: 'c' });
    assert.equal(texts().at(-1), 'c failed', 'after the end everything passes');
  });
});

describe('log files', () => {
  it('are rotated by size, and the oldest is deleted', async () => {
    const place = folder();
    const log = new RotatedLog({ folder: place, name: 'gateway', maximumSize: 20, maximumFiles: 3 }, assert.fail);
    for (const line of ['first line', 'second line', 'third line', 'fourth line']) {
      log.write(line);
      await log.settled();
    }
    await log.close();
    await log.close();
    assert.deepEqual(readdirSync(place).sort(), ['gateway.1.log', 'gateway.2.log', 'gateway.log']);
    assert.equal(readFileSync(join(place, 'gateway.log'), 'utf8'), 'fourth line\n');
    assert.equal(readFileSync(join(place, 'gateway.2.log'), 'utf8'), 'second line\n');
    assert.equal(statSync(join(place, 'gateway.log')).mode & 0o777, 0o600);
  });

  it('go on where they ended', async () => {
    const place = folder();
    writeFileSync(join(place, 'gateway.log'), 'as long as allowed\n');
    const log = new RotatedLog({ folder: place, name: 'gateway', maximumSize: 20, maximumFiles: 2 }, assert.fail);
    log.write('new');
    await log.close();
    assert.equal(readFileSync(join(place, 'gateway.1.log'), 'utf8'), 'as long as allowed\n');
    assert.equal(log.file, join(place, 'gateway.log'));
  });

  it('that cannot be written are told once, and what is missing is counted', async () => {
    const place = folder();
    const blocked = join(place, 'logs');
    writeFileSync(blocked, 'a file where the folder should be');
    const troubles: string[] = [];
    const log = new RotatedLog({ folder: blocked, name: 'gateway', maximumSize: 1_000, maximumFiles: 2 }, (reason) =>
      troubles.push(reason),
    );
    for (const line of ['lost 1', 'lost 2']) {
      log.write(line);
      await log.settled();
    }
    rmSync(blocked);
    log.write('kept');
    await log.close();
    assert.equal(troubles.length, 1);
    assert.match(readFileSync(join(blocked, 'gateway.log'), 'utf8'), /^kept\n… 2 entries are missing here/);
  });

  it('never hold more than a megabyte in memory', async () => {
    const place = folder();
    const log = new RotatedLog({ folder: place, name: 'gateway', maximumSize: 1e9, maximumFiles: 2 }, assert.fail);
    const line = 'x'.repeat(600_000);
    log.write(line);
    log.write(line);
    await log.settled();
    log.write('later');
    await log.close();
    assert.match(readFileSync(log.file, 'utf8'), /later\n$/);
    assert.match(readFileSync(log.file, 'utf8'), /… 1 entries are missing/);
  });

  it('get the rest at the end of the process', () => {
    const place = join(folder(), 'new');
    const log = new RotatedLog({ folder: place, name: 'gateway', maximumSize: 1_000, maximumFiles: 2 }, assert.fail);
    log.write('last words');
    log.flushAtExit();
    log.flushAtExit();
    log.write('too late');
    assert.equal(readFileSync(log.file, 'utf8'), 'last words\n');
  });

  it('do not disturb the end of the process', () => {
    const place = folder();
    const blocked = join(place, 'logs');
    writeFileSync(blocked, '');
    const log = new RotatedLog({ folder: blocked, name: 'a', maximumSize: 9, maximumFiles: 2 }, () => undefined);
    log.write('x');
    log.flushAtExit();
  });
});

describe('the gateway log', () => {
  it('goes to console and files alike, with repetitions collapsed', () => {
    const place = folder();
    const lines: string[] = [];
    const log = openGatewayLog({ levels: levels('info'), format: 'text', folder: place }, new ManualClock(), (line) =>
      lines.push(line),
    );
    log.sink('debug', 'store', failed);
    log.sink('error', 'store', failed);
    log.sink('error', 'store', failed);
    log.finish();
    assert.equal(lines.length, 2);
    assert.match(lines[1] ?? '', /event=repeated .*count=1/);
    assert.equal(readFileSync(join(place, 'gateway.log'), 'utf8'), `${lines.join('\n')}\n`);
  });

  it('needs no files', () => {
    const lines: string[] = [];
    const log = openGatewayLog(
      { levels: levels('info'), format: 'json', folder: undefined },
      new ManualClock(),
      (line) => lines.push(line),
    );
    log.sink('info', 'store', failed);
    log.finish();
    assert.equal(JSON.parse(lines[0] ?? '').message, 'no answer');
  });

  it('tells on the console when its files cannot be written', async () => {
    const place = folder();
    const blocked = join(place, 'logs');
    writeFileSync(blocked, '');
    chmodSync(blocked, 0o600);
    const lines: string[] = [];
    const told = new Promise<void>((resolve) => {
      const log = openGatewayLog(
        { levels: levels('info'), format: 'json', folder: blocked },
        new ManualClock(),
        (line) => {
          lines.push(line);
          if (lines.length === 2) resolve();
        },
      );
      log.sink('info', 'store', failed);
    });
    await told;
    assert.match(lines[1] ?? '', /log files cannot be written/);
  });
});

describe('records of Node-RED', () => {
  it('of our nodes keep their entry', () => {
    const { seen, sink } = recorder();
    nodeRedLogHandler(sink)({ level: 20, msg: 'x', id: 'n1', type: 't', lorua: { module: 'store', entry: failed } });
    assert.deepEqual(seen, [{ level: 'error', module: 'store', entry: { ...failed, node: 'n1' } }]);
  });

  for (const [level, expected] of [
    [10, 'error'],
    [20, 'error'],
    [30, 'warn'],
    [40, 'info'],
    [50, 'debug'],
    [60, 'trace'],
  ] as const)
    it(`of level ${level} are ${expected}`, () => {
      const { seen, sink } = recorder();
      nodeRedLogHandler(sink)({ level, msg: 'hello' });
      assert.equal(seen[0]?.level, expected);
    });

  it('of other nodes say which node it was', () => {
    const { seen, sink } = recorder();
    const handler = nodeRedLogHandler(sink);
    handler({ level: 30, msg: 'hello', type: 'function', id: 'f1', name: 'mine' });
    handler({ level: 30, msg: 'hello', type: 'function', id: 'f1' });
    assert.deepEqual(
      seen.map(({ entry }) => [entry.message, entry.node]),
      [
        ['[function "mine"] hello', 'f1'],
        ['[function] hello', 'f1'],
      ],
    );
  });

  it('are made readable whatever they hold', () => {
    const { seen, sink } = recorder();
    const handler = nodeRedLogHandler(sink);
    const error = new Error('broken');
    for (const msg of [error, { message: 'from an object' }, { a: 1 }, '\n\nWelcome\n=============\n', 5])
      handler({ level: 40, msg });
    assert.deepEqual(
      seen.map(({ entry }) => entry.message),
      [error.stack, 'from an object', '{ a: 1 }', 'Welcome', '5'],
    );
  });

  it('that say nothing or are no logs are left out', () => {
    const { seen, sink } = recorder();
    const handler = nodeRedLogHandler(sink);
    for (const record of [{ level: 99, msg: 'metric' }, { level: 40, msg: '------------' }, 'text', undefined])
      handler(record);
    assert.deepEqual(seen, []);
  });
});
