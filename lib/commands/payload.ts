/** Makes the payload of a command from its parameters, and reads it back. */
import {
  type CommandDefinition,
  type CommandParameter,
  type CommandPayload,
  FaultCollector,
  type JsonObject,
  type JsonValue,
  type ParameterValue,
  type ParameterValues,
  type PayloadSegment,
} from '../model';
import { REFERENCES, WHOLE_REFERENCE } from './definition-rules';

type JsonPrimitive = boolean | number | string;

import { MAX_PAYLOAD_BYTES } from './definition-schema';
import { integerRange } from './integer-range';

const CURE = 'Give a value that fits the format of the payload.';

/**
 * @param values as parseParameters gives them
 * @throws InvalidInputError where a value does not fit its format, or the whole is too long
 */
export function encodePayload(
  definition: CommandDefinition,
  values: ParameterValues,
  field = 'parameters',
): CommandPayload {
  const faults = new FaultCollector();
  const known = new Map(definition.parameters.map((parameter) => [parameter.name, parameter]));
  if (definition.payload.kind === 'object') {
    const object = fill(definition.payload.template, known, values, faults, field);
    faults.throwIfAny();
    return { kind: 'object', object: (object ?? {}) as JsonObject };
  }
  const parts = definition.payload.segments.map((segment) => encodeSegment(segment, known, values, faults, field));
  const bytes = Buffer.concat(parts);
  if (bytes.length > MAX_PAYLOAD_BYTES)
    faults.add(
      field,
      `${bytes.length} bytes`,
      `a downlink has at most ${MAX_PAYLOAD_BYTES} bytes`,
      'Shorten the texts.',
    );
  else if (bytes.length === 0 && faults.faults.length === 0)
    faults.add(field, '0 bytes', 'a downlink has at least one byte', 'Give a text.');
  faults.throwIfAny();
  return { kind: 'bytes', hex: bytes.toString('hex') };
}

function reversed(bytes: Buffer): Buffer {
  return Buffer.from(bytes.toReversed());
}

/** The number that a parameter puts into bytes, before scale and offset. */
function numberOf(
  parameter: CommandParameter | undefined,
  value: ParameterValue | undefined,
): number | bigint | undefined {
  if (parameter?.type === 'Enumeration') {
    const raw = parameter.choices.find(({ name }) => name === value)?.value;
    return typeof raw === 'number' ? raw : undefined;
  }
  if (typeof value === 'boolean') return value ? 1 : 0;
  return typeof value === 'number' || typeof value === 'bigint' ? value : undefined;
}

function encodeSegment(
  segment: PayloadSegment,
  known: ReadonlyMap<string, CommandParameter>,
  values: ParameterValues,
  faults: FaultCollector,
  field: string,
): Buffer {
  if (segment.kind === 'hex') return Buffer.from(segment.hex, 'hex');
  const at = `${field}.${segment.parameter}`;
  const value = values[segment.parameter];
  const refuse = (rule: string): Buffer => {
    faults.add(at, typeof value === 'number' ? String(value) : value, rule, CURE);
    return Buffer.alloc(0);
  };
  if (segment.kind === 'text') {
    const text = Buffer.from(typeof value === 'string' ? value : '', 'utf8');
    if (segment.length === undefined) return text;
    if (text.length > segment.length) return refuse(`its UTF-8 has at most ${segment.length} bytes`);
    return Buffer.concat([text, Buffer.alloc(segment.length - text.length)]);
  }
  const number = numberOf(known.get(segment.parameter), value);
  if (number === undefined) return refuse('it is a number');
  const { scale, offset, littleEndian, width } = segment;
  if (segment.kind === 'float') {
    const raw = (Number(number) - offset) / scale;
    const bytes = Buffer.alloc(width);
    if (!Number.isFinite(width === 4 ? Math.fround(raw) : raw)) return refuse(`it fits a float of ${8 * width} bits`);
    if (width === 4) bytes.writeFloatBE(raw);
    else bytes.writeDoubleBE(raw);
    return littleEndian ? reversed(bytes) : bytes;
  }
  const raw = rawInteger(number, scale, offset);
  const [low, high] = integerRange(segment);
  if (raw === undefined || raw < low || raw > high)
    return refuse(
      `with scale ${scale} and offset ${offset} it fits ${segment.signed ? '' : 'u'}int${8 * width}: ${low} to ${high}`,
    );
  const bytes = Buffer.alloc(width);
  let rest = BigInt.asUintN(8 * width, raw);
  for (let index = width - 1; index >= 0; index--) {
    bytes[index] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return littleEndian ? reversed(bytes) : bytes;
}

/** Whole numbers without a scale stay exact; the rest is rounded to the nearest, as doubles allow. */
function rawInteger(value: number | bigint, scale: number, offset: number): bigint | undefined {
  if (scale === 1 && Number.isSafeInteger(offset) && (typeof value === 'bigint' || Number.isInteger(value)))
    return BigInt(value) - BigInt(offset);
  const raw = Math.round((Number(value) - offset) / scale);
  return Number.isFinite(raw) ? BigInt(raw) : undefined;
}

function fill(
  template: JsonValue,
  known: ReadonlyMap<string, CommandParameter>,
  values: ParameterValues,
  faults: FaultCollector,
  field: string,
): JsonValue | undefined {
  if (typeof template === 'string') {
    const whole = WHOLE_REFERENCE.exec(template)?.[1];
    if (whole !== undefined) return jsonValue(whole, known, values, faults, field);
    return template.replaceAll(REFERENCES, (_text, name: string) =>
      plainText(jsonValue(name, known, values, faults, field)),
    );
  }
  if (typeof template !== 'object' || template === null) return template;
  if (Array.isArray(template))
    return (template as readonly JsonValue[]).map((item) => fill(item, known, values, faults, field) ?? null);
  return Object.fromEntries(
    Object.entries<JsonValue>(template).flatMap(([key, inner]) => {
      const filled = fill(inner, known, values, faults, field);
      return filled === undefined ? [] : [[key, filled]];
    }),
  );
}

function plainText(value: JsonPrimitive | undefined): string {
  return value === undefined ? '' : String(value);
}

function jsonValue(
  name: string,
  known: ReadonlyMap<string, CommandParameter>,
  values: ParameterValues,
  faults: FaultCollector,
  field: string,
): JsonPrimitive | undefined {
  const value = values[name];
  if (typeof value === 'bigint') {
    faults.add(`${field}.${name}`, value, 'an object carries whole numbers exactly only within ±2^53', CURE);
    return undefined;
  }
  const parameter = known.get(name);
  if (parameter?.type !== 'Enumeration') return value;
  return parameter.choices.find((choice) => choice.name === value)?.value;
}

/**
 * Reads the bytes of a command back into the values that they stand for: as exact as the formats are.
 * @returns `undefined` if the bytes are not of this command
 */
export function decodePayload(definition: CommandDefinition, payload: Uint8Array): ParameterValues | undefined {
  if (definition.payload.kind === 'object') return undefined;
  const bytes = Buffer.from(payload);
  const known = new Map(definition.parameters.map((parameter) => [parameter.name, parameter]));
  const values: Record<string, ParameterValue> = {};
  let position = 0;
  for (const segment of definition.payload.segments) {
    const size =
      segment.kind === 'hex'
        ? segment.hex.length / 2
        : segment.kind === 'text'
          ? (segment.length ?? bytes.length - position)
          : segment.width;
    const part = bytes.subarray(position, position + size);
    if (part.length < size) return undefined;
    position += size;
    if (segment.kind === 'hex') {
      if (part.toString('hex') !== segment.hex) return undefined;
      continue;
    }
    const value = decodeSegment(segment, part, known.get(segment.parameter));
    if (value === undefined) return undefined;
    values[segment.parameter] = value;
  }
  return position === bytes.length ? values : undefined;
}

function decodeSegment(
  segment: Exclude<PayloadSegment, { readonly kind: 'hex' }>,
  part: Buffer,
  parameter: CommandParameter | undefined,
): ParameterValue | undefined {
  if (segment.kind === 'text') {
    const end = segment.length === undefined ? -1 : part.indexOf(0);
    return part.subarray(0, end < 0 ? part.length : end).toString('utf8');
  }
  const { scale, offset, littleEndian, width } = segment;
  const ordered = littleEndian ? reversed(part) : part;
  let value: number | bigint;
  if (segment.kind === 'float') {
    value = (width === 4 ? ordered.readFloatBE() : ordered.readDoubleBE()) * scale + offset;
  } else {
    let raw = 0n;
    for (const byte of ordered) raw = (raw << 8n) | BigInt(byte);
    if (segment.signed) raw = BigInt.asIntN(8 * width, raw);
    value = scale === 1 && Number.isSafeInteger(offset) ? raw + BigInt(offset) : Number(raw) * scale + offset;
  }
  const number =
    typeof value === 'bigint' && BigInt(Number(value)) === value && Number.isSafeInteger(Number(value))
      ? Number(value)
      : value;
  switch (parameter?.type) {
    case 'Boolean':
      return number === 0 || number === 1 ? number === 1 : undefined;
    case 'Enumeration':
      return parameter.choices.find(({ value: raw }) => typeof raw === 'number' && sameRaw(raw, number, segment))?.name;
    default:
      return number;
  }
}

/** A choice's number as the format holds it. */
function sameRaw(
  raw: number,
  sent: number | bigint,
  segment: { readonly kind: string; readonly width: number },
): boolean {
  return (segment.kind === 'float' && segment.width === 4 ? Math.fround(raw) : raw) === sent;
}
