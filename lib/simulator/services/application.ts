/** api.ApplicationService */
import {
  Application,
  ApplicationDeviceProfileListItem,
  ApplicationDeviceTagListItem,
  ApplicationListItem,
  type GetApplicationRequest,
  GetApplicationResponse,
  type ListApplicationDeviceProfilesRequest,
  ListApplicationDeviceProfilesResponse,
  type ListApplicationDeviceTagsRequest,
  ListApplicationDeviceTagsResponse,
  type ListApplicationsRequest,
  ListApplicationsResponse,
} from '@chirpstack/chirpstack-api/api/application_pb';
import type { UntypedServiceImplementation } from '@grpc/grpc-js';
import { type ServiceContext, unary } from '../caller';
import { doesNotExist } from '../errors';
import { timestamp } from '../instant';
import { parseUuid } from '../parse';
import { application as applicationPermission, tenant } from '../permissions';
import type { Profile, World } from '../world';
import { byName, compareText, nameMatches, page } from './listing';

/** Profiles in use by the devices of an application. */
function profilesOf(world: World, applicationId: string): Profile[] {
  const ids = new Set(Array.from(world.devicesOf(applicationId), (device) => device.profileId));
  return [...ids].flatMap((id) => world.profiles.get(id) ?? []).sort(byName);
}

export function applicationService(context: ServiceContext): UntypedServiceImplementation {
  const { world } = context;
  return {
    list: unary(context, 'ApplicationService/List', (request: ListApplicationsRequest, caller) => {
      const tenantId = parseUuid(request.getTenantId());
      caller.require(tenant(tenantId));
      const found = [...world.applications.values()]
        .filter((item) => item.tenantId === tenantId && nameMatches(item.name, request.getSearch()))
        .sort(byName);
      const { total, items } = page(found, request.getLimit(), request.getOffset());
      const reply = new ListApplicationsResponse();
      reply.setTotalCount(total);
      reply.setResultList(
        items.map((application) => {
          const item = new ApplicationListItem();
          item.setId(application.id);
          item.setCreatedAt(timestamp(application.createdAt));
          item.setUpdatedAt(timestamp(application.updatedAt));
          item.setName(application.name);
          item.setDescription(application.description);
          return item;
        }),
      );
      return reply;
    }),

    get: unary(context, 'ApplicationService/Get', (request: GetApplicationRequest, caller) => {
      const id = parseUuid(request.getId());
      caller.require(applicationPermission(id));
      const application = world.applications.get(id);
      if (application === undefined) throw doesNotExist(id);
      const message = new Application();
      message.setId(application.id);
      message.setName(application.name);
      message.setDescription(application.description);
      message.setTenantId(application.tenantId);
      for (const [key, value] of Object.entries(application.tags)) message.getTagsMap().set(key, value);
      const reply = new GetApplicationResponse();
      reply.setApplication(message);
      reply.setCreatedAt(timestamp(application.createdAt));
      reply.setUpdatedAt(timestamp(application.updatedAt));
      const keys = profilesOf(world, id).flatMap((profile) => Object.keys(profile.measurements));
      reply.setMeasurementKeysList([...new Set(keys)].sort(compareText));
      return reply;
    }),

    listDeviceProfiles: unary(
      context,
      'ApplicationService/ListDeviceProfiles',
      (request: ListApplicationDeviceProfilesRequest, caller) => {
        const id = parseUuid(request.getApplicationId());
        caller.require(applicationPermission(id));
        const reply = new ListApplicationDeviceProfilesResponse();
        reply.setResultList(
          profilesOf(world, id).map((profile) => {
            const item = new ApplicationDeviceProfileListItem();
            item.setId(profile.id);
            item.setName(profile.name);
            return item;
          }),
        );
        return reply;
      },
    ),

    listDeviceTags: unary(
      context,
      'ApplicationService/ListDeviceTags',
      (request: ListApplicationDeviceTagsRequest, caller) => {
        const id = parseUuid(request.getApplicationId());
        caller.require(applicationPermission(id));
        const values = new Map<string, Set<string>>();
        for (const device of world.devicesOf(id))
          for (const [key, value] of Object.entries(device.tags))
            values.set(key, (values.get(key) ?? new Set()).add(value));
        const reply = new ListApplicationDeviceTagsResponse();
        reply.setResultList(
          [...values.keys()].sort(compareText).map((key) => {
            const item = new ApplicationDeviceTagListItem();
            item.setKey(key);
            item.setValuesList([...(values.get(key) ?? [])].sort(compareText));
            return item;
          }),
        );
        return reply;
      },
    ),
  };
}
