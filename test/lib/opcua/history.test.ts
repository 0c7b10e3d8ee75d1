import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import * as fc from 'fast-check';
import {
  AggregateFunction,
  AttributeIds,
  BrowseDirection,
  ReadAtTimeDetails,
  ReadEventDetails,
  ReadProcessedDetails,
  ReadRawModifiedDetails,
  resolveNodeId,
  TimestampsToReturn,
} from 'node-opcua';
import { AGGREGATES } from '../../../lib/model';
import type { GatewayServer } from '../../../lib/opcua';
import type { GatewayStore } from '../../../lib/store';
import {
  ask,
  askOne,
  isGood,
  metricNode,
  modificationsOf,
  openStore,
  raw,
  readAll,
  request,
  serve,
  shown,
  sourceOf,
  statusOf,
  T0,
  valuesOf,
} from './history-support';
import { type Connected, connect, readingOf, temporaryFolder } from './support';

const { folder, remove } = temporaryFolder();
const TEMPERATURE = metricNode(1, 'temperature');
const MINUTE = 60_000;
/** The example of Part 11 §4.6: values at 5:00, 5:02, 5:03, 5:05 and 5:06. */
const TIMES = [0, 2, 3, 5, 6].map((minute) => minute * MINUTE);

let store: GatewayStore;
let server: GatewayServer;
let client: Connected;

before(async () => {
  store = await openStore(2);
  for (const time of TIMES)
    store.accept(
      readingOf(1, { temperature: time / MINUTE, state: `s${time}`, counter: BigInt(time), open: time > 0 }, T0 + time),
    );
  store.accept(readingOf(1, { silent: 1 }, T0 - 1_000_000));
  // A correction: what was known before is kept as modified.
  store.accept(readingOf(1, { corrected: 1 }, T0));
  await store.settled();
  store.accept(readingOf(1, { corrected: 2 }, T0));
  await store.settled();
  server = await serve(folder, sourceOf(store));
  client = await connect(server, folder);
});

after(async () => {
  await client.close();
  await server.stop();
  await store.close();
  remove();
});

const bounds = { returnBounds: true };
async function read(...asked: Parameters<typeof raw>): Promise<string[]> {
  return shown(await askOne(client, TEMPERATURE, raw(...asked)));
}
const minutes = (...values: number[]): string[] => values.map((minute) => `${minute * MINUTE}=${minute}`);
const FIRST = (minute: number): string => `${minute * MINUTE}: BadBoundNotFound`;

describe('raw values, by Table 1 of Part 11 §4.6', () => {
  const m = (minute: number): number => minute * MINUTE;
  test('start and end', async () => {
    assert.deepEqual(await read(m(0), m(5), 0, bounds), minutes(0, 2, 3, 5));
    assert.deepEqual(await read(m(0), m(5)), minutes(0, 2, 3));
    assert.deepEqual(await read(m(1), m(4), 0, bounds), minutes(0, 2, 3, 5));
    assert.deepEqual(await read(m(1), m(4)), minutes(2, 3));
    assert.deepEqual(await read(m(-1), m(5), 0, bounds), [FIRST(-1), ...minutes(0, 2, 3, 5)]);
    assert.deepEqual(await read(m(1), m(7), 0, bounds), [...minutes(0, 2, 3, 5, 6), FIRST(7)]);
  });
  test('backwards', async () => {
    assert.deepEqual(await read(m(5), m(0), 0, bounds), minutes(5, 3, 2, 0));
    assert.deepEqual(await read(m(5), m(0)), minutes(5, 3, 2));
    assert.deepEqual(await read(m(4), m(1), 0, bounds), minutes(5, 3, 2, 0));
    assert.deepEqual(await read(m(4), m(1)), minutes(3, 2));
    assert.deepEqual(await read(m(7), m(4), 0, bounds), [FIRST(7), ...minutes(6, 5, 3)]);
  });
  test('all three: so many at once', async () => {
    const page = await askOne(client, TEMPERATURE, raw(m(0), m(7), 3));
    assert.deepEqual(shown(page), minutes(0, 2, 3));
    assert.ok(page.continuationPoint && page.continuationPoint.length > 0);
    assert.deepEqual((await readAll(client, TEMPERATURE, raw(m(0), m(7), 3))).values, minutes(0, 2, 3, 5, 6));
    assert.deepEqual((await readAll(client, TEMPERATURE, raw(m(7), m(0), 2, bounds))).values, [
      FIRST(7),
      ...minutes(6, 5, 3, 2, 0),
    ]);
  });
  test('start alone goes on until there are enough, and no further', async () => {
    const page = await askOne(client, TEMPERATURE, raw(m(0), undefined, 3, bounds));
    assert.deepEqual(shown(page), minutes(0, 2, 3));
    assert.equal(page.continuationPoint?.length ?? 0, 0);
    assert.deepEqual(await read(m(1), undefined, 3), minutes(2, 3, 5));
    assert.deepEqual(await read(m(0), undefined, 6, bounds), [
      ...minutes(0, 2, 3, 5, 6),
      `${m(6) + 1_000}: BadBoundNotFound`,
    ]);
    assert.deepEqual(await read(m(7), undefined, 6, bounds), [...minutes(6), `${m(6) + 1_000}: BadBoundNotFound`]);
    assert.equal(statusOf(await askOne(client, TEMPERATURE, raw(m(7), undefined, 6))), 'GoodNoData');
  });
  test('end alone goes back from there', async () => {
    assert.deepEqual(await read(undefined, m(6), 3), minutes(6, 5, 3));
    assert.deepEqual(await read(undefined, m(6), 6, bounds), [
      ...minutes(6, 5, 3, 2, 0),
      `${m(0) - 1_000}: BadBoundNotFound`,
    ]);
    assert.deepEqual(await read(undefined, m(4), 2, bounds), minutes(5, 3));
  });
  test('start equal to end', async () => {
    assert.deepEqual(await read(m(2), m(2)), minutes(2));
    assert.equal(statusOf(await askOne(client, TEMPERATURE, raw(m(1), m(1)))), 'GoodNoData');
    assert.deepEqual(await read(m(1), m(1), 0, bounds), minutes(0, 2));
  });
  test('the end of time, and instants between two milliseconds', async () => {
    const endless = raw(m(3), undefined, 0, { endTime: new Date(Date.UTC(9999, 11, 31, 23, 59, 59)) });
    assert.deepEqual((await readAll(client, TEMPERATURE, endless)).values, minutes(3, 5, 6));
    const backwards = raw(undefined, m(4), 0, { startTime: new Date(Date.UTC(9999, 11, 31, 23, 59, 59)) });
    assert.deepEqual((await readAll(client, TEMPERATURE, backwards)).values, minutes(6, 5));
    const behind = Object.assign(new Date(T0 + m(2)), { picoseconds: 100_000 });
    const details = new ReadRawModifiedDetails({ startTime: behind, endTime: new Date(T0 + m(4)) });
    assert.deepEqual(shown(await askOne(client, TEMPERATURE, details)), minutes(3));
  });
  test('types, and nothing but the source time', async () => {
    assert.deepEqual(shown(await askOne(client, metricNode(1, 'state'), raw(0, 1))), ['0=s0']);
    assert.deepEqual(shown(await askOne(client, metricNode(1, 'open'), raw(0, m(3)))), ['0=false', `${m(2)}=true`]);
    const [value] = valuesOf(
      await askOne(client, metricNode(1, 'counter'), raw(m(2), m(3)), { timestamps: TimestampsToReturn.Both }),
    );
    assert.deepEqual(Array.from((value?.value.value ?? []) as number[]), [0, m(2)]);
    assert.equal(value?.serverTimestamp ?? null, null);
  });
});

test('any raw request equals a plain filter of the data', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: -2, max: 16 }),
      fc.integer({ min: -2, max: 16 }),
      fc.integer({ min: 0, max: 6 }),
      async (from, to, count) => {
        const [start, end] = [from * (MINUTE / 2), to * (MINUTE / 2)];
        const { values } = await readAll(client, TEMPERATURE, raw(start, end, count));
        const expected =
          start === end
            ? TIMES.filter((time) => time === start)
            : start < end
              ? TIMES.filter((time) => time >= start && time < end)
              : TIMES.toReversed().filter((time) => time <= start && time > end);
        assert.deepEqual(
          values,
          expected.map((time) => `${time}=${time / MINUTE}`),
        );
      },
    ),
    { numRuns: 60 },
  );
});

test('replaced values, with the time of their replacement', async () => {
  const node = metricNode(1, 'corrected');
  const result = await askOne(client, node, raw(-1, 1, 0, { isReadModified: true }));
  assert.deepEqual(shown(result), ['0=1']);
  const [info] = modificationsOf(result) ?? [];
  assert.equal(info?.updateType, 2);
  assert.ok((info?.modificationTime?.getTime() ?? 0) > T0 - 1_000);
  assert.deepEqual(shown(await askOne(client, node, raw(-1, 1))), ['0=2']);
  assert.equal(statusOf(await askOne(client, TEMPERATURE, raw(-1, 1, 0, { isReadModified: true }))), 'GoodNoData');
  assert.equal(
    statusOf(await askOne(client, node, raw(-1, 1, 0, { isReadModified: true, ...bounds }))),
    'BadInvalidArgument',
  );
});

test('values at given instants, in their order', async () => {
  const reqTimes = [MINUTE * 4, MINUTE, MINUTE * 3, -MINUTE].map((time) => new Date(T0 + time));
  const result = await askOne(client, TEMPERATURE, new ReadAtTimeDetails({ reqTimes }));
  assert.deepEqual(shown(result), ['240000=4', '60000=1', '180000=3', '-60000: BadNoData']);
  const stepped = await askOne(
    client,
    metricNode(1, 'state'),
    new ReadAtTimeDetails({ reqTimes: reqTimes.slice(1, 2) }),
  );
  assert.deepEqual(shown(stepped), ['60000=s0']);
  assert.equal(
    statusOf(await askOne(client, TEMPERATURE, new ReadAtTimeDetails({ reqTimes: [] }))),
    'BadInvalidArgument',
  );
  const none = new ReadAtTimeDetails({ reqTimes: [new Date(Date.UTC(1601, 0, 1))] });
  assert.equal(statusOf(await askOne(client, TEMPERATURE, none)), 'BadInvalidTimestampArgument');
});

describe('processed values', () => {
  type ReadProcessedDetailsOptions = NonNullable<ConstructorParameters<typeof ReadProcessedDetails>[0]>;
  const processed = (
    name: keyof typeof AggregateFunction | string[],
    more: ReadProcessedDetailsOptions = {},
  ): ReadProcessedDetails =>
    new ReadProcessedDetails({
      startTime: new Date(T0),
      endTime: new Date(T0 + 6 * MINUTE),
      processingInterval: 3 * MINUTE,
      aggregateType: Array.isArray(name) ? name : [resolveNodeId(`i=${AggregateFunction[name]}`)],
      aggregateConfiguration: { useServerCapabilitiesDefaults: true },
      ...more,
    });
  const code = async (details: ReadProcessedDetails, node = TEMPERATURE): Promise<string> =>
    statusOf(await askOne(client, node, details));

  test('aggregates', async () => {
    const of = async (details: ReadProcessedDetails): Promise<string[]> =>
      shown(await askOne(client, TEMPERATURE, details));
    assert.deepEqual(await of(processed('Average')), ['0=1', '180000=4']);
    assert.deepEqual(await of(processed('Maximum', { processingInterval: 0 })), ['0=5']);
    assert.deepEqual(await of(processed('Count', { processingInterval: 0 })), ['0=4']);
  });
  test('every aggregate that is listed is computed', async () => {
    for (const name of AGGREGATES) {
      const result = await askOne(client, TEMPERATURE, processed(name));
      assert.ok(isGood(result), name);
      assert.equal(valuesOf(result).length, 2, name);
    }
  });
  test('what is wrong with a request', async () => {
    assert.equal(await code(processed([])), 'BadAggregateListMismatch');
    assert.equal(await code(processed('AnnotationCount')), 'BadAggregateNotSupported');
    assert.equal(await code(processed(['ns=2;s=nothing'])), 'BadAggregateNotSupported');
    assert.equal(await code(processed('Average', { endTime: new Date(T0) })), 'BadInvalidArgument');
    assert.equal(await code(processed('Average', { processingInterval: -1 })), 'BadInvalidArgument');
    assert.equal(await code(processed('Average', { processingInterval: Number.NaN })), 'BadInvalidArgument');
    const configuration = (percentDataGood: number, percentDataBad: number): ReadProcessedDetailsOptions => ({
      aggregateConfiguration: { useServerCapabilitiesDefaults: false, percentDataGood, percentDataBad },
    });
    assert.equal(await code(processed('Average', configuration(0, 80))), 'BadAggregateInvalidInputs');
    assert.equal(await code(processed('Average', configuration(101, 100))), 'BadAggregateInvalidInputs');
    assert.equal(await code(processed('Average', configuration(50, 60))), 'Good');
  });
  test('each node has its own aggregate', async () => {
    const details = processed([`i=${AggregateFunction.Minimum}`, `i=${AggregateFunction.Maximum}`], {
      processingInterval: 0,
    });
    const results = await ask(client, { nodes: [TEMPERATURE, TEMPERATURE], details });
    assert.deepEqual(results.map(shown), [['0=0'], ['0=5']]);
  });
  test('many intervals come in pages', async () => {
    const details = processed('Interpolative', { processingInterval: 10 });
    const { pages, values } = await readAll(client, TEMPERATURE, details);
    assert.ok(pages.length > 1);
    assert.equal(values.length, 36_000);
    assert.equal(values[35_999], '359990=5.999833333333333');
  });
});

describe('codes', () => {
  const codes = async (nodes: string[], more: object = {}): Promise<string[]> =>
    (await ask(client, { nodes, details: raw(0, MINUTE), ...more })).map(statusOf);

  test('a node that cannot be read leaves the others alone', async () => {
    assert.deepEqual(
      await codes([
        metricNode(9, 'x'),
        TEMPERATURE,
        'i=2253',
        `${metricNode(1, 'x').split('/')[0]}/radio/rssi`,
        'i=2258',
        '',
      ]),
      [
        'BadNodeIdUnknown',
        'Good',
        'BadHistoryOperationUnsupported',
        'BadHistoryOperationUnsupported',
        'BadHistoryOperationUnsupported',
        'BadNodeIdUnknown',
      ],
    );
  });
  test('no history of events is kept', async () => {
    assert.deepEqual(await codes(['i=2253', TEMPERATURE], { details: new ReadEventDetails({}) }), [
      'BadHistoryOperationUnsupported',
      'BadHistoryOperationUnsupported',
    ]);
  });
  test('two of start, end and count', async () => {
    for (const details of [raw(0, undefined), raw(undefined, 0), raw(undefined, undefined, 5)])
      assert.deepEqual(await codes([TEMPERATURE], { details }), ['BadHistoryOperationInvalid']);
  });
  test('timestamps', async () => {
    assert.deepEqual(await codes([TEMPERATURE], { timestamps: TimestampsToReturn.Both }), ['Good']);
    assert.deepEqual(await codes([TEMPERATURE], { timestamps: TimestampsToReturn.Server }), [
      'BadTimestampNotSupported',
    ]);
    await assert.rejects(
      codes([TEMPERATURE], { timestamps: TimestampsToReturn.Neither }),
      /BadTimestampsToReturnInvalid/,
    );
  });
  test('index ranges: texts have parts', async () => {
    assert.deepEqual(await codes([TEMPERATURE], { indexRange: '0:1' }), ['BadIndexRangeNoData']);
    assert.deepEqual(await codes([TEMPERATURE], { indexRange: '3:1' }), ['BadIndexRangeInvalid']);
    const state = await askOne(client, metricNode(1, 'state'), raw(2 * MINUTE, 4 * MINUTE), { indexRange: '1:3' });
    assert.deepEqual(shown(state), ['120000=120', '180000=180']);
    const short = await askOne(client, metricNode(1, 'state'), raw(0, 1), { indexRange: '8' });
    assert.deepEqual(shown(short), ['0: BadIndexRangeNoData']);
  });
  test('data encodings', async () => {
    assert.deepEqual(await codes([TEMPERATURE], { dataEncoding: 'Default Binary' }), ['Good']);
    assert.deepEqual(await codes([TEMPERATURE], { dataEncoding: 'Default XML' }), ['BadDataEncodingInvalid']);
  });
  test('requests as a whole', async () => {
    await assert.rejects(codes([]), /BadNothingToDo/);
    await assert.rejects(codes(Array.from({ length: 201 }, () => TEMPERATURE)), /BadTooManyOperations/);
    await assert.rejects(
      request(client, { nodes: [TEMPERATURE], details: null as never }),
      /BadHistoryOperationInvalid/,
    );
  });
});

describe('what the address space says', () => {
  const attributes = async (node: string): Promise<unknown[]> =>
    (
      await client.session.read(
        [AttributeIds.AccessLevel, AttributeIds.UserAccessLevel, AttributeIds.Historizing].map((attributeId) => ({
          nodeId: node,
          attributeId,
        })),
      )
    ).map(({ value }) => value.value as unknown);
  const targets = async (nodeId: string, referenceTypeId: string): Promise<string[]> =>
    (
      (
        await client.session.browse({
          nodeId,
          referenceTypeId,
          browseDirection: BrowseDirection.Forward,
          includeSubtypes: true,
          resultMask: 63,
        })
      ).references ?? []
    ).map(({ nodeId: id }) => id.toString());

  test('metrics have a history, other variables have none', async () => {
    assert.deepEqual(await attributes(TEMPERATURE), [5, 5, true]);
    assert.deepEqual(await attributes(`${metricNode(1, 'x').split('/')[0]}/radio/rssi`), [1, 1, false]);
  });
  test('how values hang together', async () => {
    assert.deepEqual(await targets(TEMPERATURE, 'HasHistoricalConfiguration'), ['ns=3;s=history/interpolated']);
    const [stepped] = await targets(metricNode(1, 'state'), 'HasHistoricalConfiguration');
    assert.equal(stepped, 'ns=3;s=history/stepped');
    const parts = await client.session.browse({
      nodeId: stepped ?? '',
      referenceTypeId: 'Aggregates',
      includeSubtypes: true,
      browseDirection: BrowseDirection.Forward,
      resultMask: 63,
    });
    const names = (parts.references ?? []).map(({ browseName }) => browseName.name ?? '');
    assert.deepEqual(new Set(names), new Set(['AggregateConfiguration', 'Stepped']));
    const isStepped = (parts.references ?? []).find(({ browseName }) => browseName.name === 'Stepped');
    assert.equal((await client.read(isStepped?.nodeId.toString() ?? '')).value.value, true);
  });
  test('capabilities', async () => {
    const value = async (id: number): Promise<unknown> => (await client.read(`i=${id}`)).value.value;
    assert.equal(await value(11193), true, 'AccessHistoryDataCapability');
    assert.equal(await value(11242), false, 'AccessHistoryEventsCapability');
    assert.equal(await value(11273), 5_000, 'MaxReturnDataValues');
    for (const id of [11196, 11197, 11198, 11199, 11200, 11275, 11281, 11282, 11283, 11502, 19091])
      assert.equal(await value(id), false, String(id));
    const wanted = AGGREGATES.map((name) => `ns=0;i=${AggregateFunction[name]}`).toSorted();
    for (const id of [11201, 2997]) assert.deepEqual((await targets(`i=${id}`, 'Organizes')).toSorted(), wanted);
  });
});
