/** Tenant and keys that a seed gives: known before the simulator runs, and the same at each start. */
import { createHash } from 'node:crypto';
import { parseTenantId, type TenantId } from '../model';
import { signToken } from './keys';
import { randomUuid, seededRandom } from './random';

export interface SimulatorIdentity {
  readonly tenantId: TenantId;
  /** Secret of the API; no secret at all, since everybody can compute it: the data behind it is simulated. */
  readonly secret: string;
  readonly adminKeyId: string;
  readonly tenantKeyId: string;
  readonly readOnlyKeyId: string;
  readonly adminToken: string;
  readonly tenantToken: string;
  readonly readOnlyToken: string;
}

export function simulatorIdentity(seed: number): SimulatorIdentity {
  const random = seededRandom(seed ^ 0x10a1_5eed);
  const secret = createHash('sha256').update(`lorua simulator ${seed}`).digest('base64');
  const tenantId = parseTenantId(randomUuid(random));
  const adminKeyId = randomUuid(random);
  const tenantKeyId = randomUuid(random);
  const readOnlyKeyId = randomUuid(random);
  return {
    tenantId,
    secret,
    adminKeyId,
    tenantKeyId,
    readOnlyKeyId,
    adminToken: signToken(adminKeyId, secret),
    tenantToken: signToken(tenantKeyId, secret),
    readOnlyToken: signToken(readOnlyKeyId, secret),
  };
}
