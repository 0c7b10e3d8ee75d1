/** api.TenantService */
import {
  type GetTenantRequest,
  GetTenantResponse,
  type ListTenantsRequest,
  ListTenantsResponse,
  Tenant,
  TenantListItem,
} from '@chirpstack/chirpstack-api/api/tenant_pb';
import type { UntypedServiceImplementation } from '@grpc/grpc-js';
import { type ServiceContext, unary } from '../caller';
import { doesNotExist } from '../errors';
import { timestamp } from '../instant';
import { parseUuid } from '../parse';
import { administrator, tenant as tenantPermission } from '../permissions';
import { byName, nameMatches, page } from './listing';

export function tenantService(context: ServiceContext): UntypedServiceImplementation {
  const { world } = context;
  return {
    list: unary(context, 'TenantService/List', (request: ListTenantsRequest, caller) => {
      caller.require(administrator);
      const found = [...world.tenants.values()]
        .filter(({ name }) => nameMatches(name, request.getSearch()))
        .sort(byName);
      const { total, items } = page(found, request.getLimit(), request.getOffset());
      const reply = new ListTenantsResponse();
      reply.setTotalCount(total);
      reply.setResultList(
        items.map((tenant) => {
          const item = new TenantListItem();
          item.setId(tenant.id);
          item.setCreatedAt(timestamp(tenant.createdAt));
          item.setUpdatedAt(timestamp(tenant.updatedAt));
          item.setName(tenant.name);
          item.setCanHaveGateways(true);
          return item;
        }),
      );
      return reply;
    }),

    get: unary(context, 'TenantService/Get', (request: GetTenantRequest, caller) => {
      const id = parseUuid(request.getId());
      caller.require(tenantPermission(id));
      const tenant = world.tenants.get(id);
      if (tenant === undefined) throw doesNotExist(id);
      const message = new Tenant();
      message.setId(tenant.id);
      message.setName(tenant.name);
      message.setDescription(tenant.description);
      message.setCanHaveGateways(true);
      const reply = new GetTenantResponse();
      reply.setTenant(message);
      reply.setCreatedAt(timestamp(tenant.createdAt));
      reply.setUpdatedAt(timestamp(tenant.updatedAt));
      return reply;
    }),
  };
}
