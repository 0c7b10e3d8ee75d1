import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import {
  coerceValue,
  createLogger,
  dataTypeOf,
  display,
  Emitter,
  errorText,
  FaultCollector,
  faultText,
  flatten,
  hashPassword,
  InvalidInputError,
  isPasswordHash,
  isQuality,
  type LogEntry,
  logText,
  MAX_DEPTH,
  MAX_KEY_LENGTH,
  MAX_METRICS,
  type MetricDataType,
  type MetricValue,
  parseApplicationId,
  parseDevEui,
  parseDeviceProfileId,
  parseEventId,
  parseGatewayEui,
  parseMetricKey,
  parseQuality,
  parseSourceId,
  parseTenantId,
  QUALITY_CODES,
  type Quality,
  qualityClass,
  qualityCode,
  qualityFromCode,
  REDACTED,
  type Reading,
  readingKeys,
  readingQuality,
  silentLogger,
  systemClock,
  verifyPassword,
  wait,
} from '../../../lib/model';
import { ManualClock } from '../../support/manual-clock';

const hexadecimal = fc.array(fc.constantFrom(...'0123456789abcdef'.split('')), { minLength: 16, maxLength: 16 });

describe('identifiers', () => {
  test('an EUI is lower-case hexadecimal, however it was written', () => {
    fc.assert(
      fc.property(hexadecimal, fc.constantFrom('', ':', '-'), fc.boolean(), (digits, separator, upper) => {
        const pairs = Array.from({ length: 8 }, (_, index) => digits.slice(index * 2, index * 2 + 2).join(''));
        const written = ` ${pairs.join(separator)} `;
        assert.equal(parseDevEui(upper ? written.toUpperCase() : written), digits.join(''));
        assert.equal(parseGatewayEui(written), digits.join(''));
      }),
    );
  });

  test('what is no EUI is refused with field, value, rule and cure', () => {
    for (const value of ['', '123', `${'0'.repeat(15)}g`, '0'.repeat(17), 16, null, undefined, {}])
      for (const parse of [parseDevEui, parseGatewayEui])
        assert.throws(
          () => parse(value, 'DEVICE'),
          (error: unknown) => {
            assert.ok(error instanceof InvalidInputError);
            const [fault] = error.faults;
            assert.equal(fault?.field, 'DEVICE');
            assert.match(error.message, /^DEVICE is .*16 hexadecimal digits.*ChirpStack/);
            return true;
          },
        );
  });

  test('ids of ChirpStack are UUIDs', () => {
    fc.assert(
      fc.property(fc.uuid(), (uuid) => {
        for (const parse of [parseTenantId, parseApplicationId, parseDeviceProfileId])
          assert.equal(parse(` ${uuid.toUpperCase()}`), uuid);
      }),
    );
    for (const parse of [parseTenantId, parseApplicationId, parseDeviceProfileId])
      assert.throws(() => parse('not-a-uuid'), InvalidInputError);
  });

  test('keys have characters that can be shown', () => {
    for (const parse of [parseMetricKey, parseEventId, parseSourceId]) {
      assert.equal(parse('Température °C'), 'Température °C');
      assert.equal(parse('x'.repeat(MAX_KEY_LENGTH)).length, MAX_KEY_LENGTH);
      for (const value of ['', 'x'.repeat(MAX_KEY_LENGTH + 1), 'a\nb', '\u0000', 5])
        assert.throws(() => parse(value), InvalidInputError);
    }
  });
});

describe('metric values', () => {
  const values: fc.Arbitrary<MetricValue> = fc.oneof(
    fc.double(),
    fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }),
    fc.boolean(),
    fc.string(),
  );
  const types = fc.constantFrom<MetricDataType>('Double', 'Int64', 'Boolean', 'String');

  test('a value fits its own type unchanged, except integers beyond 64 bits', () => {
    fc.assert(
      fc.property(values, (value) => {
        const fits = typeof value !== 'bigint' || BigInt.asIntN(64, value) === value;
        assert.deepEqual(coerceValue(value, dataTypeOf(value)), fits ? value : undefined);
      }),
    );
  });

  test('nothing is converted with loss, and what comes out is of the type asked for', () => {
    fc.assert(
      fc.property(values, types, (value, type) => {
        const coerced = coerceValue(value, type);
        if (coerced === undefined) return;
        assert.equal(dataTypeOf(coerced), type);
        if (typeof value === 'bigint' || typeof coerced === 'bigint') assert.equal(coerced == value, true);
        else assert.deepEqual(coerced, value);
      }),
    );
  });

  test('the edges', () => {
    assert.equal(coerceValue(5, 'Int64'), 5n);
    assert.equal(coerceValue(5.5, 'Int64'), undefined);
    assert.equal(coerceValue(2 ** 53, 'Int64'), undefined);
    assert.equal(coerceValue(2n ** 60n, 'Double'), 2 ** 60);
    assert.equal(coerceValue(2n ** 60n + 1n, 'Double'), undefined);
    assert.equal(coerceValue(1, 'Boolean'), undefined);
    assert.equal(coerceValue('21', 'Double'), undefined);
    assert.equal(coerceValue(21, 'String'), undefined);
  });
});

describe('quality', () => {
  test('names and codes map both ways', () => {
    for (const name of Object.keys(QUALITY_CODES) as Quality[]) {
      assert.ok(isQuality(name));
      assert.equal(parseQuality(name), name);
      assert.equal(qualityFromCode(qualityCode(name)), name);
      // As a signed 32-bit integer, too: some storages give it like that.
      assert.equal(qualityFromCode(qualityCode(name) | 0), name);
      assert.ok(name.startsWith(qualityClass(name)));
    }
    assert.equal(new Set(Object.values(QUALITY_CODES)).size, Object.keys(QUALITY_CODES).length);
  });

  test('an unknown code becomes its class, an unknown name is refused', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffffffff }), (code) => {
        assert.equal(qualityClass(qualityFromCode(code)), ['Good', 'Uncertain', 'Bad', 'Bad'][code >>> 30]);
      }),
    );
    for (const name of ['good', 'toString', '', 0, undefined]) {
      assert.equal(isQuality(name), false);
      assert.throws(() => parseQuality(name, 'msg.quality.x'), /msg\.quality\.x/);
    }
  });
});

describe('flattening', () => {
  test('nested names and places in arrays are joined, null is left out', () => {
    assert.deepEqual(flatten({ a: { b: 1, c: [true, { d: 'x' }] }, e: null, f: undefined, g: 5n }), {
      values: { a_b: 1, a_c_0: true, a_c_1_d: 'x', g: 5n },
      refused: [],
    });
  });

  test('where two paths give one key the later stands', () => {
    assert.deepEqual(flatten({ a_b: 1, a: { b: 2 } }).values, { a_b: 2 });
  });

  test('what cannot be a metric is reported with its path', () => {
    const { values, refused } = flatten({
      nan: Number.NaN,
      inf: [Number.POSITIVE_INFINITY],
      when: new Date(),
      bytes: Buffer.from('x'),
      view: new Uint8Array(1),
      call: () => 1,
      '': 1,
      'a\u0001': 2,
      ['x'.repeat(MAX_KEY_LENGTH + 1)]: 3,
      fine: 4,
    });
    assert.deepEqual(values, { fine: 4 });
    assert.deepEqual(
      refused.map(({ path }) => path.slice(0, 5)),
      ['nan', 'inf_0', 'when', 'bytes', 'view', 'call', '', 'a\u0001', 'xxxxx'],
    );
  });

  test('depth and number are limited', () => {
    let deep: object = { v: 1 };
    for (let level = 0; level < MAX_DEPTH + 1; level++) deep = { n: deep };
    assert.match(flatten(deep).refused[0]?.rule ?? '', /deep/);
    const many = Object.fromEntries(Array.from({ length: MAX_METRICS + 5 }, (_, index) => [`k${index}`, index]));
    const { values, refused } = flatten(many);
    assert.equal(Object.keys(values).length, MAX_METRICS);
    assert.equal(refused.length, 1);
  });

  test('never throws, and gives only what can be a metric', () => {
    fc.assert(
      fc.property(fc.object({ withBigInt: true, withDate: true, withTypedArray: true }), (object) => {
        for (const [key, value] of Object.entries(flatten(object).values)) {
          assert.equal(parseMetricKey(key), key);
          assert.ok(['number', 'bigint', 'boolean', 'string'].includes(typeof value));
          if (typeof value === 'number') assert.ok(Number.isFinite(value));
        }
      }),
    );
  });

  test('a flat object of good keys comes back as it is', () => {
    const keys = fc.string({ minLength: 1, maxLength: 20, unit: fc.constantFrom(...'abcXYZ09 °'.split('')) });
    fc.assert(
      fc.property(fc.dictionary(keys, fc.oneof(fc.integer(), fc.boolean(), fc.string())), (object) => {
        assert.deepEqual({ ...flatten(object).values }, { ...object });
      }),
    );
  });
});

describe('faults', () => {
  test('are collected and thrown together', () => {
    const collector = new FaultCollector();
    collector.throwIfAny();
    assert.equal(
      collector.attempt(() => 5),
      5,
    );
    assert.equal(
      collector.attempt(() => parseDevEui('x', 'ONE')),
      undefined,
    );
    collector.add('TWO', REDACTED, 'it is long', 'Make it longer.');
    collector.add('THREE', { a: 1 }, 'it is b', 'Use b.');
    assert.throws(() => collector.attempt(() => assert.fail('other')), /other/);
    assert.throws(
      () => collector.throwIfAny(),
      (error: unknown) => {
        assert.ok(error instanceof InvalidInputError);
        assert.deepEqual(
          error.faults.map(({ field }) => field),
          ['ONE', 'TWO', 'THREE'],
        );
        assert.equal(faultText(error.faults[1] ?? assert.fail()), 'TWO is (hidden): it is long. Make it longer.');
        return true;
      },
    );
  });

  test('any value can be shown, in at most 80 characters', () => {
    fc.assert(
      fc.property(
        fc.anything({ withBigInt: true, withSymbol: true } as object),
        (value) => display(value).length <= 80,
      ),
    );
    const loop: { self?: unknown } = {};
    loop.self = loop;
    assert.equal(display(loop), '[object Object]');
    assert.equal(display(5n), '5n');
    assert.equal(display(undefined), 'undefined');
    assert.equal(display('x'.repeat(100)).at(-1), '…');
    assert.equal(errorText(new Error('why')), 'why');
    assert.equal(errorText('thrown'), 'thrown');
  });
});

describe('emitter', () => {
  test('gives events to all listeners, whatever one of them does', () => {
    const errors: unknown[] = [];
    const emitter = new Emitter<number>((error) => errors.push(error));
    const seen: string[] = [];
    const stopFirst = emitter.on((event) => {
      seen.push(`first ${event}`);
      stopFirst();
    });
    emitter.on(() => {
      throw new Error('broken');
    });
    const listener = (event: number): void => void seen.push(`twice ${event}`);
    const stop = emitter.on(listener);
    emitter.on(listener);
    emitter.emit(1);
    stop();
    stop();
    emitter.emit(2);
    assert.deepEqual(seen, ['first 1', 'twice 1', 'twice 1', 'twice 2']);
    assert.equal(errors.length, 2);
    assert.equal(emitter.listenerCount, 2);
  });
});

describe('clock', () => {
  test('waiting ends with its time or its signal', async () => {
    const clock = new ManualClock();
    const ended: string[] = [];
    const controller = new AbortController();
    void wait(clock, 1_000).then(() => ended.push('time'));
    void wait(clock, 5_000, controller.signal).then(() => ended.push('signal'));
    await clock.advance(1_000);
    assert.deepEqual(ended, ['time']);
    controller.abort();
    await clock.advance(0);
    assert.deepEqual(ended, ['time', 'signal']);
    await wait(clock, 1_000, controller.signal);
    assert.equal(clock.pendingTimers, 0);
  });

  test('the real clock runs, and its timers can be cancelled', async () => {
    assert.ok(Math.abs(systemClock.now() - Date.now()) < 1_000);
    assert.ok(systemClock.monotonic() <= systemClock.monotonic());
    systemClock.after(2 ** 40, () => assert.fail('a long delay is not an overflow')).cancel();
    let count = 0;
    await new Promise<void>((resolve) => {
      const keepAlive = setInterval(() => undefined, 10);
      const timer = systemClock.every(0, () => {
        if (++count < 2) return;
        timer.cancel();
        clearInterval(keepAlive);
        resolve();
      });
    });
    await new Promise<void>((resolve) => {
      const keepAlive = setInterval(() => undefined, 10);
      systemClock.after(-5, () => {
        clearInterval(keepAlive);
        resolve();
      });
    });
  });
});

describe('log', () => {
  test('every level goes to the sink with its module', () => {
    const lines: string[] = [];
    const logger = createLogger('store', (level, module, { message }) => lines.push(`${level} ${module} ${message}`));
    const entry: LogEntry = { operation: 'store', event: 'failed', message: 'm' };
    for (const level of ['error', 'warn', 'info', 'debug', 'trace'] as const) logger[level](entry);
    assert.deepEqual(lines, ['error store m', 'warn store m', 'info store m', 'debug store m', 'trace store m']);
    silentLogger.error(entry);
  });

  test('the text for people has facts as key=value, quoted where needed', () => {
    const text = logText({
      operation: 'store',
      event: 'failed',
      message: 'it broke',
      count: 3,
      cure: 'Do "this".',
      file: '',
    });
    assert.equal(text, 'it broke operation=store event=failed count=3 cure="Do \\"this\\"." file=""');
  });
});

describe('passwords', () => {
  const cheap = { N: 1_024, r: 8, p: 1 };

  test('are verified against their hash and nothing else', async () => {
    const hash = await hashPassword('pässwörd', cheap);
    assert.ok(isPasswordHash(hash));
    assert.ok(!hash.includes('pässwörd'));
    assert.equal(await verifyPassword('pässwörd', hash), true);
    // The same letters typed as letter and accent.
    assert.equal(await verifyPassword('pässwörd'.normalize('NFD'), hash), true);
    assert.equal(await verifyPassword('password', hash), false);
    assert.notEqual(await hashPassword('pässwörd', cheap), hash);
  });

  test('a hash that is none, or asks for senseless costs, fits nothing', async () => {
    const hash = await hashPassword('x', cheap);
    assert.equal(await verifyPassword('x', 'x'), false);
    assert.equal(isPasswordHash('x'), false);
    assert.equal(await verifyPassword('x', hash.replace('$1024$', '$1023$')), false);
  });
});

describe('readings', () => {
  const reading: Reading = {
    device: { devEui: parseDevEui('0000000000000001') },
    values: { a: 1, b: 2 },
    time: 0,
    quality: { b: 'Bad', c: 'Uncertain' },
    origin: 'event',
  };

  test('tell their keys once, and the quality of each', () => {
    assert.deepEqual(readingKeys(reading), ['a', 'b', 'c']);
    assert.deepEqual(
      ['a', 'b', 'c', 'toString'].map((key) => readingQuality(reading, key)),
      ['Good', 'Bad', 'Uncertain', 'Good'],
    );
  });
});
