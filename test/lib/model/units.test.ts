import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  ALL_UNITS,
  guessUnit,
  isSameMeaning,
  type MeaningSources,
  type MetricDefinition,
  type MetricMeaning,
  meaningOf,
  NO_MEANING,
  parseMetricKey,
  parseRange,
  parseStates,
  parseUnit,
  stateText,
  unitFromText,
  unitId,
} from '../../../lib/model';

test('unit ids are those of the OPC Foundation', () => {
  // From UNECE_to_OPCUA.csv.
  const known: Readonly<Record<string, number>> = {
    '°C': 4_408_652,
    K: 4_932_940,
    V: 5_655_636,
    mV: 12_890,
    mA: 13_387,
    kW·h: 4_937_544,
    hPa: 4_274_487,
    'm³': 5_067_857,
    'l/min': 19_506,
    'µg/m³': 18_257,
    dB: 12_878,
    km: 4_934_996,
    '1': 4_404_786,
  };
  for (const [symbol, id] of Object.entries(known)) {
    const unit = parseUnit(symbol);
    assert.ok(unit, symbol);
    assert.equal(unitId(unit), id, symbol);
  }
  const own = unitFromText('drops');
  assert.ok(own);
  assert.equal(unitId(own), -1);
});

test('each unit is found by its symbol, and no code stands for two', () => {
  for (const unit of ALL_UNITS) {
    assert.equal(parseUnit(unit.symbol), unit, unit.symbol);
    assert.equal(parseUnit(` ${unit.symbol.replaceAll('·', '')} `), unit, unit.symbol);
  }
  const codes = ALL_UNITS.flatMap(({ code }) => code ?? []);
  assert.equal(new Set(codes).size, codes.length);
  assert.ok(codes.every((code) => /^[0-9A-Z]{2,3}$/.test(code)));
});

test('what people write is understood, where it is clear', () => {
  const written: Readonly<Record<string, string>> = {
    C: '°C',
    ºC: '°C',
    '℃': '°C',
    DegC: '°C',
    '%RH': '%',
    '% r.h.': '%',
    kwh: 'kW·h',
    KWH: 'kW·h',
    'kW h': 'kW·h',
    m3: 'm³',
    'm^3/h': 'm³/h',
    'ug/m3': 'µg/m³',
    'μg/m³': 'µg/m³',
    'L/min': 'l/min',
    LUX: 'lx',
    Mpa: 'MPa',
    psi: 'lbf/in²',
    Volts: 'V',
    rpm: 'r/min',
    Minutes: 'min',
    count: '1',
  };
  for (const [text, symbol] of Object.entries(written)) assert.equal(parseUnit(text)?.symbol, symbol, text);
  assert.equal(parseUnit('mW')?.code, 'C31');
  assert.equal(parseUnit('MW')?.code, 'MAW');
  for (const text of ['mWh', 'MM', 'MV', 'raw', '', 'outside', 'x'.repeat(100)])
    assert.equal(parseUnit(text), undefined, text);
  for (const text of [' ', 'x'.repeat(33), 'a\nb']) assert.equal(unitFromText(text), undefined, text);
  fc.assert(
    fc.property(fc.string(), (text) => {
      parseUnit(text);
      const unit = unitFromText(text);
      assert.ok(unit === undefined || unit.symbol !== '');
    }),
  );
});

test('units are guessed from names that leave no doubt', () => {
  const names: Readonly<Record<string, string | undefined>> = {
    temperature: '°C',
    Temperature_1: '°C',
    outdoorTemperature: '°C',
    soil_temperature_max: '°C',
    temp_f: '°F',
    TempC: '°C',
    'relative-humidity': '%',
    battery_voltage: 'V',
    battery_voltage_mv: 'mV',
    BatV: 'V',
    battery_level: '%',
    co2: 'ppm',
    CO2: 'ppm',
    pm2_5: 'µg/m³',
    barometric_pressure: 'hPa',
    pressure_kpa: 'kPa',
    distance_mm: 'mm',
    position_latitude: '°',
    pH: 'pH',
    // Any of several, or no unit at all.
    battery: undefined,
    pressure: undefined,
    distance: undefined,
    energy: undefined,
    current: undefined,
    level: undefined,
    voltage_c: undefined,
    temperature_alarm: undefined,
    humidity_status: undefined,
    state: undefined,
    '': undefined,
    constructor: undefined,
    a_constructor: undefined,
  };
  for (const [name, symbol] of Object.entries(names)) assert.equal(guessUnit(name)?.symbol, symbol, name);
  fc.assert(
    fc.property(fc.string(), (name) => {
      guessUnit(name);
    }),
  );
});

test('ranges and states', () => {
  assert.deepEqual(parseRange('-40..85'), { low: -40, high: 85 });
  assert.deepEqual(parseRange(' 0.5 .. 1.5 '), { low: 0.5, high: 1.5 });
  assert.deepEqual(parseRange('.5..1'), undefined);
  assert.equal(parseRange('1'.concat('..'.repeat(1_000_000), ' x')), undefined);
  for (const text of ['', '1', '5..1', '1..1', 'a..b', '1..', '..1', 'NaN..1', '0..Infinity'])
    assert.equal(parseRange(text), undefined, text);
  assert.deepEqual(parseStates('closed|open'), [
    [0, 'closed'],
    [1, 'open'],
  ]);
  assert.deepEqual(parseStates(' 4 = running | -1 = fault '), [
    [-1, 'fault'],
    [4, 'running'],
  ]);
  assert.deepEqual(parseStates('4=running|-1=a = b'), [
    [-1, 'a = b'],
    [4, 'running'],
  ]);
  for (const text of ['', 'one', 'a|', '|', '1=a|1=b', 'x|0=y', 'x'.repeat(101).concat('|b')])
    assert.equal(parseStates(text), undefined, text);
  fc.assert(
    fc.property(fc.double({ noNaN: true }), fc.double({ noNaN: true }), fc.string(), (low, high, text) => {
      const range = parseRange(`${low}..${high}`);
      const isRange = Number.isFinite(low) && Number.isFinite(high) && low < high;
      assert.deepEqual(
        range, // As text, −0 is 0.
        isRange ? { low: low + 0, high: high + 0 } : undefined,
      );
      for (const [number, name] of parseStates(text) ?? []) assert.ok(Number.isSafeInteger(number) && name !== '');
      parseRange(text);
    }),
  );
  assert.equal(stateText(parseStates('off|on'), true), 'on');
  assert.equal(stateText(parseStates('off|on'), 1n), 'on');
  assert.equal(stateText(parseStates('off|on'), 2), undefined);
  assert.equal(stateText(parseStates('off|on'), '1'), undefined);
  assert.equal(stateText(undefined, 1), undefined);
});

const definition = (
  key: string,
  dataType: MetricDefinition['dataType'] = 'Double',
  name = key,
): Pick<MetricDefinition, 'key' | 'name' | 'dataType'> => ({ key: parseMetricKey(key), name, dataType });

test('the most trusted source of a unit is believed', () => {
  const profile = (name: string, tags: Record<string, string>): MeaningSources['profile'] => ({
    tags,
    measurements: { temperature: { name, kind: 'GAUGE' } },
  });
  const all = {
    own: { unit: 'mK' },
    device: { tags: { unit_temperature: 'K' } },
    profile: profile('Temperature (°F)', { unit_temperature: 'C' }),
  };
  const found = (sources: MeaningSources): (string | undefined)[] => {
    const { unit } = meaningOf(definition('temperature'), sources);
    return [unit?.symbol, unit?.source];
  };
  assert.deepEqual(found(all), ['mK', 'user']);
  assert.deepEqual(found({ ...all, own: undefined }), ['K', 'device-tag']);
  assert.deepEqual(found({ profile: all.profile }), ['°C', 'profile-tag']);
  assert.deepEqual(found({ profile: profile('Temperature [°F]', {}) }), ['°F', 'measurement-name']);
  for (const name of ['Temperature (outside)', 'Temperature (in)', 'Temperature (min)', 'Temperature (1)', '(', ''])
    assert.deepEqual(found({ profile: profile(name, {}) }), ['°C', 'guessed'], name);
  assert.deepEqual(found({ own: { unit: ' ' }, device: { tags: { unit_temperature: '-' } } }), [undefined, undefined]);
});

test('nothing is said that contradicts the type', () => {
  const tags = { unit_x: 'm', range_x: '0..9', states_x: 'a|b|c', unit_y: 'm', range_y: '0..9', states_z: 'a|b' };
  const device = { tags };
  assert.equal(meaningOf(definition('x', 'String'), { device }), NO_MEANING);
  assert.equal(meaningOf({ ...definition('x'), dataType: undefined }, { device }), NO_MEANING);
  assert.equal(meaningOf(definition('x', 'Boolean'), { device }), NO_MEANING);
  assert.deepEqual(Object.keys(meaningOf(definition('x'), { device })), ['states'], 'states have no unit');
  assert.deepEqual(Object.keys(meaningOf(definition('y', 'Int64'), { device })), ['unit', 'range']);
  assert.equal(meaningOf(definition('y', 'Boolean'), { device }), NO_MEANING);
  assert.equal(meaningOf(definition('z', 'Boolean'), { device }).states?.length, 2);
  assert.equal(meaningOf(definition('a'), { device }), NO_MEANING);
  assert.equal(meaningOf(definition('temperature', 'Boolean'), {}), NO_MEANING);
});

test('two meanings are the same if they say the same', () => {
  const meaning = (tags: Record<string, string>): MetricMeaning => meaningOf(definition('x'), { device: { tags } });
  assert.ok(isSameMeaning(meaning({ unit_x: 'm' }), meaning({ unit_x: 'metre' })));
  assert.ok(isSameMeaning(meaning({ states_x: 'a|b' }), meaning({ states_x: '0=a|1=b' })));
  const different = ['unit_x', 'range_x', 'states_x'].map((key) => meaning({ [key]: key === 'unit_x' ? 'm' : '1..2' }));
  assert.ok(!isSameMeaning(different[0] ?? NO_MEANING, NO_MEANING));
  assert.ok(!isSameMeaning(different[1] ?? NO_MEANING, NO_MEANING));
  assert.ok(isSameMeaning(different[2] ?? NO_MEANING, NO_MEANING), 'no states');
});
