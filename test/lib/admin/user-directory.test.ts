/** Users that the gateway keeps: durable, told at once, and read again from what the disk gives. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, test } from 'node:test';
import { type AccountStore, UserDirectory } from '../../../lib/admin';
import { InvalidInputError, systemClock, verifyPassword } from '../../../lib/model';
import { GatewayStore, MemoryBackend, SqliteBackend } from '../../../lib/store';
import { capturedLogger } from '../../support/captured-logger';
import { ManualClock } from '../../support/manual-clock';

const T = Date.UTC(2026, 10, 24, 12);
const PASSWORD = 'a long secret';
const { logger, entries } = capturedLogger('store');
const clock = new ManualClock(T);
const folder = mkdtempSync(join(tmpdir(), 'lorua-users-'));
after(() => rmSync(folder, { recursive: true, force: true }));
beforeEach(() => entries.splice(0));

async function inMemory(): Promise<{ store: GatewayStore; users: UserDirectory }> {
  const store = new GatewayStore(new MemoryBackend(), { clock: systemClock, logger }, { retentionDays: 0 });
  await store.open();
  const users = new UserDirectory({ store, clock, logger });
  await users.open();
  return { store, users };
}

const field = (wanted: string) => (error: unknown) =>
  error instanceof InvalidInputError && error.faults[0]?.field === wanted && !error.message.includes('secret');

describe('users that the gateway keeps', () => {
  test('are made, changed and removed, and who listens is told', async () => {
    const { users } = await inMemory();
    let told = 0;
    users.onChange(() => told++);
    const made = await users.save({ name: 'eva', password: PASSWORD, roles: ['Operator', 'Observer', 'Operator'] });
    assert.deepEqual(made.roles, ['Observer', 'Operator']);
    assert.equal(made.isDisabled, false);
    assert.ok(await verifyPassword(PASSWORD, made.passwordHash ?? ''));

    const disabled = await users.save({ name: 'eva', roles: ['Observer'], isDisabled: true });
    assert.equal(disabled.passwordHash, made.passwordHash, 'a password that is not given stays');
    const still = await users.save({ name: 'eva', password: null, roles: ['Observer'] });
    assert.equal(still.isDisabled, true);
    assert.equal('passwordHash' in still, false);
    assert.deepEqual(users.accounts(), [still]);
    assert.deepEqual(users.find('eva'), still);

    assert.deepEqual(await users.remove('eva'), still);
    assert.deepEqual(users.accounts(), []);
    assert.equal(told, 4);
    users.close();
  });

  test('outlive the process', async () => {
    const open = async (): Promise<{ store: GatewayStore; users: UserDirectory }> => {
      const deps = { clock: systemClock, logger };
      const backend = new SqliteBackend(join(folder, 'users.db'), systemClock);
      const store = new GatewayStore(backend, deps, { retentionDays: 0 });
      await store.open();
      const users = new UserDirectory({ store, ...deps });
      await users.open();
      await users.opened;
      return { store, users };
    };
    const before = await open();
    await before.users.save({ name: 'eva', password: PASSWORD, roles: ['Engineer'] });
    await before.users.save({ name: 'CN only', roles: ['SecurityAdmin'] });
    await before.users.save({ name: 'gone', roles: ['Observer'] });
    await before.users.remove('gone');
    const kept = before.users.accounts();
    await before.store.close();
    const later = await open();
    assert.deepEqual(later.users.accounts(), kept);
    await later.store.close();
  });

  test('have names, passwords and roles that can be used', async () => {
    const { users } = await inMemory();
    for (const name of ['', ' ', 'Anonymous', 'x'.repeat(257)])
      await assert.rejects(users.save({ name, roles: ['Observer'] }), field('name'));
    for (const password of ['secret', 'secret'.repeat(50)])
      await assert.rejects(users.save({ name: 'eva', password, roles: ['Observer'] }), field('password'));
    await assert.rejects(users.save({ name: 'eva', roles: [] }), field('roles'));
    await assert.rejects(users.remove('eva'), field('name'));
    assert.deepEqual(users.accounts(), []);
  });

  test('are changed one after the other', async () => {
    const { users } = await inMemory();
    await Promise.all([
      users.save({ name: 'eva', password: PASSWORD, roles: ['Observer'] }),
      users.save({ name: 'eva', roles: ['Operator'] }),
      users.save({ name: 'eva', roles: ['Engineer'], isDisabled: true }),
    ]);
    const eva = users.find('eva');
    assert.deepEqual([eva?.roles, eva?.isDisabled], [['Engineer'], true]);
    assert.ok(await verifyPassword(PASSWORD, eva?.passwordHash ?? ''));
  });
});

/** A storage that does what the test says. */
class Disk implements AccountStore {
  rows: { id: string; createdAt: number; body: string }[] = [];
  fault: Error | undefined;
  /** It hangs, and does what was asked all the same. */
  isSlow = false;

  async readRecords() {
    if (this.fault !== undefined) throw this.fault;
    return this.rows;
  }

  async commit({ records, removed }: Parameters<AccountStore['commit']>[0]) {
    if (this.fault !== undefined) throw this.fault;
    const gone = new Set([...records, ...removed].map(({ id }) => id));
    this.rows = [...this.rows.filter(({ id }) => !gone.has(id)), ...records];
    if (this.isSlow) throw new Error('the disk took too long');
  }
}

describe('users on a disk in trouble', () => {
  test('are asked for until it gives them', async () => {
    const disk = new Disk();
    disk.fault = new Error('the disk is away');
    disk.rows = [{ id: 'eva', createdAt: T, body: '{"roles":["Observer"],"isDisabled":false}' }];
    const users = new UserDirectory({ store: disk, clock, logger });
    let isOpened = false;
    void users.opened.then(() => {
      isOpened = true;
    });
    await users.open();
    assert.deepEqual([users.accounts(), isOpened], [[], false]);
    assert.match(entries[0]?.message ?? '', /cannot be read.*the disk is away/);
    await assert.rejects(users.save({ name: 'eva', roles: ['Engineer'] }), /the disk is away/);
    disk.fault = undefined;
    await clock.advance(10_000);
    assert.ok(isOpened);
    assert.deepEqual(users.find('eva')?.roles, ['Observer']);
    assert.equal(clock.pendingTimers, 0);
  });

  test('stay as they were when they cannot be changed', async () => {
    const disk = new Disk();
    const users = new UserDirectory({ store: disk, clock, logger });
    await users.open();
    await users.save({ name: 'eva', roles: ['Observer'] });
    disk.fault = new Error('the disk is full');
    await assert.rejects(users.save({ name: 'eva', roles: ['Engineer'] }), /full/);
    assert.deepEqual(users.find('eva')?.roles, ['Observer']);
    users.close();
    users.close();
    assert.equal(clock.pendingTimers, 0);
  });

  test('are what the disk has, where it hung and did it all the same', async () => {
    const disk = new Disk();
    const users = new UserDirectory({ store: disk, clock, logger });
    await users.open();
    await users.save({ name: 'eva', roles: ['Observer'] });
    disk.isSlow = true;
    await assert.rejects(users.remove('eva'), /too long/);
    assert.equal(users.accounts().length, 1);
    await clock.advance(10_000);
    assert.deepEqual(users.accounts(), []);
    users.close();
  });

  test('that cannot be read are not let in, and told', async () => {
    const disk = new Disk();
    const good = '{"roles":["Observer"],"isDisabled":false}';
    disk.rows = [
      { id: 'broken', createdAt: T, body: '{' },
      { id: 'roleless', createdAt: T, body: '{"roles":[],"isDisabled":false}' },
      { id: 'clear', createdAt: T, body: '{"roles":["Observer"],"isDisabled":false,"passwordHash":"clear text"}' },
      { id: 'anonymous', createdAt: T, body: good },
      { id: 'eva', createdAt: T, body: good },
    ];
    const users = new UserDirectory({ store: disk, clock, logger });
    await users.open();
    assert.deepEqual(
      users.accounts().map(({ name }) => name),
      ['eva'],
    );
    assert.deepEqual(
      entries.map(({ user }) => user),
      ['broken', 'roleless', 'clear', 'anonymous'],
    );
  });

  test('are not without end', async () => {
    const disk = new Disk();
    disk.rows = Array.from({ length: 1_000 }, (_, n) => ({
      id: `user ${n}`,
      createdAt: T,
      body: '{"roles":["Observer"],"isDisabled":false}',
    }));
    const users = new UserDirectory({ store: disk, clock, logger });
    await users.open();
    await assert.rejects(users.save({ name: 'one more', roles: ['Observer'] }), field('name'));
    await users.save({ name: 'user 7', roles: ['Engineer'] });
  });
});
