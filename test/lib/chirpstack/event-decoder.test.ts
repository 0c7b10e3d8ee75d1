import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { type DecodedEvent, decodeEvent, decodeIncomingMessage, EVENT_TYPES } from '../../../lib/chirpstack';
import { type DeviceEvent, InvalidInputError, type Reading } from '../../../lib/model';
import { recordedLines, recording } from '../../support/paths';

interface RecordedItem {
  id: string;
  description: string;
  body: string;
}
interface RecordedMessage {
  topic: string;
  payload: Record<string, unknown>;
}

const items = recording('stream-device-events.json') as RecordedItem[];
const messages = recordedLines('mqtt-events.ndjson') as RecordedMessage[];
const typeOf = (topic: string): string => topic.split('/').at(-1) ?? '';

function readingOf(decoded: DecodedEvent): Reading {
  assert.ok(decoded.kind === 'reading', decoded.kind);
  return decoded.reading;
}
function eventOf(decoded: DecodedEvent): DeviceEvent {
  assert.ok(decoded.kind === 'device-event', decoded.kind);
  return decoded.event;
}
function faultsOf(action: () => unknown) {
  try {
    action();
  } catch (error) {
    assert.ok(error instanceof InvalidInputError, String(error));
    return error.faults;
  }
  return assert.fail('no fault was found');
}

const info = { devEui: 'A0B0C0D000000001', deviceName: 'Sensor', applicationId: '', tags: { site: 'south' } };
const base = { deviceInfo: info, time: '2026-11-23T15:34:18.637999999+00:00' };
const live = { replayed: false };

describe('recorded events', () => {
  test('an uplink gives one reading with everything that is known of it', () => {
    const up = items.find(({ description }) => description === 'up');
    assert.ok(up);
    assert.deepEqual(decodeEvent('up', up.body, { replayed: true }), {
      kind: 'reading',
      reading: {
        device: {
          devEui: 'a0b0c0d000000001',
          name: 'Sensor 1',
          applicationId: 'fb5d752d-9c1a-40b6-978f-262f65d4ae10',
          applicationName: 'Kit application 0',
          profileId: 'e2f095af-1c49-4aae-a473-940052b765c8',
          profileName: 'Kit sensor',
          deviceClass: 'A',
          tags: { site: 'south' },
        },
        values: { battery_voltage: 3.6, door: false, counter: 0, state: 'alarm', temperature: 20, humidity: 50 },
        time: Date.UTC(2026, 10, 23, 15, 34, 18, 637),
        quality: {},
        origin: 'replay',
        radio: {
          rssi: -60,
          snr: 7.5,
          gateways: [{ gatewayId: '0102030405060708', rssi: -60, snr: 7.5 }],
          dataRate: 5,
          frequency: 868_100_000,
          fCnt: 0,
          fPort: 2,
        },
        eventId: '93c47fd0-ac0d-43f4-a6ee-c35cc742a2e8',
      },
    });
  });

  test('every recorded event is understood', () => {
    for (const { description, body } of items) assert.notEqual(decodeEvent(description, body, live).kind, 'ignored');
    for (const { topic, payload } of messages)
      assert.notEqual(decodeEvent(typeOf(topic), payload, live).kind, 'ignored');
  });

  test('a message gives exactly what the stream gives, as text, Buffer or object, by MQTT, HTTP or official node', () => {
    for (const { description: type, body } of items) {
      const expected = decodeEvent(type, body, live);
      const topic = `application/fb5d752d-9c1a-40b6-978f-262f65d4ae10/device/a0b0c0d000000001/event/${type}`;
      for (const payload of [body, Buffer.from(body), new TextEncoder().encode(body), JSON.parse(body) as unknown]) {
        assert.deepEqual(decodeIncomingMessage({ topic, payload }), expected);
        assert.deepEqual(decodeIncomingMessage({ topic: `eu868/site/${topic}`, payload }), expected);
        assert.deepEqual(decodeIncomingMessage({ req: { query: { event: type } }, payload }), expected);
        assert.deepEqual(decodeIncomingMessage({ payload }), expected, 'the official node passes on the payload alone');
      }
    }
  });

  test('the same uplink is the same reading on both recorded paths', () => {
    const byStream = new Map<unknown, DecodedEvent>();
    for (const { description, body } of items) {
      const decoded = decodeEvent(description, body, live);
      if (decoded.kind === 'reading') byStream.set(decoded.reading.eventId, decoded);
    }
    let compared = 0;
    for (const { topic, payload } of messages) {
      const decoded = decodeIncomingMessage({ topic, payload });
      const twin = decoded.kind === 'reading' ? byStream.get(decoded.reading.eventId) : undefined;
      if (twin === undefined) continue;
      assert.deepEqual(decoded, twin);
      compared++;
    }
    assert.ok(compared > 0);
  });

  test('snake_case names, protobuf’s own, mean the same', () => {
    const snake = (value: unknown, key = ''): unknown => {
      if (Array.isArray(value)) return value.map((item) => snake(item));
      if (typeof value !== 'object' || value === null || ['object', 'tags', 'context', 'metadata'].includes(key))
        return value;
      return Object.fromEntries(
        Object.entries(value).map(([name, inner]) => [
          name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
          snake(inner, name),
        ]),
      );
    };
    for (const { topic, payload } of messages) {
      const type = typeOf(topic);
      assert.deepEqual(decodeEvent(type, snake(payload), live), decodeEvent(type, payload, live));
    }
  });
});

describe('uplinks', () => {
  test('the strongest reception stands for the uplink; what JSON omits is 0', () => {
    const rxInfo = [
      { gatewayId: '0102030405060701', rssi: -90, snr: 9 },
      { gatewayId: '0102030405060702', snr: 3 },
      { gatewayId: '0102030405060703', rssi: -50 },
    ];
    const { radio } = readingOf(decodeEvent('up', { ...base, rxInfo }, live));
    assert.deepEqual(radio, {
      rssi: 0,
      snr: 3,
      gateways: [
        { gatewayId: '0102030405060701', rssi: -90, snr: 9 },
        { gatewayId: '0102030405060702', rssi: 0, snr: 3 },
        { gatewayId: '0102030405060703', rssi: -50, snr: 0 },
      ],
      dataRate: 0,
      fCnt: 0,
      fPort: 0,
    });
  });

  test('without a decoded object it says that the device is alive', () => {
    for (const object of [undefined, null, {}]) {
      const reading = readingOf(decodeEvent('up', { ...base, object }, live));
      assert.deepEqual(reading.values, {});
      assert.equal(reading.eventId, undefined);
      assert.equal(reading.device.devEui, 'a0b0c0d000000001');
      assert.equal(reading.device.applicationId, undefined);
    }
  });

  test('numbers keep what JSON can hold, and null (ChirpStack’s NaN) is no value', () => {
    const body = `{"deviceInfo":{"devEui":"a0b0c0d000000001"},"time":"2026-01-01T00:00:00Z","object":{"big":9007199254740993,"tiny":1e-45,"huge":1e39,"nan":null,"n":-0.1,"list":[1,{"x":"y"}]}}`;
    const { values } = readingOf(decodeEvent('up', body, live));
    assert.deepEqual(values, { big: 9007199254740992, tiny: 1e-45, huge: 1e39, n: -0.1, list_0: 1, list_1_x: 'y' });
  });

  test('says what of the object cannot be a metric, and uses the rest', () => {
    const decoded = decodeEvent('up', { ...base, object: { ok: 1, ['x'.repeat(300)]: 2 } }, live);
    assert.deepEqual(readingOf(decoded).values, { ok: 1 });
    assert.ok(decoded.kind === 'reading');
    assert.match(decoded.faults?.[0]?.rule ?? '', /metric key/);
  });

  test('takes the time of the reception, then that of the stream item, if it tells none itself', () => {
    const rxInfo = [{ gatewayId: '0102030405060701', gwTime: 'nonsense', nsTime: '2026-01-01T00:00:00.5+01:00' }];
    assert.equal(
      readingOf(decodeEvent('up', { deviceInfo: info, rxInfo }, live)).time,
      Date.UTC(2025, 11, 31, 23, 0, 0, 500),
    );
    assert.equal(readingOf(decodeEvent('up', { deviceInfo: info }, { replayed: false, time: 5 })).time, 5);
    assert.equal(faultsOf(() => decodeEvent('up', { deviceInfo: info }, live))[0]?.field, 'time');
  });

  test('cuts a time to ms and never rounds it up', () => {
    assert.equal(readingOf(decodeEvent('up', base, live)).time, Date.UTC(2026, 10, 23, 15, 34, 18, 637));
  });
});

describe('other events', () => {
  test('join, ack, txack', () => {
    assert.deepEqual(eventOf(decodeEvent('join', { ...base, devAddr: '00189440', deduplicationId: 'd' }, live)), {
      type: 'join',
      device: { devEui: 'a0b0c0d000000001', name: 'Sensor', tags: { site: 'south' } },
      time: Date.UTC(2026, 10, 23, 15, 34, 18, 637),
      replayed: false,
      eventId: 'd',
      devAddr: '00189440',
    });
    const ack = eventOf(
      decodeEvent('ack', { ...base, queueItemId: 'q', acknowledged: true, deduplicationId: '' }, live),
    );
    assert.ok(ack.type === 'ack');
    assert.deepEqual([ack.queueItemId, ack.acknowledged, ack.fCntDown, ack.eventId], ['q', true, 0, undefined]);
    const txack = eventOf(
      decodeEvent(
        'txack',
        { ...base, queueItemId: 'q', fCntDown: 7, gatewayId: '0102030405060708' },
        { replayed: true },
      ),
    );
    assert.ok(txack.type === 'txack');
    assert.deepEqual([txack.fCntDown, txack.gatewayId, txack.replayed], [7, '0102030405060708', true]);
    const without = eventOf(decodeEvent('txack', { ...base, queueItemId: 'q', gatewayId: '' }, live));
    assert.ok(without.type === 'txack' && without.gatewayId === undefined);
  });

  test('an acknowledgement without its flag is none', () => {
    const ack = eventOf(decodeEvent('ack', { ...base, queueItemId: 'q' }, live));
    assert.ok(ack.type === 'ack' && !ack.acknowledged);
  });

  test('the battery level is told only where it means something', () => {
    const level = (fields: object): unknown => {
      const event = eventOf(decodeEvent('status', { ...base, margin: 10, ...fields }, live));
      assert.ok(event.type === 'status');
      return event.batteryLevel;
    };
    assert.equal(level({ batteryLevel: 78.74 }), 78.74);
    assert.equal(level({}), 0);
    assert.equal(level({ batteryLevel: 0, batteryLevelUnavailable: true }), undefined);
    assert.equal(level({ batteryLevel: 0, externalPowerSource: true }), undefined);
  });

  test('log and location', () => {
    const log = eventOf(
      decodeEvent(
        'log',
        { ...base, level: 'ERROR', code: 'UPLINK_CODEC', description: 'x', context: { a: 'b' } },
        live,
      ),
    );
    assert.ok(log.type === 'log');
    assert.deepEqual([log.level, log.code, log.description, log.context], ['ERROR', 'UPLINK_CODEC', 'x', { a: 'b' }]);
    const location = eventOf(decodeEvent('location', { ...base, location: { latitude: 52.1 } }, live));
    assert.ok(location.type === 'location');
    assert.deepEqual(
      [location.latitude, location.longitude, location.altitude, location.source],
      [52.1, 0, 0, 'UNKNOWN'],
    );
  });

  test('types that Lorua does not know are ignored with a reason', () => {
    const decoded = decodeEvent('integration', {}, live);
    assert.ok(decoded.kind === 'ignored' && decoded.why.includes('integration'));
  });
});

describe('malformed events', () => {
  for (const [what, type, body, field] of [
    ['no JSON', 'up', '{', 'event'],
    ['no object', 'up', '7', 'event'],
    ['a list', 'up', [], 'event'],
    ['no device', 'up', {}, 'deviceInfo'],
    ['a bad DevEUI', 'up', { ...base, deviceInfo: { devEui: 'zz' } }, 'deviceInfo.devEui'],
    [
      'a bad application id',
      'up',
      { ...base, deviceInfo: { ...info, applicationId: 'x' } },
      'deviceInfo.applicationId',
    ],
    ['a bad time', 'up', { ...base, time: 'yesterday' }, 'time'],
    ['a time before 1970', 'up', { ...base, time: '1969-01-01T00:00:00Z' }, 'time'],
    ['a text as rssi', 'up', { ...base, rxInfo: [{ gatewayId: '0102030405060701', rssi: 'x' }] }, 'rxInfo.0.rssi'],
    ['an unknown level', 'log', { ...base, level: 'LOUD' }, 'level'],
    ['no location', 'location', base, 'location'],
  ] as const)
    test(`${what} is refused by field name`, () => {
      const [fault] = faultsOf(() => decodeEvent(type, body, live));
      assert.equal(fault?.field, field);
      assert.notEqual(fault?.cure, '');
    });

  test('nothing but InvalidInputError is ever thrown', () => {
    const anyType = fc.oneof(fc.constantFrom(...EVENT_TYPES), fc.string());
    const shaped = fc.record(
      {
        deviceInfo: fc.oneof(fc.constant(info), fc.anything()),
        time: fc.oneof(fc.constant('2026-11-23T15:34:18Z'), fc.anything()),
        object: fc.oneof(fc.jsonValue(), fc.anything()),
        rxInfo: fc.oneof(fc.array(fc.record({ gatewayId: fc.anything(), rssi: fc.anything() })), fc.anything()),
        txInfo: fc.anything(),
        location: fc.anything(),
        context: fc.anything(),
        level: fc.anything(),
        deduplicationId: fc.anything(),
      },
      { requiredKeys: [] },
    );
    const body = fc.oneof(shaped, fc.anything(), fc.json(), fc.string());
    fc.assert(
      fc.property(anyType, body, fc.boolean(), (type, event, replayed) => {
        try {
          const decoded = decodeEvent(type, event, { replayed });
          if (decoded.kind === 'reading') assert.ok(decoded.reading.time > 0);
        } catch (error) {
          assert.ok(error instanceof InvalidInputError, String(error));
        }
      }),
      { numRuns: 2_000 },
    );
    fc.assert(
      fc.property(fc.anything(), fc.oneof(body, fc.uint8Array()), fc.anything(), (topic, payload, req) => {
        try {
          decodeIncomingMessage({ topic, payload, req });
          decodeIncomingMessage(topic);
        } catch (error) {
          assert.ok(error instanceof InvalidInputError, String(error));
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('incoming messages', () => {
  const up = { ...base, fCnt: 1 };

  test('commands on the same topic tree, and events of gateways, are ignored', () => {
    for (const topic of ['application/1/device/2/command/down', 'eu868/gateway/0102030405060708/event/up'])
      assert.equal(decodeIncomingMessage({ topic, payload: 'whatever' }).kind, 'ignored');
  });

  test('an event that the broker kept is a replayed one', () => {
    const topic = 'application/1/device/2/event/up';
    assert.equal(readingOf(decodeIncomingMessage({ topic, payload: up, retain: true })).origin, 'replay');
    assert.equal(readingOf(decodeIncomingMessage({ topic, payload: up, retain: false })).origin, 'event');
  });

  test('protobuf is refused with the setting that cures it', () => {
    const topic = 'application/1/device/2/event/up';
    for (const payload of [Buffer.from([0x0a, 0x24, 0x39]), Buffer.alloc(0), '\n$39', '[1]', 'null']) {
      const [fault] = faultsOf(() => decodeIncomingMessage({ topic, payload }));
      assert.equal(fault?.field, 'msg.payload');
      assert.match(fault?.cure ?? '', /json=true/);
    }
    assert.equal(faultsOf(() => decodeIncomingMessage({ topic, payload: 7 }))[0]?.field, 'msg.payload');
  });

  test('a message that is no event is refused with what is missing', () => {
    assert.equal(faultsOf(() => decodeIncomingMessage(undefined))[0]?.field, 'msg');
    assert.equal(faultsOf(() => decodeIncomingMessage({ topic: 'x', payload: {} }))[0]?.field, 'msg.topic');
    assert.equal(faultsOf(() => decodeIncomingMessage({ payload: { deviceInfo: info } }))[0]?.field, 'msg.topic');
  });

  test('the type of an event of the official node is seen by its fields', () => {
    const type = (fields: object): string => {
      const decoded = decodeIncomingMessage({ payload: { ...base, ...fields } });
      return decoded.kind === 'device-event' ? decoded.event.type : decoded.kind;
    };
    assert.equal(type({ devAddr: '01', deduplicationId: 'x' }), 'join');
    assert.equal(type({ location: {} }), 'location');
    assert.equal(type({ margin: 1, batteryLevel: 2 }), 'status');
    assert.equal(type({ level: 'INFO', code: 'OTAA' }), 'log');
    assert.equal(type({ downlinkId: 1, queueItemId: 'x' }), 'txack');
    assert.equal(type({ acknowledged: false, queueItemId: 'x' }), 'ack');
    assert.equal(type({ fPort: 1, devAddr: '01' }), 'reading');
  });
});
