import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { repositoryRoot } from '../support/paths';
import { loadEditor } from './editor';
import { LANGUAGES, nodeTypes, packageJson, readJson, readSource } from './node-sources';
import { PaletteUser } from './palette-user';

interface ListedSet {
  readonly id: string;
  readonly module: string;
  readonly version: string;
  readonly types: readonly string[];
  readonly enabled: boolean;
  readonly err?: string;
}

/** Why the package cannot be installed here at all; undefined if it can. */
function obstacle(): string | undefined {
  try {
    execFileSync('tar', ['--version'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'there is no tar to unpack the package with';
  }
}

const skip = obstacle() ?? false;

describe('the package, installed from the palette', { skip }, () => {
  let user: PaletteUser;

  before(async () => {
    user = await PaletteUser.install();
  });

  after(() => user?.stop());

  test('gives Node-RED all its nodes, without an error', async () => {
    const listed = (await user.getJson('/nodes')) as readonly ListedSet[];
    const ours = listed.filter(({ module }) => module === packageJson.name);
    assert.deepEqual(
      ours.map(({ id, types, enabled, err, version }) => ({ id, types, enabled, err, version })),
      nodeTypes.map((type) => ({
        id: `${packageJson.name}/${type}`,
        types: [type],
        enabled: true,
        err: undefined,
        version: packageJson.version,
      })),
    );
  });

  test('gives Node-RED its plugins', async () => {
    const listed = (await user.getJson('/plugins')) as readonly ListedSet[];
    const ours = listed.filter(({ module }) => module === packageJson.name);
    assert.deepEqual(
      ours.map(({ id, enabled, err }) => ({ id, enabled, err })),
      Object.keys(packageJson['node-red'].plugins).map((name) => ({
        id: `${packageJson.name}/${name}`,
        enabled: true,
        err: undefined,
      })),
    );
  });

  for (const language of LANGUAGES) {
    test(`${language}: the editor gets forms and help`, async () => {
      const html = await user.get('/nodes', { accept: 'text/html', 'accept-language': language });
      for (const type of nodeTypes) {
        const { script } = await loadEditor(type);
        assert.ok(html.includes(script.trim()), `script of ${type}`);
        assert.ok(html.includes(readSource('nodes', type, `${type}.html`).trim()), `form of ${type}`);
        assert.ok(html.includes(readSource('locales', language, `${type}.html`).trim()), `help of ${type}`);
      }
    });

    test(`${language}: the editor gets the texts`, async () => {
      const all = (await user.getJson(`/nodes/messages?lng=${language}`)) as Record<string, unknown>;
      for (const type of nodeTypes) {
        const texts = readJson('locales', language, `${type}.json`);
        assert.deepEqual(all[`${packageJson.name}/${type}`], texts, type);
        assert.deepEqual(await user.getJson(`/locales/${packageJson.name}/${type}?lng=${language}`), texts, type);
      }
    });
  }

  test('an Austrian and a Canadian get German and French', async () => {
    for (const [wanted, language] of [
      ['de-AT', 'de'],
      ['fr-CA', 'fr'],
    ] as const) {
      const html = await user.get('/nodes', { accept: 'text/html', 'accept-language': wanted });
      for (const type of nodeTypes)
        assert.ok(html.includes(readSource('locales', language, `${type}.html`).trim()), `${wanted} ${type}`);
    }
  });

  test('the editor finds the icons', async () => {
    const icons = (await user.getJson('/icons')) as Record<string, readonly string[]>;
    const ours = icons[packageJson.name] ?? [];
    const named = (await Promise.all(nodeTypes.map(loadEditor))).flatMap(({ definition }) => definition.icon ?? []);
    assert.deepEqual([...ours].sort(), named.sort());
    for (const icon of ours)
      assert.equal(await user.get(`/icons/${packageJson.name}/${icon}`), readSource('icons', icon));
  });

  test('the import menu offers the examples, and Node-RED knows every type in them', async () => {
    const listed = (await user.getJson('/nodes')) as readonly ListedSet[];
    const known = new Set([...listed.flatMap(({ types }) => types), 'tab', 'group']);
    const menu = `/library/examples/flows/${packageJson.name}`;
    const offered = ((await user.getJson(menu)) as readonly { fn: string }[]).map(({ fn }) => fn);
    const shipped = readdirSync(join(repositoryRoot, 'examples')).map((file) => file.replace(/\.json$/, ''));
    assert.deepEqual(offered.sort(), shipped.sort());
    for (const name of offered) {
      const flow = (await user.getJson(`${menu}/${encodeURIComponent(name)}`)) as readonly { type: string }[];
      assert.deepEqual(flow, readJson('examples', `${name}.json`), name);
      const unknown = flow.map(({ type }) => type).filter((type) => !known.has(type));
      assert.deepEqual(unknown, [], name);
    }
  });

  test('its library can be used without Node-RED', async () => {
    const exported = await user.run(`process.stdout.write(Object.keys(require('${packageJson.name}')).join())`);
    for (const name of ['chirpstack', 'opcua', 'store', 'parseReadingMessage'])
      assert.ok(exported.split(',').includes(name), name);
  });

  test('Node-RED had nothing to complain about', () => {
    const complaints = user.output
      .split('\n')
      .filter((line) => /\[(?:error|warn)\]|unhandled|DeprecationWarning/i.test(line))
      // Said at every first start, whatever is installed.
      .filter((line) => !/Projects disabled|Encrypted credentials not found/.test(line));
    assert.deepEqual(complaints, []);
  });

  test('ends when it is told to', async () => {
    assert.equal(await user.stop(), 0);
  });
});
