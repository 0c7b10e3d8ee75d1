import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { createHmac } from 'node:crypto';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { InvalidInputError } from '../../../lib/model';
import {
  KINDS,
  parseSimulatorSettings,
  randomUuid,
  seededRandom,
  signToken,
  simulatorIdentity,
} from '../../../lib/simulator';
import { BucketStore } from '../../../lib/simulator/bucket-store';
import { AGGREGATIONS, bucketRange, bucketStart } from '../../../lib/simulator/buckets';
import { builtInCodec, CodecError, noCodec, scriptCodec } from '../../../lib/simulator/codec';
import { ServiceError } from '../../../lib/simulator/errors';
import { float32 } from '../../../lib/simulator/event-json';
import { EventLog } from '../../../lib/simulator/event-log';
import { instant, milliseconds, rfc3339 } from '../../../lib/simulator/instant';
import { authenticate } from '../../../lib/simulator/keys';
import { parseEui64, parseUuid } from '../../../lib/simulator/parse';
import { nameMatches } from '../../../lib/simulator/services/listing';
import { TimerQueue } from '../../../lib/simulator/timer-queue';
import { ManualClock } from '../../support/manual-clock';

function refusal(action: () => unknown): { code: number; details: string } {
  try {
    action();
  } catch (error) {
    assert.ok(error instanceof ServiceError);
    return { code: error.code, details: error.details };
  }
  return assert.fail('nothing was refused');
}

describe('tokens', () => {
  const secret = 'secret';
  const id = '00000000-0000-4000-8000-000000000001';
  const token = signToken(id, secret);
  const made = (header: object, claims: unknown): string => {
    const text = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
    return `Bearer ${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
  };
  const claims = { aud: 'chirpstack', iss: 'chirpstack', sub: id, typ: 'key' };

  test('a key signed with the secret of the server is known', () => {
    assert.equal(authenticate(`Bearer ${token}`, secret), id);
    assert.equal(authenticate(made({ alg: 'HS256' }, claims), secret), id);
  });

  const refusals: readonly (readonly [string, string, RegExp])[] = [
    ['lower case scheme', `bearer ${token}`, /^authorization metadata must be in format 'Bearer <TOKEN>$/],
    ['no scheme', token, /^authorization metadata/],
    ['two spaces', `Bearer  ${token}`, /^authorization metadata/],
    ['no token at all', 'Bearer garbage', /^InvalidToken$/],
    ['not base64', 'Bearer a!b.c.d', /^Base64 error: Invalid symbol 33, offset 1\.$/],
    ['not JSON', 'Bearer aaaa.bbbb.cccc', /^JSON error: /],
    ['header without algorithm', made({}, claims), /^JSON error: missing field `alg`/],
    ['another algorithm', made({ alg: 'none' }, claims), /^InvalidAlgorithm$/],
    ['another secret', `Bearer ${signToken(id, 'other')}`, /^InvalidSignature$/],
    ['another audience', made({ alg: 'HS256' }, { ...claims, aud: 'other' }), /^InvalidAudience$/],
    ['a user token', made({ alg: 'HS256' }, { ...claims, typ: 'x' }), /^invalid token typ: x$/],
    ['no subject', made({ alg: 'HS256' }, { aud: 'chirpstack' }), /^JSON error: missing field/],
  ];
  for (const [what, authorization, details] of refusals)
    test(`${what} is refused with the words of ChirpStack`, () => {
      const { code, details: text } = refusal(() => authenticate(authorization, secret));
      assert.equal(code, 16);
      assert.match(text, details);
    });
});

describe('ids in requests', () => {
  test('UUIDs with and without hyphens, upper and lower case, are the same', () => {
    fc.assert(
      fc.property(fc.uuid(), (uuid) => {
        assert.equal(parseUuid(uuid.toUpperCase()), uuid);
        assert.equal(parseUuid(uuid.replaceAll('-', '')), uuid);
      }),
    );
  });

  test('wrong UUIDs are an invalid argument', () => {
    assert.deepEqual(
      refusal(() => parseUuid('')),
      { code: 3, details: 'invalid length: found 0' },
    );
    assert.deepEqual(
      refusal(() => parseUuid('x')),
      { code: 3, details: 'invalid character: found `x` at 1' },
    );
    assert.match(refusal(() => parseUuid('a-b')).details, /^invalid group count: expected 5, found 2$/);
    assert.match(
      refusal(() => parseUuid('a-b-c-d-e')).details,
      /^invalid group length in group 0: expected 8, found 1$/,
    );
  });

  test('wrong EUIs are an internal error, and an empty one is EUI zero', () => {
    assert.equal(parseEui64(''), '0000000000000000');
    assert.equal(parseEui64('A0B0C0D000000001'), 'a0b0c0d000000001');
    assert.deepEqual(
      refusal(() => parseEui64('abc')),
      { code: 13, details: 'Odd number of digits' },
    );
    assert.deepEqual(
      refusal(() => parseEui64('zz')),
      { code: 13, details: 'Invalid string length' },
    );
    assert.deepEqual(
      refusal(() => parseEui64('a0b0c0d00000000z')),
      {
        code: 13,
        details: "Invalid character 'z' at position 15",
      },
    );
  });
});

describe('instants', () => {
  test('keep milliseconds', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4e12 }), (ms) => {
        assert.equal(milliseconds(instant(ms)), ms);
        assert.equal(Date.parse(rfc3339(instant(ms))), ms);
      }),
    );
  });

  test('are written with 0, 3, 6 or 9 digits', () => {
    const text = (nanos: number): string => rfc3339({ seconds: 0, nanos });
    assert.equal(text(0), '1970-01-01T00:00:00+00:00');
    assert.equal(text(5_000_000), '1970-01-01T00:00:00.005+00:00');
    assert.equal(text(5_000), '1970-01-01T00:00:00.000005+00:00');
    assert.equal(text(5), '1970-01-01T00:00:00.000000005+00:00');
  });

  test('floats of 32 bits are written as short as they can be read back', () => {
    assert.equal(float32((200 / 254) * 100), 78.74016);
    assert.deepEqual([float32(21.3), float32(0.1), float32(16_777_217)], [21.3, 0.1, 16_777_216]);
    fc.assert(
      fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => {
        assert.ok(Math.fround(float32(value)) === Math.fround(value));
      }),
    );
  });
});

describe('calendar buckets', () => {
  test('follow each other without holes and include both ends', () => {
    const time = fc.integer({ min: 0, max: 4e12 });
    fc.assert(
      fc.property(
        fc.constantFrom(...AGGREGATIONS),
        time,
        fc.integer({ min: 0, max: 1e8 }),
        (aggregation, start, span) => {
          const range = bucketRange(start, start + span, aggregation);
          assert.equal(range[0], bucketStart(start, aggregation));
          assert.equal(range.at(-1), bucketStart(start + span, aggregation));
          for (const [index, at] of range.entries()) {
            assert.equal(bucketStart(at, aggregation), at);
            const next = range[index + 1];
            if (next !== undefined) assert.equal(bucketStart(next - 1, aggregation), at);
          }
        },
      ),
    );
    assert.deepEqual(bucketRange(10, 9, 'MINUTE').length, 1);
    assert.deepEqual(bucketRange(3_600_000, 0, 'HOUR'), []);
    assert.equal(bucketRange(Date.UTC(2024, 0, 31), Date.UTC(2025, 0, 1), 'MONTH').length, 13);
  });

  test('hold what was put in, and the old ones expire', () => {
    const store = new BucketStore();
    const hour = 3_600_000;
    for (let index = 0; index < 60; index++) {
      store.add('a', index, index * hour);
      store.add('a', 1, index * hour + 1);
      store.set('b', index, index * hour);
    }
    assert.deepEqual(store.read('a', 'HOUR', 59 * hour), { value: 60, count: 2 });
    assert.equal(store.read('b', 'HOUR', 59 * hour).value, 59);
    assert.deepEqual(store.read('a', 'HOUR', 0), { value: 0, count: 0 });
    assert.deepEqual(store.read('a', 'MINUTE', 59 * hour), { value: 0, count: 0 });
    assert.deepEqual(store.read('c', 'DAY', 0), { value: 0, count: 0 });
    assert.deepEqual(store.keysIn('DAY', [0]), ['a']);
  });
});

describe('stored events', () => {
  const event = (time: number) =>
    ({ time: instant(time), type: 'up', body: () => String(time), properties: () => [] }) as const;

  test('have rising ids whatever the clock does, and about ten of them stay', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 50 }), { maxLength: 200 }), (times) => {
        const log = new EventLog(10, 30);
        for (const time of times) log.append(time, event(time));
        const kept = log.all();
        const key = (id: string): number => {
          const [ms, sequence] = id.split('-').map(Number);
          return (ms ?? 0) * 1_000 + (sequence ?? 0);
        };
        for (let index = 1; index < kept.length; index++)
          assert.ok(key(kept[index]?.id ?? '') > key(kept[index - 1]?.id ?? ''));
        assert.ok(kept.length >= Math.min(10, times.length) && kept.length <= 13);
        assert.deepEqual(
          kept.map(({ body }) => Number(body())),
          times.slice(times.length - kept.length),
        );
      }),
    );
  });

  test('can be followed by those who lag, and a history of 0 stores nothing', () => {
    const log = new EventLog(10, 30);
    for (let time = 1; time <= 100; time++) log.append(time, event(time));
    const { events, next } = log.read(75, 10);
    assert.deepEqual(
      events.map(({ body }) => body()),
      Array.from({ length: 10 }, (_, index) => String(76 + index)),
    );
    assert.equal(next, 85);
    assert.ok(Number(log.read(0, 10).events[0]?.body()) > 50, 'what is gone is skipped');
    const none = new EventLog(0, 30);
    none.append(1, event(1));
    assert.equal(none.end, 0);
  });
});

describe('timer queue', () => {
  test('calls in order of time, then of asking, and never what was cancelled', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ delay: fc.integer({ min: 0, max: 100 }), cancelled: fc.boolean() }), { maxLength: 60 }),
        async (entries) => {
          const clock = new ManualClock();
          const timers = new TimerQueue(clock, () => assert.fail());
          const called: number[] = [];
          const handles = entries.map(({ delay }, index) => timers.after(delay, () => called.push(index)));
          entries.forEach(({ cancelled }, index) => {
            if (cancelled) handles[index]?.cancel();
          });
          await clock.advance(100);
          const expected = entries
            .map((entry, index) => ({ ...entry, index }))
            .filter(({ cancelled }) => !cancelled)
            .sort((a, b) => a.delay - b.delay || a.index - b.index)
            .map(({ index }) => index);
          assert.deepEqual(called, expected);
          assert.equal(clock.pendingTimers, 0);
        },
      ),
      { numRuns: 30 },
    );
  });

  test('uses one timer, tells of calls that throw, and forgets everything when cleared', async () => {
    const clock = new ManualClock();
    const errors: unknown[] = [];
    const timers = new TimerQueue(clock, (error) => errors.push(error));
    let calls = 0;
    for (let index = 0; index < 1_200; index++) timers.after(10, () => calls++);
    timers.after(5, () => {
      throw new Error('broken');
    });
    assert.equal(clock.pendingTimers, 1);
    await clock.advance(10);
    assert.deepEqual([calls, errors.length], [1_200, 1]);
    timers.after(10, () => calls++);
    timers.clear();
    assert.equal(clock.pendingTimers, 0);
  });
});

describe('codecs', () => {
  const input = (bytes: Uint8Array) => ({ bytes, fPort: 2, recvTime: 0, variables: {} });

  test('built-in codecs give what the same text gives in a context of its own', () => {
    for (const kind of KINDS) {
      const builtIn = builtInCodec(kind.codec);
      const script = scriptCodec(kind.codec);
      const outcome = (codec: typeof builtIn, bytes: Uint8Array): unknown => {
        try {
          return JSON.parse(JSON.stringify(codec.decode(input(bytes)))) as unknown;
        } catch (error) {
          assert.ok(error instanceof CodecError);
          return error.message;
        }
      };
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 16 }), (bytes) => {
          assert.deepEqual(outcome(builtIn, bytes), outcome(script, bytes));
        }),
        { numRuns: 20 },
      );
    }
  });

  test('encode with the port of the codec, else with the one that was asked for', () => {
    const both = (text: string) => [builtInCodec(text), scriptCodec(text)];
    const asked = { data: { v: 3 }, fPort: 9, variables: { gain: '2' } };
    for (const codec of both(
      'function encodeDownlink(i) { return { bytes: [i.data.v * i.variables.gain], fPort: 5 }; }',
    ))
      assert.deepEqual(codec.encode(asked), { fPort: 5, data: Uint8Array.of(6) });
    for (const codec of both('function encodeDownlink(i) { return { bytes: [] }; }'))
      assert.deepEqual(codec.encode(asked), { fPort: 9, data: new Uint8Array() });
    assert.deepEqual(noCodec.encode(asked), { fPort: 9, data: new Uint8Array() });
    assert.equal(noCodec.decode(input(Uint8Array.of(1))), undefined);
  });

  const faults: readonly (readonly [string, string, RegExp])[] = [
    ['errors', 'function decodeUplink() { return { errors: ["a", "b"] }; }', /^decodeUplink returned errors: a, b$/],
    ['no data', 'function decodeUplink() { return {}; }', /^decodeUplink did not return data$/],
    ['exception', 'function decodeUplink() { throw new TypeError("bad"); }', /^JS error: TypeError: bad$/],
    ['thrown text', 'function decodeUplink() { throw "bad"; }', /^JS error: bad$/],
    ['no function', '', /^JS error: (TypeError|ReferenceError): /],
  ];
  for (const [what, text, message] of faults)
    test(`${what} of a script is a codec error`, () => {
      for (const codec of [builtInCodec(text), scriptCodec(text)])
        assert.throws(
          () => codec.decode(input(Uint8Array.of(1))),
          (error) => error instanceof CodecError && message.test(error.message),
        );
    });

  test('a script that does not end, or that cannot be read, is stopped', () => {
    for (const text of ['function decodeUplink() { for (;;); }', 'function {'])
      assert.throws(() => scriptCodec(text).decode(input(Uint8Array.of(1))), /JS error/);
    const encoder = scriptCodec('function encodeDownlink() { return {}; }');
    assert.throws(() => encoder.encode({ data: {}, fPort: 1, variables: {} }), /encodeDownlink did not return bytes/);
  });
});

describe('search', () => {
  test('is a part of the name in any case, with the wildcards of SQL', () => {
    assert.ok(nameMatches('Cold Store 1', 'STORE'));
    assert.ok(nameMatches('Cold Store 1', 'c%1'));
    assert.ok(nameMatches('Cold Store 1', 'd_S'));
    assert.ok(!nameMatches('Cold Store 1', 'd.S.x'));
    fc.assert(fc.property(fc.string(), fc.string(), (a, b) => nameMatches(`${a}${b}`, b.replaceAll(/[%_]/g, '_'))));
  });
});

describe('seeds', () => {
  test('give the same numbers, ids and tokens each time', () => {
    const one = seededRandom(5);
    const other = seededRandom(5);
    for (let index = 0; index < 100; index++) assert.equal(randomUuid(one), randomUuid(other));
    assert.match(randomUuid(one), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    assert.deepEqual(simulatorIdentity(5), simulatorIdentity(5));
    assert.notEqual(simulatorIdentity(5).tenantToken, simulatorIdentity(6).tenantToken);
  });
});

describe('settings', () => {
  test('are read from texts, and have defaults', () => {
    assert.deepEqual(parseSimulatorSettings({}), { devices: 30, period: 10_000, seed: 1, port: 8090 });
    assert.deepEqual(parseSimulatorSettings({ devices: '5000', period: '0.1', seed: '0', port: ' 0 ' }), {
      devices: 5_000,
      period: 100,
      seed: 0,
      port: 0,
    });
  });

  test('all faults are told at once', () => {
    assert.throws(
      () => parseSimulatorSettings({ devices: 0, period: 'fast', seed: -1, port: 70_000 }),
      (error) =>
        error instanceof InvalidInputError &&
        error.faults.map(({ field }) => field).join() === 'devices,period,port,seed',
    );
    assert.throws(() => parseSimulatorSettings({ devices: 1.5 }), InvalidInputError);
  });
});
