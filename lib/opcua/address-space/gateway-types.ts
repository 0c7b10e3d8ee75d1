/** What the program shows of itself, of its connections and of its database. Keys are the last part of the node id. */
import { type MqttHealth, UNITS } from '../../model';
import type { VariableSpecification } from './node-factory';

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
  certificateValidTo: {
    name: 'CertificateValidTo',
    type: 'DateTime',
    description: 'When the certificate by which clients know the server ends; it is renewed by itself before',
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

/** The places are the numbers of the states. */
export const MQTT_STATES: readonly MqttHealth['state'][] = ['disconnected', 'connected'];

export const MQTT = {
  state: {
    name: 'ConnectionState',
    type: 'UInt32',
    states: ['Disconnected', 'Connected'],
    description: 'Whether the input is connected to its broker',
  },
  since: { name: 'StateSince', type: 'DateTime', description: 'Since when it is in that state' },
  lastEvent: { name: 'LastEvent', type: 'DateTime', description: 'When the last event of a device came in that way' },
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

/** Nameplate of the program, as SoftwareType of the Devices standard demands it. */
export const NAMEPLATE = {
  manufacturer: {
    name: 'Manufacturer',
    inDi: true,
    type: 'LocalizedText',
    description: 'Who makes the program',
  },
  model: { name: 'Model', inDi: true, type: 'LocalizedText', description: 'Name of the program' },
  softwareRevision: { name: 'SoftwareRevision', inDi: true, type: 'String', description: 'Version of the program' },
} as const satisfies Record<string, VariableSpecification>;
