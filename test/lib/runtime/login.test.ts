import assert from 'node:assert/strict';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { before, describe, it } from 'node:test';
import { hashPassword } from '../../../lib/model';
import { type GuardedSocket, httpGuard, isSameOrigin, Login, parseBasic, socketGuard } from '../../../lib/runtime';
import { capturedLogger } from '../../support/captured-logger';
import { ManualClock } from '../../support/manual-clock';

const basic = (name: string, password: string) => `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;

let hash = '';
before(async () => {
  hash = await hashPassword('right:horse', { N: 2 ** 10, r: 8, p: 1 });
});

function newLogin() {
  const clock = new ManualClock();
  const { logger, entries } = capturedLogger('dashboard');
  return { clock, entries, login: new Login([{ name: 'ädmin', hash }], { clock, logger }) };
}

describe('login', () => {
  it('lets in who knows the password', async () => {
    const { login } = newLogin();
    assert.equal(await login.check('ädmin', 'right:horse', 'here'), true);
    assert.equal(await login.check('ädmin', 'wrong', 'here'), false);
    assert.equal(await login.check('nobody', 'right:horse', 'here'), false);
    assert.equal(login.hasAccount('ädmin'), true);
    assert.equal(login.hasAccount('nobody'), false);
  });

  it('knows a header again without checking it', async () => {
    const { login, entries } = newLogin();
    assert.equal(await login.userOf(basic('ädmin', 'right:horse'), 'here'), 'ädmin');
    // Locked for wrong guesses, and still in.
    for (let guess = 0; guess < 6; guess++) await login.check('ädmin', 'wrong', 'here');
    assert.equal(await login.check('ädmin', 'right:horse', 'here'), false);
    assert.equal(await login.userOf(basic('ädmin', 'right:horse'), 'here'), 'ädmin');
    assert.equal(entries.at(-1)?.reason, 'locked-out');
  });

  it('takes nothing but a Basic header', async () => {
    const { login, entries } = newLogin();
    for (const header of [
      undefined,
      '',
      'Basic',
      'Bearer abc',
      'Basic !',
      `Basic ${Buffer.from('x').toString('base64')}`,
    ])
      assert.equal(await login.userOf(header, 'here'), undefined);
    assert.deepEqual(parseBasic(basic('a', 'b:c')), { name: 'a', password: 'b:c' });
    assert.deepEqual(
      entries.map(({ reason, address, message }) => [reason, address, message.includes('token')]),
      [['wrong-credentials', 'here', true]],
      'who comes with a token is told of, without it',
    );
  });

  it('is slower with each wrong guess after the fifth, for that name and address', async () => {
    const { login, clock } = newLogin();
    for (let guess = 0; guess < 5; guess++) await login.check('ädmin', 'wrong', 'there');
    assert.equal(await login.check('ädmin', 'right:horse', 'there'), false, 'locked');
    assert.equal(await login.check('ädmin', 'right:horse', 'here'), true, 'others are not');
    await clock.advance(10_000);
    await login.check('ädmin', 'wrong', 'there');
    await clock.advance(10_000);
    assert.equal(await login.check('ädmin', 'right:horse', 'there'), false, 'twice as long now');
    await clock.advance(10_000);
    assert.equal(await login.check('ädmin', 'right:horse', 'there'), true);
    assert.equal(await login.check('ädmin', 'wrong', 'there'), false);
    assert.equal(await login.check('ädmin', 'right:horse', 'there'), true, 'a success forgets the failures');
  });

  it('forgets failures after an hour', async () => {
    const { login, clock } = newLogin();
    for (let guess = 0; guess < 4; guess++) await login.check('ädmin', 'wrong', 'there');
    await clock.advance(61 * 60_000);
    await login.check('ädmin', 'wrong', 'there');
    assert.equal(await login.check('ädmin', 'right:horse', 'there'), true);
  });

  it('writes who was refused, never with what', async () => {
    const { login, entries } = newLogin();
    await login.check('eve\nfake entry', 'geheim', '10.0.0.9');
    assert.equal(entries[0]?.user, 'eve?fake entry');
    assert.equal(entries[0]?.address, '10.0.0.9');
    assert.equal(entries[0]?.reason, 'wrong-credentials');
    assert.ok(!JSON.stringify(entries).includes('geheim'));
  });

  it('does not let many checks at once pile up', async () => {
    const { login } = newLogin();
    const checks = Array.from({ length: 60 }, (_, index) => login.check('ädmin', 'right:horse', `client ${index}`));
    const results = await Promise.all(checks);
    assert.equal(results.filter(Boolean).length, 52, 'two at work and fifty waiting');
  });
});

function request(headers: Record<string, string>): IncomingMessage {
  const message = new IncomingMessage(new Socket());
  Object.assign(message.headers, headers);
  return message;
}

function ask(guard: ReturnType<typeof httpGuard>, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve) => {
    const message = request(headers);
    const response = new ServerResponse(message);
    response.end = () => {
      assert.match(String(response.getHeader('WWW-Authenticate')), /^Basic realm="Lorua"/);
      resolve(response.statusCode);
      return response;
    };
    guard(message, response, () => resolve(200));
  });
}

function connect(
  guard: ReturnType<typeof socketGuard>,
  headers: Record<string, string>,
): Promise<{ error: Error | undefined; user: string | undefined }> {
  const socket: GuardedSocket = { request: request(headers), data: {} };
  return new Promise((resolve) => guard(socket, (error) => resolve({ error, user: socket.data.user })));
}

describe('guard of the pages', () => {
  it('asks for the login and lets in who has it', async () => {
    const guard = httpGuard(newLogin().login);
    assert.equal(await ask(guard, {}), 401);
    assert.equal(await ask(guard, { authorization: basic('ädmin', 'wrong') }), 401);
    assert.equal(await ask(guard, { authorization: basic('ädmin', 'right:horse') }), 200);
  });

  it('lets nobody in when the check itself fails', async () => {
    const { login } = newLogin();
    login.userOf = () => Promise.reject(new Error('out of memory'));
    assert.equal(await ask(httpGuard(login), { authorization: basic('ädmin', 'right:horse') }), 401);
  });
});

describe('guard of the dashboard’s socket', () => {
  const authorization = basic('ädmin', 'right:horse');

  it('notes who it is', async () => {
    const guard = socketGuard(newLogin().login);
    assert.deepEqual(await connect(guard, { authorization }), { error: undefined, user: 'ädmin' });
    assert.match((await connect(guard, {})).error?.message ?? '', /unauthorised/);
  });

  it('refuses pages of other sites', async () => {
    const guard = socketGuard(newLogin().login);
    const foreign = { authorization, origin: 'https://evil.example', host: 'gateway:1880' };
    assert.match((await connect(guard, foreign)).error?.message ?? '', /unauthorised/);
  });

  for (const [name, headers, expected] of [
    ['without origin', { host: 'gateway:1880' }, true],
    ['of this server', { origin: 'http://gateway:1880', host: 'gateway:1880' }, true],
    ['behind a proxy', { origin: 'https://plant', host: 'inner:1880', 'x-forwarded-host': 'plant, b' }, true],
    ['of another port', { origin: 'http://gateway:1881', host: 'gateway:1880' }, false],
    ['that is no address', { origin: 'null', host: 'gateway:1880' }, false],
  ] as const)
    it(`takes a request ${name}: ${expected}`, () => assert.equal(isSameOrigin(request({ ...headers })), expected));
});
