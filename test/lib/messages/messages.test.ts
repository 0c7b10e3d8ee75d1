import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import {
  deviceEventFromMessage,
  deviceEventMessage,
  healthFromMessage,
  healthMessage,
  parseReadingMessage,
  readingMessage,
  topicOf,
} from '../../../lib/messages';
import {
  type ConnectionHealth,
  type DeviceEvent,
  InvalidInputError,
  isQuality,
  ORIGINS,
  parseApplicationId,
  parseDevEui,
  parseDeviceProfileId,
  parseEventId,
  parseGatewayEui,
  QUALITY_CODES,
  type Quality,
  type Reading,
} from '../../../lib/model';
import { ManualClock } from '../../support/manual-clock';

const clock = new ManualClock();
const devEui = parseDevEui('0102030405060708');
const fields = (run: () => unknown): string[] => {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof InvalidInputError, String(error));
    assert.ok(error.faults.every(({ rule, cure }) => rule !== '' && cure !== ''));
    return error.faults.map(({ field }) => field);
  }
  return assert.fail('nothing was refused');
};

const keys = fc.string({ minLength: 1, maxLength: 8, unit: fc.constantFrom(...'abcXYZ'.split('')) });
const values = fc.dictionary(
  keys,
  fc.oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.boolean(),
    fc.string(),
  ),
  { noNullPrototype: true },
);
const qualities = fc.dictionary(
  keys,
  fc.constantFrom(...(Object.keys(QUALITY_CODES).filter((name) => name !== 'Good') as Quality[])),
  { noNullPrototype: true },
);

describe('reading messages', () => {
  test('a reading comes back from its message as it was', () => {
    fc.assert(
      fc.property(
        values,
        qualities,
        fc.integer({ min: 0, max: 4e12 }),
        fc.constantFrom(...ORIGINS),
        fc.option(fc.string({ minLength: 1, unit: fc.constantFrom(...'abc-09'.split('')) })),
        (given, quality, time, origin, id) => {
          const reading: Reading = {
            device: {
              devEui,
              name: 'Sensor',
              applicationId: parseApplicationId('00000000-0000-0000-0000-00000000000a'),
              applicationName: 'Farm',
              profileId: parseDeviceProfileId('00000000-0000-0000-0000-00000000000b'),
              profileName: 'Probe',
              deviceClass: 'A',
              tags: { room: '1' },
            },
            values: given,
            time,
            quality,
            origin,
            radio: {
              rssi: -90,
              snr: 7.5,
              dataRate: 5,
              frequency: 868_100_000,
              fCnt: 1,
              fPort: 2,
              gateways: [{ gatewayId: parseGatewayEui('0000000000000001'), rssi: -90, snr: 7.5 }],
            },
            ...(id === null ? {} : { eventId: parseEventId(id) }),
          };
          const message = readingMessage(reading, { _msgid: 'm', mine: 1 });
          assert.equal(message['mine'], 1);
          assert.equal(message.topic, 'Farm/Sensor');
          assert.deepEqual(parseReadingMessage(message, clock), { reading, faults: [] });
        },
      ),
    );
  });

  test('a function node needs device and payload only', () => {
    assert.deepEqual(
      parseReadingMessage({ device: { devEui: '01-02-03-04-05-06-07-08' }, payload: { x: { y: 1 } } }, clock),
      {
        reading: { device: { devEui }, values: { x_y: 1 }, time: clock.now(), quality: {}, origin: 'flow' },
        faults: [],
      },
    );
  });

  test('times may be numbers, dates and ISO texts', () => {
    const at = (time: unknown): number =>
      parseReadingMessage({ device: { devEui }, payload: { x: 1 }, time }, clock).reading.time;
    assert.equal(at(5), 5);
    assert.equal(at(new Date(7)), 7);
    assert.equal(at('2026-11-24T12:00:00.5+01:00'), Date.UTC(2026, 10, 24, 11, 0, 0, 500));
    for (const time of [-1, 1e18, 'yesterday', Number.NaN, {}])
      assert.deepEqual(
        fields(() => at(time)),
        ['msg.time'],
      );
  });

  test('what cannot be a reading is refused with all faults', () => {
    for (const message of [undefined, null, 5, 'text'])
      assert.ok(fields(() => parseReadingMessage(message, clock)).length > 0);
    const wrong = {
      device: { devEui: 'xyz', applicationId: 'none' },
      payload: { a: 1 },
      origin: 'moon',
      radio: { rssi: 'loud', gateways: [{ gatewayId: 'q', rssi: 1, snr: 1 }] },
    };
    const found = fields(() => parseReadingMessage(wrong, clock));
    assert.ok(found.some((field) => field.includes('devEui')));
    assert.ok(found.some((field) => field.includes('applicationId')));
    assert.ok(found.some((field) => field.includes('origin')));
    assert.ok(found.some((field) => field.includes('radio')));
    for (const payload of [undefined, null, 5, [1], Buffer.from('x')])
      assert.deepEqual(
        fields(() => parseReadingMessage({ device: { devEui }, payload }, clock)),
        ['msg.payload'],
      );
    assert.deepEqual(
      fields(() => parseReadingMessage({ device: { devEui }, payload: { a: Number.NaN } }, clock)),
      ['msg.payload.a'],
    );
  });

  test('what is wrong in part is used in part', () => {
    const { reading, faults } = parseReadingMessage(
      {
        device: { devEui, name: '' },
        payload: { good: 1, bad: Number.NaN },
        quality: { good: 'Good', other: 'BadSensorFailure', odd: 'Splendid' },
      },
      clock,
    );
    assert.deepEqual(reading.values, { good: 1 });
    assert.deepEqual(reading.quality, { other: 'BadSensorFailure' });
    assert.deepEqual(faults.map(({ field }) => field).sort(), ['msg.payload.bad', 'msg.quality.odd']);
    const noMap = parseReadingMessage({ device: { devEui }, payload: { a: 1 }, quality: 'Good' }, clock);
    assert.deepEqual(
      noMap.faults.map(({ field }) => field),
      ['msg.quality'],
    );
  });

  test('an uplink without values, and a status alone, are readings', () => {
    assert.deepEqual(parseReadingMessage({ device: { devEui }, payload: {} }, clock).reading.values, {});
    const { reading } = parseReadingMessage({ device: { devEui }, quality: { a: 'Bad' } }, clock);
    assert.deepEqual(reading.quality, { a: 'Bad' });
  });

  test('anything at all gives a valid reading or an InvalidInputError', () => {
    const anything = fc.oneof(
      fc.anything(),
      fc.record({
        device: fc.oneof(fc.constant({ devEui }), fc.anything()),
        payload: fc.anything(),
        quality: fc.anything(),
        time: fc.anything(),
      }),
    );
    fc.assert(
      fc.property(anything, (message) => {
        try {
          const { reading } = parseReadingMessage(message, clock);
          assert.ok(Number.isFinite(reading.time));
          assert.ok(Object.values(reading.quality).every(isQuality));
        } catch (error) {
          assert.ok(error instanceof InvalidInputError, String(error));
        }
      }),
      { numRuns: 500 },
    );
  });

  test('the topic is made of the best names there are', () => {
    assert.equal(topicOf({ devEui }), `?/${devEui}`);
    const applicationId = parseApplicationId('00000000-0000-0000-0000-00000000000a');
    assert.equal(topicOf({ devEui, applicationId, name: 'S' }), `${applicationId}/S`);
    assert.equal(
      readingMessage({ device: { devEui }, values: {}, time: 0, quality: {}, origin: 'flow' }, { topic: 't' }).topic,
      't',
    );
  });
});

describe('device-event messages', () => {
  const base = { device: { devEui }, time: 5, replayed: false };
  const events: DeviceEvent[] = [
    { ...base, type: 'txack', queueItemId: 'q', fCntDown: 1, gatewayId: parseGatewayEui('0000000000000001') },
    { ...base, type: 'txack', queueItemId: 'q', fCntDown: 1 },
    { ...base, type: 'ack', queueItemId: 'q', acknowledged: true, fCntDown: 1, eventId: parseEventId('e') },
    { ...base, type: 'log', level: 'ERROR', code: 'UPLINK_CODEC', description: 'd', context: { a: 'b' } },
    { ...base, type: 'status', margin: 3, externalPower: false, batteryLevel: 50 },
    { ...base, type: 'join', devAddr: '01020304', replayed: true },
    { ...base, type: 'location', latitude: 1, longitude: 2, altitude: 3, source: 'GEO' },
  ];

  test('every kind comes back from its message as it was', () => {
    for (const event of events) assert.deepEqual(deviceEventFromMessage(deviceEventMessage(event)), event);
  });

  test('what is no event is refused', () => {
    const [first] = events;
    assert.ok(first);
    const message = deviceEventMessage(first);
    for (const wrong of [
      undefined,
      {},
      { ...message, event: { type: 'x' } },
      { ...message, time: 'now' },
      { ...message, device: {} },
    ])
      assert.ok(fields(() => deviceEventFromMessage(wrong)).length > 0);
    assert.ok(
      fields(() => deviceEventFromMessage({ ...message, event: { ...message.event, gatewayId: 'q' } }))[0]?.includes(
        'gatewayId',
      ),
    );
  });
});

describe('health messages', () => {
  const health: ConnectionHealth = {
    state: 'connected',
    since: 1,
    reason: '',
    cure: '',
    lastSuccessfulPoll: 2,
    errorCount: 0,
    lastError: 'e',
    applications: 1,
    devices: 1,
    streamsOpen: 1,
    streamsWanted: 1,
    uplinks: 1,
  };

  test('come back as they were; what is none is refused', () => {
    const connection = { id: 'n', name: 'Main' };
    assert.deepEqual(healthFromMessage(healthMessage(health, connection)), { health, connection });
    assert.ok(
      fields(() => healthFromMessage({ payload: { ...health, state: 'sleepy' }, connection })).includes(
        'msg.payload.state',
      ),
    );
    assert.ok(fields(() => healthFromMessage(null)).length > 0);
  });
});
