import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import * as fc from 'fast-check';
import { isForUse, mayIssue } from '../../../lib/opcua/security/certificate-rules';
import { certificateParts, derItems, derTime, readDer } from '../../../lib/opcua/security/der';
import { RevocationLists } from '../../../lib/opcua/security/revocation';
import { APPLICATION_USAGES, Authority, type Key, makeKey, selfSigned } from '../../support/test-certificates';

const folder = mkdtempSync(join(tmpdir(), 'lorua-der-'));
after(() => rmSync(folder, { recursive: true, force: true }));

let key: Key;
let certificate: Buffer;
before(async () => {
  key = await makeKey();
  certificate = await selfSigned(key, {
    name: 'x',
    uri: 'urn:x',
    usages: APPLICATION_USAGES,
    extendedUsages: ['clientAuth'],
  });
});

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

test('elements of DER are read, also long ones', () => {
  const { tag, content, raw } = readDer(hex('30 06 02 01 05 04 01 ff 00'));
  assert.deepEqual([tag, content.length, raw.length], [0x30, 6, 8]);
  assert.deepEqual(
    derItems(readDer(hex('30 06 02 01 05 04 01 ff'))).map((item) => item.tag),
    [2, 4],
  );
  const long = Buffer.concat([hex('04 82 01 00'), Buffer.alloc(256)]);
  assert.equal(readDer(long).content.length, 256);
  for (const broken of ['', '30', '30 02 01', '30 80 00 00', '30 85 01 00 00 00 00', '30 81'])
    assert.throws(() => readDer(hex(broken)), RangeError, broken);
});

test('times of both kinds are read', () => {
  const time = (tag: number, text: string): number =>
    derTime({ tag, content: Buffer.from(text), raw: Buffer.alloc(0) });
  assert.equal(time(0x17, '491231235959Z'), Date.UTC(2049, 11, 31, 23, 59, 59));
  assert.equal(time(0x17, '500101000000Z'), Date.UTC(1950, 0, 1));
  assert.equal(time(0x18, '20610203040506Z'), Date.UTC(2061, 1, 3, 4, 5, 6));
  assert.ok(Number.isNaN(time(0x18, 'tomorrow')));
  assert.ok(Number.isNaN(time(0x04, '20610203040506Z')));
});

test('whatever is in place of a certificate has no use, and nothing breaks', () => {
  assert.ok(isForUse(certificate, 'applications') && isForUse(certificate, 'users'));
  assert.throws(() => certificateParts(hex('30 02 30 00')), RangeError);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const given = Buffer.from(bytes);
      assert.equal(isForUse(given, 'applications'), false);
      assert.equal(isForUse(given, 'users'), false);
      assert.equal(mayIssue(given, 0), false);
    }),
  );
  // A certificate with some bytes changed may still be one.
  fc.assert(
    fc.property(fc.nat(certificate.length - 1), fc.nat(255), (at, byte) => {
      const changed = Buffer.from(certificate);
      changed[at] = byte;
      assert.equal(typeof isForUse(changed, 'applications'), 'boolean');
      assert.equal(mayIssue(changed, 0), false);
    }),
  );
});

test('authorities issue as deep as they may', async () => {
  const root = await Authority.create(key, { name: 'root', pathLength: 0 });
  assert.ok(mayIssue(root.certificate, 0));
  assert.ok(!mayIssue(root.certificate, 1), 'path length');
  const open = await Authority.create(key, { name: 'open' });
  assert.ok(mayIssue(open.certificate, 3));
  const silent = await Authority.create(key, { name: 'silent', usages: undefined });
  assert.ok(mayIssue(silent.certificate, 0), 'whoever says nothing of key usage may');
});

test('files that are no lists are told of and do not count', async () => {
  const authority = await Authority.create(key, { name: 'CA' });
  const issued = await authority.issue(key, { name: 'issued' });
  const list = await authority.revocationList([issued]);
  const lists = new RevocationLists([folder]);
  await fc.assert(
    fc.asyncProperty(fc.nat(list.length - 1), async (length) => {
      writeFileSync(join(folder, 'cut.crl'), list.subarray(0, length));
      assert.equal(await lists.check(issued, authority.certificate), 'unknown');
      assert.deepEqual(
        (await lists.faults(0)).map(({ kind }) => kind),
        ['unreadable'],
      );
    }),
    { numRuns: 30 },
  );
  writeFileSync(join(folder, 'cut.crl'), list);
  assert.equal(await lists.check(issued, authority.certificate), 'revoked');
  assert.deepEqual(await lists.faults(0), []);
});
