import assert from 'node:assert/strict';
import { createDecipheriv, createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { hashPassword, InvalidInputError, verifyPassword } from '../../../lib/model';
import {
  generatePassword,
  lastingSecret,
  openDataFolder,
  sealedFlow,
  settleAdministrator,
  settleUserFlow,
  writePrivateFile,
} from '../../../lib/runtime';

const folder = () => mkdtempSync(join(tmpdir(), 'lorua-first-start-'));
const modeOf = (path: string) => statSync(path).mode & 0o777;
const nobody = { user: undefined, password: undefined };
// The real costs would make each hash a tenth of a second.
const quickHash = (password: string) => hashPassword(password, { N: 2 ** 10, r: 8, p: 1 });

describe('the data folder', () => {
  it('is made, for its owner alone', () => {
    const path = join(folder(), 'deep', 'data');
    openDataFolder(path);
    assert.equal(modeOf(path), 0o700);
    assert.deepEqual(readdirSync(path), []);
    openDataFolder(path);
  });

  it('that cannot be written is refused with the cure', () => {
    const path = join(folder(), 'data');
    writeFileSync(path, 'a file where the folder should be');
    assert.throws(
      () => openDataFolder(path),
      (error: unknown) => error instanceof InvalidInputError && error.faults[0]?.field === 'GATEWAY_DATA',
    );
  });

  it('gets files as a whole or not at all', () => {
    const place = folder();
    assert.throws(() => writePrivateFile(join(place, 'missing', 'file'), 'x'));
    writePrivateFile(join(place, 'file'), 'x');
    assert.deepEqual(readdirSync(place), ['file']);
  });
});

describe('a lasting secret', () => {
  it('is made once and kept private', () => {
    const path = join(folder(), 'secret');
    const secret = lastingSecret(path);
    assert.ok(secret.length >= 40);
    assert.equal(modeOf(path), 0o600);
    chmodSync(path, 0o644);
    assert.equal(lastingSecret(path), secret);
    assert.equal(modeOf(path), 0o600);
  });

  it('that was emptied is made anew', () => {
    const path = join(folder(), 'secret');
    writeFileSync(path, '\n');
    assert.ok(lastingSecret(path).length >= 40);
  });
});

describe('the administrator', () => {
  it('gets a generated password at the first start, never told again', async () => {
    const place = folder();
    const first = await settleAdministrator(place, nobody, quickHash);
    assert.equal(first.name, 'admin');
    assert.equal(first.outcome, 'created');
    assert.match(first.generatedPassword ?? '', /^(\w{5}-){3}\w{5}$/);
    assert.ok(await verifyPassword(first.generatedPassword ?? '', first.hash));
    assert.equal(modeOf(join(place, 'users.json')), 0o600);
    assert.ok(!readFileSync(join(place, 'users.json'), 'utf8').includes(first.generatedPassword ?? ''));
    const second = await settleAdministrator(place, nobody, quickHash);
    assert.deepEqual(second, { name: 'admin', hash: first.hash, outcome: 'kept' });
  });

  it('is who the environment says', async () => {
    const place = folder();
    const wanted = { user: 'operator', password: 'right horse' };
    const first = await settleAdministrator(place, wanted, quickHash);
    assert.equal(first.name, 'operator');
    assert.equal(first.generatedPassword, undefined);
    assert.deepEqual(await settleAdministrator(place, wanted, quickHash), { ...first, outcome: 'kept' });
  });

  it('gets a new password or name when the environment changes, and keeps it when that is gone', async () => {
    const place = folder();
    const first = await settleAdministrator(place, { user: undefined, password: 'right horse' }, quickHash);
    const renamed = await settleAdministrator(place, { user: 'anna', password: undefined }, quickHash);
    assert.deepEqual(renamed, { name: 'anna', hash: first.hash, outcome: 'changed' });
    const changed = await settleAdministrator(place, { user: undefined, password: 'battery staple' }, quickHash);
    assert.equal(changed.outcome, 'changed');
    assert.equal(changed.name, 'anna');
    assert.ok(await verifyPassword('battery staple', changed.hash));
    assert.deepEqual(await settleAdministrator(place, nobody, quickHash), { ...changed, outcome: 'kept' });
  });

  for (const damage of ['', 'no JSON', '{"version":1,"users":[]}', '{"version":1,"users":[{"name":"a","hash":"x"}]}'])
    it(`is not replaced when users.json is damaged (${damage})`, async () => {
      const place = folder();
      writeFileSync(join(place, 'users.json'), damage);
      await assert.rejects(settleAdministrator(place, nobody, quickHash), InvalidInputError);
      assert.equal(readFileSync(join(place, 'users.json'), 'utf8'), damage);
    });

  it('has another password at each generation', () => assert.notEqual(generatePassword(), generatePassword()));

  it('is hashed at full cost unless told otherwise', async () => {
    const { hash } = await settleAdministrator(folder(), { user: undefined, password: 'right horse' });
    assert.match(hash, /^scrypt\$32768\$/);
  });
});

describe('the flow', () => {
  const secret = 'a secret';

  function shippedFlow(content: string, version = '1.0.0') {
    const place = folder();
    const flow = join(place, 'gateway.json');
    const credentials = join(place, 'gateway_cred.json');
    writeFileSync(flow, content);
    writeFileSync(credentials, '{"n1":{"token":"${TOKEN}"}}');
    return { flow, credentials, version };
  }

  function decrypted(path: string): unknown {
    const { $: text } = JSON.parse(readFileSync(path, 'utf8'));
    const key = createHash('sha256').update(secret).digest();
    const decipher = createDecipheriv('aes-256-ctr', key, Buffer.from(text.slice(0, 32), 'hex'));
    return JSON.parse(decipher.update(text.slice(32), 'base64', 'utf8') + decipher.final('utf8'));
  }

  it('is the reference flow at first, with its credentials as Node-RED keeps them', () => {
    const place = folder();
    const { file, outcome } = settleUserFlow(place, shippedFlow('[]'), secret);
    assert.equal(file, join(place, 'flows.json'));
    assert.deepEqual(outcome, { kind: 'created' });
    assert.equal(readFileSync(file, 'utf8'), '[]');
    assert.deepEqual(decrypted(join(place, 'flows_cred.json')), { n1: { token: '${TOKEN}' } });
    for (const name of readdirSync(place)) assert.equal(modeOf(join(place, name)), 0o600);
  });

  it('is the user’s from then on', () => {
    const place = folder();
    const shipped = shippedFlow('[]');
    const { file } = settleUserFlow(place, shipped, secret);
    writeFileSync(file, '[1]');
    writeFileSync(join(place, 'flows_cred.json'), '{}');
    assert.deepEqual(settleUserFlow(place, shipped, secret), { file, outcome: { kind: 'kept' } });
    assert.equal(readFileSync(file, 'utf8'), '[1]');
    assert.equal(readFileSync(join(place, 'flows_cred.json'), 'utf8'), '{}');
  });

  it('of a new version lies beside it, offered once', () => {
    const place = folder();
    const { file } = settleUserFlow(place, shippedFlow('[]'), secret);
    const newer = shippedFlow('[2]', '1.1.0');
    const offered = join(place, 'gateway-1.1.0.json');
    assert.deepEqual(settleUserFlow(place, newer, secret).outcome, { kind: 'offered', file: offered });
    assert.equal(readFileSync(offered, 'utf8'), '[2]');
    assert.equal(readFileSync(file, 'utf8'), '[]');
    assert.deepEqual(settleUserFlow(place, newer, secret).outcome, { kind: 'kept' });
  });

  it('of a new version that the user has already imported is not offered', () => {
    const place = folder();
    const { file } = settleUserFlow(place, shippedFlow('[]'), secret);
    writeFileSync(file, '[2]');
    assert.deepEqual(settleUserFlow(place, shippedFlow('[2]', '1.1.0'), secret).outcome, { kind: 'kept' });
  });

  it('is offered again when the note about the last one is lost', () => {
    const place = folder();
    const { file } = settleUserFlow(place, shippedFlow('[]'), secret);
    writeFileSync(file, '[mine]');
    writeFileSync(join(place, 'reference-flow.json'), 'damaged');
    assert.equal(settleUserFlow(place, shippedFlow('[]'), secret).outcome.kind, 'offered');
  });

  it('that was emptied by a power cut is put back', () => {
    const place = folder();
    writeFileSync(join(place, 'flows.json'), '');
    assert.equal(settleUserFlow(place, shippedFlow('[]'), secret).outcome.kind, 'created');
  });

  it('of a sealed appliance stays in the package', () => {
    const place = folder();
    const shipped = shippedFlow('[]');
    assert.equal(sealedFlow(place, shipped, secret), shipped.flow);
    assert.deepEqual(decrypted(join(place, 'gateway_cred.json')), { n1: { token: '${TOKEN}' } });
    assert.ok(!existsSync(join(place, 'flows.json')));
    writeFileSync(join(place, 'package.json'), '{"name":"mine"}');
    sealedFlow(place, shipped, secret);
    assert.equal(readFileSync(join(place, 'package.json'), 'utf8'), '{"name":"mine"}');
  });
});
