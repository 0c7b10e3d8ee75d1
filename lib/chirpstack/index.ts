/** ChirpStack v4: connection, inventory, events, metrics. */
export { CallError, type CallFailure, type FailureKind, isGone } from './call-failure';
export {
  type CallSettings,
  ChirpstackConnection,
  type ConnectionDependencies,
  type ConnectionStatus,
  type EventStream,
  type EventStreamListener,
  MAX_CALLS_IN_FLIGHT,
} from './connection';
export {
  addressText,
  type ConnectionInput,
  type ConnectionSettings,
  DEFAULT_CALL_TIMEOUT,
  DEFAULT_PORT,
  DEFAULT_TLS_PORT,
  parseConnectionSettings,
} from './connection-settings';
export { ChirpstackDownlinks } from './downlinks';
export {
  type DecodedEvent,
  type DecodeOptions,
  decodeEvent,
  EVENT_TYPES,
  type EventType,
  inferEventType,
} from './event-decoder';
export { deviceMessages } from './grpc-modules';
export { decodeIncomingMessage } from './incoming-message';
export { isFromMqtt, MqttWatch, type NodeStatus, nodeStatusOf } from './mqtt-watch';
export { Poller, type PollerDependencies } from './poller';
export { DEFAULT_POLLER_SETTINGS, type PollerInput, type PollerSettings, parsePollerSettings } from './poller-settings';
export { type StreamItem, shortestFloat } from './replies';
export { ScopeError } from './sync-support';
