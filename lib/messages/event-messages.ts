/** Reading device-event and health messages back from a flow, where anybody may have changed or made them. */
import { z } from 'zod';
import {
  CONNECTION_ERROR_KINDS,
  type ConnectionHealth,
  type DeviceEvent,
  display,
  InvalidInputError,
  parseDevEui,
  parseEventId,
  parseGatewayEui,
} from '../model';

const count = z.number().int().min(0);
const instant = z.number().min(0);

const eventSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('txack'),
    queueItemId: z.string(),
    fCntDown: count,
    gatewayId: z.unknown().optional(),
  }),
  z.object({ type: z.literal('ack'), queueItemId: z.string(), acknowledged: z.boolean(), fCntDown: count }),
  z.object({
    type: z.literal('log'),
    level: z.enum(['INFO', 'WARNING', 'ERROR']),
    code: z.string(),
    description: z.string(),
    context: z.record(z.string(), z.string()),
  }),
  z.object({
    type: z.literal('status'),
    margin: z.number(),
    externalPower: z.boolean(),
    batteryLevel: z.number().optional(),
  }),
  z.object({ type: z.literal('join'), devAddr: z.string() }),
  z.object({
    type: z.literal('location'),
    latitude: z.number(),
    longitude: z.number(),
    altitude: z.number(),
    source: z.string(),
  }),
]);

const messageSchema = z.object({
  event: z.looseObject({ replayed: z.boolean().optional(), eventId: z.unknown().optional() }),
  device: z.looseObject({ devEui: z.unknown() }),
  time: instant,
});

const healthSchema = z.object({
  payload: z.object({
    state: z.enum(['connecting', 'connected', 'disconnected', 'unauthenticated']),
    since: instant,
    reason: z.string(),
    cure: z.string(),
    lastSuccessfulPoll: instant.optional(),
    errorCount: count,
    errors: z.partialRecord(z.enum(CONNECTION_ERROR_KINDS), count).optional(),
    lastError: z.string().optional(),
    applications: count,
    devices: count,
    streamsOpen: count,
    streamsWanted: count,
    uplinks: count,
  }),
  connection: z.object({ id: z.string().min(1), name: z.string() }),
});

function parsed<T>(schema: z.ZodType<T>, value: unknown, root: string, cure: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new InvalidInputError(
    result.error.issues.map((issue) => ({
      field: [root, ...issue.path.map(String)].join('.'),
      value: display(
        issue.path.reduce<unknown>((inner, step) => (inner as Record<PropertyKey, unknown> | undefined)?.[step], value),
      ),
      rule: issue.message,
      cure,
    })),
  );
}

/**
 * The device event that a message carries.
 * @throws InvalidInputError
 */
export function deviceEventFromMessage(message: unknown): DeviceEvent {
  const cure = 'Keep msg.event, msg.device and msg.time as the poller sent them.';
  const { event, device, time } = parsed(messageSchema, message, 'msg', cure);
  const content = parsed(eventSchema, event, 'msg.event', cure);
  const { gatewayId, ...rest } = { gatewayId: undefined, ...content };
  return {
    ...rest,
    ...(gatewayId === undefined || gatewayId === ''
      ? {}
      : { gatewayId: parseGatewayEui(gatewayId, 'msg.event.gatewayId') }),
    device: { ...device, devEui: parseDevEui(device.devEui, 'msg.device.devEui') },
    time,
    replayed: event.replayed ?? false,
    ...(event.eventId === undefined ? {} : { eventId: parseEventId(event.eventId, 'msg.event.eventId') }),
  } as DeviceEvent;
}

/**
 * The health of a connection that a message carries.
 * @throws InvalidInputError
 */
export function healthFromMessage(message: unknown): {
  health: ConnectionHealth;
  connection: { id: string; name: string };
} {
  const { payload, connection } = parsed(healthSchema, message, 'msg', 'Keep health messages as the poller sent them.');
  return { health: payload as ConnectionHealth, connection };
}
