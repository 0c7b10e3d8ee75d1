import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { configurationTables } from '../../../lib/runtime';
import { repositoryRoot } from '../../support/paths';

it('docs/configuration.md lists every variable as the program knows it', () => {
  const document = readFileSync(join(repositoryRoot, 'docs', 'configuration.md'), 'utf8');
  const listed = /<!-- variables -->\n\n([\s\S]*?)\n<!-- \/variables -->/.exec(document)?.[1];
  assert.equal(listed, configurationTables(), 'run: node scripts/write-configuration-doc.mjs');
});
