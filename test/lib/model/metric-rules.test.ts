import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  FaultCollector,
  MetricRules,
  parseDevEui,
  parseMetricKey,
  parseMetricRules,
  readNumber,
} from '../../../lib/model';

const device = parseDevEui('0000000000000001');
const other = parseDevEui('0000000000000002');
const metric = parseMetricKey('temperature');
const humidity = parseMetricKey('humidity');

test('the most specific rule holds, of equal ones the last', () => {
  const rules = new MetricRules<number>();
  assert.equal(rules.named(device, metric), undefined);
  for (const [rule, value] of [
    [{ device: '*', metric: '*' }, 1],
    [{ device, metric: '*' }, 2],
    [{ device: '*', metric }, 3],
    [{ device, metric }, 4],
    [{ device, metric }, 5],
  ] as const)
    rules.add(rule, value);
  assert.equal(rules.named(device, metric), 5);
  assert.equal(rules.named(other, metric), 3);
  assert.equal(rules.named(device, humidity), 2);
  assert.equal(rules.named(other, humidity), undefined);
  assert.equal(rules.everywhere, 1);
  assert.equal(rules.size, 4);
});

test('rules are rows or JSON of them; each fault names its place, and a faulty row is left out', () => {
  const parse = (given: unknown): { rules: unknown; fields: string[] } => {
    const collector = new FaultCollector();
    const rules = parseMetricRules(collector, 'rules', given, ['limit'], ({ limit }, at) => {
      const number = readNumber(limit);
      if (number === undefined) collector.add(`${at}.limit`, limit, 'it is a number', 'Correct it.');
      return { limit: number };
    });
    return { rules, fields: collector.faults.map(({ field }) => field) };
  };
  const rows = [{ device: '00-00-00-00-00-00-00-01', metric: 'temperature', limit: '1,5' }, { limit: 2 }];
  const read = {
    rules: [
      { device, metric, limit: 1.5 },
      { device: '*', metric: '*', limit: 2 },
    ],
    fields: [],
  };
  assert.deepEqual(parse(rows), read);
  assert.deepEqual(parse(JSON.stringify(rows)), read);
  for (const none of [undefined, null, ' ', []]) assert.deepEqual(parse(none), { rules: [], fields: [] });
  for (const no of ['{', {}, 7, 'null']) assert.deepEqual(parse(no), { rules: [], fields: ['rules'] });
  assert.deepEqual(parse([7, [], { device: 'x', metric: 'a\nb', limit: 'y' }, { limit: 3 }]), {
    rules: [{ device: '*', metric: '*', limit: 3 }],
    fields: ['rules[0]', 'rules[1]', 'rules[2].device', 'rules[2].metric', 'rules[2].limit'],
  });
});

test('numbers are read as people write them', () => {
  assert.deepEqual(['1', ' 2,5 ', '-3', 4, '1e3'].map(readNumber), [1, 2.5, -3, 4, 1_000]);
  assert.deepEqual(
    ['', ' ', 'x', '1,2,3', Number.NaN, null, undefined, true, {}, []].map(readNumber),
    Array<undefined>(10).fill(undefined),
  );
});
