/**
 * Integration events of ChirpStack as JSON (api/proto/integration/integration.proto with pbjson): lowerCamelCase names,
 * defaults emitted in the event itself but omitted in nested gateway and common messages, enums by name.
 */
import { z } from 'zod';
import {
  type ApplicationId,
  type DevEui,
  type DeviceProfileId,
  type EventId,
  type GatewayEui,
  InvalidInputError,
  parseApplicationId,
  parseDevEui,
  parseDeviceProfileId,
  parseEventId,
  parseGatewayEui,
} from '../model';

/** Separates rule and cure of an id's fault inside a zod message. */
export const CURE_SEPARATOR = '|';

type Parser<T> = (value: unknown) => T;

function attempt<T>(
  parse: Parser<T>,
  value: unknown,
  context: z.core.$RefinementCtx,
): T | z.core.$ZodNever['_zod']['output'] {
  try {
    return parse(value);
  } catch (error) {
    if (!(error instanceof InvalidInputError)) throw error;
    for (const fault of error.faults)
      context.addIssue({ code: 'custom', message: `${fault.rule}${CURE_SEPARATOR}${fault.cure}`, input: value });
    return z.NEVER;
  }
}

const required = <T>(parse: Parser<T>) => z.unknown().transform((value, context) => attempt(parse, value, context));
/** Absent, null and the empty text (protobuf's default) are all "not known". */
const optional = <T>(parse: Parser<T>) =>
  z
    .unknown()
    .optional()
    .transform((value, context) =>
      value === undefined || value === null || value === '' ? undefined : attempt(parse, value, context),
    );

const text = z
  .string()
  .nullish()
  .transform((value) => value ?? '');
const number = z
  .number()
  .nullish()
  .transform((value) => value ?? 0);
const flag = z
  .boolean()
  .nullish()
  .transform((value) => value ?? false);
const texts = z
  .record(z.string(), z.string())
  .nullish()
  .transform((value) => value ?? {});

const LATEST_TIME = 253_402_214_400_000;
const RFC_3339 = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:[Zz]|[+-]\d{2}:\d{2})$/;

/** RFC 3339 with up to nanoseconds → ms UTC (cut, not rounded). */
const instant = z.string().transform((value, context) => {
  // Cut before parsing: a time never moves into the next millisecond.
  const time = RFC_3339.test(value)
    ? Date.parse(
        value
          .toUpperCase()
          .replace(' ', 'T')
          .replace(/(\.\d{3})\d+/, '$1'),
      )
    : Number.NaN;
  if (time >= 0 && time <= LATEST_TIME) return time;
  context.addIssue({ code: 'custom', message: 'it must be a time as of RFC 3339, from 1970 to 9999', input: value });
  return z.NEVER;
});

const CLASSES = { CLASS_A: 'A', CLASS_B: 'B', CLASS_C: 'C' } as const;

const deviceInfo = z.object({
  devEui: required<DevEui>((value) => parseDevEui(value)),
  deviceName: text,
  applicationId: optional<ApplicationId>((value) => parseApplicationId(value)),
  applicationName: text,
  deviceProfileId: optional<DeviceProfileId>((value) => parseDeviceProfileId(value)),
  deviceProfileName: text,
  deviceClassEnabled: z
    .enum(['CLASS_A', 'CLASS_B', 'CLASS_C'])
    .nullish()
    .transform((value) => (value ? CLASSES[value] : undefined)),
  tags: texts,
});
export type DeviceInfo = z.infer<typeof deviceInfo>;

const base = {
  deviceInfo,
  time: instant.nullish(),
  deduplicationId: optional<EventId>((value) => parseEventId(value)),
};

const reception = z.object({
  gatewayId: required<GatewayEui>((value) => parseGatewayEui(value)),
  rssi: number,
  snr: number,
  nsTime: instant.nullish().catch(undefined),
  gwTime: instant.nullish().catch(undefined),
});

export const uplinkEvent = z.object({
  ...base,
  dr: number,
  fCnt: number,
  fPort: number,
  object: z.record(z.string(), z.unknown()).nullish(),
  rxInfo: z
    .array(reception)
    .nullish()
    .transform((value) => value ?? []),
  txInfo: z.object({ frequency: number }).nullish(),
});
export type UplinkEvent = z.infer<typeof uplinkEvent>;

export const joinEvent = z.object({ ...base, devAddr: text });
export const ackEvent = z.object({ ...base, queueItemId: text, acknowledged: flag, fCntDown: number });
export const txAckEvent = z.object({
  ...base,
  queueItemId: text,
  fCntDown: number,
  gatewayId: optional<GatewayEui>((value) => parseGatewayEui(value)),
});
export const logEvent = z.object({
  ...base,
  level: z
    .enum(['INFO', 'WARNING', 'ERROR'])
    .nullish()
    .transform((value) => value ?? 'INFO'),
  code: text,
  description: text,
  context: texts,
});
export const statusEvent = z.object({
  ...base,
  margin: number,
  externalPowerSource: flag,
  batteryLevelUnavailable: flag,
  batteryLevel: number,
});
export const locationEvent = z.object({
  ...base,
  location: z.object({
    latitude: number,
    longitude: number,
    altitude: number,
    source: z
      .string()
      .nullish()
      .transform((value) => value ?? 'UNKNOWN'),
  }),
});

/** What names must not be touched in: user data, not ChirpStack's. */
const OPAQUE = new Set(['object', 'tags', 'context', 'metadata', 'variables']);

/** A copy with ChirpStack's snake_case names (protobuf's own) as lowerCamelCase (JSON's). */
export function camelCased(value: unknown, depth = 0): unknown {
  if (depth > 8 || typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => camelCased(item, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key.replace(/_([a-z0-9])/g, (_all, letter: string) => letter.toUpperCase()),
      OPAQUE.has(key) ? inner : camelCased(inner, depth + 1),
    ]),
  );
}
