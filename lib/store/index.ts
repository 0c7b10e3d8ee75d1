/** The gateway's memory: what is known now, what was measured, and where it is kept. */
export type { AcceptedReading } from './acceptance';
export * from './backend';
export * from './columns';
export { GatewayStore, type StoreDependencies, type StoreOptions } from './gateway-store';
export { MemoryBackend } from './memory/memory-backend';
export { type MetricColumns, metricColumnsOf, metricsOf } from './metric-columns';
export type { MetricsChange } from './metric-definitions';
export { type BufferLimits, DEFAULT_LIMITS } from './pending-writes';
export {
  type BackendKind,
  DEFAULT_AUDIT_DAYS,
  DEFAULT_COMMAND_DAYS,
  DEFAULT_EVENT_DAYS,
  DEFAULT_RETENTION_DAYS,
  parseStoreSettings,
  type StoreInput,
  type StoreSettings,
} from './settings';
export { SqliteBackend } from './sqlite/sqlite-backend';
export type { StorageRule } from './storage-rules';
