import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  DEVICE_HEALTH_STATES,
  type DeviceCondition,
  judgeDeviceHealth,
  QUALITY_CODES,
  type Quality,
} from '../../../lib/model';

const judge = (condition: Partial<DeviceCondition>): string | undefined =>
  judgeDeviceHealth({ isDisabled: false, qualities: [], ...condition })?.state;

const STALE = 'UncertainLastUsableValue';
const DEAD = 'BadNoCommunication';

test('the numbers are those of the standard', () => {
  assert.deepEqual(
    [...DEVICE_HEALTH_STATES.entries()],
    [
      [0, 'NORMAL'],
      [1, 'FAILURE'],
      [2, 'CHECK_FUNCTION'],
      [3, 'OFF_SPEC'],
      [4, 'MAINTENANCE_REQUIRED'],
    ],
  );
});

test('the categories of NE 107, each for its reason', () => {
  const cases: readonly [Partial<DeviceCondition>, string | undefined][] = [
    [{}, undefined],
    [{ qualities: ['BadWaitingForInitialData'] }, undefined],
    [{ qualities: ['Good'] }, 'NORMAL'],
    [{ batteryLevel: 90, margin: 12 }, 'NORMAL'],
    [{ qualities: [DEAD, DEAD], batteryLevel: 1 }, 'FAILURE'],
    [{ qualities: [DEAD, STALE] }, 'OFF_SPEC'],
    [{ qualities: [DEAD, 'Good'] }, 'NORMAL'],
    [{ qualities: [STALE] }, 'OFF_SPEC'],
    [{ qualities: ['Good', 'UncertainSensorNotAccurate'], batteryLevel: 1 }, 'OFF_SPEC'],
    [{ qualities: ['Good'], batteryLevel: 19.9 }, 'MAINTENANCE_REQUIRED'],
    [{ qualities: ['Good'], batteryLevel: 20 }, 'NORMAL'],
    [{ qualities: ['Good'], margin: 2 }, 'MAINTENANCE_REQUIRED'],
    [{ margin: -5 }, 'MAINTENANCE_REQUIRED'],
    [{ isDisabled: true, qualities: [DEAD] }, 'CHECK_FUNCTION'],
  ];
  for (const [condition, state] of cases) assert.equal(judge(condition), state, JSON.stringify(condition));
});

test('there is a reason exactly where something is not normal', () => {
  fc.assert(
    fc.property(
      fc.record({
        isDisabled: fc.boolean(),
        qualities: fc.array(fc.constantFrom(...(Object.keys(QUALITY_CODES) as Quality[]))),
        batteryLevel: fc.option(fc.double({ min: 0, max: 100, noNaN: true }), { nil: undefined }),
        margin: fc.option(fc.integer({ min: -32, max: 31 }), { nil: undefined }),
      }),
      (condition) => {
        const health = judgeDeviceHealth(condition);
        assert.ok(health === undefined || (health.reason === '') === (health.state === 'NORMAL'));
        if (condition.qualities.includes('Good') && !condition.isDisabled) assert.notEqual(health?.state, 'FAILURE');
      },
    ),
  );
});
