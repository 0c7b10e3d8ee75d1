import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { test } from 'node:test';
import { z } from 'zod';
import { ChirpstackServer, type Device, instant, seededRandom, World } from '../../../lib/simulator';
import { capturedLogger } from '../../support/captured-logger';
import { ManualClock } from '../../support/manual-clock';
import { recordedLines, recording } from '../../support/paths';
import { Clients, plain, quiet, until } from './clients';
import {
  deviceInfoSchema,
  instantOf,
  recordedCallSchema,
  recordedItems,
  recordedWorld,
  SECRET,
  sendRecorded,
  TOKENS,
  uplinkBodySchema,
} from './recorded-world';

const ADMINISTRATOR = `Bearer ${TOKENS.administrator}`;

/** Ids and times that each server makes for itself are replaced; what remains must be the same. */
function comparable(type: string, body: string, ids: ReadonlyMap<string, string>): unknown {
  const text = body.replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, (id) => ids.get(id) ?? id);
  const parsed = z.record(z.string(), z.unknown()).parse(JSON.parse(text));
  if (type === 'txack' || type === 'log') {
    assert.match(String(parsed.time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.(\d{3}|\d{6}|\d{9}))?\+00:00$/);
    parsed.time = 'its own';
  }
  if (type === 'txack') {
    assert.equal(Number.isInteger(parsed.downlinkId), true);
    parsed.downlinkId = 0;
  }
  return parsed;
}

test('streams the events of a device as the recorded server did: history at once, then every second', async (context) => {
  const clock = new ManualClock(1795448138_879);
  const { server, device } = recordedWorld(clock);
  const clients = new Clients(await server.listen('127.0.0.1', 0));
  context.after(async () => {
    clients.close();
    await server.close();
  });
  const ids = new Map<string, string>();
  for (const call of z.array(recordedCallSchema).parse(recording('calls.json'))) {
    if (call.method !== 'enqueue' || call.reply === undefined) continue;
    const { reply } = await clients.call('dev.enqueue', call.request, ADMINISTRATOR);
    const id = z.object({ id: z.string() });
    ids.set(id.parse(reply).id, id.parse(call.reply).id);
  }
  const recorded = recordedItems();
  const [opened] = recorded;
  await clock.advance(Date.parse(opened?.at ?? '') - clock.now());
  const stream = clients.streamDeviceEvents(device.devEui, ADMINISTRATOR);
  await until(() => stream.items.length === 8);

  const acknowledging = new Set(
    recorded
      .filter(({ description }) => description === 'ack')
      .map(({ body }) => z.object({ deduplicationId: z.string() }).parse(JSON.parse(body)).deduplicationId),
  );
  for (const item of recorded.slice(8)) {
    if (item.description !== 'up') continue;
    const receivedAt = Number(item.id.split('-')[0]);
    await clock.advance(receivedAt - clock.now());
    const body = uplinkBodySchema.parse(JSON.parse(item.body));
    const before = stream.items.length;
    sendRecorded(server, device, body, { receivedAt, acknowledges: acknowledging.has(body.deduplicationId) });
    await quiet();
    assert.equal(stream.items.length, before, 'nothing arrives before the server looks again');
    await clock.advance(1_100);
  }
  await until(() => stream.items.length === recorded.length);
  stream.cancel();
  assert.deepEqual(
    stream.items.map((item) => item.getDescription()),
    recorded.map((item) => item.description),
  );
  stream.items.forEach((item, index) => {
    const expected = recorded[index];
    if (expected === undefined) return;
    const type = expected.description;
    assert.deepEqual(comparable(type, item.getBody(), ids), comparable(type, expected.body, ids));
    const object = z.record(z.string(), z.unknown()).parse(plain(item.toObject()));
    assert.deepEqual(object.propertiesMap, expected.propertiesMap);
    assert.deepEqual(Object.keys(object), ['id', 'time', 'description', 'body', 'propertiesMap']);
    if (type === 'up') assert.deepEqual([object.id, object.time], [expected.id, expected.time]);
    if (type === 'ack') assert.deepEqual(object.time, expected.time);
    assert.match(item.getId(), /^\d{13}-\d+$/);
  });
});

const lineSchema = z.object({
  topic: z.string(),
  payload: z.looseObject({ deduplicationId: z.string().optional(), time: z.string(), deviceInfo: deviceInfoSchema }),
});
const statusSchema = z.object({ margin: z.number(), externalPowerSource: z.boolean(), batteryLevel: z.number() });
const queuedSchema = z.object({ queueItemId: z.string() });

/** A server with exactly the device that an event is about. */
function worldOf(
  info: z.infer<typeof deviceInfoSchema>,
  devAddr: string,
  script: string,
  clock: ManualClock,
): { server: ChirpstackServer; device: Device } {
  const stored = { createdAt: instant(0), updatedAt: instant(0) };
  const world = new World({ secret: SECRET });
  const { tenantId } = info;
  world.addTenant({ id: tenantId, name: info.tenantName, ...stored });
  world.addApplication({ id: info.applicationId, tenantId, name: info.applicationName, ...stored });
  world.addProfile({ id: info.deviceProfileId, tenantId, name: info.deviceProfileName, script, ...stored });
  world.addGateway({ tenantId, gatewayId: '0102030405060708', name: 'g', ...stored });
  const device = world.addDevice({
    devEui: info.devEui,
    devAddr,
    applicationId: info.applicationId,
    profileId: info.deviceProfileId,
    name: info.deviceName,
    tags: info.tags,
    ...stored,
  });
  const server = new ChirpstackServer({ world, clock, random: seededRandom(1), logger: capturedLogger().logger });
  return { server, device };
}

test('writes every event of the MQTT recording with the same keys and values', async (suite) => {
  const script = recordedWorld(new ManualClock()).server.world.profiles.values().next().value?.script ?? '';
  for (const line of recordedLines('mqtt-events.ndjson')) {
    const { topic, payload } = lineSchema.parse(line);
    const type = topic.split('/').at(-1) ?? '';
    await suite.test(topic, async () => {
      const clock = new ManualClock(1795448138_879);
      const up = uplinkBodySchema.safeParse(payload);
      const { server, device } = worldOf(payload.deviceInfo, up.data?.devAddr ?? '', script, clock);
      const newest = (): string => server.world.events(device.devEui).all().at(-1)?.body() ?? '';
      const add = (item: { confirmed: boolean; size: number; expired: boolean }): void =>
        device.queue.add({
          id: '11111111-1111-4111-8111-111111111111',
          confirmed: item.confirmed,
          fPort: 10,
          data: Buffer.alloc(item.size),
          isEncrypted: false,
          isPending: false,
          fCntDown: 0,
          ...(item.expired ? { expiresAt: instant(0) } : {}),
        });
      const ids = new Map([
        [
          '11111111-1111-4111-8111-111111111111',
          queuedSchema.safeParse(payload).data?.queueItemId ?? queueItemOf(payload),
        ],
      ]);
      switch (type) {
        case 'up': {
          assert.ok(up.success);
          device.fCntUp = up.data.fCnt;
          sendRecorded(server, device, up.data, { receivedAt: clock.now() });
          break;
        }
        case 'status': {
          const { margin, externalPowerSource } = statusSchema.parse(payload);
          const status = { margin, externalPower: externalPowerSource, batteryLevel: (200 / 254) * 100 };
          server.network.status(device, status, instantOf(payload.time), payload.deduplicationId);
          break;
        }
        default: {
          const code = typeof payload.code === 'string' ? payload.code : '';
          device.fCntDown = Number(payload.fCntDown ?? 0);
          add({
            confirmed: type === 'ack',
            size: code === 'DOWNLINK_PAYLOAD_SIZE' ? 300 : 1,
            expired: code === 'EXPIRED',
          });
          server.network.receive(device, { data: Buffer.of(0) });
          await clock.advance(1_000);
          if (type === 'ack') {
            const time = instantOf(payload.time);
            const { deduplicationId = '' } = payload;
            server.network.receive(device, { data: Buffer.of(0), acknowledges: true, time, deduplicationId });
          }
        }
      }
      assert.deepEqual(comparable(type, newest(), ids), comparable(type, JSON.stringify(payload), ids));
    });
  }
});

function queueItemOf(payload: Record<string, unknown>): string {
  const held = z.object({ context: z.object({ queue_item_id: z.string() }) }).safeParse(payload);
  return held.data?.context.queue_item_id ?? '';
}
