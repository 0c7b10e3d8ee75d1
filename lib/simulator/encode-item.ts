import { CodecError } from './codec';
import { doesNotExist, internal } from './errors';
import type { World } from './world';

/**
 * Payload and port as they go into the queue: an object wins over the bytes that came with it.
 * @throws ServiceError as Enqueue does
 */
export function encodeItem(
  item: { readonly fPort: number; readonly data: Uint8Array; readonly object: Record<string, unknown> | undefined },
  devEui: string,
  world: World,
): { fPort: number; data: Uint8Array } {
  // The port is cut to a byte before anything looks at it: 300 becomes 44.
  const fPort = item.fPort & 255;
  if (item.object === undefined) return { fPort, data: item.data };
  const device = world.devices.get(devEui);
  if (device === undefined) throw doesNotExist(devEui);
  const codec = world.profiles.get(device.profileId)?.codec;
  try {
    return (
      codec?.encode({ data: item.object, fPort, variables: device.variables }) ?? { fPort, data: new Uint8Array() }
    );
  } catch (error) {
    if (error instanceof CodecError) throw internal(error.message);
    throw error;
  }
}
