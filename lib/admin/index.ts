/** Use cases behind dashboard, gateway-admin and the questions to metric-store: one contract of topics, payloads and answers. */
export { Administration, type Answer } from './administration';
export { ClientAudit, type ClientAuditDependencies } from './client-audit';
export type { CommandDeviceRow } from './command-devices';
export type { CommandList } from './command-list';
export type { CommandDetails, CommandRow, DefinitionRow } from './command-rows';
export type { Backup, DatabaseState } from './database';
export type {
  AdministrationDependencies,
  AdministrationStore,
  OutputFolders,
  ReportedConnection,
  Retention,
} from './dependencies';
export type { DeviceList, DeviceRow } from './devices-list';
export type { ExportFormat } from './export-formats';
export type { MetricsText } from './health';
export { HealthMonitor, type HealthMonitorDependencies } from './health-monitor';
export type { HistoryExport } from './history-export';
export type { HistoryAnswer } from './history-queries';
export type { HistoryRow } from './history-rows';
export { type EntryList, eventEntry, type ListedEntry } from './journals';
export type { OutputFile } from './output-files';
export { type ProcessProbe, processProbe } from './process-probe';
export { PROMETHEUS_CONTENT_TYPE, prometheusText } from './prometheus';
export { isQueryTopic, pagingOf, questionOf } from './questions';
export type {
  CertificateDoor,
  KnownCertificate,
  OpcuaDoors,
  OpenSession,
  SessionDoor,
  SettingsUser,
} from './server-doors';
export type { GatewayStatus, Verdict } from './status';
export type { CancelledCommand } from './topics/commands';
export type { UserRow } from './topics/users';
export { type AccountChange, type AccountStore, UserDirectory } from './user-directory';
export type { LatestReading, LatestValues } from './values-latest';
export type { ValueList, ValueRow } from './values-list';
