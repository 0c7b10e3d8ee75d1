import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { checkNodeVersion, InvalidInputError } from '../../../lib/model';
import { repositoryRoot } from '../../support/paths';

test('a Node.js that the libraries do not run on is refused, as package.json says', () => {
  const { engines } = JSON.parse(readFileSync(join(repositoryRoot, 'package.json'), 'utf8')) as {
    engines: { node: string };
  };
  const oldest = engines.node.replace('>=', '');
  for (const version of [`${oldest}.0`, '22.14.1', '24.0.0', '100.1.0', process.versions.node])
    checkNodeVersion(version);
  for (const version of ['20.20.2', '22.12.9', '18.0.0', ''])
    assert.throws(
      () => checkNodeVersion(version),
      (error) => error instanceof InvalidInputError && error.faults[0]?.rule.includes(oldest) === true,
    );
});
