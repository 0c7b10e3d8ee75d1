/**
 * Commands as they come by MQTT, `application/…/device/…/command/down` (integration/mod.rs handle_down_command): an own
 * id is kept, nothing is answered, and what is wrong vanishes without a word.
 */
import { z } from 'zod';
import type { Random } from '../model';
import type { Downlinks } from './downlinks';
import { encodeItem } from './encode-item';
import { ServiceError } from './errors';
import { instant } from './instant';
import { randomUuid } from './random';
import type { World } from './world';

const command = z.object({
  id: z.uuid().optional(),
  devEui: z.string(),
  confirmed: z.boolean().default(false),
  fPort: z.number().int().min(0).max(255).default(0),
  data: z.base64().default(''),
  object: z.record(z.string(), z.unknown()).optional(),
  expiresAt: z.iso.datetime({ offset: true }).optional(),
});

/** @param devEui of the topic @param payload JSON of the message, already parsed */
export function takeCommand(
  devEui: string,
  payload: unknown,
  { world, downlinks, random }: { readonly world: World; readonly downlinks: Downlinks; readonly random: Random },
): void {
  const parsed = command.safeParse(payload);
  const device = world.devices.get(devEui);
  if (!parsed.success || device === undefined || parsed.data.devEui !== devEui) return;
  const { id = randomUuid(random), confirmed, expiresAt, object, data: text } = parsed.data;
  let encoded: ReturnType<typeof encodeItem>;
  try {
    const data = new Uint8Array(Buffer.from(text, 'base64'));
    encoded = encodeItem({ fPort: parsed.data.fPort, data, object }, devEui, world);
  } catch (error) {
    if (error instanceof ServiceError) return;
    throw error;
  }
  // The id is the key of the queue: the same again, while it is in there, is refused by the database.
  if (encoded.fPort === 0 || device.queue.items.some((item) => item.id === id)) return;
  device.queue.add({
    id,
    confirmed,
    ...encoded,
    isEncrypted: false,
    isPending: false,
    fCntDown: 0,
    ...(expiresAt === undefined ? {} : { expiresAt: instant(Date.parse(expiresAt)) }),
  });
  downlinks.enqueued(device);
}
