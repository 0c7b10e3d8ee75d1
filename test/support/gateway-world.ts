/** The whole chain for end-to-end tests: a simulated ChirpStack in this process, the booted gateway, OPC UA clients. */
import { setTimeout as pause } from 'node:timers/promises';
import { StatusCodes } from 'node-opcua';
import { silentLogger, systemClock } from '../../lib/model';
import { Simulator } from '../../lib/simulator';
import { type AdminApi, adminApi, type BootedGateway, bootGateway } from './boot-gateway';
import { eventually } from './eventually';
import { parseMetricNodeId } from './node-ids';
import { TestClient } from './opcua-client';

export interface WorldOptions {
  readonly devices: number;
  /** ms between two uplinks of a device */
  readonly period: number;
  /** Of the simulator: ms in which a class C device gets no downlink after an uplink or another downlink. */
  readonly schedulerLock?: number;
  readonly environment?: Readonly<Record<string, string>>;
  /** Given the simulator before it starts, so that nothing of the fleet's past is missed. */
  readonly onSimulator?: (simulator: Simulator) => void;
}

export interface GatewayWorld {
  readonly simulator: Simulator;
  /** The newest that was started. */
  readonly gateway: BootedGateway;
  /** Starts the gateway again with what it kept; the one before must have ended. Clients connect anew. */
  startAgain(): Promise<void>;
  connect(): Promise<TestClient>;
  /** Waits until nearly every metric of the fleet has had a value, and the address space stands still. */
  allMetricsKnown(client: TestClient): Promise<readonly string[]>;
  /** Waits until a count has not moved for a second. */
  quiet(count: () => number): Promise<void>;
  /** Calls Node-RED's admin API as the administrator. */
  readonly admin: AdminApi;
  close(): Promise<void>;
}

export async function startWorld(options: WorldOptions): Promise<GatewayWorld> {
  const simulator = new Simulator(
    { devices: options.devices, period: options.period, seed: 7 },
    {
      clock: systemClock,
      logger: silentLogger,
      ...(options.schedulerLock === undefined ? {} : { schedulerLock: options.schedulerLock }),
    },
  );
  options.onSimulator?.(simulator);
  const { url } = await simulator.start();
  const environment = {
    CHIRPSTACK_URL: url,
    CHIRPSTACK_API_TOKEN: simulator.tenantToken,
    CHIRPSTACK_TENANT_ID: simulator.tenantId,
    OPCUA_TRUST_ALL_CLIENTS: 'true',
    POLL_INTERVAL_SECONDS: '5',
    ...options.environment,
  };
  let gateway = await bootGateway({ environment }).catch(async (error: unknown) => {
    await simulator.stop();
    throw error;
  });
  const clients = new Set<TestClient>();
  let admin = adminApi(gateway);

  const metricVariables = async (client: TestClient): Promise<string[]> =>
    (await client.variablesBelow(await client.gatewayNode('lorawan'))).filter((id) => parseMetricNodeId(id));

  const quiet = async (count: () => number): Promise<void> => {
    for (let before = -1; before !== count(); ) {
      before = count();
      await pause(1_500);
    }
  };

  return {
    simulator,
    get gateway() {
      return gateway;
    },
    async startAgain() {
      gateway = await bootGateway({ environment, dataFolder: gateway.dataFolder });
      admin = adminApi(gateway);
    },
    quiet,
    async connect() {
      const client = await TestClient.connect({
        url: gateway.endpointUrl,
        user: gateway.user,
        password: gateway.password,
      });
      clients.add(client);
      return client;
    },
    async allMetricsKnown(client) {
      let known = -1;
      return eventually(async () => {
        const variables = await metricVariables(client);
        const settled = variables.length === known && known > 2 * options.devices;
        known = variables.length;
        if (!settled) {
          await pause(500);
          return undefined;
        }
        const values = await client.readAll(variables);
        // A device that never sent is part of every plant, one whose values have grown old too.
        const missing = values.filter(({ statusCode }) => statusCode.equals(StatusCodes.BadWaitingForInitialData));
        return missing.length < variables.length * 0.2 ? variables : undefined;
      }, 'values of the whole fleet');
    },
    admin: (path, init) => admin(path, init),
    async close() {
      for (const client of clients) await client.close().catch(() => undefined);
      await gateway.stop();
      await simulator.stop();
    },
  };
}
