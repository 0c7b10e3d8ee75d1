/** The shape of command definitions as people write them; rules between fields are judged in definition-rules.ts. */
import { z } from 'zod';
import {
  COALESCINGS,
  InvalidInputError,
  type JsonObject,
  type JsonValue,
  parseDevEui,
  parseDeviceProfileId,
  parseMetricKey,
  ROLES,
} from '../model';

/** Largest application payload of any region and data rate (RP002), bytes. */
export const MAX_PAYLOAD_BYTES = 242;
/** Parameters of one command. */
const MAX_PARAMETERS = 32;
const MAX_SEGMENTS = 64;
/** Longest deadline and longest time for the expected state: 30 days, s. */
const MAX_SECONDS = 30 * 24 * 3_600;
const MAX_OBJECT_DEPTH = 8;
const MAX_OBJECT_TEXT = 4_096;

const text = (limit: number) =>
  z
    .string()
    .max(limit)
    // oxlint-disable-next-line no-control-regex
    .regex(/^[^\u0000-\u001f\u007f]*$/, 'text has no control characters');

/** A field that a parser of the model reads. */
function parsed<T>(parse: (value: unknown) => T): z.ZodType<T> {
  return z.unknown().transform((value, context): T => {
    try {
      return parse(value);
    } catch (error) {
      if (!(error instanceof InvalidInputError)) throw error;
      for (const { rule } of error.faults) context.addIssue({ code: 'custom', message: rule, input: value });
      return z.NEVER;
    }
  });
}

const finite = z.number().refine(Number.isFinite, 'a number must be finite');
const seconds = (min: number) => finite.min(min).max(MAX_SECONDS);

/** Names become parts of OPC UA node ids and keys of messages. */
export const commandName = z
  .string()
  // oxlint-disable-next-line no-control-regex
  .regex(/^[^\s/\u0000-\u001f\u007f](?:[^/\u0000-\u001f\u007f]{0,62}[^\s/\u0000-\u001f\u007f])?$/, {
    message: 'a name has 1 to 64 characters, no slash, no control characters, no spaces at its ends',
  });
const parameterName = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]{0,63}$/, 'a parameter name has letters, digits and _, and begins with no digit');

const base = {
  name: parameterName,
  description: text(512).default(''),
  unit: text(32).default(''),
  required: z.boolean().optional(),
};
const numberFields = {
  ...base,
  min: finite.optional(),
  max: finite.optional(),
  step: finite.positive().optional(),
  default: finite.optional(),
};

const parameter = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('Double'), ...numberFields }),
  z.strictObject({ type: z.literal('Int'), ...numberFields }),
  z.strictObject({ type: z.literal('Boolean'), ...base, default: z.boolean().optional() }),
  z.strictObject({
    type: z.literal('String'),
    ...base,
    maxLength: z.number().int().min(1).max(MAX_PAYLOAD_BYTES).default(64),
    default: z.string().optional(),
  }),
  z.strictObject({
    type: z.literal('Enumeration'),
    ...base,
    choices: z
      .array(z.strictObject({ name: text(64).min(1), value: z.union([finite, text(256)]) }))
      .min(1)
      .max(256),
    default: z.string().optional(),
  }),
]);
export type ParameterInput = z.output<typeof parameter>;

const hex = z
  .string()
  .transform((value) => value.replaceAll(/[\s:-]/g, '').toLowerCase())
  .refine((value) => /^(?:[0-9a-f]{2})+$/.test(value), 'bytes are written as pairs of hexadecimal digits');

const numberSegment = {
  parameter: parameterName,
  littleEndian: z.boolean().default(false),
  scale: finite.refine((value) => value !== 0, 'a scale is not 0').default(1),
  offset: finite.default(0),
};
const integerFormat = z
  .string()
  .regex(/^u?int(?:8|16|24|32|40|48|56|64)$/, 'a format is int8 to int64 or uint8 to uint64, in steps of 8 bits');

const hexPart = z.strictObject({ kind: z.literal('hex'), hex });
const integerPart = z.strictObject({ kind: z.literal('integer'), format: integerFormat, ...numberSegment });
const floatPart = z.strictObject({
  kind: z.literal('float'),
  format: z.enum(['float32', 'float64']),
  ...numberSegment,
});
const textPart = z.strictObject({
  kind: z.literal('text'),
  parameter: parameterName,
  length: z.number().int().min(1).max(MAX_PAYLOAD_BYTES).optional(),
});
const segment = z.discriminatedUnion('kind', [hexPart, integerPart, floatPart, textPart]);
export type SegmentInput = z.output<typeof segment>;

function jsonFault(value: unknown, depth: number): string | undefined {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return undefined;
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : 'numbers in an object are finite';
  if (typeof value !== 'object') return `an object for a codec holds JSON only, not ${typeof value}`;
  if (depth >= MAX_OBJECT_DEPTH) return `objects are nested at most ${MAX_OBJECT_DEPTH} deep`;
  for (const [key, inner] of Object.entries(value)) {
    if (key === '__proto__') return '__proto__ is no name of a property';
    const fault = jsonFault(inner, depth + 1);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

const template = z.unknown().transform((value, context): JsonObject => {
  const fault =
    typeof value !== 'object' || value === null || Array.isArray(value)
      ? 'the template for a codec is an object'
      : (jsonFault(value, 0) ??
        (JSON.stringify(value).length > MAX_OBJECT_TEXT ? `it has at most ${MAX_OBJECT_TEXT} characters` : undefined));
  if (fault === undefined) return value as JsonObject;
  context.addIssue({ code: 'custom', message: fault, input: value });
  return z.NEVER;
});

const payload = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('object'), template }),
  hexPart,
  integerPart,
  z.strictObject({ kind: z.literal('template'), segments: z.array(segment).min(1).max(MAX_SEGMENTS) }),
]);
export type PayloadInput = z.output<typeof payload>;

export const definitionSchema = z.strictObject({
  profileId: parsed((value) => parseDeviceProfileId(value)).optional(),
  devEui: parsed((value) => parseDevEui(value)).optional(),
  name: commandName,
  title: text(128).default(''),
  description: text(1_024).default(''),
  fPort: z.number().int().min(1).max(223),
  confirmed: z.boolean().default(false),
  parameters: z.array(parameter).max(MAX_PARAMETERS).default([]),
  payload,
  /** s */
  deadline: seconds(1).default(3_600),
  coalescing: z.enum(COALESCINGS).default('queue'),
  rateLimit: z.strictObject({ count: z.number().int().min(1).max(10_000), seconds: seconds(1) }).optional(),
  interlock: z
    .strictObject({ role: z.enum(ROLES).optional(), secondConfirmation: z.boolean().default(false) })
    .optional(),
  expected: z
    .strictObject({
      metric: parsed((value) => parseMetricKey(value)),
      value: z.union([finite, z.boolean(), z.string()]).optional(),
      parameter: parameterName.optional(),
      tolerance: finite.min(0).default(0),
      within: seconds(1).default(3_600),
    })
    .optional(),
});
/** A definition of the right shape, its rules not yet judged. */
export type DefinitionInput = z.output<typeof definitionSchema>;

export type { JsonValue };
