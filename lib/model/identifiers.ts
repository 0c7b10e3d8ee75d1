/**
 * Branded identifiers. A plain string becomes one of these only through its parser, at the border of the program, so
 * that inside no DevEUI can be upper-case, no metric key empty and no two kinds of id can be mixed up.
 */
import { display, InvalidInputError } from './faults';

declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

/** LoRaWAN device EUI-64 (TS001 §6.1.1.2), 16 lower-case hexadecimal digits. */
export type DevEui = Branded<'DevEui'>;
/** LoRaWAN gateway EUI-64, 16 lower-case hexadecimal digits. */
export type GatewayEui = Branded<'GatewayEui'>;
/** ChirpStack tenant id, UUID. */
export type TenantId = Branded<'TenantId'>;
/** ChirpStack application id, UUID. */
export type ApplicationId = Branded<'ApplicationId'>;
/** ChirpStack device-profile id, UUID. */
export type DeviceProfileId = Branded<'DeviceProfileId'>;
/** Key of one measurement of a device, as ChirpStack flattens decoded objects: nested names joined by `_`. */
export type MetricKey = Branded<'MetricKey'>;
/** Identity of one event: ChirpStack's deduplicationId where there is one. The same event is stored once. */
export type EventId = Branded<'EventId'>;
/** Which source an inventory or event came from: the Node-RED id of a chirpstack-connection node. */
export type SourceId = Branded<'SourceId'>;

const EUI_PATTERN = /^[0-9a-f]{16}$/;
const UUID_PATTERN = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
/** Longest metric key or event id accepted, in UTF-16 units. */
export const MAX_KEY_LENGTH = 256;
// Control characters cannot be shown, and no codec produces them on purpose.
// oxlint-disable-next-line no-control-regex
const CONTROL_CHARACTERS = /[\u0000-\u001f\u007f]/;

function refuse(field: string, value: unknown, rule: string, cure: string): never {
  throw new InvalidInputError([{ field, value: display(value), rule, cure }]);
}

function parseEui(value: unknown, field: string): string {
  // ChirpStack's web UI and labels show EUIs with separators and in upper case; people paste them like that.
  const text = typeof value === 'string' ? value.trim().toLowerCase().replace(/[:-]/g, '') : undefined;
  if (text !== undefined && EUI_PATTERN.test(text)) return text;
  return refuse(field, value, 'an EUI-64 has 16 hexadecimal digits', 'Copy it from the ChirpStack web interface.');
}

function parseUuid(value: unknown, field: string): string {
  const text = typeof value === 'string' ? value.trim().toLowerCase() : undefined;
  if (text !== undefined && UUID_PATTERN.test(text)) return text;
  return refuse(
    field,
    value,
    'a ChirpStack id is a UUID',
    'Copy it from the address bar of the ChirpStack web interface.',
  );
}

function parseKey(value: unknown, field: string, noun: string): string {
  if (
    typeof value === 'string' &&
    value.length > 0 &&
    value.length <= MAX_KEY_LENGTH &&
    !CONTROL_CHARACTERS.test(value)
  )
    return value;
  return refuse(
    field,
    value,
    `${noun} has 1 to ${MAX_KEY_LENGTH} characters and no control characters`,
    'Rename it where it is made (codec or function node).',
  );
}

/** @throws InvalidInputError; accepts upper case and `:` or `-` as separators. */
export function parseDevEui(value: unknown, field = 'devEui'): DevEui {
  return parseEui(value, field) as DevEui;
}
/** @throws InvalidInputError; accepts upper case and `:` or `-` as separators. */
export function parseGatewayEui(value: unknown, field = 'gatewayId'): GatewayEui {
  return parseEui(value, field) as GatewayEui;
}
/** @throws InvalidInputError */
export function parseTenantId(value: unknown, field = 'tenantId'): TenantId {
  return parseUuid(value, field) as TenantId;
}
/** @throws InvalidInputError */
export function parseApplicationId(value: unknown, field = 'applicationId'): ApplicationId {
  return parseUuid(value, field) as ApplicationId;
}
/** @throws InvalidInputError */
export function parseDeviceProfileId(value: unknown, field = 'profileId'): DeviceProfileId {
  return parseUuid(value, field) as DeviceProfileId;
}
/** @throws InvalidInputError */
export function parseMetricKey(value: unknown, field = 'metric'): MetricKey {
  return parseKey(value, field, 'a metric key') as MetricKey;
}
/** @throws InvalidInputError */
export function parseEventId(value: unknown, field = 'eventId'): EventId {
  return parseKey(value, field, 'an event id') as EventId;
}
/** @throws InvalidInputError */
export function parseSourceId(value: unknown, field = 'source'): SourceId {
  return parseKey(value, field, 'a source id') as SourceId;
}
