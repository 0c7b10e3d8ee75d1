/** api.DeviceService: devices themselves. Metrics and queue have files of their own. */
import {
  Device,
  DeviceListItem,
  DeviceStatus,
  type GetDeviceRequest,
  GetDeviceResponse,
  ListDevicesRequest,
  ListDevicesResponse,
} from '@chirpstack/chirpstack-api/api/device_pb';
import { DeviceClass } from '@chirpstack/chirpstack-api/common/common_pb';
import type { UntypedServiceImplementation } from '@grpc/grpc-js';
import { type ServiceContext, unary } from '../caller';
import { doesNotExist } from '../errors';
import { milliseconds, timestamp } from '../instant';
import { parseEui64, parseUuid } from '../parse';
import { application, readDevice } from '../permissions';
import type { Device as StoredDevice, World } from '../world';
import { byName, compareText, nameMatches, page } from './listing';

const CLASSES = { A: DeviceClass.CLASS_A, B: DeviceClass.CLASS_B, C: DeviceClass.CLASS_C } as const;

function statusMessage(device: StoredDevice): DeviceStatus | undefined {
  if (device.status === undefined) return undefined;
  const message = new DeviceStatus();
  message.setMargin(device.status.margin);
  message.setExternalPowerSource(device.status.externalPower);
  message.setBatteryLevel(device.status.batteryLevel);
  return message;
}

function listItem(device: StoredDevice, world: World): DeviceListItem {
  const item = new DeviceListItem();
  item.setDevEui(device.devEui);
  item.setCreatedAt(timestamp(device.createdAt));
  item.setUpdatedAt(timestamp(device.updatedAt));
  if (device.lastSeenAt !== undefined) item.setLastSeenAt(timestamp(device.lastSeenAt));
  item.setName(device.name);
  item.setDescription(device.description);
  item.setDeviceProfileId(device.profileId);
  item.setDeviceProfileName(world.profiles.get(device.profileId)?.name ?? '');
  item.setDeviceStatus(statusMessage(device));
  for (const [key, value] of Object.entries(device.tags)) item.getTagsMap().set(key, value);
  return item;
}

function order(request: ListDevicesRequest, world: World): (a: StoredDevice, b: StoredDevice) => number {
  // Never seen comes first when ascending, last when descending.
  const seen = (device: StoredDevice): number =>
    device.lastSeenAt === undefined ? Number.NEGATIVE_INFINITY : milliseconds(device.lastSeenAt);
  const profileName = (device: StoredDevice): string => world.profiles.get(device.profileId)?.name ?? '';
  const sign = request.getOrderByDesc() ? -1 : 1;
  return (a, b) => {
    switch (request.getOrderBy()) {
      case ListDevicesRequest.OrderBy.DEV_EUI:
        return sign * compareText(a.devEui, b.devEui);
      case ListDevicesRequest.OrderBy.LAST_SEEN_AT:
        return seen(a) === seen(b) ? byName(a, b) : sign * (seen(a) < seen(b) ? -1 : 1);
      case ListDevicesRequest.OrderBy.DEVICE_PROFILE_NAME:
        return sign * compareText(profileName(a), profileName(b));
      default:
        return sign * byName(a, b);
    }
  };
}

export function deviceService(context: ServiceContext): UntypedServiceImplementation {
  const { world } = context;
  return {
    list: unary(context, 'DeviceService/List', (request: ListDevicesRequest, caller) => {
      const applicationId = parseUuid(request.getApplicationId());
      const profileId = request.getDeviceProfileId() === '' ? undefined : parseUuid(request.getDeviceProfileId());
      const isMulticast = request.getMulticastGroupId() !== '' && parseUuid(request.getMulticastGroupId()) !== '';
      caller.require(application(applicationId));
      const tags = new Map(request.getTagsMap().toObject(false, () => undefined));
      const found = Array.from(world.devicesOf(applicationId))
        .filter(
          (device) =>
            // Nothing here is in a multicast group.
            !isMulticast &&
            (profileId === undefined || device.profileId === profileId) &&
            nameMatches(device.name, request.getSearch()) &&
            [...tags].every(([key, value]) => Object.hasOwn(device.tags, key) && device.tags[key] === value),
        )
        .sort(order(request, world));
      const { total, items } = page(found, request.getLimit(), request.getOffset());
      const reply = new ListDevicesResponse();
      reply.setTotalCount(total);
      reply.setResultList(items.map((device) => listItem(device, world)));
      return reply;
    }),

    get: unary(context, 'DeviceService/Get', (request: GetDeviceRequest, caller) => {
      const devEui = parseEui64(request.getDevEui());
      caller.require(readDevice(devEui));
      const device = world.devices.get(devEui);
      if (device === undefined) throw doesNotExist(devEui);
      const message = new Device();
      message.setDevEui(device.devEui);
      message.setName(device.name);
      message.setDescription(device.description);
      message.setApplicationId(device.applicationId);
      message.setDeviceProfileId(device.profileId);
      message.setSkipFcntCheck(device.skipFCntCheck);
      message.setIsDisabled(device.isDisabled);
      message.setJoinEui(device.joinEui);
      for (const [key, value] of Object.entries(device.variables)) message.getVariablesMap().set(key, value);
      for (const [key, value] of Object.entries(device.tags)) message.getTagsMap().set(key, value);
      const reply = new GetDeviceResponse();
      reply.setDevice(message);
      reply.setCreatedAt(timestamp(device.createdAt));
      reply.setUpdatedAt(timestamp(device.updatedAt));
      if (device.lastSeenAt !== undefined) reply.setLastSeenAt(timestamp(device.lastSeenAt));
      reply.setDeviceStatus(statusMessage(device));
      reply.setClassEnabled(CLASSES[device.deviceClass]);
      return reply;
    }),
  };
}
