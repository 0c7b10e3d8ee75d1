/** api.DeviceService: the downlink queue. */
import {
  DeviceQueueItem,
  type EnqueueDeviceQueueItemRequest,
  EnqueueDeviceQueueItemResponse,
  type FlushDeviceQueueRequest,
  type GetDeviceNextFCntDownRequest,
  GetDeviceNextFCntDownResponse,
  type GetDeviceQueueItemsRequest,
  GetDeviceQueueItemsResponse,
} from '@chirpstack/chirpstack-api/api/device_pb';
import type { UntypedServiceImplementation } from '@grpc/grpc-js';
import { Empty } from 'google-protobuf/google/protobuf/empty_pb';
import type { Random } from '../../model';
import { type ServiceContext, unary } from '../caller';
import type { QueueItem } from '../device-queue';
import type { Downlinks } from '../downlinks';
import { encodeItem } from '../encode-item';
import { internal, invalidArgument } from '../errors';
import { fromTimestamp, timestamp } from '../instant';
import { parseEui64 } from '../parse';
import { readDevice, writeDevice } from '../permissions';
import { randomUuid } from '../random';

function itemMessage(item: QueueItem, devEui: string): DeviceQueueItem {
  const message = new DeviceQueueItem();
  message.setId(item.id);
  message.setDevEui(devEui);
  message.setConfirmed(item.confirmed);
  message.setFPort(item.fPort);
  message.setData(item.data);
  message.setIsPending(item.isPending);
  message.setFCntDown(item.fCntDown);
  message.setIsEncrypted(item.isEncrypted);
  if (item.expiresAt !== undefined) message.setExpiresAt(timestamp(item.expiresAt));
  return message;
}

export function deviceQueueService(
  context: ServiceContext,
  downlinks: Downlinks,
  random: Random,
): UntypedServiceImplementation {
  const { world } = context;
  return {
    enqueue: unary(context, 'DeviceService/Enqueue', (request: EnqueueDeviceQueueItemRequest, caller) => {
      const item = request.getQueueItem();
      if (item === undefined) throw invalidArgument('queue_item is missing');
      const devEui = parseEui64(item.getDevEui());
      caller.require(writeDevice(devEui));
      const device = world.devices.get(devEui);
      // Before the rest is looked at: a call that fails has flushed all the same.
      if (request.getFlushQueue()) device?.queue.flushWaiting();
      const { fPort, data } = encodeItem(
        { fPort: item.getFPort(), data: item.getData_asU8(), object: item.getObject()?.toJavaScript() },
        devEui,
        world,
      );
      if (fPort === 0) throw invalidArgument('Validation error: FPort must be between 1 - 255');
      if (device === undefined) throw internal('FOREIGN KEY constraint failed');
      const id = randomUuid(random);
      const expiresAt = item.getExpiresAt();
      device.queue.add({
        id,
        confirmed: item.getConfirmed(),
        fPort,
        data,
        isEncrypted: item.getIsEncrypted(),
        isPending: false,
        fCntDown: item.getIsEncrypted() ? item.getFCntDown() : 0,
        ...(expiresAt === undefined ? {} : { expiresAt: fromTimestamp(expiresAt) }),
      });
      downlinks.enqueued(device);
      const reply = new EnqueueDeviceQueueItemResponse();
      reply.setId(id);
      return reply;
    }),

    flushQueue: unary(context, 'DeviceService/FlushQueue', (request: FlushDeviceQueueRequest, caller) => {
      const devEui = parseEui64(request.getDevEui());
      caller.require(writeDevice(devEui));
      world.devices.get(devEui)?.queue.flush();
      return new Empty();
    }),

    getQueue: unary(context, 'DeviceService/GetQueue', (request: GetDeviceQueueItemsRequest, caller) => {
      const devEui = parseEui64(request.getDevEui());
      caller.require(readDevice(devEui));
      const items = world.devices.get(devEui)?.queue.items ?? [];
      const reply = new GetDeviceQueueItemsResponse();
      // ChirpStack does not look at count_only.
      reply.setTotalCount(items.length);
      reply.setResultList(items.map((item) => itemMessage(item, devEui)));
      return reply;
    }),

    getNextFCntDown: unary(
      context,
      'DeviceService/GetNextFCntDown',
      (request: GetDeviceNextFCntDownRequest, caller) => {
        const devEui = parseEui64(request.getDevEui());
        caller.require(readDevice(devEui));
        const reply = new GetDeviceNextFCntDownResponse();
        reply.setFCntDown(world.devices.get(devEui)?.fCntDown ?? 0);
        return reply;
      },
    ),
  };
}
