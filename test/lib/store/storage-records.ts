import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import * as fc from 'fast-check';
import { type EventId, type JournalQuery, type NewJournalEntry, parseDevEui } from '../../../lib/model';
import type { DurableBatch, RecordKind, StorageBackend, StoredRecord } from '../../../lib/store';
import { type BackendUnderTest, batch, devEui } from './storage-conformance';

const other = parseDevEui('0000000000000001');

function record(id: string, part: Partial<StoredRecord> = {}): StoredRecord {
  return {
    kind: 'command',
    id,
    devEui,
    state: 'Queued',
    createdAt: 10,
    changedAt: 10,
    endedAt: undefined,
    body: `{"id":"${id}"}`,
    ...part,
  };
}

function entry(time: number, part: Partial<NewJournalEntry> = {}): NewJournalEntry {
  return {
    journal: 'event',
    time,
    type: 'join',
    devEui,
    user: undefined,
    eventId: undefined,
    body: `{"at":${time}}`,
    ...part,
  };
}

const durable = (part: Partial<DurableBatch>): DurableBatch => ({ records: [], removed: [], journal: [], ...part });

/** How records and journals are kept: the same by every backend. */
export function recordConformance(name: string, create: () => Promise<BackendUnderTest>): void {
  describe(`records and journals: ${name}`, () => {
    let subject: BackendUnderTest;
    let backend: StorageBackend;
    before(async () => {
      subject = await create();
      backend = subject.backend;
      await backend.open({ replaceDamaged: false });
    });
    after(() => subject.dispose());
    const times = async (query: Partial<JournalQuery> = {}): Promise<number[]> =>
      (await backend.readJournal({ journal: 'event', from: 0, to: 1e15, limit: 1_000, ...query })).map(
        ({ time }) => time,
      );

    test('a record is there in its present state, one for each kind and id', async () => {
      const user = record('one', { kind: 'user', devEui: undefined, state: 'active' });
      await backend.commit(durable({ records: [record('one'), record('two', { createdAt: 5 }), user] }));
      const ended = record('one', { state: 'Failed', changedAt: 30, endedAt: 30, body: '{}' });
      await backend.commit(durable({ records: [ended] }));
      assert.deepEqual(await backend.readRecords({ kind: 'command', limit: 10 }), [
        record('two', { createdAt: 5 }),
        ended,
      ]);
      assert.deepEqual(await backend.readRecords({ kind: 'user', limit: 10 }), [user]);
      assert.deepEqual(await backend.readRecords({ kind: 'alarm', limit: 10 }), []);
      await backend.commit(durable({ removed: [{ kind: 'user', id: 'one' }] }));
      assert.deepEqual(await backend.readRecords({ kind: 'user', limit: 10 }), []);
    });

    test('what is committed is there after a crash', async () => {
      await backend.commit(durable({ records: [record('kept')], journal: [entry(1, { journal: 'audit' })] }));
      backend = await subject.reopen(false);
      await backend.open({ replaceDamaged: false });
      assert.ok((await backend.readRecords({ kind: 'command', limit: 10 })).some(({ id }) => id === 'kept'));
      assert.deepEqual(await times({ journal: 'audit' }), [1]);
    });

    test('records agree with a simple model, page by page', async () => {
      const known: StoredRecord[] = [];
      const random = fc.array(
        fc.record({
          id: fc.constantFrom('a', 'b', 'c', 'ä', '\u{1f600}', '\uffee', 'd', 'e'),
          devEui: fc.constantFrom(devEui, other, undefined),
          state: fc.constantFrom('Queued', 'Sending', 'Failed'),
          createdAt: fc.integer({ min: 0, max: 3 }),
          endedAt: fc.constantFrom(undefined, 50),
        }),
        { maxLength: 12 },
      );
      const question = fc.record(
        {
          id: fc.constantFrom('a', 'b', 'ä', 'absent'),
          states: fc.subarray(['Queued', 'Sending', 'Failed']),
          devEui: fc.constantFrom(devEui, other),
          open: fc.boolean(),
          order: fc.constantFrom('ascending' as const, 'descending' as const),
        },
        { requiredKeys: [] },
      );
      await fc.assert(
        fc.asyncProperty(random, question, fc.integer({ min: 1, max: 4 }), async (parts, query, limit) => {
          const records = parts.map(({ id, ...part }) => record(id, { kind: 'alarm', ...part }));
          await backend.commit(durable({ records }));
          for (const changed of records) {
            const place = known.findIndex(({ id }) => id === changed.id);
            if (place < 0) known.push(changed);
            else known[place] = changed;
          }
          const expected = known
            .filter(
              ({ id, state, devEui: device, endedAt }) =>
                (query.id === undefined || query.id === id) &&
                (query.states === undefined || query.states.includes(state)) &&
                (query.devEui === undefined || query.devEui === device) &&
                (query.open !== true || endedAt === undefined),
            )
            .sort(
              (one, two) => one.createdAt - two.createdAt || Buffer.compare(Buffer.from(one.id), Buffer.from(two.id)),
            );
          if (query.order === 'descending') expected.reverse();
          const actual: StoredRecord[] = [];
          for (;;) {
            const last = actual.at(-1);
            const page = await backend.readRecords({
              kind: 'alarm',
              limit,
              ...query,
              ...(last && { after: { createdAt: last.createdAt, id: last.id } }),
            });
            actual.push(...page);
            if (page.length < limit) break;
          }
          assert.deepEqual(actual, expected);
        }),
        { numRuns: 60 },
      );
    });

    test('a journal is read newest first, by any filter, page by page', async () => {
      await backend.write(
        batch({
          journal: [
            entry(100),
            entry(90, { type: 'log', devEui: other }),
            entry(110, { type: 'status', user: 'ann' }),
            entry(105, { devEui: undefined, user: 'bob' }),
            entry(105, { type: 'log' }),
          ],
        }),
      );
      assert.deepEqual(await times(), [110, 105, 105, 100, 90]);
      assert.deepEqual(await times({ from: 100, to: 110 }), [105, 105, 100]);
      assert.deepEqual(await times({ types: ['log', 'status'] }), [110, 105, 90]);
      assert.deepEqual(await times({ types: ['log'] }), [105, 90]);
      assert.deepEqual(await times({ devEui }), [110, 105, 100]);
      assert.deepEqual(await times({ user: 'bob' }), [105]);
      const pages: number[][] = [];
      let beforeEntry: number | undefined;
      for (;;) {
        const query = { journal: 'event', from: 0, to: 1e15, limit: 2 } as const;
        const page = await backend.readJournal(beforeEntry === undefined ? query : { ...query, before: beforeEntry });
        if (page.length === 0) break;
        pages.push(page.map(({ time }) => time));
        beforeEntry = page.at(-1)?.sequence;
      }
      assert.deepEqual(pages, [[110, 105], [105, 100], [90]]);
      const [newest] = await backend.readJournal({ journal: 'event', from: 110, to: 111, limit: 1 });
      assert.deepEqual({ ...newest, sequence: 0 }, { ...entry(110, { type: 'status', user: 'ann' }), sequence: 0 });
    });

    test('the same event is entered once', async () => {
      const eventId = 'event-1' as EventId;
      const seen = entry(200, { eventId });
      await backend.write(batch({ journal: [seen, seen] }));
      await backend.commit(durable({ journal: [seen, entry(201, { eventId, type: 'log' })] }));
      assert.deepEqual(await times({ from: 200 }), [201, 200]);
    });

    test('entries and ended records go when they are old, a few at a time', async () => {
      await backend.commit(
        durable({
          records: [
            record('old', { endedAt: 400 }),
            record('new', { endedAt: 600 }),
            record('open', { createdAt: 1 }),
            record('person', { kind: 'user', endedAt: 1 }),
          ],
          journal: [300, 310, 320, 700].flatMap((time) => [entry(time), entry(time, { journal: 'audit' })]),
        }),
      );
      const nothing = { events: undefined, audit: undefined, ended: undefined, limit: 10 };
      assert.equal(await backend.pruneRecords(nothing), 0);
      assert.equal(await backend.pruneRecords({ ...nothing, events: 311, limit: 2 }), 2);
      let removed: number;
      do removed = await backend.pruneRecords({ events: 500, audit: 500, ended: 500, limit: 3 });
      while (removed === 3);
      assert.deepEqual(await times(), [700]);
      assert.deepEqual(await times({ journal: 'audit' }), [700]);
      const ids = async (kind: RecordKind): Promise<string[]> =>
        (await backend.readRecords({ kind, limit: 100 })).map(({ id }) => id);
      const commands = await ids('command');
      assert.ok(!commands.includes('old'));
      assert.ok(commands.includes('new') && commands.includes('open') && commands.includes('two'));
      assert.deepEqual(await ids('user'), ['person']);
    });

    test('a sequence is never given twice', async () => {
      const all = { journal: 'audit', from: 0, to: 1e15, limit: 1 } as const;
      const [last] = await backend.readJournal(all);
      await backend.pruneRecords({ events: undefined, audit: 1e15, ended: undefined, limit: 1_000 });
      backend = await subject.reopen(true);
      await backend.open({ replaceDamaged: false });
      await backend.commit(durable({ journal: [entry(1, { journal: 'audit' })] }));
      const [next] = await backend.readJournal(all);
      assert.ok((next?.sequence ?? 0) > (last?.sequence ?? Number.POSITIVE_INFINITY));
    });
  });
}
