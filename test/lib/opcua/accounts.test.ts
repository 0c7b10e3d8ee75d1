/** Users that come, change and go while the server runs. */
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { AttributeIds, DataType } from 'node-opcua';
import { Emitter, hashPassword, type Role, type UserAccount } from '../../../lib/model';
import type { ClientEvent, GatewayServer } from '../../../lib/opcua';
import { Accounts } from '../../../lib/opcua/security/accounts';
import { outcome } from './security-support';
import { type Connected, connect, devEuiOf, readingOf, simpleSource, startServer, temporaryFolder } from './support';

const { folder, remove } = temporaryFolder();
const VALUE = `ns=3;s=${devEuiOf(1)}/metric/temperature`;
const ADMINISTRATOR = { name: 'admin', password: 'The one of the settings' };

class Directory {
  readonly users = new Map<string, UserAccount>();
  readonly #changes = new Emitter<void>(() => undefined);

  accounts(): readonly UserAccount[] {
    return [...this.users.values()];
  }
  onChange(listener: () => void): () => void {
    return this.#changes.on(listener);
  }
  get listenerCount(): number {
    return this.#changes.listenerCount;
  }
  async set(name: string, password: string | undefined, more: Partial<UserAccount> = {}): Promise<void> {
    const passwordHash = password === undefined ? undefined : await hashPassword(password, { N: 2 ** 4, r: 1, p: 1 });
    this.save({
      name,
      ...(passwordHash === undefined ? {} : { passwordHash }),
      roles: ['Observer'],
      isDisabled: false,
      ...more,
    });
  }
  save(account: UserAccount): void {
    this.users.set(account.name, account);
    this.#changes.emit();
  }
  change(name: string, more: Partial<UserAccount>): void {
    const known = this.users.get(name);
    assert.ok(known);
    this.save({ ...known, ...more });
  }
  remove(name: string): void {
    this.users.delete(name);
    this.#changes.emit();
  }
}

let server: GatewayServer;
const directory = new Directory();
const open: Connected[] = [];
let detach: () => void;

before(async () => {
  server = await startServer(folder, { users: [ADMINISTRATOR] });
  server.attach(simpleSource());
  await server.settled();
  server.publish(readingOf(1, { temperature: 21.5 }, Date.now()));
  detach = server.attachUsers(directory);
});
afterEach(async () => {
  for (const { client } of open.splice(0)) await client.disconnect();
});
after(async () => {
  await server.stop();
  assert.equal(directory.listenerCount, 0);
  remove();
});

async function logIn(name: string, password: string): Promise<Connected> {
  const connected = await connect(server, folder, { user: { name, password } });
  open.push(connected);
  return connected;
}

const users = (): string[] => (server.sessions?.list() ?? []).map(({ user }) => user).sort();
const REFUSED = 'BadUserAccessDenied';

test('a user who is added may log in, and one who is removed is out at once', async () => {
  assert.equal(await outcome(() => logIn('bea', 'first')), REFUSED);
  await directory.set('bea', 'first');
  const bea = await logIn('bea', 'first');
  assert.equal((await bea.read(VALUE)).statusCode.name, 'Good');
  const admin = await logIn(ADMINISTRATOR.name, ADMINISTRATOR.password);
  assert.deepEqual(users(), ['admin', 'bea']);
  directory.remove('bea');
  assert.deepEqual(users(), ['admin'], 'nobody else is disturbed');
  assert.equal((await admin.read(VALUE)).statusCode.name, 'Good');
  assert.equal(await outcome(() => logIn('bea', 'first')), REFUSED);
});

test('a password that changed is forgotten, though it was remembered as right', async () => {
  await directory.set('dora', 'first');
  await logIn('dora', 'first');
  await logIn('dora', 'first');
  await directory.set('dora', 'second');
  assert.deepEqual(users(), []);
  assert.equal(await outcome(() => logIn('dora', 'first')), REFUSED);
  await logIn('dora', 'second');
});

test('a user who is disabled is out, and may come back', async () => {
  await directory.set('eric', 'first');
  await logIn('eric', 'first');
  directory.change('eric', { isDisabled: true });
  assert.deepEqual(users(), []);
  assert.equal(await outcome(() => logIn('eric', 'first')), REFUSED);
  directory.change('eric', { isDisabled: false });
  await logIn('eric', 'first');
});

test('a role more counts in the session that is open, a role less ends it', async () => {
  const roles: readonly Role[] = ['Observer', 'Operator'];
  await directory.set('fred', 'first');
  const fred = await logIn('fred', 'first');
  const write = async (): Promise<string> =>
    (
      await fred.session.write({
        nodeId: VALUE,
        attributeId: AttributeIds.Value,
        value: { value: { dataType: DataType.Double, value: 1 } },
      })
    ).name;
  assert.equal(await write(), 'BadUserAccessDenied');
  directory.change('fred', { roles });
  assert.equal(await write(), 'BadNotWritable', 'as an Operator it may; this variable may not be');
  assert.deepEqual(users(), ['fred']);
  directory.change('fred', { roles: ['Observer'] });
  assert.deepEqual(users(), []);
});

test('the administrator of the settings cannot be taken over, disabled or locked out by an account', async () => {
  const admin = await logIn(ADMINISTRATOR.name, ADMINISTRATOR.password);
  await directory.set(ADMINISTRATOR.name, 'another', { isDisabled: true });
  assert.equal((await admin.read(VALUE)).statusCode.name, 'Good');
  assert.equal(await outcome(() => logIn(ADMINISTRATOR.name, 'another')), REFUSED);
  directory.remove(ADMINISTRATOR.name);
  await logIn(ADMINISTRATOR.name, ADMINISTRATOR.password);
  assert.deepEqual(users(), ['admin', 'admin']);
});

test('what was refused is told by its true reason to those in charge, not to the client', async () => {
  const events: ClientEvent[] = [];
  const off = server.onClientEvent((event) => events.push(event));
  await directory.set('gina', 'right');
  const answers = new Set<string>();
  for (let guess = 0; guess < 3; guess++) answers.add(await outcome(() => logIn('gina', `guess ${guess}`)));
  answers.add(await outcome(() => logIn('gina', 'right')));
  directory.change('gina', { isDisabled: true });
  answers.add(await outcome(() => logIn('gina', 'right')));
  answers.add(await outcome(() => logIn('nobody', 'right')));
  off();
  assert.deepEqual([...answers], [REFUSED]);
  assert.deepEqual(
    events.filter(({ type }) => type === 'login-refused').map(({ user, reason }) => `${user} ${reason}`),
    [
      'gina wrong-credentials',
      'gina wrong-credentials',
      'gina wrong-credentials',
      'gina locked-out',
      'gina locked-out',
      'nobody wrong-credentials',
    ],
  );
});

test('after a redeploy users stay until the next source has told its own', async () => {
  await directory.set('hans', 'first');
  await logIn('hans', 'first');
  detach();
  assert.deepEqual(users(), ['hans']);
  const next = new Directory();
  const hans = directory.users.get('hans');
  assert.ok(hans);
  next.users.set('hans', hans);
  detach = server.attachUsers(next);
  assert.deepEqual(users(), ['hans']);
  directory.remove('hans');
  assert.deepEqual(users(), ['hans'], 'the old source has no say');
  next.remove('hans');
  assert.deepEqual(users(), []);
  detach = server.attachUsers(directory);
  assert.equal(next.listenerCount, 0);
});

test('what is no hash is never taken for a password in clear text', () => {
  const accounts = new Accounts([], () => undefined);
  accounts.attach({
    accounts: () => [{ name: 'ivan', passwordHash: 'clear', roles: ['Observer'], isDisabled: false }],
    onChange: () => () => undefined,
  });
  assert.deepEqual(accounts.find('ivan'), { name: 'ivan', roles: ['Observer'] });
});
