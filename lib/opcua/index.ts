export type { UserSource } from './accounts';
export type { AdvertisedHost } from './advertised-hosts';
export { CERTIFICATE_STORES, type CertificateStore, type CertificateSummary } from './certificate-summary';
export type { Certificates } from './certificates';
export type { ClientEvent, ConnectedClient } from './client-events';
export {
  DEFAULT_ENDPOINTS,
  endpointText,
  isWeak,
  SECURITY_MODES,
  SECURITY_POLICIES,
  type SecurityEndpoint,
  type SecurityModeName,
  type SecurityPolicyName,
} from './endpoints';
export { PkiFolderError, PortInUseError } from './errors';
export { SERVICE_LEVELS } from './gateway-nodes';
export { LIMIT_RANGES, type LimitRange, type ServerLimits } from './limits';
export type { HistorySource, MetricsChange, ModelSource } from './model-source';
export { GATEWAY_NAMESPACE, MODEL_NAMESPACE } from './namespaces';
export { type ServerLease, ServerRegistry, serverRegistry } from './registry';
export type { Reachability } from './self-check';
export { type ClientSummary, GatewayServer, type ServerDeps } from './server';
export type { SessionSummary, Sessions } from './sessions';
export {
  defaultApplicationUri,
  parseServerSettings,
  SERVER_DEFAULTS,
  type ServerSettings,
  type SettingNames,
  SOURCE_TIMES,
  type SourceTime,
} from './settings';
export type { ServerUser } from './users';
