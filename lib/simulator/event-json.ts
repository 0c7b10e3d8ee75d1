/**
 * Integration events as JSON (api/proto/integration/integration.proto, written by pbjson): messages of integration
 * show their default values, nested messages of gw and common leave them out, unset messages are absent.
 */
import { type Instant, rfc3339 } from './instant';
import type { Device, World } from './world';

export interface DeviceInfo {
  readonly tenantId: string;
  readonly tenantName: string;
  readonly applicationId: string;
  readonly applicationName: string;
  readonly deviceProfileId: string;
  readonly deviceProfileName: string;
  readonly deviceName: string;
  readonly devEui: string;
  readonly deviceClassEnabled: string;
  readonly tags: Readonly<Record<string, string>>;
}

/** Later tags win: application, profile, device. Tags of the application are left out of txack events. */
export function deviceInfo(world: World, device: Device, applicationTags = true): DeviceInfo {
  const application = world.applications.get(device.applicationId);
  const profile = world.profiles.get(device.profileId);
  const tenant = application === undefined ? undefined : world.tenants.get(application.tenantId);
  return {
    tenantId: tenant?.id ?? '',
    tenantName: tenant?.name ?? '',
    applicationId: device.applicationId,
    applicationName: application?.name ?? '',
    deviceProfileId: device.profileId,
    deviceProfileName: profile?.name ?? '',
    deviceName: device.name,
    devEui: device.devEui,
    deviceClassEnabled: `CLASS_${device.deviceClass}`,
    tags: { ...(applicationTags ? application?.tags : {}), ...profile?.tags, ...device.tags },
  };
}

/** How one gateway heard an uplink (gw.UplinkRxInfo). */
export interface Reception {
  readonly gatewayId: string;
  readonly uplinkId: number;
  readonly gatewayTime: Instant;
  readonly serverTime: Instant;
  /** dBm */
  readonly rssi: number;
  /** dB */
  readonly snr: number;
  readonly channel: number;
  readonly location: { readonly latitude: number; readonly longitude: number; readonly altitude: number };
  /** Base64, opaque. */
  readonly context: string;
}

export interface UplinkFrame {
  readonly deduplicationId: string;
  readonly time: Instant;
  readonly devAddr: string;
  readonly dataRate: number;
  readonly fCnt: number;
  readonly fPort: number;
  readonly confirmed: boolean;
  readonly data: Uint8Array;
  /** As decoded; absent without codec and after a codec error. */
  readonly object?: object;
  readonly receptions: readonly Reception[];
  /** Hz */
  readonly frequency: number;
}

/** Region in which everything happens. */
export const REGION = 'eu868';
const BANDWIDTH = 125_000;

/** Leaves out what has its default value. */
function omitDefaults(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== 0 && value !== '' && value !== false),
  );
}

const base64 = (data: Uint8Array): string => Buffer.from(data).toString('base64');

/** LoRa spreading factor of an EU868 data rate. */
export const spreadingFactor = (dataRate: number): number => 12 - Math.min(Math.max(dataRate, 0), 5);

function receptionJson(reception: Reception): object {
  return {
    gatewayId: reception.gatewayId,
    uplinkId: reception.uplinkId,
    gwTime: rfc3339(reception.gatewayTime),
    nsTime: rfc3339(reception.serverTime),
    ...omitDefaults({ rssi: reception.rssi, snr: reception.snr, channel: reception.channel }),
    location: omitDefaults(reception.location),
    ...omitDefaults({ context: reception.context }),
    crcStatus: 'CRC_OK',
  };
}

export function uplinkJson(info: DeviceInfo, frame: UplinkFrame): object {
  return {
    deduplicationId: frame.deduplicationId,
    time: rfc3339(frame.time),
    deviceInfo: info,
    devAddr: frame.devAddr,
    adr: false,
    dr: frame.dataRate,
    fCnt: frame.fCnt,
    fPort: frame.fPort,
    confirmed: frame.confirmed,
    data: base64(frame.data),
    ...(frame.object === undefined ? {} : { object: frame.object }),
    rxInfo: frame.receptions.map(receptionJson),
    txInfo: {
      frequency: frame.frequency,
      modulation: {
        lora: { bandwidth: BANDWIDTH, spreadingFactor: spreadingFactor(frame.dataRate), codeRate: 'CR_4_5' },
      },
    },
    regionConfigId: REGION,
  };
}

export interface Transmission {
  readonly downlinkId: number;
  readonly time: Instant;
  readonly queueItemId: string;
  readonly fCntDown: number;
  readonly gatewayId: string;
  /** Hz */
  readonly frequency: number;
  /** dBm */
  readonly power: number;
  readonly dataRate: number;
  /** Class A answers in the first receive window, class C at once. */
  readonly immediately: boolean;
  readonly context: string;
}

export function transmissionJson(info: DeviceInfo, sent: Transmission): object {
  return {
    downlinkId: sent.downlinkId,
    time: rfc3339(sent.time),
    deviceInfo: info,
    queueItemId: sent.queueItemId,
    fCntDown: sent.fCntDown,
    gatewayId: sent.gatewayId,
    txInfo: {
      frequency: sent.frequency,
      power: sent.power,
      modulation: {
        lora: {
          bandwidth: BANDWIDTH,
          spreadingFactor: spreadingFactor(sent.dataRate),
          codeRate: 'CR_4_5',
          polarizationInversion: true,
        },
      },
      timing: sent.immediately ? { immediately: {} } : { delay: { delay: '1s' } },
      ...omitDefaults({ context: sent.context }),
    },
  };
}

export function acknowledgementJson(
  info: DeviceInfo,
  ack: {
    /** Empty if the scheduler gave up. */
    readonly deduplicationId: string;
    readonly time: Instant;
    readonly queueItemId: string;
    readonly acknowledged: boolean;
    readonly fCntDown: number;
  },
): object {
  const { deduplicationId, time, ...rest } = ack;
  return { deduplicationId, time: rfc3339(time), deviceInfo: info, ...rest };
}

export function logJson(
  info: DeviceInfo,
  log: {
    readonly time: Instant;
    readonly level: 'INFO' | 'WARNING' | 'ERROR';
    readonly code: string;
    readonly description: string;
    readonly context: Readonly<Record<string, string>>;
  },
): object {
  const { time, ...rest } = log;
  return { time: rfc3339(time), deviceInfo: info, ...rest };
}

export function statusJson(
  info: DeviceInfo,
  status: {
    readonly deduplicationId: string;
    readonly time: Instant;
    readonly margin: number;
    readonly externalPower: boolean;
    /** %; absent if the device cannot tell. */
    readonly batteryLevel?: number;
  },
): object {
  return {
    deduplicationId: status.deduplicationId,
    time: rfc3339(status.time),
    deviceInfo: info,
    margin: status.margin,
    externalPowerSource: status.externalPower,
    batteryLevelUnavailable: !status.externalPower && status.batteryLevel === undefined,
    batteryLevel: float32(status.batteryLevel ?? 0),
  };
}

export function joinJson(
  info: DeviceInfo,
  join: { readonly deduplicationId: string; readonly time: Instant; readonly devAddr: string },
): object {
  return {
    deduplicationId: join.deduplicationId,
    time: rfc3339(join.time),
    deviceInfo: info,
    devAddr: join.devAddr,
    regionConfigId: REGION,
  };
}

/** The shortest decimal number that is the same as a 32-bit float: what Rust writes for an f32. */
export function float32(value: number): number {
  const single = Math.fround(value);
  for (let digits = 1; digits <= 9; digits++) {
    const candidate = Number(single.toPrecision(digits));
    if (Math.fround(candidate) === single) return candidate;
  }
  return single;
}
