import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { type LogEntry, packageVersion, systemClock } from '../../../lib/model';
import { Slices } from '../../../lib/opcua/address-space/slices';
import { splitInt64 } from '../../../lib/opcua/address-space/values';
import { listenError, PkiFolderError, PortInUseError } from '../../../lib/opcua/errors';
import { harmlessInterval } from '../../../lib/opcua/protection/request-guard';
import { negotiate } from '../../../lib/opcua/protection/transport';
import { RepeatedEntries } from '../../../lib/opcua/repeated';
import { ManualClock } from '../../support/manual-clock';

test('a repeated entry is written once and then counted', async () => {
  const clock = new ManualClock();
  const repeated = new RepeatedEntries(clock);
  const written: LogEntry[] = [];
  const entry: LogEntry = { operation: 'publish', event: 'dropped', message: 'x' };
  for (let i = 0; i < 5; i++) repeated.write('a', entry, (item) => written.push(item));
  repeated.write('b', entry, (item) => written.push(item));
  assert.equal(written.length, 2);
  await clock.advance(60_000);
  assert.equal(written.length, 3);
  assert.deepEqual(written[2], { ...entry, event: 'repeated', count: 4 });
  assert.equal(clock.pendingTimers, 0);
  repeated.write('a', entry, (item) => written.push(item));
  assert.equal(written.length, 4);
  repeated.flush();
  assert.equal(clock.pendingTimers, 0);
});

test('a flood of different entries is bounded', () => {
  const repeated = new RepeatedEntries(new ManualClock());
  let written = 0;
  for (let i = 0; i < 5_000; i++)
    repeated.write(`key ${i}`, { operation: 'publish', event: 'dropped', message: 'x' }, () => written++);
  assert.ok(written <= 200);
  repeated.flush();
  assert.ok(written <= 201);
});

test('sampling intervals become numbers the library can stand', () => {
  assert.equal(harmlessInterval(Number.NaN), -1);
  assert.equal(harmlessInterval(Number.NEGATIVE_INFINITY), -1);
  assert.equal(harmlessInterval(-0.5), -1);
  assert.equal(harmlessInterval(Number.POSITIVE_INFINITY), 3_600_000);
  fc.assert(
    fc.property(fc.double(), (requested) => {
      const interval = harmlessInterval(requested);
      assert.ok(interval === -1 || (interval >= 0 && interval <= 3_600_000));
    }),
  );
});

const OWN = { chunkSize: 16_384, maxMessageSize: 64 * 1024 * 1024 };

test('chunks are small, and any message the client takes still fits', () => {
  const usual = negotiate(
    { receiveBufferSize: 65_536, sendBufferSize: 65_536, maxMessageSize: 0, maxChunkCount: 0 },
    OWN,
  );
  assert.equal(usual.sendBufferSize, 16_384);
  assert.ok(usual.maxMessageSize >= 16 * 1024 * 1024);
  const limited = { receiveBufferSize: 65_535, sendBufferSize: 65_535, maxMessageSize: 327_675, maxChunkCount: 5 };
  assert.equal(negotiate(limited, OWN).sendBufferSize, 65_535);
  fc.assert(
    fc.property(
      fc.record({
        receiveBufferSize: fc.integer({ min: 8_192, max: 1 << 20 }),
        sendBufferSize: fc.integer({ min: 8_192, max: 1 << 20 }),
        maxMessageSize: fc.nat(),
        maxChunkCount: fc.nat(10_000),
      }),
      (hello) => {
        const limits = negotiate(hello, OWN);
        assert.ok(limits.receiveBufferSize >= 8_192 && limits.receiveBufferSize <= hello.receiveBufferSize);
        assert.ok(limits.sendBufferSize >= 8_192 && limits.sendBufferSize <= hello.sendBufferSize);
        assert.ok(hello.maxMessageSize === 0 || limits.maxMessageSize <= hello.maxMessageSize);
        assert.ok(hello.maxChunkCount === 0 || limits.maxChunkCount === hello.maxChunkCount);
      },
    ),
  );
});

test('64-bit integers are split without loss', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }), (value) => {
      const [high, low] = splitInt64(value);
      assert.equal(BigInt.asUintN(64, (BigInt(high) << 32n) | BigInt(low)), BigInt.asUintN(64, value));
    }),
  );
});

test('work is done in slices, errors do not stop it', async () => {
  const errors: unknown[] = [];
  let slices = 0;
  const work = new Slices(
    systemClock,
    (slice) => {
      slices++;
      slice();
    },
    (error) => errors.push(error),
  );
  const done: number[] = [];
  work.add(
    (function* count() {
      for (let i = 0; i < 250; i++) {
        done.push(i);
        yield;
      }
    })(),
  );
  work.add(
    (function* broken() {
      yield;
      throw new Error('broken');
    })(),
  );
  assert.equal(done.length, 0, 'nothing at once');
  await work.settled();
  assert.equal(done.length, 250);
  assert.ok(slices >= 3);
  assert.equal(errors.length, 1);
  await work.settled();
  work.add([undefined].values());
  const waiting = work.settled();
  work.clear();
  await waiting;
});

test('why a port cannot be listened on', () => {
  const coded = (code: string): Error => Object.assign(new Error(code), { code });
  const inUse = listenError(coded('EADDRINUSE'), { port: 4840 });
  assert.ok(inUse instanceof PortInUseError);
  assert.equal(inUse.port, 4840);
  assert.match(String(listenError(coded('EACCES'), { port: 80 })), /port is 80/);
  assert.match(String(listenError(coded('EADDRNOTAVAIL'), { port: 80, host: '192.0.2.1' })), /host is "192.0.2.1"/);
  const other = new Error('other');
  assert.equal(listenError(other, { port: 1 }), other);
  assert.match(new PkiFolderError('/x', new Error('EACCES')).message, /pkiFolder is "\/x".*EACCES.*write access/);
});

test('the version is that of the package', () => {
  assert.match(packageVersion(), /^\d+\.\d+\.\d+/);
  assert.equal(packageVersion('/'), '0.0.0');
});
