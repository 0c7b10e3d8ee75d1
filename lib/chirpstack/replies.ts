/** ChirpStack's replies as plain data, parsed: what is missing gets its protobuf default, what is unknown is left out. */
import { z } from 'zod';
import { type DeviceClass, GATEWAY_STATES } from '../model';

const text = z.string().catch('');
const count = z.number().catch(0);

/** google.protobuf.Timestamp as `toObject()` gives it. */
const timestamp = z.object({ seconds: z.number(), nanos: z.number().catch(0) });
type Timestamp = z.infer<typeof timestamp>;

const LATEST_TIME = 253_402_214_400_000;

/** ms UTC; undefined if absent or senseless (negative, far future). */
function milliseconds(value: Timestamp | undefined): number | undefined {
  if (value === undefined) return undefined;
  const time = value.seconds * 1_000 + Math.floor(value.nanos / 1_000_000);
  return time > 0 && time <= LATEST_TIME ? time : undefined;
}

const time = timestamp
  .optional()
  .catch(undefined)
  .transform((value) => milliseconds(value));
/** A time that is only ever compared: kept with all its digits. */
const version = timestamp
  .optional()
  .catch(undefined)
  .transform((value) => (value === undefined ? '' : `${value.seconds}.${value.nanos}`));

const textMap = z
  .array(z.tuple([z.string(), z.string()]))
  .catch([])
  .transform((entries) => Object.fromEntries(entries));

const deviceStatus = z
  .object({ margin: count, externalPowerSource: z.boolean().catch(false), batteryLevel: z.number().catch(-1) })
  .optional()
  .catch(undefined)
  .transform((value) =>
    value === undefined
      ? undefined
      : {
          margin: value.margin,
          externalPower: value.externalPowerSource,
          // −1: external power, or the device cannot tell (cs/api/device.rs).
          ...(value.batteryLevel >= 0 ? { batteryLevel: shortestFloat(value.batteryLevel) } : {}),
        },
  );

/** Any list: rows are parsed one by one, so that one bad row does not cost the others. */
export const listReply = z.object({ resultList: z.array(z.unknown()).catch([]) });

export const namedItem = z.object({ id: z.string(), name: text, description: text });
export const profileItem = z.object({ id: z.string(), name: text, updatedAt: version });
export const deviceItem = z.object({
  devEui: z.string(),
  name: text,
  description: text,
  deviceProfileId: text,
  deviceProfileName: text,
  updatedAt: version,
  lastSeenAt: time,
  deviceStatus,
  tagsMap: textMap,
});
export type DeviceItem = z.infer<typeof deviceItem>;

const coordinates = z
  .object({ latitude: count, longitude: count, altitude: count })
  .optional()
  .catch(undefined)
  .transform((place) =>
    // ChirpStack answers zeros where nobody gave a place: that is a spot in the sea without a gateway.
    place === undefined || (place.latitude === 0 && place.longitude === 0 && place.altitude === 0)
      ? undefined
      : { latitude: place.latitude, longitude: place.longitude, altitude: place.altitude },
  );

export const gatewayItem = z.object({
  gatewayId: z.string(),
  name: text,
  description: text,
  lastSeenAt: time,
  // api.GatewayState by number.
  state: count.transform((value) => GATEWAY_STATES[value] ?? 'never-seen'),
  location: coordinates,
});
export type GatewayItem = z.infer<typeof gatewayItem>;

export const applicationReply = z.object({
  application: z.object({ id: z.string(), name: text, description: text, tenantId: text }),
});

/** common.DeviceClass by number. */
const CLASSES: readonly DeviceClass[] = ['A', 'B', 'C'];

export const deviceReply = z.object({
  device: z.object({ devEui: z.string(), applicationId: text, isDisabled: z.boolean().catch(false) }),
  classEnabled: count.transform((value) => CLASSES[value] ?? 'A'),
});

const KINDS = ['UNKNOWN', 'COUNTER', 'ABSOLUTE', 'GAUGE', 'STRING'] as const;

export const profileReply = z.object({
  deviceProfile: z.object({
    id: z.string(),
    name: text,
    uplinkInterval: count,
    /** 0 = none, 1 = Cayenne LPP, 2 = JavaScript. */
    payloadCodecRuntime: z.number().optional().catch(undefined),
    tagsMap: textMap,
    measurementsMap: z
      .array(
        z.tuple([z.string(), z.object({ name: text, kind: count.transform((value) => KINDS[value] ?? 'UNKNOWN') })]),
      )
      .catch([])
      .transform((entries) => Object.fromEntries(entries)),
  }),
});

export const metricsReply = z.object({
  metricsMap: z
    .array(
      z.tuple([
        z.string(),
        z.object({
          timestampsList: z.array(timestamp).catch([]),
          datasetsList: z.array(z.object({ dataList: z.array(z.number()).catch([]) })).catch([]),
        }),
      ]),
    )
    .catch([])
    .transform((entries) =>
      entries.map(([key, metric]) => ({
        key,
        buckets: metric.timestampsList.map((start, index) => ({
          start: milliseconds(start),
          value: metric.datasetsList[0]?.dataList[index],
        })),
      })),
    ),
  statesMap: z
    .array(z.tuple([z.string(), z.object({ value: text })]))
    .catch([])
    .transform((entries) => entries.map(([key, state]) => ({ key, value: state.value }))),
});

/** One item of StreamDeviceEvents. */
export interface StreamItem {
  /** Id in ChirpStack's Redis stream, `<ms>-<sequence>`, unique per device. */
  readonly id: string;
  /** Event type: up, join, ack … */
  readonly type: string;
  /** ms UTC; from the id if the item itself has none that makes sense; 0 if that has none either. */
  readonly time: number;
  /** The event as JSON text. */
  readonly body: string;
}

const streamItem = z.object({ id: text, time, description: text, body: text });

/** Never throws. */
export function parseStreamItem(value: unknown): StreamItem {
  const item = streamItem.safeParse(value);
  if (!item.success) return { id: '', type: '', time: 0, body: '' };
  const { id, description, body } = item.data;
  const ofId = Number(id.split('-')[0]);
  return { id, type: description, body, time: item.data.time ?? (Number.isFinite(ofId) ? ofId : 0) };
}

/**
 * ChirpStack sends float32, which JavaScript shows with noise: 21.3 arrives as 21.299999237060547. This is the shortest
 * decimal number that is the same float32, i.e. the number that was meant if it had up to seven digits.
 */
export function shortestFloat(value: number): number {
  if (!Number.isFinite(value) || Math.fround(value) !== value) return value;
  for (let digits = 1; digits <= 9; digits++) {
    const candidate = Number(value.toPrecision(digits));
    if (Math.fround(candidate) === value) return candidate;
  }
  return value;
}
