import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { before, describe, test } from 'node:test';
import { repositoryRoot } from '../support/paths';
import { loadEditor } from './editor';
import { LANGUAGES, nodeTypes, packageJson, readJson, readSource } from './node-sources';
import { npmPack, type PackResult } from './npm';

interface LockedPackage {
  readonly resolved?: string;
  readonly hasInstallScript?: boolean;
}

const lock = readJson('package-lock.json') as {
  readonly name: string;
  readonly version: string;
  readonly packages: Readonly<Record<string, LockedPackage>>;
};

/** Everything that may be in the package; `lib` is what the nodes run on. */
const ALLOWED = [
  /^package\.json$/,
  /^(README|CHANGELOG|SECURITY)\.md$/,
  /^LICENSE$/,
  /^docs\/[\w-]+\.(md|png|svg)$/,
  /^examples\/.+\.json$/,
  /^nodesets\/.+\.xml$/,
  /^flows\/[\w-]+\.(json|js)$/,
  /^dist\/(bin|lib|nodes)\/.+\.(js|d\.ts|js\.map)$/,
  /^dist\/nodes\/[\w-]+\/[\w-]+\.html$/,
  /^dist\/nodes\/[\w-]+\/icons\/[\w-]+\.svg$/,
  /^dist\/nodes\/[\w-]+\/locales\/[\w-]+\/[\w-]+\.(json|html)$/,
];

/** Node-RED's parts of an example flow that are looked at here. */
interface FlowNode {
  readonly id?: unknown;
  readonly type?: unknown;
}

describe('what npm packs', () => {
  let packed: PackResult;
  let paths: Set<string>;

  before(async () => {
    packed = await npmPack(['--dry-run']);
    paths = new Set(packed.files.map(({ path }) => path));
  });

  const has = (...wanted: string[]): void => {
    for (const path of wanted) assert.ok(paths.has(path), `${path} is not packed`);
  };

  test('is this package, in this version', () => {
    assert.equal(packed.name, packageJson.name);
    assert.equal(packed.version, packageJson.version);
  });

  for (const type of nodeTypes)
    test(`has everything that ${type} needs`, async () => {
      const folder = `dist/nodes/${type}`;
      assert.equal(packageJson['node-red'].nodes[type], `${folder}/${type}.js`);
      has(`${folder}/${type}.js`, `${folder}/${type}.html`);
      for (const language of LANGUAGES)
        has(`${folder}/locales/${language}/${type}.json`, `${folder}/locales/${language}/${type}.html`);
      const { definition, html } = await loadEditor(type);
      if (definition.icon !== undefined) has(`${folder}/icons/${definition.icon}`);
      assert.equal(readSource(`${folder}/${type}.html`), html, 'dist is older than the sources');
    });

  test('has plugins, library, types and program', () => {
    has(...Object.values(packageJson['node-red'].plugins));
    has(packageJson.main, packageJson.types, ...Object.values(packageJson.bin));
    for (const program of Object.values(packageJson.bin))
      assert.match(readSource(program), /^#!\/usr\/bin\/env node\n/, `${program} can be run`);
    has('README.md', 'LICENSE', 'CHANGELOG.md', 'SECURITY.md');
  });

  test('has the reference flow, and an example for every node of the palette', async () => {
    has('flows/gateway.json');
    has('nodesets/Lorua.Model.NodeSet2.xml');
    const examples = [...paths].filter((path) => path.startsWith('examples/'));
    const types = new Set<unknown>();
    for (const path of ['flows/gateway.json', ...examples]) {
      const flow = readJson(path);
      assert.ok(Array.isArray(flow), `${path} is an array, as Import → Examples wants it`);
      for (const { id, type } of flow as FlowNode[]) {
        assert.equal(typeof id, 'string', path);
        if (path !== 'flows/gateway.json') types.add(type);
      }
    }
    for (const type of nodeTypes) {
      const { definition } = await loadEditor(type);
      if (definition.category !== 'config') assert.ok(types.has(type), `no example has a ${type}`);
    }
  });

  test('has credentials for the reference flow only, and those come from the environment', () => {
    const withCredentials = [...paths].filter((path) => path.endsWith('_cred.json'));
    assert.deepEqual(withCredentials, ['flows/gateway_cred.json']);
    const nodes = readJson('flows/gateway_cred.json') as Record<string, Record<string, string>>;
    for (const credentials of Object.values(nodes))
      for (const [name, value] of Object.entries(credentials)) assert.match(value, /^\$\{\w+\}$/, name);
  });

  test('has maps that carry their sources, which are not packed', () => {
    const maps = [...paths].filter((path) => path.endsWith('.js.map'));
    assert.ok(maps.length > 100, `${maps.length} maps`);
    for (const path of maps) {
      const { sourcesContent } = readJson(path) as { readonly sourcesContent?: readonly string[] };
      assert.ok(
        sourcesContent?.every((text) => text !== ''),
        `${path} points at a source that nobody has`,
      );
    }
  });

  test('has nothing else: no tests, recordings, benchmarks or sources', () => {
    assert.deepEqual(
      [...paths].filter((path) => !ALLOWED.some((pattern) => pattern.test(path))),
      [],
    );
    assert.deepEqual(
      [...paths].filter((path) => /(^|\/)(test|bench|recordings|fixtures|node_modules)\//.test(path)),
      [],
    );
    assert.deepEqual(
      [...paths].filter((path) => /\.(test|editor)\.|\.(db|pem|key|log)$/.test(path)),
      [],
    );
  });
});

describe('package.json', () => {
  test('is found: scope, keywords, licence, places', () => {
    assert.match(packageJson.name, /^@[\w-]+\/node-red-[\w-]+$/);
    for (const keyword of ['node-red', 'chirpstack', 'lorawan', 'opcua'])
      assert.ok(packageJson.keywords.includes(keyword), keyword);
    assert.equal(packageJson.license, 'MIT');
    assert.match(packageJson.repository.url, /^git\+https:/);
    assert.match(packageJson.bugs.url, /^https:/);
  });

  test('says what it runs on', () => {
    assert.equal(packageJson.engines.node, '>=22.13');
    assert.equal(packageJson['node-red'].version, packageJson.peerDependencies['node-red']);
    assert.match(packageJson['node-red'].version, /^>=\d+\.\d+\.\d+$/);
  });

  test('lists every node and plugin, and none that is not there', () => {
    const folders = readdirSync(join(repositoryRoot, 'nodes')).filter((folder) => folder !== 'common');
    const { nodes, plugins } = packageJson['node-red'];
    assert.deepEqual([...Object.keys(nodes), ...Object.keys(plugins)].sort(), folders.sort());
    for (const [set, script] of Object.entries({ ...nodes, ...plugins })) {
      assert.equal(basename(script), `${set}.js`);
      assert.equal(dirname(script), `dist/nodes/${set}`);
      assert.doesNotThrow(() => readSource('nodes', set, `${set}.ts`));
    }
  });

  test('has at most six dependencies, as the Flow Library asks, none of them Node-RED', () => {
    const names = Object.keys(packageJson.dependencies);
    assert.ok(names.length <= 6, names.join(', '));
    assert.deepEqual(
      names.filter((name) => name.includes('node-red')),
      [],
    );
    // lib/opcua/protection reaches into this one: another version must have been tested (docs/architecture.md).
    for (const [name, range] of Object.entries(packageJson.dependencies))
      assert.match(range, name === 'node-opcua' ? /^\d/ : /^\^\d/, name);
  });

  test('runs nothing when it is installed', () => {
    for (const script of ['preinstall', 'install', 'postinstall']) assert.equal(packageJson.scripts[script], undefined);
  });

  test('decides for every dependency whether its install script may run', () => {
    const withScripts = Object.entries(lock.packages)
      .filter(([, { hasInstallScript }]) => hasInstallScript)
      .map(([path]) => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length));
    const undecided = withScripts.filter((name) => name !== '' && packageJson.allowScripts[name] === undefined);
    assert.deepEqual(undecided, []);
    for (const name of Object.keys(packageJson.dependencies))
      assert.notEqual(packageJson.allowScripts[name], true, name);
  });
});

describe('package-lock.json', () => {
  test('belongs to package.json', () => {
    assert.equal(lock.name, packageJson.name);
    assert.equal(lock.version, packageJson.version);
  });

  test('names no registry, so that it installs from any', () => {
    assert.deepEqual(
      Object.entries(lock.packages).flatMap(([path, { resolved }]) => (resolved === undefined ? [] : path)),
      [],
    );
  });
});
