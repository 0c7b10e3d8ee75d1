/** How the simulator in the flow will be reached: its port is chosen here, tenant and token follow from the seed. */
import { findFreePort, type SimulatorAccess } from '../lib/runtime';
import { simulatorIdentity } from '../lib/simulator';

/** As in flows/src/gateway.mjs. */
const SEED = 1;

export async function simulatorAccess(): Promise<SimulatorAccess> {
  const { tenantId, tenantToken } = simulatorIdentity(SEED);
  return { port: await findFreePort(), token: tenantToken, tenantId };
}
