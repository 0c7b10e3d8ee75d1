/**
 * From ChirpStack's integration events to readings and device events. The same for gRPC streams, MQTT and HTTP, so that
 * a site may change its path without changing its values.
 */
import type { z } from 'zod';
import {
  type DeviceEvent,
  type DeviceReference,
  display,
  type Fault,
  flatten,
  InvalidInputError,
  type RadioReception,
  type Reading,
} from '../model';
import {
  ackEvent,
  CURE_SEPARATOR,
  camelCased,
  type DeviceInfo,
  joinEvent,
  locationEvent,
  logEvent,
  statusEvent,
  txAckEvent,
  type UplinkEvent,
  uplinkEvent,
} from './event-schemas';

/** What an event turned out to be. `faults`: what in the decoded object cannot be a metric; the rest is used. */
export type DecodedEvent =
  | { readonly kind: 'reading'; readonly reading: Reading; readonly faults?: readonly Fault[] }
  | { readonly kind: 'device-event'; readonly event: DeviceEvent }
  | { readonly kind: 'ignored'; readonly why: string };

export interface DecodeOptions {
  /** Whether ChirpStack sent it from its history: origin "replay" instead of "event". */
  readonly replayed: boolean;
  /** Used when the event itself tells no time, ms UTC. */
  readonly time?: number;
}

/** Event types of integration.proto that Lorua understands. */
export const EVENT_TYPES = ['up', 'join', 'ack', 'txack', 'log', 'status', 'location'] as const;
export type EventType = (typeof EVENT_TYPES)[number];

/**
 * Decodes one integration event.
 * @param type `up`, `join`, `ack`, `txack`, `log`, `status`, `location`; others are ignored
 * @param body the event as object, or as JSON text
 * @throws InvalidInputError that names the field
 */
export function decodeEvent(type: string, body: unknown, options: DecodeOptions): DecodedEvent {
  if (!isEventType(type))
    return { kind: 'ignored', why: `${display(type)} is no event type that carries values or states of a device` };
  const event = normalized(typeof body === 'string' ? parseJson(body) : body);
  switch (type) {
    case 'up':
      return decodeUplink(parse(uplinkEvent, event), options);
    case 'join': {
      const parsed = parse(joinEvent, event);
      return deviceEvent({ type, ...common(parsed, options), devAddr: parsed.devAddr });
    }
    case 'ack': {
      const parsed = parse(ackEvent, event);
      const { queueItemId, acknowledged, fCntDown } = parsed;
      return deviceEvent({ type, ...common(parsed, options), queueItemId, acknowledged, fCntDown });
    }
    case 'txack': {
      const parsed = parse(txAckEvent, event);
      const { queueItemId, fCntDown, gatewayId } = parsed;
      return deviceEvent({
        type,
        ...common(parsed, options),
        queueItemId,
        fCntDown,
        ...(gatewayId === undefined ? {} : { gatewayId }),
      });
    }
    case 'log': {
      const parsed = parse(logEvent, event);
      const { level, code, description, context } = parsed;
      return deviceEvent({ type, ...common(parsed, options), level, code, description, context });
    }
    case 'status': {
      const parsed = parse(statusEvent, event);
      // 0 stands for "unavailable" and for "external power" too (chirpstack/src/maccommand/dev_status.rs).
      const known = !parsed.batteryLevelUnavailable && !parsed.externalPowerSource;
      return deviceEvent({
        type,
        ...common(parsed, options),
        margin: parsed.margin,
        externalPower: parsed.externalPowerSource,
        ...(known ? { batteryLevel: parsed.batteryLevel } : {}),
      });
    }
    case 'location': {
      const parsed = parse(locationEvent, event);
      return deviceEvent({ type, ...common(parsed, options), ...parsed.location });
    }
  }
}

/** The type of an event that came without one, by the fields that only this type has; undefined if it is none. */
export function inferEventType(body: unknown): EventType | undefined {
  if (typeof body !== 'object' || body === null) return undefined;
  const event = camelCased(body) as Record<string, unknown>;
  if (typeof event['deviceInfo'] !== 'object') return undefined;
  const has = (...fields: string[]): boolean => fields.some((field) => Object.hasOwn(event, field));
  if (has('acknowledged')) return 'ack';
  if (has('downlinkId')) return 'txack';
  if (has('fCnt', 'rxInfo', 'fPort')) return 'up';
  if (has('margin', 'batteryLevel', 'batteryLevelUnavailable')) return 'status';
  if (has('level', 'code')) return 'log';
  if (has('location')) return 'location';
  if (has('devAddr')) return 'join';
  return undefined;
}

function isEventType(type: string): type is EventType {
  return (EVENT_TYPES as readonly string[]).includes(type);
}

function deviceEvent(event: DeviceEvent): DecodedEvent {
  return { kind: 'device-event', event };
}

function decodeUplink(event: UplinkEvent, options: DecodeOptions): DecodedEvent {
  const flat = flatten(event.object ?? {});
  const reading: Reading = {
    device: reference(event.deviceInfo),
    values: flat.values,
    time: timeOf(event.time ?? event.rxInfo[0]?.nsTime ?? event.rxInfo[0]?.gwTime, options),
    quality: {},
    origin: options.replayed ? 'replay' : 'event',
    radio: radioOf(event),
    ...(event.deduplicationId === undefined ? {} : { eventId: event.deduplicationId }),
  };
  if (flat.refused.length === 0) return { kind: 'reading', reading };
  const faults = flat.refused.map(({ path, value, rule }) => ({
    field: `object.${path}`,
    value: display(value),
    rule,
    cure: "Change the device profile's codec.",
  }));
  return { kind: 'reading', reading, faults };
}

function radioOf(event: UplinkEvent): RadioReception {
  const gateways = event.rxInfo.map(({ gatewayId, rssi, snr }) => ({ gatewayId, rssi, snr }));
  const [first, ...others] = gateways;
  const strongest = first && others.reduce((best, one) => (one.rssi > best.rssi ? one : best), first);
  return {
    ...(strongest ? { rssi: strongest.rssi, snr: strongest.snr, gateways } : {}),
    dataRate: event.dr,
    ...(event.txInfo ? { frequency: event.txInfo.frequency } : {}),
    fCnt: event.fCnt,
    fPort: event.fPort,
  };
}

interface Common {
  readonly deviceInfo: DeviceInfo;
  readonly time?: number | null | undefined;
  readonly deduplicationId?: DeviceEvent['eventId'] | undefined;
}

function common(event: Common, options: DecodeOptions) {
  return {
    device: reference(event.deviceInfo),
    time: timeOf(event.time, options),
    replayed: options.replayed,
    ...(event.deduplicationId === undefined ? {} : { eventId: event.deduplicationId }),
  };
}

function reference(info: DeviceInfo): DeviceReference {
  return {
    devEui: info.devEui,
    ...(info.deviceName === '' ? {} : { name: info.deviceName }),
    ...(info.applicationId === undefined ? {} : { applicationId: info.applicationId }),
    ...(info.applicationName === '' ? {} : { applicationName: info.applicationName }),
    ...(info.deviceProfileId === undefined ? {} : { profileId: info.deviceProfileId }),
    ...(info.deviceProfileName === '' ? {} : { profileName: info.deviceProfileName }),
    ...(info.deviceClassEnabled === undefined ? {} : { deviceClass: info.deviceClassEnabled }),
    tags: info.tags,
  };
}

function timeOf(time: number | null | undefined, options: DecodeOptions): number {
  const known = time ?? options.time;
  if (known !== undefined && known > 0) return known;
  throw new InvalidInputError([
    {
      field: 'time',
      value: display(time),
      rule: 'an event tells its time',
      cure: 'Pass the event on as ChirpStack sent it.',
    },
  ]);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new InvalidInputError([
      {
        field: 'event',
        value: display(text),
        rule: 'it must be JSON',
        cure: "Set json=true in ChirpStack's MQTT integration, or encoding JSON in the HTTP integration.",
      },
    ]);
  }
}

function normalized(body: unknown): unknown {
  return typeof body === 'object' && body !== null && !Array.isArray(body) && !Object.hasOwn(body, 'deviceInfo')
    ? camelCased(body)
    : body;
}

function parse<Schema extends z.ZodType>(schema: Schema, event: unknown): z.infer<Schema> {
  const parsed = schema.safeParse(event);
  if (parsed.success) return parsed.data;
  throw new InvalidInputError(
    parsed.error.issues.map((issue) => {
      let value: unknown = event;
      for (const step of issue.path) value = (value as Record<PropertyKey, unknown> | undefined)?.[step];
      const [rule = issue.message, cure] = issue.message.split(CURE_SEPARATOR);
      return {
        field: issue.path.length === 0 ? 'event' : issue.path.map(String).join('.'),
        value: display(value),
        rule,
        cure: cure ?? 'Pass the event on as ChirpStack sent it.',
      };
    }),
  );
}
