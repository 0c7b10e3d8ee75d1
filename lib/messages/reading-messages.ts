/**
 * The messages between Lorua's nodes (design §5): a public contract, plain enough to be made and changed in a function
 * node. Conversion between messages and the words of the domain happens here, once, at the border of each node.
 */
import { z } from 'zod';
import {
  type ApplicationId,
  type Clock,
  type ConnectionHealth,
  type CurrentValue,
  type DevEui,
  type DeviceEvent,
  type DeviceProfileId,
  type DeviceReference,
  display,
  type Fault,
  flatten,
  type GatewayEui,
  InvalidInputError,
  isQuality,
  type MetricValue,
  ORIGINS,
  parseApplicationId,
  parseDevEui,
  parseDeviceProfileId,
  parseEventId,
  parseGatewayEui,
  QUALITY_CODES,
  type Quality,
  type RadioReception,
  type Reading,
} from '../model';

/** What every Node-RED message may carry besides. */
export interface BaseMessage {
  _msgid?: string | undefined;
  topic?: string | undefined;
  [property: string]: unknown;
}

/** A reading. Only `device.devEui` and `payload` are needed: time is then now and origin "flow". */
export interface ReadingMessage extends BaseMessage {
  /** Metric key → value. Nested objects are flattened with `_`. */
  payload: Record<string, MetricValue>;
  device: DeviceReference;
  /** Source time, ms UTC. */
  time: number;
  /** Metric key → OPC UA status code name, for what is not Good. A key that is not in `payload` changes status only. */
  quality: Record<string, Quality>;
  origin: Reading['origin'];
  radio?: RadioReception;
  /** The same event twice is stored once. */
  eventId?: string;
  /** Set by metric-store: what was known before, for the metrics of this message. */
  previous?: Record<string, CurrentValue>;
}

/** Something that happened to a device: downlink sent, acknowledged, log, status, join, location. */
export interface DeviceEventMessage extends BaseMessage {
  topic: 'device-event';
  event: Omit<DeviceEvent, 'device' | 'time'>;
  device: DeviceReference;
  /** ms UTC */
  time: number;
}

/** Health of a connection to ChirpStack, sent at each change and after each reconciliation. */
export interface HealthMessage extends BaseMessage {
  topic: 'health';
  payload: ConnectionHealth;
  /** Node-RED id and name of the chirpstack-connection node. */
  connection: { id: string; name: string };
}

/** "<application>/<device>": for people, never identity. */
export function topicOf(device: DeviceReference): string {
  return `${device.applicationName ?? device.applicationId ?? '?'}/${device.name ?? device.devEui}`;
}

/** The message of a reading; properties of `base` that the contract does not name are kept. */
export function readingMessage(reading: Reading, base: BaseMessage = {}): ReadingMessage {
  const message: ReadingMessage = {
    ...base,
    topic: base.topic ?? topicOf(reading.device),
    payload: { ...reading.values },
    device: reading.device,
    time: reading.time,
    quality: { ...reading.quality },
    origin: reading.origin,
  };
  if (reading.radio) message.radio = reading.radio;
  if (reading.eventId !== undefined) message.eventId = reading.eventId;
  return message;
}

/** The message of a device event. */
export function deviceEventMessage(deviceEvent: DeviceEvent): DeviceEventMessage {
  const { device, time, ...event } = deviceEvent;
  return { topic: 'device-event', event, device, time };
}

/** The message of a connection's health. */
export function healthMessage(health: ConnectionHealth, connection: { id: string; name: string }): HealthMessage {
  return { topic: 'health', payload: health, connection };
}

/** A transformation that parses and turns the parser's faults into issues of the schema. */
const parsedBy =
  <T>(parse: (value: unknown, field: string) => T, field: string) =>
  (value: unknown, context: z.RefinementCtx): T => {
    try {
      return parse(value, field);
    } catch (error) {
      for (const fault of (error as InvalidInputError).faults)
        context.addIssue({ code: 'custom', message: `${fault.rule}|${fault.cure}`, input: value });
      return z.NEVER;
    }
  };

const required = <T>(parse: (value: unknown, field: string) => T, field: string) =>
  z.unknown().transform(parsedBy(parse, field));

const optional = <T>(parse: (value: unknown, field: string) => T, field: string) => {
  const transform = parsedBy(parse, field);
  return z
    .unknown()
    .optional()
    .transform((value, context) =>
      value === undefined || value === null || value === '' ? undefined : transform(value, context),
    );
};

export const deviceSchema = z.object({
  devEui: required<DevEui>(parseDevEui, 'msg.device.devEui'),
  name: z.string().max(512).optional(),
  applicationId: optional<ApplicationId>(parseApplicationId, 'msg.device.applicationId'),
  applicationName: z.string().max(512).optional(),
  profileId: optional<DeviceProfileId>(parseDeviceProfileId, 'msg.device.profileId'),
  profileName: z.string().max(512).optional(),
  deviceClass: z.enum(['A', 'B', 'C']).optional(),
  tags: z.record(z.string(), z.string()).optional(),
});

const radioSchema = z.object({
  rssi: z.number().optional(),
  snr: z.number().optional(),
  dataRate: z.number().int().optional(),
  frequency: z.number().optional(),
  fCnt: z.number().int().optional(),
  fPort: z.number().int().optional(),
  gateways: z
    .array(
      z.object({
        gatewayId: required<GatewayEui>(parseGatewayEui, 'msg.radio.gateways'),
        rssi: z.number(),
        snr: z.number(),
      }),
    )
    .optional(),
});

/** 9999-12-31, the last instant that OPC UA can show as a date (Part 6 §5.2.2.5). */
const LATEST_TIME = 253_402_214_400_000;

/** An instant as a flow may give it; ms UTC. */
export const timeSchema = z.union([
  z.number().min(0).max(LATEST_TIME),
  z.date().transform((date) => date.getTime()),
  z.iso.datetime({ offset: true }).transform((text) => Date.parse(text)),
]);

const envelopeSchema = z.object({
  device: deviceSchema,
  time: timeSchema.optional(),
  origin: z.enum(ORIGINS as [Reading['origin'], ...Reading['origin'][]]).optional(),
  radio: radioSchema.optional(),
  eventId: optional(parseEventId, 'msg.eventId'),
});

const CURES: Readonly<Record<string, string>> = {
  device: 'Set msg.device = {devEui: "…"} with the 16 hexadecimal digits of the device.',
  time: 'Set msg.time to ms since 1970 UTC (Date.now()), or leave it out for now.',
  origin: `Leave msg.origin out, or use one of ${ORIGINS.join(', ')}.`,
  radio: 'Leave msg.radio out, or keep it as the poller sent it.',
  eventId: 'Leave msg.eventId out, or keep it as the poller sent it.',
};

function envelopeFault(issue: z.core.$ZodIssue, message: unknown): Fault {
  const field = ['msg', ...issue.path.map(String)].join('.');
  let value: unknown = message;
  for (const step of issue.path) value = (value as Record<PropertyKey, unknown> | undefined)?.[step];
  const [rule = issue.message, cure] = issue.message.split('|');
  return { field, value: display(value), rule, cure: cure ?? CURES[String(issue.path[0])] ?? 'Correct the message.' };
}

/** Drops keys whose value is undefined, so that optional properties are absent rather than undefined. */
export function compact<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
}

/** What a message said: the reading, and what in it could not be taken (the rest is used all the same). */
export interface ParsedReading {
  readonly reading: Reading;
  readonly faults: readonly Fault[];
}

/**
 * Reads a message that a node received.
 * @throws InvalidInputError if it cannot be a reading at all: no object, no device, no usable metric, senseless time.
 */
export function parseReadingMessage(message: unknown, clock: Clock): ParsedReading {
  const envelope = envelopeSchema.safeParse(message);
  if (!envelope.success)
    throw new InvalidInputError(envelope.error.issues.map((issue) => envelopeFault(issue, message)));
  const { payload, quality } = message as { payload?: unknown; quality?: unknown };
  const faults: Fault[] = [];

  const qualities: [string, Quality][] = [];
  if (quality !== undefined && quality !== null) {
    if (typeof quality !== 'object')
      faults.push({
        field: 'msg.quality',
        value: display(quality),
        rule: 'it maps metric keys to status code names',
        cure: 'Set msg.quality = {temperature: "UncertainSensorNotAccurate"} or leave it out.',
      });
    else
      for (const [key, name] of Object.entries(quality)) {
        if (isQuality(name)) {
          if (name !== 'Good') qualities.push([key, name]);
        } else
          faults.push({
            field: `msg.quality.${key}`,
            value: display(name),
            rule: 'it must be the name of an OPC UA status code for values',
            cure: `Use one of ${Object.keys(QUALITY_CODES).join(', ')}.`,
          });
      }
  }

  const isObject =
    typeof payload === 'object' && payload !== null && !Array.isArray(payload) && !Buffer.isBuffer(payload);
  const flat = isObject ? flatten(payload) : { values: {}, refused: [] };
  for (const { path, value, rule } of flat.refused)
    faults.push({
      field: `msg.payload.${path}`,
      value: display(value),
      rule,
      cure: 'Leave the metric out, or give its state in msg.quality.',
    });
  if (Object.keys(flat.values).length === 0 && qualities.length === 0) {
    if (faults.length > 0) throw new InvalidInputError(faults);
    // An uplink may carry nothing decoded and still say that the device is alive.
    if (!isObject)
      throw new InvalidInputError([
        {
          field: 'msg.payload',
          value: display(payload),
          rule: 'it maps metric keys to numbers, texts and booleans',
          cure: 'Set msg.payload = {temperature: 21.4}.',
        },
      ]);
  }

  const { device, time, origin, radio, eventId } = envelope.data;
  return {
    reading: {
      device: compact(device),
      values: flat.values,
      time: time ?? clock.now(),
      quality: Object.fromEntries(qualities),
      origin: origin ?? 'flow',
      ...(radio ? { radio: compact(radio) } : {}),
      ...(eventId === undefined ? {} : { eventId }),
    },
    faults,
  };
}
