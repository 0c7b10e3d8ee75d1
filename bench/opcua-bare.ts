/** What ours is compared with: a node-opcua server with plain variables, set by the library's own call. */
import { join } from 'node:path';
import {
  DataType,
  MessageSecurityMode,
  OPCUACertificateManager,
  OPCUAServer,
  SecurityPolicy,
  StatusCodes,
  type UAVariable,
} from 'node-opcua';
import { devEuiOf, METRICS_PER_DEVICE } from '../test/support/history-database';
import { metricIdentifier } from '../test/support/node-ids';
import type { Plant } from './opcua-plant';

/** Bytes; the size that makes small reads cheapest (docs/performance.md). */
const CHUNK = 16_384;

export interface BareServer {
  readonly server: OPCUAServer;
  /** Plain variables of devices, in their order. */
  addVariables(devices: readonly number[], perDevice: number): UAVariable[];
  readonly namespace: number;
}

export async function startBareServer(folder: string): Promise<BareServer> {
  const certificates = new OPCUACertificateManager({
    rootFolder: join(folder, 'bare-pki'),
    automaticallyAcceptUnknownCertificate: true,
  });
  const server = new OPCUAServer({
    port: 0,
    host: '127.0.0.1',
    hostname: '127.0.0.1',
    serverCertificateManager: certificates,
    securityPolicies: [SecurityPolicy.None],
    securityModes: [MessageSecurityMode.None],
    allowAnonymous: true,
    maxConnectionsPerEndpoint: 100,
    serverCapabilities: { maxSessions: 100, minSupportedSampleRate: 0 },
    transportSettings: {
      adjustTransportLimits: (hello) => ({
        ...hello,
        receiveBufferSize: CHUNK,
        sendBufferSize: CHUNK,
        maxMessageSize: 64 * 1_048_576,
        maxChunkCount: 64 * 64,
      }),
    },
  });
  await server.initialize();
  const { addressSpace } = server.engine;
  if (addressSpace === null) throw new Error('there is no address space');
  const namespace = addressSpace.registerNamespace('urn:bare');
  await server.start();
  return {
    server,
    namespace: namespace.index,
    addVariables(devices, perDevice) {
      return devices.flatMap((device) => {
        const devEui = devEuiOf(device);
        const object = namespace.addObject({
          nodeId: `s=${devEui}`,
          browseName: devEui,
          organizedBy: addressSpace.rootFolder.objects,
        });
        return Array.from({ length: perDevice }, (_, index) =>
          namespace.addVariable({
            nodeId: `s=${metricIdentifier(devEui, `metric_${index}`)}`,
            browseName: `metric_${index}`,
            componentOf: object,
            dataType: 'Double',
            accessLevel: 'CurrentRead',
            userAccessLevel: 'CurrentRead',
            minimumSamplingInterval: 0,
          }),
        );
      });
    },
  };
}

export async function openBare(folder: string, devices: number): Promise<Plant> {
  const bare = await startBareServer(folder);
  const variables = bare.addVariables(
    Array.from({ length: devices }, (_, device) => device),
    METRICS_PER_DEVICE,
  );
  return {
    url: `opc.tcp://127.0.0.1:${bare.server.endpoints[0]?.port}`,
    nodeIds: variables.map(({ nodeId }) => nodeId.toString()),
    take(device, values) {
      const time = new Date();
      Object.values(values).forEach((value, index) => {
        variables[device * METRICS_PER_DEVICE + index]?.setValueFromSource(
          { dataType: DataType.Double, value },
          StatusCodes.Good,
          time,
        );
      });
    },
    close: () => bare.server.shutdown(0),
  };
}
