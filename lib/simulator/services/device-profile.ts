/** api.DeviceProfileService */

import {
  AppLayerParams,
  CodecRuntime,
  DeviceProfile,
  DeviceProfileListItem,
  type GetDeviceProfileRequest,
  GetDeviceProfileResponse,
  type ListDeviceProfilesRequest,
  ListDeviceProfilesResponse,
  Measurement,
  MeasurementKind,
} from '@chirpstack/chirpstack-api/api/device_profile_pb';
import { MacVersion, Region, RegParamsRevision } from '@chirpstack/chirpstack-api/common/common_pb';
import type { UntypedServiceImplementation } from '@grpc/grpc-js';
import { type ServiceContext, unary } from '../caller';
import { doesNotExist } from '../errors';
import { timestamp } from '../instant';
import { parseUuid } from '../parse';
import { administrator, anyKey, profile as profilePermission, tenant } from '../permissions';
import type { Profile } from '../world';
import { byName, nameMatches, page } from './listing';

function profileMessage(profile: Profile): DeviceProfile {
  const message = new DeviceProfile();
  message.setId(profile.id);
  message.setTenantId(profile.tenantId);
  message.setName(profile.name);
  message.setDescription(profile.description);
  message.setRegion(Region.EU868);
  message.setMacVersion(MacVersion.LORAWAN_1_0_3);
  message.setRegParamsRevision(RegParamsRevision.A);
  message.setAdrAlgorithmId('default');
  message.setPayloadCodecRuntime(profile.runtime === 'JS' ? CodecRuntime.JS : CodecRuntime.NONE);
  message.setPayloadCodecScript(profile.script);
  message.setFlushQueueOnActivate(true);
  message.setUplinkInterval(profile.uplinkInterval);
  message.setDeviceStatusReqInterval(profile.deviceStatusReqInterval);
  message.setSupportsOtaa(profile.supportsOtaa);
  message.setSupportsClassC(profile.supportsClassC);
  message.setClassCTimeout(profile.classCTimeout);
  if (!profile.supportsOtaa) message.setAbpRx1Delay(1);
  for (const [key, value] of Object.entries(profile.tags)) message.getTagsMap().set(key, value);
  for (const [key, { name, kind }] of Object.entries(profile.measurements)) {
    const measurement = new Measurement();
    measurement.setName(name);
    measurement.setKind(MeasurementKind[kind]);
    message.getMeasurementsMap().set(key, measurement);
  }
  // Ports of the application-layer packages as the LoRa Alliance assigned them.
  const packages = new AppLayerParams();
  packages.setTs003FPort(202);
  packages.setTs004FPort(201);
  packages.setTs005FPort(200);
  message.setAppLayerParams(packages);
  return message;
}

export function deviceProfileService(context: ServiceContext): UntypedServiceImplementation {
  const { world } = context;
  return {
    list: unary(context, 'DeviceProfileService/List', (request: ListDeviceProfilesRequest, caller) => {
      const tenantId = request.getTenantId() === '' ? undefined : parseUuid(request.getTenantId());
      if (request.getGlobalOnly()) caller.require(anyKey);
      else caller.require(tenantId === undefined ? administrator : tenant(tenantId));
      const found = [...world.profiles.values()]
        .filter(
          (profile) =>
            // All profiles here belong to a tenant: none is global.
            !request.getGlobalOnly() &&
            (tenantId === undefined || profile.tenantId === tenantId) &&
            nameMatches(profile.name, request.getSearch()),
        )
        .sort(byName);
      const { total, items } = page(found, request.getLimit(), request.getOffset());
      const reply = new ListDeviceProfilesResponse();
      reply.setTotalCount(total);
      reply.setResultList(
        items.map((profile) => {
          const item = new DeviceProfileListItem();
          item.setId(profile.id);
          item.setCreatedAt(timestamp(profile.createdAt));
          item.setUpdatedAt(timestamp(profile.updatedAt));
          item.setName(profile.name);
          item.setRegion(Region.EU868);
          item.setMacVersion(MacVersion.LORAWAN_1_0_3);
          item.setRegParamsRevision(RegParamsRevision.A);
          item.setSupportsOtaa(profile.supportsOtaa);
          item.setSupportsClassC(profile.supportsClassC);
          return item;
        }),
      );
      return reply;
    }),

    get: unary(context, 'DeviceProfileService/Get', (request: GetDeviceProfileRequest, caller) => {
      const id = parseUuid(request.getId());
      caller.require(profilePermission(id));
      const profile = world.profiles.get(id);
      if (profile === undefined) throw doesNotExist(id);
      const reply = new GetDeviceProfileResponse();
      reply.setDeviceProfile(profileMessage(profile));
      reply.setCreatedAt(timestamp(profile.createdAt));
      reply.setUpdatedAt(timestamp(profile.updatedAt));
      return reply;
    }),
  };
}
