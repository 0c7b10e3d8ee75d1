/**
 * Types of the namespace `urn:lorua:model`: what a client may expect of every device, application and gateway. They
 * build on the types of OPC 10000-100 (Devices) as far as those demand nothing that LoRaWAN does not tell: DeviceType
 * wants serial number, revisions, manual and manufacturer of each device, ComponentType has the same as optional.
 */
import type { AddressSpace, UAObjectType } from 'node-opcua';
import { COMMAND, COMMANDS, type CommandTypes, completeCommandTypes } from '../commands/command-types';
import type { Library } from '../library';
import { DEVICE_HEALTH, IDENTIFICATION, RADIO, RADIO_GATEWAY, STATUS } from './device-types';
import { CONNECTION, GATEWAY, MQTT, STORE } from './gateway-types';
import { CLIENTS, DEVICES, ERRORS, type HealthTypes, PROCESS } from './health-types';
import type { Namespaces } from './namespaces';
import type { VariableSpecification } from './node-factory';

export interface ObjectTypes extends HealthTypes, CommandTypes {
  readonly network: UAObjectType;
  readonly application: UAObjectType;
  readonly device: UAObjectType;
  readonly measurements: UAObjectType;
  readonly radio: UAObjectType;
  readonly status: UAObjectType;
  readonly identification: UAObjectType;
  readonly radioGateway: UAObjectType;
  readonly gateway: UAObjectType;
  readonly connection: UAObjectType;
  readonly mqtt: UAObjectType;
  readonly store: UAObjectType;
}

/** What adds the variables of a type; the factory for nodes knows how. */
export type AddMembers = (type: UAObjectType, members: Readonly<Record<string, VariableSpecification>>) => void;

/** Identification has the name that TopologyElementType has for it, all else is ours. */
interface Part {
  readonly name: string;
  readonly type: UAObjectType | 'FolderType';
  readonly inDi?: boolean;
  readonly isOptional?: boolean;
}

/** Makes the types. Their names are their node ids. */
export function createObjectTypes(
  library: Library,
  addressSpace: AddressSpace,
  { model, di }: Namespaces,
  addMembers: AddMembers,
): ObjectTypes {
  const standard = (name: string): UAObjectType => {
    const type = addressSpace.findObjectType(name, di.index);
    if (type === null) throw new Error(`the OPC UA library knows no ${name} of the Devices standard`);
    return type;
  };
  const make = (
    browseName: string,
    description: string,
    subtypeOf: UAObjectType | string = 'BaseObjectType',
  ): UAObjectType => model.addObjectType({ browseName, description, subtypeOf, nodeId: `s=${browseName}` });
  const group = standard('FunctionalGroupType');
  const component = standard('ComponentType');
  const types = {
    network: make(
      'LoRaWANNetworkType',
      'All that ChirpStack serves: applications, devices, LoRa gateways',
      'FolderType',
    ),
    application: make('LoRaWANApplicationType', 'An application of ChirpStack with its devices', 'FolderType'),
    device: make(
      'LoRaWANDeviceType',
      'A LoRaWAN device: what it measures, how it is received, how it is doing',
      component,
    ),
    measurements: make('LoRaWANMeasurementsType', 'What a device measures', group),
    radio: make('LoRaWANRadioType', 'How the last uplink of a device was received', group),
    status: make('LoRaWANStatusType', 'How a device is doing', group),
    identification: make('LoRaWANIdentificationType', 'What a device is', group),
    radioGateway: make('LoRaWANGatewayType', 'A LoRa gateway: the radio that hears devices', component),
    gateway: make('GatewayType', 'The program that serves LoRaWAN devices over OPC UA', standard('SoftwareType')),
    connection: make('ChirpStackConnectionType', 'A connection to a ChirpStack server'),
    mqtt: make('MqttInputType', 'Where events come in by MQTT'),
    store: make('StoreType', 'The database of the gateway'),
    devices: make('DeviceCountsType', 'Devices and values by age'),
    clients: make('ClientCountsType', 'What OPC UA clients have open'),
    process: make('ProcessType', 'The process of the program'),
    errors: make('ErrorCountsType', 'Errors of a connection by kind'),
    command: make('LoRaWANCommandType', 'Something that a device can be told, and what became of the last one'),
    deviceCommands: make('LoRaWANDeviceCommandsType', 'What a device can be told', group),
    commands: make('LoRaWANCommandsType', 'The commands of all devices'),
    commandEvent: make('LoRaWANCommandEventType', 'What became of a command, or why it was refused', 'BaseEventType'),
  };
  addMembers(types.device, { deviceHealth: DEVICE_HEALTH });
  addMembers(types.radio, RADIO);
  addMembers(types.status, STATUS);
  addMembers(types.identification, IDENTIFICATION);
  addMembers(types.radioGateway, { deviceHealth: DEVICE_HEALTH, ...RADIO_GATEWAY });
  addMembers(types.gateway, GATEWAY);
  addMembers(types.connection, CONNECTION);
  addMembers(types.mqtt, MQTT);
  addMembers(types.store, STORE);
  addMembers(types.devices, DEVICES);
  addMembers(types.clients, CLIENTS);
  addMembers(types.process, PROCESS);
  addMembers(types.errors, ERRORS);
  addMembers(types.command, COMMAND);
  addMembers(types.commands, COMMANDS);
  completeCommandTypes(library, model, types);
  for (const type of [types.device, types.radioGateway])
    type.addReference({ referenceType: 'HasInterface', nodeId: standard('IDeviceHealthType').nodeId });
  const addParts = (of: UAObjectType, parts: readonly Part[]): void => {
    for (const { name, type, inDi = false, isOptional = false } of parts)
      model.addObject({
        nodeId: `s=${of.browseName.name}/${name}`,
        browseName: { name, namespaceIndex: (inDi ? di : model).index },
        componentOf: of,
        typeDefinition: type,
        modellingRule: isOptional ? 'Optional' : 'Mandatory',
      });
  };
  addParts(types.network, [
    { name: 'Gateways', type: 'FolderType' },
    { name: 'Commands', type: types.commands },
  ]);
  addParts(types.device, [
    { name: 'Measurements', type: types.measurements },
    { name: 'Radio', type: types.radio },
    { name: 'Status', type: types.status },
    { name: 'Identification', type: types.identification, inDi: true },
    { name: 'Commands', type: types.deviceCommands, isOptional: true },
  ]);
  addParts(types.gateway, [
    { name: 'Connections', type: 'FolderType' },
    { name: 'MqttInputs', type: 'FolderType' },
    { name: 'Store', type: types.store },
    { name: 'Devices', type: types.devices },
    { name: 'Clients', type: types.clients },
    { name: 'Process', type: types.process },
  ]);
  addParts(types.connection, [
    { name: 'Errors', type: types.errors },
    { name: 'RecentErrors', type: types.errors },
  ]);
  return types;
}
