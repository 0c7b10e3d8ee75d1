import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { test } from 'node:test';
import { z } from 'zod';
import {
  ChirpstackServer,
  type Device,
  type DownlinkFrame,
  instant,
  seededRandom,
  World,
} from '../../../lib/simulator';
import { capturedLogger } from '../../support/captured-logger';
import { ManualClock } from '../../support/manual-clock';
import { recording } from '../../support/paths';
import { Clients } from './clients';
import { deviceInfoSchema, instantOf, SECRET, TOKENS, uplinkBodySchema } from './recorded-world';

const AUTHORIZATION = `Bearer ${TOKENS.administrator}`;

const stepSchema = z.discriminatedUnion('what', [
  z.object({
    what: z.literal('enqueued'),
    at: z.number(),
    id: z.string(),
    confirmed: z.boolean().default(false),
    data: z.string().default('01'),
    object: z.object({ v: z.number() }).optional(),
    expires: z.number().optional(),
  }),
  z.object({ what: z.literal('queue'), at: z.number(), items: z.array(z.looseObject({ id: z.string() })) }),
  z.object({ what: z.literal('uplink sent'), at: z.number(), ack: z.boolean() }),
  z.object({ what: z.literal('event'), at: z.number(), type: z.string(), body: z.record(z.string(), z.unknown()) }),
  z.object({
    what: z.literal('frame to gateway'),
    at: z.number(),
    fPort: z.number(),
    data: z.string(),
    mType: z.string(),
  }),
  z.object({ what: z.literal('flushed'), at: z.number() }),
]);
type Step = z.infer<typeof stepSchema>;

const CODEC = `function decodeUplink(i) { return { data: { x: i.bytes[0] } }; }
function encodeDownlink(i) { return { bytes: [i.data.v], fPort: 5 }; }`;

function worldOf(steps: readonly Step[], clock: ManualClock): { server: ChirpstackServer; device: Device } {
  const first = steps.flatMap((step) => (step.what === 'event' && step.type === 'up' ? [step.body] : []))[0];
  const body = uplinkBodySchema.parse(first);
  const info = deviceInfoSchema.parse(body.deviceInfo);
  const { tenantId } = info;
  const stored = { createdAt: instant(0), updatedAt: instant(0) };
  const world = new World({ secret: SECRET, eventHistory: 100 });
  world.addKey({ id: '00000000-0000-4000-8000-000000000001', name: 'a', isAdmin: true, isReadOnly: false });
  world.addTenant({ id: tenantId, name: info.tenantName, ...stored });
  world.addApplication({ id: info.applicationId, tenantId, name: info.applicationName, ...stored });
  const isClassC = info.deviceClassEnabled === 'CLASS_C';
  world.addProfile({
    id: info.deviceProfileId,
    tenantId,
    name: info.deviceProfileName,
    script: CODEC,
    supportsClassC: isClassC,
    classCTimeout: isClassC ? 5 : 0,
    ...stored,
  });
  world.addGateway({ tenantId, gatewayId: '0102030405060709', name: 'g', ...stored });
  const device = world.addDevice({
    devEui: info.devEui,
    devAddr: body.devAddr,
    applicationId: info.applicationId,
    profileId: info.deviceProfileId,
    name: info.deviceName,
    deviceClass: isClassC ? 'C' : 'A',
    fCntUp: body.fCnt,
    fCntDown: 2,
    ...stored,
  });
  const server = new ChirpstackServer({ world, clock, random: seededRandom(1), logger: capturedLogger().logger });
  return { server, device };
}

/** What each server makes for itself is taken out: ids of events and frames, times. */
function comparable(type: string, body: Readonly<Record<string, unknown>>): unknown {
  const own = { ...body };
  assert.match(String(own.time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00$/);
  delete own.time;
  if (type === 'txack') own.downlinkId = 0;
  // The scheduler has none to give; else it is that of the uplink.
  if (own.deduplicationId !== undefined && own.deduplicationId !== '') own.deduplicationId = 'of an uplink';
  if (Array.isArray(own.rxInfo))
    own.rxInfo = own.rxInfo.map((rx: unknown) => ({
      ...z.looseObject({}).parse(rx),
      uplinkId: 0,
      gwTime: '',
      nsTime: '',
    }));
  return { type, ...own };
}

const byText = (values: readonly unknown[]): string[] => values.map((value) => stable(value)).sort();

function stable(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

const frameText = (frame: DownlinkFrame): unknown => ({
  fPort: frame.fPort,
  data: Buffer.from(frame.data).toString('hex'),
  mType: frame.confirmed ? 'Confirmed Data Down' : 'Unconfirmed Data Down',
});

test('downlinks live as the recorded ones did', async (suite) => {
  const lifecycles = z.record(z.string(), z.array(stepSchema)).parse(recording('downlink-lifecycles.json'));
  assert.equal(Object.keys(lifecycles).length, 14);
  for (const [name, steps] of Object.entries(lifecycles))
    await suite.test(name, async (context) => {
      const start = Math.floor(Date.UTC(2026, 10, 23, 16, 45));
      const clock = new ManualClock(start);
      const { server, device } = worldOf(steps, clock);
      if (name.startsWith('gateway refuses once')) server.downlinks.answerWith('TOO_LATE', 1);
      if (name === 'gateway never answers') server.downlinks.answerWith('SILENT', 1);
      const frames: DownlinkFrame[] = [];
      server.downlinks.onFrame((frame) => frames.push(frame));
      const clients = new Clients(await server.listen('127.0.0.1', 0));
      context.after(async () => {
        clients.close();
        await server.close();
      });
      const ids = new Map<string, string>();
      const enqueue = async (step: {
        id?: string | undefined;
        confirmed: boolean;
        data: string;
        fPort?: number | undefined;
        object?: { v: number } | undefined;
        expires?: number | undefined;
      }): Promise<number | undefined> => {
        const expiry = step.expires === undefined ? {} : { expiresAt: { ...instant(clock.now() + step.expires) } };
        const object =
          step.object === undefined ? {} : { object: { fieldsMap: [['v', { numberValue: step.object.v }]] } };
        const queueItem = {
          devEui: device.devEui,
          confirmed: step.confirmed,
          fPort: step.fPort ?? 10,
          data: Buffer.from(step.data, 'hex').toString('base64'),
          ...object,
          ...expiry,
        };
        const { reply, error } = await clients.call('dev.enqueue', { queueItem, flushQueue: false }, AUTHORIZATION);
        if (error === undefined && step.id !== undefined)
          ids.set(z.object({ id: z.string() }).parse(reply).id, step.id);
        return error?.code;
      };
      let events: unknown[] = [];
      let framesSeen = 0;
      let expectedEvents: unknown[] = [];
      let expectedFrames: unknown[] = [];
      const log = server.world.events(device.devEui);
      let position = log.end;
      let x = 7;
      /** Compares what happened since the last time; order between events is not guaranteed. */
      const settle = (): void => {
        const { events: fresh, next } = log.read(position, 100);
        position = next;
        events = fresh.map((event) => {
          const text = event.body().replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, (id) => ids.get(id) ?? id);
          return comparable(event.type, z.record(z.string(), z.unknown()).parse(JSON.parse(text)));
        });
        assert.deepEqual(byText(events), byText(expectedEvents));
        assert.deepEqual(frames.slice(framesSeen).map(frameText), expectedFrames);
        framesSeen = frames.length;
        expectedEvents = [];
        expectedFrames = [];
      };
      for (const step of steps) {
        if (step.what === 'event' && step.type !== 'down') {
          expectedEvents.push(comparable(step.type, step.body));
          continue;
        }
        if (step.what === 'frame to gateway') {
          expectedFrames.push({ fPort: step.fPort, data: step.data, mType: step.mType });
          continue;
        }
        await clock.advance(Math.max(0, start + step.at - clock.now()));
        if (step.what !== 'enqueued') settle();
        switch (step.what) {
          case 'enqueued':
            assert.equal(await enqueue(step), undefined);
            break;
          case 'uplink sent':
            server.network.receive(device, { data: Buffer.of(x++), acknowledges: step.ack });
            break;
          case 'flushed':
            await clients.call('dev.flushQueue', { devEui: device.devEui }, AUTHORIZATION);
            break;
          case 'queue': {
            const { reply } = await clients.call(
              'dev.getQueue',
              { devEui: device.devEui, countOnly: true },
              AUTHORIZATION,
            );
            const { resultList, totalCount } = z
              .object({ totalCount: z.number(), resultList: z.array(z.looseObject({ id: z.string() })) })
              .parse(reply);
            assert.equal(totalCount, step.items.length);
            const shown = (item: Record<string, unknown>): unknown =>
              item.expiresAt === undefined ? item : { ...item, expiresAt: 'as asked' };
            assert.deepEqual(
              resultList.map((item) => shown({ ...item, id: ids.get(item.id) ?? item.id })),
              step.items.map(shown),
            );
            break;
          }
          case 'event':
            // The application's own command, as the broker shows it.
            server.command(device.devEui, step.body);
            break;
        }
      }
      await clock.advance(1_500);
      settle();
    });
});

test('reads times with every number of digits', () => {
  assert.deepEqual(instantOf('2026-11-23T15:35:40.528068783+00:00'), { seconds: 1795448140, nanos: 528068783 });
  assert.deepEqual(instantOf('2026-11-23T15:35:40+00:00'), { seconds: 1795448140, nanos: 0 });
});
