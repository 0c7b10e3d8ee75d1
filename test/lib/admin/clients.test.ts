/** Certificates, sessions and users, as dashboard, HTTP flows and function nodes change them; and the audit of it. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { EntryList, KnownCertificate, OpcuaDoors, UserRow } from '../../../lib/admin';
import { InvalidInputError } from '../../../lib/model';
import { Asking } from './asking';

const PRINT = 'ab'.repeat(20);
const certificate: KnownCertificate = {
  store: 'applications',
  state: 'rejected',
  thumbprint: PRINT,
  subject: 'CN=SCADA',
  validTo: 1,
};
const session = { id: 'g-1', session: 'Historian', user: 'eva', address: '10.0.0.7' };
const counts = { sessions: 1, channels: 1, subscriptions: 0, monitoredItems: 0 };
const unknown = (field: string): InvalidInputError =>
  new InvalidInputError([{ field, value: 'x', rule: 'it is known', cure: 'Ask for the list.' }]);

let asking: Asking;
let calls: unknown[];

function server(): OpcuaDoors {
  const act =
    (state: string) =>
    async (...args: readonly (string | undefined)[]): Promise<KnownCertificate> => {
      calls.push([state, ...args]);
      if (args[0] === 'unknown') throw unknown('thumbprint');
      return { ...certificate, state };
    };
  return {
    counts: () => counts,
    ownCertificate: undefined,
    endpointUrls: [],
    certificates: {
      list: async () => [certificate],
      trust: act('trusted'),
      reject: act('rejected'),
      remove: act('gone'),
      renew: act('own'),
    },
    sessions: {
      list: () => [session],
      close: (id) => {
        if (id !== session.id) throw unknown('id');
        return session;
      },
    },
  };
}

beforeEach(async () => {
  asking = await Asking.start();
  asking.opcua = server();
  calls = [];
});
afterEach(() => asking.stop());

/** Oldest first, without what every entry has. */
async function audit(): Promise<{ type: string; user: string | undefined; details: unknown }[]> {
  const { entries } = await asking.result<EntryList>('audit.list');
  return entries.map(({ type, user, details }) => ({ type, user, details })).toReversed();
}

describe('certificates and sessions', () => {
  test('are listed as the server tells them', async () => {
    assert.deepEqual(await asking.result('certificates.list'), { rows: [certificate] });
    assert.deepEqual(await asking.result('sessions.list', {}), { rows: [session] });
    assert.deepEqual(await audit(), [], 'looking is no act');
  });

  test('are acted on, and each act is in the audit with its user', async () => {
    for (const topic of ['certificates.trust', 'certificates.reject', 'certificates.remove'])
      await asking.result(topic, { thumbprint: ` ${PRINT} `, store: 'applications' }, 'admin');
    await asking.result('certificates.renew', {}, 'admin');
    assert.deepEqual(await asking.result('sessions.close', { id: session.id }), session);
    assert.deepEqual(calls, [
      ['trusted', PRINT, 'applications'],
      ['rejected', PRINT, 'applications'],
      ['gone', PRINT, 'applications'],
      ['own'],
    ]);
    const { store, thumbprint, subject, validTo } = certificate;
    const about = { thumbprint, store, subject, validTo };
    assert.deepEqual(await audit(), [
      { type: 'certificates.trust', user: 'admin', details: { ...about, state: 'trusted' } },
      { type: 'certificates.reject', user: 'admin', details: { ...about, state: 'rejected' } },
      { type: 'certificates.remove', user: 'admin', details: { ...about, state: 'gone' } },
      { type: 'certificates.renew', user: 'admin', details: { ...about, state: 'own' } },
      {
        type: 'sessions.close',
        user: undefined,
        details: { id: 'g-1', session: 'Historian', sessionUser: 'eva', address: '10.0.0.7' },
      },
    ]);
  });

  test('what is refused says which field, and is in the audit too', async () => {
    assert.deepEqual(await asking.fields('certificates.trust', { thumbprint: 'unknown' }), ['payload.thumbprint']);
    assert.deepEqual(await asking.fields('certificates.trust', { thumbprint: PRINT, store: 'cellar', x: 1 }), [
      'payload.store',
      'payload',
    ]);
    assert.deepEqual(await asking.fields('sessions.close', { id: 'g-9' }), ['payload.id']);
    assert.deepEqual(await asking.fields('sessions.close', { id: '' }), ['payload.id']);
    assert.deepEqual(await asking.fields('certificates.renew', { now: true }), ['payload']);
    const entries = await audit();
    assert.deepEqual(
      entries.map(({ type }) => type),
      ['certificates.trust', 'certificates.trust', 'sessions.close', 'sessions.close', 'certificates.renew'],
    );
    assert.deepEqual(entries[2]?.details, { id: 'g-9', refused: unknown('payload.id').faults });
  });

  test('need a server that runs', async () => {
    for (const doors of [
      undefined,
      {
        counts: () => counts,
        ownCertificate: undefined,
        endpointUrls: [],
        certificates: undefined,
        sessions: undefined,
      },
    ]) {
      asking.opcua = doors;
      for (const topic of ['certificates.list', 'certificates.renew', 'sessions.list'])
        assert.match((await asking.faults(topic))[0]?.rule ?? '', /OPC UA server that runs/);
      assert.deepEqual(await asking.fields('certificates.trust', { thumbprint: PRINT }), ['topic']);
      assert.deepEqual(await asking.fields('sessions.close', { id: 'g-1' }), ['topic']);
    }
  });

  test('a fault of the server itself is told as one, and is in the audit as failed', async () => {
    const doors = server();
    asking.opcua = {
      ...doors,
      certificates: doors.certificates && {
        ...doors.certificates,
        renew: async () => {
          throw new TypeError('a bug');
        },
      },
    };
    assert.match((await asking.faults('certificates.renew'))[0]?.rule ?? '', /a fault of its own/);
    assert.match(JSON.stringify(await audit()), /"failed":\[\{"field":"topic"/);
    assert.ok(asking.captured.entries.some(({ message }) => message === 'a bug'));
  });
});

describe('users', () => {
  const rows = async (): Promise<readonly UserRow[]> =>
    (await asking.result<{ rows: readonly UserRow[] }>('users.list')).rows;

  test('are saved, listed after those of the settings, and removed', async () => {
    const saved = await asking.result(
      'users.save',
      { name: 'zoe', password: 'a long secret', roles: ['Operator'] },
      'admin',
    );
    assert.deepEqual(saved, {
      name: 'zoe',
      roles: ['Operator'],
      isDisabled: false,
      hasPassword: true,
      isAdministrator: false,
    });
    await asking.result('users.save', { name: 'eva', roles: ['Observer'], isDisabled: true });
    assert.deepEqual(
      (await rows()).map(({ name, hasPassword, isDisabled, isAdministrator }) => [
        name,
        hasPassword,
        isDisabled,
        isAdministrator,
      ]),
      [
        ['admin', true, false, true],
        ['eva', false, true, false],
        ['zoe', true, false, false],
      ],
    );
    assert.deepEqual(await asking.result('users.remove', { name: 'zoe' }), saved);
    assert.deepEqual((await rows()).length, 2);
    assert.deepEqual(await audit(), [
      {
        type: 'users.save',
        user: 'admin',
        details: { name: 'zoe', roles: ['Operator'], isDisabled: false, hasPassword: true, isPasswordChanged: true },
      },
      {
        type: 'users.save',
        user: undefined,
        details: { name: 'eva', roles: ['Observer'], isDisabled: true, hasPassword: false, isPasswordChanged: false },
      },
      { type: 'users.remove', user: undefined, details: { name: 'zoe', roles: ['Operator'] } },
    ]);
  });

  test('no secret is in an answer, the audit or the log, however it was mistyped', async () => {
    for (const payload of [
      { name: 'eva', password: 'Pa55', roles: ['Observer'] },
      { name: 'eva', password: ['Pa55'], roles: ['Observer'] },
      { name: 'eva', pasword: 'Pa55word long', roles: ['Observer'] },
      { name: 'eva', password: 'Pa55word long', roles: ['King'] },
      'Pa55word long',
    ]) {
      const told = await asking.faults('users.save', payload);
      assert.ok(!JSON.stringify(told).includes('Pa55'), JSON.stringify(told));
    }
    await asking.result('users.save', { name: 'eva', password: 'Pa55word long', roles: ['Observer'] });
    await asking.result('users.save', { name: 'eva', password: null, roles: ['Observer'] });
    const everything = JSON.stringify([await audit(), asking.captured.entries, await rows()]);
    assert.ok(!everything.includes('Pa55'));
    assert.ok(!everything.includes('scrypt$'));
  });

  test('what cannot be saved is told by field', async () => {
    const roles = ['Observer'];
    assert.deepEqual(await asking.fields('users.save', { name: 'Anonymous', roles }), ['payload.name']);
    assert.deepEqual(await asking.fields('users.save', { name: 'eva' }), ['payload.roles']);
    assert.deepEqual(await asking.fields('users.save', { name: 'eva', roles: [] }), ['payload.roles']);
    assert.deepEqual(await asking.fields('users.save', { name: 'eva', roles: ['King'] }), ['payload.roles.0']);
    assert.deepEqual(await asking.fields('users.save', { name: 'eva', password: 'short', roles }), [
      'payload.password',
    ]);
    assert.deepEqual(await asking.fields('users.remove', { name: 'nobody' }), ['payload.name']);
    assert.equal((await audit()).length, 6);
  });

  test('the user of the settings is changed there; an account of that name can only be removed', async () => {
    const [fault] = await asking.faults('users.save', { name: 'admin', roles: ['Observer'] });
    assert.equal(fault?.field, 'payload.name');
    assert.match(fault?.cure ?? '', /opcua-gateway-server/);
    assert.deepEqual(await asking.fields('users.remove', { name: 'admin' }), ['payload.name']);
    await asking.users.save({ name: 'admin', roles: ['Observer'] });
    assert.equal((await rows()).length, 1);
    await asking.result('users.remove', { name: 'admin' });
    assert.deepEqual(asking.users.accounts(), []);
  });
});

describe('who may', () => {
  const RESTRICTED: readonly [topic: string, payload: unknown][] = [
    ['audit.list', {}],
    ['users.list', {}],
    ['users.save', { name: 'x', roles: ['Observer'] }],
    ['users.remove', { name: 'x' }],
    ['certificates.list', {}],
    ['certificates.trust', { thumbprint: PRINT }],
    ['certificates.reject', { thumbprint: PRINT }],
    ['certificates.remove', { thumbprint: PRINT }],
    ['certificates.renew', {}],
    ['sessions.close', { id: session.id }],
  ];

  test('an account without the role SecurityAdmin, or one that is disabled, may not; each try is in the audit', async () => {
    await asking.users.save({ name: 'eva', roles: ['Observer', 'Operator', 'Engineer'] });
    await asking.users.save({ name: 'off', roles: ['SecurityAdmin'], isDisabled: true });
    for (const user of ['eva', 'off'])
      for (const [topic, payload] of RESTRICTED) {
        const answer = await asking.administration.handle(topic, payload, user);
        assert.deepEqual(answer.ok ? [] : answer.errors.map(({ field }) => field), ['user'], topic);
      }
    assert.deepEqual(calls, []);
    assert.deepEqual(
      (await audit()).map(({ type, user }) => [type, user]),
      ['eva', 'off'].flatMap((user) => RESTRICTED.map(([topic]) => [topic, user])),
    );
    assert.ok((await asking.administration.handle('sessions.list', {}, 'eva')).ok);
  });

  test('a SecurityAdmin may, the user of the settings too, and who was let in by somebody else', async () => {
    await asking.users.save({ name: 'root', roles: ['SecurityAdmin'] });
    // Accounts of the same name as the user of the settings do not count.
    await asking.users.save({ name: 'admin', roles: ['Observer'] });
    for (const user of ['root', 'admin', 'somebody of Node-RED', undefined]) {
      await asking.users.save({ name: 'x', roles: ['Observer'] });
      for (const [topic, payload] of RESTRICTED) {
        const answer = await asking.administration.handle(topic, payload, user);
        assert.ok(answer.ok, `${user}: ${topic}: ${JSON.stringify(answer)}`);
      }
    }
  });
});

describe('files', () => {
  test('that were not written are in the audit too', async () => {
    assert.deepEqual(await asking.fields('history.export', { file: '../x' }), ['payload.file']);
    assert.deepEqual(await asking.fields('database.backup', { file: 'x.db', keep: 0 }), ['payload.keep']);
    const entries = await audit();
    assert.deepEqual(
      entries.map(({ type }) => type),
      ['history.export', 'database.backup'],
    );
    assert.match(JSON.stringify(entries[0]?.details), /^\{"file":"..\/x","refused":\[\{"field":"payload.file"/);
  });
});
