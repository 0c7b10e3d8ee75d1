import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type LoginPolicy, LoginThrottle } from '../../../lib/model';
import { ManualClock } from '../../support/manual-clock';

const POLICY: LoginPolicy = {
  freePerUser: 3,
  freePerAddress: 5,
  firstDelay: 1_000,
  longestDelay: 4_000,
  memory: 60_000,
};

function setUp(): {
  clock: ManualClock;
  attempt: (right: boolean, name?: string, address?: string) => Promise<string>;
  checks: () => number;
} {
  const clock = new ManualClock();
  const throttle = new LoginThrottle(clock, POLICY, 100);
  let checks = 0;
  return {
    clock,
    checks: () => checks,
    attempt: (right, name = 'ann', address = '192.0.2.1') =>
      throttle.attempt(name, address, {
        verify: () => {
          checks++;
          return Promise.resolve(right);
        },
      }),
  };
}

test('many guesses at once are no more than one after the other', async () => {
  const { attempt, checks } = setUp();
  const results = await Promise.all(Array.from({ length: 50 }, () => attempt(false)));
  assert.equal(checks(), 3);
  assert.equal(results.filter((result) => result === 'locked-out').length, 47);
});

test('waiting doubles up to a limit', async () => {
  const { attempt, clock, checks } = setUp();
  for (let guess = 0; guess < 3; guess++) await attempt(false);
  for (const delay of [1_000, 2_000, 4_000, 4_000]) {
    await clock.advance(delay - 1);
    assert.equal(await attempt(true), 'locked-out');
    await clock.advance(1);
    assert.equal(await attempt(false, 'ann'), 'wrong-credentials');
    // The address as a whole waits from its fifth failure on.
    assert.ok(checks() <= 8);
  }
});

test('an address of IPv6 is its network, and one of IPv4 the same however it is written', async () => {
  const { attempt } = setUp();
  for (const address of ['2001:db8:1:2::1', '2001:DB8:1:2:a::', '2001:db8:1:2:ffff:ffff:ffff:ffff%eth0'])
    await attempt(false, 'ann', address);
  assert.equal(await attempt(true, 'ann', '2001:0db8:0001:0002::9'), 'locked-out');
  assert.equal(await attempt(true, 'ann', '2001:db8:1:3::1'), 'accepted');
  for (const address of ['::ffff:192.0.2.7', '192.0.2.7', '::FFFF:192.0.2.7']) await attempt(false, 'bob', address);
  assert.equal(await attempt(true, 'bob', '192.0.2.7'), 'locked-out');
  assert.equal(await attempt(true, 'bob', '::1'), 'accepted');
});

test('a refusal takes as long as a check, also while locked out', async () => {
  const clock = new ManualClock();
  const throttle = new LoginThrottle(clock, POLICY, 10);
  const slow = {
    verify: async () => {
      await new Promise<void>((resolve) => clock.after(100, resolve));
      return false;
    },
  };
  for (let guess = 0; guess < 3; guess++) {
    const attempt = throttle.attempt('ann', 'here', slow);
    await clock.advance(100);
    assert.equal(await attempt, 'wrong-credentials');
  }
  let ended = '';
  const refused = throttle.attempt('ann', 'here', slow).then((result) => {
    ended = result;
  });
  await clock.advance(99);
  assert.equal(ended, '');
  await clock.advance(1);
  await refused;
  assert.equal(ended, 'locked-out');
  assert.equal(clock.pendingTimers, 0);
});

test('too many attempts are refused without being held against anybody', async () => {
  const clock = new ManualClock();
  const throttle = new LoginThrottle(clock, POLICY, 3);
  const results = await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      throttle.attempt('ann', `192.0.2.${index}`, { verify: () => Promise.resolve(true) }),
    ),
  );
  assert.equal(results.filter((result) => result === 'accepted').length, 5);
  assert.equal(await throttle.attempt('ann', '192.0.2.19', { verify: () => Promise.resolve(true) }), 'accepted');
});

test('a check that fails frees its place', async () => {
  const { attempt } = setUp();
  const throttle = new LoginThrottle(new ManualClock(), POLICY, 10);
  const broken = { verify: () => Promise.reject(new Error('out of memory')) };
  for (let tries = 0; tries < 5; tries++)
    await assert.rejects(throttle.attempt('ann', 'here', broken), /out of memory/);
  assert.equal(await throttle.attempt('ann', 'here', { verify: () => Promise.resolve(true) }), 'accepted');
  assert.equal(await attempt(true), 'accepted');
});
