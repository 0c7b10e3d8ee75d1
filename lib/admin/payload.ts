import { z } from 'zod';
import { display, InvalidInputError, isBlank, REDACTED } from '../model';

const CURE = 'Correct the payload; see the help of gateway-admin for what the topic takes.';

/**
 * Reads the payload of a topic. No payload at all is an empty one.
 * @param secrets names of fields that faults must not show
 * @throws InvalidInputError with all faults
 */
export function parsePayload<T>(schema: z.ZodType<T>, payload: unknown, secrets: readonly string[] = []): T {
  const result = schema.safeParse(isBlank(payload) ? {} : payload);
  if (result.success) return result.data;
  throw new InvalidInputError(
    result.error.issues.map((issue) => ({
      field: ['payload', ...issue.path.map(String)].join('.'),
      value: isSecret(issue.path, secrets) ? REDACTED : display(valueAt(payload, issue.path)),
      rule: issue.message,
      cure: cureOf(issue),
    })),
  );
}

/** A payload as a whole contains its secrets, also those whose names are mistyped. */
function isSecret([field]: readonly PropertyKey[], secrets: readonly string[]): boolean {
  return secrets.length > 0 && (field === undefined || secrets.includes(String(field)));
}

function cureOf(issue: z.core.$ZodIssue): string {
  const cure = issue.code === 'custom' ? issue.params?.cure : undefined;
  return typeof cure === 'string' ? cure : CURE;
}

function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, step) =>
      typeof value === 'object' && value !== null ? (value as Record<PropertyKey, unknown>)[step] : undefined,
    root,
  );
}

/**
 * Runs what takes fields of a payload by their plain names: its faults name them as the payload's.
 * @throws as the work does
 */
export async function payloadFaults<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof InvalidInputError)) throw error;
    throw new InvalidInputError(error.faults.map((fault) => ({ ...fault, field: `payload.${fault.field}` })));
  }
}

/** A field that a parser of the model reads: rule and cure of its faults are those of the payload's. */
export function parsedField<T>(parse: (value: unknown) => T): z.ZodType<T> {
  return z.unknown().transform((value, context): T => {
    try {
      return parse(value);
    } catch (error) {
      if (!(error instanceof InvalidInputError)) throw error;
      for (const { rule, cure } of error.faults)
        context.addIssue({ code: 'custom', message: rule, params: { cure }, input: value });
      return z.NEVER;
    }
  });
}

/** The same where nothing, `null` and an empty text mean that it was left out. */
export function optionalField<T>(parse: (value: unknown) => T): z.ZodType<T | undefined> {
  return parsedField((value) => (isBlank(value) ? undefined : parse(value))).optional();
}

/** Of every list: which part of it, sorted how. */
export function listFields<Sort extends string>(sorts: readonly [Sort, ...Sort[]]) {
  return {
    offset: z.number().int().min(0).max(10_000_000).default(0),
    limit: z.number().int().min(1).max(1_000).default(50),
    sort: z.enum(sorts).default(sorts[0]),
    descending: z.boolean().default(false),
    /** Part of a name or DevEUI, upper and lower case alike. */
    search: z.string().max(256).default(''),
  };
}

export interface Page<Row> {
  readonly rows: readonly Row[];
  /** Rows that the filter leaves, on all pages. */
  readonly total: number;
  readonly offset: number;
}

/** Compares what rows are sorted by; absent comes last. */
export function compareBy(a: string | number | undefined, b: string | number | undefined): number {
  if (a === b) return 0;
  if (a === undefined) return 1;
  if (b === undefined) return -1;
  return a < b ? -1 : 1;
}
