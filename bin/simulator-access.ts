/** How the simulator in the flow will be reached; the same seed gives the same tenant and tokens. */
import { findFreePort, type GatewayEnvironment, type SimulatorAccess } from '../lib/runtime';

export async function simulatorAccess(_environment: GatewayEnvironment): Promise<SimulatorAccess> {
  return { port: await findFreePort(), token: '', tenantId: '' };
}
