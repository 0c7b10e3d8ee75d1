import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { PortInUseError, parseServerSettings, ServerRegistry, type ServerSettings } from '../../../lib/opcua';
import { capturedLogger } from '../../support/captured-logger';
import { freePort } from '../../support/free-port';
import { ManualClock } from '../../support/manual-clock';
import { connect, depsOf, settingsOf, startServer, temporaryFolder } from './support';

const { folder, remove } = temporaryFolder();
after(remove);

const FINAL = { final: true };
const MAYBE_LATER = { final: false };

async function fixedSettings(more: Record<string, unknown> = {}): Promise<ServerSettings> {
  return settingsOf(folder, { port: await freePort(), ...more });
}

test('the same settings give the same server, with its sessions', async () => {
  const clock = new ManualClock();
  const registry = new ServerRegistry();
  const settings = await fixedSettings();
  const first = await registry.acquire('node', settings, depsOf({ clock }));
  assert.equal(first.adopted, false);
  const client = await connect(first.server, folder);
  await first.release(MAYBE_LATER);
  await clock.advance(9_000);
  const log = capturedLogger('opcua');
  const second = await registry.acquire('node', structuredClone(settings), depsOf({ clock, logger: log.logger }));
  assert.equal(second.adopted, true);
  assert.equal(second.server, first.server);
  assert.equal(second.server.clients().sessions, 1);
  assert.ok((await client.read('i=2259')).statusCode.isGood());
  await client.close();
  assert.ok(
    log.entries.some(({ operation, event }) => operation === 'session' && event === 'closed'),
    'the new logger',
  );
  await first.release(FINAL);
  assert.ok(second.server.isRunning, 'an old lease means nothing');
  await clock.advance(60_000);
  assert.ok(second.server.isRunning);
  await second.release(FINAL);
  await second.release(FINAL);
  assert.equal(second.server.isRunning, false);
  assert.equal(clock.pendingTimers, 0);
});

test('without a successor the server stops after the grace time', async () => {
  const clock = new ManualClock();
  const registry = new ServerRegistry();
  const lease = await registry.acquire('node', await fixedSettings(), depsOf({ clock }));
  await lease.release(MAYBE_LATER);
  await clock.advance(9_999);
  assert.ok(lease.server.isRunning);
  await clock.advance(1);
  await lease.server.stop();
  assert.equal(lease.server.isRunning, false);
});

test('other settings: the old server goes first, then the new one comes, on the same port', async () => {
  const registry = new ServerRegistry();
  const settings = await fixedSettings();
  const first = await registry.acquire('node', settings, depsOf());
  await first.release(MAYBE_LATER);
  const changed = parseServerSettings({ ...settings, users: [{ name: 'new', password: 'user' }] });
  const second = await registry.acquire('node', changed, depsOf());
  assert.equal(second.adopted, false);
  assert.equal(first.server.isRunning, false);
  await assert.rejects(connect(second.server, folder), /BadUserAccessDenied/);
  await (await connect(second.server, folder, { user: { name: 'new', password: 'user' } })).close();
  // Another node with the same port, while the first waits for a successor.
  await second.release(MAYBE_LATER);
  const third = await registry.acquire('other node', settings, depsOf());
  assert.equal(second.server.isRunning, false);
  await registry.shutdownAll();
  assert.equal(third.server.isRunning, false);
  await registry.shutdownAll();
});

test('a start that fails leaves nothing behind', async () => {
  const registry = new ServerRegistry();
  const blocker = await startServer(folder);
  const settings = settingsOf(folder, { port: blocker.port });
  await assert.rejects(registry.acquire('node', settings, depsOf()), PortInUseError);
  await blocker.stop();
  const lease = await registry.acquire('node', settings, depsOf());
  assert.equal(lease.adopted, false);
  await registry.shutdownAll();
});
