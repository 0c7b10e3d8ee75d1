/** What happened to a device other than a measurement: ChirpStack's integration events (integration.proto). */
import type { EventId, GatewayEui } from './identifiers';
import type { DeviceReference } from './reading';

interface DeviceEventBase {
  readonly device: DeviceReference;
  /** ms UTC */
  readonly time: number;
  /** Whether ChirpStack sent it from its history when the stream was opened. */
  readonly replayed: boolean;
  readonly eventId?: EventId;
}

/** A gateway confirmed that it sent (or will send) a downlink frame. */
export interface TransmittedEvent extends DeviceEventBase {
  readonly type: 'txack';
  readonly queueItemId: string;
  readonly fCntDown: number;
  readonly gatewayId?: GatewayEui;
}

/** A confirmed downlink was acknowledged by the device, or its time ran out. */
export interface AcknowledgedEvent extends DeviceEventBase {
  readonly type: 'ack';
  readonly queueItemId: string;
  readonly acknowledged: boolean;
  readonly fCntDown: number;
}

/** ChirpStack noticed a fault: codec error, discarded queue item, wrong counter … */
export interface LogMessageEvent extends DeviceEventBase {
  readonly type: 'log';
  readonly level: 'INFO' | 'WARNING' | 'ERROR';
  /** e.g. `UPLINK_CODEC`, `EXPIRED`, `DOWNLINK_GATEWAY`. */
  readonly code: string;
  readonly description: string;
  readonly context: Readonly<Record<string, string>>;
}

/** The device answered DevStatusReq (TS001 §5.5). */
export interface StatusEvent extends DeviceEventBase {
  readonly type: 'status';
  /** dB */
  readonly margin: number;
  readonly externalPower: boolean;
  /** %; absent if the device cannot tell. */
  readonly batteryLevel?: number;
}

/** The device joined the network (OTAA). */
export interface JoinEvent extends DeviceEventBase {
  readonly type: 'join';
  readonly devAddr: string;
}

/** The network located the device. */
export interface LocationEvent extends DeviceEventBase {
  readonly type: 'location';
  /** ° */
  readonly latitude: number;
  /** ° */
  readonly longitude: number;
  /** m */
  readonly altitude: number;
  readonly source: string;
}

export type DeviceEvent =
  | TransmittedEvent
  | AcknowledgedEvent
  | LogMessageEvent
  | StatusEvent
  | JoinEvent
  | LocationEvent;
