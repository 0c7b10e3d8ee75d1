/** What every device and every LoRa gateway shows, besides what it measures. Keys are the last part of the node id. */
import { DEVICE_HEALTH_STATES, UNITS } from '../../model';
import type { VariableSpecification } from './node-factory';

/** How the last uplink was received. */
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
  lostFrames: {
    name: 'LostFrames',
    type: 'UInt32',
    description:
      'Uplinks that never came, by gaps in the frame counter since the server started; late ones are taken off',
  },
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
  healthReason: {
    name: 'HealthReason',
    type: 'String',
    description: 'Why DeviceHealth is not NORMAL; empty if it is',
  },
  lastJoin: { name: 'LastJoin', type: 'DateTime', description: 'When the device last joined the network' },
} as const satisfies Record<string, VariableSpecification>;

export const IDENTIFICATION = {
  devEui: { name: 'DevEUI', type: 'String', description: 'LoRaWAN device EUI-64' },
  profile: { name: 'DeviceProfile', type: 'String', description: 'Name of the device profile in ChirpStack' },
  description: { name: 'Description', type: 'String', description: 'Description of the device in ChirpStack' },
  tags: { name: 'Tags', type: 'String[]', description: 'Tags of the device in ChirpStack, as key=value' },
} as const satisfies Record<string, VariableSpecification>;

/** As IDeviceHealthType of the Devices standard demands it. */
export const DEVICE_HEALTH = {
  name: 'DeviceHealth',
  inDi: true,
  type: 'DeviceHealth',
  description: `How the device is doing by NAMUR NE 107: ${DEVICE_HEALTH_STATES.map((name, index) => `${index} ${name}`).join(', ')}`,
} as const satisfies VariableSpecification;

/** Of a LoRa gateway. */
export const RADIO_GATEWAY = {
  state: {
    name: 'State',
    type: 'UInt32',
    states: ['Never seen', 'Online', 'Offline'],
    description: 'What ChirpStack says of the gateway, by the statistics that it sends',
  },
  lastSeen: { name: 'LastSeen', type: 'DateTime', description: 'When the gateway last sent statistics' },
  name: { name: 'Name', type: 'String', description: 'Name of the gateway in ChirpStack' },
  description: { name: 'Description', type: 'String', description: 'Description of the gateway in ChirpStack' },
  gatewayId: { name: 'GatewayID', type: 'String', description: 'EUI-64 of the gateway' },
  latitude: { name: 'Latitude', type: 'Double', unit: UNITS.degree, description: 'WGS 84 latitude; north is positive' },
  longitude: {
    name: 'Longitude',
    type: 'Double',
    unit: UNITS.degree,
    description: 'WGS 84 longitude; east is positive',
  },
  altitude: { name: 'Altitude', type: 'Double', unit: UNITS.metre, description: 'Height of the antenna' },
} as const satisfies Record<string, VariableSpecification>;
