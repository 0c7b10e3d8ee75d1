/** Room of the simulator: a faithful ChirpStack (gRPC) with a LoRaWAN fleet, for demonstration and tests. */
export type { DownlinkFrame, GatewayAnswer } from './downlinks';
export type { CallFault } from './fault-injection';
export { HISTORY_LENGTH } from './fleet/fleet';
export type { DeviceKind } from './fleet/kind';
export { KINDS } from './fleet/kinds';
export { type SimulatorIdentity, simulatorIdentity } from './identity';
export { type Instant, instant, milliseconds } from './instant';
export { type ApiKey, signToken } from './keys';
export { Network, type ReceptionInput, type Uplink, type UplinkReport } from './network';
export { randomUuid, seededRandom } from './random';
export { ChirpstackServer, type ServerOptions } from './server';
export {
  DEFAULT_PORT,
  MAX_DEVICES,
  MAX_PERIOD,
  MIN_PERIOD,
  parseSimulatorSettings,
  type SimulatorInput,
  type SimulatorSettings,
} from './settings';
export { type NewDevice, Simulator, type SimulatorDependencies } from './simulator';
export { type Application, type Device, type Gateway, type Profile, type Tenant, World } from './world';
