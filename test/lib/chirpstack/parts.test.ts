import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { parsePollerSettings, shortestFloat } from '../../../lib/chirpstack';
import { backoffDelay, jittered } from '../../../lib/chirpstack/backoff';
import { classifyFailure, codeName } from '../../../lib/chirpstack/call-failure';
import { CallLimiter } from '../../../lib/chirpstack/call-limiter';
import { eachLimited } from '../../../lib/chirpstack/each-limited';
import { FaultLog, REPEAT_INTERVAL } from '../../../lib/chirpstack/fault-log';
import { BURST, BURST_INTERVAL, MAX_OPENING, OpeningQueue } from '../../../lib/chirpstack/opening-queue';
import { RecentIds } from '../../../lib/chirpstack/recent-ids';
import { deviceItem, parseStreamItem } from '../../../lib/chirpstack/replies';
import { InvalidInputError } from '../../../lib/model';
import { capturedLogger } from '../../support/captured-logger';
import { ManualClock } from '../../support/manual-clock';

describe('back-off', () => {
  test('lies between the shortest and the doubling ceiling, and never beyond the longest', () => {
    fc.assert(
      fc.property(fc.nat(100), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (attempt, chance) => {
        const delay = backoffDelay(attempt, { min: 500, max: 30_000 }, () => chance);
        assert.ok(delay >= 500 && delay <= Math.min(30_000, 500 * 2 ** (attempt + 1)));
      }),
    );
    assert.equal(
      jittered(100, 0.1, () => 0),
      90,
    );
    assert.equal(
      jittered(100, 0.1, () => 0.5),
      100,
    );
  });
});

describe('the limit of calls', () => {
  test('lets eight through in the order they came, a probe first', async () => {
    const limiter = new CallLimiter(2);
    const { signal } = new AbortController();
    const order: string[] = [];
    const [first, second] = [await limiter.acquire({ signal }), await limiter.acquire({ signal })];
    const pass = async (name: string, isProbe: boolean): Promise<void> => {
      const release = await limiter.acquire({ signal, first: isProbe });
      order.push(name);
      release();
    };
    const waiting = [pass('a', false), pass('b', false), pass('probe', true)];
    assert.equal(limiter.waiting, 3);
    first();
    first();
    second();
    await Promise.all(waiting);
    assert.deepEqual(order, ['probe', 'a', 'b']);
    assert.equal(limiter.running, 0);
  });

  test('who gives up while waiting leaves the queue', async () => {
    const limiter = new CallLimiter(1);
    const release = await limiter.acquire({ signal: new AbortController().signal });
    const controller = new AbortController();
    const waiting = limiter.acquire({ signal: controller.signal });
    controller.abort(new Error('enough'));
    await assert.rejects(waiting, /enough/);
    await assert.rejects(limiter.acquire({ signal: controller.signal }), /enough/);
    assert.equal(limiter.waiting, 0);
    release();
    assert.equal(limiter.running, 0);
  });
});

describe('tasks side by side', () => {
  test('at most so many run at once, and an error stops the rest after all have ended', async () => {
    let running = 0;
    let most = 0;
    const done: number[] = [];
    await eachLimited([1, 2, 3, 4, 5], 2, async (item) => {
      most = Math.max(most, ++running);
      await Promise.resolve();
      running--;
      done.push(item);
    });
    assert.equal(most, 2);
    assert.equal(done.length, 5);
    const begun: number[] = [];
    await assert.rejects(
      eachLimited([1, 2, 3, 4, 5, 6], 2, async (item) => {
        begun.push(item);
        await Promise.resolve();
        if (item === 2) throw new Error('two');
      }),
      /two/,
    );
    assert.ok(begun.length < 6);
  });
});

describe('the log of faults', () => {
  test('says a fault once, counts it, and says when it is over', () => {
    const clock = new ManualClock();
    const { logger, entries } = capturedLogger('chirpstack');
    const log = new FaultLog(logger, clock);
    const entry = { operation: 'call', event: 'failed', message: 'no answer' } as const;
    for (let call = 0; call < 100; call++) log.fault('server', entry);
    assert.equal(entries.length, 1);
    log.fault('server', { ...entry, message: 'refused' }, 'error');
    assert.equal(entries.at(-1)?.level, 'error');
    log.recovered('server', { operation: 'call', event: 'recovered', message: 'back' });
    log.recovered('server', { operation: 'call', event: 'recovered', message: 'back' });
    assert.equal(entries.length, 3);
    log.fault('other', entry);
    log.forget('other');
    log.recovered('other', entry);
    assert.equal(entries.length, 4);
  });

  test('says one that goes on again now and then, with a count', async () => {
    const clock = new ManualClock();
    const { logger, entries } = capturedLogger('chirpstack');
    const log = new FaultLog(logger, clock);
    const entry = { operation: 'call', event: 'failed', message: 'no answer' } as const;
    log.fault('server', entry);
    log.fault('server', entry);
    await clock.advance(REPEAT_INTERVAL);
    log.fault('server', entry);
    assert.deepEqual(
      entries.map(({ event, count }) => [event, count]),
      [
        ['failed', undefined],
        ['repeated', 2],
      ],
    );
    log.fault('server', entry);
    log.recovered('server', { operation: 'call', event: 'recovered', message: 'back' });
    assert.equal(entries.at(-1)?.count, 1);
  });
});

describe('opening in bursts', () => {
  test('opens no more at once than the server can take', async () => {
    const clock = new ManualClock();
    const opened: number[] = [];
    const queue = new OpeningQueue<number>(clock, (id) => opened.push(id));
    for (let id = 0; id < 300; id++) queue.add(id);
    queue.add(0);
    await clock.advance(1_000);
    assert.equal(opened.length, 0, 'paused until told otherwise');
    queue.resume();
    await clock.advance(0);
    assert.equal(opened.length, BURST);
    await clock.advance(10 * BURST_INTERVAL);
    assert.equal(opened.length, MAX_OPENING, 'the others wait until some have answered');
    for (const id of opened.slice()) queue.settled(id);
    await clock.advance(10 * BURST_INTERVAL);
    assert.equal(opened.length, 2 * MAX_OPENING);
    queue.pause();
    for (const id of opened.slice()) queue.settled(id);
    await clock.advance(1_000);
    assert.equal(opened.length, 2 * MAX_OPENING);
    queue.resume();
    await clock.advance(1_000);
    assert.equal(opened.length, 300);
    assert.deepEqual(new Set(opened).size, 300);
    queue.clear();
    assert.equal(queue.waiting, 0);
    assert.equal(clock.pendingTimers, 0);
  });
});

describe('recent ids', () => {
  test('know the last ones only', () => {
    const ids = new RecentIds(2);
    assert.ok(ids.add('a'));
    assert.ok(!ids.add('a'));
    assert.ok(ids.add('b'));
    assert.ok(ids.add('c'));
    assert.ok(ids.add('a'));
  });
});

describe('what ChirpStack sends as plain data', () => {
  test('float32 noise goes, and the number that was meant stays', () => {
    assert.equal(shortestFloat(Math.fround(21.3)), 21.3);
    assert.equal(shortestFloat(Math.fround(78.74016)), 78.74016);
    assert.equal(shortestFloat(0.1), 0.1);
    assert.equal(shortestFloat(Number.NaN), Number.NaN);
    fc.assert(
      fc.property(fc.float({ noNaN: true }), (value) => {
        // −0 may become 0.
        assert.ok(Math.fround(shortestFloat(value)) === value);
      }),
    );
    fc.assert(
      fc.property(fc.integer({ min: -999_999, max: 999_999 }), (value) => {
        assert.equal(shortestFloat(Math.fround(value / 1_000)), value / 1_000);
      }),
    );
  });

  test('a stream item without a time that makes sense takes that of its id', () => {
    assert.equal(parseStreamItem({ id: '1795448058912-0', description: 'up', body: '{}' }).time, 1_795_448_058_912);
    assert.equal(parseStreamItem({ id: '5-0', time: { seconds: -5, nanos: 0 }, description: 'up', body: '' }).time, 5);
    assert.deepEqual(parseStreamItem({ id: 'x', time: { seconds: 7, nanos: 999_999_999 } }), {
      id: 'x',
      type: '',
      time: 7_999,
      body: '',
    });
    assert.equal(parseStreamItem({ id: 'x' }).time, 0);
    assert.deepEqual(parseStreamItem(7), { id: '', type: '', time: 0, body: '' });
  });

  test('a battery level of −1 is none', () => {
    const row = { devEui: 'x', deviceStatus: { margin: 3, externalPowerSource: true, batteryLevel: -1 } };
    assert.deepEqual(deviceItem.parse(row).deviceStatus, { margin: 3, externalPower: true });
    assert.equal(deviceItem.parse({ devEui: 'x' }).deviceStatus, undefined);
  });
});

describe('failures in words', () => {
  for (const [code, details, kind] of [
    [
      14,
      'No connection established. Last error: Error: connect ECONNREFUSED 127.0.0.1:1. Resolution note: ',
      'unreachable',
    ],
    [14, 'Name resolution failed for target dns:no.such.host.invalid:8080', 'unreachable'],
    [14, 'No connection established. Last error: connect EHOSTUNREACH 10.0.0.1:1', 'unreachable'],
    [14, 'No connection established. Last error: connect ETIMEDOUT', 'unreachable'],
    [14, 'No connection established. Last error: Protocol error (2026)', 'not-grpc'],
    [14, 'No connection established. Last error: Failed to connect (2026)', 'unreachable'],
    [14, 'Last error: Error: 40ED:error:0A00010B:SSL routines::wrong version number:x', 'bad-certificate'],
    [14, 'Last error: Error: SSL routines:tlsv1 alert no application protocol', 'not-grpc'],
    [14, 'Last error: Error: self-signed certificate; if', 'bad-certificate'],
    [14, "Error [ERR_TLS_CERT_ALTNAME_INVALID]: Hostname/IP does not match certificate's altnames", 'bad-certificate'],
    [14, 'Error: certificate has expired', 'bad-certificate'],
    [14, 'Error: SSL something', 'bad-certificate'],
    [14, 'Received HTTP status code 502', 'unreachable'],
    [14, 'Connection dropped', 'interrupted'],
    [14, 'who knows', 'unreachable'],
    [12, 'Received HTTP status code 404', 'not-grpc'],
    [12, '', 'unimplemented'],
    [4, 'Deadline exceeded', 'timeout'],
    [1, 'Timeout expired', 'timeout'],
    [1, 'Call cancelled', 'interrupted'],
    [16, '', 'not-permitted'],
    [16, 'InvalidToken', 'wrong-token'],
    [5, 'Object does not exist (id: x)', 'not-found'],
    [13, 'database is locked', 'refused'],
    [13, 'Received RST_STREAM with code 2', 'interrupted'],
    [2, 'x', 'refused'],
    [8, 'Received message larger than max', 'refused'],
  ] as const)
    test(`${codeName(code)} ${details.slice(0, 60)} is ${kind}`, () => {
      const failure = classifyFailure(code, details, 'http://h:8080');
      assert.equal(failure.kind, kind);
      assert.notEqual(failure.reason, '');
      assert.notEqual(failure.cure, '');
    });

  test('tell whether the call was ever sent, and never the token', () => {
    assert.ok(classifyFailure(14, 'No connection established. Last error: x', 'a').neverSent);
    assert.ok(!classifyFailure(4, 'Deadline exceeded', 'a').neverSent);
    assert.ok(!classifyFailure(16, 'bad token s3cret', 'a', 's3cret').reason.includes('s3cret'));
    assert.equal(codeName(99), '99');
  });
});

describe('settings of the poller', () => {
  test('come in seconds and words, as a form gives them', () => {
    assert.deepEqual(
      parsePollerSettings({ pollInterval: '1.5', streamEvents: 'false', pollMetrics: true, maximumStreams: '7' }),
      { pollInterval: 1_500, streamEvents: false, pollMetrics: true, maximumStreams: 7 },
    );
    assert.deepEqual(parsePollerSettings({ pollInterval: '', streamEvents: null }), {
      pollInterval: 60_000,
      streamEvents: true,
      pollMetrics: false,
      maximumStreams: 1_000,
    });
    assert.equal(parsePollerSettings({ pollInterval: 0 }).pollInterval, 0);
  });

  test('are refused all at once', () => {
    try {
      parsePollerSettings(
        { pollInterval: -1, streamEvents: 'maybe', pollMetrics: 1, maximumStreams: 0.5 },
        { pollInterval: 'POLL_INTERVAL_SECONDS' },
      );
      assert.fail('no fault was found');
    } catch (error) {
      assert.ok(error instanceof InvalidInputError);
      assert.deepEqual(
        error.faults.map(({ field }) => field),
        ['POLL_INTERVAL_SECONDS', 'streamEvents', 'pollMetrics', 'maximumStreams'],
      );
    }
  });
});
