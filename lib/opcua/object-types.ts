/** Types of the namespace `urn:lorua:model`: what a client may expect of every device, application and gateway. */
import type { INamespace, Namespace, UAObjectType } from 'node-opcua';
import { UNITS } from '../model';
import { CLIENTS, DEVICES, ERRORS, type HealthTypes, PROCESS } from './health-types';
import type { VariableSpecification } from './node-factory';

export const MODEL_NAMESPACE = 'urn:lorua:model';
export const GATEWAY_NAMESPACE = 'urn:lorua:gateway';

/** How the last uplink was received. Ids are the last part of the node id. */
export const RADIO = {
  rssi: {
    name: 'RSSI',
    type: 'Double',
    unit: UNITS.decibelMilliwatt,
    description: 'Signal strength at the gateway that heard the last uplink best',
  },
  snr: { name: 'SNR', type: 'Double', unit: UNITS.decibel, description: 'Signal-to-noise ratio at that gateway' },
  dataRate: { name: 'DataRate', type: 'Byte', description: 'Data-rate index of the region (RP002)' },
  frequency: { name: 'Frequency', type: 'UInt32', unit: UNITS.hertz, description: 'Frequency of the last uplink' },
  fCnt: { name: 'FCntUp', type: 'UInt32', description: 'Frame counter of the last uplink' },
  fPort: { name: 'FPort', type: 'Byte', description: 'LoRaWAN port of the last uplink' },
  gateways: { name: 'GatewayCount', type: 'UInt32', description: 'Number of gateways that heard the last uplink' },
} as const satisfies Record<string, VariableSpecification>;

export const STATUS = {
  lastSeen: { name: 'LastSeen', type: 'DateTime', description: 'When the last uplink was received' },
  battery: {
    name: 'Battery',
    type: 'Double',
    unit: UNITS.percent,
    description: 'Battery level the device reported (DevStatusAns)',
  },
  margin: {
    name: 'Margin',
    type: 'Double',
    unit: UNITS.decibel,
    description: 'Demodulation margin the device reported (DevStatusAns)',
  },
  externalPower: {
    name: 'ExternalPower',
    type: 'Boolean',
    description: 'Whether the device reported an external power source',
  },
  enabled: { name: 'Enabled', type: 'Boolean', description: 'Whether the device is enabled in ChirpStack' },
  deviceClass: { name: 'DeviceClass', type: 'String', description: 'LoRaWAN device class: A, B or C' },
  lastJoin: { name: 'LastJoin', type: 'DateTime', description: 'When the device last joined the network' },
} as const satisfies Record<string, VariableSpecification>;

export const IDENTIFICATION = {
  devEui: { name: 'DevEUI', type: 'String', description: 'LoRaWAN device EUI-64' },
  profile: { name: 'DeviceProfile', type: 'String', description: 'Name of the device profile in ChirpStack' },
  description: { name: 'Description', type: 'String', description: 'Description of the device in ChirpStack' },
  tags: { name: 'Tags', type: 'String[]', description: 'Tags of the device in ChirpStack, as key=value' },
} as const satisfies Record<string, VariableSpecification>;

export const GATEWAY = {
  version: { name: 'Version', type: 'String', description: 'Version of Lorua' },
  startTime: { name: 'StartTime', type: 'DateTime', description: 'When the OPC UA server started' },
  sessions: { name: 'Sessions', type: 'UInt32', description: 'OPC UA sessions that are open' },
  uptime: { name: 'Uptime', type: 'UInt32', unit: UNITS.second, description: 'How long the program has been running' },
  serviceLevel: {
    name: 'ServiceLevel',
    type: 'Byte',
    description: '200 to 255 healthy, 2 to 199 degraded, 1 no data; as in the Server object',
  },
  serviceLevelReasons: {
    name: 'ServiceLevelReasons',
    type: 'String[]',
    description: 'All that lowers the service level now, worst first; empty if nothing does',
  },
  lastEvent: {
    name: 'LastEvent',
    type: 'DateTime',
    description: 'When the last event of a device came in, by stream, MQTT or HTTP',
  },
} as const satisfies Record<string, VariableSpecification>;

export const CONNECTION = {
  state: {
    name: 'ConnectionState',
    type: 'UInt32',
    states: ['Connecting', 'Connected', 'Disconnected', 'Unauthenticated'],
    description: 'How the connection to ChirpStack is doing',
  },
  since: { name: 'StateSince', type: 'DateTime', description: 'Since when it is in that state' },
  reason: { name: 'Reason', type: 'String', description: 'Why it is not connected; empty if it is' },
  cure: { name: 'Cure', type: 'String', description: 'What can be done about it; empty if connected' },
  lastSuccessfulPoll: {
    name: 'LastSuccessfulPoll',
    type: 'DateTime',
    description: 'When a reconciliation last succeeded as a whole',
  },
  errorCount: { name: 'ErrorCount', type: 'UInt32', description: 'Failed calls and streams since start' },
  lastError: { name: 'LastError', type: 'String', description: 'The last error' },
  applications: { name: 'Applications', type: 'UInt32', description: 'Applications that are served' },
  devices: { name: 'DevicesTotal', type: 'UInt32', description: 'Devices that are served' },
  streamsOpen: { name: 'StreamsOpen', type: 'UInt32', description: 'Event streams that are open' },
  streamsWanted: { name: 'StreamsWanted', type: 'UInt32', description: 'Event streams that should be open' },
  recentErrorCount: { name: 'RecentErrorCount', type: 'UInt32', description: 'Errors of the last hour' },
  uplinks: { name: 'Uplinks', type: 'UInt64', description: 'Uplinks received since start, replayed ones included' },
} as const satisfies Record<string, VariableSpecification>;

export const STORE = {
  state: {
    name: 'State',
    type: 'UInt32',
    states: ['Opening', 'Healthy', 'Degraded', 'Closed'],
    description: 'How the database is doing',
  },
  reason: { name: 'Reason', type: 'String', description: 'Why it is degraded; empty otherwise' },
  cure: { name: 'Cure', type: 'String', description: 'What can be done about it; empty otherwise' },
  pending: { name: 'PendingSamples', type: 'UInt32', description: 'Samples that wait for being written' },
  lost: {
    name: 'LostSamples',
    type: 'UInt64',
    description: 'Samples given up since start because the buffer was full',
  },
  committed: { name: 'CommittedSamples', type: 'UInt64', description: 'Samples written since start' },
  size: {
    name: 'Size',
    type: 'UInt64',
    unit: UNITS.byte,
    description: 'What the data takes, without free space inside files; looked at every five minutes',
  },
  freeSize: {
    name: 'FreeSize',
    type: 'UInt64',
    unit: UNITS.byte,
    description: 'Free space inside files, to be used again',
  },
} as const satisfies Record<string, VariableSpecification>;

export interface ObjectTypes extends HealthTypes {
  readonly application: UAObjectType;
  readonly device: UAObjectType;
  readonly radio: UAObjectType;
  readonly status: UAObjectType;
  readonly identification: UAObjectType;
  readonly gateway: UAObjectType;
  readonly connection: UAObjectType;
  readonly store: UAObjectType;
}

/** What adds the variables of a type; the factory for nodes knows how. */
export type AddMembers = (type: UAObjectType, members: Readonly<Record<string, VariableSpecification>>) => void;

/** Makes the types. Their names are their node ids. */
export function createObjectTypes(model: Namespace | INamespace, addMembers: AddMembers): ObjectTypes {
  const make = (browseName: string, description: string, subtypeOf = 'BaseObjectType'): UAObjectType =>
    model.addObjectType({ browseName, description, subtypeOf, nodeId: `s=${browseName}` });
  const types = {
    application: make('LoRaWANApplicationType', 'An application of ChirpStack with its devices', 'FolderType'),
    device: make('LoRaWANDeviceType', 'A LoRaWAN device: what it measures, how it is received, how it is doing'),
    radio: make('LoRaWANRadioType', 'How the last uplink of a device was received'),
    status: make('LoRaWANStatusType', 'How a device is doing'),
    identification: make('LoRaWANIdentificationType', 'What a device is'),
    gateway: make('GatewayType', 'The program that serves LoRaWAN devices over OPC UA'),
    connection: make('ChirpStackConnectionType', 'A connection to a ChirpStack server'),
    store: make('StoreType', 'The database of the gateway'),
    devices: make('DeviceCountsType', 'Devices and values by age'),
    clients: make('ClientCountsType', 'What OPC UA clients have open'),
    process: make('ProcessType', 'The process of the program'),
    errors: make('ErrorCountsType', 'Errors of a connection by kind'),
  };
  addMembers(types.radio, RADIO);
  addMembers(types.status, STATUS);
  addMembers(types.identification, IDENTIFICATION);
  addMembers(types.gateway, GATEWAY);
  addMembers(types.connection, CONNECTION);
  addMembers(types.store, STORE);
  addMembers(types.devices, DEVICES);
  addMembers(types.clients, CLIENTS);
  addMembers(types.process, PROCESS);
  addMembers(types.errors, ERRORS);
  const addPart = (of: UAObjectType, name: string, typeDefinition: UAObjectType | 'FolderType'): void => {
    model.addObject({
      nodeId: `s=${of.browseName.name}/${name}`,
      browseName: { name, namespaceIndex: model.index },
      componentOf: of,
      typeDefinition,
      modellingRule: 'Mandatory',
    });
  };
  addPart(types.gateway, 'Connections', 'FolderType');
  addPart(types.gateway, 'Store', types.store);
  addPart(types.gateway, 'Devices', types.devices);
  addPart(types.gateway, 'Clients', types.clients);
  addPart(types.gateway, 'Process', types.process);
  addPart(types.connection, 'Errors', types.errors);
  addPart(types.connection, 'RecentErrors', types.errors);
  return types;
}
