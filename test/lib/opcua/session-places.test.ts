import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PENDING_SESSIONS, SessionPlaces } from '../../../lib/opcua/protection/session-places';
import { ManualClock } from '../../support/manual-clock';
import { ChangingSettings } from './changing-settings';

interface Session {
  status: string;
  creationDate: Date;
  channel: { readonly remoteAddress: string; readonly isOpened: boolean } | undefined;
}

function house(maxSessions: number, reservedForAdministrators: number) {
  const settings = new ChangingSettings({ maxSessions, reservedForAdministrators });
  const clock = new ManualClock();
  const sessions = new Set<Session>();
  const places = new SessionPlaces<Session>({
    clock,
    settings,
    sessions: () => [...sessions],
    end: (session) => {
      sessions.delete(session);
      session.status = 'closed';
    },
  });
  const create = (address = 'a'): Session | undefined => {
    if (!places.mayCreate()) return undefined;
    const channel = { remoteAddress: address, isOpened: true };
    const session = { status: 'new', creationDate: new Date(clock.now()), channel };
    sessions.add(session);
    return session;
  };
  const login = (isAdministrator = false): Session | undefined => {
    const session = create();
    if (session === undefined || !places.mayActivate(session, isAdministrator)) return undefined;
    session.status = 'active';
    return session;
  };
  return { clock, settings, sessions, places, create, login };
}

test('the last place is for an administrator', () => {
  const { login, create, places } = house(2, 1);
  assert.ok(login() && login());
  assert.equal(login(), undefined);
  const administrator = login(true);
  assert.ok(administrator);
  assert.equal(login(true), undefined, 'the place is taken');
  assert.equal(create(), undefined, 'nothing is left to be created');
  assert.ok(places.mayActivate(administrator, false), 'whoever is in may log in anew');
  places.close();
});

test('other limits hold for whoever comes next', () => {
  const { login, settings, sessions, places } = house(1, 0);
  assert.ok(login());
  assert.equal(login(), undefined);
  settings.change({ maxSessions: 3 });
  assert.ok(login() && login());
  settings.change({ maxSessions: 1, reservedForAdministrators: 1 });
  assert.equal([...sessions].filter(({ status }) => status === 'active').length, 3, 'nobody is sent away');
  assert.equal(login(), undefined);
  assert.equal(login(true), undefined);
  settings.change({ reservedForAdministrators: 3 });
  assert.ok(login(true));
  places.close();
});

test('sessions that lost their connection give way, at once to an administrator', async () => {
  const { login, create, places, clock } = house(2, 1);
  const [first, second] = [login(), login()];
  assert.ok(first && second);
  first.channel = undefined;
  await clock.advance(5_000);
  // As the library leaves it where it closed the channel itself.
  second.channel = { remoteAddress: 'a', isOpened: false };
  assert.equal(login(), undefined, 'their clients may come back');
  await clock.advance(10_000);
  const third = login();
  assert.ok(third);
  assert.deepEqual([first.status, second.status], ['closed', 'active']);
  assert.ok(login(true));
  assert.equal(second.status, 'closed', 'rather than the reserved place');
  const waiting = [create(), create()];
  assert.ok(login(true), 'the reserved place');
  third.channel = undefined;
  const [ordinary, administrator] = waiting;
  assert.ok(ordinary && administrator);
  assert.equal(places.mayActivate(ordinary, false), false);
  assert.equal(places.mayActivate(administrator, true), true);
  assert.equal(third.status, 'closed');
  places.close();
});

test('sessions that never log in are a short queue, and a flood pushes out its own', async () => {
  const { create, places, clock, sessions } = house(2, 1);
  const other = create('b');
  await clock.advance(1);
  const [first] = [create(), ...Array.from({ length: 100 }, () => create())];
  assert.equal(sessions.size, PENDING_SESSIONS);
  assert.equal(first?.status, 'closed');
  assert.equal(other?.status, 'new');
  await clock.advance(70_000);
  assert.equal(sessions.size, 0, 'nobody waits for ever');
  places.close();
  assert.equal(clock.pendingTimers, 0);
});
