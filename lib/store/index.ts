/** The gateway's memory: what is known now, what was measured, and where it is kept. */
export type { AcceptedReading } from './acceptance';
export * from './backend';
export * from './columns';
export { GatewayStore, type MetricsChange, type StoreDependencies } from './gateway-store';
export { type HistoryPage, type HistoryQuery, type HistorySample, LARGEST_PAGE } from './history';
export { MemoryBackend } from './memory/memory-backend';
export { type BufferLimits, DEFAULT_LIMITS } from './pending-writes';
export {
  type BackendKind,
  DEFAULT_RETENTION_DAYS,
  parseStoreSettings,
  type StoreInput,
  type StoreSettings,
} from './settings';
export { SqliteBackend } from './sqlite/sqlite-backend';
