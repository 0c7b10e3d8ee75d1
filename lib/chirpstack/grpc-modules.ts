/**
 * The generated ChirpStack client, loaded when it is first needed. Loading registers classes in `globalThis.proto`,
 * where another copy of the package (of another ChirpStack palette node) may replace them at any time: replies are
 * therefore read as plain data (`toObject()` and a schema), never by `instanceof`.
 */
import type { ApplicationServiceClient } from '@chirpstack/chirpstack-api/api/application_grpc_pb';
import type { DeviceServiceClient } from '@chirpstack/chirpstack-api/api/device_grpc_pb';
import type { DeviceProfileServiceClient } from '@chirpstack/chirpstack-api/api/device_profile_grpc_pb';
import type { GatewayServiceClient } from '@chirpstack/chirpstack-api/api/gateway_grpc_pb';
import type { InternalServiceClient } from '@chirpstack/chirpstack-api/api/internal_grpc_pb';
import type { TenantServiceClient } from '@chirpstack/chirpstack-api/api/tenant_grpc_pb';
import type { ChannelOptions } from '@grpc/grpc-js';
import { type ConnectionSettings, grpcTarget } from './connection-settings';

export const grpc = (): typeof import('@grpc/grpc-js') => require('@grpc/grpc-js') as typeof import('@grpc/grpc-js');
export const timestamps = (): typeof import('google-protobuf/google/protobuf/timestamp_pb') =>
  require('google-protobuf/google/protobuf/timestamp_pb') as typeof import('google-protobuf/google/protobuf/timestamp_pb');
export const structs = (): typeof import('google-protobuf/google/protobuf/struct_pb') =>
  require('google-protobuf/google/protobuf/struct_pb') as typeof import('google-protobuf/google/protobuf/struct_pb');
export const tenantMessages = (): typeof import('@chirpstack/chirpstack-api/api/tenant_pb') =>
  require('@chirpstack/chirpstack-api/api/tenant_pb') as typeof import('@chirpstack/chirpstack-api/api/tenant_pb');
export const applicationMessages = (): typeof import('@chirpstack/chirpstack-api/api/application_pb') =>
  require('@chirpstack/chirpstack-api/api/application_pb') as typeof import('@chirpstack/chirpstack-api/api/application_pb');
export const deviceMessages = (): typeof import('@chirpstack/chirpstack-api/api/device_pb') =>
  require('@chirpstack/chirpstack-api/api/device_pb') as typeof import('@chirpstack/chirpstack-api/api/device_pb');
export const profileMessages = (): typeof import('@chirpstack/chirpstack-api/api/device_profile_pb') =>
  require('@chirpstack/chirpstack-api/api/device_profile_pb') as typeof import('@chirpstack/chirpstack-api/api/device_profile_pb');
export const gatewayMessages = (): typeof import('@chirpstack/chirpstack-api/api/gateway_pb') =>
  require('@chirpstack/chirpstack-api/api/gateway_pb') as typeof import('@chirpstack/chirpstack-api/api/gateway_pb');
export const internalMessages = (): typeof import('@chirpstack/chirpstack-api/api/internal_pb') =>
  require('@chirpstack/chirpstack-api/api/internal_pb') as typeof import('@chirpstack/chirpstack-api/api/internal_pb');

const applicationServices = (): typeof import('@chirpstack/chirpstack-api/api/application_grpc_pb') =>
  require('@chirpstack/chirpstack-api/api/application_grpc_pb') as typeof import('@chirpstack/chirpstack-api/api/application_grpc_pb');
const deviceServices = (): typeof import('@chirpstack/chirpstack-api/api/device_grpc_pb') =>
  require('@chirpstack/chirpstack-api/api/device_grpc_pb') as typeof import('@chirpstack/chirpstack-api/api/device_grpc_pb');
const profileServices = (): typeof import('@chirpstack/chirpstack-api/api/device_profile_grpc_pb') =>
  require('@chirpstack/chirpstack-api/api/device_profile_grpc_pb') as typeof import('@chirpstack/chirpstack-api/api/device_profile_grpc_pb');
const gatewayServices = (): typeof import('@chirpstack/chirpstack-api/api/gateway_grpc_pb') =>
  require('@chirpstack/chirpstack-api/api/gateway_grpc_pb') as typeof import('@chirpstack/chirpstack-api/api/gateway_grpc_pb');
const internalServices = (): typeof import('@chirpstack/chirpstack-api/api/internal_grpc_pb') =>
  require('@chirpstack/chirpstack-api/api/internal_grpc_pb') as typeof import('@chirpstack/chirpstack-api/api/internal_grpc_pb');
const tenantServices = (): typeof import('@chirpstack/chirpstack-api/api/tenant_grpc_pb') =>
  require('@chirpstack/chirpstack-api/api/tenant_grpc_pb') as typeof import('@chirpstack/chirpstack-api/api/tenant_grpc_pb');

/** ChirpStack's services on one connection; `internal` has a connection of its own, for the streams. */
export interface Clients {
  readonly tenants: TenantServiceClient;
  readonly applications: ApplicationServiceClient;
  readonly devices: DeviceServiceClient;
  readonly profiles: DeviceProfileServiceClient;
  readonly gateways: GatewayServiceClient;
  /** For streams only: proxies limit the streams of a connection, and calls would queue behind them. */
  readonly streams: InternalServiceClient;
  close(): void;
}

// A page of 500 devices with long descriptions and tags may exceed grpc-js's 4 MiB.
const MAX_REPLY = 32 * 1024 * 1024;

function channelOptions(): ChannelOptions {
  return {
    // Equal addresses share one connection otherwise, also with other packages in the process.
    'grpc.use_local_subchannel_pool': 1,
    // ChirpStack sends no keepalive: without ours a dead peer is never noticed.
    'grpc.keepalive_time_ms': 15_000,
    'grpc.keepalive_timeout_ms': 5_000,
    // Short, because the probe decides how often is tried; grpc-js's own back-off reaches two minutes.
    'grpc.initial_reconnect_backoff_ms': 400,
    'grpc.max_reconnect_backoff_ms': 800,
    'grpc.dns_min_time_between_resolutions_ms': 1_000,
    'grpc.service_config_disable_resolution': 1,
    'grpc.max_receive_message_length': MAX_REPLY,
  };
}

/** Makes the clients; nothing is connected before the first call. */
export function createClients(settings: ConnectionSettings): Clients {
  const { credentials, Client } = grpc();
  const channelCredentials = settings.address.tls
    ? credentials.createSsl(settings.caCertificate === undefined ? null : Buffer.from(settings.caCertificate))
    : credentials.createInsecure();
  const target = grpcTarget(settings.address);
  const calls = new Client(target, channelCredentials, channelOptions());
  // The services for calls share one channel.
  const shared = { channelOverride: calls.getChannel() };
  const streams = new (internalServices().InternalServiceClient)(target, channelCredentials, channelOptions());
  return {
    tenants: new (tenantServices().TenantServiceClient)(target, channelCredentials, shared),
    applications: new (applicationServices().ApplicationServiceClient)(target, channelCredentials, shared),
    devices: new (deviceServices().DeviceServiceClient)(target, channelCredentials, shared),
    profiles: new (profileServices().DeviceProfileServiceClient)(target, channelCredentials, shared),
    gateways: new (gatewayServices().GatewayServiceClient)(target, channelCredentials, shared),
    streams,
    close() {
      calls.close();
      streams.close();
    },
  };
}
