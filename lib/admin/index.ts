/** Use cases behind the dashboard and the gateway-admin node: one contract of topics, payloads and answers. */
export { Administration, type Answer } from './administration';
export type { AdministrationDependencies, AdministrationStore, Freshness, ReportedConnection } from './dependencies';
export type { DeviceList, DeviceRow } from './devices-list';
export type { GatewayStatus, Verdict } from './status';
export type { ValueList, ValueRow } from './values-list';
