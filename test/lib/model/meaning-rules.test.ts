import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import {
  ALL_UNITS,
  FaultCollector,
  type MetricDefinition,
  meaningOf,
  ownMeanings,
  parseDevEui,
  parseMeaningRules,
  parseMetricKey,
  unitFromWords,
} from '../../../lib/model';

const A = parseDevEui('0102030405060708');
const B = parseDevEui('0102030405060709');
const key = parseMetricKey;

function parse(given: unknown) {
  const collector = new FaultCollector();
  const rules = parseMeaningRules(collector, 'meanings', given);
  return { rules, faults: collector.faults };
}

const row = (changes: Readonly<Record<string, unknown>>) => ({
  device: '*',
  metric: '*',
  unit: '',
  low: '',
  high: '',
  states: '',
  ...changes,
});

describe('the table of meanings', () => {
  test('is read from a form or from JSON', () => {
    const rows = [
      row({ metric: 'temperature', unit: '°C', low: '-10', high: '50,5' }),
      row({ device: '01:02:03:04:05:06:07:08', metric: 'open', states: ' closed|open ' }),
      row({ metric: 'level', unit: '-' }),
    ];
    const expected = [
      { device: '*', metric: 'temperature', unit: '°C', low: -10, high: 50.5 },
      { device: A, metric: 'open', states: 'closed|open' },
      { device: '*', metric: 'level', unit: '-' },
    ];
    assert.deepEqual(parse(rows), { rules: expected, faults: [] });
    assert.deepEqual(parse(JSON.stringify(rows)), { rules: expected, faults: [] });
    for (const nothing of [undefined, '', [], '[]']) assert.deepEqual(parse(nothing), { rules: [], faults: [] });
  });

  test('takes a unit by code, symbol or name', () => {
    for (const text of ['CEL', 'cel', '°C', 'degree Celsius', 'Celsius'])
      assert.equal(parse([row({ unit: text })]).rules[0]?.unit, '°C');
    assert.equal(parse([row({ unit: 'cubic metre per hour' })]).rules[0]?.unit, 'm³/h');
    assert.equal(parse([row({ unit: 'MQH' })]).rules[0]?.unit, 'm³/h');
    assert.equal(parse([row({ unit: 'Minute' })]).rules[0]?.unit, 'min');
    assert.equal(parse([row({ unit: 'furlong' })]).rules[0]?.unit, 'furlong', 'a unit of the user’s own');
    assert.equal(unitFromWords('mW')?.code, 'C31', 'a symbol is not taken for another one, nor for a code');
    for (const unit of ALL_UNITS) {
      assert.equal(unitFromWords(unit.symbol)?.symbol, unit.symbol);
      if (unit.code !== undefined) assert.ok(unitFromWords(unit.code), unit.code);
    }
  });

  for (const [what, given, field, rule] of [
    ['no list', '{"unit": 1}', 'meanings', /list of \{device, metric, unit, low, high, states\}/],
    ['no row', ['x'], 'meanings[0]', /a rule is \{device/],
    ['a wrong device', [row({ device: '12', unit: 'm' })], 'meanings[0].device', /16 hexadecimal/],
    ['a wrong metric', [row({ metric: 'a\u0000', unit: 'm' })], 'meanings[0].metric', /control characters/],
    ['a unit that is none', [row({ unit: 'x'.repeat(33) })], 'meanings[0].unit', /UNECE code/],
    ['a unit that is no text', [row({ unit: 7 })], 'meanings[0].unit', /UNECE code/],
    ['half a range', [row({ low: '1' })], 'meanings[0].high', /two numbers/],
    ['a range of words', [row({ low: 'little', high: 'Infinity' })], 'meanings[0].low', /two numbers/],
    ['a range the wrong way round', [row({ low: 5, high: 5 })], 'meanings[0].high', /above low, which is 5/],
    ['one state', [row({ states: 'open' })], 'meanings[0].states', /2 to 100 different texts/],
    ['states with a unit', [row({ states: 'a|b', unit: 'm' })], 'meanings[0]', /not both/],
    ['a row that says nothing', [row({})], 'meanings[0]', /a unit, a range or states/],
  ] as const)
    test(`refuses ${what}, and says where and why`, () => {
      const { rules, faults } = parse(given);
      assert.deepEqual(rules, []);
      assert.equal(faults[0]?.field, field);
      assert.match(faults[0]?.rule ?? '', rule);
      assert.notEqual(faults[0]?.cure, '');
    });

  test('keeps the good rows of a bad table apart, and tells all faults', () => {
    const { rules, faults } = parse([row({ unit: 'm' }), row({ low: 1 }), row({ states: 'x' })]);
    assert.equal(rules.length, 1);
    assert.deepEqual(
      faults.map(({ field }) => field),
      ['meanings[1].high', 'meanings[2].states'],
    );
  });

  test('answers whatever is given', () => {
    fc.assert(
      fc.property(fc.anything(), (given) => {
        const { rules } = parse(given);
        ownMeanings(rules)(A, key('x'));
      }),
    );
  });
});

describe('what a table says of a metric', () => {
  const of = ownMeanings(
    parse([
      row({ unit: 'm' }),
      row({ device: A, unit: 'km' }),
      row({ metric: 'depth', low: 0, high: 10 }),
      row({ metric: 'depth', unit: 'cm' }),
      row({ device: A, metric: 'depth', low: 0, high: 1e21 }),
      row({ device: A, metric: 'mode', states: '1=a|4=b' }),
    ]).rules,
  );

  test('is in each matter the word of the most specific rule', () => {
    assert.deepEqual(of(B, key('length')), { unit: 'm' });
    assert.deepEqual(of(A, key('length')), { unit: 'km' });
    assert.deepEqual(of(B, key('depth')), { unit: 'cm', range: '0..10' });
    assert.deepEqual(of(A, key('depth')), { unit: 'cm', range: '0..1e+21' });
    assert.deepEqual(of(A, key('mode')), { unit: 'km', states: '1=a|4=b' });
    assert.equal(ownMeanings([])(A, key('x')), undefined);
  });

  test('becomes its meaning, before tags', () => {
    const definition = (name: string): MetricDefinition => ({
      devEui: A,
      key: key(name),
      name: '',
      dataType: 'Double',
      kind: 'GAUGE',
    });
    const device = { tags: { unit_depth: 'mm', range_depth: '1..2' } };
    const depth = meaningOf(definition('depth'), { own: of(A, key('depth')), device });
    assert.deepEqual([depth.unit?.code, depth.unit?.source], ['CMT', 'user']);
    assert.deepEqual(depth.range, { low: 0, high: 1e21 });
    assert.deepEqual(meaningOf(definition('mode'), { own: of(A, key('mode')) }).states, [
      [1, 'a'],
      [4, 'b'],
    ]);
    const none = ownMeanings(parse([row({ metric: 'temperature', unit: '-' })]).rules);
    assert.equal(meaningOf(definition('temperature'), { own: none(A, key('temperature')) }).unit, undefined);
  });
});
