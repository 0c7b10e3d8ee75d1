/** Types for how the program itself is doing, besides its connections and its database. */
import type { UAObjectType } from 'node-opcua';
import { UNITS } from '../../model';
import type { VariableSpecification } from './node-factory';

export interface HealthTypes {
  readonly devices: UAObjectType;
  readonly clients: UAObjectType;
  readonly process: UAObjectType;
  readonly errors: UAObjectType;
}

export const DEVICES = {
  total: { name: 'DevicesTotal', type: 'UInt32', description: 'Devices that are known' },
  fresh: { name: 'DevicesFresh', type: 'UInt32', description: 'Devices with at least one fresh value' },
  stale: { name: 'DevicesStale', type: 'UInt32', description: 'Devices that are overdue: no value is fresh' },
  dead: { name: 'DevicesDead', type: 'UInt32', description: 'Devices that are silent for long: all values are dead' },
  valuesFresh: { name: 'ValuesFresh', type: 'UInt32', description: 'Values that are fresh' },
  valuesStale: { name: 'ValuesStale', type: 'UInt32', description: 'Values that are stale' },
  valuesDead: { name: 'ValuesDead', type: 'UInt32', description: 'Values that are dead' },
  gatewaysOnline: { name: 'GatewaysOnline', type: 'UInt32', description: 'LoRa gateways that are online' },
  gatewaysOffline: { name: 'GatewaysOffline', type: 'UInt32', description: 'LoRa gateways that are offline' },
  gatewaysNeverSeen: {
    name: 'GatewaysNeverSeen',
    type: 'UInt32',
    description: 'LoRa gateways that were never heard of',
  },
} as const satisfies Record<string, VariableSpecification>;

export const CLIENTS = {
  channels: { name: 'Channels', type: 'UInt32', description: 'Secure channels that are open' },
  subscriptions: { name: 'Subscriptions', type: 'UInt32', description: 'Subscriptions of all clients' },
  monitoredItems: { name: 'MonitoredItems', type: 'UInt32', description: 'Monitored items of all clients' },
} as const satisfies Record<string, VariableSpecification>;

export const PROCESS = {
  eventLoopP50: {
    name: 'EventLoopDelayP50',
    type: 'Double',
    unit: UNITS.millisecond,
    description: 'Median delay of the event loop in the last minute',
  },
  eventLoopP99: {
    name: 'EventLoopDelayP99',
    type: 'Double',
    unit: UNITS.millisecond,
    description: '99th percentile of that delay',
  },
  eventLoopMax: {
    name: 'EventLoopDelayMax',
    type: 'Double',
    unit: UNITS.millisecond,
    description: 'Longest delay of that minute',
  },
  rss: {
    name: 'ResidentMemory',
    type: 'UInt64',
    unit: UNITS.byte,
    description: 'Memory of the process, in steps of 1 MiB',
  },
  heapUsed: {
    name: 'HeapUsed',
    type: 'UInt64',
    unit: UNITS.byte,
    description: 'Used size of the heap of JavaScript, in steps of 1 MiB',
  },
  heapTotal: {
    name: 'HeapTotal',
    type: 'UInt64',
    unit: UNITS.byte,
    description: 'Size of the heap of JavaScript, in steps of 1 MiB',
  },
} as const satisfies Record<string, VariableSpecification>;

/** By kind; the keys are the model's words for them. */
export const ERRORS = {
  network: { name: 'Network', type: 'UInt32', description: 'Nothing answered, or the connection broke' },
  timeout: { name: 'Timeout', type: 'UInt32', description: 'An answer did not come in time' },
  certificate: { name: 'Certificate', type: 'UInt32', description: 'TLS could not be established or is not trusted' },
  authentication: { name: 'Authentication', type: 'UInt32', description: 'The API token was refused' },
  permission: {
    name: 'Permission',
    type: 'UInt32',
    description: 'The key may not see what was asked for, or it is gone',
  },
  protocol: { name: 'Protocol', type: 'UInt32', description: 'What answered is no ChirpStack, or one of another age' },
  server: { name: 'Server', type: 'UInt32', description: 'ChirpStack answered with an error of its own' },
  internal: { name: 'Internal', type: 'UInt32', description: 'Faults of the gateway itself' },
} as const satisfies Record<string, VariableSpecification>;
