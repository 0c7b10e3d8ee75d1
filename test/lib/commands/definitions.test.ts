import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import {
  COMMAND_PRESETS,
  CommandDefinitions,
  decodePayload,
  encodePayload,
  parseCommandDefinitions,
  parseParameters,
  presetFields,
} from '../../../lib/commands';
import { type CommandDefinition, InvalidInputError, parseDevEui, parseDeviceProfileId } from '../../../lib/model';

const PROFILE = '14855bf7-d10d-4aee-b618-ebfcb64dc7ad';
const DEVICE = '0101010101010101';

const valve = {
  profileId: PROFILE,
  name: 'valve',
  fPort: 20,
  parameters: [{ name: 'position', type: 'Double', min: 0, max: 100, step: 0.5, unit: '%' }],
  payload: { kind: 'integer', parameter: 'position', format: 'uint8', scale: 0.5 },
};

const one = (input: object): CommandDefinition => {
  const [definition] = parseCommandDefinitions([input]);
  assert.ok(definition);
  return definition;
};

/** Fields and rules of all faults. */
function faultsOf(act: () => unknown): Record<string, string> {
  try {
    act();
  } catch (error) {
    assert.ok(error instanceof InvalidInputError, String(error));
    assert.ok(error.faults.every(({ rule, cure }) => rule !== '' && cure !== ''));
    return Object.fromEntries(error.faults.map(({ field, rule }) => [field, rule]));
  }
  return assert.fail('nothing was refused');
}

const hexOf = (definition: CommandDefinition, parameters: Record<string, unknown>): string => {
  const payload = encodePayload(definition, parseParameters(definition, parameters));
  assert.equal(payload.kind, 'bytes');
  return payload.kind === 'bytes' ? payload.hex : '';
};

describe('definitions', () => {
  test('fill in what is left out', () => {
    const definition = one(valve);
    assert.equal(definition.confirmed, false);
    assert.equal(definition.deadline, 3_600);
    assert.equal(definition.coalescing, 'queue');
    assert.deepEqual(definition.parameters[0], {
      name: 'position',
      type: 'Double',
      description: '',
      unit: '%',
      min: 0,
      max: 100,
      step: 0.5,
      isRequired: true,
    });
  });

  test('are refused with all faults of all of them, each with its path', () => {
    const faults = faultsOf(() =>
      parseCommandDefinitions([
        { ...valve, fPort: 300 },
        { ...valve, name: 'a/b', colour: 'red', profileId: 'x' },
        { ...valve, payload: { kind: 'template', segments: [{ kind: 'hex', hex: '0' }, { kind: 'float' }] } },
        7,
        { ...valve, preset: 'rocket' },
      ]),
    );
    assert.deepEqual(Object.keys(faults).sort(), [
      'commands[0].fPort',
      'commands[1].colour',
      'commands[1].name',
      'commands[1].profileId',
      'commands[2].payload.segments[0].hex',
      'commands[2].payload.segments[1].format',
      'commands[2].payload.segments[1].parameter',
      'commands[3]',
      'commands[4].preset',
    ]);
    assert.deepEqual(Object.keys(faultsOf(() => parseCommandDefinitions('x'))), ['commands']);
  });

  for (const [what, change, field] of [
    ['both scopes', { devEui: DEVICE }, 'commands[0]'],
    ['no scope', { profileId: undefined }, 'commands[0]'],
    ['port 0', { fPort: 0 }, 'commands[0].fPort'],
    ['port 224', { fPort: 224 }, 'commands[0].fPort'],
    ['a range upside down', { parameters: [{ ...valve.parameters[0], min: 200 }] }, 'commands[0].parameters[0].max'],
    [
      'a default out of range',
      { parameters: [{ ...valve.parameters[0], default: 101 }] },
      'commands[0].parameters[0].default',
    ],
    [
      'an unused parameter',
      { parameters: [...valve.parameters, { name: 'x', type: 'Int' }] },
      'commands[0].parameters[1].name',
    ],
    ['a name twice', { parameters: [valve.parameters[0], valve.parameters[0]] }, 'commands[0].parameters[1].name'],
    [
      'a fraction for an Int',
      { parameters: [{ name: 'position', type: 'Int', min: 0.5 }] },
      'commands[0].parameters[0].min',
    ],
    [
      'an unknown reference',
      { payload: { kind: 'object', template: { a: { b: '{{position}}', c: '{{other}}' } } } },
      'commands[0].payload.template.a.c',
    ],
    [
      'an optional parameter in bytes',
      { parameters: [{ ...valve.parameters[0], required: false }] },
      'commands[0].payload.parameter',
    ],
    ['a scaled Boolean', { parameters: [{ name: 'position', type: 'Boolean' }] }, 'commands[0].payload.scale'],
    ['a String as integer', { parameters: [{ name: 'position', type: 'String' }] }, 'commands[0].payload.parameter'],
    [
      'a choice that does not fit',
      {
        parameters: [{ name: 'position', type: 'Enumeration', choices: [{ name: 'a', value: 256 }] }],
        payload: { kind: 'integer', format: 'uint8', parameter: 'position' },
      },
      'commands[0].payload.parameter',
    ],
    [
      'text before the end',
      {
        parameters: [{ name: 'position', type: 'String' }],
        payload: {
          kind: 'template',
          segments: [
            { kind: 'text', parameter: 'position' },
            { kind: 'hex', hex: '00' },
          ],
        },
      },
      'commands[0].payload.segments[0].length',
    ],
    ['more than 242 bytes', { parameters: [], payload: { kind: 'hex', hex: '00'.repeat(243) } }, 'commands[0].payload'],
    ['no bytes', { parameters: [], payload: { kind: 'hex', hex: '' } }, 'commands[0].payload.hex'],
    ['a scale of 0', { payload: { ...valve.payload, scale: 0 } }, 'commands[0].payload.scale'],
    [
      'value and parameter expected',
      { expected: { metric: 'p', value: 1, parameter: 'position' } },
      'commands[0].expected',
    ],
    ['an unknown parameter expected', { expected: { metric: 'p', parameter: 'x' } }, 'commands[0].expected.parameter'],
    [
      'a prototype in the template',
      { parameters: [], payload: { kind: 'object', template: JSON.parse('{"__proto__": 1}') as object } },
      'commands[0].payload.template',
    ],
  ] as const)
    test(`with ${what} are refused`, () => {
      assert.ok(field in faultsOf(() => parseCommandDefinitions([{ ...valve, ...change }])), field);
    });

  test('of the same name and scope are refused, several on one port are not', () => {
    assert.ok('commands[1].name' in faultsOf(() => parseCommandDefinitions([valve, valve])));
    assert.equal(parseCommandDefinitions([valve, { ...valve, name: 'other' }]).length, 2);
  });

  test('of a device override those of its profile', () => {
    const own = { ...valve, profileId: undefined, devEui: DEVICE, fPort: 21 };
    const definitions = new CommandDefinitions(parseCommandDefinitions([valve, own, { ...valve, name: 'other' }]));
    const profile = parseDeviceProfileId(PROFILE);
    const devEui = parseDevEui(DEVICE);
    assert.deepEqual(
      definitions.of(devEui, profile).map(({ name, fPort }) => [name, fPort]),
      [
        ['valve', 21],
        ['other', 20],
      ],
    );
    assert.equal(definitions.find(devEui, profile, 'valve')?.fPort, 21);
    assert.equal(definitions.find(parseDevEui('0202020202020202'), profile, 'valve')?.fPort, 20);
    assert.equal(definitions.find(devEui, undefined, 'other'), undefined);
  });

  test('can be of a preset, of which fields may be replaced', () => {
    for (const preset of COMMAND_PRESETS) {
      const definition = one({ preset, profileId: PROFILE });
      assert.equal(definition.fPort, 1);
      assert.ok(presetFields(preset).description !== '');
      assert.equal(one({ preset, profileId: PROFILE, name: 'mine', fPort: 7 }).name, 'mine');
    }
    assert.equal(hexOf(one({ preset: 'valve', profileId: PROFILE }), { position: 'open' }), '01');
    assert.equal(hexOf(one({ preset: 'set-point', profileId: PROFILE }), { temperature: 21.5 }), '00d7');
    assert.equal(hexOf(one({ preset: 'relay-pulse', profileId: PROFILE }), {}), '000a');
  });

  test('are refused or taken, whatever is given: never another error', () => {
    const known = [...Object.keys(valve), 'preset', 'expected', 'interlock', 'rateLimit', 'deadline', 'coalescing'];
    const anything = fc.dictionary(fc.constantFrom(...known), fc.jsonValue());
    fc.assert(
      fc.property(anything, (change) => {
        try {
          parseCommandDefinitions([{ ...valve, ...change }]);
        } catch (error) {
          assert.ok(error instanceof InvalidInputError);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('parameters', () => {
  const definition = one({
    ...valve,
    parameters: [
      { name: 'd', type: 'Double', min: -10, max: 10, step: 0.1 },
      { name: 'i', type: 'Int', min: 0 },
      { name: 'b', type: 'Boolean' },
      { name: 's', type: 'String', maxLength: 4 },
      {
        name: 'e',
        type: 'Enumeration',
        choices: [
          { name: 'low', value: 1 },
          { name: 'high', value: 2 },
        ],
      },
      { name: 'o', type: 'Int', default: 5 },
      { name: 'n', type: 'Int', required: false },
    ],
    payload: {
      kind: 'object',
      template: {
        d: '{{d}}',
        list: ['{{i}}', '{{n}}'],
        b: '{{b}}',
        s: 'is {{s}} {{e}}',
        e: '{{e}}',
        o: '{{o}}',
        n: '{{n}}',
      },
    },
  });
  const right = { d: 0.3, i: 7, b: true, s: 'abcd', e: 'high' };

  test('make an object for the codec, in their own types', () => {
    const values = parseParameters(definition, right);
    assert.deepEqual(encodePayload(definition, values), {
      kind: 'object',
      object: { d: 0.3, list: [7, null], b: true, s: 'is abcd 2', e: 2, o: 5 },
    });
    assert.equal(parseParameters(definition, { ...right, e: 1 }).e, 'low');
    assert.equal(parseParameters(definition, { ...right, i: 3n }).i, 3);
  });

  test('are refused with all faults at once', () => {
    const faults = faultsOf(() =>
      parseParameters(definition, { d: Number.NaN, i: 1.5, b: 1, s: 'abcde', e: 'off', x: 1, o: '5' }),
    );
    assert.deepEqual(
      Object.keys(faults).sort(),
      ['b', 'd', 'e', 'i', 'o', 's', 'x'].map((name) => `parameters.${name}`),
    );
    assert.deepEqual(Object.keys(faultsOf(() => parseParameters(definition, {}, 'msg.payload'))), [
      'msg.payload.d',
      'msg.payload.i',
      'msg.payload.b',
      'msg.payload.s',
      'msg.payload.e',
    ]);
  });

  for (const [name, value, rule] of [
    ['d', 10.1, /-10 to 10/],
    ['d', 0.25, /multiple of 0.1/],
    ['d', Number.POSITIVE_INFINITY, /finite/],
    ['d', '1', /number/],
    ['i', -1, /at least 0/],
    ['i', 2n ** 70n, /whole number/],
    ['i', true, /whole number/],
    ['s', 'a\u0000', /NUL/],
    ['s', '\ud800', /well-formed/],
    ['e', 3, /low \(1\), high \(2\)/],
    ['b', 'true', /true or false/],
  ] as const)
    test(`${name} = ${String(value)} is refused`, () => {
      assert.match(
        faultsOf(() => parseParameters(definition, { ...right, [name]: value }))[`parameters.${name}`] ?? '',
        rule,
      );
    });

  test('do not take names of the prototype for their own', () => {
    const odd = one({
      ...valve,
      parameters: [{ name: 'constructor', type: 'Int' }],
      payload: { kind: 'integer', parameter: 'constructor', format: 'int8' },
    });
    assert.ok('parameters.constructor' in faultsOf(() => parseParameters(odd, {})));
  });

  test('beyond 2^53 are refused in an object', () => {
    assert.ok(
      'parameters.i' in
        faultsOf(() => encodePayload(definition, parseParameters(definition, { ...right, i: 2n ** 60n }))),
    );
  });
});

describe('bytes', () => {
  const integer = (format: string, more: object = {}, type = 'Int'): CommandDefinition =>
    one({ ...valve, parameters: [{ name: 'x', type }], payload: { kind: 'integer', parameter: 'x', format, ...more } });

  test('are those that the manual of a device would say', () => {
    assert.equal(
      hexOf(one({ ...valve, parameters: [], payload: { kind: 'hex', hex: '01 FF-0a:00' } }), {}),
      '01ff0a00',
    );
    assert.equal(hexOf(integer('uint16'), { x: 258 }), '0102');
    assert.equal(hexOf(integer('uint16', { littleEndian: true }), { x: 258 }), '0201');
    assert.equal(hexOf(integer('int24'), { x: -2 }), 'fffffe');
    assert.equal(hexOf(integer('uint64'), { x: 2n ** 64n - 1n }), 'ffffffffffffffff');
    assert.equal(hexOf(integer('int16', { scale: 0.01, offset: -40 }, 'Double'), { x: 21.37 }), '17f9');
    const frame = one({
      ...valve,
      parameters: [
        { name: 'on', type: 'Boolean' },
        { name: 'label', type: 'String' },
        { name: 'level', type: 'Double' },
      ],
      payload: {
        kind: 'template',
        segments: [
          { kind: 'hex', hex: 'a5' },
          { kind: 'integer', parameter: 'on', format: 'uint8' },
          { kind: 'text', parameter: 'label', length: 4 },
          { kind: 'float', parameter: 'level', format: 'float32', littleEndian: true },
        ],
      },
    });
    assert.equal(hexOf(frame, { on: true, label: 'ab', level: 1.5 }), 'a5016162 0000 0000c03f'.replaceAll(' ', ''));
    assert.deepEqual(decodePayload(frame, Buffer.from('a501616200000000c03f', 'hex')), {
      on: true,
      label: 'ab',
      level: 1.5,
    });
    assert.equal(decodePayload(frame, Buffer.from('a6016162', 'hex')), undefined);
    assert.ok('parameters.label' in faultsOf(() => hexOf(frame, { on: true, label: 'äöü', level: 1 })));
    assert.ok('parameters.level' in faultsOf(() => hexOf(frame, { on: true, label: '', level: 1e300 })));
  });

  test('that would overflow are refused, with the limits', () => {
    for (const [format, low, high] of [
      ['uint8', -1, 256],
      ['int8', -129, 128],
      ['uint32', -1, 2 ** 32],
      ['int64', -(2n ** 63n) - 1n, 2n ** 63n],
    ] as const)
      for (const x of [low, high])
        assert.ok('parameters.x' in faultsOf(() => hexOf(integer(format), { x })), `${format} ${x}`);
    assert.ok('parameters.x' in faultsOf(() => hexOf(integer('uint8', { scale: 1e-300 }, 'Double'), { x: 1e300 })));
  });

  test('are at most 242, at least one', () => {
    const text = one({
      ...valve,
      parameters: [{ name: 't', type: 'String', maxLength: 242 }],
      payload: { kind: 'template', segments: [{ kind: 'text', parameter: 't' }] },
    });
    assert.equal(hexOf(text, { t: 'a'.repeat(242) }).length, 484);
    assert.ok('parameters' in faultsOf(() => hexOf(text, { t: 'ä'.repeat(122) })));
    assert.ok('parameters' in faultsOf(() => hexOf(text, { t: '' })));
  });

  const name = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
  const width = fc.integer({ min: 1, max: 8 });
  const ints = fc.record({ width, signed: fc.boolean(), littleEndian: fc.boolean() });

  test('of every accepted whole number decode to the same number', () => {
    fc.assert(
      fc.property(
        ints,
        fc.integer({ min: -1_000, max: 1_000 }),
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
        (format, offset, any64) => {
          const definition = integer(`${format.signed ? '' : 'u'}int${8 * format.width}`, {
            littleEndian: format.littleEndian,
            offset,
          });
          const bits = BigInt(8 * format.width);
          const x =
            (format.signed ? BigInt.asIntN(Number(bits), any64) : BigInt.asUintN(Number(bits), any64)) + BigInt(offset);
          let hex: string;
          try {
            hex = hexOf(definition, { x });
          } catch (error) {
            // Beyond 64 bits with the offset: refused, as it must be.
            assert.ok(error instanceof InvalidInputError);
            assert.ok(x < -(2n ** 63n) || x > 2n ** 64n - 1n);
            return;
          }
          assert.equal(hex.length, 2 * format.width);
          assert.equal(BigInt(Number(decodePayload(definition, Buffer.from(hex, 'hex'))?.x ?? 0n)), BigInt(Number(x)));
          assert.equal(String(decodePayload(definition, Buffer.from(hex, 'hex'))?.x), String(x));
        },
      ),
      { numRuns: 500 },
    );
  });

  test('of every accepted input of a template decode to the same values, as exact as the formats are', () => {
    const part = fc.oneof(
      fc.record({
        kind: fc.constant('integer' as const),
        width: fc.integer({ min: 1, max: 4 }),
        signed: fc.boolean(),
        littleEndian: fc.boolean(),
        scale: fc.constantFrom(0.001, 0.1, 0.5, 1, 3, -0.25),
        offset: fc.constantFrom(0, -40, 2.5),
      }),
      fc.record({ kind: fc.constant('float' as const), bits: fc.constantFrom(32, 64), littleEndian: fc.boolean() }),
      fc.record({ kind: fc.constant('text' as const), length: fc.integer({ min: 1, max: 20 }) }),
      fc.record({ kind: fc.constant('hex' as const), hex: fc.constantFrom('00', 'a5ff') }),
    );
    const values = fc.record({
      number: fc.oneof(
        fc.double({ noNaN: true, noDefaultInfinity: true, min: -200, max: 70_000 }),
        fc.integer({ min: -100, max: 300 }),
      ),
      text: fc.string({ maxLength: 12, unit: 'grapheme' }),
    });
    let taken = 0;
    fc.assert(
      fc.property(fc.array(fc.tuple(part, values), { minLength: 1, maxLength: 6 }), name, (parts, prefix) => {
        const parameters: object[] = [];
        const given: Record<string, number | string> = {};
        const segments = parts.map(([segment, value], index) => {
          const parameter = `${prefix}${index}`;
          if (segment.kind === 'hex') return segment;
          parameters.push({ name: parameter, type: segment.kind === 'text' ? 'String' : 'Double' });
          given[parameter] = segment.kind === 'text' ? value.text : value.number;
          if (segment.kind === 'text') return { ...segment, parameter };
          if (segment.kind === 'float')
            return { kind: 'float', parameter, format: `float${segment.bits}`, littleEndian: segment.littleEndian };
          const { width, signed, ...rest } = segment;
          return { ...rest, parameter, format: `${signed ? '' : 'u'}int${8 * width}` };
        });
        const definition = one({ ...valve, parameters, payload: { kind: 'template', segments } });
        let hex: string;
        try {
          hex = hexOf(definition, given);
        } catch (error) {
          assert.ok(error instanceof InvalidInputError);
          return;
        }
        taken++;
        const back = decodePayload(definition, Buffer.from(hex, 'hex'));
        assert.ok(back);
        for (const [index, [segment]] of parts.entries()) {
          const key = `${prefix}${index}`;
          const wanted = given[key];
          const got: unknown = back[key];
          if (segment.kind === 'hex') continue;
          if (segment.kind === 'text') assert.equal(got, wanted);
          else if (segment.kind === 'float')
            assert.equal(got, segment.bits === 32 ? Math.fround(Number(wanted)) + 0 : Number(wanted) + 0);
          else
            assert.ok(
              Math.abs(Number(got) - Number(wanted)) <= Math.abs(segment.scale) * 0.5000001,
              `${String(got)} for ${wanted}`,
            );
        }
      }),
      { numRuns: 500 },
    );
    assert.ok(taken > 100, `${taken} inputs were taken`);
  });
});
