export { SERVICE_LEVELS } from './address-space/gateway-nodes';
export type { HistorySource, MetricsChange, ModelSource } from './address-space/model-source';
export { GATEWAY_NAMESPACE, MODEL_NAMESPACE } from './address-space/namespaces';
export type { AdvertisedHost } from './advertised-hosts';
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
export { LIMIT_RANGES, type LimitRange, type ServerLimits } from './limits';
export { type ServerLease, ServerRegistry, serverRegistry } from './registry';
export type { UserSource } from './security/accounts';
export { CERTIFICATE_STORES, type CertificateStore, type CertificateSummary } from './security/certificate-summary';
export type { Certificates } from './security/certificates';
export type { ClientEvent, ConnectedClient } from './security/client-events';
export type { SessionSummary, Sessions } from './security/sessions';
export type { ServerUser } from './security/users';
export type { Reachability } from './self-check';
export { type ClientSummary, GatewayServer, type ServerDeps } from './server';
export {
  defaultApplicationUri,
  parseServerSettings,
  SERVER_DEFAULTS,
  type ServerSettings,
  type SettingNames,
  SOURCE_TIMES,
  type SourceTime,
} from './settings';
