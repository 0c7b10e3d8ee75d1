import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClientAudit } from '../../../lib/admin';
import type { ClientAct, NewJournalEntry } from '../../../lib/model';
import { capturedLogger } from '../../support/captured-logger';
import { ManualClock } from '../../support/manual-clock';

function setUp(commit?: (entries: readonly NewJournalEntry[]) => Promise<void>): {
  audit: ClientAudit;
  clock: ManualClock;
  stored: NewJournalEntry[];
  batches: () => number;
  warnings: () => number;
} {
  const clock = new ManualClock();
  const { logger, entries } = capturedLogger('opcua');
  const stored: NewJournalEntry[] = [];
  let batches = 0;
  const audit = new ClientAudit({
    clock,
    logger,
    commit: async (given) => {
      await commit?.(given);
      batches++;
      stored.push(...given);
    },
  });
  return { audit, clock, stored, batches: () => batches, warnings: () => entries.length };
}

const event = (type: string, more: Partial<ClientAct> = {}): ClientAct => ({
  type,
  time: 1,
  address: '192.0.2.1',
  user: 'ann',
  ...more,
});
const shown = (entries: readonly NewJournalEntry[]): string[] =>
  entries.map(({ type, user, body }) => `${type} ${user} ${body}`);

test('what clients do is entered in batches, with who and what', async () => {
  const { audit, clock, stored, batches } = setUp();
  audit.take(event('session-activated', { session: 'SCADA', security: 'Basic256Sha256/Sign', application: '' }));
  audit.take(event('written', { node: 'ns=3;s=x', attribute: 'Value', value: '1', status: 'Good', command: 'c-1' }));
  audit.take(event('channel-failed'));
  audit.take(event('connection-refused'));
  assert.equal(stored.length, 0);
  await clock.advance(1_000);
  assert.deepEqual(shown(stored), [
    'opcua.session-activated ann {"address":"192.0.2.1","session":"SCADA","security":"Basic256Sha256/Sign"}',
    'opcua.written ann {"address":"192.0.2.1","node":"ns=3;s=x","attribute":"Value","value":"1","status":"Good","command":"c-1"}',
  ]);
  assert.equal(batches(), 1);
  assert.equal(stored[0]?.journal, 'audit');
  await audit.close();
  assert.equal(clock.pendingTimers, 0);
});

test('every write that succeeds is entered; a refusal that repeats is entered once and counted', async () => {
  const { audit, clock, stored } = setUp();
  for (let i = 0; i < 3; i++) audit.take(event('written', { status: 'Good', value: String(i) }));
  for (let i = 0; i < 5; i++) audit.take(event('login-refused', { reason: 'wrong-credentials' }));
  audit.take(event('login-refused', { reason: 'wrong-credentials', user: 'bob' }));
  for (let i = 0; i < 4; i++) audit.take(event('written', { status: 'BadUserAccessDenied' }));
  await clock.advance(1_000);
  assert.equal(stored.length, 6);
  await clock.advance(61_000);
  assert.deepEqual(
    stored.slice(6).map(({ type, user, body }) => [type, user, (JSON.parse(body) as { count: number }).count]),
    [
      ['opcua.login-refused', 'ann', 4],
      ['opcua.written', 'ann', 3],
    ],
  );
  audit.take(event('login-refused', { reason: 'wrong-credentials' }));
  await audit.close();
  assert.equal(stored.length, 9, 'a new window');
});

test('a flood of different refusals becomes one entry with a count', async () => {
  const { audit, clock, stored } = setUp();
  for (let i = 0; i < 10_000; i++) audit.take(event('login-refused', { user: `user ${i}` }));
  await clock.advance(62_000);
  assert.equal(stored.length, 101);
  assert.deepEqual(JSON.parse(stored.at(-1)?.body ?? ''), { count: 9_900 });
  assert.equal(clock.pendingTimers, 0);
});

test('a storage that fails is told once, and gets all of it when it works again', async () => {
  let broken = true;
  const { audit, clock, stored, warnings } = setUp(() =>
    broken ? Promise.reject(new Error('disk full')) : Promise.resolve(),
  );
  for (let second = 0; second < 3; second++) {
    audit.take(event('session-closed', { session: String(second) }));
    await clock.advance(1_000);
  }
  assert.equal(warnings(), 1);
  for (let i = 0; i < 6_000; i++) audit.take(event('session-closed'));
  await clock.advance(1_000);
  broken = false;
  audit.take(event('session-activated'));
  await audit.close();
  assert.ok(stored.length <= 5_001);
  assert.deepEqual(shown(stored).slice(0, 1), ['opcua.session-closed ann {"address":"192.0.2.1","session":"0"}']);
  assert.ok(stored.some(({ type }) => type === 'opcua.lost'));
});

test('nothing long, nothing unknown', async () => {
  const { audit, stored } = setUp();
  audit.take(Object.assign(event('login-refused', { user: 'x'.repeat(1_000) }), { password: 'secret' }));
  await audit.close();
  assert.equal(stored[0]?.user?.length, 256);
  assert.ok(!stored[0].body.includes('secret'));
});
