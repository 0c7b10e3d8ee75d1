import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { afterEach, test } from 'node:test';
import * as fc from 'fast-check';
import { addressGroup, ConnectionGuard, type GuardedChannel } from '../../../lib/opcua/protection/connection-guard';
import { errorChunk, MessageMeter } from '../../../lib/opcua/protection/message-meter';
import { ManualClock } from '../../support/manual-clock';
import { chunk } from '../../support/raw-opcua';
import { ChangingSettings } from './changing-settings';
import { until } from './support';

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

const LIMITS = { maxConnectionsPerEndpoint: 2, connectionsPerAddressPerMinute: 0, maxMessageSize: 500_000 };

interface House {
  readonly clock: ManualClock;
  readonly guard: ConnectionGuard;
  readonly limits: ChangingSettings<typeof LIMITS>;
  /** Sockets that came through. */
  readonly admitted: Socket[];
  readonly refused: [address: string, reason: string, count: number][];
  readonly open: (from?: string) => Promise<Socket>;
}

async function house(maxConnectionsPerEndpoint: number, connectionsPerAddressPerMinute: number): Promise<House> {
  const limits = new ChangingSettings({ ...LIMITS, maxConnectionsPerEndpoint, connectionsPerAddressPerMinute });
  const clock = new ManualClock();
  const admitted: Socket[] = [];
  const refused: [string, string, number][] = [];
  const guard = new ConnectionGuard({
    clock,
    limits,
    onRefused: (address, reason, count) => refused.push([address, reason, count]),
  });
  const server = createServer((socket) => {
    admitted.push(socket);
    socket.resume();
  });
  guard.watch(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  ends.push(() => {
    guard.close();
    for (const socket of admitted) socket.destroy();
    server.close();
  });
  return {
    clock,
    guard,
    limits,
    admitted,
    refused,
    open: async (from = '127.0.0.1') => {
      const before = admitted.length + refused.reduce((sum, [, , count]) => sum + count, 0);
      const socket = connect({ port: address.port, host: '127.0.0.1', localAddress: from });
      ends.push(() => socket.destroy());
      let isClosed = false;
      socket.on('error', () => undefined);
      socket.on('close', () => {
        isClosed = true;
      });
      await once(socket, 'connect').catch(() => undefined);
      await until(() => isClosed || admitted.length + refused.reduce((sum, [, , count]) => sum + count, 0) > before);
      return socket;
    },
  };
}

function channelOf(socket: Socket, status?: string): GuardedChannel {
  return {
    remoteAddress: socket.localAddress ?? '',
    remotePort: socket.localPort ?? 0,
    isOpened: true,
    sessionTokens: status === undefined ? {} : { token: { status } },
  };
}

test('whoever connects too fast is closed at once, told once and counted, until it slows down', async () => {
  const { clock, admitted, refused, open } = await house(100, 6);
  for (let index = 0; index < 10; index++) await open();
  assert.equal(admitted.length, 6);
  assert.deepEqual(refused, [['127.0.0.1', 'too-fast', 1]]);
  await open('127.0.0.2');
  assert.equal(admitted.length, 7, 'another address has a rate of its own');
  await clock.advance(10_000);
  await open();
  assert.equal(admitted.length, 8, 'one more every ten seconds');
  await clock.advance(65_000);
  assert.deepEqual(
    refused.filter(([, reason]) => reason === 'too-fast'),
    [
      ['127.0.0.1', 'too-fast', 1],
      ['127.0.0.1', 'too-fast', 3],
    ],
  );
});

test('other limits hold for connections that come next', async () => {
  const { guard, limits, admitted, open } = await house(2, 2);
  const connect = async (): Promise<number> => {
    const socket = await open();
    guard.channelMade(channelOf(socket, 'active'));
    return admitted.length;
  };
  await connect();
  await connect();
  assert.equal(await connect(), 2);
  limits.change({ connectionsPerAddressPerMinute: 100 });
  assert.equal(await connect(), 2, 'there are too many yet');
  limits.change({ maxConnectionsPerEndpoint: 3 });
  assert.equal(await connect(), 3);
  limits.change({ maxConnectionsPerEndpoint: 1 });
  assert.equal(guard.count, 3, 'nobody is sent away');
  assert.equal(await connect(), 3);
});

test('a flood drives out its own connections, and never those with a session or of others', async () => {
  const { guard, admitted, refused, open } = await house(5, 0);
  const client = await open();
  guard.channelMade(channelOf(client, 'active'));
  const other = await open('127.0.0.3');
  const flood: Socket[] = [];
  for (let index = 0; index < 6; index++) flood.push(await open('127.0.0.2'));
  assert.equal(admitted.length, 8);
  await until(() => flood.filter(({ destroyed }) => destroyed).length === 3);
  assert.deepEqual(
    flood.map(({ destroyed }) => destroyed),
    [true, true, true, false, false, false],
  );
  assert.ok(!client.destroyed && !other.destroyed);
  assert.equal(guard.count, 5);
  assert.deepEqual(refused, [['127.0.0.2', 'too-many', 1]]);
  const late = await open('127.0.0.4');
  assert.ok(!late.destroyed, 'a client from elsewhere gets in');
});

test('when all connections have sessions, nobody else gets in', async () => {
  const { guard, admitted, refused, open } = await house(2, 0);
  for (let index = 0; index < 2; index++) guard.channelMade(channelOf(await open(), 'active'));
  const late = await open('127.0.0.2');
  await until(() => late.destroyed);
  assert.equal(admitted.length, 2);
  assert.deepEqual(refused, [['127.0.0.2', 'too-many', 1]]);
});

test('connections without session are closed within a minute, however far they came', async () => {
  const { clock, guard, refused, open } = await house(10, 0);
  const [silent, opened, asking, created, client] = [
    await open(),
    await open(),
    await open(),
    await open(),
    await open(),
  ];
  guard.channelMade(channelOf(opened));
  const askingChannel = channelOf(asking);
  guard.channelMade(askingChannel);
  guard.channelMade(channelOf(created, 'new'));
  guard.channelMade(channelOf(client, 'active'));
  await clock.advance(25_000);
  await until(() => silent.destroyed);
  assert.ok(!opened.destroyed);
  guard.requested(askingChannel);
  await clock.advance(25_000);
  await until(() => opened.destroyed && created.destroyed);
  assert.ok(!asking.destroyed && !client.destroyed);
  await clock.advance(25_000);
  await until(() => asking.destroyed);
  await clock.advance(3_600_000);
  assert.ok(!client.destroyed);
  assert.deepEqual(refused[0], ['127.0.0.1', 'silent', 1]);
  assert.equal(guard.count, 1);
});

test('the first messages must be small, whatever their chunks say', async () => {
  const { guard, refused, open } = await house(10, 0);
  const [stranger, client] = [await open(), await open()];
  guard.channelMade(channelOf(client, 'active'));
  const answer: Buffer[] = [];
  stranger.on('data', (data: Buffer) => answer.push(data));
  const part = chunk('MSG', 'C', Buffer.alloc(8_000));
  for (let index = 0; index < 20; index++) {
    stranger.write(part);
    client.write(part);
  }
  await until(() => stranger.destroyed);
  assert.ok(!client.destroyed);
  assert.ok(Buffer.concat(answer).equals(errorChunk(0x80800000, 'the server takes no message as large now')));
  assert.deepEqual(refused, [['127.0.0.1', 'too-large', 1]]);
});

test('messages are measured alike, however they are cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.constantFrom('F', 'C', 'A'), fc.nat(300)), { minLength: 1, maxLength: 10 }),
      fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }),
      (chunks, cuts) => {
        const bytes = Buffer.concat(chunks.map(([kind, size]) => chunk('MSG', kind, Buffer.alloc(size))));
        let message = 0;
        let largest = 0;
        for (const [kind, size] of chunks) {
          message += 8 + size;
          largest = Math.max(largest, message);
          if (kind !== 'C') message = 0;
        }
        const meter = new MessageMeter();
        let seen = 0;
        for (let offset = 0, turn = 0; offset < bytes.length; turn++) {
          const size = cuts[turn % cuts.length] ?? 1;
          seen = Math.max(seen, meter.feed(bytes.subarray(offset, offset + size)));
          offset += size;
        }
        assert.equal(seen, largest);
        assert.equal(new MessageMeter().feed(bytes), largest);
      },
    ),
  );
});

test('addresses of one host are one', () => {
  assert.equal(addressGroup('::ffff:192.0.2.7'), '192.0.2.7');
  assert.equal(addressGroup('192.0.2.7'), '192.0.2.7');
  assert.equal(addressGroup('2001:db8:1:2:3:4:5:6'), '2001:db8:1:2');
  assert.equal(addressGroup('2001:db8::7'), '2001:db8:0:0');
  assert.equal(addressGroup('2001:db8:1:2::7'), addressGroup('2001:DB8:1:2:ffff::1'));
  assert.equal(addressGroup('::1'), '0:0:0:0');
});
