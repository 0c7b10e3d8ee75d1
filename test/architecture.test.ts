/** Holds what docs/architecture.md promises about the sources: who may import whom, and how big a file may be. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { repositoryRoot } from './support/paths';
import { findCycle, type SourceFile, sourceFiles } from './support/source-files';

const SHIPPED = ['lib', 'nodes', 'bin'];
const files = sourceFiles([...SHIPPED, 'test', 'bench']);
const shipped = files.filter(({ path }) => SHIPPED.includes(path.split('/')[0] ?? ''));
const scripts = sourceFiles(['scripts'], '.mjs');
/** Flows are lists of nodes: data, long by nature. */
const flows = sourceFiles(['flows'], '.mjs');

const { dependencies, peerDependencies } = JSON.parse(
  readFileSync(join(repositoryRoot, 'package.json'), 'utf8'),
) as Record<'dependencies' | 'peerDependencies', Record<string, string>>;

/** Heavy or peculiar packages, and the rooms that know how to treat them. */
const OWNERS: Readonly<Record<string, readonly string[]>> = {
  'node-opcua': ['lib/opcua'],
  'better-sqlite3': ['lib/store'],
  '@grpc/grpc-js': ['lib/chirpstack', 'lib/simulator'],
  '@chirpstack/chirpstack-api': ['lib/chirpstack', 'lib/simulator'],
  'google-protobuf': ['lib/chirpstack', 'lib/simulator'],
};

/** Lines that a file may have; what is below the first that fits. */
const LIMITS: readonly { readonly files: RegExp; readonly lines: number }[] = [
  { files: /^nodes\/[^/]+\/[^/]+\.ts$/, lines: 200 },
  // A test has as many cases as its subject has behaviours, and each stands for itself.
  { files: /^test\/.*\.test\.ts$/, lines: 700 },
  { files: /./, lines: 400 },
];

/** Files that may be longer, up to 500 lines, each with the reason. */
const LONG_FILES: Readonly<Record<string, string>> = {
  'lib/chirpstack/connection.ts': 'calls, streams and probes all read and change the one state of the connection',
  'lib/chirpstack/poller.ts': 'reconciling, streaming and reporting share what is known of the devices',
  'test/lib/chirpstack/fake-chirpstack.ts': 'one server with all the services that are faked',
};
const LONG_LIMIT = 500;

/** `lib/store`, `nodes/metric-store`, `bin`: what a file belongs to. */
function roomOf(path: string): string {
  const [top = '', second = ''] = path.split('/');
  return (top === 'lib' || top === 'nodes') && !second.endsWith('.ts') ? `${top}/${second}` : top;
}

function isDoor(path: string): boolean {
  return /^lib\/[^/]+\/index\.ts$/.test(path);
}

/** Whether a file of the first room may import a file of another room. */
function mayImport(from: SourceFile, target: string): boolean {
  const room = roomOf(from.path);
  if (from.path.startsWith('test/')) return !target.startsWith('bench/');
  if (from.path.startsWith('bench/')) return !target.startsWith('test/') || target.startsWith('test/support/');
  if (target.startsWith('test/') || target.startsWith('bench/')) return false;
  if (from.path === 'lib/index.ts') return isDoor(target);
  if (room.startsWith('lib/')) return room !== 'lib/model' && target === 'lib/model/index.ts';
  if (room.startsWith('nodes/'))
    return isDoor(target) || (room !== 'nodes/common' && roomOf(target) === 'nodes/common');
  return room === 'bin' && isDoor(target);
}

function packageOf(specifier: string): string {
  const [scope = '', name = ''] = specifier.split('/');
  return scope.startsWith('@') ? `${scope}/${name}` : scope;
}

function isBuiltin(specifier: string): boolean {
  return builtinModules.includes(specifier.replace(/^node:/, '').split('/')[0] ?? '');
}

function packagesOf(file: SourceFile): { name: string; typeOnly: boolean }[] {
  return file.imports
    .filter(({ file: target, specifier }) => target === undefined && !isBuiltin(specifier))
    .map(({ specifier, typeOnly }) => ({ name: packageOf(specifier), typeOnly }));
}

/** Paths of the files whose text or code matches. */
function matching(pattern: RegExp, of: readonly SourceFile[], part: 'text' | 'code'): string[] {
  return of.filter((file) => pattern.test(file[part])).map(({ path }) => path);
}

describe('architecture', () => {
  test('the import graph is seen: files are found, and every relative import leads to one', () => {
    for (const folder of SHIPPED)
      assert.ok(
        shipped.some(({ path }) => path.startsWith(`${folder}/`)),
        folder,
      );
    assert.ok(shipped.flatMap(({ imports }) => imports).length > 100);
    const lost = files.flatMap(({ path, imports }) =>
      imports.flatMap(({ file, specifier }) =>
        file !== undefined && !existsSync(join(repositoryRoot, file)) ? `${path} → ${specifier}` : [],
      ),
    );
    assert.deepEqual(lost, []);
  });

  test('imports point one way: nodes and bin → rooms of lib → lib/model, through the doors', () => {
    const wrong = files.flatMap((file) =>
      file.imports.flatMap(({ file: target }) =>
        target === undefined || roomOf(target) === roomOf(file.path) || mayImport(file, target)
          ? []
          : `${file.path} → ${target}`,
      ),
    );
    assert.deepEqual(wrong, []);
  });

  test('no file imports itself by a detour', () => {
    assert.equal(findCycle(files)?.join(' → '), undefined);
  });

  test('lib/ knows nothing of Node-RED', () => {
    const lib = files.filter(({ path }) => path.startsWith('lib/'));
    const wrong = lib.flatMap((file) =>
      packagesOf(file).flatMap(({ name }) => (/node-red/.test(name) ? `${file.path} → ${name}` : [])),
    );
    assert.deepEqual(wrong, []);
  });

  test('what ships imports built-ins, dependencies and the Node-RED that it runs in', () => {
    // Code of the editor names types of Node-RED only; it is looked at below.
    const runtime = shipped.filter(({ path }) => !path.endsWith('.editor.ts'));
    const wrong = runtime.flatMap((file) =>
      packagesOf(file).flatMap(({ name, typeOnly }) => {
        if (name in dependencies) return [];
        if (name in peerDependencies && (typeOnly || file.path.startsWith('bin/'))) return [];
        return `${file.path} → ${name}`;
      }),
    );
    assert.deepEqual(wrong, []);
  });

  test('built-ins are imported with node:', () => {
    const wrong = [...files, ...scripts].flatMap(({ path, imports }) =>
      imports.flatMap(({ specifier, file }) =>
        file === undefined && isBuiltin(specifier) && !specifier.startsWith('node:') ? `${path} → ${specifier}` : [],
      ),
    );
    assert.deepEqual(wrong, []);
  });

  test('each heavy package is known to one room only', () => {
    const wrong = shipped.flatMap((file) =>
      packagesOf(file).flatMap(({ name }) => {
        const owners = OWNERS[name];
        return owners === undefined || owners.includes(roomOf(file.path)) ? [] : `${file.path} → ${name}`;
      }),
    );
    assert.deepEqual(wrong, []);
  });

  test('code of the editor imports nothing: the browser gets it as a plain script', () => {
    const editor = files.filter(({ path }) => path.endsWith('.editor.ts'));
    assert.ok(editor.length > 0);
    assert.deepEqual(
      editor.filter(({ code }) => /^\s*(?:import|export)\b(?!\()/m.test(code)).map(({ path }) => path),
      [],
    );
    assert.deepEqual(
      files.filter(({ imports }) => imports.some(({ file }) => file?.endsWith('.editor.ts'))).map(({ path }) => path),
      [],
    );
  });

  test('nodes are thin, and no file grows beyond what one can keep in mind', () => {
    const limit = (path: string): number => LIMITS.find(({ files: pattern }) => pattern.test(path))?.lines ?? 0;
    const long = [...files, ...scripts]
      .filter(({ path, lines }) => lines > (path in LONG_FILES ? LONG_LIMIT : limit(path)))
      .map(({ path, lines }) => `${path}: ${lines}`);
    assert.deepEqual(long, []);
    const obsolete = Object.keys(LONG_FILES).filter(
      (path) => !files.some((file) => file.path === path && file.lines > limit(path)),
    );
    assert.deepEqual(obsolete, [], 'exceptions that are no longer needed');
  });

  test('nothing is of type any, and no cast hides what a value is', () => {
    assert.deepEqual(matching(/(?<![.\w'$-])any(?![\w'$-])/, files, 'code'), []);
    assert.deepEqual(matching(/\bas unknown as\b/, shipped, 'code'), []);
  });

  test('nothing is left for later, and no test runs alone or not at all', () => {
    // Put together here, so that this file does not find itself.
    const later = new RegExp(`\\b(?:${['TO', 'DO'].join('')}|${['FIX', 'ME'].join('')}|X{3})\\b`);
    assert.deepEqual(matching(later, [...files, ...scripts, ...flows], 'text'), []);
    const tests = files.filter(({ path }) => path.startsWith('test/'));
    assert.deepEqual(matching(/\b(?:test|it|describe|suite)\.(?:only|todo)\b|\bonly: true/, tests, 'code'), []);
  });
});
