/**
 * What the reference flow finds in its environment: each property of its nodes that a person may set for the whole
 * gateway is `${NAME}`. All names are always set, with the default or an empty text where nobody set them.
 */
import type { GatewayEnvironment } from './environment';

/** How the simulator of the flow is reached when no ChirpStack is configured. */
export interface SimulatorAccess {
  readonly port: number;
  readonly token: string;
  readonly tenantId: string;
}

/** Read by nobody after the start: not left in the environment, where child processes would inherit them. */
export const FORGOTTEN_VARIABLES = ['GATEWAY_PASSWORD', 'METRICS_TOKEN'] as const;

export function flowVariables(
  environment: GatewayEnvironment,
  administrator: { readonly name: string; readonly hash: string },
  simulator: SimulatorAccess | undefined,
  /** Tells this gateway from others at the same MQTT broker; the same at each start, so that the broker keeps events. */
  mqttClientId: string,
): Readonly<Record<string, string>> {
  const { chirpstack, mqtt, opcua } = environment;
  const source =
    simulator === undefined
      ? chirpstack
      : {
          url: `http://127.0.0.1:${simulator.port}`,
          token: simulator.token,
          tenantId: simulator.tenantId,
          applicationIds: [],
          caFile: '',
        };
  return {
    CHIRPSTACK_URL: source?.url ?? '',
    CHIRPSTACK_API_TOKEN: source?.token ?? '',
    CHIRPSTACK_TENANT_ID: source?.tenantId ?? '',
    CHIRPSTACK_APPLICATION_IDS: source?.applicationIds.join(',') ?? '',
    CHIRPSTACK_CA_FILE: source?.caFile ?? '',
    CHIRPSTACK_MQTT_URL: mqtt?.url ?? '',
    CHIRPSTACK_MQTT_USER: mqtt?.user ?? '',
    CHIRPSTACK_MQTT_PASSWORD: mqtt?.password ?? '',
    // Events come one way only: by MQTT if there is a broker, else by gRPC streams.
    LORUA_MQTT_CLIENT_ID: mqttClientId,
    LORUA_MQTT: String(mqtt !== undefined),
    LORUA_STREAM_EVENTS: String(mqtt === undefined),
    POLL_INTERVAL_SECONDS: String(environment.pollIntervalSeconds),
    STALE_SECONDS: environment.staleSeconds === undefined ? '' : String(environment.staleSeconds),
    HISTORY_DAYS: String(environment.historyDays),
    HISTORY_MAX_MB: String(environment.historyMaximumMegabytes),
    OPCUA_PORT: String(opcua.port),
    OPCUA_HOST: opcua.host,
    OPCUA_ADVERTISED_HOSTS: opcua.advertisedHosts.join(','),
    OPCUA_SECURITY: opcua.endpoints.join(','),
    OPCUA_TRUST_ALL_CLIENTS: String(opcua.trustAllClients),
    GATEWAY_USER: administrator.name,
    LORUA_GATEWAY_PASSWORD_HASH: administrator.hash,
    LORUA_SIMULATOR: String(simulator !== undefined),
    LORUA_SIMULATOR_PORT: simulator === undefined ? '' : String(simulator.port),
    SIMULATOR_DEVICES: String(environment.simulator.devices),
    SIMULATOR_PERIOD_SECONDS: String(environment.simulator.periodSeconds),
  };
}
