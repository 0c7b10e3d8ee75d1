import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hashPassword } from '../../../lib/model';
import { Authenticator, type Logins } from '../../../lib/opcua/security/authentication';
import { ManualClock } from '../../support/manual-clock';

const CHEAP = { N: 2 ** 4, r: 1, p: 1 };
const HERE = '192.0.2.1';
type User = { readonly name: string; readonly password?: string };

function loginsOf(users: readonly User[]): Logins {
  return { find: (wanted) => users.find(({ name }) => name === wanted) };
}

const decoy = hashPassword('nobody has this', CHEAP);

test('clear and hashed passwords are verified', async () => {
  const users = [
    { name: 'ann', password: 'clear' },
    { name: 'bob', password: await hashPassword('hashed', CHEAP) },
  ];
  const authenticator = new Authenticator(loginsOf(users), { clock: new ManualClock(), decoy });
  assert.equal(await authenticator.authenticate('ann', 'clear', HERE), 'accepted');
  assert.equal(await authenticator.authenticate('bob', 'hashed', HERE), 'accepted');
  assert.equal(await authenticator.authenticate('bob', 'hashed', HERE), 'accepted', 'also from what is remembered');
  assert.equal(await authenticator.authenticate('bob', 'clear', HERE), 'wrong-credentials');
  assert.equal(await authenticator.authenticate('ann', 'hashed', HERE), 'wrong-credentials');
  assert.equal(await authenticator.authenticate('eve', 'clear', HERE), 'wrong-credentials');
  assert.equal(await authenticator.authenticate('bob', users[1]?.password ?? '', HERE), 'wrong-credentials');
});

test('repeated failures lock out user and address, longer each time, and the right password too', async () => {
  const clock = new ManualClock();
  const authenticator = new Authenticator(loginsOf([{ name: 'ann', password: 'right' }]), { clock, decoy });
  const attempt = (password: string, address = HERE): Promise<string> =>
    authenticator.authenticate('ann', password, address);
  for (let i = 0; i < 3; i++) assert.equal(await attempt('wrong'), 'wrong-credentials');
  assert.equal(await attempt('right'), 'locked-out');
  assert.equal(await attempt('right', '192.0.2.2'), 'accepted', 'others are not locked out');
  await clock.advance(1_000);
  assert.equal(await attempt('wrong'), 'wrong-credentials');
  await clock.advance(1_000);
  assert.equal(await attempt('right'), 'locked-out', 'two seconds now');
  await clock.advance(1_000);
  assert.equal(await attempt('right'), 'accepted');
  assert.equal(await attempt('wrong'), 'wrong-credentials', 'success forgives');
  assert.equal(await attempt('right'), 'accepted');
});

test('failures are forgotten after half an hour', async () => {
  const clock = new ManualClock();
  const authenticator = new Authenticator(loginsOf([]), { clock, decoy });
  for (let i = 0; i < 2; i++) await authenticator.authenticate('ann', 'wrong', HERE);
  await clock.advance(31 * 60_000);
  await authenticator.authenticate('ann', 'wrong', HERE);
  assert.equal(await authenticator.authenticate('ann', 'wrong', HERE), 'wrong-credentials');
});

test('an address that tries many names is locked out as a whole', async () => {
  const clock = new ManualClock();
  const authenticator = new Authenticator(loginsOf([{ name: 'ann', password: 'right' }]), { clock, decoy });
  for (let i = 0; i < 20; i++) await authenticator.authenticate(`user ${i}`, 'wrong', HERE);
  assert.equal(await authenticator.authenticate('ann', 'right', HERE), 'locked-out');
});

test('many attempts at once are checked one after the other, and a flood is refused', async () => {
  const authenticator = new Authenticator(loginsOf([{ name: 'bob', password: await hashPassword('hashed', CHEAP) }]), {
    clock: new ManualClock(),
    decoy,
  });
  const results = await Promise.all(
    Array.from({ length: 150 }, (_, index) => authenticator.authenticate('bob', 'hashed', `192.0.2.${index}`)),
  );
  assert.ok(results.includes('accepted'));
  assert.ok(results.filter((result) => result === 'wrong-credentials').length >= 40);
});
