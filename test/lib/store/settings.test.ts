import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { InvalidInputError, parseDevEui } from '../../../lib/model';
import { parseStoreSettings, type StoreInput } from '../../../lib/store';
import { DAY, StorageRules } from '../../../lib/store/storage-rules';
import { key, other, sensor } from './support';

const defaults = { retentionDays: 7, rules: [], maximumSize: 0, eventDays: 30, auditDays: 365, commandDays: 90 };

function faultsOf(input: StoreInput, names: Parameters<typeof parseStoreSettings>[1] = {}): string[] {
  try {
    parseStoreSettings({ backend: 'memory', ...input }, names);
    return [];
  } catch (error) {
    assert.ok(error instanceof InvalidInputError);
    assert.ok(error.faults.every(({ rule, cure }) => rule !== '' && cure !== ''));
    return error.faults.map(({ field }) => field);
  }
}

describe('settings of the store', () => {
  test('are read from text and numbers; what is blank has its default', () => {
    assert.deepEqual(parseStoreSettings({ file: ' /data/x.db ', retentionDays: ' 30 ', eventDays: '' }), {
      ...defaults,
      backend: 'sqlite',
      file: '/data/x.db',
      retentionDays: 30,
    });
    assert.deepEqual(parseStoreSettings({ backend: 'memory', retentionDays: null }), {
      ...defaults,
      backend: 'memory',
    });
    const input = { backend: 'memory', maximumSizeMegabytes: '1500', eventDays: 0, auditDays: '3650', commandDays: 1 };
    assert.deepEqual(parseStoreSettings(input), {
      ...defaults,
      backend: 'memory',
      maximumSize: 1_500_000_000,
      eventDays: 0,
      auditDays: 3_650,
      commandDays: 1,
    });
    assert.equal(parseStoreSettings({ file: '/x', retentionDays: 0, maximumSizeMegabytes: 0 }).retentionDays, 0);
  });

  test('rules are rows of texts and numbers, or JSON; blanks mean everything, or nothing to say', () => {
    const rows = [
      { device: '00-00-00-00-00-00-00-01', metric: 'temperature', retentionDays: '365', deadband: '0,5' },
      { device: '', metric: ' ', retentionDays: '', deadband: 0 },
      { device: '*', metric: 'door', retentionDays: 0 },
    ];
    const expected = [
      { device: sensor, metric: 'temperature', retentionDays: 365, deadband: 0.5 },
      { device: '*', metric: '*', deadband: 0 },
      { device: '*', metric: 'door', retentionDays: 0 },
    ];
    assert.deepEqual(parseStoreSettings({ backend: 'memory', rules: rows }).rules, expected);
    assert.deepEqual(parseStoreSettings({ backend: 'memory', rules: JSON.stringify(rows) }).rules, expected);
    assert.deepEqual(parseStoreSettings({ backend: 'memory', rules: ' ' }).rules, []);
  });

  test('all faults are told at once, by the names the user knows', () => {
    assert.deepEqual(
      faultsOf(
        { backend: 'oracle', retentionDays: 'long', maximumSizeMegabytes: 5, rules: [{ deadband: 'x' }, 7] },
        { retentionDays: 'HISTORY_DAYS', maximumSizeMegabytes: 'Maximum size', rules: 'Rules' },
      ),
      ['backend', 'HISTORY_DAYS', 'Rules[0].deadband', 'Rules[1]', 'Maximum size'],
    );
    for (const [input, field] of [
      [{ backend: 'sqlite', file: 'relative.db' }, 'file'],
      [{ backend: 'sqlite', file: undefined }, 'file'],
      [{ backend: 'sqlite', file: 7 }, 'file'],
      [{ retentionDays: -1 }, 'retentionDays'],
      [{ retentionDays: [] }, 'retentionDays'],
      [{ retentionDays: Number.NaN }, 'retentionDays'],
      [{ eventDays: 40_000 }, 'eventDays'],
      [{ auditDays: true }, 'auditDays'],
      [{ commandDays: 'never' }, 'commandDays'],
      [{ maximumSizeMegabytes: -1 }, 'maximumSizeMegabytes'],
      [{ maximumSizeMegabytes: 'all' }, 'maximumSizeMegabytes'],
      [{ rules: 'no json' }, 'rules'],
      [{ rules: {} }, 'rules'],
      [{ rules: [null] }, 'rules[0]'],
      [{ rules: [{ device: '*', metric: 'a' }] }, 'rules[0]'],
      [{ rules: [{ device: 'x', deadband: 1 }] }, 'rules[0].device'],
      [{ rules: [{ metric: 'a\nb', deadband: 1 }] }, 'rules[0].metric'],
      [{ rules: [{ deadband: -1 }] }, 'rules[0].deadband'],
      [{ rules: [{ retentionDays: 1e9 }] }, 'rules[0].retentionDays'],
    ] as const)
      assert.deepEqual(faultsOf(input), [field], JSON.stringify(input));
  });

  test('whatever is given is read or refused with faults', () => {
    fc.assert(
      fc.property(fc.anything(), fc.anything(), fc.anything(), (retentionDays, rules, maximumSizeMegabytes) => {
        faultsOf({ retentionDays, rules, maximumSizeMegabytes });
      }),
    );
  });
});

describe('rules of storage', () => {
  const third = parseDevEui('0000000000000003');
  const rules = new StorageRules(7, [
    { device: sensor, metric: key('a'), retentionDays: 1 },
    { device: sensor, metric: '*', retentionDays: 2, deadband: 2 },
    { device: '*', metric: key('a'), retentionDays: 3, deadband: 3 },
    { device: '*', metric: key('b'), retentionDays: 0 },
    { device: other, metric: '*', retentionDays: 5 },
    { device: other, metric: '*', retentionDays: 6 },
  ]);

  test('the most specific holds, of equal ones the last, each for what it says', () => {
    const days = (devEui: typeof sensor, name: string): number | undefined => {
      const retention = rules.retention(devEui, key(name));
      return retention === undefined ? undefined : retention / DAY;
    };
    assert.deepEqual([days(sensor, 'a'), days(sensor, 'x'), days(other, 'a'), days(other, 'x')], [1, 2, 3, 6]);
    assert.deepEqual([days(third, 'b'), days(third, 'x')], [undefined, 7]);
    assert.deepEqual(
      [rules.deadband(sensor, key('a')), rules.deadband(sensor, key('x')), rules.deadband(third, key('x'))],
      [3, 2, undefined],
    );
  });

  test('it is known whether they do anything at all', () => {
    assert.deepEqual([rules.limitsAge, rules.thinsOut], [true, true]);
    const none = new StorageRules(0);
    assert.deepEqual([none.limitsAge, none.thinsOut], [false, false]);
    assert.equal(new StorageRules(0, [{ device: '*', metric: '*', retentionDays: 1 }]).limitsAge, true);
  });
});
