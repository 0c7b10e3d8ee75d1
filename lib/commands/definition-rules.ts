/** Rules between the fields of a definition, and the definition that is made of them. */
import type {
  CommandDefinition,
  CommandParameter,
  FaultCollector,
  JsonValue,
  PayloadSegment,
  PayloadTemplate,
} from '../model';
import {
  type DefinitionInput,
  MAX_PAYLOAD_BYTES,
  type ParameterInput,
  type PayloadInput,
  type SegmentInput,
} from './definition-schema';
import { integerRange } from './integer-range';
import { judgeParameter } from './parameters';

/** A text that is nothing but a reference, and references inside a text. */
export const WHOLE_REFERENCE = /^\{\{\s*([A-Za-z_]\w*)\s*\}\}$/;
export const REFERENCES = /\{\{\s*([A-Za-z_]\w*)\s*\}\}/g;

/** Builds the definition; what is wrong with it is added to the faults. @param at e.g. `commands[2]` */
export function completeDefinition(
  input: DefinitionInput,
  faults: FaultCollector,
  at: string,
): CommandDefinition | undefined {
  const before = faults.faults.length;
  const scope = scopeOf(input, faults, at);
  const parameters = input.parameters.map((parameter, index) =>
    parameterOf(parameter, faults, `${at}.parameters[${index}]`),
  );
  const names = new Set<string>();
  for (const [index, { name }] of parameters.entries()) {
    if (names.has(name))
      faults.add(
        `${at}.parameters[${index}].name`,
        name,
        'each parameter has a name of its own',
        'Rename one of them.',
      );
    names.add(name);
  }
  const known = new Map(parameters.map((parameter) => [parameter.name, parameter]));
  const payload = payloadOf(input.payload, known, faults, `${at}.payload`);
  judgeUse(payload, parameters, input, faults, at);
  judgeExpected(input, known, faults, at);
  if (faults.faults.length > before || scope === undefined) return undefined;
  const { rateLimit, interlock, expected } = input;
  return {
    scope,
    name: input.name,
    title: input.title,
    description: input.description,
    fPort: input.fPort,
    confirmed: input.confirmed,
    parameters,
    payload,
    deadline: input.deadline,
    coalescing: input.coalescing,
    ...(rateLimit === undefined ? {} : { rateLimit }),
    ...(interlock === undefined
      ? {}
      : {
          interlock: {
            secondConfirmation: interlock.secondConfirmation,
            ...(interlock.role === undefined ? {} : { role: interlock.role }),
          },
        }),
    ...(expected === undefined
      ? {}
      : {
          expected: {
            metric: expected.metric,
            tolerance: expected.tolerance,
            within: expected.within,
            ...(expected.value === undefined ? {} : { value: expected.value }),
            ...(expected.parameter === undefined ? {} : { parameter: expected.parameter }),
          },
        }),
  };
}

function scopeOf(
  { profileId, devEui }: DefinitionInput,
  faults: FaultCollector,
  at: string,
): CommandDefinition['scope'] | undefined {
  if (profileId !== undefined && devEui === undefined) return { profileId };
  if (devEui !== undefined && profileId === undefined) return { devEui };
  faults.add(
    at,
    { profileId, devEui },
    'a command is for the devices of one profile or for one device',
    'Give either profileId or devEui.',
  );
  return undefined;
}

function parameterOf(input: ParameterInput, faults: FaultCollector, at: string): CommandParameter {
  const { required, default: preset, ...rest } = input;
  const isRequired = required ?? preset === undefined;
  // The fields that zod left undefined are left out: absent and undefined are the same here.
  const parameter = { ...withoutUndefined(rest), isRequired } as CommandParameter;
  if (parameter.type === 'Double' || parameter.type === 'Int') {
    const { min, max, type, step } = parameter;
    if (min !== undefined && max !== undefined && min > max)
      faults.add(`${at}.max`, max, `it is not below min (${min})`, 'Correct the range.');
    if (type === 'Int')
      for (const [field, value] of Object.entries({ min, max, step }))
        if (value !== undefined && !Number.isSafeInteger(value))
          faults.add(`${at}.${field}`, value, 'of an Int it is a whole number within ±2^53', 'Correct it.');
  }
  if (parameter.type === 'Enumeration') {
    const names = new Set<string>();
    for (const [index, { name }] of parameter.choices.entries()) {
      if (names.has(name))
        faults.add(`${at}.choices[${index}].name`, name, 'each choice has a name of its own', 'Rename one of them.');
      names.add(name);
    }
  }
  if (preset === undefined) return parameter;
  const before = faults.faults.length;
  const value = judgeParameter(parameter, preset, `${at}.default`, faults);
  return faults.faults.length > before || value === undefined ? parameter : { ...parameter, default: value };
}

function withoutUndefined(fields: object): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function segmentOf(input: SegmentInput): PayloadSegment {
  switch (input.kind) {
    case 'hex':
      return input;
    case 'integer': {
      const { format, ...rest } = input;
      return { ...rest, signed: !format.startsWith('u'), width: Number(format.replace(/\D+/, '')) / 8 };
    }
    case 'float': {
      const { format, ...rest } = input;
      return { ...rest, width: format === 'float32' ? 4 : 8 };
    }
    case 'text': {
      const { length, ...rest } = input;
      return length === undefined ? rest : { ...rest, length };
    }
  }
}

function payloadOf(
  input: PayloadInput,
  known: ReadonlyMap<string, CommandParameter>,
  faults: FaultCollector,
  at: string,
): PayloadTemplate {
  if (input.kind === 'object') {
    judgeTemplate(input.template, known, faults, `${at}.template`);
    return input;
  }
  const isTemplate = input.kind === 'template';
  const segments = (isTemplate ? input.segments : [input]).map((item) => segmentOf(item));
  for (const [index, segment] of segments.entries())
    judgeSegment(segment, index === segments.length - 1, known, faults, isTemplate ? `${at}.segments[${index}]` : at);
  const size = segments.reduce((sum, segment) => sum + shortestSize(segment), 0);
  if (size > MAX_PAYLOAD_BYTES)
    faults.add(at, `${size} bytes`, `a downlink has at most ${MAX_PAYLOAD_BYTES} bytes`, 'Make the payload shorter.');
  return { kind: 'bytes', segments };
}

function shortestSize(segment: PayloadSegment): number {
  switch (segment.kind) {
    case 'hex':
      return segment.hex.length / 2;
    case 'text':
      return segment.length ?? 1;
    default:
      return segment.width;
  }
}

function judgeSegment(
  segment: PayloadSegment,
  isLast: boolean,
  known: ReadonlyMap<string, CommandParameter>,
  faults: FaultCollector,
  at: string,
): void {
  if (segment.kind === 'hex') return;
  const parameter = known.get(segment.parameter);
  if (parameter === undefined) {
    faults.add(
      `${at}.parameter`,
      segment.parameter,
      'it names a parameter of the command',
      'Add or rename the parameter.',
    );
    return;
  }
  if (!parameter.isRequired && parameter.default === undefined)
    faults.add(
      `${at}.parameter`,
      segment.parameter,
      'a parameter that makes bytes is required or has a default',
      'Make it required, or give it a default.',
    );
  if (segment.kind === 'text') {
    if (parameter.type !== 'String')
      faults.add(`${at}.parameter`, segment.parameter, 'a text segment takes a String', 'Use an integer segment.');
    if (segment.length === undefined && !isLast)
      faults.add(`${at}.length`, undefined, 'only the last segment may be as long as its text is', 'Give a length.');
    return;
  }
  if (parameter.type === 'String')
    faults.add(`${at}.parameter`, segment.parameter, 'a String makes a text segment', 'Use a text segment.');
  if (
    (parameter.type === 'Boolean' || parameter.type === 'Enumeration') &&
    (segment.scale !== 1 || segment.offset !== 0)
  )
    faults.add(
      `${at}.scale`,
      segment.scale,
      'states are sent as they are: scale 1, offset 0',
      'Leave out scale and offset.',
    );
  if (parameter.type === 'Enumeration') {
    if (segment.kind === 'integer') {
      const [low, high] = integerRange(segment);
      for (const { name, value } of parameter.choices)
        if (typeof value === 'number' && !(Number.isSafeInteger(value) && value >= low && value <= high))
          faults.add(
            `${at}.parameter`,
            { name, value },
            `its value is a whole number from ${low} to ${high}`,
            'Correct it.',
          );
    }
    const isNumeric = parameter.choices.every(({ value }) => typeof value === 'number');
    if (!isNumeric)
      faults.add(
        `${at}.parameter`,
        segment.parameter,
        'choices that make bytes have numbers as their values',
        'Give each choice a number.',
      );
    if (new Set(parameter.choices.map(({ value }) => value)).size < parameter.choices.length)
      faults.add(`${at}.parameter`, segment.parameter, 'choices differ in what is sent', 'Give each its own number.');
  }
}

function judgeTemplate(
  value: JsonValue,
  known: ReadonlyMap<string, CommandParameter>,
  faults: FaultCollector,
  at: string,
): void {
  if (typeof value === 'string') {
    for (const [, name = ''] of value.matchAll(REFERENCES)) {
      const parameter = known.get(name);
      if (parameter === undefined)
        faults.add(at, value, `{{${name}}} names a parameter of the command`, 'Add or rename the parameter.');
      else if (!WHOLE_REFERENCE.test(value) && !parameter.isRequired && parameter.default === undefined)
        faults.add(at, value, 'a parameter inside a text is required or has a default', 'Make it required.');
    }
    return;
  }
  if (typeof value !== 'object' || value === null) return;
  for (const [key, inner] of Object.entries<JsonValue>(value)) judgeTemplate(inner, known, faults, `${at}.${key}`);
}

/** Names of the parameters that a payload takes. */
function usedBy(payload: PayloadTemplate): Set<string> {
  if (payload.kind === 'bytes')
    return new Set(payload.segments.flatMap((segment) => (segment.kind === 'hex' ? [] : [segment.parameter])));
  return new Set(Array.from(JSON.stringify(payload.template).matchAll(REFERENCES), ([, name = '']) => name));
}

function judgeUse(
  payload: PayloadTemplate,
  parameters: readonly CommandParameter[],
  { expected }: DefinitionInput,
  faults: FaultCollector,
  at: string,
): void {
  const used = usedBy(payload);
  for (const [index, { name }] of parameters.entries())
    if (!used.has(name) && expected?.parameter !== name)
      faults.add(
        `${at}.parameters[${index}].name`,
        name,
        'a parameter changes what is sent',
        'Use it in the payload, or remove it.',
      );
}

function judgeExpected(
  { expected }: DefinitionInput,
  known: ReadonlyMap<string, CommandParameter>,
  faults: FaultCollector,
  at: string,
): void {
  if (expected === undefined) return;
  if ((expected.value === undefined) === (expected.parameter === undefined)) {
    faults.add(
      `${at}.expected`,
      expected,
      'what is expected is a value or the value of a parameter',
      'Give either value or parameter.',
    );
    return;
  }
  if (expected.parameter === undefined) return;
  const parameter = known.get(expected.parameter);
  if (parameter === undefined)
    faults.add(`${at}.expected.parameter`, expected.parameter, 'it names a parameter of the command', 'Correct it.');
  else if (!parameter.isRequired && parameter.default === undefined)
    faults.add(
      `${at}.expected.parameter`,
      expected.parameter,
      'the parameter that is expected is required or has a default',
      'Make it required.',
    );
}
