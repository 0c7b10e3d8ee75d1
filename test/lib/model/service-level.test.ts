import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { type ConnectionState, judgeService, SERVICE_LEVEL_REASONS, SERVICE_LEVELS } from '../../../lib/model';

const link = (state: ConnectionState, streamsOpen = 10, streamsWanted = 10) => ({ state, streamsOpen, streamsWanted });
const healthy = { storeState: 'healthy' } as const;

describe('the service level', () => {
  const cases: readonly (readonly [string, Parameters<typeof judgeService>[0], number, readonly string[]])[] = [
    ['all is well', { ...healthy, connections: [link('connected')] }, 255, []],
    ['a flow makes the values', { ...healthy, connections: [] }, 255, []],
    ['the first try', { ...healthy, connections: [link('connecting')] }, 100, ['connecting']],
    ['no answer', { ...healthy, connections: [link('disconnected'), link('connecting')] }, 1, ['no-connection']],
    ['one of two', { ...healthy, connections: [link('connected'), link('unauthenticated')] }, 150, ['connection-lost']],
    ['one stream of ten ends', { ...healthy, connections: [link('connected', 9)] }, 255, []],
    ['one stream of three ends', { ...healthy, connections: [link('connected', 2, 3)] }, 255, []],
    ['two streams of ten end', { ...healthy, connections: [link('connected', 8)] }, 180, ['streams-missing']],
    ['events come by MQTT', { ...healthy, connections: [link('connected', 0, 0)] }, 255, []],
    ['MQTT is there', { ...healthy, connections: [link('connected', 0, 0)], mqtt: [{ state: 'connected' }] }, 255, []],
    [
      'MQTT is gone',
      { ...healthy, connections: [link('connected', 0, 0)], mqtt: [{ state: 'connected' }, { state: 'disconnected' }] },
      150,
      ['mqtt-lost'],
    ],
    ['a certificate with time left', { ...healthy, connections: [], certificateLeft: 14 * 86_400_000 }, 255, []],
    ['a certificate that ends soon', { ...healthy, connections: [], certificateLeft: 1 }, 210, ['certificate-expires']],
    ['a certificate that has ended', { ...healthy, connections: [], certificateLeft: 0 }, 160, ['certificate-expired']],
    ['the disk is full', { storeState: 'degraded', connections: [] }, 199, ['store-degraded']],
    [
      'too much to do',
      { ...healthy, connections: [], eventLoop: { p50: 1, p99: 1_001, max: 2_000 } },
      190,
      ['overloaded'],
    ],
    [
      'several at once',
      { storeState: 'degraded', connections: [link('connected', 0), link('disconnected')] },
      150,
      ['connection-lost', 'streams-missing', 'store-degraded'],
    ],
  ];
  for (const [what, facts, level, reasons] of cases)
    test(what, () => assert.deepEqual(judgeService(facts), { level, reasons }));

  test('is that of the worst reason, which comes first', () => {
    const states = fc.constantFrom<ConnectionState>('connecting', 'connected', 'disconnected', 'unauthenticated');
    fc.assert(
      fc.property(
        fc.array(fc.tuple(states, fc.nat(20), fc.nat(20)), { maxLength: 4 }),
        fc.constantFrom('opening', 'healthy', 'degraded', 'closed'),
        fc.nat(3_000),
        fc.array(fc.record({ state: fc.constantFrom('connected', 'disconnected') }), { maxLength: 3 }),
        fc.option(fc.integer(), { nil: undefined }),
        (links, storeState, p99, mqtt, certificateLeft) => {
          const { level, reasons } = judgeService({
            connections: links.map((parts) => link(...parts)),
            mqtt,
            certificateLeft,
            storeState,
            eventLoop: { p50: 0, p99, max: p99 },
          });
          const levels = reasons.map((reason) => SERVICE_LEVEL_REASONS[reason]);
          assert.equal(level, Math.min(SERVICE_LEVELS.healthy, ...levels));
          assert.deepEqual(
            levels,
            levels.toSorted((a, b) => a - b),
          );
        },
      ),
    );
  });
});
