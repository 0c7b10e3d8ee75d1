/** api.DeviceService: GetMetrics and GetLinkMetrics. Every bucket of the range is in the reply, 0 without data. */
import {
  DeviceState,
  type GetDeviceLinkMetricsRequest,
  GetDeviceLinkMetricsResponse,
  type GetDeviceMetricsRequest,
  GetDeviceMetricsResponse,
} from '@chirpstack/chirpstack-api/api/device_pb';
import { Metric, MetricDataset, MetricKind } from '@chirpstack/chirpstack-api/common/common_pb';
import type { UntypedServiceImplementation } from '@grpc/grpc-js';
import type { Timestamp } from 'google-protobuf/google/protobuf/timestamp_pb';
import { AGGREGATIONS, type Aggregation, bucketRange } from '../buckets';
import { type Caller, type ServiceContext, unary } from '../caller';
import { doesNotExist, internal } from '../errors';
import { fromTimestamp, instant, milliseconds, timestamp } from '../instant';
import { parseEui64 } from '../parse';
import { readDevice } from '../permissions';
import type { Device, World } from '../world';

function metric(
  name: string,
  kind: keyof typeof MetricKind,
  starts: readonly number[],
  datasets: Iterable<readonly [string, readonly number[]]>,
): Metric {
  const message = new Metric();
  message.setName(name);
  message.setTimestampsList(starts.map((start) => timestamp(instant(start))));
  message.setDatasetsList(
    Array.from(datasets, ([label, data]) => {
      const dataset = new MetricDataset();
      dataset.setLabel(label);
      dataset.setDataList([...data]);
      return dataset;
    }),
  );
  message.setKind(MetricKind[kind]);
  return message;
}

interface RangeRequest {
  getDevEui(): string;
  getStart(): Timestamp | undefined;
  getEnd(): Timestamp | undefined;
  getAggregation(): number;
}

function range(
  request: RangeRequest,
  caller: Caller,
  world: World,
): { device: Device; aggregation: Aggregation; starts: number[] } {
  const devEui = parseEui64(request.getDevEui());
  caller.require(readDevice(devEui));
  const start = request.getStart();
  if (start === undefined) throw internal('start is None');
  const end = request.getEnd();
  if (end === undefined) throw internal('end is None');
  const device = world.devices.get(devEui);
  if (device === undefined) throw doesNotExist(devEui);
  const aggregation = AGGREGATIONS[request.getAggregation()] ?? 'HOUR';
  const starts = bucketRange(milliseconds(fromTimestamp(start)), milliseconds(fromTimestamp(end)), aggregation);
  return { device, aggregation, starts };
}

export function deviceMetricsService(context: ServiceContext): UntypedServiceImplementation {
  const { world } = context;
  return {
    getMetrics: unary(context, 'DeviceService/GetMetrics', (request: GetDeviceMetricsRequest, caller) => {
      const { device, aggregation, starts } = range(request, caller, world);
      const reply = new GetDeviceMetricsResponse();
      const measurements = world.profiles.get(device.profileId)?.measurements ?? {};
      for (const [key, { name, kind }] of Object.entries(measurements)) {
        const shown = name === '' ? key : name;
        if (kind === 'UNKNOWN') continue;
        if (kind === 'STRING') {
          const state = new DeviceState();
          state.setName(shown);
          state.setValue(device.measurements.state(key));
          reply.getStatesMap().set(key, state);
          continue;
        }
        const data = starts.map((start) => device.measurements.read(key, kind, aggregation, start));
        reply.getMetricsMap().set(key, metric(shown, kind, starts, [[key, data]]));
      }
      return reply;
    }),

    getLinkMetrics: unary(context, 'DeviceService/GetLinkMetrics', (request: GetDeviceLinkMetricsRequest, caller) => {
      const { device, aggregation, starts } = range(request, caller, world);
      const { link } = device;
      const of = (name: string, datasets: Iterable<readonly [string, readonly number[]]>): Metric =>
        metric(name, 'ABSOLUTE', starts, datasets);
      const reply = new GetDeviceLinkMetricsResponse();
      reply.setRxPackets(of('Received', [['rx_count', starts.map((start) => link.count(aggregation, start))]]));
      reply.setGwRssi(of('RSSI', [['rssi', starts.map((start) => link.mean('rssi', aggregation, start))]]));
      reply.setGwSnr(of('SNR', [['snr', starts.map((start) => link.mean('snr', aggregation, start))]]));
      reply.setRxPacketsPerFreq(of('Received / frequency', link.split('frequency', aggregation, starts)));
      reply.setRxPacketsPerDr(of('Received / DR', link.split('dataRate', aggregation, starts)));
      reply.setErrors(of('Errors', []));
      return reply;
    }),
  };
}
