import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { InvalidInputError } from '../../../lib/model';
import { parseStaleDetectorSettings } from '../../../lib/quality';
import { DeadlineQueue, type Scheduled } from '../../../lib/quality/deadlines';

test('empty settings are the defaults', () => {
  const defaults = { rules: [], intervals: 3, deadFactor: 10, fallback: 3_600_000 };
  assert.deepEqual(parseStaleDetectorSettings({}), defaults);
  assert.deepEqual(
    parseStaleDetectorSettings({ staleAfter: ' ', intervals: '', deadFactor: null, rules: '' }),
    defaults,
  );
});

test('times are seconds outside and milliseconds inside; rules come as list or JSON', () => {
  const rules = [
    { device: '01-02-03-04-05-06-07-0A', metric: 'temperature', seconds: '90' },
    { device: '*', metric: '', seconds: 0.5 * 4 },
  ];
  const expected = {
    rules: [
      { device: '010203040506070a', metric: 'temperature', staleAfter: 90_000 },
      { device: '*', metric: '*', staleAfter: 2_000 },
    ],
    staleAfter: 60_000,
    intervals: 2.5,
    deadFactor: 4,
    fallback: 120_000,
  };
  const input = { staleAfter: '60', intervals: '2,5', deadFactor: 4, fallback: 120 };
  assert.deepEqual(parseStaleDetectorSettings({ ...input, rules }), expected);
  assert.deepEqual(parseStaleDetectorSettings({ ...input, rules: JSON.stringify(rules) }), expected);
});

test('all faults are told at once', () => {
  const parse = (): unknown =>
    parseStaleDetectorSettings(
      {
        staleAfter: 0,
        intervals: 'often',
        deadFactor: true,
        rules: [{ device: 'xyz', metric: 'a\n', seconds: -1 }, 5, { device: '*', metric: '*' }],
      },
      { staleAfter: 'STALE_SECONDS' },
    );
  assert.throws(parse, (error: unknown) => {
    assert.ok(error instanceof InvalidInputError);
    assert.deepEqual(
      error.faults.map(({ field }) => field),
      [
        'STALE_SECONDS',
        'intervals',
        'deadFactor',
        'rules[0].device',
        'rules[0].metric',
        'rules[0].seconds',
        'rules[1]',
        'rules[2].seconds',
      ],
    );
    return true;
  });
  for (const rules of ['{', '{}', 7]) assert.throws(() => parseStaleDetectorSettings({ rules }), InvalidInputError);
});

test('the queue of deadlines gives every item once, when its deadline has come, in spite of moves', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          item: fc.integer({ min: 0, max: 9 }),
          move: fc.option(fc.integer({ min: 0, max: 60 })),
          pass: fc.integer({ min: 0, max: 10 }),
        }),
        {
          maxLength: 80,
        },
      ),
      (steps) => {
        const queue = new DeadlineQueue<Scheduled & { id: number }>();
        const items = Array.from({ length: 10 }, (_, id) => ({
          id,
          deadline: undefined as number | undefined,
          queuedFor: undefined as number | undefined,
        }));
        let now = 0;
        for (const { item: index, move, pass } of steps) {
          const item = items[index];
          if (item === undefined) continue;
          item.deadline = move === null ? undefined : now + move;
          queue.schedule(item);
          now += pass;
          const due = items.filter(({ deadline }) => deadline !== undefined && deadline <= now).map(({ id }) => id);
          const taken: number[] = [];
          for (let next = queue.takeDue(now); next; next = queue.takeDue(now)) {
            taken.push(next.id);
            next.deadline = undefined;
          }
          assert.deepEqual(
            taken.sort((one, two) => one - two),
            due,
          );
          const earliest = Math.min(...items.map(({ deadline }) => deadline ?? Number.POSITIVE_INFINITY));
          if (earliest < Number.POSITIVE_INFINITY) assert.ok((queue.next ?? Number.POSITIVE_INFINITY) <= earliest);
        }
      },
    ),
    { numRuns: 200 },
  );
});
