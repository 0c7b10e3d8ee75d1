import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import * as fc from 'fast-check';
import { OPCUAClient, ReadAtTimeDetails } from 'node-opcua';
import type { EncodedHistoryPage, HistoryRequest } from '../../../lib/model';
import { GatewayServer, type HistorySource } from '../../../lib/opcua';
import { ContinuationPoints } from '../../../lib/opcua/history/continuation';
import { continuationKey } from '../../../lib/opcua/history/continuation-key';
import type { GatewayStore } from '../../../lib/store';
import { capturedLogger } from '../../support/captured-logger';
import { ManualClock } from '../../support/manual-clock';
import {
  ask,
  askOne,
  metricNode,
  openStore,
  raw,
  readAll,
  serve,
  shown,
  sourceOf,
  statusOf,
  T0,
  valuesOf,
} from './history-support';
import {
  type Connected,
  connect,
  depsOf,
  identity,
  readingOf,
  settingsOf,
  temporaryFolder,
  until,
  urlOf,
} from './support';

const { folder, remove } = temporaryFolder();
const COUNT = 12_500;
const LEVEL = metricNode(1, 'level');
const EMPTY: EncodedHistoryPage = { bytes: new Uint8Array(4), count: 0 };

let store: GatewayStore;

before(async () => {
  store = await openStore(200);
  for (let index = 0; index < COUNT; index++) store.accept(readingOf(1, { level: index }, T0 + index));
  for (let device = 1; device <= 200; device++)
    for (let index = 0; index < 20; index++) store.accept(readingOf(device, { few: device * 100 + index }, T0 + index));
  for (let index = 0; index < 300; index++)
    store.accept(readingOf(2, { text: `${index} ${'x'.repeat(index === 150 ? 40_000 : 2_000)}` }, T0 + index));
  await store.settled();
});

after(async () => {
  await store.close();
  remove();
});

/** A source whose reads a test holds and lets go. */
class HeldSource implements HistorySource {
  readonly reads: {
    request: HistoryRequest;
    signal: AbortSignal;
    answer: (page: EncodedHistoryPage) => void;
    fail: (error: Error) => void;
  }[] = [];
  readHistory(request: HistoryRequest, _encoding: unknown, signal: AbortSignal): Promise<EncodedHistoryPage> {
    return new Promise((answer, fail) => this.reads.push({ request, signal, answer, fail }));
  }
}

async function withServer<T>(
  work: (server: GatewayServer, client: Connected) => Promise<T>,
  history?: HistorySource,
  clock?: ManualClock,
): Promise<T> {
  const server = await serve(folder, sourceOf(store, history), {}, clock);
  const client = await connect(server, folder);
  try {
    return await work(server, client);
  } finally {
    await client.close();
    await server.stop();
  }
}

describe('continuation points', () => {
  test('three pages, with a restart of the server before each', async () => {
    let point: Buffer | null | undefined;
    const values: string[] = [];
    for (let page = 0; page < 3; page++)
      await withServer(async (_server, client) => {
        const result = await askOne(client, LEVEL, raw(0, COUNT), { points: [point] });
        values.push(...shown(result));
        point = result.continuationPoint;
      });
    assert.equal(point?.length ?? 0, 0);
    assert.deepEqual(
      values,
      Array.from({ length: COUNT }, (_, index) => `${index}=${index}`),
    );
  });

  test('what this server did not give is refused, and letting go needs nothing', () =>
    withServer(async (_server, client) => {
      const details = raw(0, COUNT, 10);
      const { continuationPoint: point } = await askOne(client, LEVEL, details);
      assert.ok(point);
      const status = async (points: (Buffer | null | undefined)[], more = {}): Promise<string> =>
        statusOf(await askOne(client, LEVEL, details, { points, ...more }));
      assert.equal(await status([point]), 'Good');
      assert.equal(await status([point]), 'Good', 'and again');
      for (let at = 0; at < point.length; at++) {
        const forged = Buffer.from(point);
        forged[at] = (forged[at] ?? 0) ^ 1;
        assert.equal(await status([forged]), 'BadContinuationPointInvalid', String(at));
      }
      assert.equal(await status([Buffer.from('x')]), 'BadContinuationPointInvalid');
      assert.equal(await status([point], { details: raw(0, COUNT - 1, 10) }), 'BadContinuationPointInvalid');
      assert.equal(await status([point], { details: raw(0, COUNT, 7) }), 'Good', 'a client may take smaller steps');
      const [other] = await ask(client, { nodes: [metricNode(1, 'few')], details, points: [point] });
      assert.equal(statusOf(other), 'BadContinuationPointInvalid');
      const [released, unknown] = await ask(client, {
        nodes: [LEVEL, LEVEL],
        details,
        points: [point, Buffer.from('x')],
        release: true,
      });
      assert.equal(statusOf(released), 'Good');
      assert.equal(released?.historyData ?? null, null);
      assert.equal(released?.continuationPoint?.length ?? 0, 0);
      assert.equal(statusOf(unknown), 'BadContinuationPointInvalid');
    }));

  test('they say back what they were told, and nothing else is one', () => {
    const points = new ContinuationPoints(Buffer.alloc(32, 7));
    const question = {
      kind: 'raw',
      order: 'ascending',
      start: 0,
      end: Number.POSITIVE_INFINITY,
      bounds: { start: true, end: true },
      total: 5,
    } as const;
    fc.assert(
      fc.property(
        fc.record(
          {
            start: fc.double({ noNaN: true }),
            bounds: fc.record({ start: fc.boolean(), end: fc.boolean() }, { noNullPrototype: true }),
            skip: fc.nat(),
            given: fc.nat(),
          },
          { noNullPrototype: true },
        ),
        fc.uint8Array({ maxLength: 60 }),
        (position, garbage) => {
          const point = points.write(position, 'ns=3;s=a', question);
          assert.deepEqual(points.read(point, 'ns=3;s=a', question), position);
          assert.equal(points.read(point, 'ns=3;s=b', question), undefined);
          assert.equal(points.read(point, 'ns=3;s=a', { ...question, total: undefined }), undefined);
          assert.equal(points.read(Buffer.from(garbage), 'ns=3;s=a', question), undefined);
        },
      ),
    );
  });

  test('the key is kept, and made anew if it is none', async () => {
    const { folder: keys, remove: removeKeys } = temporaryFolder();
    const [first, second] = await Promise.all([continuationKey(keys), continuationKey(keys)]);
    assert.ok(first.equals(second));
    assert.ok((await continuationKey(keys)).equals(first));
    await writeFile(join(keys, 'history.key'), 'broken');
    const fresh = await continuationKey(keys);
    assert.ok(!fresh.equals(first) && fresh.equals(await readFile(join(keys, 'history.key'))));
    removeKeys();
  });

  test('instants come in pages too', () =>
    withServer(async (_server, client) => {
      const reqTimes = Array.from({ length: 12_000 }, (_, index) => new Date(T0 + COUNT - 1 - index));
      const { pages, values } = await readAll(client, LEVEL, new ReadAtTimeDetails({ reqTimes }));
      assert.equal(pages.length, 3);
      assert.deepEqual(
        values,
        Array.from({ length: 12_000 }, (_, index) => `${COUNT - 1 - index}=${COUNT - 1 - index}`),
      );
    }));
});

describe('sizes', () => {
  test('200 nodes in one request share the response', () =>
    withServer(async (_server, client) => {
      const nodes = Array.from({ length: 200 }, (_, index) => metricNode(index + 1, 'few'));
      const results = await ask(client, { nodes, details: raw(0, 20) });
      results.forEach((result, index) =>
        assert.deepEqual(
          shown(result),
          Array.from({ length: 20 }, (_, at) => `${at}=${(index + 1) * 100 + at}`),
        ),
      );
      const mixed = await ask(client, { nodes: [...nodes.slice(1), LEVEL], details: raw(0, COUNT) });
      assert.equal(valuesOf(mixed[0] as never).length, 20);
      assert.equal(valuesOf(mixed[199] as never).length, 5_000, 'what others leave is given to the last');
      const greedy = await ask(client, { nodes: Array.from({ length: 100 }, () => LEVEL), details: raw(0, COUNT) });
      for (const result of greedy) {
        assert.equal(valuesOf(result).length, 1_000);
        assert.ok(result.continuationPoint && result.continuationPoint.length > 0);
      }
    }));

  test('no response is larger than the client takes, whatever the texts', async () => {
    const server = await serve(folder, sourceOf(store), { endpoints: 'None', allowAnonymous: true });
    const client = OPCUAClient.create({
      endpointMustExist: false,
      transportSettings: { maxMessageSize: 65_536, maxChunkCount: 8, receiveBufferSize: 8_192, sendBufferSize: 8_192 },
    });
    await client.connect(urlOf(server));
    const session = await client.createSession(await identity(undefined));
    const connected = { session } as Connected;
    const { pages, values } = await readAll(connected, metricNode(2, 'text'), raw(0, 300));
    assert.ok(pages.length > 10);
    assert.equal(values.length, 300);
    values.forEach((value, index) => assert.ok(value.startsWith(`${index}=${index} x`)));
    const both = await ask(connected, { nodes: [metricNode(2, 'text'), LEVEL], details: raw(140, 300) });
    assert.ok(both.every((result) => valuesOf(result).length > 0));
    assert.ok(both[0]?.continuationPoint);
    const large = await ask(connected, { nodes: [LEVEL, metricNode(2, 'text')], details: raw(150, 300) });
    assert.deepEqual(large.map(statusOf), ['Good', 'Good']);
    await session.close();
    await client.disconnect();
    await server.stop();
  });
});

describe('life', () => {
  test('several sessions at once', () =>
    withServer(async (server) => {
      const clients = await Promise.all([1, 2, 3].map(() => connect(server, folder)));
      const answers = await Promise.all(clients.map((client) => readAll(client, LEVEL, raw(0, COUNT))));
      for (const { values } of answers) assert.equal(values.length, COUNT);
      await Promise.all(clients.map((client) => client.close()));
    }));

  test('who has gone is not worked for, and the others are served', async () => {
    const held = new HeldSource();
    await withServer(async (server, client) => {
      const leaving = await connect(server, folder);
      const left = askOne(leaving, LEVEL, raw(0, 1)).catch(() => undefined);
      const waiting = askOne(client, LEVEL, raw(0, 2));
      await until(() => held.reads.length === 2);
      const theirs = held.reads.find(({ request }) => 'end' in request && request.end === T0 + 1);
      await leaving.client.disconnect();
      await until(() => theirs?.signal.aborted === true);
      held.reads.find((read) => read !== theirs)?.answer(EMPTY);
      assert.equal(statusOf(await waiting), 'GoodNoData');
      await left;
    }, held);
  });

  test('a database that does not answer in time', async () => {
    const held = new HeldSource();
    const clock = new ManualClock();
    await withServer(
      async (_server, client) => {
        const nodes = Array.from({ length: 4 }, (_, index) => metricNode(index + 1, 'few'));
        const asked = ask(client, { nodes, details: raw(0, 10), timeout: 10_000 });
        await until(() => held.reads.length === 2);
        held.reads[0]?.answer(EMPTY);
        await until(() => held.reads.length === 3);
        await clock.advance(9_000);
        const results = await asked;
        assert.deepEqual(results.map(statusOf), ['GoodNoData', 'BadTimeout', 'BadTimeout', 'Good']);
        assert.ok((results[3]?.continuationPoint?.length ?? 0) > 0, 'the client may come back for it');
        assert.ok(held.reads.every(({ signal }, index) => signal.aborted || index === 0));
        const later = ask(client, {
          nodes: nodes.slice(3),
          details: raw(0, 10),
          points: [results[3]?.continuationPoint],
        });
        await until(() => held.reads.length === 4);
        held.reads[3]?.answer(EMPTY);
        assert.deepEqual((await later).map(statusOf), ['GoodNoData']);
      },
      held,
      clock,
    );
  });

  test('a database that fails is said once in the log, and the stop of the server ends what is under way', async () => {
    const held = new HeldSource();
    const log = capturedLogger('opcua');
    const server = new GatewayServer(settingsOf(folder), depsOf({ logger: log.logger }));
    await server.start();
    server.attach(sourceOf(store, held));
    await server.settled();
    const client = await connect(server, folder);
    for (const reason of ['locked', 'timeout', 'locked']) {
      const asked = askOne(client, LEVEL, raw(0, 1));
      await until(() => held.reads.length > 0);
      held.reads.pop()?.fail(Object.assign(new Error(`database is ${reason}`), { reason }));
      assert.equal(statusOf(await asked), reason === 'timeout' ? 'BadTimeout' : 'BadResourceUnavailable');
    }
    const failures = log.entries.filter(({ operation }) => operation === 'read-history');
    assert.equal(failures.length, 2);
    const last = askOne(client, LEVEL, raw(0, 1)).then(statusOf, () => 'connection lost');
    await until(() => held.reads.length > 0);
    const stopping = server.stop();
    assert.ok(['BadShutdown', 'connection lost'].includes(await last));
    assert.ok(held.reads[0]?.signal.aborted);
    await client.client.disconnect();
    await stopping;
  });

  test('the source that is attached answers, before and after a redeploy', async () => {
    const server = new GatewayServer(settingsOf(folder), depsOf());
    await server.start();
    const detach = server.attach(sourceOf(store));
    await server.settled();
    const client = await connect(server, folder);
    const details = raw(0, 20, 5);
    const first = await askOne(client, LEVEL, details);
    const point = { points: [first.continuationPoint] };
    detach();
    assert.equal(statusOf(await askOne(client, LEVEL, details, point)), 'BadDataUnavailable');
    const other = await openStore(1);
    other.accept(readingOf(1, { elsewhere: 7 }, T0));
    const detachOther = server.attach(sourceOf(other));
    const detachAgain = server.attach(sourceOf(store));
    await server.settled();
    assert.deepEqual(shown(await askOne(client, LEVEL, details, point)), ['5=5', '6=6', '7=7', '8=8', '9=9']);
    assert.deepEqual(shown(await askOne(client, metricNode(1, 'elsewhere'), raw(0, 1))), ['0=7']);
    detachOther();
    detachAgain();
    await client.close();
    await server.stop();
    await other.close();
  });

  test('without a source that keeps history there is none', async () => {
    const { history: _none, ...source } = sourceOf(store);
    const server = await serve(folder, source);
    const client = await connect(server, folder);
    assert.equal(statusOf(await askOne(client, LEVEL, raw(0, 1))), 'BadHistoryOperationUnsupported');
    assert.equal((await client.read(LEVEL, 20)).value.value, false, 'Historizing');
    const detach = server.attach(sourceOf(store));
    await server.settled();
    assert.equal((await client.read(LEVEL, 20)).value.value, true);
    assert.equal(statusOf(await askOne(client, LEVEL, raw(0, 1))), 'Good');
    detach();
    server.attach(source);
    await server.settled();
    assert.equal((await client.read(LEVEL, 20)).value.value, false);
    assert.equal(statusOf(await askOne(client, LEVEL, raw(0, 1))), 'BadHistoryOperationUnsupported');
    await client.close();
    await server.stop();
  });
});
