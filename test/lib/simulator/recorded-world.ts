/** The world in which test/recordings was made: the same ids, names, times, codecs and events. */
import { Buffer } from 'node:buffer';
import { z } from 'zod';
import {
  ChirpstackServer,
  type Device,
  type Instant,
  instant,
  seededRandom,
  signToken,
  World,
} from '../../../lib/simulator';
import { capturedLogger } from '../../support/captured-logger';
import type { ManualClock } from '../../support/manual-clock';
import { recording } from '../../support/paths';

export const recordedCallSchema = z.object({
  key: z.string().optional(),
  what: z.string(),
  service: z.string(),
  method: z.string(),
  request: z.unknown(),
  reply: z.unknown().optional(),
  error: z.object({ code: z.number(), details: z.string() }).optional(),
});
export type RecordedCall = z.infer<typeof recordedCallSchema>;

const timeSchema = z.object({ seconds: z.number(), nanos: z.number() });

export const recordedItemSchema = z.object({
  at: z.string(),
  id: z.string(),
  time: timeSchema,
  description: z.string(),
  body: z.string(),
  propertiesMap: z.array(z.tuple([z.string(), z.string()])),
});

export const deviceInfoSchema = z.object({
  tenantId: z.string(),
  tenantName: z.string(),
  applicationId: z.string(),
  applicationName: z.string(),
  deviceProfileId: z.string(),
  deviceProfileName: z.string(),
  deviceName: z.string(),
  devEui: z.string(),
  deviceClassEnabled: z.enum(['CLASS_A', 'CLASS_B', 'CLASS_C']),
  tags: z.record(z.string(), z.string()),
});

export const uplinkBodySchema = z.object({
  deduplicationId: z.string(),
  time: z.string(),
  deviceInfo: deviceInfoSchema,
  devAddr: z.string(),
  dr: z.number(),
  fCnt: z.number(),
  fPort: z.number(),
  confirmed: z.boolean(),
  data: z.string(),
  object: z.unknown().optional(),
  rxInfo: z.array(
    z.object({
      gatewayId: z.string(),
      uplinkId: z.number(),
      nsTime: z.string(),
      rssi: z.number().default(0),
      snr: z.number().default(0),
    }),
  ),
  txInfo: z.object({ frequency: z.number() }),
});
export type UplinkBody = z.infer<typeof uplinkBodySchema>;

/** RFC 3339 with up to nine digits of a second. */
export function instantOf(text: string): Instant {
  const [, whole = '', digits = ''] = /^(.*T\d\d:\d\d:\d\d)(?:\.(\d+))?\+00:00$/.exec(text) ?? [];
  return { seconds: Date.parse(`${whole}Z`) / 1_000, nanos: Number(digits.padEnd(9, '0')) };
}

export const SECRET = 'the recorded server had another';
export const TOKENS = {
  administrator: signToken('00000000-0000-4000-8000-000000000001', SECRET),
  'tenant key': signToken('00000000-0000-4000-8000-000000000002', SECRET),
  'read-only tenant key': signToken('00000000-0000-4000-8000-000000000003', SECRET),
  'deleted key': signToken('00000000-0000-4000-8000-000000000004', SECRET),
} as const;

export const TENANT = '2af8d47d-35b9-4157-a99b-ac7a6769660f';
export const APPLICATION = 'fb5d752d-9c1a-40b6-978f-262f65d4ae10';
export const PROFILE = 'e2f095af-1c49-4aae-a473-940052b765c8';

const CREATED = {
  tenant: { seconds: 1795448056, nanos: 874229332 },
  profile: { seconds: 1795448056, nanos: 899270441 },
  gateway: { seconds: 1795448056, nanos: 920935033 },
  application: { seconds: 1795448056, nanos: 936347416 },
} as const;

const twice = (time: Instant): { createdAt: Instant; updatedAt: Instant } => ({ createdAt: time, updatedAt: time });

/** The recorded codec, as the profile in the recording shows it. */
function recordedScript(): string {
  const calls = z.array(recordedCallSchema).parse(recording('calls.json'));
  const reply = calls.find(({ what }) => what === 'device profile')?.reply;
  return z.object({ deviceProfile: z.object({ payloadCodecScript: z.string() }) }).parse(reply).deviceProfile
    .payloadCodecScript;
}

const listSchema = z.object({
  resultList: z.array(
    z.object({
      devEui: z.string(),
      createdAt: timeSchema,
      lastSeenAt: timeSchema,
      name: z.string(),
      tagsMap: z.array(z.tuple([z.string(), z.string()])),
    }),
  ),
});

export function recordedItems(): z.infer<typeof recordedItemSchema>[] {
  return z.array(recordedItemSchema).parse(recording('stream-device-events.json'));
}

/** Sends a recorded uplink again. */
export function sendRecorded(
  server: ChirpstackServer,
  device: Device,
  body: UplinkBody,
  times: { readonly receivedAt: number; readonly seenAt?: Instant; readonly acknowledges?: boolean },
): void {
  server.network.receive(device, {
    data: Buffer.from(body.data, 'base64'),
    fPort: body.fPort,
    confirmed: body.confirmed,
    time: instantOf(body.time),
    deduplicationId: body.deduplicationId,
    dataRate: body.dr,
    frequency: body.txInfo.frequency,
    receptions: body.rxInfo.map(({ nsTime, ...rest }) => ({ ...rest, serverTime: instantOf(nsTime) })),
    ...times,
  });
}

/** Builds it as it was when calls.json was recorded. */
export function recordedWorld(clock: ManualClock): { server: ChirpstackServer; device: Device } {
  const world = new World({ secret: SECRET });
  const chirpstack = instant(1795448049_000);
  world.addTenant({ id: '52f14cd4-c6f1-4fbd-8f87-4025e1d49242', name: 'ChirpStack', ...twice(chirpstack) });
  world.addTenant({ id: TENANT, name: 'Kit tenant', ...twice(CREATED.tenant) });
  world.addKey({ id: '00000000-0000-4000-8000-000000000001', name: 'a', isAdmin: true, isReadOnly: false });
  world.addKey({
    id: '00000000-0000-4000-8000-000000000002',
    name: 't',
    isAdmin: false,
    isReadOnly: false,
    tenantId: TENANT,
  });
  world.addKey({
    id: '00000000-0000-4000-8000-000000000003',
    name: 'r',
    isAdmin: false,
    isReadOnly: true,
    tenantId: TENANT,
  });
  world.addProfile({
    id: PROFILE,
    tenantId: TENANT,
    name: 'Kit sensor',
    script: recordedScript(),
    uplinkInterval: 60,
    measurements: {
      temperature: { name: 'Temperature', kind: 'GAUGE' },
      humidity: { name: 'Humidity', kind: 'GAUGE' },
      counter: { name: 'Pulses', kind: 'COUNTER' },
      battery_voltage: { name: 'Battery', kind: 'GAUGE' },
      door: { name: 'Door', kind: 'ABSOLUTE' },
      state: { name: 'State', kind: 'STRING' },
    },
    ...twice(CREATED.profile),
  });
  world.addGateway({
    tenantId: TENANT,
    gatewayId: '0102030405060708',
    name: 'Kit gateway',
    ...twice(CREATED.gateway),
  });
  world.addApplication({ id: APPLICATION, tenantId: TENANT, name: 'Kit application 0', ...twice(CREATED.application) });
  const server = new ChirpstackServer({
    world,
    clock,
    random: seededRandom(7),
    logger: capturedLogger().logger,
  });
  const calls = z.array(recordedCallSchema).parse(recording('calls.json'));
  const { resultList } = listSchema.parse(calls[0]?.reply);
  const devices = resultList.map(({ devEui, createdAt, lastSeenAt, name, tagsMap }, index) => {
    const device = world.addDevice({
      devEui,
      devAddr: `0100000${index + 1}`,
      applicationId: APPLICATION,
      profileId: PROFILE,
      name,
      tags: Object.fromEntries(tagsMap),
      skipFCntCheck: true,
      fCntDown: 8,
      ...twice(createdAt),
    });
    // Only of the first device every uplink is known.
    if (index > 0) server.network.receive(device, { data: Buffer.alloc(0), time: lastSeenAt, seenAt: lastSeenAt });
    return { device, lastSeenAt };
  });
  const [first] = devices;
  if (first === undefined) throw new Error('the recording has devices');
  for (const item of recordedItems().slice(0, 8))
    sendRecorded(server, first.device, uplinkBodySchema.parse(JSON.parse(item.body)), {
      receivedAt: Number(item.id.split('-')[0]),
      seenAt: first.lastSeenAt,
    });
  return { server, device: first.device };
}
